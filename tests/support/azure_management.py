"""Azure's management, as far as a stack goes: a server of the tests' own that keeps what it is given.

What is asked and what is answered is held to the models that Microsoft generates from the published interface
(:mod:`microsoft_models`), Microsoft Graph to forms of our own (:mod:`microsoft_graph`). Containers are made
in Azurite, so that what is managed here is what programs then read and write.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from microsoft_graph import Graph
from microsoft_models import Published
from microsoft_services import CLIENT, TENANT, Azurite, Entra
from small_server import Answer, Asked, serving

SUBSCRIPTION = "77777777-0000-0000-0000-000000000000"
APPLIER = "99999999-0000-0000-0000-000000000000"  # the object id in the tokens of microsoft_services
_ROLES = {
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Blob Delegator": "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
    "Key Vault Crypto Service Encryption User": "e147488a-f6f5-4113-8e2d-b22465e65bf6",
}
"""Built-in roles: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles."""


@dataclass
class Subscription:
    """One subscription. ``things`` are its resources by their id in lower case, for a test to look into."""

    azurite: Azurite
    entra: Entra | None = None
    url: str = ""
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    published: Published = field(default_factory=Published, repr=False)
    graph: Graph = field(default_factory=Graph)
    answers_late: str = ""  # once one of this type is made, the answer waits for `go`
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.graph.entra = self.entra
        self.graph.problems = self.published.problems

    def resource(self, identifier: str) -> dict[str, Any]:
        """A resource by its id, as it is kept."""
        return self.things[identifier.lower()]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """All resources of a type, such as ``roleAssignments``."""
        return [thing for key, thing in self.things.items() if key.split("/")[-2] == kind.lower()]

    def handle(self, asked: Asked) -> Answer:
        """The answer to one request."""
        path = unquote(asked.path).rstrip("/")
        self.asked.append(f"{asked.method} {path}")
        body = json.loads(asked.body) if asked.body else {}
        if path.startswith("/v1.0/"):
            answer = self.graph.handle(asked.method, path, asked.query, body, self.url)
            if asked.method == "POST":
                self._wait_if_late(path.rpartition("/")[2])
            return answer
        if path == "/whoami":
            return Answer(200, {"object_id": APPLIER, "tenant_id": TENANT, "client_id": CLIENT})
        if path.startswith("/azurerm_"):
            return self._kept(asked.method, path, body)
        if path.startswith("/metadata/endpoints"):
            return Answer(200, self._cloud())
        if "api-version" not in asked.query:
            return _error(400, "MissingApiVersionParameter")
        if path == "/subscriptions":
            return Answer(200, {"value": [{"subscriptionId": SUBSCRIPTION}]})
        if not path.startswith(f"/subscriptions/{SUBSCRIPTION}"):
            return _error(404, "SubscriptionNotFound")
        return self.published.held(asked, body, lambda: self._managed(asked, path, body))

    def _managed(self, asked: Asked, path: str, body: dict[str, Any]) -> Answer:
        if asked.method == "GET" and "roleDefinitions" in path:
            return _role_definitions(path, asked.query.get("$filter", ""))
        if asked.method == "GET" and path.lower() not in self.things:
            return self._list(path, asked.query.get("$filter", ""))
        if asked.method == "GET":
            return Answer(200, self.things[path.lower()])
        if asked.method == "POST" and path.endswith("/listKeys"):
            return Answer(200, {"keys": [{"keyName": "key1", "value": "c3dpdGNoZWQgb2Zm"}]})
        if asked.method == "PUT":
            return self._put(path, body)
        if asked.method == "DELETE":
            return self._delete(path)
        return _error(405, "MethodNotAllowed")

    def _cloud(self) -> dict[str, Any]:
        """What the real provider asks ARM_METADATA_HOSTNAME for, as https://management.azure.com says it."""
        login = self.entra.url if self.entra else self.url
        return {
            "name": "AzureCloud",
            "resourceManager": f"{self.url}/",
            "microsoftGraphResourceId": f"{self.url}/",
            "graphAudience": f"{self.url}/",
            "authentication": {
                "loginEndpoint": f"{login}/",
                "audiences": ["https://management.azure.com/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "suffixes": {
                "storage": "core.windows.net",
                "keyVaultDns": "vault.azure.net",
                "acrLoginServer": "azurecr.io",
            },
        }

    # --- lists --------------------------------------------------------------------------------------------

    def _list(self, path: str, wanted: str) -> Answer:
        if path.endswith("/resources"):
            name = re.search(r"name eq '([^']*)'", wanted)
            kind = re.search(r"resourceType eq '([^']*)'", wanted)
            below = path.removesuffix("/resources").lower()
            found = [
                thing
                for key, thing in self.things.items()
                if key.startswith(f"{below}/")
                and "/blobservices/" not in key
                and thing.get("type", "").count("/") == 1
                and "location" in thing
                and thing["type"] != "Microsoft.Resources/resourceGroups"
                and (name is None or thing["name"] == name[1])
                and (kind is None or thing["type"].lower() == kind[1].lower())
            ]
            return Answer(200, {"value": found})
        if path.endswith("/providers/Microsoft.Storage/storageAccounts"):
            return Answer(200, {"value": self.of_type("storageAccounts")})
        if path.endswith("/providers/Microsoft.Authorization/roleAssignments"):
            scope = path.partition("/providers/Microsoft.Authorization/")[0].lower()
            grants = self.of_type("roleAssignments")
            below = [one for one in grants if one["properties"]["scope"].lower().startswith(scope)]
            return Answer(200, {"value": below})
        return _error(404, "ResourceNotFound")

    # --- changes ------------------------------------------------------------------------------------------

    def _put(self, path: str, body: dict[str, Any]) -> Answer:
        kind, name = path.split("/")[-2:]
        parent = self._parent(path, kind)
        if parent is not None and parent.lower() not in self.things:
            return _error(404, "ParentResourceNotFound", parent)
        new = path.lower() not in self.things
        if kind == "roleAssignments":
            if new and self._granted(path, body):
                return _error(409, "RoleAssignmentExists")
            body = _assigned(path, body)
        made = self.things.get(path.lower(), {})
        thing = {**body, "id": path, "name": name, "type": _type(path)}
        thing["properties"] = {**body.get("properties", {}), **self._made_up(path, kind, name, made)}
        self.things[path.lower()] = thing
        if kind == "containers" and new:
            with self.azurite.service() as service:
                service.create_container(name)
        self._wait_if_late(kind)
        return Answer(200, thing)

    def _wait_if_late(self, kind: str) -> None:
        if kind == self.answers_late:
            self.reached.set()
            self.go.wait(120)

    def _parent(self, path: str, kind: str) -> str | None:
        if kind == "resourceGroups":
            return None
        if kind == "roleAssignments":
            scope = path.partition("/providers/Microsoft.Authorization/")[0]
            return None if "/Microsoft.KeyVault/" in scope else scope
        if "/blobServices/default/" in path:
            return path.partition("/blobServices/")[0]
        if kind in ("blobServices", "managementPolicies"):
            return path.rpartition(f"/{kind}/")[0]
        return path.partition("/providers/")[0]

    def _made_up(self, path: str, kind: str, name: str, made: Mapping[str, Any]) -> dict[str, Any]:
        """What the service itself says of a resource."""
        now = datetime.now(UTC).isoformat()
        earlier = made.get("properties", {})
        if kind == "storageAccounts":
            blob = f"{self.azurite.url.rpartition('/')[0]}/{name}/"
            return {
                "creationTime": earlier.get("creationTime", now),
                "provisioningState": "Succeeded",
                "primaryEndpoints": {"blob": blob},
            }
        if kind == "userAssignedIdentities":
            return {
                "clientId": earlier.get("clientId", str(uuid.uuid4())),
                "principalId": earlier.get("principalId", str(uuid.uuid4())),
                "tenantId": TENANT,
            }
        if kind == "roleAssignments":
            return {"createdOn": earlier.get("createdOn", now)}
        return {}

    def _granted(self, path: str, body: dict[str, Any]) -> bool:
        """Whether this principal has this role on this scope already: Azure does not grant it twice."""
        scope = path.partition("/providers/Microsoft.Authorization/")[0].lower()
        asked = (body["properties"]["principalId"], body["properties"]["roleDefinitionId"].split("/")[-1])
        return any(
            key.partition("/providers/microsoft.authorization/")[0] == scope
            and asked
            == (thing["properties"]["principalId"], thing["properties"]["roleDefinitionId"].split("/")[-1])
            for key, thing in self.things.items()
            if "/roleassignments/" in key
        )

    def _delete(self, path: str) -> Answer:
        gone = [key for key in self.things if key == path.lower() or key.startswith(f"{path.lower()}/")]
        for key in gone:
            thing = self.things.pop(key)
            if key.split("/")[-2] == "containers":
                with self.azurite.service() as service:
                    service.delete_container(thing["name"])
        return Answer(200 if gone else 204, None)

    # --- what the stand-in for azurerm keeps as it was given ------------------------------------------------

    def _kept(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        if method == "PUT":
            self.things[path.lower()] = body
        elif path.lower() not in self.things:
            return _error(404, "ResourceNotFound")
        elif method == "DELETE":
            del self.things[path.lower()]
            return Answer(204, None)
        return Answer(200, self.things[path.lower()])


def _assigned(path: str, body: dict[str, Any]) -> dict[str, Any]:
    scope = path.partition("/providers/Microsoft.Authorization/")[0]
    return {**body, "properties": {**body["properties"], "scope": scope}}


def _type(path: str) -> str:
    if "/providers/" not in path:
        return "Microsoft.Resources/resourceGroups"
    namespace, *rest = path.rpartition("/providers/")[2].split("/")
    return "/".join((namespace, *rest[::2]))


def _role_definitions(path: str, wanted: str) -> Answer:
    prefix = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
    name = re.search(r"roleName eq '([^']*)'", wanted)
    found = [
        {"id": f"{prefix}/{key}", "name": key, "properties": {"roleName": title}}
        for title, key in _ROLES.items()
        if (name and name[1] == title) or path.endswith(key)
    ]
    if path.endswith("/roleDefinitions"):
        return Answer(200, {"value": found})
    return Answer(200, found[0]) if found else _error(404, "RoleDefinitionDoesNotExist")


def _error(status: int, code: str, message: str = "") -> Answer:
    return Answer(status, {"error": {"code": code, "message": message or code}})


@contextmanager
def managing(azurite: Azurite, certificate: Path, entra: Entra | None = None) -> Iterator[Subscription]:
    """Serves over TLS on a free port until the block ends."""
    subscription = Subscription(azurite, entra)
    with serving(subscription.handle, certificate) as url:
        subscription.url = url
        yield subscription
        subscription.published.settle()
