"""A Google of the tests' own: token, impersonation and federation endpoints, and a Cloud Storage behind them.

Requests and answers of Cloud Storage's JSON API, of the Security Token Service and of IAM are held to
Google's discovery documents (:mod:`google_documents`), OAuth2's token endpoint, which none has, to RFC 6749.
Tokens are limited by their scope and by their credential access boundary, as
https://cloud.google.com/iam/docs/downscoping-short-lived-credentials says.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

import jsonschema
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google_documents import Documents
from google_rules import ASSERTION, PLATFORM, REFRESH, SCOPES, within
from small_server import Answer, Asked, serving

ACCOUNT = "store@project.iam.gserviceaccount.com"
_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_SIGNED = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCE = "https://oauth2.googleapis.com/token"  # whatever the token_uri, as google-auth has it
_LIFE = 3599


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    """One for all tests: making one takes a while."""
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Token:
    """What a token stands for: who it is of, and what limits it."""

    principal: str
    scope: str
    expires_at: float
    boundary: dict[str, Any] | None = None


class RefusedError(Exception):
    """The answer to a request that is refused."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body)
        self.answer = Answer(status, body)


def oauth_error(code: str, description: str, status: int = 400) -> RefusedError:
    """An error as OAuth2's endpoints write one."""
    return RefusedError(status, {"error": code, "error_description": description})


def api_error(status: int, name: str, message: str) -> RefusedError:
    """An error as Google's APIs write one."""
    return RefusedError(status, {"error": {"code": status, "message": message, "status": name}})


