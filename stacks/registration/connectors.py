"""The verbs of service connectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from stacks.connectors import Access, create_connector
from stacks.credentials import Credentials
from stacks.registration.base import (
    CONNECTOR,
    KEPT,
    Kept,
    RegistrationBase,
    merged,
    refuse_managed,
    refuse_taken,
)
from stacks.state import ConnectorRecord, State

KIND = CONNECTOR


class ConnectorRegistration(RegistrationBase):
    """Registering and changing connectors; each raises UnknownComponentError for an unknown name."""

    def register_connector(
        self,
        name: str,
        type: str,  # noqa: A002 - the word of the command line and of the record
        auth_method: str,
        *,
        resource_type: str | None = None,
        resource_id: str | None = None,
        config: Mapping[str, Any] | None = None,
        authentication_secret: str | None = None,
        verify: bool = False,
    ) -> ConnectorRecord:
        """Registers a connector; plain secrets in ``config`` go into the secret ``<name>.service-connector``.

        With ``verify`` it proves first that it works, and is not registered when it does not. Raises
        ComponentExistsError, InvalidValueError, SecretNotFoundError, and what verifying raises.
        """
        refuse_taken(self.state.connectors, name, KIND)
        with self._stowed(name, KIND, config or {}) as stowed:
            record = ConnectorRecord(
                name, type, auth_method, resource_type, resource_id, stowed, authentication_secret
            )
            self._prove(record, verify=verify)
            self._update(lambda state: state.with_connector(record))
            return record

    def list_connectors(self) -> list[ConnectorRecord]:
        """All connectors, by name."""
        connectors = self.state.connectors
        return [connectors[name] for name in sorted(connectors)]

    def describe_connector(self, name: str) -> ConnectorRecord:
        """The record of a connector; what is secret in it is a reference."""
        return self.state.connector(name)

    def update_connector(
        self,
        name: str,
        *,
        auth_method: str | None = None,
        resource_type: str | Kept | None = KEPT,
        resource_id: str | Kept | None = KEPT,
        config: Mapping[str, Any] | None = None,
        authentication_secret: str | Kept | None = KEPT,
        remove: Iterable[str] = (),
        verify: bool = False,
    ) -> ConnectorRecord:
        """Changes what is given and removes the fields ``remove``; raises as registering does."""
        gone = set(remove)
        refuse_managed(self.state.connector(name), KIND)
        with self._stowed(name, KIND, config or {}) as stowed:

            def changed(state: State) -> ConnectorRecord:
                old = state.connector(name)
                refuse_managed(old, KIND)
                kept = {key: value for key, value in old.config.items() if key not in gone}
                return replace(
                    old,
                    auth_method=auth_method or old.auth_method,
                    resource_type=old.resource_type if isinstance(resource_type, Kept) else resource_type,
                    resource_id=old.resource_id if isinstance(resource_id, Kept) else resource_id,
                    config=merged(kept, stowed),
                    authentication_secret=old.authentication_secret
                    if isinstance(authentication_secret, Kept)
                    else authentication_secret,
                )

            self._prove(changed(self.state), verify=verify)
            state = self._update(lambda state: state.with_connector(changed(state), replacing=True))
            return state.connector(name)

    def rename_connector(self, old: str, new: str) -> None:
        """Raises ComponentError for a connector that a manifest manages, ComponentExistsError."""

        def change(state: State) -> State:
            refuse_managed(state.connector(old), KIND)
            return state.with_connector_renamed(old, new)

        self._update(change)

    def delete_connector(self, name: str) -> None:
        """Raises ComponentInUseError while an artifact store uses it."""

        gone = self.state.connector(name)

        def change(state: State) -> State:
            refuse_managed(state.connector(name), KIND)
            return state.without_connector(name)

        self._update(change)
        self._drop_own_secrets(gone, KIND)

    def verify_connector(self, name: str, resource_id: str | None = None) -> list[str]:
        """Proves that the connector reaches the resource; returns the resources proved."""
        return create_connector(self.state.connector(name), self.secrets).verify(resource_id)

    def list_connector_resources(self, name: str) -> list[str]:
        """The ids of the resources that the connector reaches."""
        return create_connector(self.state.connector(name), self.secrets).list_resources()

    def connector_credentials(
        self, name: str, resource_id: str | None = None, access: Access | None = None
    ) -> Credentials:
        """Short-lived credentials for another program; see Connector.credentials_for."""
        connector = create_connector(self.state.connector(name), self.secrets)
        return connector.credentials_for(resource_id, access)

    def _prove(self, record: ConnectorRecord, *, verify: bool) -> None:
        connector = create_connector(record, self.secrets)
        if verify:
            connector.verify()
