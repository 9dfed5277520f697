"""Storage accounts, containers and management policies, between Terraform's values and Azure's bodies."""

from __future__ import annotations

from typing import Any, ClassVar

from standin.api import Api
from standin.values import Values
from standin_azure_managed import Managed, group_of

_STORAGE = {"api-version": "2023-05-01"}


class StorageAccount(Managed):
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
        group = group_of(api, planned["resource_group_name"])
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


class StorageContainer(Managed):
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


class ManagementPolicy(Managed):
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
