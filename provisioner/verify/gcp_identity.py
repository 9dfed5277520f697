"""Who we are at Google, and the service accounts of a project; and Google's errors as ours."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import google.auth
from google.api_core.exceptions import Forbidden, GoogleAPICallError, Unauthorized
from google.auth import identity_pool, impersonated_credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account
from requests import RequestException

from provisioner.errors import CredentialsError, UpstreamError

_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
_IAM = "https://iam.googleapis.com/v1/"
_TOKEN_INFO = "https://oauth2.googleapis.com/tokeninfo"  # noqa: S105  # an address
_CREDENTIALS = ("GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON")
_TIMEOUT = 30  # seconds for one answer
_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404
_SETTLE_SECONDS = 60.0  # a new service account is known everywhere after some seconds
_PAUSE_SECONDS = 2.0
_LOG_IN = "run `gcloud auth application-default login`, or name a key or federation file in "
_LOG_IN += "GOOGLE_APPLICATION_CREDENTIALS"


def credentials() -> Any:
    """The credentials that the Terraform provider takes from this environment: both are one identity.

    https://registry.terraform.io/providers/hashicorp/google/latest/docs/guides/provider_reference
    """
    with translated("looking for credentials"):
        token = os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN")
        written = next((os.environ[name] for name in _CREDENTIALS if os.environ.get(name)), None)
        if token:
            found: Any = oauth2.Credentials(token)
        elif written:
            found = _from_text(written)
        else:
            found, _project = google.auth.default(scopes=[_PLATFORM])
        target = os.environ.get("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT")
        if not target:
            return found
        override = os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", "").rstrip("/")
        path = f"/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
        return impersonated_credentials.Credentials(
            found, target, [_PLATFORM], iam_endpoint_override=f"{override}{path}" if override else None
        )


def _from_text(written: str) -> Any:
    """A document of credentials, or the path of one."""
    document = _key(written)
    if not document:
        document = _key(_content(written))
    kind = document.get("type")
    if kind == "service_account":
        return service_account.Credentials.from_service_account_info(document, scopes=[_PLATFORM])
    if kind == "authorized_user":
        return oauth2.Credentials.from_authorized_user_info(document, scopes=[_PLATFORM])
    if kind == "external_account" and "environment_id" not in document.get("credential_source", {}):
        return identity_pool.Credentials.from_info(document, scopes=[_PLATFORM])
    raise CredentialsError(
        f"{_CREDENTIALS[0]} holds credentials of type {kind!r}, which can be used by Terraform alone",
        hint="give the file as GOOGLE_APPLICATION_CREDENTIALS instead",
    )


def _content(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(
            f"{_CREDENTIALS[0]} is neither a document of credentials nor the path of one", hint=_LOG_IN
        ) from error


def own_principal(held: Any, *, needed: bool = True) -> str | None:
    """Who the credentials are, as IAM names principals.

    Raises :class:`CredentialsError` when they no longer work or, where it is ``needed``, do not say.
    """
    if not held.valid:
        held.refresh(Request())
    email = getattr(held, "service_account_email", None)
    if email and "@" in email:
        return f"serviceAccount:{email}"
    if not needed:
        return None
    session = AuthorizedSession(held)
    answer = session.post(_TOKEN_INFO, data={"access_token": held.token}, timeout=_TIMEOUT)
    email = answer.json().get("email") if answer.status_code == _OK else None
    if not email:
        raise CredentialsError(
            "the credentials in use do not say whose they are, so nobody could be trusted by default",
            hint="name trusted_principals in the manifest's connectors, such as user:you@example.com or "
            "principalSet://iam.googleapis.com/…",
        )
    service = str(email).endswith(".gserviceaccount.com")
    return f"{'serviceAccount' if service else 'user'}:{email}"


def account_id(stack: str, connector: str) -> str:
    """The name of a connector's service account; the twin of the rule in modules/gcp/service-connector."""
    digest = hashlib.sha256(f"{stack}/{connector}".encode()).hexdigest()
    return f"{f'{stack}-{connector}'.replace('_', '-')[:19]}-{digest[:10]}"


