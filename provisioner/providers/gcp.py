"""Google Cloud: what may stand in a manifest, in the Terraform root and in the records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from provisioner.providers.base import NameRule, Provider
from provisioner.providers.dangers import Dangers

if TYPE_CHECKING:
    from provisioner.manifest import ArtifactStore, Connector, Manifest


class Gcp(Provider):
    """Buckets of Cloud Storage, and service accounts that reach them."""

    __slots__ = ()

    def store_variables(self, store: ArtifactStore) -> dict[str, Any]:
        """Those of every cloud, the storage class and the profile."""
        return {
            **super().store_variables(store),
            "storage_class": store.storage_class.upper(),
            "strict": store.profile == "strict",
        }

    def connector_variables(self, connector: Connector) -> dict[str, Any]:
        """Who may do what; how long a token lives is asked for with each token."""
        variables = super().connector_variables(connector)
        del variables["session_seconds"]
        return variables

    def template_facts(self, manifest: Manifest) -> Mapping[str, Any]:  # noqa: ARG002  # needs none of it
        """Which connectors nobody impersonates."""
        return {"minted": self.minted_methods}

    def permissions(self, connector: Connector) -> str:
        """Those of roles/storage.objectUser or roles/storage.objectViewer, in words."""
        return {
            "read-write": "list, read, write and delete objects and their old versions",
            "read-only": "list and read objects and their old versions",
        }[connector.access]

    def store_config(
        self,
        manifest: Manifest,
        store: ArtifactStore,  # noqa: ARG002  # every provider's signature
        output: Mapping[str, Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """The project that requests are made for."""
        return {"project": manifest.account}

    def connector_config(
        self, manifest: Manifest, connector: Connector, output: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The project, and the service account to impersonate; a key lies in the connector's secret."""
        config: dict[str, Any] = {"project_id": manifest.account, "access": connector.access}
        if connector.auth_method == "impersonation":
            config["target_principal"] = str(output["email"])
            config["session_seconds"] = connector.session_seconds
        return config


_GCS_BUCKET = NameRule(
    pattern=re.compile(r"[a-z0-9]([a-z0-9_-]{1,61}|[a-z0-9._-]{1,220})[a-z0-9]"),
    says="a Cloud Storage bucket name has 3 to 63 characters (222 with dots), only a-z, 0-9, '-', '_' and "
    "'.', and starts and ends with a letter or digit",
    source="https://cloud.google.com/storage/docs/buckets#naming",
    refused=(
        (re.compile(r"[^.]{64}"), "no part of a Cloud Storage bucket name has more than 63 characters"),
        (
            re.compile(r"\.\.|\.-|-\."),
            "a Cloud Storage bucket name with dots is a domain name: no '..', '.-' or '-.'",
        ),
        (re.compile(r"^\d+\.\d+\.\d+\.\d+$"), "a Cloud Storage bucket name must not look like an IP address"),
        (re.compile(r"^goog"), "bucket names that start with goog belong to Google"),
        (re.compile(r"g[o0]{2}g[l1]e"), "a bucket name must not contain google, or what looks like it"),
    ),
)

_LOCATION = NameRule(
    pattern=re.compile(r"(?i:[a-z]+-[a-z]+[0-9]+|[a-z]{3,4}[0-9]{1,2}|eu|us|asia)"),
    says="a location is a region such as europe-west1, a dual-region such as EUR4, or EU, US or ASIA",
    source="https://cloud.google.com/storage/docs/locations",
)

_PROJECT = NameRule(
    pattern=re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
    says="a project id has 6 to 30 characters, only a-z, 0-9 and '-', starts with a letter and does not end "
    "with '-' (it is not the project's number, nor its title)",
    source="https://cloud.google.com/resource-manager/docs/creating-managing-projects",
)

_KMS_KEY = NameRule(
    pattern=re.compile(
        r"projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/locations/[a-z0-9-]{2,40}/keyRings/[A-Za-z0-9_-]{1,63}"
        r"/cryptoKeys/[A-Za-z0-9_-]{1,63}"
    ),
    says="a key is projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY, without a version",
    source="https://cloud.google.com/kms/docs/getting-resource-ids",
)

_PRINCIPAL = NameRule(
    pattern=re.compile(
        r"(user|group|serviceAccount):[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,253}"
        r"|(principal|principalSet)://iam\.googleapis\.com/[A-Za-z0-9._~:/@%+=-]{1,1024}"
    ),
    says="a principal is user:EMAIL, group:EMAIL, serviceAccount:EMAIL, or an identity of a workload "
    "identity pool: principal://iam.googleapis.com/… or principalSet://iam.googleapis.com/…; no wildcards",
    source="https://cloud.google.com/iam/docs/principal-identifiers",
)

