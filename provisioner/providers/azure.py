"""Azure: what may stand in a manifest, in the Terraform root and in the records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from provisioner.providers.azure_dangers import AZURE_DANGERS
from provisioner.providers.base import NameRule, Provider

if TYPE_CHECKING:
    from provisioner.manifest import ArtifactStore, Connector, Manifest

Place = tuple[str | int, ...]

_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FEDERATED = re.compile(r"https://[^#*?\s]+#[^*?\s]+")
_APPLICATIONS = frozenset({"workload-identity", "service-principal"})
_NETWORK_FIELDS = ("allowed_networks", "private_endpoint_subnet")
_NOT_FOR_ADOPTED = ("resource_group", "encryption", *_NETWORK_FIELDS)
_PROOFS = {"CLIENT_SECRET": "CLIENT_SECRET", "FEDERATED_TOKEN_FILE": "OIDC_TOKEN_FILE_PATH"}
_UNCOMMITTED_DAYS = 7  # for which Azure itself keeps the blocks of an unfinished upload


class Azure(Provider):
    """Containers of Blob Storage, and identities of Entra ID that reach them."""

    __slots__ = ()

    # --- the manifest -------------------------------------------------------------------------------------

    def no_identity(self, connector: Connector | None, compatibility: str) -> tuple[str, str] | None:  # noqa: ARG002
        """Each method has principals of its own kind."""
        trusted = connector.trusted_principals if connector is not None else ()
        method = (connector.auth_method if connector is not None else "") or self.default_auth_method
        if method == "managed-identity" and trusted:
            return "trusted_principals", (
                "not with auth_method managed-identity: whatever the identity is assigned to may use it"
            )
        if method == "workload-identity" and not trusted:
            return "trusted_principals", (
                "required field is missing: auth_method workload-identity trusts nobody who is not named, as "
                "ISSUER#SUBJECT"
            )
        kind, words = (
            (_FEDERATED, "ISSUER#SUBJECT of the tokens to trust")
            if method == "workload-identity"
            else (_OBJECT_ID, "object ids of users, groups or service principals")
        )
        if not all(kind.fullmatch(principal) for principal in trusted):
            return "trusted_principals", f"with auth_method {method} they are {words}"
        return None

    def problems(self, manifest: Manifest) -> Iterator[tuple[Place, str]]:
        """What Azure's accounts ask for: each is created once, and adopted by its name."""
        makers: dict[str, int] = {}
        for index, store in enumerate(manifest.artifact_stores):
            here: Place = ("artifact_stores", index)
            yield from _adopted(here, store) if store.existing else _created(here, store)
            if store.storage_account is None:
                continue
            first = makers.setdefault(store.storage_account, index)
            other = manifest.artifact_stores[first]
            if first != index and not (store.existing and other.existing):
                wrong = (
                    f"found the account of artifact_stores[{first}] again; allowed: an account that is "
                    "there already, with existing: true on both, or one for each"
                )
                yield (*here, "storage_account"), wrong
        yield from _granted_twice(manifest, self)

    def module_folders(self, manifest: Manifest) -> list[str]:
        """Without that of applications, where no connector has one."""
        needed = any(connector.auth_method in _APPLICATIONS for connector in manifest.connectors)
        unused = () if needed else (self.modules["application"],)
        return [folder for folder in super().module_folders(manifest) if folder not in unused]

    # --- Terraform ----------------------------------------------------------------------------------------

    def store_variables(self, store: ArtifactStore) -> dict[str, Any]:
        """Those of every cloud, the account and the network; strict is told as the settings it stands for."""
        strict = store.profile == "strict"
        variables = super().store_variables(store)
        del variables["abort_multipart_days"]
        return {
            **variables,
            "storage_account": store.storage_account,
            "resource_group": store.resource_group,
            "allowed_networks": list(store.allowed_networks),
            "private_endpoint_subnet": store.private_endpoint_subnet,
            "replication": "GRS" if strict else "LRS",
            "infrastructure_encryption": strict,
            "network_default_deny": strict,
            "logging": strict,
        }

    def connector_variables(self, connector: Connector) -> dict[str, Any]:
        """Who may do what; how long a signature lives is asked for with each."""
        variables = super().connector_variables(connector)
        del variables["session_seconds"]
        return variables

    def terraform_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """``AZURE_*`` as ``ARM_*``: azure-identity and the checks know the former, Terraform the latter."""
        if environ.get("ARM_CLIENT_ID"):
            return {}
        for known, theirs in _PROOFS.items():
            given = {theirs: environ.get(f"AZURE_{known}")}
            given |= {name: environ.get(f"AZURE_{name}") for name in ("TENANT_ID", "CLIENT_ID")}
            if all(given.values()):
                oidc = {"ARM_USE_OIDC": "true"} if theirs != known else {}
                return {f"ARM_{name}": str(value) for name, value in given.items()} | oidc
        return {}

    def template_facts(self, manifest: Manifest) -> Mapping[str, Any]:
        """Which methods are for applications, and whether whoever applies is granted access."""
        roles = self.identities(manifest)
        return {
            "applications": _APPLICATIONS,
            "applier": any(
                connector.auth_method == "implicit" and not connector.trusted_principals
                for connector in roles
            ),
        }

    def missing_protections(self, manifest: Manifest) -> list[str]:
        """That roles of Azure know no prefix."""
        return [
            f"permissions below {store.prefix}/ alone, for {store.name}: Azure's roles are for a container"
            for store in manifest.artifact_stores
            if store.prefix
        ]

    def permissions(self, connector: Connector) -> str:
        """Those of the roles Storage Blob Data Contributor and Storage Blob Data Reader, in words."""
        return {
            "read-write": "list, read, write and delete blobs and their old versions (Storage Blob Data "
            "Contributor on the container), sign for them (Storage Blob Delegator on the account)",
            "read-only": "list and read blobs and their old versions (Storage Blob Data Reader on the "
            "container), sign for them (Storage Blob Delegator on the account)",
        }[connector.access]

    def trusted(self, connector: Connector) -> str:
        """Whoever runs with the managed identity, presents a trusted token, or applies."""
        if connector.auth_method == "managed-identity":
            return "whatever its managed identity is assigned to"
        return super().trusted(connector)

    # --- records of the runtime ---------------------------------------------------------------------------

    def runtime_method(self, connector: Connector) -> str:
        """Managed and federated identities are found in the surroundings, by their client id."""
        return "service-principal" if connector.auth_method == "service-principal" else "implicit"

    def store_config(
        self,
        manifest: Manifest,  # noqa: ARG002  # every provider's signature
        store: ArtifactStore,  # noqa: ARG002
        output: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The account, and its address where that is not the public cloud's."""
        account = str(output["storage_account"])
        return {"account_name": account, "account_url": _other_address(account, output.get("url"))}

    def connector_config(
        self, manifest: Manifest, connector: Connector, output: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The account where it is only one, and who the connector is."""
        accounts = output["accounts"]
        config: dict[str, Any] = {"access": connector.access, "session_seconds": connector.session_seconds}
        if len(accounts) == 1:
            ((account, place),) = accounts.items()
            config |= {
                "account_name": account,
                "account_url": _other_address(account, place.get("url")),
                "region": manifest.region,
                "resource_group": place["resource_group"],
                "subscription_id": manifest.account,
            }
        if connector.auth_method != "implicit":
            config["client_id"] = str(output["client_id"])
        if connector.auth_method == "service-principal":
            config["tenant_id"] = str(output["tenant_id"])
        else:
            # Of an account whose keys are off, no AZURE_STORAGE_* variable can be meant.
            config["identity_only"] = True
        return config


def _other_address(account: str, url: object) -> str | None:
    """The address of the Blob service, unless it is where the runtime looks by itself."""
    address = str(url or "").rstrip("/")
    return None if address in ("", f"https://{account}.blob.core.windows.net") else address


def _adopted(here: Place, store: ArtifactStore) -> Iterator[tuple[Place, str]]:
    if store.storage_account is None:
        yield (
            (*here, "storage_account"),
            "required field is missing: existing: true adopts a container by its name and its account's",
        )
    for name in _NOT_FOR_ADOPTED:
        if name in store.model_fields_set:
            yield (*here, name), "not with existing: true, which leaves the account as it is"


def _created(here: Place, store: ArtifactStore) -> Iterator[tuple[Place, str]]:
    days = store.lifecycle.abort_multipart_days
    if "abort_multipart_days" in store.lifecycle.model_fields_set and days != _UNCOMMITTED_DAYS:
        wrong = f"found {days}; allowed: {_UNCOMMITTED_DAYS}, when Azure drops an unfinished upload by itself"
        yield (*here, "lifecycle", "abort_multipart_days"), wrong
    if store.profile != "strict":
        return
    if store.encryption.kms_key is None:
        yield (
            (*here, "encryption"),
            "required field is missing: profile strict encrypts with a key of yours, kms_key",
        )
    if not any(getattr(store, name) for name in _NETWORK_FIELDS):
        wrong = (
            "required field is missing: profile strict refuses everyone on the network who is not named, "
            "here or by private_endpoint_subnet"
        )
        yield (*here, "allowed_networks"), wrong


def _granted_twice(manifest: Manifest, provider: Provider) -> Iterator[tuple[Place, str]]:
    """Azure refuses to grant somebody a role on an account twice: stores of one account share a connector."""
    connectors = {connector.name: connector for connector in manifest.connectors}
    seen: dict[tuple[str, str], str] = {}
    for index, store in enumerate(manifest.artifact_stores):
        if store.storage_account is None:
            continue
        name = store.connector or f"{store.name}_connector"
        connector = connectors.get(name)
        method = (connector.auth_method if connector else "") or provider.default_auth_method
        if method != "implicit":
            continue
        for principal in (connector.trusted_principals if connector else ()) or ("whoever applies",):
            first = seen.setdefault((store.storage_account, principal), name)
            if first != name:
                wrong = (
                    f"{principal} is granted access to this account by {first} already; allowed: {first} "
                    "for both stores"
                )
                yield ("artifact_stores", index, "connector"), wrong


_CONTAINER = NameRule(
    pattern=re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}"),
    says="a container name has 3 to 63 characters, only a-z, 0-9 and single '-', and starts and ends with a "
    "letter or digit",
    source="https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--"
    "and-metadata",
    refused=((re.compile(r".{64}"), "a container name has at most 63 characters"),),
)

_ACCOUNT_NAME = NameRule(
    pattern=re.compile(r"[a-z0-9]{3,24}"),
    says="a storage account name has 3 to 24 characters, only a-z and 0-9",
    source="https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name",
)

_SUBSCRIPTION = NameRule(
    pattern=_OBJECT_ID,
    says="a subscription id is a UUID in lower case, such as 00000000-0000-0000-0000-000000000000 (az "
    "account show --query id)",
    source="https://learn.microsoft.com/azure/azure-portal/get-subscription-tenant-id",
)

_LOCATION = NameRule(
    pattern=re.compile(r"[a-z][a-z0-9]{2,40}"),
    says="a location is the short name of an Azure region, such as westeurope (az account list-locations)",
    source="https://learn.microsoft.com/azure/reliability/regions-list",
)

_VAULT_KEY = NameRule(
    pattern=re.compile(
        r"https://[a-z][a-z0-9-]{1,22}[a-z0-9]\.vault\.azure\.(net|cn)/keys/[A-Za-z0-9-]{1,127}(/[0-9a-f]{32})?"
    ),
    says="a key is https://VAULT.vault.azure.net/keys/NAME, with or without /VERSION; without, new versions "
    "are taken by themselves",
    source="https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates",
)

_PRINCIPAL = NameRule(
    pattern=re.compile(rf"{_OBJECT_ID.pattern}|{_FEDERATED.pattern}"),
    says="a principal is the object id of a user, a group or a service principal, or ISSUER#SUBJECT of a "
    "federated token, such as https://token.actions.githubusercontent.com#repo:acme/ml:ref:refs/heads/main",
    source="https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
)

_TAG_KEY = NameRule(
    pattern=re.compile(r"[^<>%&\\?/]{1,128}"),
    says="the key of a tag has 1 to 128 characters, none of < > % & \\ ? /",
    source="https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations",
    refused=((re.compile(r"^(microsoft|azure|windows)", re.IGNORECASE), "this prefix is reserved by Azure"),),
)

AZURE = Azure(
    name="azure",
    title="Azure",
    flavor="azure",
    scheme="az",
    template="roots/azure.tf.j2",
    modules=MappingProxyType(
        {
            "artifact_store": "azure/artifact-store",
            "connector": "azure/service-connector",
            "application": "azure/application",
        }
    ),
    bucket_rule=_CONTAINER,
    verifier="provisioner.verify.azure",
    reader="provisioner.live.azure",
    dangers=AZURE_DANGERS,
    auth_methods=("implicit", "managed-identity", "workload-identity", "service-principal"),
    identity_methods=frozenset({"implicit", "managed-identity", "workload-identity", "service-principal"}),
    minted_methods=frozenset({"service-principal"}),
    connector_type="azure",
    resource_type="blob-container",
    required_fields=frozenset({"region", "account"}),
    allowed_fields=frozenset({"region", "account"}),
    store_fields=frozenset(
        {
            "prefix",
            "versioning",
            "encryption",
            "lifecycle",
            "storage_class",
            "storage_account",
            "resource_group",
            *_NETWORK_FIELDS,
        }
    ),
    profiles=("baseline", "strict"),
    grants_by_prefix=False,
    field_rules=MappingProxyType(
        {
            "region": _LOCATION,
            "account": _SUBSCRIPTION,
            "storage_account": _ACCOUNT_NAME,
            "encryption.kms_key": _VAULT_KEY,
            "trusted_principals": _PRINCIPAL,
            "tags.key": _TAG_KEY,
        }
    ),
    extra="azure",
    packages=("azure.identity", "azure.mgmt.storage", "azure.storage.blob", "obstore"),
    environment=MappingProxyType({"account": ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID")}),
    examples=MappingProxyType({"region": "westeurope", "account": "00000000-0000-0000-0000-000000000000"}),
    planned_store=MappingProxyType({"path": "az://planned", "storage_account": "planned", "url": None}),
    planned_identity=MappingProxyType(
        {
            "accounts": MappingProxyType({}),
            "client_id": "00000000-0000-0000-0000-000000000000",
            "tenant_id": "00000000-0000-0000-0000-000000000000",
        }
    ),
)
