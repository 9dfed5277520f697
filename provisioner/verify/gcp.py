"""Google Cloud, through google-cloud-storage and with the credentials of whoever runs the command.

An emulator is found where Google's own programs look for one: STORAGE_EMULATOR_HOST for Cloud Storage,
GOOGLE_IAM_CUSTOM_ENDPOINT, which the Terraform provider takes as well, for service accounts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import storage

from provisioner.catalog import PROVIDERS
from provisioner.errors import WrongAccountError
from provisioner.journal import Intent
from provisioner.manifest import ArtifactStore, Connector, Manifest, generated_bucket
from provisioner.verify.base import Contents, Minted, Orphans, Places
from provisioner.verify.gcp_identity import Identities, account_id, credentials, own_principal, translated

_EXAMPLES = 3
_COUNTED = 1000
_WORKERS = 16
_CLOCK_SKEW = timedelta(minutes=5)
_PROJECT_VARIABLES = PROVIDERS["gcp"].environment["account"]


class Gcp:
    """The project that one manifest names."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._project = manifest.account or ""

    @cached_property
    def _credentials(self) -> Any:
        return credentials()

    @cached_property
    def _storage(self) -> Any:
        return storage.Client(project=self._project, credentials=self._credentials)

    @cached_property
    def _identities(self) -> Identities:
        return Identities(self._project, self._credentials)

    @property
    def bucket_resource(self) -> str:
        """The bucket: everything else is a setting of it."""
        return "google_storage_bucket.this"

    def bucket_name(
        self,
        attributes: Mapping[str, Any],
        *,
        tainted: bool = False,  # noqa: ARG002  # the protocol's signature
    ) -> str:
        """Its name alone."""
        return str(attributes["name"])

    def adopted(self) -> dict[str, str]:
        """Those with ``existing: true``, which have to be named."""
        return {str(store.bucket): store.name for store in self._manifest.artifact_stores if store.existing}

    def credentials_end_within(self, seconds: int) -> bool:  # noqa: ARG002  # the protocol's signature
        """Google's credentials renew themselves; those that no longer can are found by trying."""
        with translated("reading the credentials"):
            own_principal(self._credentials, needed=False)
        return False

    def account(self) -> str | None:
        """The project, once its buckets could be listed: credentials of Google belong to none themselves.

        Raises :class:`WrongAccountError` where the environment names another one.
        """
        for variable in _PROJECT_VARIABLES:
            named = os.environ.get(variable)
            if named and named != self._project:
                raise WrongAccountError(
                    f"{variable} names the project {named}, but {self._manifest.name} is in {self._project}",
                    hint=f"set {variable}={self._project}, or correct `account` in the manifest",
                )
        with translated(f"asking for the project {self._project}"):
            next(iter(self._storage.list_buckets(max_results=1)), None)
        return self._project

    def machine_variables(self) -> dict[str, Any]:
        """Who applies, where that one is to be trusted; Cloud Storage's own account, where it needs a key."""
        provider = PROVIDERS["gcp"]
        variables: dict[str, Any] = {}
        with translated("asking who we are"):
            if any(
                not connector.trusted_principals and connector.auth_method not in provider.minted_methods
                for connector in provider.identities(self._manifest)
            ):
                variables["applying_principal"] = own_principal(self._credentials)
            if any(_makes_key(store) for store in self._manifest.artifact_stores):
                # Asking for it is also what makes it.
                variables["storage_agent"] = self._storage.get_service_account_email(self._project)
        return variables

    def bucket(self, store: ArtifactStore) -> str:
        """The name of a store's bucket, generated where the manifest names none."""
        first_name = store.renamed_from or store.name
        return store.bucket or generated_bucket(self._manifest.name, first_name, self._project)

    def identifiers(self, account: str | None) -> dict[str, str]:  # noqa: ARG002  # the project is the manifest's
        """Buckets and service accounts: creating one that is already there fails, so they must be found."""
        names: dict[str, str] = {}
        for store in self._manifest.artifact_stores:
            if not store.existing:
                address = f"module.store_{store.name}.google_storage_bucket"
                names[f"{address}.this[0]"] = self.bucket(store)
                if store.profile == "strict":
                    names[f"{address}.logs[0]"] = log_bucket(self.bucket(store))
        for connector in PROVIDERS["gcp"].identities(self._manifest):
            name = account_id(self._manifest.name, connector.renamed_from or connector.name)
            address = f"module.connector_{connector.name}.google_service_account.this"
            names[address] = self._identities.resource_name(name)
        return names

    def repairs(self) -> list[str]:
        """None: Terraform's own refresh sees all that it manages here."""
        return []

    def deviations(self) -> list[str]:
        """Each protection that a bucket should have and does not have, read from the service itself."""
        found: list[str] = []
        for store in self._manifest.artifact_stores:
            if not store.existing:
                name = self.bucket(store)
                with translated(f"reading the settings of {name}"):
                    bucket = self._storage.lookup_bucket(name)
                found += [f"{store.name} ({name}): {problem}" for problem in _problems(store, bucket)]
        return found

    def contents(self, bucket: str) -> Contents:
        """Objects and old versions, counted up to a thousand."""
        with translated(f"listing the versions in {bucket}"):
            try:
                blobs = list(self._storage.list_blobs(bucket, versions=True, max_results=_COUNTED + 1))
            except NotFound:
                return Contents(0, 0, ())
        counted = blobs[:_COUNTED]
        old = sum(blob.time_deleted is not None for blob in counted)
        names = dict.fromkeys(blob.name for blob in counted)
        return Contents(len(counted) - old, old, tuple(names)[:_EXAMPLES], more=len(blobs) > _COUNTED)

    def empty(self, bucket: str, prefix: str = "") -> None:
        """Delete all objects and versions below a prefix."""
        with translated(f"emptying {bucket}"), ThreadPoolExecutor(_WORKERS) as workers:
            blobs = self._storage.list_blobs(bucket, prefix=prefix or None, versions=True)
            for done in [workers.submit(_delete, blob) for blob in blobs]:
                done.result()

    def discard(self, bucket: str) -> None:
        """Nothing: Terraform deletes a bucket by what its state says, with or without a module."""

    def orphans(self, intents: Sequence[Intent], since: datetime) -> Orphans:
        """Buckets of ours that were made after the cut-off run began, and service accounts of ours.

        IAM does not say when a service account was made: that it is ours stands in its name, which is made of
        the stack's and the connector's, and in its title.
        """
        since -= _CLOCK_SKEW
        with translated("looking for what a cut-off run has left"):
            found = [intent for intent in intents if intent.identifier and self._is_orphan(intent, since)]
        return Orphans(found)

    def mint(self, connector: Connector, output: Mapping[str, Any]) -> Minted:
        """A key of the connector's service account, and none beside it."""
        with translated(f"making a key for {connector.name}"):
            key = self._identities.new_key(str(output["email"]))
        return Minted(
            {"service_account_json": key},
            "it ends only when it is deleted: to replace it, apply with another authentication_secret; or "
            "use auth_method impersonation, which needs no key",
        )

    def holds(self, output: Mapping[str, Any], values: Mapping[str, str]) -> bool:
        """Whether a secret has a key of this service account."""
        return self._identities.is_key_of(str(output["email"]), values.get("service_account_json", ""))

    def revoke(self, values: Mapping[str, str]) -> None:
        """Delete the key in Google Cloud; it no longer works a few minutes later."""
        with translated("deleting a key"):
            self._identities.delete_key(values.get("service_account_json", ""))

    def _is_orphan(self, intent: Intent, since: datetime) -> bool:
        name = intent.identifier or ""
        if intent.type == "google_storage_bucket":
            bucket = self._storage.lookup_bucket(name)
            ours = {"provisioned-by": "stack-provisioner", "stack": self._manifest.name}
            return (
                bucket is not None and bucket.time_created >= since and ours.items() <= bucket.labels.items()
            )
        return intent.type == "google_service_account" and self._identities.is_ours(name, self._manifest.name)