# A quote would end the text of an IAM condition.
_PREFIX = NameRule(
    pattern=re.compile(r"[^']+"),
    says="a prefix without ' on Google Cloud, where it stands in the condition of a grant",
    source="modules/gcp/service-connector",
)

_LABEL_KEY = NameRule(
    pattern=re.compile(r"[a-z][a-z0-9_-]{0,62}"),
    says="the key of a label has 1 to 63 characters, only a-z, 0-9, '_' and '-', and starts with a letter",
    source="https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels",
)

_LABEL_VALUE = NameRule(
    pattern=re.compile(r"[a-z0-9_-]{0,63}"),
    says="the value of a label has at most 63 characters, only a-z, 0-9, '_' and '-'",
    source="https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels",
)

_DANGERS = Dangers(
    buckets=frozenset({"google_storage_bucket"}),
    safe=MappingProxyType(
        {
            "google_storage_bucket": (
                (
                    "public_access_prevention",
                    frozenset({"enforced"}),
                    "public",
                    "public access is no longer prevented",
                ),
                ("uniform_bucket_level_access", frozenset({True}), "public", "ACLs become possible"),
                ("versioning.0.enabled", frozenset({True}), "protection", "versioning is switched off"),
            ),
        }
    ),
    giving=MappingProxyType(
        {
            "google_storage_bucket_iam_member": ("role", "permissions", "is given the role"),
            "google_service_account_iam_member": ("member", "trust", "is now also trusted to"),
        }
    ),
    identities=frozenset({"google_service_account"}),
    narrow=frozenset({"roles/storage.objectViewer"}),
)

GCP = Gcp(
    name="gcp",
    title="Google Cloud",
    flavor="gcp",
    scheme="gs",
    template="roots/gcp.tf.j2",
    modules=MappingProxyType({"artifact_store": "gcp/artifact-store", "connector": "gcp/service-connector"}),
    bucket_rule=_GCS_BUCKET,
    verifier="provisioner.verify.gcp",
    reader="provisioner.live.gcp",
    auth_methods=(
        "impersonation",
        "implicit",
        "service-account",
        "external-account",
        "user-account",
        "oauth2-token",
    ),
    identity_methods=frozenset({"impersonation", "service-account"}),
    secret_methods=frozenset({"external-account", "user-account", "oauth2-token"}),
    minted_methods=frozenset({"service-account"}),
    side_buckets=frozenset({"store.google_storage_bucket.logs"}),
    dangers=_DANGERS,
    key_resources=frozenset({"google_kms_crypto_key.this", "google_kms_key_ring.this"}),
    connector_type="gcp",
    resource_type="gcs-bucket",
    required_fields=frozenset({"region", "account"}),
    allowed_fields=frozenset({"region", "account"}),
    store_fields=frozenset({"prefix", "versioning", "encryption", "lifecycle", "storage_class"}),
    storage_classes=("standard", "nearline", "coldline", "archive"),
    # https://cloud.google.com/storage/docs/lifecycle#setstorageclass
    never_archived=MappingProxyType(
        {
            "coldline": "objects are written to COLDLINE, where it would move them",
            "archive": "objects are written to ARCHIVE, and nothing moves from there to COLDLINE",
        }
    ),
    profiles=("baseline", "strict"),
    field_rules=MappingProxyType(
        {
            "region": _LOCATION,
            "account": _PROJECT,
            "prefix": _PREFIX,
            "encryption.kms_key": _KMS_KEY,
            "trusted_principals": _PRINCIPAL,
            "tags.key": _LABEL_KEY,
            "tags.value": _LABEL_VALUE,
        }
    ),
    extra="gcp",
    echoes=frozenset({"effective_labels", "terraform_labels", "updated"}),
    packages=("google.auth", "google.cloud.storage"),
    environment=MappingProxyType(
        {
            "region": ("GOOGLE_REGION", "CLOUDSDK_COMPUTE_REGION"),
            "account": ("GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT", "CLOUDSDK_CORE_PROJECT"),
        }
    ),
    examples=MappingProxyType({"region": "europe-west1", "account": "my-project-id"}),
    planned_identity=MappingProxyType({"email": "planned@planned-project.iam.gserviceaccount.com"}),
)
