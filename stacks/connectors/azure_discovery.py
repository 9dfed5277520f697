"""What the environment has for an Azure connector: an identity, else what its variables hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stacks.connectors.azure_errors import sdk_installed
from stacks.connectors.azure_sources import SCOPE, VARIABLES, account_variable
from stacks.connectors.discovery import Discovery
from stacks.errors import CredentialsMissingError

# Those of azure-identity itself; the AZURE_STORAGE_* ones, which are for storage alone, go before them.
_PRINCIPAL = (
    ("tenant_id", "AZURE_TENANT_ID"),
    ("client_id", "AZURE_CLIENT_ID"),
    ("client_secret", "AZURE_CLIENT_SECRET"),
)
# From what can do least for the shortest time to what can do everything for ever.
_ORDER = ("sas-token", "service-principal", "connection-string", "account-key")
_SAYS: Mapping[str, str] = MappingProxyType(
    {
        "sas-token": "the shared access signature",
        "service-principal": "the service principal",
        "connection-string": "the connection string, which signs for single containers and is not handed on,",
        "account-key": "the account's key, which signs for single containers and is not handed on,",
    }
)


def discover(auth_method: str | None = None) -> Discovery:
    """See stacks.connectors.discovery. An identity stays where it is; nothing else is taken beside it.

    Variables, which the next shell does not have, are taken into the secret store.
    """
    place, taken = _place()
    if auth_method == "access-token":
        raise CredentialsMissingError(
            "an access token is fetched by somebody else: the environment has none",
            hint="az account get-access-token --resource https://storage.azure.com --query accessToken "
            "-o tsv > FILE, then --token=@FILE",
        )
    if auth_method in (None, "implicit") and _has_identity():
        # Without this the connector would go on to prefer the variables, for as long as there are any.
        alone = {"identity_only": True} if _variables() is not None else {}
        source = "the identity that this machine has (workload identity, managed identity or az login)"
        return Discovery("implicit", {**place, **alone}, (f"{source}, which stays where it is", *taken))
    found = _variables(auth_method)
    if found is not None and auth_method != "implicit":
        method, config, names = found
        source = f"{_SAYS[method]} of {', '.join(names)}, into the secret store"
        return Discovery(method, {**place, **config}, (source, *taken))
    if found is not None:
        return Discovery("implicit", place, (f"{', '.join(found[2])}, which stay where they are", *taken))
    raise CredentialsMissingError(
        f"there is nothing in the environment to configure {auth_method or 'the connector'} from",
        hint="run `az login`, or set the variables of one way: " + "; ".join(_wanted(auth_method)),
    )


def _place() -> tuple[dict[str, Any], list[str]]:
    name = account_variable()
    return ({"account_name": name}, [f"the storage account {name}"]) if name else ({}, [])


def _variables(
    auth_method: str | None = None,
) -> tuple[str, dict[str, str], tuple[str, ...]] | None:
    """The auth method, its fields and the names of their variables, for the first that is there in full."""
    for method in _ORDER:
        if auth_method not in (None, "implicit", method):
            continue
        ways = (VARIABLES[method], _PRINCIPAL) if method == "service-principal" else (VARIABLES[method],)
        for way in ways:
            fields = {field: os.environ[name] for field, name in way if os.environ.get(name)}
            if len(fields) == len(way):
                return method, fields, tuple(name for _field, name in way)
    return None


def _wanted(auth_method: str | None) -> list[str]:
    methods = _ORDER if auth_method in (None, "implicit") else (auth_method,)
    return [" and ".join(name for _field, name in VARIABLES[method]) for method in methods]


def _has_identity() -> bool:
    """Whether this machine gets a token for storage without any secret of the environment's variables."""
    with sdk_installed():
        from azure.core.exceptions import AzureError
        from azure.identity import DefaultAzureCredential
    try:
        with DefaultAzureCredential(exclude_environment_credential=True) as identity:
            identity.get_token(SCOPE)
    except (AzureError, ValueError):  # ValueError: AZURE_TOKEN_CREDENTIALS leaves none of them
        return False
    return True
