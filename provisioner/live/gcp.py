"""Buckets, service accounts and keys as ``modules/gcp`` makes them, read through Google's own libraries.

The attributes have the names and shapes of the Google provider's schema. An emulator is found as
:mod:`provisioner.verify.gcp` says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage

from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError, UpstreamError
from provisioner.live.base import Found, Seen
from provisioner.live.noted import Resource
from provisioner.manifest import Manifest
from provisioner.verify.gcp_identity import credentials, translated

_ENDPOINTS = {"iam": "https://iam.googleapis.com/v1/", "kms": "https://cloudkms.googleapis.com/v1/"}
_TIMEOUT = 30  # seconds for one answer
_OK, _NOT_FOUND = 200, 404
_STATES = {True: "LIVE", False: "ARCHIVED"}
_EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})


class Gcp:
    """See :class:`provisioner.live.base.Reader`."""

    def __init__(self, project: str | None) -> None:
        self._project = project
        held = credentials()
        self._storage = storage.Client(project=project, credentials=held)
        self._session = AuthorizedSession(held)

    @property
    def readings(self) -> Mapping[str, Callable[[Mapping[str, Any]], Found]]:
        """Every type that the modules use."""
        return {
            "google_storage_bucket": self._bucket,
            "google_storage_bucket_iam_member": self._bucket_member,
            "google_service_account": self._account,
            "google_service_account_iam_member": self._account_member,
            "google_kms_key_ring": self._ring,
            "google_kms_crypto_key": self._key,
            "google_kms_crypto_key_iam_member": self._key_member,
            "terraform_data": lambda noted: noted and {},  # a name that was thought up, and nothing more
        }

    def account(self) -> str | None:
        """The project: credentials of Google belong to none themselves."""
        return self._project

    def uninvited(self, resources: Sequence[Resource]) -> list[str]:
        """Whoever else may act as our service accounts, what else those may do, and buckets open to all."""
        return sorted({*self._strangers(resources), *self._open_buckets(resources)})

    def _strangers(self, resources: Sequence[Resource]) -> Iterator[str]:
        trusted = {
            (resource.attributes["service_account_id"], resource.attributes["role"], _member(resource))
            for resource in resources
            if resource.type == "google_service_account_iam_member"
        }
        for resource in resources:
            if resource.type == "google_service_account":
                name = resource.attributes["name"]
                for binding in (self._policy("iam", name) or {}).get("bindings", ()):
                    for member in binding["members"]:
                        if (name, binding["role"], member) not in trusted:
                            yield f"{member} has {binding['role']} on {resource.attributes['email']}"

    def _open_buckets(self, resources: Sequence[Resource]) -> Iterator[str]:
        granted = {
            (resource.attributes["bucket"], resource.attributes["role"], _member(resource))
            for resource in resources
            if resource.type == "google_storage_bucket_iam_member"
        }
        ours = {member for _bucket, _role, member in granted}
        for bucket in sorted({bucket for bucket, _role, _member in granted}):
            for binding in self._bucket_policy(bucket) or ():
                for member in binding["members"]:
                    known = (bucket, binding["role"], member) in granted
                    if not known and (member in ours or member in _EVERYBODY):
                        yield f"{member} has {binding['role']} on the bucket {bucket}"

    # --- buckets ------------------------------------------------------------------------------------------

    def _bucket(self, noted: Mapping[str, Any]) -> Found:
        with translated(f"reading the settings of {noted['name']}"):
            bucket = self._storage.lookup_bucket(noted["name"])
        if bucket is None:
            return None
        labels, logging = bucket.labels, bucket.get_logging()
        access = bucket.iam_configuration
        key = bucket.default_kms_key_name
        return {
            # As with Terraform, labels that somebody else put there are theirs.
            "labels": {name: labels.get(name) for name in noted.get("labels") or {}},
            "storage_class": bucket.storage_class,
            "uniform_bucket_level_access": bool(access.uniform_bucket_level_access_enabled),
            "public_access_prevention": access.public_access_prevention or "inherited",
            "versioning": [{"enabled": bool(bucket.versioning_enabled)}],
            "soft_delete_policy": [
                {"retention_duration_seconds": int(bucket.soft_delete_policy.retention_duration_seconds or 0)}
            ],
            "encryption": [{"default_kms_key_name": key}] if key else [],
            "logging": (
                [
                    {
                        "log_bucket": logging["logBucket"],
                        "log_object_prefix": logging.get("logObjectPrefix", ""),
                    }
                ]
                if logging
                else []
            ),
            "lifecycle_rule": [_rule(rule) for rule in bucket.lifecycle_rules],
        }

    def _bucket_policy(self, bucket: str) -> list[dict[str, Any]] | None:
        with translated(f"reading who may use {bucket}"):
            found = self._storage.lookup_bucket(bucket)
            if found is None:
                return None
            return [dict(item) for item in found.get_iam_policy(requested_policy_version=3).bindings]

    def _bucket_member(self, noted: Mapping[str, Any]) -> Found:
        return _bound(self._bucket_policy(noted["bucket"]), noted)

    # --- service accounts and keys ------------------------------------------------------------------------

    def _account(self, noted: Mapping[str, Any]) -> Found:
        found = self._ask("iam", "GET", quote(noted["name"], safe="/@"))
        if found is None:
            return None
        return {
            "display_name": found.get("displayName", ""),
            "disabled": bool(found.get("disabled", False)),
        }

    def _account_member(self, noted: Mapping[str, Any]) -> Found:
        return _bound((self._policy("iam", noted["service_account_id"]) or {}).get("bindings"), noted)

    def _ring(self, noted: Mapping[str, Any]) -> Found:
        return None if self._ask("kms", "GET", quote(noted["id"], safe="/")) is None else {}

    def _key(self, noted: Mapping[str, Any]) -> Found:
        found = self._ask("kms", "GET", quote(noted["id"], safe="/"))
        return None if found is None else {"rotation_period": found.get("rotationPeriod", "")}

    def _key_member(self, noted: Mapping[str, Any]) -> Found:
        return _bound((self._policy("kms", noted["crypto_key_id"]) or {}).get("bindings"), noted)

    def _policy(self, service: str, name: str) -> dict[str, Any] | None:
        method = "POST" if service == "iam" else "GET"  # as each of the two has it
        # An older version than the third has no conditions, and roles by names that are not theirs.
        query = "options.requestedPolicyVersion=3"
        return self._ask(service, method, f"{quote(name, safe='/@')}:getIamPolicy?{query}")

    def _ask(self, service: str, method: str, path: str) -> dict[str, Any] | None:
        base = os.environ.get(f"GOOGLE_{service.upper()}_CUSTOM_ENDPOINT") or _ENDPOINTS[service]
        with translated("reading the settings"):
            answer = self._session.request(method, f"{base}{path}", timeout=_TIMEOUT)
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code != _OK:
            raise UpstreamError(
                f"reading the settings: Google answered {answer.status_code} for {path}",
                hint="check the permissions of the credentials in use",
            )
        found: dict[str, Any] = answer.json()
        return found


def _member(resource: Resource) -> str:
    return str(resource.attributes["member"])


def _bound(bindings: Sequence[Mapping[str, Any]] | None, noted: Mapping[str, Any]) -> Found:
    """Nothing to compare beside that it is there: a grant that is another is another resource."""
    condition = (noted.get("condition") or [None])[0]
    wanted = condition and condition["expression"]
    for binding in bindings or ():
        expression = (binding.get("condition") or {}).get("expression")
        if (binding["role"], expression) == (noted["role"], wanted) and noted["member"] in binding["members"]:
            return {}
    return None


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    action, condition = rule["action"], rule["condition"]
    return {
        "action": [{"type": action["type"], "storage_class": action.get("storageClass", "")}],
        "condition": [
            {
                "age": condition.get("age"),
                "days_since_noncurrent_time": condition.get("daysSinceNoncurrentTime"),
                "with_state": _STATES.get(condition.get("isLive"), "ANY"),
            }
        ],
    }


def look(bucket: str, given: Mapping[str, str]) -> Seen:
    """A bucket of Cloud Storage: its location, and what protects it."""
    variables = PROVIDERS["gcp"].environment["account"]
    project = given.get("account") or next(filter(None, map(os.environ.get, variables)), None)
    with translated(f"looking at gs://{bucket}"):
        found = storage.Client(project=project or "none", credentials=credentials()).lookup_bucket(bucket)
    if found is None:
        raise InputError(
            f"there is no bucket {bucket!r}", hint="check its name, and which credentials are in use"
        )
    fields = {"region": str(found.location).lower(), **({"account": project} if project else {})}
    access = found.iam_configuration
    closed = access.public_access_prevention == "enforced"
    settings = (
        f"versioning is {'enabled' if found.versioning_enabled else 'off'}",
        f"new objects are {found.storage_class}",
        f"uniform access is {'on' if access.uniform_bucket_level_access_enabled else 'OFF'}",
        "public access is prevented" if closed else "public access is NOT prevented",
    )
    return Seen(fields, settings)


def connect(manifest: Manifest) -> Gcp:
    """The project that the manifest names."""
    with translated("looking for credentials"):
        return Gcp(manifest.account)
