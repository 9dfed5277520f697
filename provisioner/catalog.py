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
    """One provider: its module folders, template, manifest rules and counterparts in the runtime."""

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
    compatibilities: Mapping[str, Mapping[str, bool]] = field(default_factory=lambda: MappingProxyType({}))
    extra: str | None = None

    @property
    def default_auth_method(self) -> str:
        """What a connector uses when the manifest does not say."""
        return self.auth_methods[0]

    def can(self, capability: str, compatibility: str) -> bool:
        """Whether the service behind ``compatibility`` understands ``capability``; unknown ones are had."""
        return self.compatibilities.get(compatibility, {}).get(capability, True)


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

_LOCAL_DIRECTORY = NameRule(
    pattern=re.compile(r"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]{1,4000}"),
    says="a directory has no control or invisible characters and at most 4,000 characters",
    source="POSIX PATH_MAX, less what a store adds",
    refused=((re.compile(r"(^|/)\.\.(/|$)"), "a directory must not climb with '..'"),),
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
