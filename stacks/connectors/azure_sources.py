"""Who a connector is to Microsoft: identities of azure-identity, made from its fields or its environment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stacks.connectors.inputs import secret_text, trusted_url

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

SCOPE = "https://storage.azure.com/.default"

VARIABLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "connection-string": (("connection_string", "AZURE_STORAGE_CONNECTION_STRING"),),
    "account-key": (
        ("account_name", "AZURE_STORAGE_ACCOUNT_NAME"),
        ("account_key", "AZURE_STORAGE_ACCOUNT_KEY"),
    ),
    "sas-token": (("account_name", "AZURE_STORAGE_ACCOUNT_NAME"), ("sas_token", "AZURE_STORAGE_SAS_TOKEN")),
    "service-principal": (
        ("account_name", "AZURE_STORAGE_ACCOUNT_NAME"),
        ("tenant_id", "AZURE_STORAGE_TENANT_ID"),
        ("client_id", "AZURE_STORAGE_CLIENT_ID"),
        ("client_secret", "AZURE_STORAGE_CLIENT_SECRET"),
    ),
}
"""The variables that make each auth method, in the order in which they are looked for."""

# Others than Microsoft's own do not know each other; asking Microsoft about them would fail.
_KNOWN = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
    }
)


def from_variables(environ: Mapping[str, str] | None = None) -> tuple[str, dict[str, str]] | None:
    """The auth method and the fields that ``AZURE_STORAGE_*`` give, if all of those of one method are set."""
    given = os.environ if environ is None else environ
    for method, names in VARIABLES.items():
        fields = {field: given[name] for field, name in names if given.get(name)}
        if len(fields) == len(names):
            return method, fields
    return None


def account_variable(environ: Mapping[str, str] | None = None) -> str | None:
    """The storage account that the environment names: as the documents have it, or as Azure's own CLI."""
    given = os.environ if environ is None else environ
    return given.get("AZURE_STORAGE_ACCOUNT_NAME") or given.get("AZURE_STORAGE_ACCOUNT") or None


def service_principal(config: Mapping[str, Any], connector: str) -> TokenCredential:
    """An application of Entra ID, by its secret."""
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(
        str(config.get("tenant_id")),
        str(config.get("client_id")),
        secret_text(config, "client_secret", connector),
        **authority(config, connector),
    )


def environment(config: Mapping[str, Any], connector: str) -> TokenCredential:
    """Workload identity, managed identity, az login and their like, in azure-identity's own order."""
    from azure.identity import DefaultAzureCredential

    given = authority(config, connector)
    if config.get("client_id"):
        given["managed_identity_client_id"] = str(config["client_id"])
    return DefaultAzureCredential(**given)


def authority(config: Mapping[str, Any], connector: str) -> dict[str, Any]:
    """Whom identities are asked of: ``authority_host``, else AZURE_AUTHORITY_HOST, else the public cloud."""
    given = config.get("authority_host") or os.environ.get("AZURE_AUTHORITY_HOST")
    if not given:
        return {}
    url = trusted_url(given if "://" in str(given) else f"https://{given}", "authority_host", connector)
    host = urlsplit(url).hostname
    return {"authority": url, "disable_instance_discovery": host not in _KNOWN}


class GivenToken:
    """An access token that is there already, as the SDK takes credentials."""

    def __init__(self, token: str, expires_at: datetime | None) -> None:
        self.token = token
        self.expires_at = expires_at

    def __repr__(self) -> str:
        return "GivenToken()"

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """The token; for whatever it is asked for."""
        from azure.core.credentials import AccessToken

        # Without a time of its own it is taken as good for now: the service says otherwise.
        ends = self.expires_at.timestamp() if self.expires_at else time.time() + 3600
        return AccessToken(self.token, int(ends))
