"""AWS and S3-compatible services, through boto3 and with the credentials of whoever runs the command."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError

from provisioner.catalog import PROVIDERS
from provisioner.errors import UpstreamError
from provisioner.journal import Intent
from provisioner.manifest import ArtifactStore, Manifest, generated_bucket
from provisioner.verify.aws_errors import ABSENT, code, setting, translated
from provisioner.verify.aws_identity import own_principal
from provisioner.verify.base import Contents, Orphans, Places

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef
    from mypy_boto3_sts import STSClient

_EXAMPLES = 3
_COUNTED = 1000
_CLOCK_SKEW = timedelta(minutes=5)


class Aws:
    """The account or service that one manifest names."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._has = PROVIDERS["aws"].can
        self._session = boto3.Session(region_name=manifest.region)
        self._config = Config(
            connect_timeout=10,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 5},
            s3={"addressing_style": "path" if manifest.endpoint_url else "auto"},
        )

    @cached_property
    def _s3(self) -> S3Client:
        return self._session.client("s3", endpoint_url=self._manifest.endpoint_url, config=self._config)

    @cached_property
    def _iam(self) -> IAMClient:
        return self._session.client("iam", endpoint_url=self._manifest.endpoint_url, config=self._config)

    @cached_property
    def _sts(self) -> STSClient:
        return self._session.client("sts", endpoint_url=self._manifest.endpoint_url, config=self._config)

    def can(self, capability: str) -> bool:
        """Whether the service understands a capability of the catalog."""
        return self._has(capability, self._manifest.compatibility or "")

    @property
    def bucket_resource(self) -> str:
        """The bucket: everything else is a setting of it."""
        return "aws_s3_bucket.this"

    def bucket_name(
        self,
        attributes: Mapping[str, Any],
        *,
        tainted: bool = False,  # noqa: ARG002  # the protocol's signature
    ) -> str:
        """Its name alone."""
        return str(attributes["bucket"])

    def adopted(self) -> dict[str, str]:
        """Those with ``existing: true``, which have to be named."""
        return {str(store.bucket): store.name for store in self._manifest.artifact_stores if store.existing}

    def credentials_end_within(self, seconds: int) -> bool:
        """Known of credentials with an end: of a role, of SSO, or with AWS_CREDENTIAL_EXPIRATION."""
        with translated("reading the credentials"):
            credentials = self._session.get_credentials()
            if not isinstance(credentials, RefreshableCredentials):
                return False
            credentials.get_frozen_credentials()  # takes fresh ones, where those are to be had
            return bool(credentials.refresh_needed(seconds))

    def account(self) -> str | None:
        """The account id that STS names; None for a service without STS, once it has accepted the keys."""
        with translated("asking who we are"):
            if not self.can("caller_identity"):
                self._s3.list_buckets()
                return None
            return self._sts.get_caller_identity()["Account"]

    def machine_variables(self) -> dict[str, Any]:
        """Who applies, where that one is to be trusted."""
        provider = PROVIDERS["aws"]
        if not any(map(provider.trusts_applier, provider.identities(self._manifest))):
            return {}
        return {"applying_principal": own_principal(self._sts, self._iam)}

    def bucket(self, store: ArtifactStore, account: str | None) -> str:
        """The name of a store's bucket, generated where the manifest names none."""
        if store.bucket is not None:
            return store.bucket
        salt = account or self._manifest.account or self._manifest.endpoint_url or ""
        return generated_bucket(self._manifest.name, store.renamed_from or store.name, salt)

    def identifiers(self, account: str | None) -> dict[str, str]:
        """Buckets and roles: creating one that is already there fails, so a cut-off run must find them."""
        names = {
            f"module.store_{store.name}.aws_s3_bucket.this[0]": self.bucket(store, account)
            for store in self._manifest.artifact_stores
            if not store.existing
        }
        roles = {
            f"module.connector_{connector.name}.aws_iam_role.this": role_name(
                self._manifest.name, connector.renamed_from or connector.name
            )
            for connector in self._manifest.connectors
            if connector.auth_method == "iam-role"
        }
        for store in self._manifest.artifact_stores:
            if store.profile == "strict":
                names |= _beside(store.name, self.bucket(store, account))
        return names | roles

    def repairs(self) -> list[str]:
        """None: Terraform's own refresh sees all that it manages here."""
        return []

    def deviations(self) -> list[str]:
        """Each protection that a bucket should have and does not have, read from the service itself."""
        account = self.account()
        found: list[str] = []
        for store in self._manifest.artifact_stores:
            if not store.existing:
                bucket = self.bucket(store, account)
                found += [f"{store.name} ({bucket}): {problem}" for problem in self._problems(store, bucket)]
        return found

    def _problems(self, store: ArtifactStore, bucket: str) -> Iterator[str]:
        if setting(lambda: self._s3.head_bucket(Bucket=bucket)) is None:
            yield "the bucket is missing"
            return
        versioning = setting(lambda: self._s3.get_bucket_versioning(Bucket=bucket)) or {}
        if store.versioning and versioning.get("Status") != "Enabled":
            yield f"versioning is {versioning.get('Status', 'off')}"
        if self.can("public_access_block"):
            answer = setting(lambda: self._s3.get_public_access_block(Bucket=bucket)) or {}
            flags = answer.get("PublicAccessBlockConfiguration", {})
            open_flags = [
                flag
                for flag in (
                    "BlockPublicAcls",
                    "BlockPublicPolicy",
                    "IgnorePublicAcls",
                    "RestrictPublicBuckets",
                )
                if not flags.get(flag)
            ]
            if open_flags:
                yield f"public access is not blocked: {', '.join(open_flags)} off"
        if self.can("encryption"):
            answer = setting(lambda: self._s3.get_bucket_encryption(Bucket=bucket))
            keyed = store.encryption.kms_key is not None or store.profile == "strict"
            wanted = "aws:kms" if keyed else "AES256"
            rules = (answer or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
            used = {rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules}
            if used != {wanted}:
                yield f"encryption is {', '.join(sorted(used)) or 'off'} instead of {wanted}"
        if store.profile == "strict":
            yield from self._strict_problems(bucket)

    def _strict_problems(self, bucket: str) -> Iterator[str]:
        """What strict adds, and is not there."""
        if "LoggingEnabled" not in self._s3.get_bucket_logging(Bucket=bucket):
            yield "accesses are not logged"
        copied = setting(lambda: self._s3.get_bucket_replication(Bucket=bucket))
        rules = (copied or {}).get("ReplicationConfiguration", {}).get("Rules", [])
        if not any(rule["Status"] == "Enabled" for rule in rules):
            yield "nothing is copied to the second region"

    def contents(self, bucket: str) -> Contents:
        """Objects, old versions and delete markers, counted up to a thousand."""
        with translated(f"listing the versions in {bucket}"):
            try:
                answer = self._s3.list_object_versions(Bucket=bucket, MaxKeys=_COUNTED)
            except ClientError as error:
                if code(error) in ABSENT:
                    return Contents(0, 0, ())
                raise
        versions = answer.get("Versions", [])
        current = [version for version in versions if version["IsLatest"]]
        old = len(versions) - len(current) + len(answer.get("DeleteMarkers", []))
        names = dict.fromkeys(version["Key"] for version in versions)
        return Contents(len(current), old, tuple(names)[:_EXAMPLES], more=bool(answer.get("IsTruncated")))

    def empty(self, bucket: str, prefix: str = "") -> None:
        """Delete all objects, versions, delete markers and unfinished uploads below a prefix."""
        with translated(f"emptying {bucket}"):
            for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
                entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                objects: list[ObjectIdentifierTypeDef] = [
                    {"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries
                ]
                if objects:
                    answer = self._s3.delete_objects(
                        Bucket=bucket, Delete={"Objects": objects, "Quiet": True}
                    )
                    _refuse_partial(bucket, answer.get("Errors", []))
            for uploads in self._s3.get_paginator("list_multipart_uploads").paginate(
                Bucket=bucket, Prefix=prefix
            ):
                for upload in uploads.get("Uploads", []):
                    self._s3.abort_multipart_upload(
                        Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )

    def discard(self, bucket: str) -> None:
        """Nothing: Terraform deletes a bucket by what its state says, with or without a module."""

    def orphans(self, intents: Sequence[Intent], since: datetime) -> Orphans:
        """Buckets and roles of ours that were made after the cut-off run began.

        What is older than the run, or carries the tags of something else, is never taken over.
        """
        since -= _CLOCK_SKEW
        made: dict[tuple[str, str], datetime] = {}
        with translated("looking for what a cut-off run has left"):
            if any(intent.type == "aws_s3_bucket" for intent in intents):
                for bucket in self._s3.list_buckets()["Buckets"]:
                    made["aws_s3_bucket", bucket["Name"]] = bucket["CreationDate"]
            for intent in intents:
                if intent.type == "aws_iam_role" and intent.identifier is not None:
                    answer = setting(partial(self._iam.get_role, RoleName=intent.identifier))
                    if answer is not None:
                        made["aws_iam_role", intent.identifier] = answer["Role"]["CreateDate"]
        found = [
            intent
            for intent in intents
            if intent.identifier is not None
            and (created := made.get((intent.type, intent.identifier))) is not None
            and created >= since
            and self._is_ours(intent)
        ]
        return Orphans(found)

    def _is_ours(self, intent: Intent) -> bool:
        """Whether the tags do not speak against it: a run that was cut off may not have come to set them."""
        name = intent.identifier or ""
        if intent.type == "aws_s3_bucket":
            tags = (setting(lambda: self._s3.get_bucket_tagging(Bucket=name)) or {}).get("TagSet", [])
        elif not self.can("iam_tags"):
            return True
        else:
            tags = (setting(lambda: self._iam.list_role_tags(RoleName=name)) or {}).get("Tags", [])
        found = {tag["Key"]: tag["Value"] for tag in tags}
        ours = {"provisioned-by": "stack-provisioner", "stack": self._manifest.name}
        return not found or ours.items() <= found.items()


def _beside(store: str, bucket: str) -> dict[str, str]:
    """The names of what a strict store has beside its bucket; twins of the rules in the modules."""
    digest = hashlib.sha256(bucket.encode()).hexdigest()[:10]
    logs, replica = (bucket[:length].replace(".", "-") for length in (46, 43))
    return {
        f"module.store_{store}.aws_s3_bucket.logs[0]": f"{logs}-logs-{digest}",
        f"module.replica_{store}.aws_s3_bucket.this": f"{replica}-replica-{digest}",
        f"module.store_{store}.aws_iam_role.replication[0]": f"{bucket[:41]}-replication-{digest}",
    }


def role_name(stack: str, connector: str) -> str:
    """The name of a connector's role; the twin of the rule in modules/aws/service-connector."""
    digest = hashlib.sha256(f"{stack}/{connector}".encode()).hexdigest()
    return f"{f'{stack}-{connector}'[:53]}-{digest[:10]}"


def connect(manifest: Manifest, places: Places) -> Aws:  # noqa: ARG001  # every provider's signature
    """The account or service that the manifest names."""
    with translated("reading the AWS configuration"):
        return Aws(manifest)


def _refuse_partial(bucket: str, errors: Sequence[Any]) -> None:
    if errors:
        first = errors[0]
        raise UpstreamError(
            f"{len(errors)} objects of {bucket} could not be deleted; the first is {first.get('Key')}: "
            f"{first.get('Code')} {first.get('Message', '')}",
            hint="objects under a retention or a legal hold stay until it ends",
        )
