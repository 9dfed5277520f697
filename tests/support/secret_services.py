"""Google Secret Manager and Azure Key Vault of the tests' own.

The first is held to Google's discovery document (:mod:`google_documents`), the second to
https://learn.microsoft.com/rest/api/keyvault/secrets.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import jwt
from google_documents import Documents
from google_services import Google
from small_server import Answer, Asked, serving

_TEXT = {"type": "string", "minLength": 1}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }


_SET = _object(["value"], value={"type": "string"}, contentType=_TEXT, tags={"type": "object"})


@dataclass
class SecretManager:
    """Google Secret Manager with one project; None is a version that was destroyed."""

    google: Google
    url: str = ""
    project: str = "acme"
    secrets: dict[str, list[str | None]] = field(default_factory=dict)
    refuses: Answer | None = None
    documents: Documents = field(default_factory=lambda: Documents(("secretmanager.v1",)), repr=False)

    def handle(self, asked: Asked) -> Answer:
        """The answer to one request."""
        return self.documents.held(asked, self._answer)

    def _answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.google.tokens:
            return _google_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if self.refuses is not None:
            return self.refuses
        base = f"/v1/projects/{self.project}/secrets"
        if not asked.path.startswith(base):
            return _google_error(404, "NOT_FOUND", "Project not found.")
        rest = unquote(asked.path.removeprefix(base).removeprefix("/"))
        if not rest:
            return self._created(asked) if asked.method == "POST" else self._listed(asked)
        name, _, verb = re.sub(r"/versions/latest:access$", ":access", rest).partition(":")
        if name not in self.secrets:
            return _google_error(404, "NOT_FOUND", f"Secret [{name}] not found or has no versions.")
        if asked.method == "DELETE":
            del self.secrets[name]
            return Answer(200, {})
        return self._added(asked, name) if verb == "addVersion" else self._accessed(name)

    def _listed(self, asked: Asked) -> Answer:
        names = sorted(self.secrets)
        begin = int(asked.query.get("pageToken", 0))  # two a page, so that paging is proven
        body: dict[str, Any] = {
            "secrets": [{"name": f"projects/1/secrets/{name}"} for name in names[begin : begin + 2]]
        }
        if begin + 2 < len(names):
            body["nextPageToken"] = str(begin + 2)
        return Answer(200, body)

    def _created(self, asked: Asked) -> Answer:
        name = asked.query["secretId"]
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
            return _google_error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        if name in self.secrets:
            return _google_error(409, "ALREADY_EXISTS", f"Secret [{name}] already exists.")
        self.secrets[name] = []
        return Answer(200, {"name": f"projects/1/secrets/{name}"})

    def _added(self, asked: Asked, name: str) -> Answer:
        data = base64.b64decode(json.loads(asked.body)["payload"]["data"], validate=True)
        self.secrets[name].append(data.decode())
        return Answer(200, {"name": f"projects/1/secrets/{name}/versions/{len(self.secrets[name])}"})

    def _accessed(self, name: str) -> Answer:
        versions = self.secrets[name]
        if not versions:
            return _google_error(404, "NOT_FOUND", f"Secret [{name}] not found or has no versions.")
        newest = versions[-1]
        if newest is None:
            return _google_error(400, "FAILED_PRECONDITION", "Secret Version is in DESTROYED state.")
        return Answer(200, {"name": name, "payload": {"data": base64.b64encode(newest.encode()).decode()}})


def _google_error(status: int, name: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": status, "message": message, "status": name}})


@dataclass
class KeyVault:
    """A vault of Azure Key Vault; deleted secrets can be recovered, and block their names until then."""

    url: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    deleted: dict[str, str] = field(default_factory=dict)
    refuses: Answer | None = None
    next_link: str | None = None

    @property
    def place(self) -> str:
        """The vault's host, as STACKS_SECRET_STORE takes it."""
        return self.url.removeprefix("https://")

    def handle(self, asked: Asked) -> Answer:
        """The answer to one request."""
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False}) if token else {"exp": 0}
        if claims["exp"] < time.time() or claims["aud"] != "https://vault.azure.net":
            return _azure_error(401, "Unauthorized")
        if self.refuses is not None:
            return self.refuses
        if asked.query.get("api-version") != "7.4":
            return _azure_error(400, "BadParameter")
        if asked.path == "/secrets" and asked.method == "GET":
            return self._listed(asked)
        match = re.fullmatch(r"/(secrets|deletedsecrets)/([0-9a-zA-Z-]{1,127})(/recover)?", asked.path)
        if match is None:
            return _azure_error(400, "BadParameter")
        name = match[2].lower()  # as the service: it keeps no two that differ in that alone
        if match[3]:
            if name not in self.deleted:
                return _azure_error(404, "SecretNotFound")
            self.secrets[name] = self.deleted.pop(name)
            return self._bundle(name)
        return {"GET": self._got, "PUT": self._set, "DELETE": self._removed}[asked.method](asked, name)

    def _listed(self, asked: Asked) -> Answer:
        names = sorted(self.secrets)
        begin = int(asked.query.get("$skiptoken", 0))  # two a page, so that paging is proven
        body: dict[str, Any] = {
            "value": [{"id": f"{self.url}/secrets/{name}"} for name in names[begin : begin + 2]],
            "nextLink": None,
        }
        if begin + 2 < len(names):
            here = f"{self.url}/secrets?api-version=7.4&$skiptoken={begin + 2}"
            body["nextLink"] = self.next_link or here
        return Answer(200, body)

    def _got(self, _asked: Asked, name: str) -> Answer:
        return self._bundle(name) if name in self.secrets else _azure_error(404, "SecretNotFound")

    def _set(self, asked: Asked, name: str) -> Answer:
        if not _valid(asked.body, _SET):
            return _azure_error(400, "BadParameter")
        if name in self.deleted:
            return _azure_error(409, "Conflict")
        self.secrets[name] = json.loads(asked.body)["value"]
        return self._bundle(name)

    def _removed(self, _asked: Asked, name: str) -> Answer:
        if name not in self.secrets:
            return _azure_error(404, "SecretNotFound")
        self.deleted[name] = self.secrets.pop(name)
        return Answer(200, {"recoveryId": f"{self.url}/deletedsecrets/{name}"})

    def _bundle(self, name: str) -> Answer:
        return Answer(200, {"value": self.secrets[name], "id": f"{self.url}/secrets/{name}/1"})


def _azure_error(status: int, code: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": "the message"}})


def _valid(body: bytes, schema: dict[str, Any]) -> bool:
    try:
        jsonschema.validate(json.loads(body), schema)
    except (ValueError, jsonschema.ValidationError):
        return False
    return True


@contextmanager
def running_secret_manager(google: Google) -> Iterator[SecretManager]:
    """Starts one on a free port that takes the tokens of ``google``, and stops it."""
    manager = SecretManager(google)
    with serving(manager.handle) as url:
        manager.url = url
        yield manager
        manager.documents.settle()


@contextmanager
def running_key_vault(certificate: Path) -> Iterator[KeyVault]:
    """Starts one over TLS on a free port, and stops it."""
    vault = KeyVault()
    with serving(vault.handle, certificate) as url:
        vault.url = url
        yield vault
