"""Azure, through its SDKs and with the credentials of whoever runs the command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import quote

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobServiceClient

from provisioner.catalog import PROVIDERS
from provisioner.errors import CredentialsError, UpstreamError
from provisioner.journal import Intent
from provisioner.manifest import ArtifactStore, Connector, Manifest
from provisioner.verify import azure_names
from provisioner.verify.azure_applications import TYPES, LostApplications
from provisioner.verify.azure_directory import Directory
from provisioner.verify.azure_secrets import ClientSecrets
from provisioner.verify.azure_services import (
    Rest,
    credential,
    management_url,
    moment,
    own_object_id,
    translated,
)
from provisioner.verify.base import Contents, Minted, Orphans, Places

_EXAMPLES = 3
_COUNTED = 1000
_CLOCK_SKEW = timedelta(minutes=5)
_PROBES = ".probe-"
_PUBLIC = ".blob.core.windows.net"
_FORBIDDEN = 403
_SUBSCRIPTIONS_API = "2022-12-01"
_RESOURCES_API = "2021-04-01"
_VERSIONS = {
    "azurerm_resource_group": "2021-04-01",
    "azurerm_storage_account": "2023-05-01",
    "azurerm_storage_container": "2023-05-01",
    "azurerm_storage_management_policy": "2023-05-01",
    "azurerm_user_assigned_identity": "2023-01-31",
    "azurerm_private_endpoint": "2023-11-01",
    "azurerm_log_analytics_workspace": "2022-10-01",
    "azurerm_monitor_diagnostic_setting": "2021-05-01-preview",
    "azurerm_role_assignment": "2022-04-01",
}
"""The versions of the interface in which what the modules make is asked for."""


class Azure:
    """The subscription that one manifest names."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._subscription = manifest.account or ""

    @cached_property
    def _credential(self) -> Any:
        return credential()

    @cached_property
    def _management(self) -> Rest:
        return Rest(management_url(), self._credential, f"{management_url()}/.default")

    @cached_property
    def _storage(self) -> Any:
        url = management_url()
        return StorageManagementClient(
            self._credential, self._subscription, base_url=url, credential_scopes=[f"{url}/.default"]
        )

    @property
    def bucket_resource(self) -> str:
        """The container: it goes whenever its account or their resource group does."""
        return "azurerm_storage_container.this"

    def bucket_name(
        self,
        attributes: Mapping[str, Any],
        *,
        tainted: bool = False,  # noqa: ARG002  # the protocol's signature
    ) -> str:
        """The account, by the end of its resource id, and the container in it."""
        return f"{str(attributes['storage_account_id']).rsplit('/', 1)[1]}/{attributes['name']}"

    def adopted(self) -> dict[str, str]:
        """Those with ``existing: true``; account and container have to be named."""
        return {
            azure_names.place(self._manifest, store).bucket: store.name
            for store in self._manifest.artifact_stores
            if store.existing
        }

    def credentials_end_within(self, seconds: int) -> bool:  # noqa: ARG002  # the protocol's signature
        """Azure's credentials renew themselves; those that no longer can are found by trying."""
        with translated("asking who we are"):
            self._credential.get_token(f"{management_url()}/.default")
        return False

    def account(self) -> str | None:
        """The manifest's subscription where the credentials reach it, else the first that they reach."""
        with translated("asking for the subscriptions"):
            found = [
                str(item["subscriptionId"])
                for item in self._management.listed("/subscriptions", _SUBSCRIPTIONS_API)
            ]
        if self._subscription in found:
            return self._subscription
        if not found:
            raise CredentialsError(
                "the credentials reach no subscription at all",
                hint="az account list; log in to the right tenant: az login --tenant ID",
            )
        return found[0]

    def machine_variables(self) -> dict[str, Any]:
        """Who applies, where that one is to be trusted; where adopted accounts are outside the public cloud.

        The latter is what Terraform has no way to ask.
        """
        accounts = {
            store.name: self._account_of(store.storage_account or "")
            for store in self._manifest.artifact_stores
            if store.existing
        }
        found = {name: _address(account) for name, account in accounts.items() if account is not None}
        other = {name: url for name, url in found.items() if not url.endswith(_PUBLIC)}
        variables: dict[str, Any] = {"blob_endpoints": other} if other else {}
        provider = PROVIDERS["azure"]
        if any(map(provider.trusts_applier, provider.identities(self._manifest))):
            variables["applying_principal"] = own_object_id(self._credential)
        return variables

    def identifiers(self, account: str | None) -> dict[str, str]:  # noqa: ARG002  # it is the manifest's
        """Resource ids of all that is made: the provider refuses to create what is there already.

        What is in Entra ID has no id before it is there, but a name by which it is found.
        """
        names: dict[str, str] = {}
        for store in self._manifest.artifact_stores:
            if not store.existing:
                names |= dict(azure_names.of_store(store, self._place(store), self._vault_of(store)))
        for connector in PROVIDERS["azure"].identities(self._manifest):
            places = [
                self._place(store)
                for store in self._manifest.artifact_stores
                if store.connector == connector.name
            ]
            names |= dict(azure_names.of_connector(self._manifest, connector, places))
            if azure_names.principals(connector) == ("application",):
                names |= dict(azure_names.of_application(self._manifest, connector))
        return names

    def repairs(self) -> list[str]:
        """None: Terraform's own refresh sees all that it manages here."""
        return []

    def deviations(self) -> list[str]:
        """Each protection that an account should have and does not have, read from Azure itself."""
        found: list[str] = []
        for store in self._manifest.artifact_stores:
            if not store.existing:
                lies = self._place(store)
                with translated(f"reading the settings of {lies.bucket}"):
                    found += [f"{store.name} ({lies.bucket}): {wrong}" for wrong in self._wrong(store, lies)]
        return found

    def contents(self, bucket: str) -> Contents:
        """Blobs and their old versions, up to a thousand; what probes of ours left does not count."""
        versions: dict[str, None] = {}
        current = old = 0
        more = False
        with translated(f"listing {bucket}"), self._container(bucket) as container:
            try:
                counted = list(islice(_versions(container, ""), _COUNTED + 1))
            except ResourceNotFoundError:
                return Contents(0, 0, ())
            except HttpResponseError as error:
                raise _unseen(bucket, error) if error.status_code == _FORBIDDEN else error from error
        more = len(counted) > _COUNTED
        for blob in counted[:_COUNTED]:
            latest = blob.version_id is None or bool(blob.is_current_version)
            current, old = current + latest, old + (not latest)
            versions[blob.name] = None
        return Contents(current, old, tuple(versions)[:_EXAMPLES], more=more)

    def empty(self, bucket: str, prefix: str = "") -> None:
        """Delete all blobs below a prefix, and their old versions where that is permitted.

        The role that stores are used with cannot delete versions; they go with the account, or with time.
        """
        with translated(f"emptying {bucket}"), self._container(bucket) as container:
            for blob in list(_versions(container, prefix, probes=True)):
                _delete(container, blob)

    def discard(self, bucket: str) -> None:
        """Nothing: Terraform deletes a container by what its state says, with or without a module."""

    def orphans(self, intents: Sequence[Intent], since: datetime) -> Orphans:
        """What is there by its foretold name, says that this stack made it, and is not older than the run."""
        since -= _CLOCK_SKEW
        registered = [intent for intent in intents if intent.type in TYPES]
        with translated("looking for what a cut-off run has left"):
            found = [
                intent
                for intent in intents
                if intent.type not in TYPES and intent.identifier and self._is_orphan(intent, since)
            ]
            directory = Directory(self._credential)
            lost = LostApplications(self._manifest, directory).orphans(registered, since)
        return Orphans([*found, *lost.found], lost.unsure)

    # --- client secrets -----------------------------------------------------------------------------------

    def mint(self, connector: Connector, output: Mapping[str, Any]) -> Minted:
        """A client secret of the connector's application."""
        with translated(f"making a client secret for {connector.name}"):
            return ClientSecrets().mint(output)

    def holds(self, output: Mapping[str, Any], values: Mapping[str, str]) -> bool:
        """Whether a secret has one of this application."""
        with translated("looking at the client secrets"):
            return ClientSecrets().holds(output, values)

    def revoke(self, values: Mapping[str, str]) -> None:
        """End it."""
        with translated("ending a client secret"):
            ClientSecrets().revoke(values)

    # --- what they are made of ----------------------------------------------------------------------------

    def _place(self, store: ArtifactStore) -> azure_names.Whereabouts:
        group = self._group_of(store.storage_account or "") if store.existing else None
        return azure_names.place(self._manifest, store, group)

    def _group_of(self, account: str) -> str | None:
        """The resource group of an adopted account."""
        found = self._account_of(account)
        return str(found.id).split("/")[4] if found is not None else None

    def _vault_of(self, store: ArtifactStore) -> str | None:
        """The resource id of the vault with a store's key."""
        if store.encryption.kms_key is None:
            return None
        name, _ = azure_names.key_of(store)
        wanted = f"resourceType eq 'Microsoft.KeyVault/vaults' and name eq '{name}'"
        path = f"/subscriptions/{self._subscription}/resources?$filter={quote(wanted)}"
        with translated(f"looking for the key vault {name}"):
            return next((str(item["id"]) for item in self._management.listed(path, _RESOURCES_API)), None)

    def _account_of(self, name: str) -> Any:
        """An account by its name: where the manifest puts it, else wherever it is in the subscription."""
        accounts = self._storage.storage_accounts
        with translated(f"looking for the storage account {name}"):
            for store in self._manifest.artifact_stores:
                lies = azure_names.place(self._manifest, store)
                if lies.account == name and not store.existing:
                    try:
                        return accounts.get_properties(lies.resource_group, name)
                    except ResourceNotFoundError:
                        return None
            return next((item for item in accounts.list() if item.name == name), None)

    def _container(self, bucket: str) -> Any:
        """The container, with the identity in use; its address is the one that the account says."""
        name, _, container = bucket.partition("/")
        account = self._account_of(name)
        url = _address(account) if account is not None else f"https://{name}{_PUBLIC}"
        service = BlobServiceClient(url, credential=self._credential, retry_total=3)
        return service.get_container_client(container)

    def _wrong(self, store: ArtifactStore, lies: azure_names.Whereabouts) -> Iterator[str]:
        client, where = self._storage, (lies.resource_group, lies.account)
        try:
            account = client.storage_accounts.get_properties(*where)
            service = client.blob_services.get_service_properties(*where)
            container = client.blob_containers.get(*where, lies.container)
        except ResourceNotFoundError:
            yield "the container or its account is missing"
            return
        yield from _open(account, container)
        if store.versioning and not service.is_versioning_enabled:
            yield "versioning is off"
        for words, policy in (
            ("blobs", service.delete_retention_policy),
            ("containers", service.container_delete_retention_policy),
        ):
            if not getattr(policy, "enabled", False):
                yield f"deleted {words} cannot be brought back: soft delete is off"
        source = _word(getattr(account.encryption, "key_source", None)) or "Microsoft.Storage"
        wanted = "Microsoft.Keyvault" if store.encryption.kms_key else "Microsoft.Storage"
        if source.lower() != wanted.lower():
            yield f"encryption is with keys of {source} instead of {wanted}"
        closed = store.profile == "strict" or store.allowed_networks or store.private_endpoint_subnet
        if closed and _word(account.network_rule_set.default_action) != "Deny":
            yield "everyone on the network is admitted: the default is to allow"

    def _is_orphan(self, intent: Intent, since: datetime) -> bool:
        version = _VERSIONS.get(intent.type)
        # A diagnostic setting is named by Terraform as TARGET|NAME.
        path = (intent.identifier or "").replace("|", "/providers/Microsoft.Insights/diagnosticSettings/")
        found = self._management.ask("GET", path, version) if version else None
        if found is None:
            return False
        properties = found.get("properties") or {}
        made = moment(
            properties.get("creationTime")
            or properties.get("createdOn")
            or (found.get("systemData") or {}).get("createdAt")
        )
        if made is not None and made < since:
            return False
        tags = found.get("tags")
        if "tags" in found or intent.type in ("azurerm_resource_group", "azurerm_storage_account"):
            return (tags or {}).items() >= {
                "provisioned-by": "stack-provisioner",
                "stack": self._manifest.name,
            }.items()
        return True  # a part of what has tags, or a role assignment, under a name that only we give


