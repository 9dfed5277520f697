"""What the modules under ``modules/azure`` make is named, by address: the twin of the rules in their HCL."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from provisioner.manifest import ArtifactStore, Connector, Manifest, generated_bucket


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a store's data lie: names, not yet whether they are there."""

    subscription: str
    resource_group: str
    account: str
    container: str
    generated: str

    @property
    def account_id(self) -> str:
        """The storage account's resource id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}/providers"
            f"/Microsoft.Storage/storageAccounts/{self.account}"
        )

    @property
    def container_id(self) -> str:
        """The container's resource id."""
        return f"{self.account_id}/blobServices/default/containers/{self.container}"

    @property
    def bucket(self) -> str:
        """As the module's output says it."""
        return f"{self.account}/{self.container}"


def place(manifest: Manifest, store: ArtifactStore, resource_group: str | None = None) -> Whereabouts:
    """Where a store lies. ``resource_group`` is that of an adopted account, where it is known."""
    subscription, name = manifest.account or "", store.renamed_from or store.name
    generated = re.sub("-+", "-", generated_bucket(manifest.name, name, subscription))
    letters = re.sub("[^a-z0-9]", "", f"{manifest.name}{name}")[:14]
    return Whereabouts(
        subscription=subscription,
        resource_group=resource_group or store.resource_group or generated,
        account=store.storage_account or letters + generated[-10:],
        container=store.bucket or generated,
        generated=generated,
    )


def of_store(store: ArtifactStore, lies: Whereabouts, vault: str | None) -> Iterator[tuple[str, str]]:
    """The address and the resource id of everything that a store's module makes.

    ``vault`` is the resource id of the vault that holds its key, where that is known.
    """
    here = f"module.store_{store.name}"
    group = f"/subscriptions/{lies.subscription}/resourceGroups/{lies.resource_group}"
    if store.resource_group is None:
        yield f"{here}.azurerm_resource_group.this[0]", group
    yield f"{here}.azurerm_storage_account.this[0]", lies.account_id
    yield f"{here}.azurerm_storage_container.this[0]", lies.container_id
    days = (store.lifecycle.noncurrent_days, store.lifecycle.archive_after_days)
    if any(day is not None for day in days):
        policy = f"{lies.account_id}/managementPolicies/default"
        yield f"{here}.azurerm_storage_management_policy.this[0]", policy
    if store.encryption.kms_key is not None:
        identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{lies.account}-key"
        yield f"{here}.azurerm_user_assigned_identity.encryption[0]", identity
        if vault is not None:
            key = f"{vault}/keys/{key_of(store)[1]}"
            name = uuid.uuid5(uuid.NAMESPACE_URL, f"{lies.account_id}#encryption")
            yield (
                f"{here}.azurerm_role_assignment.encryption[0]",
                f"{key}/providers/Microsoft.Authorization/roleAssignments/{name}",
            )
    if store.profile == "strict":
        log = f"{group}/providers/Microsoft.OperationalInsights/workspaces/{lies.generated}"
        yield f"{here}.azurerm_log_analytics_workspace.this[0]", log
        logged = f"{lies.account_id}/blobServices/default"
        yield f"{here}.azurerm_monitor_diagnostic_setting.blob[0]", f"{logged}|access"
    if store.private_endpoint_subnet is not None:
        endpoint = f"{group}/providers/Microsoft.Network/privateEndpoints/{lies.account}-blob"
        yield f"{here}.azurerm_private_endpoint.blob[0]", endpoint


def key_of(store: ArtifactStore) -> tuple[str, str]:
    """The names of the vault and of the key in it: https://VAULT.vault.azure.net/keys/NAME[/VERSION]."""
    parts = (store.encryption.kms_key or "").split("/")
    return parts[2].split(".")[0], parts[4]


def of_connector(
    manifest: Manifest, connector: Connector, stores: list[Whereabouts]
) -> Iterator[tuple[str, str]]:
    """The address and the resource id of everything that a connector's module makes."""
    here = f"module.connector_{connector.name}"
    name = connector.renamed_from or connector.name
    if connector.auth_method == "managed-identity":
        group = f"/subscriptions/{manifest.account}/resourceGroups/{stores[0].resource_group}"
        kind = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"
        yield (
            f"{here}.azurerm_user_assigned_identity.this[0]",
            f"{group}/{kind}/{identity_name(manifest.name, name)}",
        )
    for principal in principals(connector):
        who = f"{manifest.name}/{name}/{principal}"
        for lies in stores:
            yield (
                f'{here}.azurerm_role_assignment.data["{lies.bucket}#{principal}"]',
                assignment(lies.container_id, who),
            )
            yield (
                f'{here}.azurerm_role_assignment.signing["{lies.account}#{principal}"]',
                assignment(lies.account_id, who),
            )


def application(connector: Connector) -> str:
    """The address of the module that makes a connector's application."""
    return f"module.application_{connector.name}"


def application_tags(manifest: Manifest, connector: Connector) -> frozenset[str]:
    """The words by which a connector's application is told from all others of the tenant."""
    name = connector.renamed_from or connector.name
    return frozenset(
        (
            "provisioned-by:stack-provisioner",
            f"subscription:{manifest.account}",
            f"stack:{manifest.name}",
            f"connector:{name}",
        )
    )


def of_application(manifest: Manifest, connector: Connector) -> Iterator[tuple[str, str]]:
    """The address and the name of everything that the module of a connector's application makes.

    Entra ID makes the ids up: by these names they are found once they are there. A federated credential is
    named within its application, as APPLICATION/NAME.
    """
    here = application(connector)
    name = identity_name(manifest.name, connector.renamed_from or connector.name)
    yield f"{here}.azuread_application.this", name
    yield f"{here}.azuread_service_principal.this", name
    for trusted in connector.trusted_principals:
        yield (
            f"{here}.azuread_application_federated_identity_credential.trusted[{json.dumps(trusted)}]",
            f"{name}/trusted-{hashlib.sha256(trusted.encode()).hexdigest()[:10]}",
        )


def principals(connector: Connector) -> tuple[str, ...]:
    """The names under which a connector's module grants roles."""
    if connector.auth_method == "managed-identity":
        return ("identity",)
    if connector.auth_method != "implicit":
        return ("application",)
    return connector.trusted_principals or ("applier",)


def assignment(scope: str, who: str) -> str:
    """The resource id of a role assignment: its name follows from what it is for."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}#{who}")
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"


def identity_name(stack: str, connector: str) -> str:
    """The name of a connector's managed identity, or of its application."""
    digest = hashlib.sha256(f"{stack}/{connector}".encode()).hexdigest()
    return f"{f'{stack}-{connector}'[:53]}-{digest[:10]}"
