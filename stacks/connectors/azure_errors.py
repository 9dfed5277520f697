"""What azure-identity and Blob Storage say, as errors of this library, each with the way to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from stacks.errors import (
    ConnectorError,
    ConnectorScopeError,
    CredentialsError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    MissingExtraError,
    StacksError,
)
from stacks.state.records import ConnectorRecord

_PACKAGES: Mapping[str, str] = MappingProxyType(
    {"azure": "azure-storage-blob and azure-identity", "msal": "azure-identity"}
)


@dataclass(frozen=True, slots=True)
class _Meaning:
    error: type[ConnectorError | CredentialsError]
    says: str
    hint: str


_SECRET = _Meaning(
    CredentialsWrongError,
    "Entra ID does not take its client secret",
    "give it the secret's value, not its id: az ad app credential reset --id {client}, then provision "
    "service-connector update {name} --client_secret=@FILE",
)
_OVER = _Meaning(
    CredentialsExpiredError,
    "its client secret has expired",
    "make a new one: az ad app credential reset --id {client}, then provision service-connector update "
    "{name} --client_secret=@FILE",
)
_APPLICATION = _Meaning(
    CredentialsWrongError,
    "the tenant has no such application",
    "check client_id and tenant_id: az ad sp show --id {client}",
)
_TENANT = _Meaning(
    CredentialsWrongError, "there is no such tenant", "check tenant_id: az account show --query tenantId"
)
_ROLE = _Meaning(
    ConnectorError,
    "its identity lacks a role",
    'az role assignment create --assignee {client} --role "Storage Blob Delegator" --scope ACCOUNT-ID, and '
    '--role "Storage Blob Data Contributor" --scope CONTAINER-ID; roles take some minutes',
)
_KEY = _Meaning(
    CredentialsWrongError,
    "the storage account does not take its signature",
    "check account_name and the key or SAS (az storage account keys list --account-name NAME), and that "
    "this machine's clock is right",
)
_TOKEN = _Meaning(
    CredentialsExpiredError,
    "the storage account does not take its token",
    "it is over, or for another audience: az account get-access-token --resource https://storage.azure.com, "
    "then provision service-connector update {name} --token=@FILE",
)
_NO_KEYS = _Meaning(
    ConnectorError,
    "the storage account takes no signatures of its key",
    "use the auth method service-principal or implicit",
)
_FIREWALL = _Meaning(
    ConnectorError,
    "the storage account does not let it in",
    "the account's firewall may not know this network: az storage account network-rule list",
)
_CONTAINER = _Meaning(
    ConnectorScopeError,
    "there is no such container",
    "create it, or give the connector the right resource id: az storage container list --account-name NAME",
)
_ACCOUNT = _Meaning(
    ConnectorError, "the storage account is disabled or not there", "az storage account list --query [].name"
)

_CODES: Mapping[str, _Meaning] = MappingProxyType(
    {
        "AADSTS7000215": _SECRET,
        "AADSTS7000218": _SECRET,
        "AADSTS7000222": _OVER,
        "AADSTS700016": _APPLICATION,
        "AADSTS90002": _TENANT,
        "AADSTS900023": _TENANT,
        "AuthorizationPermissionMismatch": _ROLE,
        "AuthorizationResourceTypeMismatch": _ROLE,
        "AuthorizationServiceMismatch": _ROLE,
        "AuthorizationFailure": _FIREWALL,
        "AuthenticationFailed": _KEY,
        "InvalidAuthenticationInfo": _TOKEN,
        "NoAuthenticationInformation": _KEY,
        "KeyBasedAuthenticationNotPermitted": _NO_KEYS,
        "ContainerNotFound": _CONTAINER,
        "ContainerBeingDeleted": _CONTAINER,
        "AccountIsDisabled": _ACCOUNT,
        "ResourceNotFound": _ACCOUNT,
    }
)
_ENTRA = re.compile(r"AADSTS\d+")
_BY_TOKEN = frozenset({"access-token", "service-principal"})


@contextmanager
def sdk_installed() -> Iterator[None]:
    """Says which extra brings the SDK when the block cannot import it."""
    try:
        yield
    except ModuleNotFoundError as error:
        top = (error.name or "").split(".")[0]
        if top not in _PACKAGES:
            raise
        raise MissingExtraError(
            f"service connectors for Azure need {_PACKAGES[top]}, which is not installed",
            hint="pip install 'stack-provisioner[azure]'",
            extra="azure",
        ) from error


@contextmanager
def translated(record: ConnectorRecord, what: str) -> Iterator[None]:
    """Says what Azure's SDK raises within, about ``what``, as errors of this library.

    No SDK error goes along as a cause: its text may hold a URL, and a URL the signature.
    """
    with sdk_installed():
        from azure.core import exceptions
        from azure.identity import CredentialUnavailableError
    try:
        yield
    except CredentialUnavailableError:
        raise _no_identity(record) from None
    except exceptions.HttpResponseError as error:
        # What the whole chain of identities comes to has no answer of a service.
        chain = isinstance(error, exceptions.ClientAuthenticationError) and error.response is None
        if chain and record.auth_method == "implicit" and not _ENTRA.search(str(error.message)):
            raise _no_identity(record) from None
        raise _from_answer(error, record, what) from None
    except (exceptions.ServiceRequestError, exceptions.ServiceResponseError) as error:
        raise ConnectorError(
            f"service connector {record.name!r} does not reach {what} ({type(error).__name__})",
            hint="check account_name, account_url, authority_host and the network",
        ) from None
    except exceptions.AzureError as error:
        raise ConnectorError(
            f"service connector {record.name!r}: {what} failed ({type(error).__name__})",
            hint="try again; if it stays so, check the connector's fields",
        ) from None


def _no_identity(record: ConnectorRecord) -> CredentialsMissingError:
    return CredentialsMissingError(
        f"service connector {record.name!r} uses the environment's identity at Microsoft; there is none",
        hint="run az login, set the AZURE_STORAGE_* variables, or use another auth method",
    )


def _from_answer(error: Any, record: ConnectorRecord, what: str) -> StacksError:
    said = str(error.message or "")
    entra = _ENTRA.search(said)
    told = getattr(error, "error_code", None)
    code = entra[0] if entra else str(getattr(told, "value", told) or "")
    meaning = _CODES.get(code)
    if meaning is _FIREWALL and "signature" in said.lower():
        meaning = _KEY  # as Azurite has it
    if meaning is _KEY and record.auth_method in _BY_TOKEN and error.status_code == 401:
        meaning = _TOKEN
    if meaning is None and entra is None and error.status_code == 403:
        meaning = _ROLE
    client = record.config.get("client_id") or "WHO-ASKS"
    if meaning is None:
        short = code or f"status {error.status_code}"
        return (CredentialsWrongError if entra else ConnectorError)(
            f"service connector {record.name!r}: {what} is refused ({short})",
            hint="look the code up in Microsoft's documentation"
            if code
            else "try again; if it stays so, look at the service's status",
        )
    return meaning.error(
        f"service connector {record.name!r}: {meaning.says}: {what} ({code or error.status_code})",
        hint=meaning.hint.format(name=record.name, client=client),
    )