class Identities:
    """The service accounts of one project."""

    def __init__(self, project: str, held: Any) -> None:
        self._project = project
        self._session = AuthorizedSession(held)
        self._url = os.environ.get("GOOGLE_IAM_CUSTOM_ENDPOINT") or _IAM

    def resource_name(self, name: str) -> str:
        """The full name of a service account, as Terraform imports it."""
        email = f"{name}@{self._project}.iam.gserviceaccount.com"
        return f"projects/{self._project}/serviceAccounts/{email}"

    def is_ours(self, resource: str, stack: str) -> bool:
        """Whether a service account is there and its title says that this stack made it."""
        found = self._ask("GET", quote(resource, safe="/@"))
        return found is not None and str(found.get("displayName", "")).startswith(
            f"stack-provisioner: {stack}/"
        )

    def new_key(self, email: str) -> str:
        """A new key, as the document that Google's libraries take; earlier ones are deleted."""
        keys = f"projects/-/serviceAccounts/{quote(email, safe='@')}/keys"
        earlier = self._until_known(f"{keys}?keyTypes=USER_MANAGED", "GET", None).get("keys", ())
        body = {"privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE"}
        made = self._until_known(keys, "POST", body)
        for key in earlier:
            self._ask("DELETE", quote(key["name"], safe="/@"))
        return base64.b64decode(made["privateKeyData"]).decode()

    def is_key_of(self, email: str, document: str) -> bool:
        """Whether a key's document is of this service account, and the key is still there."""
        key = _key(document)
        if key.get("client_email") != email:
            return False
        return self._ask("GET", self._path(key)) is not None

    def delete_key(self, document: str) -> None:
        """Delete the key; one that is gone, with its service account perhaps, is no error."""
        key = _key(document)
        if key.get("client_email") and key.get("private_key_id"):
            self._ask("DELETE", self._path(key))

    def _path(self, key: dict[str, Any]) -> str:
        email, name = quote(key["client_email"], safe="@"), quote(str(key.get("private_key_id")), safe="")
        return f"projects/-/serviceAccounts/{email}/keys/{name}"

    def _until_known(self, path: str, method: str, body: Any) -> dict[str, Any]:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (found := self._ask(method, path, body)) is None:
            if time.monotonic() > deadline:
                raise UpstreamError(f"IAM does not know {path}", hint="run the same command again")
            time.sleep(_PAUSE_SECONDS)
        return found

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        """The answer, or None where there is no such thing."""
        answer = self._session.request(method, f"{self._url}{path}", json=body, timeout=_TIMEOUT)
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code == _UNAUTHORIZED:
            raise CredentialsError("Google's IAM does not take the credentials in use", hint=_LOG_IN)
        if answer.status_code != _OK:
            try:
                said = answer.json()["error"]["message"]
            except (ValueError, KeyError, TypeError):
                said = f"status {answer.status_code}"
            raise UpstreamError(
                f"Google's IAM: {said}", hint="check the permissions of the credentials in use"
            )
        found: dict[str, Any] = answer.json()
        return found


def _key(document: str) -> dict[str, Any]:
    try:
        found = json.loads(document)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Google's errors as ours: the reason, and what to do about it."""
    try:
        yield
    except DefaultCredentialsError as error:
        raise CredentialsError(
            f"no credentials of Google Cloud were found: {_line(error)}", hint=_LOG_IN
        ) from error
    except TransportError as error:
        raise UpstreamError(f"{doing}: {_line(error)}", hint="check the network and the proxy") from error
    except RefreshError as error:
        raise CredentialsError(
            f"{doing}: the credentials are refused: {_line(error)}", hint=_LOG_IN
        ) from error
    except GoogleAuthError as error:
        raise CredentialsError(f"{doing}: {_line(error)}", hint=_LOG_IN) from error
    except Unauthorized as error:
        raise CredentialsError(f"{doing}: {error.message}", hint=_LOG_IN) from error
    except Forbidden as error:
        raise UpstreamError(
            f"{doing}: {error.message}", hint="check the permissions of the credentials in use, and `account`"
        ) from error
    except GoogleAPICallError as error:
        raise UpstreamError(f"{doing}: {error.message}", hint="check `account` and `region`") from error
    except RequestException as error:
        raise UpstreamError(f"{doing}: {_line(error)}", hint="check the network and the proxy") from error


def _line(error: Exception) -> str:
    return str(error.args[0] if error.args else error).splitlines()[0]
