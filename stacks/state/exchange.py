"""Stacks as documents: from one state file into another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from stacks.errors import ComponentExistsError, DamagedStateError, InvalidValueError
from stacks.state.records import ArtifactStoreRecord, ConnectorRecord, FlavorRecord, StackRecord, State
from stacks.state.schema import decode, encode

_R = TypeVar("_R", ArtifactStoreRecord, ConnectorRecord, FlavorRecord)


def export_stack(state: State, stack: StackRecord) -> dict[str, Any]:
    """A state document of its own that holds ``stack``, its components, and nothing of a deployment."""
    store = state.artifact_store(stack.artifact_store)
    small = State(lineage="export", serial=1)
    if store.flavor in state.flavors:
        small = small.with_flavor(state.flavor(store.flavor))
    if store.connector is not None:
        small = small.with_connector(replace(state.connector(store.connector), deployment=None))
    small = small.with_artifact_store(replace(store, deployment=None))
    small = small.with_stack(replace(stack, deployment=None), activate=True)
    document: dict[str, Any] = json.loads(encode(small))
    return document


def import_stack(
    state: State, document: Mapping[str, Any], name: str | None = None
) -> tuple[State, StackRecord]:
    """``state`` with the stack of ``document``, and its record.

    Raises InvalidValueError, and ComponentExistsError for a component that is there and differs.
    """
    try:
        given = decode(json.dumps(document).encode(), "the exported stack")
        record = given.stack(given.active_stack or "")
    except (DamagedStateError, LookupError, TypeError, ValueError) as error:
        raise InvalidValueError(
            f"this is no exported stack: {error}", hint="make one with: provision stack export NAME"
        ) from error
    for flavor in _new(given.flavors, state.flavors, "custom flavor"):
        state = state.with_flavor(flavor)
    for connector in _new(given.connectors, state.connectors, "service connector"):
        state = state.with_connector(connector)
    for store in _new(given.artifact_stores, state.artifact_stores, "artifact store"):
        state = state.with_artifact_store(store)
    record = replace(record, name=name or record.name)
    return state.with_stack(record), record


def _new(given: Mapping[str, _R], there: Mapping[str, _R], kind: str) -> list[_R]:
    """Those of ``given`` that are not there yet."""
    for name, record in given.items():
        if name in there and _bare(there[name]) != _bare(record):
            raise ComponentExistsError(
                f"a {kind} named {name!r} is registered, and is not the one of the exported stack",
                hint=f"rename or delete the {kind} that is there",
                kind=kind,
                name=name,
            )
    return [record for name, record in given.items() if name not in there]


def _bare(record: _R) -> _R:
    return record if isinstance(record, FlavorRecord) else replace(record, deployment=None)