def connect(manifest: Manifest, places: Places) -> Azure:  # noqa: ARG001  # every provider's signature
    """The subscription that the manifest names."""
    return Azure(manifest)


def _address(account: Any) -> str:
    """Where the Blob service of an account is."""
    return str(account.primary_endpoints.blob).rstrip("/")


def _open(account: Any, container: Any) -> Iterator[str]:
    """How an account or its container stands open."""
    if account.allow_blob_public_access:
        yield "containers can be made public"
    if _word(container.public_access) not in ("", "None"):
        yield f"the container is public: {_word(container.public_access)}"
    if not account.enable_https_traffic_only:
        yield "plain HTTP is allowed"
    if _word(account.minimum_tls_version) not in ("TLS1_2", "TLS1_3"):
        yield f"TLS is allowed from version {_word(account.minimum_tls_version) or 'TLS1_0'}"
    if account.allow_shared_key_access is not False:
        yield "shared keys work"
    if account.allow_cross_tenant_replication:
        yield "blobs can be replicated to other tenants"


def _word(value: Any) -> str:
    """What the SDK gives as a text or, in newer versions, as one of an enumeration."""
    return str(getattr(value, "value", value) or "")


def _versions(container: Any, prefix: str, *, probes: bool = False) -> Iterator[Any]:
    """Every blob and every old version of one."""
    for blob in container.list_blobs(name_starts_with=prefix or None, include=["versions"]):
        if probes or blob.version_id is None or blob.is_current_version or _PROBES not in blob.name:
            yield blob


def _delete(container: Any, blob: Any) -> None:
    old = blob.version_id is not None and not blob.is_current_version
    options = {"version_id": blob.version_id} if old else {"delete_snapshots": "include"}
    try:
        container.get_blob_client(blob.name).delete_blob(**options)
    except ResourceNotFoundError:
        return  # somebody else was faster
    except HttpResponseError as error:
        if not (old and error.status_code == _FORBIDDEN):
            raise


def _unseen(bucket: str, error: HttpResponseError) -> UpstreamError:
    return UpstreamError(
        f"the identity in use may not list {bucket}, so nobody knows what is in it: {error.message}",
        hint="grant it Storage Blob Data Reader on the container: being its owner is not enough",
    )
