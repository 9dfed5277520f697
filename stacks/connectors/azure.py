"""Service connectors for Azure Blob Storage: short-lived signatures for one container."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from stacks.connectors import azure_sas, azure_sources
from stacks.connectors.azure_account import (
    SCHEME,
    Account,
    checked,
    checked_key,
    checked_sas,
    from_connection_string,
    parse,
)
from stacks.connectors.azure_errors import sdk_installed, translated
from stacks.connectors.base import Access, AuthMethod, Connector, ConnectorType, whole_number
from stacks.connectors.inputs import secret_text, truth
from stacks.connectors.resources import Resource, narrowest
from stacks.credentials import AzureCredentials
from stacks.errors import ConnectorScopeError
from stacks.secrets.base import SecretReader
from stacks.state.records import ConnectorRecord

_PLACE = frozenset({"account_name", "access", "account_url", "region", "resource_group", "subscription_id"})
_LIFE = frozenset({"session_seconds", "expiration_seconds", "expires_skew_tolerance"})
_HIERARCHY = frozenset({"hierarchical_namespace"})
_COMMON = _PLACE | _LIFE | _HIERARCHY

TYPE = ConnectorType(
    name="azure",
    title="Azure Blob Storage",
    resource_types=("blob-container", "azure-generic"),
    schemes=frozenset({SCHEME, "abfs://"}),
    extra="azure",
    auth_methods=(
        AuthMethod(
            "implicit",
            "what the environment has: the AZURE_STORAGE_* variables, else workload identity, managed "
            "identity, az login",
            optional=_COMMON | {"authority_host", "client_id", "identity_only"},
            scoped=True,
        ),
        AuthMethod(
            "service-principal",
            "an application of Entra ID, by its client secret",
            required=frozenset({"tenant_id", "client_id", "client_secret"}),
            optional=_COMMON | {"authority_host", "graph_url"},
            secrets=frozenset({"client_secret"}),
            scoped=True,
        ),
        AuthMethod(
            "access-token",
            "an access token for https://storage.azure.com that somebody else fetched",
            required=frozenset({"token"}),
            optional=_COMMON | {"expires_at"},
            secrets=frozenset({"token"}),
            scoped=True,
        ),
        AuthMethod(
            "account-key",
            "a storage account's key, which signs for one container and is not handed on",
            required=frozenset({"account_name", "account_key"}),
            optional=_COMMON | {"management_url"},
            secrets=frozenset({"account_key"}),
            scoped=True,
        ),
        AuthMethod(
            "connection-string",
            "a storage account's connection string; its key signs for one container and is not handed on",
            required=frozenset({"connection_string"}),
            optional=_COMMON | {"management_url"},
            secrets=frozenset({"connection_string"}),
            scoped=True,
        ),
        AuthMethod(
            "sas-token",
            "a shared access signature that somebody else made, handed on as it is",
            required=frozenset({"sas_token"}),
            optional=_PLACE | {"expires_at", "expires_skew_tolerance"},
            secrets=frozenset({"sas_token"}),
        ),
    ),
)

_KEYED = frozenset({"account-key", "connection-string"})


class AzureConnector(Connector):
    """Grants signatures for a container, by the auth method of its record."""

    TYPE = TYPE

    def __init__(self, record: ConnectorRecord, secrets: SecretReader) -> None:
        super().__init__(record, secrets)
        self._granted = parse(record.resource_id) if record.resource_id else None
        self._hierarchical = truth(
            self._config, "hierarchical_namespace", default=False, connector=record.name
        )
        self._identity_only = truth(self._config, "identity_only", default=False, connector=record.name)
        if self._config.get("account_name"):
            checked(self._config["account_name"], self._config.get("account_url"), record.name)

    @classmethod
    def check_covers(cls, record: ConnectorRecord, resource_id: str) -> None:
        """Raises ConnectorScopeError when the record's own container does not contain ``resource_id``."""
        narrowest(parse(record.resource_id) if record.resource_id else None, parse(resource_id), record.name)

    def store_settings(self) -> dict[str, Any]:
        """The account and its endpoint, for a store that names none itself."""
        _method, config = self._source()
        if not (self._account_name(config) or config.get("connection_string")):
            return {}
        account = self._account()
        own = f"https://{account.name}.blob.core.windows.net"
        return {
            "account_name": account.name,
            **({"account_url": account.url} if account.url != own else {}),
        }

    def credentials_for(
        self, resource_id: str | None = None, access: Access | None = None
    ) -> AzureCredentials:
        """A signature for ``az://container[/prefix]``; without any resource, an identity's own token."""
        place = narrowest(self._granted, parse(resource_id) if resource_id else None, self.record.name)
        if access == "read-write" and self.access == "read-only":
            raise ConnectorScopeError(
                f"service connector {self.record.name!r} grants reading only",
                hint="connect one with read-write access",
            )
        method, config = self._source()
        if method == "sas-token":
            token, ends = checked_sas(config, self.record.name)
            return AzureCredentials(sas_token=token, expires_at=self._expiry(ends))
        if place is None:
            return self._unlimited(method, config)
        return self._signed(method, config, place, access or self.access)

    def verify(self, resource_id: str | None = None) -> list[str]:
        """Lists the resource with the very signature that a store would get."""
        asked = parse(resource_id) if resource_id else self._granted
        if asked is None:
            return self.list_resources()
        credentials = self.credentials_for(resource_id)
        prefix = f"{asked.prefix}/" if asked.prefix else None
        with (
            translated(self.record, f"listing {asked}"),
            azure_sas.service(self._account(), credentials.sas_token) as client,
        ):
            container = client.get_container_client(asked.name)
            for _blob in islice(container.list_blob_names(name_starts_with=prefix, results_per_page=1), 1):
                break  # that it can be listed is all there is to know
        return [str(asked)]

    def list_resources(self) -> list[str]:
        """The connector's own resource, or else every container of its account that it may list."""
        if self._granted is not None:
            return [str(self._granted)]
        method, config = self._source()
        account = self._account()
        credential: Any
        with translated(self.record, f"the containers of {account.name}"):
            if method == "sas-token":
                credential = checked_sas(config, self.record.name)[0]
            elif method in _KEYED:
                credential = self._key(method, config)
            else:
                credential = self._identity(method, config)
            with azure_sas.service(account, credential) as client:
                return sorted(f"{SCHEME}{found.name}" for found in client.list_containers())

    # -- what they are made of

    def _source(self) -> tuple[str, Mapping[str, Any]]:
        """The auth method in force and its fields: those of the environment where that is the method."""
        if self.record.auth_method == "implicit":
            found = None if self._identity_only else azure_sources.from_variables()
            if found is not None:
                return self._opened(found[0], {**self._config, **found[1]})
            return "implicit", self._config
        return self._opened(self.record.auth_method, self._config)

    def _opened(self, method: str, config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """A connection string that holds a SAS is a SAS."""
        if method == "connection-string":
            _account, secret = from_connection_string(config, self.record.name)
            if "account_key" not in secret:
                return "sas-token", {**config, **secret}
        return method, config

    def _account_name(self, config: Mapping[str, Any]) -> str | None:
        name: str | None = config.get("account_name")
        if not name and self.record.auth_method == "implicit":
            return azure_sources.account_variable()
        return name

    def _account(self) -> Account:
        _method, config = self._source()
        if config.get("connection_string"):
            return from_connection_string(config, self.record.name)[0]
        return checked(self._account_name(config), config.get("account_url"), self.record.name)

    def _key(self, method: str, config: Mapping[str, Any]) -> str:
        if method == "connection-string":
            config = from_connection_string(config, self.record.name)[1]
        return checked_key(config, self.record.name)

    def _identity(self, method: str, config: Mapping[str, Any]) -> azure_sources.GivenToken:
        """The identity's token, fetched here: within a request the SDK would try again for a minute."""
        with sdk_installed():
            if method == "access-token":
                token = secret_text(config, "token", self.record.name)
                return azure_sources.GivenToken(token, self._expiry())
            principal = method == "service-principal"
            source = azure_sources.service_principal if principal else azure_sources.environment
            found = source(config, self.record.name).get_token(azure_sources.SCOPE)
            return azure_sources.GivenToken(found.token, datetime.fromtimestamp(found.expires_on, UTC))

    def _unlimited(self, method: str, config: Mapping[str, Any]) -> AzureCredentials:
        if method in _KEYED:
            raise ConnectorScopeError(
                f"service connector {self.record.name!r}: a signature is for one container",
                hint="name it: --resource-id az://container",
            )
        with translated(self.record, "an access token"):
            held = self._identity(method, config)
        # Of a token that was given, the connector itself knows the end, less the tolerance.
        ends = None if method == "access-token" else held.expires_at
        return AzureCredentials(token=held.token, expires_at=self._expiry(ends))

    def _signed(
        self, method: str, config: Mapping[str, Any], place: Resource, access: Access
    ) -> AzureCredentials:
        field = "session_seconds" if "session_seconds" in config else "expiration_seconds"
        seconds = whole_number(config, field, 3600, 300, azure_sas.LONGEST)
        ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        grant = azure_sas.Grant(self._account(), place, access, ends, self._hierarchical)
        with translated(self.record, f"a signature for {place}"):
            if method in _KEYED:
                token = azure_sas.by_key(grant, self._key(method, config))
            else:
                token = azure_sas.by_identity(grant, self._identity(method, config))
        return AzureCredentials(sas_token=token, expires_at=self._expiry(ends))
