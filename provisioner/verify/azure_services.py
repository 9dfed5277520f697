"""Who we are at Microsoft, and its services; and Azure's errors as ours.

Other clouds of Microsoft, and emulators, are found by variables of the environment, never by the manifest:
AZURE_AUTHORITY_HOST for Entra ID, PROVISION_AZURE_MANAGEMENT_URL and PROVISION_AZURE_GRAPH_URL for the rest.
"""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
from azure.core.rest import HttpRequest
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    WorkloadIdentityCredential,
)

from provisioner.errors import CredentialsError, UpstreamError

# It warns of each source of credentials that has none; what it has tried is in the error that we tell.
logging.getLogger("azure.identity").setLevel(logging.ERROR)

MANAGEMENT = "https://management.azure.com"
GRAPH = "https://graph.microsoft.com"

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _REFUSED = 401, 403, 404, 400
_PUBLIC_AUTHORITIES = ("login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn")
_LOG_IN = (
    "run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or the ARM_* variables "
    "of the Terraform provider)"
)
_MISSING = "the role that it needs is named in the README of the module; a new one takes some minutes to work"


class ForbiddenError(UpstreamError):
    """Something that is there, or may be, and that the identity in use may not look at or change."""


def management_url() -> str:
    """Where resources are managed."""
    return (os.environ.get("PROVISION_AZURE_MANAGEMENT_URL") or MANAGEMENT).rstrip("/")


def graph_url() -> str:
    """Where applications are."""
    return (os.environ.get("PROVISION_AZURE_GRAPH_URL") or GRAPH).rstrip("/")


def credential() -> Any:
    """An identity as the Terraform provider finds it: ``ARM_*`` first, else azure-identity's own order.

    A secret, a federated token or its file; workload identity, managed identity, ``az login`` and their like.
    """
    given = os.environ.get
    options = _authority()
    tenant, client = given("ARM_TENANT_ID") or "", given("ARM_CLIENT_ID") or ""
    secret, token = given("ARM_CLIENT_SECRET"), given("ARM_OIDC_TOKEN")
    file = given("ARM_OIDC_TOKEN_FILE_PATH")
    if tenant and client and secret:
        return ClientSecretCredential(tenant, client, secret, **options)
    if tenant and client and token:
        return ClientAssertionCredential(tenant, client, lambda: token, **options)
    if tenant and client and file:
        return WorkloadIdentityCredential(tenant_id=tenant, client_id=client, token_file_path=file, **options)
    return DefaultAzureCredential(**options)


def own_object_id(identity: Any) -> str:
    """The id in Entra ID of who the credentials are, as its tokens say it.

    Raises :class:`CredentialsError` for those that do not.
    """
    with translated("asking who we are"):
        token = identity.get_token(f"{management_url()}/.default").token
    try:
        # Only its reader may judge the signature; it has just come from who signs.
        claims = token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["oid"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise CredentialsError(
            "the credentials in use do not say whose they are, so nobody could be trusted by default",
            hint="name trusted_principals in the manifest's connectors: az ad signed-in-user show --query id",
        ) from error


def _authority() -> dict[str, Any]:
    given = os.environ.get("AZURE_AUTHORITY_HOST")
    if not given:
        return {}
    url = given if "://" in given else f"https://{given}"
    # Others than Microsoft's own do not know each other; asking Microsoft about them would fail.
    return {"authority": url, "disable_instance_discovery": urlsplit(url).hostname not in _PUBLIC_AUTHORITIES}


class Rest:
    """JSON requests to one service of Microsoft's."""

    def __init__(self, url: str, identity: Any, scope: str) -> None:
        policies = [RetryPolicy(retry_total=3), BearerTokenCredentialPolicy(identity, scope)]
        self._client: Any = PipelineClient(url, policies=policies)
        self._url = url

    def ask(
        self, method: str, path: str, version: str | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The answer, or None where there is no such thing.

        Raises :class:`CredentialsError` and :class:`UpstreamError`.
        """
        url = path if path.startswith(f"{self._url}/") else f"{self._url}{path}"
        request = HttpRequest(method, url, params={"api-version": version} if version else None, json=body)
        answer = self._client.send_request(request)
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code >= _REFUSED:
            raise _refused(f"{method} {path}", answer.status_code, answer.text())
        found: dict[str, Any] = answer.json() if answer.text() else {}
        return found

    def listed(self, path: str, version: str | None = None) -> Iterator[dict[str, Any]]:
        """All items of a list, page after page, as the management or as Microsoft Graph tells of the next."""
        answer = self.ask("GET", path, version)
        while answer is not None:
            yield from answer.get("value", ())
            following = str(answer.get("nextLink") or answer.get("@odata.nextLink") or "")
            if not following.startswith(f"{self._url}/"):  # a token goes to one place only
                return
            answer = self.ask("GET", following)


def _refused(doing: str, status: int, said: str) -> CredentialsError | UpstreamError:
    text = f"{doing}: Azure answered {status} {said[:500]}"
    if status == _UNAUTHORIZED:
        return CredentialsError(text, hint=_LOG_IN)
    return (ForbiddenError if status == _FORBIDDEN else UpstreamError)(text, hint=_MISSING)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """The SDK's errors as ours: the reason, and what to do about it."""
    try:
        yield
    except CredentialUnavailableError as error:
        raise CredentialsError(
            f"no credentials for Azure were found: {_line(error)}", hint=_LOG_IN
        ) from error
    except ClientAuthenticationError as error:
        raise CredentialsError(f"{doing}: {_line(error)}", hint=_LOG_IN) from error
    except HttpResponseError as error:
        raise _refused(doing, error.status_code or 0, _line(error)) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise UpstreamError(f"{doing}: {_line(error)}", hint="check the network and the proxy") from error
    except AzureError as error:
        raise UpstreamError(
            f"{doing}: {_line(error)}", hint="look the message up in Azure's documentation"
        ) from error


def moment(text: object) -> datetime | None:
    """When something was, as one of the services says it; None where it does not."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _line(error: BaseException) -> str:
    """In one line, and no longer than one reads: azure-identity lists everything that it has tried."""
    return " ".join(str(getattr(error, "message", "") or error).split())[:500]
