"""How Google's SDK gets its token, and where a token comes from."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import google.auth
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from stacks.credentials import CachedCredentials, GcpToken
from stacks.errors import CredentialsMissingError, CredentialsWrongError

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class LiveToken(Credentials):
    """google-auth's credentials, answered by whoever has the newest.

    Its own rules of expiry are left out: they refuse tokens that live for less than four minutes.
    """

    def __init__(self, current: CachedCredentials[GcpToken]) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # google-auth is half typed
        self._current = current
        self._used = threading.local()  # what each thread's last request went with

    def before_request(self, request: Any, method: Any, url: Any, headers: Any) -> None:  # noqa: ARG002 - google-auth's
        """Put the token in force into a request's headers."""
        now = self._used.token = self._current()
        headers["authorization"] = f"Bearer {now.token}"

    def refresh(self, request: Any) -> None:  # noqa: ARG002 - google-auth's signature
        """The service said 401: get another."""
        self._current.renew(getattr(self._used, "token", None))


def implicit_token() -> GcpToken:
    """What the environment has: application default credentials.

    Raises:
        CredentialsMissingError: it has none.
    """
    try:
        found, _ = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError as error:
        raise CredentialsMissingError(
            "no Google credentials were found",
            hint="Run `gcloud auth application-default login`, or give the store a connector or a secret.",
        ) from error
    return _fetched(found)


def token_from(token: str | Mapping[str, Any]) -> GcpToken:
    """Credentials from a secret: the JSON of a service account's key, or an OAuth2 token as it stands.

    Raises:
        CredentialsWrongError: JSON that is no service account's key.
    """
    text = token if isinstance(token, str) else json.dumps(token)
    if not text.lstrip().startswith("{"):
        return GcpToken(text)
    try:
        found = service_account.Credentials.from_service_account_info(json.loads(text), scopes=[SCOPE])
    except ValueError as error:
        raise CredentialsWrongError("the token is JSON, but no service account's key") from error
    return _fetched(found)


def _fetched(found: Any) -> GcpToken:
    found.refresh(Request())
    return GcpToken(found.token, found.expiry.replace(tzinfo=UTC) if found.expiry else None)


def gcsfs_token(now: GcpToken) -> Any:
    """As gcsfs takes it: a mere text it would send to Google in a URL, to ask what it is."""
    from google.oauth2.credentials import Credentials as UserCredentials

    expiry = now.expires_at.replace(tzinfo=None) if now.expires_at else None
    return UserCredentials(now.token, expiry=expiry)
