"""Which credentials an Azure store uses, and how they reach the SDK."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

from stacks.credentials import AzureCredentials, CachedCredentials
from stacks.errors import CredentialsMissingError, StoreConfigError

SCOPE = "https://storage.azure.com/.default"
KEYS = (
    "account_name",
    "account_key",
    "sas_token",
    "connection_string",
    "tenant_id",
    "client_id",
    "client_secret",
)
_PRINCIPAL = ("tenant_id", "client_id", "client_secret")


@dataclass(frozen=True, slots=True)
class AzureAccount:
    """Where the account is reached (empty while nobody has named it), and a callable for its credentials."""

    url: str
    provider: Callable[[], AzureCredentials]

    def reached_at(self, store: str | None) -> str:
        """Where the account is reached.

        Raises:
            StoreConfigError: nobody has named one, neither the store nor its secret nor the environment.
        """
        if self.url:
            return self.url
        raise StoreConfigError(
            "the Azure artifact store names no storage account",
            hint="Set account_name, give it a connection_string, or set AZURE_STORAGE_ACCOUNT_NAME.",
            store=store,
        )


def resolve_account(
    config: Mapping[str, Any],
    credentials: Callable[[], AzureCredentials] | None,
    store: str | None,
    environment: Mapping[str, str] = os.environ,
) -> AzureAccount:
    """The account and its credentials: the callable, else what is configured, else ``AZURE_STORAGE_*``.

    Raises:
        StoreConfigError: the settings contradict each other.
    """
    given = {name: str(config[name]) for name in KEYS if config.get(name)}
    if credentials is None and set(given) <= {"account_name"}:
        given = {**_from_environment(environment), **given}
    if "connection_string" in given:
        given = {**_parse(given["connection_string"], store), **given}
    name = given.get("account_name") or environment.get("AZURE_STORAGE_ACCOUNT_NAME")
    url = str(config.get("account_url") or given.get("account_url") or "")
    if not url and name:
        url = f"https://{name}.blob.core.windows.net"
    return AzureAccount(url.rstrip("/"), credentials or _provider(given, store))


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = {
        "connection_string": "AZURE_STORAGE_CONNECTION_STRING",
        "account_name": "AZURE_STORAGE_ACCOUNT_NAME",
        "account_key": "AZURE_STORAGE_ACCOUNT_KEY",
        "sas_token": "AZURE_STORAGE_SAS_TOKEN",
        "tenant_id": "AZURE_STORAGE_TENANT_ID",
        "client_id": "AZURE_STORAGE_CLIENT_ID",
        "client_secret": "AZURE_STORAGE_CLIENT_SECRET",
    }
    return {name: environment[variable] for name, variable in names.items() if environment.get(variable)}


def _parse(text: str, store: str | None) -> dict[str, str]:
    parts = dict(part.split("=", 1) for part in text.strip().split(";") if "=" in part)
    found = {
        "account_name": parts.get("AccountName", ""),
        "account_key": parts.get("AccountKey", ""),
        "sas_token": parts.get("SharedAccessSignature", ""),
        "account_url": parts.get("BlobEndpoint", ""),
    }
    if not found["account_url"] and found["account_name"]:
        protocol = parts.get("DefaultEndpointsProtocol", "https")
        suffix = parts.get("EndpointSuffix", "core.windows.net")
        found["account_url"] = f"{protocol}://{found['account_name']}.blob.{suffix}"
    if not found["account_url"] or not (found["account_key"] or found["sas_token"]):
        raise StoreConfigError(
            "the Azure connection string lacks an account, or a key and a signature",
            hint="Copy it again from the storage account's access keys.",
            store=store,
        )
    return {name: value for name, value in found.items() if value}


def _provider(given: Mapping[str, str], store: str | None) -> Callable[[], AzureCredentials]:
    held: AzureCredentials | None = None
    if given.get("account_key"):
        held = AzureCredentials(account_key=given["account_key"])
    elif given.get("sas_token"):
        held = AzureCredentials(sas_token=given["sas_token"].removeprefix("?"))
    principal = [given.get(name) for name in _PRINCIPAL]
    if held is None and any(principal):
        if not all(principal):
            raise StoreConfigError(f"a service principal needs {', '.join(_PRINCIPAL)}", store=store)
        return lambda: _token("ClientSecretCredential", **{name: given[name] for name in _PRINCIPAL})
    if held is None:
        return lambda: _token("DefaultAzureCredential")
    return lambda: held


def _token(kind: str, **arguments: str) -> AzureCredentials:
    """A token from azure-identity: a service principal's, or whatever the environment has."""
    import azure.identity
    from azure.core.exceptions import ClientAuthenticationError

    try:
        with getattr(azure.identity, kind)(**arguments) as source:
            token = source.get_token(SCOPE)
    except ClientAuthenticationError as error:
        raise CredentialsMissingError(
            f"no Azure credentials: {str(error).partition(chr(10))[0][:200]}",
            hint="Run `az login`, set AZURE_STORAGE_* variables, or give the store a connector or a secret.",
        ) from error
    return AzureCredentials(token=token.token, expires_at=datetime.fromtimestamp(token.expires_on, UTC))


class LiveToken:
    """The SDK's TokenCredential, answered by whoever has the newest."""

    def __init__(self, current: CachedCredentials[AzureCredentials]) -> None:
        self._current = current

    def get_token(self, *_scopes: str, **_: Any) -> Any:
        """The token in force, for any scope: it was issued for storage."""
        return _access_token(self._current())


def adlfs_options(url: str, now: AzureCredentials) -> dict[str, Any]:
    """What adlfs takes for the account at ``url``; an address of its own fits in a connection string only."""
    parts = urlsplit(url)
    name, _, domain = (parts.hostname or "").partition(".")
    if parts.scheme == "https" and not parts.port and not parts.path and domain.startswith("blob."):
        held = {"account_key": now.account_key, "sas_token": now.sas_token}
        options: dict[str, Any] = {key: value for key, value in held.items() if value}
        if now.token:
            options["credential"] = AsyncToken(now)
        if domain != "blob.core.windows.net":
            options["account_host"] = parts.hostname
        return {"account_name": name, **options}
    if now.token:
        return {"account_name": name, "account_host": parts.netloc, "credential": AsyncToken(now)}
    name = parts.path.strip("/") or name
    secret = f"AccountKey={now.account_key}" if now.account_key else f"SharedAccessSignature={now.sas_token}"
    return {"connection_string": f"AccountName={name};{secret};BlobEndpoint={url};"}


@dataclass(frozen=True)
class AsyncToken:
    """The asynchronous TokenCredential that adlfs wants; it holds the token of one moment."""

    held: AzureCredentials

    async def get_token(self, *_scopes: str, **_: Any) -> Any:
        """The token, for any scope: it was issued for storage."""
        return _access_token(self.held)

    async def close(self) -> None:
        """There is nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _access_token(now: AzureCredentials) -> Any:
    from azure.core.credentials import AccessToken

    expires = int(now.expires_at.timestamp()) if now.expires_at else 2**31
    return AccessToken(now.token or "", expires)
