"""The stand-in for hashicorp/azuread: what is given is kept, under ids such as Microsoft Graph makes up."""

from __future__ import annotations

import uuid

from standin.api import Api
from standin.resources import Resource
from standin.values import Values


class Application(Resource):
    def computed(self, api: Api, planned: Values) -> Values:
        """The one application that the token endpoint of the tests knows."""
        return {"client_id": api.ask("GET", "/whoami").body["client_id"], "object_id": str(uuid.uuid4())}

    def identity(self, planned: Values) -> str:
        return f"/applications/{uuid.uuid4()}"


class ServicePrincipal(Resource):
    def computed(self, api: Api, planned: Values) -> Values:
        me = api.ask("GET", "/whoami").body
        return {"object_id": str(uuid.uuid4()), "application_tenant_id": me["tenant_id"]}


class Federated(Resource):
    force_new = frozenset({"application_id"})


RESOURCES = {
    "azuread_application": Application,
    "azuread_service_principal": ServicePrincipal,
    "azuread_application_federated_identity_credential": Federated,
}