@dataclass
class Google:
    """One Google; ``objects`` are the objects by bucket."""

    url: str = ""
    tokens: dict[str, Token] = field(default_factory=dict)
    objects: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)  # to their owner
    federated: dict[str, str] = field(default_factory=dict)  # what another provider's token stands for
    creators: set[str] = field(default_factory=set)  # who may create tokens of ACCOUNT
    asked: list[Asked] = field(default_factory=list)
    says_lifetime: bool = True
    key: rsa.RSAPrivateKey = field(default_factory=_key)
    key_revoked: bool = False
    keys: dict[str, Any] = field(default_factory=lambda: {"1": _key().public_key()})  # of ACCOUNT, by id
    manages_keys: bool = True  # ACCOUNT may make and delete its own
    documents: Documents = field(default_factory=lambda: Documents(_APIS, ("/token",)), repr=False)
    unknown_for: int = 0  # so many requests of a new key are refused first, as it gets around

    # -- what connectors are made of

    def service_account_json(self) -> str:
        """A key of ACCOUNT, as ``gcloud iam service-accounts keys create`` writes it."""
        return self._document(self.key, "1")

    def _document(self, key: rsa.RSAPrivateKey, key_id: str) -> str:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "project",
                "private_key_id": key_id,
                "private_key": pem,
                "client_email": ACCOUNT,
                "client_id": "1",
                "token_uri": f"{self.url}/token",
            }
        )

    def user_account_json(self, refresh_token: str = "refresh-me") -> str:
        """A person's login, as ``gcloud auth application-default login`` leaves it."""
        self.refresh_tokens[refresh_token] = "user:engineer@example.com"
        return json.dumps(
            {
                "type": "authorized_user",
                "client_id": "the-client",
                "client_secret": "the-client-secret",
                "refresh_token": refresh_token,
            }
        )

    def issue(self, principal: str = ACCOUNT, scope: str = PLATFORM, seconds: float = _LIFE) -> str:
        """A token of ``principal``."""
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.tokens[token] = Token(principal, scope, time.time() + seconds)
        return token

    def endpoints(self) -> dict[str, str]:
        """The fields that make a connector ask this Google."""
        names = ("endpoint_url", "iam_endpoint_url", "oauth_endpoint_url", "sts_endpoint_url")
        return dict.fromkeys(names, self.url)

    # -- what it answers

    def handle(self, asked: Asked) -> Answer:
        """The answer to one request."""
        self.asked.append(asked)
        return self.documents.held(asked, self._answer)

    def _answer(self, asked: Asked) -> Answer:
        for method, pattern, route in _ROUTES:
            match = re.fullmatch(pattern, asked.path)
            if match and method == asked.method:
                try:
                    return route(self, asked, *(unquote(part) for part in match.groups()))
                except RefusedError as refused:
                    return refused.answer
        return Answer(404, {"error": {"code": 404, "message": f"no such route: {asked.path}"}})

    def _oauth(self, asked: Asked) -> Answer:
        form = _posted(asked)
        if form.get("grant_type") == "refresh_token":
            _held(form, REFRESH)
            if (form["client_id"], form["client_secret"]) != ("the-client", "the-client-secret"):
                raise oauth_error("invalid_client", "The OAuth client was not found.", 401)
            owner = self.refresh_tokens.get(form["refresh_token"])
            if owner is None:
                raise oauth_error("invalid_grant", "Token has been expired or revoked.")
            return _issued(self.issue(owner), PLATFORM)
        _held(form, ASSERTION)
        if form["grant_type"] != _SIGNED:
            raise oauth_error("unsupported_grant_type", form["grant_type"])
        key_id = jwt.get_unverified_header(form["assertion"]).get("kid")
        if key_id != "1" and self.unknown_for:
            self.unknown_for -= 1
            raise oauth_error("invalid_grant", "Invalid JWT Signature.")
        try:
            claims = jwt.decode(
                form["assertion"], self.keys[key_id], algorithms=["RS256"], audience=_AUDIENCE
            )
        except (jwt.InvalidTokenError, KeyError) as error:
            raise oauth_error("invalid_grant", "Invalid JWT Signature.") from error
        if self.key_revoked or claims["iss"] != ACCOUNT or claims["exp"] - claims["iat"] > 3600:
            raise oauth_error("invalid_grant", "Invalid JWT Signature.")
        return _issued(self.issue(ACCOUNT, claims["scope"]), claims["scope"])

    def _sts(self, asked: Asked) -> Answer:
        form = _posted(asked)
        if form.get("subject_token_type") == _ACCESS:
            return self._downscoped(form)
        if form["subject_token_type"] != _JWT or not {"audience", "scope"} <= form.keys():
            raise oauth_error("invalid_request", "Invalid value for subject_token_type")
        principal = self.federated.get(form["subject_token"])
        if principal is None:
            raise oauth_error(
                "unauthorized_client", "The given credential is rejected by the attribute condition."
            )
        token = self.issue(principal, form["scope"])
        return Answer(200, {**_body(token), "issued_token_type": _ACCESS})

    def _downscoped(self, form: dict[str, str]) -> Answer:
        source = self.tokens.get(form["subject_token"])
        if source is None or source.expires_at < time.time():
            raise oauth_error("invalid_grant", "The provided subject_token is expired or invalid.")
        if source.scope != PLATFORM or source.boundary is not None:
            raise oauth_error("invalid_request", "The subject token cannot be downscoped.")
        boundary = boundary_of(form)
        token = f"ya29.dr.{secrets.token_urlsafe(24)}"
        self.tokens[token] = Token(source.principal, source.scope, source.expires_at, boundary)
        body: dict[str, Any] = {"access_token": token, "issued_token_type": _ACCESS, "token_type": "Bearer"}
        if self.says_lifetime:
            body["expires_in"] = int(source.expires_at - time.time())
        return Answer(200, body)

    def _generate(self, asked: Asked, account: str) -> Answer:
        # null is the same as no field at all in the JSON of Google's APIs, and google-auth uses it
        body = {key: value for key, value in json.loads(asked.body).items() if value is not None}
        caller = self._caller(asked)
        if account != ACCOUNT:
            raise api_error(404, "NOT_FOUND", "Not found; Gaia id not found for email " + account)
        if caller.principal not in self.creators:
            raise api_error(
                403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource"
            )
        seconds = int(body.get("lifetime", "3600s")[:-1])
        if seconds > 3600:
            raise api_error(400, "INVALID_ARGUMENT", "The access token lifetime cannot exceed 3600 seconds.")
        end = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer(200, {"accessToken": self.issue(ACCOUNT, body["scope"][0], seconds), "expireTime": end})

    def _create_key(self, asked: Asked, account: str) -> Answer:
        self._manages(asked, account)
        key, key_id = rsa.generate_private_key(65537, 2048), secrets.token_hex(20)
        self.keys[key_id] = key.public_key()
        data = base64.b64encode(self._document(key, key_id).encode()).decode()
        name = f"projects/project/serviceAccounts/{account}/keys/{key_id}"
        return Answer(200, {"name": name, "privateKeyData": data})

    def _delete_key(self, asked: Asked, account: str, key_id: str) -> Answer:
        self._manages(asked, account)
        if self.keys.pop(key_id, None) is None:
            raise api_error(404, "NOT_FOUND", f"Service account key {key_id} does not exist.")
        return Answer(200, {})

    def _manages(self, asked: Asked, account: str) -> None:
        token = self._caller(asked)
        if not self.manages_keys or (token.principal, token.scope) != (account, PLATFORM):
            raise api_error(403, "PERMISSION_DENIED", "Permission 'iam.serviceAccountKeys' denied")

    # -- Cloud Storage

    def _caller(self, asked: Asked) -> Token:
        token = self.tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer "))
        if token is None or token.expires_at < time.time():
            raise api_error(401, "UNAUTHENTICATED", "Invalid Credentials")
        return token

    def _allow(self, asked: Asked, permission: str, bucket: str, name: str = "", prefix: str = "") -> None:
        token = self._caller(asked)
        allowed = SCOPES.get(token.scope, set())
        if (allowed is not None and permission not in allowed) or not within(
            token.boundary, permission, bucket, name, prefix
        ):
            raise api_error(403, "PERMISSION_DENIED", f"{token.principal} does not have {permission} access")

    def _list_buckets(self, asked: Asked) -> Answer:
        self._allow(asked, "storage.buckets.list", "")
        names = sorted(self.objects)
        begin = int(asked.query.get("pageToken", 0))  # one a page, so that paging is proven
        body: dict[str, Any] = {
            "kind": "storage#buckets",
            "items": [{"name": name} for name in names[begin : begin + 1]],
        }
        if begin + 1 < len(names):
            body["nextPageToken"] = str(begin + 1)
        return Answer(200, body)

    def _list(self, asked: Asked, bucket: str) -> Answer:
        prefix = asked.query.get("prefix", "")
        self._allow(asked, "storage.objects.list", bucket, "", prefix)
        found = [name for name in sorted(self._bucket(bucket)) if name.startswith(prefix)]
        return Answer(200, {"kind": "storage#objects", "items": [{"name": name} for name in found]})

    def _get(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._allow(asked, "storage.objects.get", bucket, name)
        return Answer(200, {"name": name, "size": str(len(self._bucket(bucket)[name]))})

    def _delete(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._allow(asked, "storage.objects.delete", bucket, name)
        del self._bucket(bucket)[name]
        return Answer(204, None)

    def _put(self, asked: Asked, bucket: str) -> Answer:
        name = asked.query["name"]
        self._allow(asked, "storage.objects.create", bucket, name)
        self._bucket(bucket)[name] = asked.body
        return Answer(200, {"name": name})

    def _settings(self, asked: Asked, bucket: str) -> Answer:
        self._allow(asked, "storage.buckets.get", bucket)
        self._bucket(bucket)
        return Answer(200, {"name": bucket})

    def _bucket(self, name: str) -> dict[str, bytes]:
        if name not in self.objects:
            raise api_error(404, "NOT_FOUND", "The specified bucket does not exist.")
        return self.objects[name]


def _posted(asked: Asked) -> dict[str, str]:
    return dict(parse_qsl(asked.body.decode(), strict_parsing=True))


def boundary_of(form: dict[str, str]) -> dict[str, Any]:
    """The credential access boundary in the options of an exchange of tokens."""
    # google-auth quotes the document once more than the form does.
    boundary: dict[str, Any] = json.loads(unquote(form["options"]))["accessBoundary"]
    return boundary


def _held(body: Any, schema: dict[str, Any]) -> None:
    try:
        jsonschema.validate(body, schema)
    except jsonschema.ValidationError as error:
        raise oauth_error("invalid_request", error.message) from error


def _body(token: str) -> dict[str, Any]:
    return {"access_token": token, "expires_in": _LIFE, "token_type": "Bearer"}


def _issued(token: str, scope: str) -> Answer:
    return Answer(200, {**_body(token), "scope": scope})


_APIS = ("storage.v1", "iam.v1", "iamcredentials.v1", "sts.v1")
_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("POST", r"/token", Google._oauth),
    ("POST", r"/v1/token", Google._sts),
    ("POST", r"/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken", Google._generate),
    ("POST", r"/v1/projects/-/serviceAccounts/([^/:]+)/keys", Google._create_key),
    ("DELETE", r"/v1/projects/-/serviceAccounts/([^/:]+)/keys/([^/]+)", Google._delete_key),
    ("GET", r"/storage/v1/b", Google._list_buckets),
    ("GET", r"/storage/v1/b/([^/]+)", Google._settings),
    ("GET", r"/storage/v1/b/([^/]+)/o", Google._list),
    ("GET", r"/storage/v1/b/([^/]+)/o/([^/]+)", Google._get),
    ("DELETE", r"/storage/v1/b/([^/]+)/o/([^/]+)", Google._delete),
    ("POST", r"/upload/storage/v1/b/([^/]+)/o", Google._put),
)


@contextmanager
def running_google() -> Iterator[Google]:
    """Starts one on a free port, and stops it."""
    google = Google()
    with serving(google.handle) as url:
        google.url = url
        yield google
        google.documents.settle()
