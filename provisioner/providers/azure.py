"""Azure: what may stand in a manifest, in the Terraform root and in the records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from provisioner.providers import azure_rules as rules
from provisioner.providers.azure_dangers import AZURE_DANGERS
from provisioner.providers.base import Provider

if TYPE_CHECKING:
    from provisioner.manifest import ArtifactStore, Connector, Manifest

_APPLICATIONS = frozenset({"workload-identity", "service-principal"})
_ACCESS_TIERS = {"standard": "Hot", "cool": "Cool", "cold": "Cold"}
_PROOFS = {"CLIENT_SECRET": "CLIENT_SECRET", "FEDERATED_TOKEN_FILE": "OIDC_TOKEN_FILE_PATH"}


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
            (rules.FEDERATED, "ISSUER#SUBJECT of the tokens to trust")
            if method == "workload-identity"
            else (rules.OBJECT_ID, "object ids of users, groups or service principals")
        )
        if not all(kind.fullmatch(principal) for principal in trusted):
            return "trusted_principals", f"with auth_method {method} they are {words}"
        return None

    def problems(self, manifest: Manifest) -> Iterator[tuple[rules.Place, str]]:
        """What Azure's accounts ask for: each is created once, and adopted by its name."""
        makers: dict[str, int] = {}
        for index, store in enumerate(manifest.artifact_stores):
            here: rules.Place = ("artifact_stores", index)
            yield from rules.adopted(here, store) if store.existing else rules.created(here, store)
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
        yield from rules.granted_twice(manifest, self)

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
            "access_tier": _ACCESS_TIERS[store.storage_class],
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
            "applier": any(map(self.trusts_applier, roles)),
        }

    def missing_protections(self, manifest: Manifest) -> list[str]:
        """That roles of Azure know no prefix."""
        return [
            f"permissions below {store.prefix}/ alone, for {store.name}: Azure's roles are for a container"
            for store in manifest.artifact_stores
            if store.prefix
        ]

    def open_to(self, store: ArtifactStore) -> frozenset[str] | None:
        """Those that are named, as addresses or for private endpoints: then nobody else gets in."""
        named = (*store.allowed_networks, store.private_endpoint_subnet)
        return frozenset(name for name in named if name is not None) or None

    def permissions(self, connector: Connector) -> str:
        """Those of the roles Storage Blob Data Contributor and Storage Blob Data Reader, in words."""
        return {
            "read-write": "list, read, write and delete blobs and their old versions (Storage Blob Data "
            "Contributor on the container), sign for them (Storage Blob Delegator on the account)",
            "read-only": "list and read blobs and their old versions (Storage Blob Data Reader on the "
            "container), sign for them (Storage Blob Delegator on the account)",
        }[connector.access]

    def trusts_applier(self, connector: Connector) -> bool:
        """Of those without trusted_principals, the one method that assigns roles to whoever is named."""
        return connector.auth_method == "implicit" and not connector.trusted_principals

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
    bucket_rule=rules.CONTAINER,
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
            *rules.NETWORK_FIELDS,
        }
    ),
    storage_classes=tuple(_ACCESS_TIERS),
    slow_classes=frozenset({"archive"}),
    never_archived=MappingProxyType({"cold": "blobs are written to the tier Cold, where it would move them"}),
    profiles=("baseline", "strict"),
    grants_by_prefix=False,
    field_rules=MappingProxyType(
        {
            "region": rules.LOCATION,
            "account": rules.SUBSCRIPTION,
            "storage_account": rules.ACCOUNT_NAME,
            "encryption.kms_key": rules.VAULT_KEY,
            "trusted_principals": rules.PRINCIPAL,
            "tags.key": rules.TAG_KEY,
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
