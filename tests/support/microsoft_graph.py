"""Microsoft Graph, as far as applications go: what a tenant has of them, for a test to look into.

Requests and answers are held to forms written from https://learn.microsoft.com/graph/api/resources/application,
.../serviceprincipal and .../federatedidentitycredential: a field that is not told there is refused.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import jsonschema
from microsoft_services import CLIENT, TENANT, Entra
from small_server import Answer
from unfit import Problems

_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata"
_GUID = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
_TEXT = {"type": "string", "minLength": 1}
_WORDS = {"type": "array", "items": {"type": "string", "maxLength": 256}, "uniqueItems": True}
_NOTES = {"type": ["string", "null"], "maxLength": 1024}
_PASSWORD = {"displayName": {"type": ["string", "null"]}, "startDateTime": _MOMENT, "endDateTime": _MOMENT}
_PASSWORDS = {"customKeyIdentifier": {}, "keyId": _GUID, "hint": _TEXT, "secretText": {"type": "null"}}
_APPLICATION: Mapping[str, Any] = {
    "displayName": {"type": "string", "minLength": 1, "maxLength": 256},
    "signInAudience": {
        "enum": [
            "AzureADMyOrg",
            "AzureADMultipleOrgs",
            "AzureADandPersonalMicrosoftAccount",
            "PersonalMicrosoftAccount",
        ]
    },
    "tags": _WORDS,
    "notes": _NOTES,
    "identifierUris": _WORDS,
    "isFallbackPublicClient": {"type": ["boolean", "null"]},
}
_PRINCIPAL: Mapping[str, Any] = {
    "accountEnabled": {"type": "boolean"},
    "appRoleAssignmentRequired": {"type": "boolean"},
    "tags": _WORDS,
    "notes": _NOTES,
}
_FEDERATED: Mapping[str, Any] = {
    "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$"},
    "issuer": {"type": "string", "minLength": 1, "maxLength": 600},
    "subject": {"type": "string", "minLength": 1, "maxLength": 600},
    "audiences": {
        "type": "array",
        "items": {"type": "string", "maxLength": 600},
        "minItems": 1,
        "maxItems": 1,
    },
    "description": {"type": ["string", "null"], "maxLength": 600},
}


def _form(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_SENT = {
    "POST applications": _form(_APPLICATION, "displayName"),
    "PATCH applications": _form(_APPLICATION),
    "POST servicePrincipals": _form({**_PRINCIPAL, "appId": _GUID}, "appId"),
    "PATCH servicePrincipals": _form(_PRINCIPAL),
    "POST federatedIdentityCredentials": _form(_FEDERATED, "name", "issuer", "subject", "audiences"),
    "PATCH federatedIdentityCredentials": _form(_FEDERATED),
    "POST addPassword": _form({"passwordCredential": _form(_PASSWORD)}, "passwordCredential"),
    "POST removePassword": _form({"keyId": _GUID}, "keyId"),
}
_OF_BOTH: Mapping[str, Any] = {
    "@odata.context": _TEXT,
    "id": _GUID,
    "appId": _GUID,
    "createdDateTime": _MOMENT,
    "passwordCredentials": {"type": "array", "items": _form({**_PASSWORD, **_PASSWORDS})},
    "keyCredentials": {
        "type": "array",
        "items": _form({**_PASSWORD, "keyId": _GUID, "type": _TEXT, "usage": _TEXT}),
    },
}
_ANSWERED = {
    "applications": _form({**_APPLICATION, **_OF_BOTH, "publisherDomain": _TEXT}, "id", "appId"),
    "servicePrincipals": _form(
        {**_PRINCIPAL, **_OF_BOTH, "displayName": _TEXT, "appOwnerOrganizationId": _GUID}, "id", "appId"
    ),
    "federatedIdentityCredentials": _form({**_FEDERATED, "@odata.context": _TEXT, "id": _GUID}, "id"),
}
_PATH = re.compile(
    r"/v1\.0/(?P<kind>applications|servicePrincipals)(?:/(?P<id>[0-9a-f-]{36})|\(appId='(?P<app>[^']*)'\))?"
    r"(?:/(?P<part>federatedIdentityCredentials|addPassword|removePassword)(?:/(?P<of>[0-9a-f-]{36}))?)?"
)
_FILTERS: tuple[tuple[str, Callable[[dict[str, Any], str], bool]], ...] = (
    (r"tags/any\((\w+):\1 eq '(?P<text>(?:[^']|'')*)'\)", lambda thing, text: text in thing["tags"]),
    (r"displayName eq '(?P<text>(?:[^']|'')*)'", lambda thing, text: thing["displayName"] == text),
)
"""The filters that need no «advanced query»."""


@dataclass
class Graph:
    """One tenant's applications and service principals, by their object ids."""

    entra: Entra | None = None
    problems: Problems = field(default_factory=Problems)  # what was asked or answered in no known form
    allows: bool = True
    page: int = 100
    applications: dict[str, dict[str, Any]] = field(default_factory=dict)
    principals: dict[str, dict[str, Any]] = field(default_factory=dict)
    federated: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # by application

    @property
    def passwords(self) -> dict[str, dict[str, Any]]:
        """All client secrets, by their keyId."""
        return {
            str(one["keyId"]): one
            for application in self.applications.values()
            for one in application["passwordCredentials"]
        }

    def application(self, **fields: Any) -> dict[str, Any]:
        """Make an application, as Graph would; the first is the one that the tests' Entra ID knows."""
        known = {one["appId"] for one in self.applications.values()}
        made = {
            "id": str(uuid.uuid4()),
            "appId": CLIENT if CLIENT not in known else str(uuid.uuid4()),
            "createdDateTime": _now(),
            "signInAudience": "AzureADMyOrg",
            "publisherDomain": "acme.example",
            "tags": [],
            "identifierUris": [],
            "isFallbackPublicClient": None,
            "notes": None,
            "passwordCredentials": [],
            "keyCredentials": [],
            **fields,
        }
        self.applications[made["id"]] = made
        self.federated[made["id"]] = {}
        return made

    def principal(self, application: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        """Make the service principal of an application."""
        made = {
            "id": str(uuid.uuid4()),
            "appId": application["appId"],
            "displayName": application["displayName"],
            "appOwnerOrganizationId": TENANT,
            "createdDateTime": _now(),
            "accountEnabled": True,
            "appRoleAssignmentRequired": False,
            "tags": [],
            "notes": None,
            "passwordCredentials": [],
            "keyCredentials": [],
            **fields,
        }
        self.principals[made["id"]] = made
        return made

    def trust(self, application: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        """Make a federated credential of an application."""
        made = {"id": str(uuid.uuid4()), "description": None, **fields}
        self.federated[application["id"]][made["id"]] = made
        return made

    # --- requests -----------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, query: Mapping[str, str], body: Any, url: str) -> Answer:
        """The answer to one request; ``url`` is where this server is."""
        if not self.allows:
            return _error(403, "Authorization_RequestDenied", "Insufficient privileges")
        place = _PATH.fullmatch(path)
        if place is None:
            return self._unfit(f"Graph has no {path}")
        kind = place["part"] or place["kind"]
        if method in ("POST", "PATCH"):
            form = _SENT.get(f"{method} {kind}", False)
            for error in jsonschema.Draft202012Validator(form).iter_errors(body):
                return self._unfit(f"{method} {kind}{error.json_path[1:]}: {error.message}")
        held = self.applications if place["kind"] == "applications" else self.principals
        if place["id"] is None and place["app"] is None:
            return self._made(kind, body) if method == "POST" else self._listed(kind, query, url)
        by_client = {str(one["appId"]): one for one in held.values()}
        thing = held.get(place["id"]) or by_client.get(place["app"])
        if thing is None:
            return _error(404, "Request_ResourceNotFound", f"{path} does not exist")
        if kind == "federatedIdentityCredentials":
            return self._trust(method, thing, place["of"], body)
        if place["part"] is not None:
            return self._password(kind, thing, body)
        return self._one(method, kind, thing, body)

    def _one(self, method: str, kind: str, thing: dict[str, Any], body: Any) -> Answer:
        if method == "GET":
            return self._told(kind, thing)
        if method == "PATCH":
            thing.update(body)
        else:
            self._end(kind, thing)
        return Answer(204, None)

    def _made(self, kind: str, body: dict[str, Any]) -> Answer:
        if kind == "applications":
            return self._told(kind, self.application(**body), 201)
        owner = next((one for one in self.applications.values() if one["appId"] == body["appId"]), None)
        if owner is None:
            return _error(400, "Request_BadRequest", "The appId references no application")
        if any(one["appId"] == body["appId"] for one in self.principals.values()):
            return _error(409, "Request_MultipleObjectsWithSameKeyValue", "The service principal is in use")
        return self._told(kind, self.principal(owner, **body), 201)

    def _end(self, kind: str, thing: dict[str, Any]) -> None:
        if kind == "servicePrincipals":
            del self.principals[thing["id"]]
        else:
            del self.applications[thing["id"]]
            del self.federated[thing["id"]]
            mine = [key for key, one in self.principals.items() if one["appId"] == thing["appId"]]
            for key in mine:
                del self.principals[key]

    def _listed(self, kind: str, query: Mapping[str, str], url: str) -> Answer:
        found = [*(self.applications if kind == "applications" else self.principals).values()]
        wanted = query.get("$filter")
        if wanted is not None:
            for pattern, holds in _FILTERS:
                match = re.fullmatch(pattern, wanted)
                if match is not None:
                    text = match["text"].replace("''", "'")
                    found = [one for one in found if holds(one, text)]
                    break
            else:
                return self._unfit(f"Request_UnsupportedQuery: {wanted}")
        start = int(query.get("$skiptoken", "0"))
        answer: dict[str, Any] = {"@odata.context": f"{_CONTEXT}#{kind}"}
        answer["value"] = [self._told(kind, one).body for one in found[start : start + self.page]]
        if start + self.page < len(found):
            following = {**query, "$skiptoken": start + self.page}
            answer["@odata.nextLink"] = f"{url}/v1.0/{kind}?{urlencode(following)}"
        return Answer(200, answer)

    def _trust(self, method: str, application: dict[str, Any], which: str | None, body: Any) -> Answer:
        held, kind = self.federated[application["id"]], "federatedIdentityCredentials"
        if which is None and method == "GET":
            listed = [self._told(kind, one).body for one in held.values()]
            return Answer(200, {"@odata.context": f"{_CONTEXT}#{kind}", "value": listed})
        if which is None:
            pairs = {(one["issuer"], one["subject"]) for one in held.values()}
            names = {one["name"] for one in held.values()}
            if body["name"] in names or (body["issuer"], body["subject"]) in pairs:
                return _error(409, "Request_MultipleObjectsWithSameKeyValue", "exists already")
            return self._told(kind, self.trust(application, **body), 201)
        if which not in held:
            return _error(404, "Request_ResourceNotFound", f"{which} does not exist")
        if method == "GET":
            return self._told(kind, held[which])
        if method == "PATCH":
            held[which].update(body)
        else:
            del held[which]
        return Answer(204, None)

    def _password(self, action: str, application: dict[str, Any], body: Any) -> Answer:
        held = application["passwordCredentials"]
        if action == "removePassword":
            held[:] = [one for one in held if one["keyId"] != body["keyId"]]
            return Answer(204, None)
        secret = secrets.token_urlsafe(24)
        given = {"startDateTime": _now(), **body["passwordCredential"]}
        held.append({**given, "keyId": str(uuid.uuid4()), "hint": secret[:3], "secretText": None})
        if self.entra is not None:
            self.entra.also_takes.add(secret)
        return Answer(200, {**held[-1], "secretText": secret})

    def _told(self, kind: str, thing: dict[str, Any], status: int = 200) -> Answer:
        for error in jsonschema.Draft202012Validator(_ANSWERED[kind]).iter_errors(thing):
            return self._unfit(f"answered {kind}{error.json_path[1:]}: {error.message}")
        return Answer(status, {"@odata.context": f"{_CONTEXT}#{kind}/$entity", **thing})

    def _unfit(self, problem: str) -> Answer:
        self.problems.found.append(problem)
        return _error(400, "Request_BadRequest", problem)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})
