"""Azure's management and Microsoft Graph, as far as keys go: a server of the tests' own.

Both bodies of the management are held to Microsoft's models (:mod:`microsoft_models`); Graph answers as
https://learn.microsoft.com/graph/api/application-addpassword says.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from microsoft_models import Published
from microsoft_services import ACCOUNT, CLIENT, Entra
from small_server import Answer, Asked

SUBSCRIPTION = "77777777-0000-0000-0000-000000000000"
_PLACE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ml/providers/Microsoft.Storage/storageAccounts"


@dataclass
class Microsoft:
    """One subscription with one storage account, and one application with its secrets."""

    keys: dict[str, str] = field(default_factory=dict)
    next_keys: dict[str, list[str]] = field(default_factory=dict)  # what a key is when it is made anew
    entra: Entra | None = None
    passwords: dict[str, str] = field(default_factory=dict)  # keyId to the secret
    allows: bool = True
    url: str = ""
    asked: list[str] = field(default_factory=list)
    published: Published = field(default_factory=Published, repr=False)

    def handle(self, asked: Asked) -> Answer:
        """The answer to one request."""
        self.asked.append(f"{asked.method} {asked.path}")
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        audience = jwt.decode(token, options={"verify_signature": False})["aud"]
        graph = asked.path.startswith("/v1.0/")
        if audience != ("https://graph.microsoft.com" if graph else "https://management.azure.com"):
            return _error(401, "InvalidAuthenticationTokenAudience")
        if not self.allows:
            return _error(403, "Authorization_RequestDenied" if graph else "AuthorizationFailed")
        body = json.loads(asked.body or b"{}")
        if graph or asked.path == "/subscriptions":
            return self._routed(asked, body)
        return self.published.held(asked, body, lambda: self._routed(asked, body))

    def _routed(self, asked: Asked, body: Any) -> Answer:
        for pattern, route in _ROUTES:
            if re.fullmatch(pattern, f"{asked.method} {asked.path}"):
                return route(self, body)
        return _error(404, "ResourceNotFound")

    def _subscriptions(self, _body: Any) -> Answer:
        return Answer(200, {"value": [{"subscriptionId": SUBSCRIPTION}]})

    def _accounts(self, _body: Any) -> Answer:
        names = ("another", ACCOUNT)
        return Answer(200, {"value": [{"name": name, "id": f"{_PLACE}/{name}"} for name in names]})

    def _list_keys(self, _body: Any) -> Answer:
        listed = [
            {"keyName": name, "value": value, "permissions": "Full"} for name, value in self.keys.items()
        ]
        return Answer(200, {"keys": listed})

    def _regenerate(self, body: Any) -> Answer:
        name = body["keyName"]
        waiting = self.next_keys.get(name)
        self.keys[name] = waiting.pop(0) if waiting else secrets.token_hex(32)
        return self._list_keys(body)

    def _application(self, _body: Any) -> Answer:
        listed = [{"keyId": key, "hint": secret[:3]} for key, secret in self.passwords.items()]
        return Answer(200, {"appId": CLIENT, "passwordCredentials": listed})

    def _add_password(self, body: Any) -> Answer:
        if not body["passwordCredential"]["endDateTime"]:
            return _error(400, "Request_BadRequest")
        key, secret = secrets.token_hex(16), f"{len(self.passwords)}new-{secrets.token_urlsafe(16)}"
        self.passwords[key] = secret
        if self.entra is not None:
            self.entra.also_takes.add(secret)
        return Answer(200, {"keyId": key, "secretText": secret, "hint": secret[:3]})

    def _remove_password(self, body: Any) -> Answer:
        del self.passwords[body["keyId"]]
        return Answer(204, None)


def _error(status: int, code: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": code}})


_APPLICATION = re.escape(f"/v1.0/applications(appId='{CLIENT}')")
_ROUTES: tuple[tuple[str, Callable[..., Answer]], ...] = (
    (r"GET /subscriptions", Microsoft._subscriptions),
    (rf"GET /subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts", Microsoft._accounts),
    (rf"POST {_PLACE}/{ACCOUNT}/listKeys", Microsoft._list_keys),
    (rf"POST {_PLACE}/{ACCOUNT}/regenerateKey", Microsoft._regenerate),
    (rf"GET {_APPLICATION}", Microsoft._application),
    (rf"POST {_APPLICATION}/addPassword", Microsoft._add_password),
    (rf"POST {_APPLICATION}/removePassword", Microsoft._remove_password),
)
