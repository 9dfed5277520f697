"""The keys of a Google service account, rotated by the service account itself.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from stacks.connectors import gcp_sources
from stacks.connectors.gcp_errors import sdk_installed, translated
from stacks.connectors.inputs import json_document, trusted_url
from stacks.errors import ConnectorError, CredentialsError
from stacks.secrets.base import SecretReader, resolve
from stacks.state.records import ConnectorRecord

_FIELD = "service_account_json"
_IAM = "https://iam.googleapis.com"
_TIMEOUT = 30.0  # seconds for one answer
_SETTLE_SECONDS = 90.0  # a new key is known everywhere after a minute or so
_PAUSE_SECONDS = 1.0


def fields(record: ConnectorRecord) -> tuple[str, ...]:
    """A service account's key is one document."""
    return (_FIELD,) if record.auth_method in {"service-account", "impersonation"} else ()


def rotator(record: ConnectorRecord, secrets: SecretReader, key: Mapping[str, str]) -> ServiceAccountKeys:
    """The keys of the service account whose ``key`` it is."""
    config = resolve(dict(record.config), secrets)
    url = trusted_url(config.get("iam_endpoint_url") or _IAM, "iam_endpoint_url", record.name)
    return ServiceAccountKeys(record, key, url)


@dataclass(frozen=True, slots=True)
class ServiceAccountKeys:
    """See stacks.connectors.rotation.Rotator."""

    record: ConnectorRecord
    key: Mapping[str, str] = field(repr=False)
    url: str

    def identify(self, key: Mapping[str, str]) -> str:
        """The id of the key; it stands in the key's own document."""
        found = json_document(key, _FIELD, self.record.name).get("private_key_id")
        if not found:
            raise ConnectorError(
                f"service connector {self.record.name!r}: its key has no private_key_id, by which Google "
                "would delete it",
                hint="rotate with --keep-old, and delete the old key yourself: gcloud iam service-accounts "
                "keys list",
            )
        return str(found)

    def create(self) -> Mapping[str, str]:
        """A further key of the same service account; it can have ten."""
        answer = self._ask("create", "POST", "/keys", {"privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE"})
        document = json.loads(base64.b64decode(answer["privateKeyData"]))
        held = json_document(self.key, _FIELD, self.record.name)
        # Where tokens are asked for stays what it was: a restricted network has an address of its own for it.
        return {_FIELD: json.dumps({**document, "token_uri": held["token_uri"]})}

    def prove(self, key: Mapping[str, str]) -> None:
        """Fetches a token with the key, until Google knows it."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            try:
                self._token(key)
            except CredentialsError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def forget(self, key: Mapping[str, str]) -> None:
        """Deletes that key."""
        self._ask("delete", "DELETE", f"/keys/{quote(self.identify(key), safe='')}", None)

    def _token(self, key: Mapping[str, str]) -> str:
        with translated(self.record):
            from google.auth.transport.requests import Request

            credentials = gcp_sources.service_account(key, self.record.name, gcp_sources.PLATFORM)
            credentials.refresh(partial(Request(), timeout=_TIMEOUT))
            return str(credentials.token)

    def _ask(self, verb: str, method: str, path: str, body: Mapping[str, str] | None) -> dict[str, Any]:
        with sdk_installed():
            import requests
        email = json_document(self.key, _FIELD, self.record.name)["client_email"]
        who = f"service connector {self.record.name!r}"
        try:
            answer = requests.request(
                method,
                f"{self.url}/v1/projects/-/serviceAccounts/{quote(email, safe='@')}{path}",
                json=body,
                headers={"Authorization": f"Bearer {self._token(self.key)}"},
                timeout=_TIMEOUT,
            )
        except requests.RequestException as error:
            raise ConnectorError(
                f"{who} does not reach Google's IAM ({type(error).__name__})",
                hint="check the network, the proxy (HTTPS_PROXY) and iam_endpoint_url",
            ) from error
        if answer.status_code == requests.codes.ok:
            document: dict[str, Any] = answer.json()
            return document
        if answer.status_code == requests.codes.forbidden:
            raise ConnectorError(
                f"{who}: its service account may not {verb} its own keys (403)",
                hint=f"gcloud iam service-accounts add-iam-policy-binding {email} --member=serviceAccount:"
                f"{email} --role=roles/iam.serviceAccountKeyAdmin; or the organisation forbids keys: use "
                "the auth method impersonation",
            )
        raise ConnectorError(
            f"{who}: Google's IAM answered {answer.status_code} when asked to {verb} a key",
            hint="a service account has ten keys at most: gcloud iam service-accounts keys list "
            f"--iam-account {email}",
        )
