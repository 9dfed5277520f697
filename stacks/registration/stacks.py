"""The verbs of stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stacks.errors import ComponentInUseError, UnknownComponentError
from stacks.registration.base import RegistrationBase, refuse_managed
from stacks.state import StackRecord, State
from stacks.state.exchange import export_stack, import_stack

CURRENT = "current"
"""In the place of a stack's name: the active one, unless a stack is really called so."""


class StackRegistration(RegistrationBase):
    """Registering, choosing and changing stacks; each raises UnknownComponentError for an unknown name."""

    def register_stack(
        self, name: str, artifact_store: str, orchestrator: str = "default", *, activate: bool = False
    ) -> StackRecord:
        """Raises ComponentExistsError, InvalidNameError, UnknownComponentError for its store."""
        record = StackRecord(name, artifact_store, orchestrator)
        self._update(lambda state: state.with_stack(record, activate=activate))
        return record

    def set_active_stack(self, name: str) -> None:
        """Makes the stack the active one."""
        self._update(lambda state: state.with_active_stack(name))

    def list_stacks(self) -> list[StackRecord]:
        """All stacks, by name."""
        stacks = self.state.stacks
        return [stacks[name] for name in sorted(stacks)]

    def describe_stack(self, name: str = CURRENT) -> StackRecord:
        """The record of a stack."""
        return _named(self.state, name)

    def update_stack(
        self, name: str, *, artifact_store: str | None = None, orchestrator: str | None = None
    ) -> StackRecord:
        """Changes what is given; raises ComponentError for a stack that a manifest manages."""

        def change(state: State) -> State:
            record = _named(state, name)
            refuse_managed(record, "stack")
            changed = replace(
                record,
                artifact_store=artifact_store or record.artifact_store,
                orchestrator=orchestrator or record.orchestrator,
            )
            return state.with_stack(changed, replacing=True)

        state = self._update(change)
        return _named(state, name)

    def copy_stack(self, source: str, target: str) -> StackRecord:
        """A second stack of the same components, which no manifest manages."""

        def change(state: State) -> State:
            return state.with_stack(replace(_named(state, source), name=target, deployment=None))

        return self._update(change).stack(target)

    def rename_stack(self, old: str, new: str) -> None:
        """Raises ComponentError for a stack that a manifest manages, ComponentExistsError."""

        def change(state: State) -> State:
            refuse_managed(state.stack(old), "stack")
            return state.with_stack_renamed(old, new)

        self._update(change)

    def delete_stack(self, name: str) -> None:
        """Raises ComponentError for a managed stack, ComponentInUseError for the active one."""

        def change(state: State) -> State:
            refuse_managed(state.stack(name), "stack")
            if state.active_stack == name:
                raise ComponentInUseError(
                    f"stack {name!r} is the active one",
                    hint="make another one active first: provision stack set NAME",
                    kind="stack",
                    name=name,
                )
            return state.without_stack(name)

        self._update(change)

    def export_stack(self, name: str = CURRENT) -> dict[str, Any]:
        """The stack and its components as a document that JSON can hold; secrets stay references."""
        state = self.state
        return export_stack(state, _named(state, name))

    def import_stack(self, document: Mapping[str, Any], name: str | None = None) -> StackRecord:
        """Registers what ``export_stack`` gave, as ``name`` or as it was called, in one write.

        A component that is registered already exactly as the document has it is used; raises
        ComponentExistsError for one that differs, InvalidValueError for a document that does not hold.
        """
        imported: list[StackRecord] = []

        def change(state: State) -> State:
            after, record = import_stack(state, document, name)
            imported[:] = [record]
            return after

        self._update(change)
        return imported[0]


def _named(state: State, name: str) -> StackRecord:
    if name != CURRENT or name in state.stacks:
        return state.stack(name)
    if state.active_stack is None:
        raise UnknownComponentError(
            "no stack is active", hint="choose one: provision stack set NAME", kind="stack", name=name
        )
    return state.stack(state.active_stack)
