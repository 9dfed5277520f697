"""Service connectors for Google Cloud: OAuth2 tokens that reach one bucket and prefix alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from stacks.connectors import gcp_sources
from stacks.connectors.base import Access, AuthMethod, Connector, ConnectorType
from stacks.connectors.gcp_boundary import SCHEME, boundary, exchanged, parse
from stacks.connectors.gcp_errors import from_storage, sdk_installed, translated
from stacks.connectors.inputs import secret_text, trusted_url, truth
from stacks.connectors.resources import Resource, narrowest
from stacks.credentials import GcpToken
from stacks.errors import ConnectorConfigError, ConnectorError, ConnectorScopeError
from stacks.secrets.base import SecretReader
from stacks.state.records import ConnectorRecord

_ENDPOINTS = frozenset({"endpoint_url", "iam_endpoint_url", "oauth_endpoint_url", "sts_endpoint_url"})
_COMMON = _ENDPOINTS | {"access", "expires_skew_tolerance", "project_id", "region"}
_OVERRIDES = MappingProxyType(
    {
        "iam_endpoint_url": "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
        "sts_endpoint_url": "CLOUDSDK_API_ENDPOINT_OVERRIDES_STS",
    }
)
"""Where Google's own programs look for other addresses; the connector's own fields go before them."""
_LIFE = frozenset({"session_seconds", "expiration_seconds"})
_TEMPORARY = frozenset({"generate_temporary_tokens"})

TYPE = ConnectorType(
    name="gcp",
    title="Google Cloud",
    resource_types=("gcs-bucket", "gcp-generic"),
    schemes=frozenset({SCHEME}),
    extra="gcp",
    auth_methods=(
        AuthMethod(
            "implicit",
            "Application Default Credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's login, the machine's "
            "own service account",
            optional=_COMMON,
            scoped=True,
        ),
        AuthMethod(
            "user-account",
            "a person's refresh token, from gcloud auth application-default login",
            required=frozenset({"user_account_json"}),
            optional=_COMMON,
            secrets=frozenset({"user_account_json"}),
            scoped=True,
        ),
        AuthMethod(
            "service-account",
            "a service account's key; with generate_temporary_tokens=False the store receives a token of all "
            "that the service account may do in Cloud Storage",
            required=frozenset({"service_account_json"}),
            optional=_COMMON | _TEMPORARY,
            secrets=frozenset({"service_account_json"}),
            scoped=True,
        ),
        AuthMethod(
            "external-account",
            "workload identity federation: a token of AWS, Azure, an OIDC or a SAML provider",
            required=frozenset({"external_account_json"}),
            optional=_COMMON | _TEMPORARY,
            secrets=frozenset({"external_account_json"}),
            scoped=True,
        ),
        AuthMethod(
            "oauth2-token",
            "an access token that somebody else fetched",
            required=frozenset({"token"}),
            optional=_COMMON | {"expires_at"},
            secrets=frozenset({"token"}),
            scoped=True,
        ),
        AuthMethod(
            "impersonation",
            "tokens of a service account without a key, created by a service account's key if there is one, "
            "else by what the environment has",
            required=frozenset({"target_principal"}),
            optional=_COMMON | _LIFE | {"delegates", "service_account_json"},
            secrets=frozenset({"service_account_json"}),
            scoped=True,
        ),
    ),
)

_STORAGE = "https://storage.googleapis.com"
_STS = "https://sts.googleapis.com"
_TIMEOUT = 30.0  # seconds for one answer; google-auth's own default is 120


class GcpConnector(Connector):
    """Grants tokens for a bucket and prefix, by the auth method of its record."""

    TYPE = TYPE

    def __init__(self, record: ConnectorRecord, secrets: SecretReader) -> None:
        super().__init__(record, secrets)
        self._granted = parse(record.resource_id) if record.resource_id else None
        for field, variable in _OVERRIDES.items():
            if os.environ.get(variable) and not self._config.get(field):
                self._config[field] = os.environ[variable].rstrip("/")
        for field in sorted(_ENDPOINTS & self._config.keys()):
            if self._config[field] is not None:
                self._config[field] = trusted_url(self._config[field], field, record.name)
        # Google's storage client, which the store uses, takes this one as it is: so it is not judged here.
        emulator = os.environ.get("STORAGE_EMULATOR_HOST")
        if emulator and not self._config.get("endpoint_url"):
            self._config["endpoint_url"] = emulator.rstrip("/")
        if record.auth_method == "impersonation":
            gcp_sources.checked_principal(self._config, record.name)
        self._limits = truth(self._config, "generate_temporary_tokens", default=True, connector=record.name)

    @classmethod
    def check_covers(cls, record: ConnectorRecord, resource_id: str) -> None:
        """Raises ConnectorScopeError when the record's own bucket does not contain ``resource_id``."""
        narrowest(parse(record.resource_id) if record.resource_id else None, parse(resource_id), record.name)

    def store_settings(self) -> dict[str, Any]:
        """The project and the endpoint, for a store that names none itself."""
        place = {"project": self._config.get("project_id"), "endpoint_url": self._config.get("endpoint_url")}
        return {key: value for key, value in place.items() if value}

    def credentials_for(self, resource_id: str | None = None, access: Access | None = None) -> GcpToken:
        """A token for ``gs://bucket[/prefix]``; see Connector."""
        bucket = narrowest(self._granted, parse(resource_id) if resource_id else None, self.record.name)
        if access == "read-write" and self.access == "read-only":
            raise ConnectorScopeError(
                f"service connector {self.record.name!r} grants reading only",
                hint="connect one with read-write access",
            )
        return self._token(bucket, access or self.access)

    def verify(self, resource_id: str | None = None) -> list[str]:
        """Lists the resource with the very token that a store would get."""
        asked = parse(resource_id) if resource_id else self._granted
        if asked is None:
            return self.list_resources()
        token = self.credentials_for(resource_id)
        prefix = {"prefix": f"{asked.prefix}/"} if asked.prefix else {}
        self._storage(token, f"/b/{quote(asked.name, safe='')}/o", {"maxResults": "1", **prefix}, str(asked))
        return [str(asked)]

    def list_resources(self) -> list[str]:
        """The connector's own resource, or else every bucket of its project that it may list."""
        if self._granted is not None:
            return [str(self._granted)]
        project = self._config.get("project_id")
        if not project:
            raise ConnectorConfigError(
                f"service connector {self.record.name!r} names no project, and buckets are listed by project",
                hint=f"provision service-connector update {self.record.name} --project_id=PROJECT, or name a "
                "resource: --resource-id gs://BUCKET",
            )
        token = self._token(None, "read-only")
        names: list[str] = []
        page: dict[str, str] = {}
        while True:
            fields = {"project": str(project), "fields": "items(name),nextPageToken", **page}
            answer = self._storage(token, "/b", fields, f"the buckets of project {project}")
            names += [str(item["name"]) for item in answer.get("items", ())]
            if not answer.get("nextPageToken"):
                return sorted(f"{SCHEME}{name}" for name in names)
            page = {"pageToken": str(answer["nextPageToken"])}

    def _token(self, bucket: Resource | None, access: Access) -> GcpToken:
        with translated(self.record):
            request = _request()
            limited = bucket is not None and self._limits
            scope = gcp_sources.PLATFORM if limited or bucket is None else gcp_sources.STORAGE[access]
            source = self._own_token(request, scope)
            if bucket is None or not limited:
                return GcpToken(source.token, self._expiry(source.expires_at))
            url = f"{self._config.get('sts_endpoint_url') or _STS}/v1/token"
            token = exchanged(request, url, source, boundary(bucket, access))
            return GcpToken(token.token, self._expiry(token.expires_at))

    def _own_token(self, request: Any, scope: str) -> GcpToken:
        """The connector's own token, which no store receives while it can be limited."""
        if self.record.auth_method == "oauth2-token":
            self._expiry()  # one that is over is said here, not asked Google about
            return GcpToken(secret_text(self._config, "token", self.record.name))
        credentials = _SOURCES[self.record.auth_method](self._config, self.record.name, scope)
        credentials.refresh(request)
        expires_at: datetime | None = credentials.expiry  # google-auth's are in UTC and say nothing of it
        return GcpToken(str(credentials.token or ""), expires_at.replace(tzinfo=UTC) if expires_at else None)

    def _storage(self, token: GcpToken, path: str, fields: Mapping[str, str], what: str) -> dict[str, Any]:
        with sdk_installed():
            import requests
        url = f"{self._config.get('endpoint_url') or _STORAGE}/storage/v1{path}"
        try:
            answer = requests.get(url, params=fields, auth=_Bearer(token), timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise ConnectorError(
                f"service connector {self.record.name!r} does not reach Cloud Storage "
                f"({type(error).__name__})",
                hint="check the network, the proxy (HTTPS_PROXY) and endpoint_url",
            ) from error
        if answer.status_code != requests.codes.ok:
            raise from_storage(answer.status_code, answer.text, self.record, what)
        document: dict[str, Any] = answer.json()
        return document


class _Bearer:
    """Signs a request of requests, which else takes a password from ~/.netrc in the token's place."""

    def __init__(self, token: GcpToken) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token.token}"
        return request


def _request() -> Any:
    from google.auth.transport.requests import Request

    return partial(Request(), timeout=_TIMEOUT)


_SOURCES: Mapping[str, Callable[[Mapping[str, Any], str, str], Any]] = MappingProxyType(
    {
        "implicit": gcp_sources.environment,
        "user-account": gcp_sources.user_account,
        "service-account": gcp_sources.service_account,
        "external-account": gcp_sources.external_account,
        "impersonation": gcp_sources.impersonation,
    }
)
