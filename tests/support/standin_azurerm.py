"""The stand-in for hashicorp/azurerm: the types in use, against the management of :mod:`azure_management`.

Between Terraform's values and Azure's bodies it goes the way that the provider's documentation and published
source describe; types that are not here are kept as they are given.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any, ClassVar

from standin.api import Api
from standin.resources import DataSource, Resource
from standin.values import Values

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


def _group(api: Api, name: str) -> str:
    return f"/subscriptions/{api.config['subscription_id']}/resourceGroups/{name}"


class _Managed(Resource):
    """A resource of the management: its ``id`` is its path."""

    version = "2023-05-01"

    def where(self, api: Api, planned: Values) -> str:
        raise NotImplementedError

    def body(self, planned: Values) -> dict[str, Any]:
        raise NotImplementedError

    def state(self, api: Api, found: dict[str, Any], state: Values) -> Values:
        """Terraform's values of what was found; ``state`` is what it knew."""
        raise NotImplementedError

    def create(self, api: Api, planned: Values) -> Values:
        path = self.where(api, planned)
        if self._get(api, path) is not None:
            raise RuntimeError(f"a resource with the ID {path!r} already exists - it needs to be imported")
        self._put(api, path, planned)
        return self._read(api, path, planned)

    def read(self, api: Api, state: Values) -> Values | None:
        found = self._get(api, state["id"])
        return None if found is None else self.state(api, found, state)

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        self._put(api, prior["id"], planned)
        return self._read(api, prior["id"], planned)

    def delete(self, api: Api, state: Values) -> None:
        api.ask("DELETE", state["id"], query={"api-version": self.version}, expect=(200, 202, 204, 404))

    def _get(self, api: Api, path: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = api.get(path, query={"api-version": self.version})
        return found

    def _put(self, api: Api, path: str, planned: Values) -> None:
        api.ask("PUT", path, self.body(planned), query={"api-version": self.version})

    def _read(self, api: Api, path: str, planned: Values) -> Values:
        found = self._get(api, path)
        if found is None:
            raise RuntimeError(f"{path} is not there although it was just made")
        return self.state(api, found, planned)


class ResourceGroup(_Managed):
    version = "2021-04-01"
    force_new = frozenset({"name", "location"})

    def where(self, api: Api, planned: Values) -> str:
        return _group(api, planned["name"])

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


class StorageAccount(_Managed):
    force_new = frozenset({"name", "location", "resource_group_name", "infrastructure_encryption_enabled"})
    defaults: ClassVar = {
        "account_kind": "StorageV2",
        "dns_endpoint_type": "Standard",
        "is_hns_enabled": False,
        "nfsv3_enabled": False,
        "queue_encryption_key_type": "Service",
        "sftp_enabled": False,
        "table_encryption_key_type": "Service",
        "access_tier": "Hot",
        "blob_properties.change_feed_enabled": False,
        "blob_properties.last_access_time_enabled": False,
        "blob_properties.delete_retention_policy.permanent_delete_enabled": False,
    }

    def where(self, api: Api, planned: Values) -> str:
        group = _group(api, planned["resource_group_name"])
        return f"{group}/providers/Microsoft.Storage/storageAccounts/{planned['name']}"

    def body(self, planned: Values) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "accessTier": planned["access_tier"],
            "supportsHttpsTrafficOnly": planned["https_traffic_only_enabled"],
            "minimumTlsVersion": planned["min_tls_version"],
            "allowBlobPublicAccess": planned["allow_nested_items_to_be_public"],
            "allowSharedKeyAccess": planned["shared_access_key_enabled"],
            "allowCrossTenantReplication": planned["cross_tenant_replication_enabled"],
            "defaultToOAuthAuthentication": planned["default_to_oauth_authentication"],
            "isLocalUserEnabled": planned["local_user_enabled"],
            "isHnsEnabled": planned["is_hns_enabled"],
            "publicNetworkAccess": "Enabled" if planned["public_network_access_enabled"] else "Disabled",
            "encryption": {
                "requireInfrastructureEncryption": planned["infrastructure_encryption_enabled"],
                "keySource": "Microsoft.Storage",
            },
            "networkAcls": {"defaultAction": "Allow", "bypass": "AzureServices"},
        }
        for rules in planned["network_rules"]:
            properties["networkAcls"] = {
                "defaultAction": rules["default_action"],
                "bypass": ", ".join(sorted(rules["bypass"] or ["AzureServices"])),
                "ipRules": [{"value": value, "action": "Allow"} for value in rules["ip_rules"] or ()],
                "virtualNetworkRules": [
                    {"id": value, "action": "Allow"} for value in rules["virtual_network_subnet_ids"] or ()
                ],
            }
        for key in planned["customer_managed_key"]:
            vault, _, rest = key["key_vault_key_id"].partition("/keys/")
            properties["encryption"] |= {
                "keySource": "Microsoft.Keyvault",
                "keyvaultproperties": {"keyvaulturi": vault, "keyname": rest.split("/")[0]},
                "identity": {"userAssignedIdentity": key["user_assigned_identity_id"]},
            }
        body = {
            "location": planned["location"],
            "kind": planned["account_kind"],
            "sku": {"name": f"{planned['account_tier']}_{planned['account_replication_type']}"},
            "tags": planned["tags"] or {},
            "properties": properties,
        }
        for identity in planned["identity"]:
            named = {one: {} for one in identity["identity_ids"] or ()}
            body["identity"] = {"type": identity["type"], "userAssignedIdentities": named}
        return body

    def _put(self, api: Api, path: str, planned: Values) -> None:
        super()._put(api, path, planned)
        for blob in planned["blob_properties"]:
            body = {
                "properties": {
                    "isVersioningEnabled": blob["versioning_enabled"],
                    "deleteRetentionPolicy": _retention(blob["delete_retention_policy"]),
                    "containerDeleteRetentionPolicy": _retention(blob["container_delete_retention_policy"]),
                }
            }
            api.ask("PUT", f"{path}/blobServices/default", body, query=_STORAGE)

    def state(self, api: Api, found: dict[str, Any], state: Values) -> Values:
        properties = found["properties"]
        tier, _, replication = found["sku"]["name"].partition("_")
        service = api.get(f"{found['id']}/blobServices/default", query=_STORAGE) or {"properties": {}}
        keys = api.ask("POST", f"{found['id']}/listKeys", {}, query=_STORAGE).body["keys"]
        return {
            **{
                name: state.get(name)
                for name in (*self.defaults, "identity", "customer_managed_key")
                if "." not in name
            },
            "id": found["id"],
            "name": found["name"],
            "resource_group_name": found["id"].split("/")[4],
            "location": found["location"],
            "tags": found.get("tags") or None,
            "account_kind": found["kind"],
            "account_tier": tier,
            "account_replication_type": replication,
            "access_tier": properties["accessTier"],
            "https_traffic_only_enabled": properties["supportsHttpsTrafficOnly"],
            "min_tls_version": properties["minimumTlsVersion"],
            "allow_nested_items_to_be_public": properties["allowBlobPublicAccess"],
            "shared_access_key_enabled": properties["allowSharedKeyAccess"],
            "cross_tenant_replication_enabled": properties["allowCrossTenantReplication"],
            "default_to_oauth_authentication": properties["defaultToOAuthAuthentication"],
            "local_user_enabled": properties["isLocalUserEnabled"],
            "public_network_access_enabled": properties["publicNetworkAccess"] == "Enabled",
            "infrastructure_encryption_enabled": properties["encryption"]["requireInfrastructureEncryption"],
            "network_rules": _rules(properties["networkAcls"]) if state.get("network_rules") else [],
            "blob_properties": [_blob(service["properties"])],
            "primary_blob_endpoint": properties["primaryEndpoints"]["blob"],
            "primary_location": found["location"],
            "primary_access_key": keys[0]["value"],  # as the real one, whether or not the keys work
        }


