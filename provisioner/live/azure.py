"""Storage accounts, containers and grants as ``modules/azure`` makes them, read from Azure's management.

The attributes have the names and shapes of the azurerm provider's schema. The answers are read as they come:
importing the SDK's models would take longer than all the questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from provisioner.errors import InputError
from provisioner.live.azure_applications import Applications
from provisioner.live.base import Found, Seen
from provisioner.live.compare import Tags
from provisioner.live.noted import Resource
from provisioner.manifest import Manifest
from provisioner.verify.azure_services import Rest, credential, management_url, translated

_SUBSCRIPTIONS = "2022-12-01"
_GROUPS = "2021-04-01"
_STORAGE = "2023-05-01"
_IDENTITIES = "2023-01-31"
_ROLES = "2022-04-01"
_NETWORK = "2023-11-01"
_LOGS = "2022-10-01"
_DIAGNOSTICS = "2021-05-01-preview"
_ACCESS = {"none": "private", "": "private", "blob": "blob", "container": "container"}


class Azure:
    """See :class:`provisioner.live.base.Reader`."""

    def __init__(self, manifest: Manifest) -> None:
        self._subscription = manifest.account
        identity = credential()
        self._management = Rest(management_url(), identity, f"{management_url()}/.default")
        self._applications = Applications(manifest, identity)

    @property
    def readings(self) -> Mapping[str, Callable[[Mapping[str, Any]], Found]]:
        """Every type that the modules use."""
        return {
            "azurerm_resource_group": lambda noted: self._tagged(noted, _GROUPS),
            "azurerm_storage_account": self._account,
            "azurerm_storage_container": self._container,
            "azurerm_storage_management_policy": self._policy,
            "azurerm_role_assignment": lambda noted: self._there(noted["id"], _ROLES),
            "azurerm_user_assigned_identity": lambda noted: self._tagged(noted, _IDENTITIES),
            "azurerm_private_endpoint": lambda noted: self._tagged(noted, _NETWORK),
            "azurerm_log_analytics_workspace": self._workspace,
            "azurerm_monitor_diagnostic_setting": self._diagnostics,
            **self._applications.readings,
        }

    def account(self) -> str | None:
        """The manifest's subscription where the credentials reach it, else the first that they reach."""
        with translated("asking for the subscriptions"):
            found = [
                str(item["subscriptionId"])
                for item in self._management.listed("/subscriptions", _SUBSCRIPTIONS)
            ]
        return self._subscription if self._subscription in found else next(iter(found), None)

    def uninvited(self, resources: Sequence[Resource]) -> list[str]:
        """What our identities were given, and who else may act as one, beside what the modules make."""
        return sorted({*self._granted(resources), *self._applications.uninvited(resources)})

    def _granted(self, resources: Sequence[Resource]) -> Iterator[str]:
        """Roles on our accounts."""
        grants = [item.attributes for item in resources if item.type == "azurerm_role_assignment"]
        ours = {str(grant["id"]).lower() for grant in grants}
        principals = {str(grant["principal_id"]) for grant in grants}
        accounts = {str(grant["scope"]).partition("/blobServices/")[0] for grant in grants}
        for account in sorted(account for account in accounts if "/storageAccounts/" in account):
            path = f"{account}/providers/Microsoft.Authorization/roleAssignments"
            with translated(f"reading who may use {account}"):
                listed = list(self._management.listed(path, _ROLES))
            for item in listed:
                properties = item["properties"]
                within = str(properties["scope"]).lower().startswith(account.lower())
                if within and properties["principalId"] in principals and str(item["id"]).lower() not in ours:
                    role = str(properties["roleDefinitionId"]).rpartition("/")[2]
                    yield f"{properties['principalId']} has the role {role} on {properties['scope']}"

    # --- storage ------------------------------------------------------------------------------------------

    def _account(self, noted: Mapping[str, Any]) -> Found:
        found = self._get(noted["id"], _STORAGE)
        if found is None:
            return None
        service = (self._get(f"{noted['id']}/blobServices/default", _STORAGE) or {}).get("properties", {})
        properties = found["properties"]
        attributes: dict[str, Any] = {
            "tags": Tags(found.get("tags") or {}),
            "account_replication_type": str(found["sku"]["name"]).partition("_")[2],
            "access_tier": properties.get("accessTier", "Hot"),
            "https_traffic_only_enabled": properties.get("supportsHttpsTrafficOnly", True),
            "min_tls_version": properties.get("minimumTlsVersion", "TLS1_0"),
            "allow_nested_items_to_be_public": properties.get("allowBlobPublicAccess", False),
            "shared_access_key_enabled": properties.get("allowSharedKeyAccess", True),
            "cross_tenant_replication_enabled": properties.get("allowCrossTenantReplication", False),
            "default_to_oauth_authentication": properties.get("defaultToOAuthAuthentication", False),
            "local_user_enabled": properties.get("isLocalUserEnabled", True),
            "public_network_access_enabled": properties.get("publicNetworkAccess", "Enabled") == "Enabled",
            "blob_properties": [
                {
                    "versioning_enabled": bool(service.get("isVersioningEnabled")),
                    "delete_retention_policy": _retention(service.get("deleteRetentionPolicy")),
                    "container_delete_retention_policy": _retention(
                        service.get("containerDeleteRetentionPolicy")
                    ),
                }
            ],
            "customer_managed_key": _key(properties.get("encryption", {}), noted),
        }
        # Without rules of its own an account has defaults, which some versions of the provider note.
        rules = noted.get("network_rules")
        if rules:
            attributes["network_rules"] = [_rules(properties.get("networkAcls", {}), rules[0])]
        return attributes

    def _container(self, noted: Mapping[str, Any]) -> Found:
        found = self._get(noted["id"], _STORAGE)
        if found is None:
            return None
        public = str(found["properties"].get("publicAccess") or "").lower()
        return {"container_access_type": _ACCESS.get(public, public)}

    def _policy(self, noted: Mapping[str, Any]) -> Found:
        found = self._get(noted["id"], _STORAGE)
        if found is None:
            return None
        return {"rule": [_rule(rule) for rule in found["properties"]["policy"]["rules"]]}

    # --- beside it ----------------------------------------------------------------------------------------

    def _workspace(self, noted: Mapping[str, Any]) -> Found:
        found = self._get(noted["id"], _LOGS)
        if found is None:
            return None
        days = found["properties"].get("retentionInDays")
        return {"tags": Tags(found.get("tags") or {}), "retention_in_days": days}

    def _diagnostics(self, noted: Mapping[str, Any]) -> Found:
        target, _, name = str(noted["id"]).partition("|")
        path = f"{target}/providers/Microsoft.Insights/diagnosticSettings/{name}"
        found = self._get(path, _DIAGNOSTICS)
        if found is None:
            return None
        logs = [log["category"] for log in found["properties"].get("logs", ()) if log.get("enabled")]
        known = [log["category"] for log in noted.get("enabled_log") or ()]
        return {"enabled_log": [{"category": category} for category in _as_noted(logs, known)]}

    def _tagged(self, noted: Mapping[str, Any], version: str) -> Found:
        found = self._get(noted["id"], version)
        return None if found is None else {"tags": Tags(found.get("tags") or {})}

    def _there(self, path: str, version: str) -> Found:
        return None if self._get(path, version) is None else {}

    def _get(self, path: str, version: str) -> dict[str, Any] | None:
        with translated(f"reading {path}"):
            return self._management.ask("GET", path, version)


