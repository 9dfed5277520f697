"""Secrets in Google Secret Manager: ``STACKS_SECRET_STORE=google-secret-manager://PROJECT``.

Through its REST interface (https://cloud.google.com/secret-manager/docs/reference/rest), with Application
Default Credentials; gcloud's own variable ``CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER`` names another
endpoint. Older versions stay in the service's history for whoever may read versions.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from stacks.errors import (
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    InvalidValueError,
    MissingExtraError,
    SecretError,
    SecretLockedError,
)
from stacks.secrets.cloud import PREFIX, CloudSecretStore, NameTakenError, parsed

_ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"
_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT = 30.0  # seconds
_OK, _FAILED, _NO_TOKEN, _REFUSED, _MISSING, _TAKEN = 200, 400, 401, 403, 404, 409


class GoogleSecretManagerStore(CloudSecretStore):
    """Secrets of one project."""

    SCHEME: ClassVar[str] = "google-secret-manager"
    SERVICE: ClassVar[str] = "Google Secret Manager"
    LONGEST_NAME: ClassVar[int] = 255
    LARGEST: ClassVar[int] = 65_536

    def __init__(self, place: str, prefix: str = PREFIX) -> None:
        """Raises InvalidValueError when ``place`` names no project."""
        super().__init__(place, prefix)
        if not place:
            raise InvalidValueError(
                "Google Secret Manager needs a project",
                hint="STACKS_SECRET_STORE=google-secret-manager://PROJECT",
            )
        self._credentials: Any = None

    def _list(self) -> list[str]:
        found: list[str] = []
        page = ""
        while True:
            fields = {"pageSize": "250", "filter": f"name:{self.prefix}-"}
            if page:
                fields["pageToken"] = page
            _status, answer = self._ask("GET", "", fields=fields)
            found += [str(one["name"]).rpartition("/")[2] for one in answer.get("secrets", ())]
            page = str(answer.get("nextPageToken") or "")
            if not page:
                return found

    def _read(self, identifier: str) -> str | None:
        # 400: the newest version was disabled or destroyed by somebody.
        status, answer = self._ask(
            "GET", f"/{quote(identifier)}/versions/latest:access", also=(_MISSING, _FAILED)
        )
        if status != _OK:
            return None
        return base64.b64decode(answer["payload"]["data"]).decode()

    def _create(self, identifier: str, text: str) -> None:
        body: dict[str, Any] = {"replication": {"automatic": {}}}
        status, _ = self._ask("POST", "", fields={"secretId": identifier}, body=body, also=(_TAKEN,))
        # Who made the secret may have been interrupted before it had a value: then it is still free.
        if status == _TAKEN and self._read(identifier) is not None:
            raise NameTakenError
        self._add(identifier, text)

    def _replace(self, identifier: str, text: str) -> None:
        if not self._add(identifier, text):
            self._create(identifier, text)

    def _remove(self, identifier: str) -> bool:
        if self._read(identifier) is None:
            return False
        status, _ = self._ask("DELETE", f"/{quote(identifier)}", also=(_MISSING,))
        return status == _OK

    def _add(self, identifier: str, text: str) -> bool:
        body = {"payload": {"data": base64.b64encode(text.encode()).decode()}}
        status, _ = self._ask("POST", f"/{quote(identifier)}:addVersion", body=body, also=(_MISSING,))
        return status == _OK

    def _ask(
        self,
        method: str,
        path: str,
        *,
        fields: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        also: tuple[int, ...] = (),
    ) -> tuple[int, dict[str, Any]]:
        with _translated():
            import requests

            url = f"{_endpoint()}/v1/projects/{quote(self.place, safe='')}/secrets{path}"
            answer = requests.request(
                method, url, params=fields, json=body, auth=self._signed, timeout=_TIMEOUT
            )
        if answer.status_code != _OK and answer.status_code not in also:
            raise _from_answer(answer.status_code, answer.text, self.place)
        return answer.status_code, parsed(answer.content)

    def _signed(self, request: Any) -> Any:
        """Signs a request of requests, which else takes a password from ~/.netrc in the token's place."""
        import google.auth
        from google.auth.transport.requests import Request

        if self._credentials is None:
            self._credentials, _project = google.auth.default(scopes=[_PLATFORM])
        if not self._credentials.valid:
            self._credentials.refresh(partial(Request(), timeout=_TIMEOUT))
        request.headers["Authorization"] = f"Bearer {self._credentials.token}"
        return request


def _endpoint() -> str:
    url = os.environ.get(_ENDPOINT, "").rstrip("/") or "https://secretmanager.googleapis.com"
    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise InvalidValueError(f"{_ENDPOINT} is no https:// URL", hint=f"unset {_ENDPOINT}, or use https")
    return url


@contextmanager
def _translated() -> Iterator[None]:
    """Says what google-auth and requests raise within as errors of this library."""
    try:
        import requests
        from google.auth import exceptions
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "Google Secret Manager needs google-auth and requests, which are not installed",
            hint="pip install 'stack-provisioner[gcp]'",
            extra="gcp",
        ) from error
    try:
        yield
    except exceptions.DefaultCredentialsError as error:
        raise CredentialsMissingError(
            "there are no Google credentials for Google Secret Manager",
            hint="run: gcloud auth application-default login",
        ) from error
    except exceptions.RefreshError as error:
        raise CredentialsExpiredError(
            "the Google credentials for Google Secret Manager were revoked, or their time is over",
            hint="log in again: gcloud auth application-default login",
        ) from error
    except (exceptions.GoogleAuthError, requests.RequestException) as error:
        raise SecretError(
            f"Google Secret Manager is not reached ({type(error).__name__})",
            hint=f"check the network, the proxy and {_ENDPOINT}",
        ) from error


def _from_answer(status: int, text: str, project: str) -> Exception:
    told = parsed(text).get("error", {})
    said = str(told.get("message", "")) if isinstance(told, dict) else ""
    if status == _NO_TOKEN:
        return CredentialsWrongError(
            "Google Secret Manager does not take the credentials",
            hint="log in again: gcloud auth application-default login",
        )
    if status == _REFUSED and ("disabled" in said or "has not been used" in said):
        return SecretError(
            f"Google Secret Manager is switched off in project {project}",
            hint=f"gcloud services enable secretmanager.googleapis.com --project {project}",
        )
    if status == _REFUSED:
        return SecretLockedError(
            f"the secrets of project {project} are refused",
            hint=f"gcloud projects add-iam-policy-binding {project} --member=WHO-ASKS "
            "--role=roles/secretmanager.secretAccessor (to read; secretmanager.admin to write)",
        )
    if status == _MISSING:
        return SecretError(f"Google Secret Manager knows no project {project}", hint="gcloud projects list")
    return SecretError(
        f"Google Secret Manager answered {status}: {said[:200]}",
        hint="try again; look at the service's status",
    )
