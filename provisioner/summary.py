"""A plan in words and numbers: what is created, changed and destroyed, with secrets masked.

Made from Terraform's ``-json`` stream, and from ``show -json`` only where the stream does not tell enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from provisioner.catalog import PROVIDERS
from provisioner.manifest import Manifest
from provisioner.register import Reregistered
from provisioner.terraform.session import PlanOutcome
from provisioner.terraform.stream import MASKED, Change

UNKNOWN = "(known after apply)"

_ADDRESS = re.compile(r"^module\.([a-z]+)_([A-Za-z0-9_-]+)\.(.+)$")
_KINDS = {"store": "artifact store"}  # others are called as their modules are
_VERBS = {"create": "add", "update": "change", "delete": "destroy", "replace": "replace"}
_IGNORED = frozenset().union(*(provider.echoes for provider in PROVIDERS.values()))


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """One attribute that differs: its path, and the values before and after, masked where sensitive."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that a plan touches: ``action`` is create, update, delete or replace."""

    address: str
    kind: str
    component: str
    resource: str
    action: str
    identifier: str | None = None
    """Its name in the cloud, where that is known beforehand."""
    attributes: tuple[AttributeChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Danger:
    """Something that deserves a second look: its kind (one of :data:`KINDS`), of what, and what it is."""

    KINDS: ClassVar = ("data", "public", "permissions", "trust", "protection")

    kind: str
    component: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a policy has to say of a stack: ``level`` is deny or warn, the place is that in the manifest."""

    rule: str
    level: str
    message: str
    file: str
    line: int
    column: int
    path: str
    address: str | None
    policy: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return (
            f"{where}: {self.path}: {self.rule}: {self.message}" if self.path else f"{where}: {self.message}"
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that a person has to know before agreeing to a plan."""

    stack: str
    provider: str
    region: str | None
    account: str | None
    endpoint_url: str | None
    operation: str
    changes: tuple[ResourceChange, ...]
    drift: tuple[ResourceChange, ...]
    deviations: tuple[str, ...]
    emptied: tuple[str, ...]
    grants: tuple[str, ...]
    missing_protections: tuple[str, ...]
    outputs_change: bool
    dangers: tuple[Danger, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What the policy has to say."""
    drift_first_seen: str | None = None
    """When this stack was first found drifted, of the times that somebody looked; ISO 8601, UTC."""
    drift_last_clean: str | None = None
    """When it was last known to be as applied: the last clean look, or the last apply."""
    registered: tuple[ResourceChange, ...] = ()
    """What is registered with other settings than now: components, and nothing of the cloud."""

    @property
    def denied(self) -> bool:
        """Whether a policy does not allow it."""
        return any(finding.level == "deny" for finding in self.findings)

    @property
    def drifted(self) -> bool:
        """Whether the world is no longer as it was applied."""
        return bool(self.drift or self.deviations)

    def count(self, action: str) -> int:
        """How many resources are to be created, updated, deleted or replaced."""
        return sum(change.action == action for change in self.changes)

    def to_json(self) -> dict[str, Any]:
        """The stable form of ``--format json``."""
        counts = {verb: self.count(action) for action, verb in _VERBS.items()}
        return {"format": 1, **asdict(self), "counts": counts, "drifted": self.drifted}


def summarise(
    manifest: Manifest,
    account: str | None,
    outcome: PlanOutcome,
    details: Mapping[str, Any] | None,
    *,
    operation: str = "apply",
    names: Mapping[str, str] = MappingProxyType({}),
    deviations: Sequence[str] = (),
    emptied: Sequence[str] = (),
    dangers: Sequence[Danger] = (),
    reregistered: Iterable[Reregistered] = (),
) -> Summary:
    """The summary of a plan. ``details`` is what ``show -json`` says of it, where it was asked."""
    details = details or {}
    planned = tuple(_resources(outcome.stream.planned, details.get("resource_changes", ()), names))
    registered = tuple(_registered(item) for item in reregistered)
    changes, drift = ((), planned) if operation == "drift" else (planned, ())
    return Summary(
        stack=manifest.name,
        provider=PROVIDERS[manifest.provider].title,
        region=manifest.region,
        account=account or manifest.account,
        endpoint_url=manifest.endpoint_url,
        operation=operation,
        changes=changes,
        drift=drift,
        deviations=tuple(deviations),
        emptied=tuple(emptied),
        grants=tuple(_grants(manifest)) if operation == "apply" and changes else (),
        missing_protections=tuple(PROVIDERS[manifest.provider].missing_protections(manifest)),
        outputs_change=(outcome.changes or bool(registered)) and not planned,
        dangers=tuple(dangers),
        registered=registered,
    )


def _registered(item: Reregistered) -> ResourceChange:
    attributes = _compare("", item.before, item.after, (None, None))
    return ResourceChange("", item.kind, item.name, "what is registered", "update", None, tuple(attributes))


def split_address(address: str) -> tuple[str, str, str]:
    """The kind and the name of the component that a resource belongs to, and its address within that."""
    match = _ADDRESS.match(address)
    kind, component, resource = match.groups() if match else ("", "", address)
    return _KINDS.get(kind, kind), component, resource


def _resources(
    told: Sequence[Change], detailed: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> Iterator[ResourceChange]:
    by_address = {item["address"]: item["change"] for item in detailed}
    for change in told:
        if change.action in {"noop", "no-op", "read"}:
            continue
        kind, component, resource = split_address(change.address)
        attributes = tuple(_attributes(by_address.get(change.address, {})))
        yield ResourceChange(
            address=change.address,
            kind=kind,
            component=component,
            resource=resource,
            action=change.action,
            identifier=names.get(change.address),
            attributes=attributes,
        )


# --- attributes ---------------------------------------------------------------------------------------


def _attributes(change: Mapping[str, Any]) -> Iterator[AttributeChange]:
    before, after = change.get("before"), change.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return
    masks = (change.get("before_sensitive"), change.get("after_sensitive"))
    yield from _compare("", before, _with_unknown(after, change.get("after_unknown")), masks)


def _with_unknown(value: Any, unknown: Any) -> Any:
    """``value`` with what only the apply will tell put in its place."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, Mapping) and isinstance(value, Mapping):
        return {
            key: _with_unknown(value.get(key), unknown.get(key)) for key in dict.fromkeys([*value, *unknown])
        }
    return value


def _compare(path: str, before: Any, after: Any, masks: tuple[Any, Any]) -> Iterator[AttributeChange]:
    if path in _IGNORED or before == after:
        return
    if any(mask is True for mask in masks):
        yield AttributeChange(path, MASKED, MASKED)
        return
    pairs = _children(_as_document(before), _as_document(after))
    if pairs is None:
        hidden = any(_hides_something(mask) for mask in masks)
        yield AttributeChange(path, MASKED, MASKED) if hidden else AttributeChange(path, before, after)
        return
    for key, old, new in pairs:
        below = tuple(_mask_below(mask, key) for mask in masks)
        yield from _compare(f"{path}.{key}" if path else str(key), old, new, (below[0], below[1]))


def _children(before: Any, after: Any) -> list[tuple[Any, Any, Any]] | None:
    """What to compare one by one: the members of two objects or of two lists; None for anything else."""
    # What is not there has no members: so those of the other side are shown, or masked, one by one.
    if isinstance(before, Mapping | list) and after is None:
        after = type(before)()
    elif isinstance(after, Mapping | list) and before is None:
        before = type(after)()
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [(key, before.get(key), after.get(key)) for key in sorted({*before, *after}, key=str)]
    if isinstance(before, list) and isinstance(after, list):
        longest = range(max(len(before), len(after)))
        return [(index, _item(before, index), _item(after, index)) for index in longest]
    return None


def _item(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _mask_below(mask: Any, key: Any) -> Any:
    if isinstance(mask, Mapping):
        return mask.get(key)
    if isinstance(mask, list) and isinstance(key, int):
        return _item(mask, key)
    return None


def _hides_something(mask: Any) -> bool:
    if isinstance(mask, Mapping):
        return any(_hides_something(item) for item in mask.values())
    if isinstance(mask, list):
        return any(_hides_something(item) for item in mask)
    return mask is True


def _as_document(value: Any) -> Any:
    """Policies are JSON in a string: what changed in one is worth more than «it changed»."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


# --- permissions --------------------------------------------------------------------------------------


def _grants(manifest: Manifest) -> Iterator[str]:
    provider = PROVIDERS[manifest.provider]
    for connector in provider.identities(manifest):
        stores = [store for store in manifest.artifact_stores if store.connector == connector.name]
        where = ", ".join(
            f"{store.name}{f' below {store.prefix}/' if store.prefix and provider.grants_by_prefix else ''}"
            for store in stores
        )
        who = provider.trusted(connector)
        condition = " with the agreed external id" if connector.external_id else ""
        may = provider.permissions(connector)
        yield f"{connector.name}: {who} may{condition} {may} in {where}, and nothing else"
