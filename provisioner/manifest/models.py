"""The stack manifest as frozen models: one field of the file, one field here, each with its description.

The models check what one field alone can say; ``rules.py`` checks fields against each other and against the
provider. Nothing here evaluates text: a value is refused, or it is kept as the very characters written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from provisioner.catalog import PROVIDERS
from provisioner.manifest import fields

_SUBNET_EXAMPLE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-net/providers/Microsoft.Network"
    "/virtualNetworks/ml/subnets/endpoints"
)


def _without_default(schema: JsonDict) -> None:
    """Filled in after loading: the empty text is no default a user should read."""
    schema.pop("default")


class _Part(BaseModel):
    """Frozen, and no field but the named ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class StateBackend(_Part):
    """A place for Terraform's state."""

    backend: fields.Backend = Field(
        default="local",
        description="Kind of place: a file beside the stack, or a bucket that several machines share. "
        "All of them lock.",
        examples=["s3"],
    )
    bucket: fields.MaybeVisibleAscii = Field(
        default=None, description="s3, gcs: bucket that holds the state.", examples=["acme-terraform-state"]
    )
    key: fields.MaybePrefix = Field(
        default=None,
        description="s3, azurerm: key of the state. Default: stacks/<name>/terraform.tfstate.",
        examples=["stacks/ml-prod"],
    )
    prefix: fields.MaybePrefix = Field(
        default=None,
        description="gcs: folder of the state; it is default.tfstate in it. Default: stacks/<name>.",
        examples=["stacks/ml-prod"],
    )
    region: fields.MaybeRegion = Field(
        default=None,
        description="s3: region of the bucket. Default: the manifest's, where its provider is aws.",
        examples=["eu-west-1"],
    )
    endpoint_url: fields.MaybeEndpoint = Field(
        default=None,
        description="s3, gcs: a service with the same interface, or an emulator.",
        examples=["http://localhost:9000"],
    )
    storage_account: fields.MaybeVisibleAscii = Field(
        default=None, description="azurerm: storage account of the container.", examples=["acmestate"]
    )
    container: fields.MaybeVisibleAscii = Field(
        default=None, description="azurerm: container that holds the state.", examples=["terraform-state"]
    )


