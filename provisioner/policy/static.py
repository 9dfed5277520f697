"""The rules that a manifest alone can break."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from provisioner.catalog import PROVIDERS
from provisioner.manifest import Manifest
from provisioner.manifest.tree import Loc
from provisioner.policy.models import AllowedRule, NamesRule, Rules
from provisioner.policy.verdict import Verdict, matches

_PROFILES = ("baseline", "strict")


def broken_by_manifest(manifest: Manifest, rules: Rules) -> Iterator[Verdict]:
    """Everything that a manifest does against the rules."""
    provider = PROVIDERS[manifest.provider]
    yield from _allowed("providers", rules.providers, manifest.provider, ("provider",))
    if "region" in provider.allowed_fields:
        yield from _allowed("regions", rules.regions, manifest.region, ("region",))
    for index, store in enumerate(manifest.artifact_stores):
        if store.replica_region is not None:  # every object is copied there
            at: Loc = ("artifact_stores", index, "replica_region")
            yield from _allowed("regions", rules.regions, store.replica_region, at, store.name)
    if "account" in provider.allowed_fields:
        yield from _allowed("accounts", rules.accounts, manifest.account, ("account",))
    yield from _tags(manifest, rules)
    if rules.names is not None:
        yield from _names(manifest, rules.names)
    yield from _stores(manifest, rules)
    if rules.trusted_principals is not None:
        yield from _principals(manifest, rules.trusted_principals)


def _allowed(
    name: str, rule: AllowedRule | None, value: str | None, loc: Loc, component: str = ""
) -> Iterator[Verdict]:
    if rule is None or (value is not None and matches(value, rule.allowed)):
        return
    wanted = " or ".join(rule.allowed)
    found = f"found {value}" if value is not None else "nothing is said"
    yield Verdict(name, rule, loc, f"{found}; the policy allows {wanted}", component)


def _tags(manifest: Manifest, rules: Rules) -> Iterator[Verdict]:
    if rules.tags is None:
        return
    for key, pattern in rules.tags.required.items():
        value = manifest.tags.get(key)
        if value is None:
            yield Verdict("tags", rules.tags, ("tags",), f"the tag {key} is missing; the policy asks for it")
        elif not fnmatchcase(value, pattern):
            wrong = f"the tag {key} is {value}; the policy allows {pattern}"
            yield Verdict("tags", rules.tags, ("tags", key), wrong)


def _names(manifest: Manifest, rule: NamesRule) -> Iterator[Verdict]:
    named: list[tuple[str | None, str | None, Loc]] = [(rule.stack, manifest.name, ("name",))]
    for index, store in enumerate(manifest.artifact_stores):
        named.append((rule.artifact_store, store.name, ("artifact_stores", index, "name")))
        named.append((rule.bucket, store.bucket, ("artifact_stores", index, "bucket")))
    for index, connector in enumerate(manifest.connectors):
        named.append((rule.connector, connector.name, ("connectors", index, "name")))
    for pattern, name, loc in named:
        if pattern is not None and name is not None and not fnmatchcase(name, pattern):
            yield Verdict("names", rule, loc, f"found {name}; the policy allows {pattern}")


def _stores(manifest: Manifest, rules: Rules) -> Iterator[Verdict]:
    fields = PROVIDERS[manifest.provider].store_fields
    for index, store in enumerate(manifest.artifact_stores):
        at: Loc = ("artifact_stores", index)
        if store.existing:
            continue  # what it is like is up to whoever made it
        if rules.protected is not None and not store.protect:
            wrong = f"{store.name} could be destroyed; the policy asks for `protect: true`"
            yield Verdict("protected", rules.protected, (*at, "protect"), wrong, store.name)
        if rules.customer_key is not None and "encryption" in fields and store.encryption.kms_key is None:
            wrong = f"{store.name} has no key of its own; the policy asks for encryption.kms_key"
            yield Verdict("customer_key", rules.customer_key, (*at, "encryption"), wrong, store.name)
        rule = rules.profile
        if rule is not None and _PROFILES.index(store.profile) < _PROFILES.index(rule.minimum):
            wrong = f"{store.name} has the profile {store.profile}; the policy asks for {rule.minimum}"
            yield Verdict("profile", rule, (*at, "profile"), wrong, store.name)


def _principals(manifest: Manifest, rule: AllowedRule) -> Iterator[Verdict]:
    identities = {connector.name for connector in PROVIDERS[manifest.provider].identities(manifest)}
    for index, connector in enumerate(manifest.connectors):
        if connector.name not in identities:
            continue
        at: Loc = ("connectors", index, "trusted_principals")
        if not connector.trusted_principals:
            wrong = f"{connector.name} trusts whoever applies; the policy asks to say whom"
            yield Verdict("trusted_principals", rule, at, wrong, connector.name)
        for place, principal in enumerate(connector.trusted_principals):
            if not matches(principal, rule.allowed):
                wrong = f"{connector.name} trusts {principal}; the policy allows {' or '.join(rule.allowed)}"
                yield Verdict("trusted_principals", rule, (*at, place), wrong, connector.name)
