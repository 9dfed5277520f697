"""From records to working parts: an artifact store with its configuration, its secrets and its connector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.connectors import Connector, completed, create_connector
from stacks.credentials import Credentials
from stacks.secrets import SecretReader, resolve
from stacks.state import ArtifactStoreRecord, ConnectorRecord, State
from stacks.stores.base import BaseArtifactStore
from stacks.stores.registry import store_class


@dataclass(frozen=True, slots=True)
class ConnectorCredentials:
    """Asks the connector for credentials for one resource, anew at every call.

    It holds records and the way to the secrets, no value of one: it may be pickled, and a rotated key is
    taken up at the next call.
    """

    record: ConnectorRecord
    secrets: SecretReader
    resource_id: str

    def connector(self) -> Connector:
        """The connector, with its secrets read."""
        return create_connector(self.record, self.secrets)

    def __call__(self) -> Credentials:
        """Credentials for the resource, with the connector's own access."""
        return self.connector().credentials_for(self.resource_id)


@dataclass(frozen=True, slots=True)
class SecretCredentials:
    """The credentials that a secret holds, read anew at every call, for the reasons above."""

    flavor: type[BaseArtifactStore]
    secrets: SecretReader
    secret: str

    def __call__(self) -> Credentials:
        """The credentials as the flavor reads them."""
        return self.flavor.credentials_from_secret(self.secrets.get(self.secret))()


def flavor_class(state: State, flavor: str) -> type[BaseArtifactStore]:
    """The class of a flavor, those registered in ``state`` included."""
    return store_class(flavor, {name: record.source for name, record in state.flavors.items()})


def assemble(state: State, record: ArtifactStoreRecord, secrets: SecretReader) -> BaseArtifactStore:
    """The store that ``record`` describes; nothing is contacted before it is used.

    Raises SecretError, StoreConfigError, UnknownComponentError and what the connector's record may raise.
    """
    cls = flavor_class(state, record.flavor)
    config: dict[str, Any] = resolve(dict(record.config), secrets)
    credentials: Callable[[], Credentials] | None = None
    if record.connector is not None:
        connector = completed(state.connector(record.connector), config)
        provider = ConnectorCredentials(connector, secrets, record.path)
        config = _filled(config, provider.connector().store_settings(), cls.CONFIG)
        credentials = provider
    elif record.authentication_secret is not None:
        held = secrets.get(record.authentication_secret)
        config = _filled(config, cls.settings_from_secret(held), cls.CONFIG)
        credentials = SecretCredentials(cls, secrets, record.authentication_secret)
        credentials()  # a secret that is not there, or does not fit, is said now and by its name
    return cls(record.path, name=record.name, credentials=credentials, **config)


def _filled(config: dict[str, Any], settings: Mapping[str, Any], taken: frozenset[str]) -> dict[str, Any]:
    """``config`` with those ``settings`` that the flavor takes, wherever it says nothing itself."""
    filled = dict(config)
    for name, value in settings.items():
        if name in taken:
            own = filled.get(name)
            if isinstance(value, Mapping) and isinstance(own, Mapping):
                filled[name] = {**value, **own}
            elif own is None:
                filled[name] = value
    return filled
