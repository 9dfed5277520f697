"""The stand-in for hashicorp/azurerm: the types in use, against the management of :mod:`azure_management`.

Between Terraform's values and Azure's bodies it goes the way that the provider's documentation and published
source describe; types that are not here are kept as they are given.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from standin.api import Api
from standin.resources import DataSource
from standin.values import Values
from standin_azure_managed import Managed, group_of
from standin_azure_storage import ManagementPolicy, StorageAccount, StorageContainer

_SCHEMA = Path(__file__).resolve().parents[1] / "data" / "provider-schemas" / "azurerm-5.10.0.json"
(_DOCUMENT,) = json.loads(_SCHEMA.read_text())["provider_schemas"].values()
_DATA = {name: source["block"] for name, source in _DOCUMENT["data_source_schemas"].items()}
_STORAGE = {"api-version": "2023-05-01"}


def configure(api: Api) -> list[str]:
    """A subscription is needed, and one that is there."""
    subscription = api.config.get("subscription_id")
    if not subscription:
        return ["`subscription_id` is a required provider property when performing a plan/apply operation"]
    listed = api.ask("GET", "/subscriptions", query={"api-version": "2022-12-01"}).body["value"]
    if subscription not in [item["subscriptionId"] for item in listed]:
        return [f"the subscription {subscription} was not found"]
    return []


class ResourceGroup(Managed):
    version = "2021-04-01"
    force_new = frozenset({"name", "location"})

    def where(self, api: Api, planned: Values) -> str:
        return group_of(api, planned["name"])

    def body(self, planned: Values) -> dict[str, Any]:
        return {"location": planned["location"], "tags": planned["tags"] or {}}

    def state(self, api: Api, found: dict[str, Any], state: Values) -> Values:
        return {
            "id": found["id"],
            "name": found["name"],
            "location": found["location"],
            "tags": found.get("tags") or None,
        }

    def delete(self, api: Api, state: Values) -> None:
        listed = api.ask("GET", f"{state['id']}/resources", query={"api-version": "2021-04-01"}).body["value"]
        features = (api.config.get("features") or [{}])[0]
        keeps = (features.get("resource_group") or [{}])[0].get(
            "prevent_deletion_if_contains_resources", True
        )
        if listed and keeps:
            names = ", ".join(item["id"] for item in listed)
            raise RuntimeError(f"the Resource Group still contains Resources: {names}")
        super().delete(api, state)


class RoleAssignment(Managed):
    version = "2022-04-01"
    force_new = frozenset(
        {"name", "scope", "role_definition_id", "role_definition_name", "principal_id", "principal_type"}
    )

    def where(self, api: Api, planned: Values) -> str:
        name = planned["name"] or str(uuid.uuid4())
        return f"{planned['scope']}/providers/Microsoft.Authorization/roleAssignments/{name}"

    def body(self, planned: Values) -> dict[str, Any]:
        raise NotImplementedError  # a role is looked up first: see _put

    def _put(self, api: Api, path: str, planned: Values) -> None:
        definitions = f"{planned['scope']}/providers/Microsoft.Authorization/roleDefinitions"
        query = {"api-version": self.version, "$filter": f"roleName eq '{planned['role_definition_name']}'"}
        found = api.ask("GET", definitions, query=query).body["value"]
        if not found:
            raise RuntimeError(f"could not find role {planned['role_definition_name']!r}")
        properties = {"roleDefinitionId": found[0]["id"], "principalId": planned["principal_id"]}
        if planned["principal_type"]:
            properties["principalType"] = planned["principal_type"]
        api.ask("PUT", path, {"properties": properties}, query={"api-version": self.version})

    def state(self, api: Api, found: dict[str, Any], state: Values) -> Values:
        properties = found["properties"]
        definition = api.ask("GET", properties["roleDefinitionId"], query={"api-version": self.version}).body
        return {
            "id": found["id"],
            "name": found["name"],
            "scope": properties["scope"],
            "principal_id": properties["principalId"],
            "principal_type": properties.get("principalType") or "User",
            "role_definition_id": properties["roleDefinitionId"],
            "role_definition_name": definition["properties"]["roleName"],
        }


class UserAssignedIdentity(Managed):
    version = "2023-01-31"
    force_new = frozenset({"name", "location", "resource_group_name"})

    def where(self, api: Api, planned: Values) -> str:
        group = group_of(api, planned["resource_group_name"])
        return f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{planned['name']}"

    def body(self, planned: Values) -> dict[str, Any]:
        return {"location": planned["location"], "tags": planned["tags"] or {}}

    def state(self, api: Api, found: dict[str, Any], state: Values) -> Values:
        return {
            "id": found["id"],
            "name": found["name"],
            "resource_group_name": found["id"].split("/")[4],
            "location": found["location"],
            "tags": found.get("tags") or None,
            "client_id": found["properties"]["clientId"],
            "principal_id": found["properties"]["principalId"],
            "tenant_id": found["properties"]["tenantId"],
        }


class ClientConfig(DataSource):
    def read(self, api: Api, config: Values) -> Values:
        return {
            "id": "whoami",
            "subscription_id": api.config["subscription_id"],
            **api.ask("GET", "/whoami").body,
        }


class ResourceGroupData(DataSource):
    def read(self, api: Api, config: Values) -> Values:
        found = api.get(group_of(api, config["name"]), query={"api-version": "2021-04-01"})
        if found is None:
            raise RuntimeError(f"Resource Group {config['name']!r} was not found")
        return {
            "id": found["id"],
            "name": found["name"],
            "location": found["location"],
            "tags": found.get("tags") or None,
        }


class Resources(DataSource):
    def read(self, api: Api, config: Values) -> Values:
        wanted = f"resourceType eq '{config['type']}' and name eq '{config['name']}'"
        path = f"/subscriptions/{api.config['subscription_id']}/resources"
        query = {"api-version": "2021-04-01", "$filter": wanted}
        found = [
            {
                "id": item["id"],
                "name": item["name"],
                "type": item["type"],
                "location": item["location"],
                "resource_group_name": item["id"].split("/")[4],
                "tags": item.get("tags") or {},
            }
            for item in api.ask("GET", path, query=query).body["value"]
        ]
        return {**config, "id": "resources", "resources": found}


class ContainerData(DataSource):
    def read(self, api: Api, config: Values) -> Values:
        path = f"{config['storage_account_id']}/blobServices/default/containers/{config['name']}"
        found = api.get(path, query=_STORAGE)
        if found is None:
            raise RuntimeError(f"Container {config['name']!r} was not found")
        return {**config, "id": found["id"], "container_access_type": "private", "metadata": {}}


DATA_SOURCES = {
    "azurerm_client_config": ClientConfig(schema=_DATA["azurerm_client_config"]),
    "azurerm_resource_group": ResourceGroupData(schema=_DATA["azurerm_resource_group"]),
    "azurerm_resources": Resources(schema=_DATA["azurerm_resources"]),
    "azurerm_storage_container": ContainerData(schema=_DATA["azurerm_storage_container"]),
}
RESOURCES = {
    "azurerm_resource_group": ResourceGroup,
    "azurerm_storage_account": StorageAccount,
    "azurerm_storage_container": StorageContainer,
    "azurerm_storage_management_policy": ManagementPolicy,
    "azurerm_role_assignment": RoleAssignment,
    "azurerm_user_assigned_identity": UserAssignedIdentity,
}