def _retention(policy: list[Values]) -> dict[str, Any]:
    return {"enabled": bool(policy), **({"days": int(policy[0]["days"])} if policy else {})}


def _kept(policy: dict[str, Any] | None, **more: Any) -> list[dict[str, Any]]:
    return [{"days": policy["days"], **more}] if policy and policy.get("enabled") else []


def _blob(properties: dict[str, Any]) -> Values:
    return {
        "versioning_enabled": properties.get("isVersioningEnabled", False),
        "change_feed_enabled": False,
        "last_access_time_enabled": False,
        "delete_retention_policy": _kept(
            properties.get("deleteRetentionPolicy"), permanent_delete_enabled=False
        ),
        "container_delete_retention_policy": _kept(properties.get("containerDeleteRetentionPolicy")),
    }


def _rules(acls: dict[str, Any]) -> list[Values]:
    return [
        {
            "default_action": acls["defaultAction"],
            "bypass": acls["bypass"].split(", "),
            "ip_rules": [rule["value"] for rule in acls.get("ipRules", ())],
            "virtual_network_subnet_ids": [rule["id"] for rule in acls.get("virtualNetworkRules", ())],
            "private_link_access": [],
        }
    ]


class StorageContainer(_Managed):
    force_new = frozenset({"name", "storage_account_id"})
    defaults: ClassVar = {
        "container_access_type": "private",
        "encryption_scope_override_enabled": True,
        "default_encryption_scope": "$account-encryption-key",
    }
    _access: ClassVar = {"private": "None", "blob": "Blob", "container": "Container"}

    def where(self, api: Api, planned: Values) -> str:
        return f"{planned['storage_account_id']}/blobServices/default/containers/{planned['name']}"

    def body(self, planned: Values) -> dict[str, Any]:
        return {"properties": {"publicAccess": self._access[planned["container_access_type"]]}}

    def state(self, api: Api, found: dict[str, Any], state: Values) -> Values:
        public = {value: key for key, value in self._access.items()}
        return {
            **{name: state.get(name) for name in self.schema["attributes"]},
            **{name: state.get(name) or value for name, value in self.defaults.items()},
            "id": found["id"],
            "name": found["name"],
            "storage_account_id": found["id"].partition("/blobServices/")[0],
            "container_access_type": public[found["properties"].get("publicAccess") or "None"],
            "has_immutability_policy": False,
            "has_legal_hold": False,
        }


