"""The extension seam: what a provider is made of.

A provider is one folder under ``modules/``, one template of its Terraform root, and one entry here;
the runtime adds one store and one connector. Nothing else in the code asks «which provider is this?».
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class NameRule:
    """What a cloud allows as a name: ``pattern`` must match in full, no ``refused`` may match.

    ``says`` is the sentence a user reads when it does not hold; ``source`` is where the rule is from.
    """

    pattern: re.Pattern[str]
    says: str
    source: str
    refused: tuple[tuple[re.Pattern[str], str], ...] = ()

    def problem(self, name: str) -> str | None:
        """Why ``name`` is not allowed, or None when it is."""
        if not self.pattern.fullmatch(name):
            return self.says
        for pattern, why in self.refused:
            if pattern.search(name):
                return why
        return None


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: its module folders, template, manifest rules and counterparts in the runtime.

    ``allowed_fields`` are the manifest's own fields and ``store_fields`` those of a store that only some
    providers have. ``field_rules`` say what this cloud allows as the text of a field, ``service_rules`` take
    their place where an ``endpoint_url`` names another service with the same interface.
    """

    name: str
    title: str
    flavor: str
    scheme: str
    template: str
    modules: Mapping[str, str]
    bucket_rule: NameRule
    verifier: str
    auth_methods: tuple[str, ...]
    connector_type: str | None = None
    resource_type: str | None = None
    required_fields: frozenset[str] = frozenset()
    allowed_fields: frozenset[str] = frozenset()
    store_fields: frozenset[str] = frozenset()
    storage_classes: tuple[str, ...] = ("standard",)
    field_rules: Mapping[str, NameRule] = field(default_factory=lambda: MappingProxyType({}))
    service_rules: Mapping[str, NameRule] = field(default_factory=lambda: MappingProxyType({}))
    compatibilities: Mapping[str, Mapping[str, bool]] = field(default_factory=lambda: MappingProxyType({}))
    extra: str | None = None

    @property
    def default_auth_method(self) -> str:
        """What a connector uses when the manifest does not say."""
        return self.auth_methods[0]

    def can(self, capability: str, compatibility: str) -> bool:
        """Whether the service behind ``compatibility`` understands ``capability``; unknown ones are had."""
        return self.compatibilities.get(compatibility, {}).get(capability, True)

    def rule_for(self, field_name: str, *, service: bool) -> NameRule | None:
        """What this cloud (or, with ``service``, another service at ``endpoint_url``) allows in a field."""
        rule = self.field_rules.get(field_name)
        return self.service_rules.get(field_name, rule) if service else rule


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

_AWS_PRINCIPAL = NameRule(
    pattern=re.compile(r"arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:" + _PRINCIPAL_NAME),
    says="a principal is an ARN such as arn:aws:iam::123456789012:role/NAME, .../user/NAME or "
    "arn:aws:iam::123456789012:root, without wildcards",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
)

_S3_SERVICE_PRINCIPAL = NameRule(
    pattern=re.compile(r"arn:aws:(iam|sts)::[A-Za-z0-9_-]{0,64}:" + _PRINCIPAL_NAME),
    says="a principal is an ARN such as arn:aws:iam:::user/NAME or, with a tenant, "
    "arn:aws:iam::TENANT:user/NAME, without wildcards",
    source="https://docs.ceph.com/en/latest/radosgw/STS/ and AWS's own form, for emulators",
)

_AWS_EXTERNAL_ID = NameRule(
    pattern=re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}"),
    says="an external id has 2 to 1,224 characters, only letters, digits and _ + = , . @ : / -",
    source="https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html",
)

_LOCAL_DIRECTORY = NameRule(
    pattern=re.compile(r"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]{1,4000}"),
    says="a directory has no control or invisible characters and at most 4,000 characters",
    source="POSIX PATH_MAX, less what a store adds",
    refused=(
        (re.compile(r"(^|/)\.\.(/|$)"), "a directory must not climb with '..'"),
        (
            re.compile(r"^~"),
            "a directory does not start with '~': write it in full, or relative to the manifest",
        ),
        (re.compile(r"^/+$"), "the root directory cannot be a store"),
        (
            re.compile(r"//|(^|/)\.(/|$)|/$"),
            "a directory has no empty and no '.' parts, and no '/' at its end",
        ),
    ),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        provider.name: provider
        for provider in (
            Provider(
                name="local",
                title="local disk",
                flavor="local",
                scheme="",
                template="roots/local.tf.j2",
                modules=MappingProxyType({"artifact_store": "local/artifact-store"}),
                bucket_rule=_LOCAL_DIRECTORY,
                verifier="provisioner.verify.local",
                auth_methods=("none",),
            ),
            Provider(
                name="aws",
                title="AWS",
                flavor="s3",
                scheme="s3",
                template="roots/aws.tf.j2",
                modules=MappingProxyType(
                    {"artifact_store": "aws/artifact-store", "connector": "aws/service-connector"}
                ),
                bucket_rule=_S3_BUCKET,
                verifier="provisioner.verify.aws",
                auth_methods=("iam-role", "implicit", "secret-key"),
                connector_type="aws",
                resource_type="s3-bucket",
                required_fields=frozenset({"region"}),
                allowed_fields=frozenset({"region", "account", "endpoint_url", "compatibility"}),
                store_fields=frozenset({"prefix", "versioning", "encryption", "lifecycle", "storage_class"}),
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
                                "caller_identity": False,
                                "encryption": False,
                                "ownership_controls": False,
                                "iam_tags": False,
                            }
                        ),
                        "minio": MappingProxyType(
                            {
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
            ),
        )
    }
)
