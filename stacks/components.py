"""What is registered, as working stacks, artifact stores and connectors, and the registration itself."""

from __future__ import annotations

from stacks.assembly import assemble
from stacks.connectors import Connector, create_connector
from stacks.errors import UnknownComponentError
from stacks.registration.connectors import ConnectorRegistration
from stacks.registration.secrets import SecretRegistration
from stacks.registration.stacks import StackRegistration
from stacks.registration.stores import StoreRegistration
from stacks.stack import Stack
from stacks.state import ArtifactStoreRecord, State
from stacks.stores.base import BaseArtifactStore


class Components(StoreRegistration, ConnectorRegistration, StackRegistration, SecretRegistration):
    """Everything that one state file knows, read anew at every call.

    The lower half of ``stacks.client.Client``, which adds the history of the stores: what is below artifacts
    and pipelines uses this.
    """

    @property
    def active_stack(self) -> Stack:
        """The active stack; raises UnknownComponentError when none is."""
        return self._stack(self.active_stack_name)

    @property
    def active_stack_name(self) -> str:
        """The name of the active stack; raises UnknownComponentError when none is."""
        state = self.state
        if state.active_stack is None:
            there = ", ".join(sorted(state.stacks)[:20])
            raise UnknownComponentError(
                f"no stack is active in {self.state_file.location}",
                hint=f"choose one of {there}: provision stack set NAME"
                if there
                else "provision one: `provision init`, then `provision apply`; or register one: `provision "
                "artifact-store register NAME -f local` and `provision stack register NAME -a NAME --set`",
                kind="stack",
            )
        return state.active_stack

    def get_stack(self, name: str | None = None) -> Stack:
        """The stack of that name, or the active one; raises UnknownComponentError."""
        return self.active_stack if name is None else self._stack(name)

    def get_artifact_store(self, name: str | None = None) -> BaseArtifactStore:
        """The artifact store of that name, or the active stack's.

        The same object as long as its records stay as they are, so that connections and credentials are
        kept. Raises UnknownComponentError, StoreConfigError, SecretError, InvalidValueError.
        """
        if name is None:
            return self.active_stack.artifact_store
        state = self.state
        return self._store(state, state.artifact_store(name))

    def get_connector(self, name: str) -> Connector:
        """The service connector of that name; raises UnknownComponentError, SecretError."""
        return create_connector(self.state.connector(name), self.secrets)

    def _stack(self, name: str) -> Stack:
        state = self.state
        record = state.stack(name)
        store = self._store(state, state.artifact_store(record.artifact_store))
        return Stack(record.name, store, record.orchestrator)

    def _store(self, state: State, record: ArtifactStoreRecord) -> BaseArtifactStore:
        connector = state.connector(record.connector) if record.connector else None
        made_from = (record, connector, state.flavors.get(record.flavor))
        held = self._stores.get(record.name)
        if held is None or held[0] != made_from:
            # Threads that come here at once each assemble one; all of them work, and one is kept.
            held = (made_from, assemble(state, record, self.secrets))
            self._stores[record.name] = held
        return held[1]
