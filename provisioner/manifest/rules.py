"""The rules between fields, and between fields and the provider. Pure: a manifest in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from pydantic import BaseModel

from provisioner.catalog import PROVIDERS, Provider
from provisioner.manifest.fields import MAX_TAGS
from provisioner.manifest.models import ArtifactStore, Connector, Manifest
from provisioner.manifest.normalise import default_auth_method, default_compatibility, default_connector_name
from provisioner.manifest.text import shown
from provisioner.manifest.tree import Loc

# Methods that bring credentials of their own: no identity is created for them, so nothing can be said of it.
_ONLY_WITH_AN_IDENTITY = ("access", "trusted_principals", "external_id", "session_seconds")
_NEEDS_SECRET = frozenset({"secret-key"})
_TAKES_NO_SECRET = frozenset({"implicit", "none"})
_SPECIAL_STORE_FIELDS = (
    "prefix",
    "versioning",
    "encryption",
    "lifecycle",
    "storage_class",
    "storage_account",
)
_NOT_FOR_ADOPTED = ("versioning", "lifecycle", "storage_class")

MAX_PARTS = 200
"""Stores, or connectors, of one stack; every rule between two of them is paid for each pair."""


class Finding(NamedTuple):
    """One problem and its place; ``because`` are other places that it leans on."""

    loc: Loc
    message: str
    at_key: bool = False
    because: tuple[Loc, ...] = ()


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
    yield from _tags(manifest)
    yield from _state(manifest)
    yield from _names(manifest)
    for index, store in enumerate(manifest.artifact_stores):
        yield from _store(index, store, manifest, provider)
    yield from _same_bucket(manifest)
    for index, connector in enumerate(manifest.connectors):
        yield from _connector(index, connector, manifest, provider)
    yield from _references(manifest, provider)
    yield from _default_connectors(manifest, provider)


def said(part: BaseModel, name: str) -> bool:
    """Whether the manifest says something in this field."""
    return name in part.model_fields_set and getattr(part, name) is not None


# --- the provider ---------------------------------------------------------------------------------------


def _provider_fields(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    leaning: tuple[Loc, ...] = (("provider",),)
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
            yield from _by_rule(manifest, provider, (name,), name, value)


def _by_rule(
    manifest: Manifest, provider: Provider, loc: Loc, field_name: str, value: str
) -> Iterator[Finding]:
    """What this cloud, or the service at endpoint_url, allows as the text of a field."""
    rule = provider.rule_for(field_name, service=manifest.endpoint_url is not None)
    why = rule.problem(value) if rule is not None else None
    if why is not None:
        leaning: tuple[Loc, ...] = (("provider",), ("endpoint_url",))
        yield Finding(loc, f"found {shown(value)}; allowed: {why}", because=leaning)


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


def _tags(manifest: Manifest) -> Iterator[Finding]:
    if len(manifest.tags) > MAX_TAGS:
        wrong = f"found {len(manifest.tags)} tags; allowed: at most {MAX_TAGS} (three more are set by us)"
        yield Finding(("tags",), wrong)
    seen: dict[str, str] = {}
    for key in manifest.tags:
        first = seen.setdefault(key.lower(), key)
        if first != key:
            wrong = f"same tag as {shown(first)} but for its case, which IAM does not tell apart"
            yield Finding(("tags", key), wrong, at_key=True)


def _state(manifest: Manifest) -> Iterator[Finding]:
    backend = manifest.state.backend
    if backend != "local":
        yield Finding(
            ("state", "backend"), f'found "{backend}", which is not available yet; available: local'
        )
        return
    for name in ("bucket", "key"):
        if said(manifest.state, name):
            yield Finding(
                ("state", name), "not for the local backend", at_key=True, because=(("state", "backend"),)
            )


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
    if "connector" not in provider.modules:
        return
    connectors = [connector.name for connector in manifest.connectors]
    places = _name_places("connectors", len(connectors))
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
            because = tuple(("artifact_stores", at, "connector") for at in range(len(stores)))
            yield Finding(("connectors", index), wrong, because=because)


def _name_places(group: str, count: int) -> tuple[Loc, ...]:
    return tuple((group, index, "name") for index in range(count))


# --- artifact stores ------------------------------------------------------------------------------------


def _store(index: int, store: ArtifactStore, manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    here: Loc = ("artifact_stores", index)
    for name in _SPECIAL_STORE_FIELDS:
        if said(store, name) and name not in provider.store_fields:
            yield Finding(
                (*here, name), f"not for provider {provider.name}", at_key=True, because=(("provider",),)
            )
    if said(store, "connector") and "connector" not in provider.modules:
        wrong = f"not for provider {provider.name}, which has no connectors"
        yield Finding((*here, "connector"), wrong, at_key=True, because=(("provider",),))
    if store.bucket is not None:
        why = provider.bucket_rule.problem(store.bucket)
        if why is not None:
            wrong = f"found {shown(store.bucket)}; allowed: {why}"
            yield Finding((*here, "bucket"), wrong, because=(("provider",),))
    if store.storage_class not in provider.storage_classes:
        allowed = ", ".join(provider.storage_classes)
        yield Finding((*here, "storage_class"), f"found {shown(store.storage_class)}; allowed: {allowed}")
    if store.profile == "strict":
        yield Finding((*here, "profile"), 'found "strict", which is not available yet; available: baseline')
    yield from _adopted(here, store)
    yield from _encryption(here, store, manifest, provider)


def _adopted(here: Loc, store: ArtifactStore) -> Iterator[Finding]:
    if not store.existing:
        return
    leaning: tuple[Loc, ...] = ((*here, "existing"),)
    if store.bucket is None:
        yield Finding(
            (*here, "bucket"), "required field is missing: existing: true adopts a bucket by its name"
        )
    for name in _NOT_FOR_ADOPTED:
        if said(store, name):
            wrong = "not with existing: true, which leaves the bucket as it is"
            yield Finding((*here, name), wrong, at_key=True, because=leaning)


def _encryption(here: Loc, store: ArtifactStore, manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    key = store.encryption.kms_key
    if key is None or "encryption" not in provider.store_fields:
        return
    loc = (*here, "encryption", "kms_key")
    compatibility = default_compatibility(manifest, provider) or ""
    if not (provider.can("kms", compatibility) and provider.can("encryption", compatibility)):
        wrong = f"not for compatibility {compatibility}, which does not take a bucket's encryption settings"
        yield Finding(loc, wrong, at_key=True, because=(("compatibility",),))
    else:
        yield from _by_rule(manifest, provider, loc, "encryption.kms_key", key)


def _same_bucket(manifest: Manifest) -> Iterator[Finding]:
    """Two stores never share a place, and only one of them creates the bucket they share."""
    named = [
        (index, store) for index, store in enumerate(manifest.artifact_stores) if store.bucket is not None
    ]
    for (first, one), (second, other) in combinations(named, 2):
        loc: Loc = ("artifact_stores", second, "bucket")
        leaning = tuple(
            ("artifact_stores", at, name) for at in (first, second) for name in ("prefix", "existing")
        )
        if _overlap(one, other):
            wrong = f"found a place that overlaps with artifact_stores[{first}]; allowed: places apart"
            yield Finding(loc, wrong, because=leaning)
        elif one.bucket == other.bucket and not one.existing and not other.existing:
            wrong = f"artifact_stores[{first}] creates this bucket already; allowed here: existing: true"
            yield Finding(loc, wrong, because=leaning)


def _overlap(one: ArtifactStore, other: ArtifactStore) -> bool:
    """Whether one store lies in the other: buckets have no '/', so this also tells of nested directories."""
    places = (
        f"{store.bucket}/{store.prefix}" if store.prefix else store.bucket or "" for store in (one, other)
    )
    short, long = sorted((place.split("/") for place in places), key=len)
    return long[: len(short)] == short


# --- connectors -----------------------------------------------------------------------------------------


def _connector(index: int, connector: Connector, manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    here: Loc = ("connectors", index)
    if "connector" not in provider.modules:
        wrong = f"not for provider {provider.name}, which has no connectors"
        yield Finding(here, wrong, because=(("provider",),))
        return
    method = connector.auth_method
    if method and method not in provider.auth_methods:
        allowed = ", ".join(provider.auth_methods)
        yield Finding(
            (*here, "auth_method"), f"found {shown(method)}; allowed: {allowed}", because=(("provider",),)
        )
        return
    compatibility = default_compatibility(manifest, provider)
    method = method or default_auth_method(connector, provider, compatibility)
    yield from _identity(here, connector, method, compatibility or "", provider)
    yield from _secret(here, connector, method)
    for at, principal in enumerate(connector.trusted_principals):
        loc = (*here, "trusted_principals", at)
        yield from _by_rule(manifest, provider, loc, "trusted_principals", principal)
    if connector.external_id is not None:
        yield from _by_rule(manifest, provider, (*here, "external_id"), "external_id", connector.external_id)


def _identity(
    here: Loc, connector: Connector, method: str, compatibility: str, provider: Provider
) -> Iterator[Finding]:
    """What is created for the connector: a role, or nothing when it brings credentials of its own."""
    leaning: tuple[Loc, ...] = ((*here, "auth_method"), (*here, "authentication_secret"), ("compatibility",))
    if method in _NEEDS_SECRET or method in _TAKES_NO_SECRET:
        for name in _ONLY_WITH_AN_IDENTITY:
            if said(connector, name):
                wrong = f"not with auth_method {method}: no identity is created that it could hold for"
                yield Finding((*here, name), wrong, at_key=True, because=leaning)
    elif not provider.can("iam_roles", compatibility):
        place = (*here, "auth_method") if connector.auth_method else here
        yield Finding(place, _no_roles(compatibility), because=leaning)
    elif not provider.can("caller_identity", compatibility) and not connector.trusted_principals:
        loc = (*here, "trusted_principals")
        yield Finding(loc, _no_caller(compatibility), because=leaning)


def _secret(here: Loc, connector: Connector, method: str) -> Iterator[Finding]:
    given = connector.authentication_secret is not None
    loc = (*here, "authentication_secret")
    leaning: tuple[Loc, ...] = ((*here, "auth_method"),)
    if method in _NEEDS_SECRET and not given:
        wrong = f"required field is missing: auth_method {method} takes its credentials from a secret"
        yield Finding(loc, wrong, because=leaning)
    if method in _TAKES_NO_SECRET and given:
        wrong = f"not with auth_method {method}, which takes the credentials of its surroundings"
        yield Finding(loc, wrong, at_key=True, because=leaning)


def _default_connectors(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    """A connector that would be made by itself must be one that can work."""
    if "connector" not in provider.modules:
        return
    compatibility = default_compatibility(manifest, provider) or ""
    named = {connector.name for connector in manifest.connectors}
    if provider.default_auth_method in _TAKES_NO_SECRET:
        return
    if not provider.can("iam_roles", compatibility):
        wrong = _no_roles(compatibility)
    elif not provider.can("caller_identity", compatibility):
        wrong = _no_caller(compatibility)
    else:
        return
    for index, store in enumerate(manifest.artifact_stores):
        default = default_connector_name(store)
        if (store.connector or default) == default and default not in named:
            leaning: tuple[Loc, ...] = (
                ("compatibility",),
                ("connectors",),
                ("artifact_stores", index, "name"),
            )
            message = f"the default connector {default} cannot work: {wrong}; add it under connectors"
            yield Finding(("artifact_stores", index), message, because=leaning)


def _no_roles(compatibility: str) -> str:
    return (
        f"{compatibility} has no IAM roles; allowed: auth_method secret-key with an authentication_secret, "
        "or implicit"
    )


def _no_caller(compatibility: str) -> str:
    return (
        f"{compatibility} cannot say who applies; required: trusted_principals, the ARNs of who may use it, "
        "such as arn:aws:iam:::user/NAME"
    )