def log_bucket(bucket: str) -> str:
    """Where the access logs of a strict bucket go; the twin of the rule in modules/gcp/artifact-store."""
    return f"{bucket[:58]}-logs"


def connect(manifest: Manifest, places: Places) -> Gcp:  # noqa: ARG001  # every provider's signature
    """The project that the manifest names."""
    return Gcp(manifest)


def _makes_key(store: ArtifactStore) -> bool:
    return store.profile == "strict" and not store.existing and store.encryption.kms_key is None


def _problems(store: ArtifactStore, bucket: Any) -> Iterator[str]:
    if bucket is None:
        yield "the bucket is missing"
        return
    if store.versioning and not bucket.versioning_enabled:
        yield "versioning is off"
    access = bucket.iam_configuration
    if access.public_access_prevention != "enforced":
        yield f"public access prevention is {access.public_access_prevention or 'off'}"
    if not access.uniform_bucket_level_access_enabled:
        yield "uniform bucket-level access is off: access control lists work"
    wanted, used = store.encryption.kms_key, bucket.default_kms_key_name
    if wanted is not None and used != wanted:
        yield f"encryption is with {used or 'keys of Google'} instead of {wanted}"
    elif _makes_key(store) and used is None:
        yield "encryption is with keys of Google instead of a customer key"
    if store.profile == "strict" and not bucket.get_logging():
        yield "access logging is off"


def _delete(blob: Any) -> None:
    try:
        blob.bucket.delete_blob(blob.name, generation=blob.generation)
    except NotFound:
        return  # somebody else was faster
