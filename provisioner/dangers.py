"""What of a plan deserves a second look before anybody agrees: lost data, wider access, less protection.

Judged twice, as neither tells all: the manifest against the one that was applied last, and the plan itself,
which also knows what somebody changed behind our back and needs no workspace to compare with. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from provisioner.catalog import PROVIDERS
from provisioner.manifest import ArtifactStore, Connector, Manifest
from provisioner.summary import Danger, split_address
from provisioner.terraform.stream import Change
from provisioner.trusting import newly_trusted

_DIRECTORY = re.compile(r"terraform_data\.directory(\[.*\])?")

# Types say themselves whose they are: so one table of each kind, of what the providers know.
_EVERY = [provider.dangers for provider in PROVIDERS.values()]
_BUCKETS = frozenset(name for one in _EVERY for name in one.buckets)
_PROTECTING = {name: row for one in _EVERY for name, row in one.protecting.items()}
_SAFE = {name: rows for one in _EVERY for name, rows in one.safe.items()}
_POLICIES = {name: row for one in _EVERY for name, row in one.policies.items()}
_TRUSTING = {name: attribute for one in _EVERY for name, attribute in one.trusting.items()}
_GIVING = {name: row for one in _EVERY for name, row in one.giving.items()}
_IDENTITIES = frozenset(name for one in _EVERY for name in one.identities)
_NARROW = frozenset(name for one in _EVERY for name in one.narrow)


def needs_details(planned: Sequence[Change], known: Collection[str]) -> bool:
    """Whether the details of a plan are needed to judge what it gives to identities that are there."""
    return any(_gives_more(planned, known))


def dangers(
    manifest: Manifest,
    before: Manifest | None,
    planned: Sequence[Change],
    details: Mapping[str, Any] | None,
    *,
    operation: str,
    known: Collection[str] = (),
) -> list[Danger]:
    """Everything of the kind, the worst first.

    ``before`` is the manifest as it was applied last, ``known`` the components that the state holds something
    of: what a new connector is given stands among the permissions that are granted.
    """
    changes = {item["address"]: item["change"] for item in (details or {}).get("resource_changes", ())}
    found = [*_lost(planned, manifest)]
    if operation != "destroy":
        gone = {danger.component for danger in found}
        found += _in_plan(planned, changes, gone)
        found += _given(planned, changes, known)
        found += _in_manifest(before, manifest) if before is not None else ()
    order = {kind: index for index, kind in enumerate(Danger.KINDS)}
    return sorted(dict.fromkeys(found), key=lambda danger: order[danger.kind])


# --- the plan -------------------------------------------------------------------------------------------


def _lost(planned: Sequence[Change], manifest: Manifest) -> Iterator[Danger]:
    keys = PROVIDERS[manifest.provider].key_resources
    for change in planned:
        if change.action not in {"delete", "replace"}:
            continue
        _, component, resource = split_address(change.address)
        if change.type in _BUCKETS or _DIRECTORY.fullmatch(resource):
            done = "deleted" if change.action == "delete" else "deleted and made anew"
            yield Danger("data", component, f"{resource} is {done}, with everything in it")
        elif resource.split("[", 1)[0] in keys:
            yield Danger("data", component, f"{resource} is deleted: what it encrypts can no longer be read")


def _in_plan(planned: Sequence[Change], changes: Mapping[str, Any], gone: Iterable[str]) -> Iterator[Danger]:
    for change in planned:
        _, component, _ = split_address(change.address)
        if change.action == "delete" and change.type in _PROTECTING and component not in gone:
            kind, words = _PROTECTING[change.type]
            yield Danger(kind, component, words)
        value = changes.get(change.address, {})
        old, new = value.get("before"), value.get("after")
        if not isinstance(old, Mapping) or not isinstance(new, Mapping):
            continue
        for path, safe, kind, words in _SAFE.get(change.type, ()):
            if _at(old, path) in safe and _at(new, path) not in safe and not _unknown(value, path):
                yield Danger(kind, component, words)
        if change.type in _POLICIES:
            attribute, kind, keys, words = _POLICIES[change.type]
            added = sorted(_statements(new.get(attribute), keys) - _statements(old.get(attribute), keys))
            if added:
                yield Danger(kind, component, f"{words}: {', '.join(added)}")
        if change.type in _TRUSTING:
            attribute = _TRUSTING[change.type]
            for who in newly_trusted(old.get(attribute), new.get(attribute)):
                yield Danger("trust", component, f"is now also trusted to {who}")


def _gives_more(planned: Sequence[Change], known: Collection[str]) -> Iterator[Change]:
    """What is given to an identity that is there already."""
    made = {
        split_address(change.address)[1]
        for change in planned
        if change.type in _IDENTITIES and change.action == "create"
    }
    for change in planned:
        given = change.type in _GIVING and change.action in {"create", "replace"}
        component = split_address(change.address)[1]
        if given and component in known and component not in made:
            yield change


def _given(planned: Sequence[Change], changes: Mapping[str, Any], known: Collection[str]) -> Iterator[Danger]:
    for change in _gives_more(planned, known):
        attribute, kind, words = _GIVING[change.type]
        value = changes.get(change.address, {})
        old, new = _at(value.get("before"), attribute), _at(value.get("after"), attribute)
        if new is not None and new != old and not (old is not None and new in _NARROW):
            yield Danger(kind, split_address(change.address)[1], f"{words} {new}")


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _unknown(change: Mapping[str, Any], path: str) -> bool:
    return _at(change.get("after_unknown"), path) is True


def _statements(policy: Any, keys: Sequence[str]) -> set[str]:
    """What stands under these keys in the statements that allow something."""
    try:
        statements = json.loads(policy).get("Statement", [])
    except (TypeError, ValueError, AttributeError):
        return set()
    statements = statements if isinstance(statements, list) else [statements]
    return {
        text
        for statement in statements
        if isinstance(statement, Mapping) and statement.get("Effect") == "Allow"
        for key in keys
        for text in _texts(statement.get(key))
    }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)


# --- the manifest ---------------------------------------------------------------------------------------


def _in_manifest(before: Manifest, after: Manifest) -> Iterator[Danger]:
    for store in after.artifact_stores:
        old = before.store(store.renamed_from or "") or before.store(store.name)
        if old is not None:
            yield from _store(old, store)
            yield from _network(before, after, old, store)
    for connector in after.connectors:
        former = before.connector(connector.renamed_from or "") or before.connector(connector.name)
        if former is not None:
            yield from _connector(former, connector)
            yield from _reach(before, after, former, connector)
    if before.endpoint_url != after.endpoint_url:
        there, here = (place.endpoint_url or "the cloud itself" for place in (before, after))
        yield Danger("trust", after.name, f"its service is at {here} from now on, instead of {there}")
    missing = PROVIDERS[after.provider].missing_protections
    for text in missing(after):
        if text not in missing(before):
            yield Danger("protection", after.name, f"no longer there: {text}")


def _store(old: ArtifactStore, new: ArtifactStore) -> Iterator[Danger]:
    if old.protect and not new.protect and not new.existing:
        yield Danger("protection", new.name, "it may be destroyed from now on (`protect: false`)")
    if old.versioning and not new.versioning:
        yield Danger("protection", new.name, "versioning is switched off")
    key, other = old.encryption.kms_key, new.encryption.kms_key
    if key is not None and other != key:
        instead = f"with {other} instead of {key}" if other else f"no longer with the key {key}"
        yield Danger("protection", new.name, f"new objects are encrypted {instead}")
    if old.profile == "strict" and new.profile != "strict":
        yield Danger("protection", new.name, f"the profile is {new.profile} instead of strict")
    days, fewer = old.lifecycle.noncurrent_days, new.lifecycle.noncurrent_days
    if fewer is not None and (days is None or fewer < days):
        kept = f"instead of {days}" if days is not None else "instead of being kept"
        yield Danger("data", new.name, f"old versions are removed after {fewer} days {kept}")


def _network(before: Manifest, after: Manifest, old: ArtifactStore, new: ArtifactStore) -> Iterator[Danger]:
    """Networks from which a store is reached and was not."""
    was, now = PROVIDERS[before.provider].open_to(old), PROVIDERS[after.provider].open_to(new)
    if was is None or now == was:
        return
    if now is None:
        yield Danger("public", new.name, "the account is reached from every network")
    elif now - was:
        yield Danger("permissions", new.name, f"is now also reached from {', '.join(sorted(now - was))}")


def _connector(old: Connector, new: Connector) -> Iterator[Danger]:
    if (old.access, new.access) == ("read-only", "read-write"):
        yield Danger("permissions", new.name, "may now write and delete, and not only read")
    added = [name for name in new.trusted_principals if name not in old.trusted_principals]
    if added:
        yield Danger("trust", new.name, f"is now also trusted to {', '.join(added)}")
    if old.trusted_principals and not new.trusted_principals:
        yield Danger("trust", new.name, "is now trusted to whoever applies this")
    if old.external_id is not None and new.external_id != old.external_id:
        words = "any longer" if new.external_id is None else "as before, but another one"
        yield Danger("trust", new.name, f"callers need not say the agreed external id {words}")


def _reach(before: Manifest, after: Manifest, old: Connector, new: Connector) -> Iterator[Danger]:
    """Stores that a connector reaches and did not, or reaches further into than it did."""
    was = {store.name: store for store in before.artifact_stores if store.connector == old.name}
    for store in after.artifact_stores:
        if store.connector != new.name:
            continue
        known = was.get(store.renamed_from or "") or was.get(store.name)
        if known is None:
            yield Danger("permissions", new.name, f"now also reaches {store.name}")
        elif known.prefix and not f"{store.prefix or ''}/".startswith(f"{known.prefix}/"):
            where = f"below {store.prefix}/" if store.prefix else "in the whole bucket"
            yield Danger("permissions", new.name, f"reaches {store.name} {where}, not only {known.prefix}/")