class ManagementPolicy(_Managed):
    force_new = frozenset({"storage_account_id"})
    _days = (
        ("base_blob", "tier_to_cold_after_days_since_modification_greater_than", "baseBlob", "tierToCold"),
        ("snapshot", "delete_after_days_since_creation_greater_than", "snapshot", "delete"),
        ("version", "delete_after_days_since_creation", "version", "delete"),
    )
    defaults: ClassVar = {
        f"rule.actions.base_blob.{kind}_after_days_since_{event}_greater_than": -1
        for kind in ("delete", "tier_to_archive", "tier_to_cold", "tier_to_cool")
        for event in ("creation", "last_access_time", "modification")
    } | {
        "rule.actions.base_blob.tier_to_archive_after_days_since_last_tier_change_greater_than": -1,
        **{
            f"rule.actions.{kind}.{name}": -1
            for kind in ("snapshot", "version")
            for name in (
                "change_tier_to_archive_after_days_since_creation",
                "change_tier_to_cool_after_days_since_creation",
                "tier_to_archive_after_days_since_last_tier_change_greater_than",
                "tier_to_cold_after_days_since_creation_greater_than",
            )
        },
    }

    def where(self, api: Api, planned: Values) -> str:
        return f"{planned['storage_account_id']}/managementPolicies/default"

    def body(self, planned: Values) -> dict[str, Any]:
        rules = []
        for rule in planned["rule"]:
            actions: dict[str, Any] = {}
            for block, name, kind, action in self._days:
                event = "Modification" if kind == "baseBlob" else "Creation"
                for chosen in rule["actions"][0][block]:
                    actions[kind] = {action: {f"daysAfter{event}GreaterThan": chosen[name]}}
            filters = {"blobTypes": list(rule["filters"][0]["blob_types"])}
            rules.append(
                {
                    "name": rule["name"],
                    "enabled": rule["enabled"],
                    "type": "Lifecycle",
                    "definition": {"actions": actions, "filters": filters},
                }
            )
        return {"properties": {"policy": {"rules": rules}}}

    def state(self, api: Api, found: dict[str, Any], state: Values) -> Values:
        rules = []
        for rule in found["properties"]["policy"]["rules"]:
            kinds = rule["definition"]["actions"]
            actions: Values = {}
            for block, name, kind, action in self._days:
                below = f"rule.actions.{block}."
                rest = {
                    key.removeprefix(below): value
                    for key, value in self.defaults.items()
                    if key.startswith(below)
                }
                days = next(iter(kinds.get(kind, {}).get(action, {}).values()), None)
                actions[block] = [] if days is None else [{**rest, name: days}]
            filters = {"blob_types": rule["definition"]["filters"]["blobTypes"]}
            rules.append(
                {
                    "name": rule["name"],
                    "enabled": rule["enabled"],
                    "actions": [actions],
                    "filters": [filters],
                }
            )
        account = found["id"].partition("/managementPolicies/")[0]
        return {"id": found["id"], "storage_account_id": account, "rule": rules}


class RoleAssignment(_Managed):
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


class UserAssignedIdentity(_Managed):
    version = "2023-01-31"
    force_new = frozenset({"name", "location", "resource_group_name"})

    def where(self, api: Api, planned: Values) -> str:
        group = _group(api, planned["resource_group_name"])
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
        found = api.get(_group(api, config["name"]), query={"api-version": "2021-04-01"})
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
