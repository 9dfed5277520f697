"""What in a plan for Azure deserves a second look."""

from __future__ import annotations

from types import MappingProxyType

from provisioner.providers.dangers import Dangers

AZURE_DANGERS = Dangers(
    buckets=frozenset({"azurerm_storage_account", "azurerm_storage_container"}),
    safe=MappingProxyType(
        {
            "azurerm_storage_account": (
                (
                    "allow_nested_items_to_be_public",
                    frozenset({False}),
                    "public",
                    "containers may become public",
                ),
                (
                    "public_network_access_enabled",
                    frozenset({False}),
                    "public",
                    "the account is reached from anywhere",
                ),
                (
                    "network_rules.0.default_action",
                    frozenset({"Deny"}),
                    "public",
                    "the account is reached from every network",
                ),
                ("https_traffic_only_enabled", frozenset({True}), "protection", "plain HTTP is allowed"),
                (
                    "shared_access_key_enabled",
                    frozenset({False}),
                    "permissions",
                    "the account's keys give access to all",
                ),
                (
                    "blob_properties.0.versioning_enabled",
                    frozenset({True}),
                    "protection",
                    "versioning is switched off",
                ),
            ),
            "azurerm_storage_container": (
                ("container_access_type", frozenset({"private"}), "public", "the container becomes public"),
            ),
        }
    ),
    giving=MappingProxyType(
        {
            "azurerm_role_assignment": ("role_definition_name", "permissions", "is given the role"),
            "azuread_application_federated_identity_credential": (
                "subject",
                "trust",
                "is now also trusted to",
            ),
        }
    ),
    identities=frozenset({"azurerm_user_assigned_identity", "azuread_application"}),
    narrow=frozenset({"Storage Blob Data Reader"}),
)
