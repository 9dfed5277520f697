"""The rules between fields, and between fields and the provider. Pure: a manifest in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provisioner.catalog import PROVIDERS, Provider
from provisioner.manifest.connector_rules import connector_rules, default_connector_rules
from provisioner.manifest.fields import MAX_TAGS
from provisioner.manifest.findings import Finding, by_rule, said
from provisioner.manifest.models import ArtifactStore, Connector, Manifest
from provisioner.manifest.normalise import default_connector_name
from provisioner.manifest.state_rules import state_rules
from provisioner.manifest.store_rules import shared_places, store_rules
from provisioner.manifest.text import shown
from provisioner.manifest.tree import Loc

MAX_PARTS = 200
"""Stores, or connectors, of one stack; every rule between two of them is paid for each pair."""


def broken_rules(manifest: Manifest) -> Iterator[Finding]:
    """Everything that does not hold between the fields of a manifest as it was written."""
    provider = PROVIDERS[manifest.provider]
    for group, least in (("artifact_stores", 1), ("connectors", 0)):
        count = len(getattr(manifest, group))
        if not least <= count <= MAX_PARTS:
            yield Finding((group,), f"found a list of {count}; allowed: {least} to {MAX_PARTS}")
            return
    yield from _provider_fields(manifest, provider)
    yield from _compatibility(manifest, provider)
    yield from _tags(manifest, provider)
    yield from state_rules(manifest)
    yield from _names(manifest)
    for index, store in enumerate(manifest.artifact_stores):
        yield from store_rules(index, store, manifest, provider)
    yield from shared_places(manifest, provider)
    for loc, wrong in provider.problems(manifest):
        yield Finding(loc, wrong, because=(("provider",),))
    for index, connector in enumerate(manifest.connectors):
        yield from connector_rules(index, connector, manifest, provider)
    yield from _references(manifest, provider)
    yield from default_connector_rules(manifest, provider)


# --- the provider ---------------------------------------------------------------------------------------


def _provider_fields(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    leaning: tuple[Loc, ...] = (("provider",), ("extends",))
    for name in sorted(provider.required_fields):
        if not said(manifest, name):
            yield Finding(
                (name,), f"required field is missing: provider {provider.name} needs it", because=leaning
            )
    special = frozenset().union(*(other.allowed_fields for other in PROVIDERS.values()))
    for name in sorted(special - provider.allowed_fields):
        if said(manifest, name):
            yield Finding((name,), f"not for provider {provider.name}", at_key=True, because=leaning)
    for name in ("region", "account"):
        value = getattr(manifest, name)
        if value is not None and name in provider.allowed_fields:
            yield from by_rule(manifest, provider, (name,), name, value)


def _compatibility(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    chosen = manifest.compatibility
    if chosen is None or not provider.compatibilities:
        return
    known = list(provider.compatibilities)
    if chosen not in known:
        yield Finding(("compatibility",), f"found {shown(chosen)}; allowed: {', '.join(known)}")
        return
    if chosen != known[0] and manifest.endpoint_url is None:
        wrong = f"required field is missing: compatibility {chosen} needs the address of the service"
        yield Finding(("endpoint_url",), wrong, because=(("compatibility",),))
    if manifest.account is not None and not provider.can("caller_identity", chosen):
        wrong = (
            f"{chosen} cannot say whose credentials are in use, so this guard could not be held; leave it out"
        )
        yield Finding(("account",), wrong, at_key=True, because=(("compatibility",),))


def _tags(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    if len(manifest.tags) > MAX_TAGS:
        wrong = f"found {len(manifest.tags)} tags; allowed: at most {MAX_TAGS} (three more are set by us)"
        yield Finding(("tags",), wrong)
    seen: dict[str, str] = {}
    for key in manifest.tags:
        first = seen.setdefault(key.lower(), key)
        if first != key:
            wrong = f"same tag as {shown(first)} but for its case, which IAM does not tell apart"
            yield Finding(("tags", key), wrong, at_key=True)
        for finding in by_rule(manifest, provider, ("tags", key), "tags.key", key):
            yield finding._replace(at_key=True)
        yield from by_rule(manifest, provider, ("tags", key), "tags.value", manifest.tags[key])


# --- names and references -------------------------------------------------------------------------------


def _names(manifest: Manifest) -> Iterator[Finding]:
    groups: dict[str, Sequence[ArtifactStore | Connector]] = {
        "artifact_stores": manifest.artifact_stores,
        "connectors": manifest.connectors,
    }
    for group, parts in groups.items():
        seen: dict[str, int] = {}
        for index, part in enumerate(parts):
            first = seen.setdefault(part.name, index)
            if first != index:
                wrong = f"found {shown(part.name)} again, first at {group}[{first}]; allowed: each name once"
                yield Finding((group, index, "name"), wrong)
        former: dict[str, int] = {}
        for index, part in enumerate(parts):
            old = part.renamed_from
            if old is None:
                continue
            if old in seen:
                wrong = (
                    f"found {shown(old)}, which is still a name at {group}[{seen[old]}]; allowed: a name gone"
                )
                yield Finding((group, index, "renamed_from"), wrong, because=((group, seen[old], "name"),))
            elif former.setdefault(old, index) != index:
                wrong = f"found {shown(old)}, which {group}[{former[old]}] was named already"
                yield Finding((group, index, "renamed_from"), wrong)


def _references(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    stores = [store.name for store in manifest.artifact_stores]
    chosen = manifest.stack.artifact_store
    if chosen and chosen not in stores:
        wrong = f"found {shown(chosen)}; allowed: {', '.join(stores)}"
        yield Finding(
            ("stack", "artifact_store"), wrong, because=_name_places("artifact_stores", len(stores))
        )
    if not provider.has_connectors:
        return
    connectors = [connector.name for connector in manifest.connectors]
    places = (("connectors",), *_name_places("connectors", len(connectors)))
    used = {store.connector or default_connector_name(store) for store in manifest.artifact_stores}
    for index, store in enumerate(manifest.artifact_stores):
        name = store.connector
        if name is not None and name not in connectors and name != default_connector_name(store):
            known = (
                f"; allowed: {', '.join(connectors)}" if connectors else "; there is none under connectors"
            )
            yield Finding(
                ("artifact_stores", index, "connector"), f"found {shown(name)}{known}", because=places
            )
    for index, name in enumerate(connectors):
        if name not in used:
            wrong = f"no artifact store uses {shown(name)}; name it as a store's connector, or leave it out"
            asking = tuple(("artifact_stores", at, "connector") for at in range(len(stores)))
            yield Finding(("connectors", index), wrong, because=(*asking, ("connectors", index, "name")))


def _name_places(group: str, count: int) -> tuple[Loc, ...]:
    return tuple((group, index, "name") for index in range(count))
