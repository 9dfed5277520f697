"""What the state file knows, as frozen records, and the pure rules of changing them.

Every change returns a new ``State`` in which names are unique and references exist; a change that would
break one of the two is refused. Nothing here touches a file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from stacks.errors import (
    ComponentExistsError,
    ComponentInUseError,
    InvalidNameError,
    InvalidValueError,
    UnknownComponentError,
)
from stacks.sensitive import plain_secrets

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NOTHING


@dataclass(frozen=True, slots=True)
class ArtifactStoreRecord:
    """One artifact store: how to build it, which connector or secret it authenticates with.

    ``config`` holds JSON values to be read only; secrets in it are references (``{{name.key}}``).
    ``deployment`` names the deployment that manages the record, None for one registered by hand.
    """

    name: str
    flavor: str
    path: str
    config: Mapping[str, Any] = field(default_factory=_nothing)
    connector: str | None = None
    authentication_secret: str | None = None
    deployment: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectorRecord:
    """One service connector; ``resource_id`` None means any resource of the type that it can reach."""

    name: str
    type: str
    auth_method: str
    resource_type: str | None = None
    resource_id: str | None = None
    config: Mapping[str, Any] = field(default_factory=_nothing)
    authentication_secret: str | None = None
    deployment: str | None = None


@dataclass(frozen=True, slots=True)
class StackRecord:
    """One stack: the name of its artifact store and of its orchestrator."""

    name: str
    artifact_store: str
    orchestrator: str = "default"
    deployment: str | None = None


@dataclass(frozen=True, slots=True)
class FlavorRecord:
    """A custom artifact store flavor; ``source`` is ``module.Class``."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """What one manifest provisioned: enough for a status without asking any cloud.

    ``manifest`` is its path, ``workspace`` the folder of the Terraform root, ``applied_at`` timezone-aware,
    ``engine`` the program and version that applied it (``terraform 1.9.8``).
    """

    name: str
    provider: str
    region: str | None
    account: str | None
    manifest: str
    manifest_sha256: str
    workspace: str
    applied_at: datetime
    engine: str
    artifact_stores: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()
    stack: str | None = None


Record = ArtifactStoreRecord | ConnectorRecord | StackRecord | FlavorRecord | DeploymentRecord
_R = TypeVar("_R", ArtifactStoreRecord, ConnectorRecord, StackRecord, FlavorRecord, DeploymentRecord)


@dataclass(frozen=True, slots=True)
class State:
    """All records, by name. ``serial`` counts the writes of the file, ``lineage`` tells files apart.

    Both belong to the state file; they are 0 and empty until the first write.
    """

    lineage: str = ""
    serial: int = 0
    active_stack: str | None = None
    stacks: Mapping[str, StackRecord] = field(default_factory=_nothing)
    artifact_stores: Mapping[str, ArtifactStoreRecord] = field(default_factory=_nothing)
    connectors: Mapping[str, ConnectorRecord] = field(default_factory=_nothing)
    flavors: Mapping[str, FlavorRecord] = field(default_factory=_nothing)
    deployments: Mapping[str, DeploymentRecord] = field(default_factory=_nothing)

    # -- looking up; each raises UnknownComponentError, which names what there is

    def stack(self, name: str) -> StackRecord:
        """The stack of that name."""
        return _found(self.stacks, name, "stack")

    def artifact_store(self, name: str) -> ArtifactStoreRecord:
        """The artifact store of that name."""
        return _found(self.artifact_stores, name, "artifact store")

    def connector(self, name: str) -> ConnectorRecord:
        """The service connector of that name."""
        return _found(self.connectors, name, "service connector")

    def flavor(self, name: str) -> FlavorRecord:
        """The custom flavor of that name."""
        return _found(self.flavors, name, "custom flavor")

    def deployment(self, name: str) -> DeploymentRecord:
        """The deployment of that name."""
        return _found(self.deployments, name, "deployment")

    def users_of_artifact_store(self, name: str) -> tuple[str, ...]:
        """The names of the stacks that use this artifact store."""
        return tuple(s.name for s in self.stacks.values() if s.artifact_store == name)

    def users_of_connector(self, name: str) -> tuple[str, ...]:
        """The names of the artifact stores that use this connector."""
        return tuple(s.name for s in self.artifact_stores.values() if s.connector == name)

    # -- artifact stores

    def with_artifact_store(self, record: ArtifactStoreRecord, *, replacing: bool = False) -> State:
        """With the store added, or put in the place of the one of its name when ``replacing``.

        Raises ComponentExistsError, InvalidNameError, InvalidValueError for a plain secret in its
        configuration, and UnknownComponentError for its connector.
        """
        _refuse_plain_secrets("artifact store", record.name, record.config)
        if record.connector is not None:
            self.connector(record.connector)
        stores = _with(self.artifact_stores, record, "artifact store", replacing=replacing)
        return replace(self, artifact_stores=stores)

    def without_artifact_store(self, name: str) -> State:
        """Without the store; raises ComponentInUseError while a stack uses it."""
        self.artifact_store(name)
        _refuse_used("artifact store", name, "stack", self.users_of_artifact_store(name))
        return replace(self, artifact_stores=_without(self.artifact_stores, name))

    def with_artifact_store_renamed(self, old: str, new: str) -> State:
        """With the store under a new name everywhere."""
        stores = _renamed(self.artifact_stores, self.artifact_store(old), new, "artifact store")
        stacks = {
            s.name: replace(s, artifact_store=new) if s.artifact_store == old else s
            for s in self.stacks.values()
        }
        return replace(self, artifact_stores=stores, stacks=stacks)

    # -- connectors

    def with_connector(self, record: ConnectorRecord, *, replacing: bool = False) -> State:
        """With the connector added or replaced.

        Raises ComponentExistsError, InvalidNameError, InvalidValueError for a plain secret.
        """
        _refuse_plain_secrets("service connector", record.name, record.config)
        connectors = _with(self.connectors, record, "service connector", replacing=replacing)
        return replace(self, connectors=connectors)

    def without_connector(self, name: str) -> State:
        """Without the connector; raises ComponentInUseError while an artifact store uses it."""
        self.connector(name)
        _refuse_used("service connector", name, "artifact store", self.users_of_connector(name))
        return replace(self, connectors=_without(self.connectors, name))

    def with_connector_renamed(self, old: str, new: str) -> State:
        """With the connector under a new name everywhere."""
        connectors = _renamed(self.connectors, self.connector(old), new, "service connector")
        stores = {
            s.name: replace(s, connector=new) if s.connector == old else s
            for s in self.artifact_stores.values()
        }
        return replace(self, connectors=connectors, artifact_stores=stores)

    # -- stacks

    def with_stack(self, record: StackRecord, *, replacing: bool = False, activate: bool = False) -> State:
        """With the stack added or replaced.

        Raises ComponentExistsError, InvalidNameError, UnknownComponentError for its store.
        """
        self.artifact_store(record.artifact_store)
        stacks = _with(self.stacks, record, "stack", replacing=replacing)
        return replace(self, stacks=stacks, active_stack=record.name if activate else self.active_stack)

    def without_stack(self, name: str) -> State:
        """Without the stack; when it was the active one, none is active afterwards."""
        self.stack(name)
        active = None if self.active_stack == name else self.active_stack
        return replace(self, stacks=_without(self.stacks, name), active_stack=active)

    def with_stack_renamed(self, old: str, new: str) -> State:
        """With the stack under a new name, active if it was."""
        stacks = _renamed(self.stacks, self.stack(old), new, "stack")
        return replace(
            self, stacks=stacks, active_stack=new if self.active_stack == old else self.active_stack
        )

    def with_active_stack(self, name: str) -> State:
        """With this stack as the active one."""
        return replace(self, active_stack=self.stack(name).name)

    # -- flavors

    def with_flavor(self, record: FlavorRecord, *, replacing: bool = False) -> State:
        """With the custom flavor added or replaced."""
        return replace(self, flavors=_with(self.flavors, record, "custom flavor", replacing=replacing))

    def without_flavor(self, name: str) -> State:
        """Without the custom flavor; raises ComponentInUseError while an artifact store is of it."""
        self.flavor(name)
        users = tuple(s.name for s in self.artifact_stores.values() if s.flavor == name)
        _refuse_used("custom flavor", name, "artifact store", users)
        return replace(self, flavors=_without(self.flavors, name))

    # -- deployments

    def with_deployment(
        self,
        record: DeploymentRecord,
        *,
        artifact_stores: Iterable[ArtifactStoreRecord] = (),
        connectors: Iterable[ConnectorRecord] = (),
        stack: StackRecord | None = None,
        activate: bool = False,
    ) -> State:
        """With everything that one apply left behind, in place of what its earlier applies had registered.

        The records are taken as managed by ``record.name``, and the record as naming them. Raises
        ComponentExistsError when a name belongs to a record that something else manages, and
        ComponentInUseError when a store that is gone is still used by a stack of somebody else.
        """
        stores, connectors = tuple(artifact_stores), tuple(connectors)
        kept = {s.name for s in stores}
        bare = self._without_managed(record.name, kept, {c.name for c in connectors})
        for connector in connectors:
            bare = bare.with_connector(replace(connector, deployment=record.name))
        for store in stores:
            bare = bare.with_artifact_store(replace(store, deployment=record.name))
        if stack is not None:
            bare = bare.with_stack(replace(stack, deployment=record.name), activate=activate)
        elif bare.active_stack not in bare.stacks:
            bare = replace(bare, active_stack=None)
        deployment = replace(
            record,
            artifact_stores=tuple(s.name for s in stores),
            connectors=tuple(c.name for c in connectors),
            stack=stack.name if stack else None,
        )
        return replace(bare, deployments=_with(self.deployments, deployment, "deployment", replacing=True))

    def without_deployment(self, name: str) -> State:
        """Without the deployment and all that it manages.

        Raises ComponentInUseError while records of somebody else use them; ask before destroying, too.
        """
        self.deployment(name)
        bare = self._without_managed(name, set(), set())
        active = bare.active_stack if bare.active_stack in bare.stacks else None
        return replace(bare, deployments=_without(self.deployments, name), active_stack=active)

    def _without_managed(self, name: str, stores_kept: set[str], connectors_kept: set[str]) -> State:
        """Without what deployment ``name`` manages; refused when others use what is not kept."""
        stacks = {s.name: s for s in self.stacks.values() if s.deployment != name}
        stores = {s.name: s for s in self.artifact_stores.values() if s.deployment != name}
        connectors = {c.name: c for c in self.connectors.values() if c.deployment != name}
        for stack in stacks.values():
            if stack.artifact_store not in stores and stack.artifact_store not in stores_kept:
                _refuse_used("artifact store", stack.artifact_store, "stack", (stack.name,))
        for store in stores.values():
            if store.connector and store.connector not in connectors | dict.fromkeys(connectors_kept):
                _refuse_used("service connector", store.connector, "artifact store", (store.name,))
        return replace(self, stacks=stacks, artifact_stores=stores, connectors=connectors)

    def problems(self) -> list[str]:
        """What does not hold together: references to what is not there. Empty for every State made here."""
        found = [
            f"stack {s.name!r} uses artifact store {s.artifact_store!r}, which is not there"
            for s in self.stacks.values()
            if s.artifact_store not in self.artifact_stores
        ]
        found += [
            f"artifact store {s.name!r} uses service connector {s.connector!r}, which is not there"
            for s in self.artifact_stores.values()
            if s.connector is not None and s.connector not in self.connectors
        ]
        if self.active_stack is not None and self.active_stack not in self.stacks:
            found.append(f"the active stack {self.active_stack!r} is not there")
        return found


def check_name(name: str, kind: str) -> str:
    """``name`` itself; raises InvalidNameError when it cannot name a ``kind``."""
    if not NAME.fullmatch(name):
        raise InvalidNameError(
            f"{name!r} cannot be the name of a {kind}",
            hint="use 1 to 100 of A-Z, a-z, 0-9, '_', '-' and '.', starting with a letter or digit",
        )
    return name


def _found(records: Mapping[str, _R], name: str, kind: str) -> _R:
    record = records.get(name)
    if record is None:
        near = difflib.get_close_matches(name, records, n=1)
        known = ", ".join(sorted(records)[:20]) or "none"
        hint = f"did you mean {near[0]!r}?" if near else f"registered are: {known}"
        raise UnknownComponentError(f"there is no {kind} named {name!r}", hint=hint, kind=kind, name=name)
    return record


def _with(records: Mapping[str, _R], record: _R, kind: str, *, replacing: bool) -> Mapping[str, _R]:
    check_name(record.name, kind)
    if record.name in records and not replacing:
        raise ComponentExistsError(
            f"a {kind} named {record.name!r} is already registered",
            hint=f"choose another name, or update, rename or delete the {kind} that has it",
            kind=kind,
            name=record.name,
        )
    return {**records, record.name: record}


def _without(records: Mapping[str, _R], name: str) -> Mapping[str, _R]:
    return {key: record for key, record in records.items() if key != name}


def _renamed(records: Mapping[str, _R], record: _R, new: str, kind: str) -> Mapping[str, _R]:
    return _with(_without(records, record.name), replace(record, name=new), kind, replacing=False)


def _refuse_used(kind: str, name: str, user_kind: str, users: tuple[str, ...]) -> None:
    if users:
        shown = ", ".join(users[:10]) + (" …" if len(users) > 10 else "")
        raise ComponentInUseError(
            f"{kind} {name!r} is used by {user_kind} {shown}",
            hint=f"point the {user_kind} at another {kind}, or delete it, first",
            kind=kind,
            name=name,
            users=users,
        )


def _refuse_plain_secrets(kind: str, name: str, config: Mapping[str, Any]) -> None:
    fields = list(plain_secrets(config))
    if fields:
        raise InvalidValueError(
            f"{kind} {name!r}: {', '.join(fields)} would put a secret into the state file",
            hint="create a secret for it and refer to it as {{name.key}}",
        )
