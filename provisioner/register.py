"""Terraform's outputs as records of the runtime's state file: the one place that writes it here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from provisioner.catalog import PROVIDERS
from provisioner.errors import UpstreamError
from provisioner.manifest import ArtifactStore, Connector, Manifest
from stacks.state import (
    ArtifactStoreRecord,
    ConnectorRecord,
    DeploymentRecord,
    StackRecord,
    State,
    StateFile,
)


@dataclass(frozen=True, slots=True)
class Applied:
    """One successful apply: the manifest, where it came from, and what Terraform answered."""

    manifest: Manifest
    manifest_path: str
    manifest_sha256: str
    outputs: Mapping[str, Any]
    workspace: str
    engine: str


def register(state_file: StateFile, applied: Applied) -> State:
    """Record everything that the apply left, in one atomic write, or nothing at all."""
    return state_file.update(lambda state: registered(state, applied))


def registered(state: State, applied: Applied) -> State:
    """``state`` with the records of ``applied`` in place of those of earlier applies of this manifest.

    The very same state when nothing but the time would differ. Raises
    :class:`stacks.errors.ComponentExistsError` when a name belongs to something else.
    """
    manifest = applied.manifest
    deployment = DeploymentRecord(
        name=manifest.name,
        provider=manifest.provider,
        region=manifest.region,
        account=applied.outputs.get("account") or manifest.account,
        manifest=applied.manifest_path,
        manifest_sha256=applied.manifest_sha256,
        workspace=applied.workspace,
        applied_at=datetime.now(UTC),
        engine=applied.engine,
    )
    after = state.with_deployment(
        deployment,
        artifact_stores=[_store(manifest, store, applied.outputs) for store in manifest.artifact_stores],
        connectors=[_connector(manifest, connector, applied.outputs) for connector in manifest.connectors],
        stack=StackRecord(
            name=manifest.name,
            artifact_store=manifest.stack.artifact_store,
            orchestrator=manifest.stack.orchestrator,
        ),
        activate=manifest.stack.activate,
    )
    return state if _same(state, after, manifest.name) else after


def check_registrable(state: State, manifest: Manifest) -> None:
    """Refuse before Terraform runs what could not be registered afterwards: a name that is taken."""
    provider = PROVIDERS[manifest.provider]
    places: dict[str, Any] = {
        "artifact_stores": {store.name: provider.planned_store for store in manifest.artifact_stores},
        "connectors": {
            connector.name: provider.planned_identity for connector in provider.identities(manifest)
        },
    }
    registered(state, Applied(manifest, "", "", places, "", ""))


def deregister(state_file: StateFile, name: str) -> State:
    """Forget everything that the manifest ``name`` had registered; nothing when it had not."""
    return state_file.update(lambda state: deregistered(state, name))


def deregistered(state: State, name: str) -> State:
    """``state`` without the deployment. Raises ComponentInUseError while something else uses its stores."""
    return state.without_deployment(name) if name in state.deployments else state


def _same(before: State, after: State, name: str) -> bool:
    old = before.deployments.get(name)
    if old is None:
        return False
    new = replace(after.deployments[name], applied_at=old.applied_at)
    return replace(after, deployments={**after.deployments, name: new}) == before


@dataclass(frozen=True, slots=True)
class Reregistered:
    """A component that is registered already, as it is and as an apply would register it."""

    kind: str
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def reregistered(state: State, manifest: Manifest, outputs: Mapping[str, Any]) -> Iterator[Reregistered]:
    """What of the registered components is not as ``manifest`` says, if Terraform's outputs stay the same.

    Where something lies is Terraform's to say: of that, and of components it has no outputs of yet, nothing
    is told.
    """
    for store in manifest.artifact_stores:
        with suppress(UpstreamError):
            after = _store(manifest, store, outputs)
            yield from _differing(manifest, "artifact store", state.artifact_stores.get(store.name), after)
    for connector in manifest.connectors:
        with suppress(UpstreamError):
            new = _connector(manifest, connector, outputs)
            yield from _differing(manifest, "connector", state.connectors.get(connector.name), new)
    spec = manifest.stack
    stack = StackRecord(manifest.name, spec.artifact_store, spec.orchestrator)
    yield from _differing(manifest, "stack", state.stacks.get(manifest.name), stack)


_Record = ArtifactStoreRecord | ConnectorRecord | StackRecord
_PLACES = frozenset({"name", "path", "resource_id", "deployment"})


def _differing(manifest: Manifest, kind: str, old: _Record | None, new: _Record) -> Iterator[Reregistered]:
    if old is None or old.deployment != manifest.name:
        return
    names = [item.name for item in fields(new) if item.name not in _PLACES]
    # As the state file holds them: there, a tuple is a list.
    before, after = (
        json.loads(json.dumps({name: getattr(record, name) for name in names}, default=dict))
        for record in (old, new)
    )
    if before != after:
        yield Reregistered(kind, new.name, before, after)


@contextmanager
def _told(kind: str, name: str) -> Iterator[None]:
    """A KeyError for an output that is not there, as what it is."""
    try:
        yield
    except (KeyError, TypeError) as error:
        key = error.args[0] if isinstance(error, KeyError) else ""
        raise UpstreamError(
            f"Terraform gave no output {kind}.{name}.{key}".removesuffix("."),
            hint="run the same command again; if it stays so, the modules are not those of this version",
        ) from error


def _output(outputs: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    found = (outputs.get(kind) or {}).get(name)
    return found if isinstance(found, Mapping) else {}


def _path(outputs: Mapping[str, Any], store: ArtifactStore) -> str:
    with _told("artifact_stores", store.name):
        return str(_output(outputs, "artifact_stores", store.name)["path"])


def _store(manifest: Manifest, store: ArtifactStore, outputs: Mapping[str, Any]) -> ArtifactStoreRecord:
    provider = PROVIDERS[manifest.provider]
    path = _path(outputs, store)
    with _told("artifact_stores", store.name):
        config = provider.store_config(manifest, store, _output(outputs, "artifact_stores", store.name))
    return ArtifactStoreRecord(
        name=store.name,
        flavor=provider.flavor,
        path=path,
        config=_said(config),
        connector=store.connector,
    )


def _connector(manifest: Manifest, connector: Connector, outputs: Mapping[str, Any]) -> ConnectorRecord:
    provider = PROVIDERS[manifest.provider]
    served = [store for store in manifest.artifact_stores if store.connector == connector.name]
    with _told("connectors", connector.name):
        config = provider.connector_config(
            manifest, connector, _output(outputs, "connectors", connector.name)
        )
    return ConnectorRecord(
        name=connector.name,
        type=provider.connector_type or "",
        auth_method=provider.runtime_method(connector),
        resource_type=provider.resource_type,
        resource_id=_path(outputs, served[0]) if len(served) == 1 else None,
        config=_said(config),
        authentication_secret=connector.authentication_secret,
    )


def _said(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if value is not None}