def _retention(policy: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [{"days": policy.get("days")}] if policy and policy.get("enabled") else []


def _key(encryption: Mapping[str, Any], noted: Mapping[str, Any]) -> list[dict[str, Any]]:
    if str(encryption.get("keySource", "")).lower() != "microsoft.keyvault":
        return []
    held = encryption.get("keyvaultproperties") or encryption.get("keyVaultProperties") or {}
    found = f"{str(held.get('keyvaulturi', '')).rstrip('/')}/keys/{held.get('keyname', '')}"
    known = str((noted.get("customer_managed_key") or [{}])[0].get("key_vault_key_id", ""))
    # A key may be named with a version or without; without, Azure takes the newest.
    same = known == found or known.startswith(f"{found}/")
    return [{"key_vault_key_id": known if same else found}]


def _rules(acls: Mapping[str, Any], noted: Mapping[str, Any]) -> dict[str, Any]:
    bypass = [word.strip() for word in str(acls.get("bypass", "")).split(",") if word.strip()]
    addresses = [rule["value"] for rule in acls.get("ipRules", ())]
    subnets = [rule["id"] for rule in acls.get("virtualNetworkRules", ())]
    return {
        "default_action": acls.get("defaultAction", "Allow"),
        "bypass": _as_noted(bypass, noted.get("bypass")),
        "ip_rules": _as_noted(addresses, noted.get("ip_rules")),
        "virtual_network_subnet_ids": _as_noted(subnets, noted.get("virtual_network_subnet_ids")),
    }


def _as_noted(found: Iterable[str], noted: Sequence[str] | None) -> list[str]:
    """A set in the order in which Terraform noted it, and else in order."""
    known = list(noted or ())
    return known if set(found) == set(known) else sorted(found)


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    actions = rule["definition"]["actions"]
    return {
        "name": rule["name"],
        "enabled": rule.get("enabled", True),
        "actions": [
            {
                "base_blob": _days(
                    actions,
                    "baseBlob",
                    "tierToCold",
                    "tier_to_cold_after_days_since_modification_greater_than",
                ),
                "snapshot": _days(
                    actions, "snapshot", "delete", "delete_after_days_since_creation_greater_than"
                ),
                "version": _days(actions, "version", "delete", "delete_after_days_since_creation"),
            }
        ],
    }


def _days(actions: Mapping[str, Any], kind: str, action: str, name: str) -> list[dict[str, int]]:
    chosen = actions.get(kind, {}).get(action, {})
    return [{name: int(days)} for days in chosen.values()]


def look(bucket: str, given: Mapping[str, str]) -> Seen:
    """A container: where its account is, and what protects it. The account has to be named."""
    name = given.get("storage_account")
    if name is None:
        raise InputError(
            f"a container is named within its storage account, and {bucket!r} does not say which",
            hint="give --storage_account=NAME",
        )
    with translated(f"looking at az://{bucket}"):
        management = Rest(management_url(), credential(), f"{management_url()}/.default")
        subscriptions = (
            [given["account"]]
            if "account" in given
            else [str(item["subscriptionId"]) for item in management.listed("/subscriptions", _SUBSCRIPTIONS)]
        )
        for subscription in subscriptions:
            path = f"/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts"
            for account in management.listed(path, _STORAGE):
                if account["name"] == name:
                    container = management.ask(
                        "GET", f"{account['id']}/blobServices/default/containers/{bucket}", _STORAGE
                    )
                    return _seen(subscription, bucket, account, container)
    raise InputError(
        f"there is no storage account {name!r} that these credentials may see",
        hint="az storage account list --query [].name; or name its subscription: --account=ID",
    )


def _seen(
    subscription: str, bucket: str, account: Mapping[str, Any], container: Mapping[str, Any] | None
) -> Seen:
    if container is None:
        raise InputError(
            f"the storage account {account['name']} has no container {bucket!r}", hint="check its name"
        )
    properties = account["properties"]
    public = str(container["properties"].get("publicAccess") or "None")
    return Seen(
        {"region": str(account["location"]).replace(" ", "").lower(), "account": subscription},
        (
            "shared keys are off" if properties.get("allowSharedKeyAccess") is False else "shared keys WORK",
            f"TLS from {properties.get('minimumTlsVersion', 'TLS1_0')}",
            f"new blobs are {properties.get('accessTier', 'Hot')}",
            "the container is private" if public == "None" else f"the container is PUBLIC ({public})",
        ),
    )


def connect(manifest: Manifest) -> Azure:
    """The subscription that the manifest names."""
    with translated("asking who we are"):
        return Azure(manifest)
