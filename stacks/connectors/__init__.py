"""Service connectors: short-lived credentials for one resource. SDKs are imported when they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from stacks.connectors import aws, azure, gcp
from stacks.connectors.base import Access, AuthMethod, Connector, ConnectorType
from stacks.errors import ConnectorScopeError, InvalidValueError
from stacks.secrets.base import SecretReader
from stacks.state.records import ConnectorRecord

_CONNECTORS: Mapping[str, type[Connector]] = MappingProxyType(
    {"aws": aws.AwsConnector, "gcp": gcp.GcpConnector, "azure": azure.AzureConnector}
)
_PLACE = ("account_name", "account_url")


def connector_types() -> tuple[ConnectorType, ...]:
    """Every type of connector there is."""
    return tuple(connector.TYPE for connector in _CONNECTORS.values())


def connector_type(name: str) -> ConnectorType:
    """The type of that name; raises InvalidValueError, naming those there are."""
    return _class(name).TYPE


def check_covers(record: ConnectorRecord, flavor_schemes: frozenset[str], resource_id: str) -> None:
    """Raises ConnectorScopeError for a store that the connector could not serve.

    That is one of another cloud, or at a place that is not the connector's; nothing is contacted.
    """
    connector = _class(record.type)
    if not connector.TYPE.schemes & flavor_schemes:
        raise ConnectorScopeError(
            f"service connector {record.name!r} is of type {record.type}, which cannot serve {resource_id}",
            hint=f"it serves paths that begin with {', '.join(sorted(connector.TYPE.schemes))}",
        )
    connector.check_covers(record, resource_id)


def completed(record: ConnectorRecord, store: Mapping[str, Any]) -> ConnectorRecord:
    """``record`` with what a store's own configuration says of their place, wherever it says nothing itself.

    So one connector serves the stores of several storage accounts.
    """
    taken = _class(record.type).TYPE.auth_method(record.auth_method).fields
    missing = {
        name: store[name]
        for name in _PLACE
        if name in taken and store.get(name) and not record.config.get(name)
    }
    return replace(record, config={**record.config, **missing}) if missing else record


def create_connector(record: ConnectorRecord, secrets: SecretReader) -> Connector:
    """The connector that ``record`` describes, with its secrets read; nothing is contacted.

    Raises InvalidValueError for a record that does not hold, SecretError for its secrets.
    """
    return _class(record.type)(record, secrets)


def _class(name: str) -> type[Connector]:
    try:
        return _CONNECTORS[name]
    except KeyError:
        raise InvalidValueError(
            f"there is no type of service connector named {name!r}",
            hint=f"choose one of: {', '.join(_CONNECTORS)}",
        ) from None


__all__ = [
    "Access",
    "AuthMethod",
    "Connector",
    "ConnectorType",
    "check_covers",
    "completed",
    "connector_type",
    "connector_types",
    "create_connector",
]