class Encryption(_Part):
    """How objects are encrypted at rest."""

    kms_key: fields.MaybeVisibleAscii = Field(
        default=None,
        description="Customer-managed key: alias/NAME, key id or ARN. Default: the provider's managed key.",
        examples=["alias/ml", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    )


class Lifecycle(_Part):
    """What happens to objects with time, in whole days; null means never."""

    noncurrent_days: fields.Days = Field(
        default=90, description="Days until an old version of an object is removed.", examples=[90, None]
    )
    abort_multipart_days: fields.Days = Field(
        default=7, description="Days until the parts of an unfinished upload are removed.", examples=[7]
    )
    archive_after_days: fields.Days = Field(
        default=None,
        description="Days until objects move to cheaper storage that is still read at once (aws: GLACIER_IR, "
        "gcp: COLDLINE, azure: Cold); not with a storage_class from which they would go nowhere.",
        examples=[365],
    )


class ArtifactStore(_Part):
    """One place for artifacts: a bucket, a container or a directory, or a prefix in one."""

    name: fields.StoreName = Field(
        description="Name under which it is registered; unique in the manifest.", examples=["prod_store"]
    )
    bucket: fields.MaybePath = Field(
        default=None,
        description="Bucket (Azure: container; local: directory, relative to this file or absolute). "
        "Default: generated once from stack, store and account, then stable.",
        examples=["acme-ml-prod"],
    )
    storage_account: fields.MaybeVisibleAscii = Field(
        default=None, description="Azure only: the storage account of the container.", examples=["acmeml"]
    )
    resource_group: fields.MaybeResourceGroup = Field(
        default=None,
        description="Azure only: a resource group that is there already, for the storage account. "
        "Default: one is made.",
        examples=["rg-ml"],
    )
    allowed_networks: tuple[fields.Network, ...] = Field(
        default=(),
        description="Azure only: public addresses, ranges and subnets that may reach the storage account. "
        "Default: all; none with profile strict.",
        examples=[["203.0.113.0/24"]],
    )
    private_endpoint_subnet: fields.MaybeSubnet = Field(
        default=None,
        description="Azure only: the subnet that gets a private endpoint to the storage account.",
        examples=[_SUBNET_EXAMPLE],
    )
    prefix: fields.MaybePrefix = Field(
        default=None,
        description="Path inside the bucket that the store keeps to. Default: the whole bucket.",
        examples=["artifacts", "teams/ml"],
    )
    existing: fields.Flag = Field(
        default=False,
        description="true adopts a bucket that is already there; it is never created or destroyed.",
        examples=[False],
    )
    versioning: fields.Flag = Field(
        default=True, description="Keep old versions of objects.", examples=[True]
    )
    encryption: Encryption = Field(
        default=Encryption(), description="Encryption at rest.", examples=[{"kms_key": "alias/ml"}]
    )
    lifecycle: Lifecycle = Field(
        default=Lifecycle(),
        description="Removal of old versions and unfinished uploads, and archiving.",
        examples=[{"noncurrent_days": 90, "abort_multipart_days": 7, "archive_after_days": 365}],
    )
    storage_class: fields.Word = Field(
        default="standard",
        description="Storage class of new objects, one that is read at once. aws: standard, "
        "intelligent_tiering, standard_ia, onezone_ia, glacier_ir, said by every write; gcp: standard, "
        "nearline, coldline, archive; azure: standard (Hot), cool, cold, the access tier of the account.",
        examples=["standard"],
    )
    protect: fields.Flag = Field(
        default=True, description="While true, destroy refuses to touch this store.", examples=[True]
    )
    profile: fields.Profile = Field(
        default="baseline",
        description="How many protections are set up: `baseline`, or `strict`, which costs more.",
        examples=["baseline", "strict"],
    )
    replica_region: fields.MaybeRegion = Field(
        default=None,
        description="aws only: with profile strict, the second region, to which every object is copied.",
        examples=["eu-central-1"],
    )
    connector: fields.MaybeConnectorName = Field(
        default=None,
        description="Connector that gives access to it. Default: one is made, named <store>_connector.",
        examples=["prod_connector"],
    )
    renamed_from: fields.MaybeStoreName = Field(
        default=None,
        description="Earlier name of this store: its cloud resources are kept across the rename.",
        examples=["old_store"],
    )


class Connector(_Part):
    """Who may reach a store, and how they prove it."""

    name: fields.ConnectorName = Field(
        description="Name under which it is registered; unique in the manifest.", examples=["prod_connector"]
    )
    auth_method: fields.Word = Field(
        default="",
        description="How credentials are had; the default is the provider's own (aws: iam-role).",
        examples=["iam-role", "secret-key", "implicit"],
        json_schema_extra=_without_default,
    )
    access: fields.Access = Field(
        default="read-write",
        description="What the identity may do with the objects.",
        examples=["read-write"],
    )
    trusted_principals: tuple[fields.Principal, ...] = Field(
        default=(),
        description="Who may use it. Default: whoever applies.",
        examples=[["arn:aws:iam::123456789012:role/ci"]],
    )
    external_id: fields.MaybeVisibleAscii = Field(
        default=None, description="What a caller must say to assume the role.", examples=["acme-ml"]
    )
    authentication_secret: fields.MaybeSecretName = Field(
        default=None,
        description="Name of the secret with static credentials; with `secret-key` no IAM is created.",
        examples=["my_secret"],
    )
    session_seconds: fields.SessionSeconds = Field(
        default=3600, description="Life of the credentials of one session, in seconds.", examples=[3600]
    )
    renamed_from: fields.MaybeConnectorName = Field(
        default=None,
        description="Earlier name of this connector: its cloud resources are kept across the rename.",
        examples=["old_connector"],
    )


class StackSpec(_Part):
    """The stack as programs see it."""

    orchestrator: fields.Word = Field(
        default="default", description="Who runs the pipelines.", examples=["default"]
    )
    artifact_store: fields.StoreName = Field(
        default="",
        description="Store that the stack uses. Default: the first.",
        examples=["prod_store"],
        json_schema_extra=_without_default,
    )
    activate: fields.Flag = Field(default=True, description="Make it the active stack.", examples=[True])


class Manifest(_Part):
    """One stack: one Terraform root, one Terraform state."""

    version: fields.Version = Field(description="Version of this schema.", examples=[1])
    name: fields.StackName = Field(description="Name of the stack.", examples=["ml-prod"])
    extends: fields.MaybeExtends = Field(
        default=None,
        description="Manifest under this one: mappings and named stores and connectors are merged, "
        "other values here win.",
        examples=["base.yaml"],
    )
    provider: fields.ProviderName = Field(
        description="Cloud of this stack.",
        examples=["aws"],
        json_schema_extra={"enum": [*sorted(PROVIDERS)]},
    )
    region: fields.MaybeRegion = Field(
        default=None,
        description="Region (GCP, Azure: location). Required where the provider has regions.",
        examples=["eu-west-1"],
    )
    account: fields.MaybeAccount = Field(
        default=None,
        description="AWS account id, GCP project id or Azure subscription id: any other is refused.",
        examples=["123456789012"],
    )
    endpoint_url: fields.MaybeEndpoint = Field(
        default=None,
        description="aws only: an S3-compatible service or an emulator.",
        examples=["http://localhost:9000"],
    )
    compatibility: fields.MaybeWord = Field(
        default=None,
        description="What the service at endpoint_url understands; what it lacks is left out of the plan.",
        examples=["aws", "ceph", "minio"],
    )
    tags: Mapping[fields.TagKey, fields.TagValue] = Field(
        default={},
        description="Tags on everything that is created.",
        examples=[{"team": "ml", "env": "prod"}],
    )
    state: StateBackend = Field(
        default=StateBackend(),
        description="Where Terraform keeps its state.",
        examples=[{"backend": "local"}],
    )
    artifact_stores: tuple[ArtifactStore, ...] = Field(
        description="The artifact stores; at least one.",
        examples=[[{"name": "prod_store"}]],
        json_schema_extra={"minItems": 1},
    )
    connectors: tuple[Connector, ...] = Field(
        default=(),
        description="Identities with access to the stores. Default: one per store.",
        examples=[[{"name": "prod_connector", "access": "read-only"}]],
    )
    stack: StackSpec = Field(
        default=StackSpec(), description="What is registered for the runtime.", examples=[{"activate": True}]
    )

    def store(self, name: str) -> ArtifactStore | None:
        """The artifact store of that name, or None."""
        return next((store for store in self.artifact_stores if store.name == name), None)

    def connector(self, name: str) -> Connector | None:
        """The connector of that name, or None."""
        return next((connector for connector in self.connectors if connector.name == name), None)


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model behind a field's annotation, through tuples and optional values; None when it has none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := model_in(part))), None)
