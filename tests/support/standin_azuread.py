"""The stand-in for hashicorp/azuread: the types in use, through the paths and bodies of Microsoft Graph.

Between Terraform's values and Graph's bodies it goes the way that the provider's documentation and published
source describe; what it keeps is in :mod:`microsoft_graph`, where the commands look, too.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from standin.api import Api
from standin.resources import Resource
from standin.values import Values

_GONE = (204, 404)


class _Entity(Resource):
    """An object of the directory; its ``id`` is ``/KIND/OBJECT_ID``."""

    kind = ""

    def body(self, planned: Values) -> dict[str, Any]:
        raise NotImplementedError

    def state(self, found: dict[str, Any], state: Values) -> Values:
        """Terraform's values of what was found; ``state`` is what it knew."""
        raise NotImplementedError

    def create(self, api: Api, planned: Values) -> Values:
        made = api.ask("POST", f"/v1.0/{self.kind}", self.body(planned)).body
        return self._read(api, f"/{self.kind}/{made['id']}", planned)

    def read(self, api: Api, state: Values) -> Values | None:
        found = api.get(f"/v1.0{state['id']}")
        return None if found is None else self.state(found, state)

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        changes = {name: value for name, value in self.body(planned).items() if name != "appId"}
        api.ask("PATCH", f"/v1.0{prior['id']}", changes)
        return self._read(api, prior["id"], planned)

    def delete(self, api: Api, state: Values) -> None:
        api.ask("DELETE", f"/v1.0{state['id']}", expect=_GONE)

    def import_state(self, api: Api, identifier: str) -> Values:
        if not identifier.startswith(f"/{self.kind}/"):
            raise RuntimeError(f"parsing {identifier!r}: an ID is /{self.kind}/OBJECT_ID")
        return {"id": identifier}

    def _read(self, api: Api, identifier: str, planned: Values) -> Values:
        return self.state(api.ask("GET", f"/v1.0{identifier}").body, planned)


class Application(_Entity):
    kind = "applications"
    defaults: ClassVar = {"sign_in_audience": "AzureADMyOrg", "fallback_public_client_enabled": False}

    def create(self, api: Api, planned: Values) -> Values:
        """Named otherwise for a moment, so that it is seen whether Entra ID knows it everywhere."""
        made = api.ask("POST", "/v1.0/applications", self.body(planned)).body
        path = f"/applications/{made['id']}"
        for name in (f"TERRAFORM_UPDATE_{uuid.uuid4()}", planned["display_name"]):
            api.ask("PATCH", f"/v1.0{path}", {"displayName": name})
        return self._read(api, path, planned)

    def body(self, planned: Values) -> dict[str, Any]:
        return {
            "displayName": planned["display_name"],
            "signInAudience": planned["sign_in_audience"],
            "tags": planned["tags"] or [],
            "notes": planned["notes"],
            "identifierUris": planned["identifier_uris"] or [],
            "isFallbackPublicClient": planned["fallback_public_client_enabled"],
        }

    def state(self, found: dict[str, Any], state: Values) -> Values:
        return {
            **state,
            "id": f"/applications/{found['id']}",
            "object_id": found["id"],
            "client_id": found["appId"],
            "display_name": found["displayName"],
            "sign_in_audience": found["signInAudience"],
            "tags": found["tags"],
            "notes": found["notes"],
            "identifier_uris": found["identifierUris"] or None,
            "fallback_public_client_enabled": bool(found["isFallbackPublicClient"]),
            "publisher_domain": found["publisherDomain"],
        }


class ServicePrincipal(_Entity):
    kind = "servicePrincipals"
    force_new = frozenset({"client_id"})
    defaults: ClassVar = {"account_enabled": True, "app_role_assignment_required": False}

    def body(self, planned: Values) -> dict[str, Any]:
        return {
            "appId": planned["client_id"],
            "accountEnabled": planned["account_enabled"],
            "appRoleAssignmentRequired": planned["app_role_assignment_required"],
            "tags": planned["tags"] or [],
            "notes": planned["notes"],
        }

    def state(self, found: dict[str, Any], state: Values) -> Values:
        return {
            **state,
            "id": f"/servicePrincipals/{found['id']}",
            "object_id": found["id"],
            "client_id": found["appId"],
            "account_enabled": found["accountEnabled"],
            "app_role_assignment_required": found["appRoleAssignmentRequired"],
            "tags": found["tags"],
            "notes": found["notes"],
            "display_name": found["displayName"],
            "application_tenant_id": found["appOwnerOrganizationId"],
            "type": "Application",
        }


class Federated(Resource):
    """Its ``id`` is Terraform's own: ``OBJECT_ID/federatedIdentityCredential/CREDENTIAL_ID``."""

    force_new = frozenset({"application_id", "display_name"})

    def create(self, api: Api, planned: Values) -> Values:
        application = planned["application_id"].rpartition("/")[2]
        body = {"name": planned["display_name"], **_trust(planned)}
        path = f"/v1.0/applications/{application}/federatedIdentityCredentials"
        made = api.ask("POST", path, body).body
        identifier = f"{application}/federatedIdentityCredential/{made['id']}"
        return self.read(api, {**planned, "id": identifier}) or {}

    def read(self, api: Api, state: Values) -> Values | None:
        found = api.get(self.path(state))
        if found is None:
            return None
        application = state["id"].partition("/")[0]
        return {
            **state,
            "application_id": f"/applications/{application}",
            "credential_id": found["id"],
            "display_name": found["name"],
            "issuer": found["issuer"],
            "subject": found["subject"],
            "audiences": found["audiences"],
        }

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        api.ask("PATCH", self.path(prior), _trust(planned))
        return self.read(api, planned) or {}

    def delete(self, api: Api, state: Values) -> None:
        api.ask("DELETE", self.path(state), expect=_GONE)

    def path(self, state: Values) -> str:
        application, _, credential = state["id"].split("/")
        return f"/v1.0/applications/{application}/federatedIdentityCredentials/{credential}"


def _trust(planned: Values) -> dict[str, Any]:
    return {name: planned[name] for name in ("issuer", "subject", "audiences")}


RESOURCES = {
    "azuread_application": Application,
    "azuread_service_principal": ServicePrincipal,
    "azuread_application_federated_identity_credential": Federated,
}
