"""AWS, and S3-compatible services: what may stand in a manifest, in the Terraform root and in the records."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from provisioner.providers.aws_regions import copies_elsewhere, regions_left
from provisioner.providers.base import NameRule, Provider
from provisioner.providers.dangers import Dangers

if TYPE_CHECKING:
    from provisioner.manifest import ArtifactStore, Connector, Manifest

_CAPABILITIES = (
    "caller_identity",
    "encryption",
    "ownership_controls",
    "public_access_block",
    "iam_roles",
    "iam_tags",
    "kms",
)
_PROTECTIONS = MappingProxyType(
    {
        "encryption": "server-side encryption settings",
        "ownership_controls": "owner-enforced objects (ACLs stay possible)",
        "public_access_block": "the public access block",
    }
)
Place = tuple[str | int, ...]
_REPLICA = "aws/artifact-replica"
# Those that are read at once; S3's own names, in small letters.
_STORAGE_CLASSES = ("standard", "intelligent_tiering", "standard_ia", "onezone_ia", "glacier_ir")


class Aws(Provider):
    """Buckets of S3, and roles of IAM that reach them."""

    __slots__ = ()

    def auth_method_for(self, connector: Connector, compatibility: str) -> str:
        """A role; static credentials where they are given and the service has no roles."""
        if connector.authentication_secret is not None and not self.can("iam_roles", compatibility):
            return "secret-key"
        return self.default_auth_method

    def no_identity(self, connector: Connector | None, compatibility: str) -> tuple[str, str] | None:
        """Some services have no roles, and some cannot say whom a role should trust by default."""
        if not self.can("iam_roles", compatibility):
            return "auth_method", (
                f"{compatibility} has no IAM roles; allowed: auth_method secret-key with an "
                "authentication_secret, or implicit"
            )
        trusted = connector.trusted_principals if connector is not None else ()
        if not self.can("caller_identity", compatibility) and not trusted:
            return "trusted_principals", (
                f"{compatibility} cannot say who applies; required: trusted_principals, the ARNs of who may "
                "use it, such as arn:aws:iam:::user/NAME"
            )
        return None

    def problems(self, manifest: Manifest) -> Iterator[tuple[Place, str]]:
        """What the profile strict asks for: two regions, versions, and a service that understands it all."""
        compatibility = manifest.compatibility or next(iter(self.compatibilities))
        for index, store in enumerate(manifest.artifact_stores):
            here: Place = ("artifact_stores", index)
            if store.profile != "strict":
                if store.replica_region is not None:
                    yield (*here, "replica_region"), "only with profile: strict, which copies to it"
                continue
            lacking = [name for name in _CAPABILITIES if not self.can(name, compatibility)]
            if lacking:
                yield (*here, "profile"), f"strict is not for compatibility {compatibility}"
            if not store.versioning:
                yield (*here, "versioning"), "profile strict copies versions: it needs versioning: true"
            if store.existing:
                continue  # refused for every provider
            if store.replica_region is None:
                yield (
                    (*here, "replica_region"),
                    "required field is missing: profile strict copies every object into a second region",
                )
            elif store.replica_region == manifest.region:
                yield (*here, "replica_region"), "the copy has to lie in another region than the store"
            elif (why := _AWS_REGION.problem(store.replica_region)) is not None:
                yield (*here, "replica_region"), why

    def module_folders(self, manifest: Manifest) -> list[str]:
        """All, and that of the replica only where a store is strict."""
        strict = any(store.profile == "strict" for store in manifest.artifact_stores)
        return [folder for folder in super().module_folders(manifest) if strict or folder != _REPLICA]

    def store_variables(self, store: ArtifactStore) -> dict[str, Any]:
        """Those of every cloud, and where a strict store is copied to."""
        values = super().store_variables(store)
        return {**values, "replica_region": store.replica_region} if store.profile == "strict" else values

    def variables(self, manifest: Manifest) -> dict[str, Any]:
        """Those of every cloud, and the address of a service other than AWS."""
        return {**super().variables(manifest), "endpoint_url": manifest.endpoint_url}

    def connector_variables(self, connector: Connector) -> dict[str, Any]:
        """Those of every cloud, and what a caller has to say."""
        return {**super().connector_variables(connector), "external_id": connector.external_id}

    def template_facts(self, manifest: Manifest) -> Mapping[str, Any]:
        """What the service at the endpoint understands."""
        return {
            "capabilities": self._capabilities(manifest),
            "endpoint": manifest.endpoint_url is not None,
            "tls_only": _tls_only(manifest),
            "replicas": _replicas(manifest),
        }

    def left_behind(self, manifest: Manifest, aliases: Collection[str]) -> list[dict[str, str]]:
        """Regions that nothing is copied to any more."""
        return regions_left({replica["alias"] for replica in _replicas(manifest)}, aliases)

    def misplaced(self, manifest: Manifest, used: Collection[tuple[str, str]]) -> Iterator[str]:
        """Copies that lie in another region than the manifest now says."""
        return copies_elsewhere(manifest, used)

    def missing_protections(self, manifest: Manifest) -> list[str]:
        """What the service at the endpoint does not understand."""
        has = self._capabilities(manifest)
        missing = [
            f"{text}: not understood by {manifest.compatibility}"
            for name, text in _PROTECTIONS.items()
            if not has[name]
        ]
        if manifest.endpoint_url is not None and not _tls_only(manifest):
            missing.append("the policy that denies plain HTTP: the endpoint itself is plain HTTP")
        return missing

    def address_of(self, config: Mapping[str, Any]) -> str | None:
        """As :meth:`store_config` has put it there."""
        return (config.get("client_kwargs") or {}).get("endpoint_url")

    def store_config(
        self,
        manifest: Manifest,
        store: ArtifactStore,
        output: Mapping[str, Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Where the service is, and the storage class of what is written."""
        client = {"region_name": manifest.region, "endpoint_url": manifest.endpoint_url}
        # A bucket has no class of its own: every write says one, and S3 takes none for its standard.
        said = store.storage_class != _STORAGE_CLASSES[0]
        return {
            "client_kwargs": {key: value for key, value in client.items() if value is not None},
            "s3_additional_kwargs": {"StorageClass": store.storage_class.upper()} if said else None,
        }

    def connector_config(
        self, manifest: Manifest, connector: Connector, output: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Where the service is, and the role to assume there."""
        config: dict[str, Any] = {
            "region": manifest.region,
            "endpoint_url": manifest.endpoint_url,
            "access": connector.access,
        }
        if connector.auth_method in self.identity_methods:
            config["role_arn"] = str(output["role_arn"])
            config["external_id"] = connector.external_id
            config["session_seconds"] = connector.session_seconds
            # Named, so that a session reaches these keys only; none for the provider's managed one.
            config["kms_key_arn"] = output.get("kms_key_arns") or None
        return config

    def _capabilities(self, manifest: Manifest) -> dict[str, bool]:
        return {name: self.can(name, manifest.compatibility or "") for name in _CAPABILITIES}


def _replicas(manifest: Manifest) -> list[dict[str, str]]:
    """Each region that something is copied to, once, with a store that names it."""
    strict = [store for store in manifest.artifact_stores if store.profile == "strict"]
    named = {str(store.replica_region): store.name for store in sorted(strict, key=lambda store: store.name)}
    return [{"alias": region.replace("-", "_"), "store": store} for region, store in sorted(named.items())]


def _tls_only(manifest: Manifest) -> bool:
    return not (manifest.endpoint_url or "").startswith("http://")


_S3_BUCKET = NameRule(
    pattern=re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    says="an S3 bucket name has 3 to 63 characters, only a-z, 0-9, '-' and '.', and starts and ends with a "
    "letter or digit",
    source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
    refused=(
        (re.compile(r"\.\."), "an S3 bucket name has no two dots in a row"),
        (re.compile(r"^\d+\.\d+\.\d+\.\d+$"), "an S3 bucket name must not look like an IP address"),
        (
            re.compile(r"^(xn--|sthree-|amzn-s3-demo-)"),
            "this prefix is reserved by AWS: xn--, sthree-, amzn-s3-demo-",
        ),
        (
            re.compile(r"(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$"),
            "this suffix is reserved by AWS: -s3alias, --ol-s3, .mrap, --x-s3, --table-s3",
        ),
    ),
)

_AWS_REGION = NameRule(
    pattern=re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}"),
    says="an AWS region looks like eu-west-1",
    source="https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html",
)

_S3_SERVICE_REGION = NameRule(
    pattern=re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"),
    says="a region has 1 to 63 letters, digits, '-' and '_', as the service at endpoint_url names it",
    source="what S3-compatible services take as the region of a signature",
)

_AWS_ACCOUNT = NameRule(
    pattern=re.compile(r"[0-9]{12}"),
    says="an AWS account id has exactly 12 digits",
    source="https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html",
)

_AWS_KMS_KEY = NameRule(
    pattern=re.compile(
        r"alias/[A-Za-z0-9/_-]{1,250}|mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        r"|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key/[A-Za-z0-9-]{1,60}|alias/[A-Za-z0-9/_-]{1,250})"
    ),
    says="a KMS key is alias/NAME, a key id, arn:aws:kms:REGION:ACCOUNT:key/ID or "
    "arn:aws:kms:REGION:ACCOUNT:alias/NAME",
    source="https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id",
)

_PRINCIPAL_NAME = r"(root|(user|role|assumed-role|federated-user)/[A-Za-z0-9_+=,.@/-]{1,512})"

# What vouches for a workload, and the subject of its tokens.
_WORKLOAD = r"oidc-provider/[A-Za-z0-9._/-]{1,255}#[^*?#$\s]{1,255}"

_AWS_PRINCIPAL = NameRule(
    pattern=re.compile(
        r"arn:aws[a-z-]*:((iam|sts)::[0-9]{12}:" + _PRINCIPAL_NAME + "|iam::[0-9]{12}:" + _WORKLOAD + ")"
    ),
    says="a principal is an ARN such as arn:aws:iam::123456789012:role/NAME, .../user/NAME or "
    "arn:aws:iam::123456789012:root, or that of an OIDC provider and a subject, "
    "arn:aws:iam::123456789012:oidc-provider/ISSUER#SUBJECT, without wildcards",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
)

_S3_SERVICE_PRINCIPAL = NameRule(
    pattern=re.compile(r"arn:aws:(iam|sts)::[A-Za-z0-9_-]{0,64}:(" + _PRINCIPAL_NAME + f"|{_WORKLOAD})"),
    says="a principal is an ARN such as arn:aws:iam:::user/NAME or, with a tenant, "
    "arn:aws:iam::TENANT:user/NAME, without wildcards",
    source="https://docs.ceph.com/en/latest/radosgw/STS/ and AWS's own form, for emulators",
)

_AWS_EXTERNAL_ID = NameRule(
    pattern=re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}"),
    says="an external id has 2 to 1,224 characters, only letters, digits and _ + = , . @ : / -",
    source="https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html",
)

_DANGERS = Dangers(
    buckets=frozenset({"aws_s3_bucket"}),
    protecting=MappingProxyType(
        {
            "aws_s3_bucket_public_access_block": ("public", "the block of public access is removed"),
            "aws_s3_bucket_policy": ("protection", "the policy that denies plain HTTP is removed"),
            "aws_s3_bucket_ownership_controls": ("public", "ACLs become possible"),
            "aws_s3_bucket_versioning": ("protection", "versioning is no longer managed"),
            "aws_s3_bucket_server_side_encryption_configuration": (
                "protection",
                "encryption is no longer managed",
            ),
        }
    ),
    safe=MappingProxyType(
        {
            "aws_s3_bucket_public_access_block": tuple(
                (name, frozenset({True}), "public", f"public access is no longer blocked ({name})")
                for name in (
                    "block_public_acls",
                    "block_public_policy",
                    "ignore_public_acls",
                    "restrict_public_buckets",
                )
            ),
            "aws_s3_bucket_versioning": (
                (
                    "versioning_configuration.0.status",
                    frozenset({"Enabled"}),
                    "protection",
                    "versioning is switched off",
                ),
            ),
        }
    ),
    policies=MappingProxyType(
        {
            "aws_iam_role_policy": ("policy", "permissions", ("Action", "Resource"), "may now also"),
        }
    ),
    trusting=MappingProxyType({"aws_iam_role": "assume_role_policy"}),
)

AWS = Aws(
    name="aws",
    title="AWS",
    flavor="s3",
    scheme="s3",
    template="roots/aws.tf.j2",
    left_behind_template="roots/aws.left-behind.tf.j2",
    modules=MappingProxyType(
        {
            "artifact_store": "aws/artifact-store",
            "artifact_replica": _REPLICA,
            "connector": "aws/service-connector",
        }
    ),
    bucket_rule=_S3_BUCKET,
    verifier="provisioner.verify.aws",
    reader="provisioner.live.aws",
    side_buckets=frozenset({"store.aws_s3_bucket.logs", "replica.aws_s3_bucket.this"}),
    dangers=_DANGERS,
    key_resources=frozenset({"aws_kms_key.this"}),
    auth_methods=("iam-role", "implicit", "secret-key"),
    identity_methods=frozenset({"iam-role"}),
    secret_methods=frozenset({"secret-key"}),
    connector_type="aws",
    resource_type="s3-bucket",
    required_fields=frozenset({"region"}),
    allowed_fields=frozenset({"region", "account", "endpoint_url", "compatibility"}),
    store_fields=frozenset(
        {"prefix", "versioning", "encryption", "lifecycle", "storage_class", "replica_region"}
    ),
    storage_classes=_STORAGE_CLASSES,
    slow_classes=frozenset({"glacier", "deep_archive"}),
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
    never_archived=MappingProxyType(
        {
            "glacier_ir": "objects are written to GLACIER_IR, where it would move them",
            "onezone_ia": "S3 moves no object from ONEZONE_IA to GLACIER_IR",
        }
    ),
    class_of_writes=True,
    profiles=("baseline", "strict"),
    connector_fields=frozenset({"external_id"}),
    field_rules=MappingProxyType(
        {
            "region": _AWS_REGION,
            "account": _AWS_ACCOUNT,
            "encryption.kms_key": _AWS_KMS_KEY,
            "trusted_principals": _AWS_PRINCIPAL,
            "external_id": _AWS_EXTERNAL_ID,
        }
    ),
    service_rules=MappingProxyType(
        {"region": _S3_SERVICE_REGION, "trusted_principals": _S3_SERVICE_PRINCIPAL}
    ),
    compatibilities=MappingProxyType(
        {
            "aws": MappingProxyType({}),
            "ceph": MappingProxyType(
                {
                    "storage_classes": False,
                    "caller_identity": False,
                    "encryption": False,
                    "ownership_controls": False,
                    "iam_tags": False,
                }
            ),
            "minio": MappingProxyType(
                {
                    "storage_classes": False,
                    "caller_identity": False,
                    "encryption": False,
                    "ownership_controls": False,
                    "public_access_block": False,
                    "iam_roles": False,
                    "kms": False,
                }
            ),
        }
    ),
    extra="s3",
    echoes=frozenset({"tags_all"}),
    packages=("boto3", "obstore"),
    environment=MappingProxyType(
        {"region": ("AWS_REGION", "AWS_DEFAULT_REGION"), "endpoint_url": ("AWS_ENDPOINT_URL",)}
    ),
    examples=MappingProxyType({"region": "eu-west-1"}),
    planned_identity=MappingProxyType({"role_arn": "arn:aws:iam::000000000000:role/planned"}),
)
