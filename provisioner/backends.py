"""Where Terraform's state can lie: what each backend takes from the manifest, and how its block is written.

Pure: nothing here contacts anybody; ``live`` names the module that speaks to a backend's service. All of them
lock: S3 by a conditional write, Cloud Storage by a generation, Azure by a lease.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from provisioner.providers.aws import AWS
from provisioner.providers.base import NameRule
from provisioner.providers.gcp import GCP

if TYPE_CHECKING:
    from provisioner.manifest import Manifest

_BLOB_NAMES = "https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata"

_STORAGE_ACCOUNT = NameRule(
    pattern=re.compile(r"[a-z0-9]{3,24}"),
    says="a storage account has 3 to 24 characters, a-z and 0-9",
    source="https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name",
)
_CONTAINER = NameRule(
    pattern=re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*"),
    says="a container has 3 to 63 characters, a-z, 0-9 and single '-' between them",
    source=_BLOB_NAMES,
)
_REGION = NameRule(
    pattern=re.compile(r"[a-z0-9][a-z0-9-]{0,62}"),
    says="a region is of a-z, 0-9 and '-', such as eu-west-1",
    source="https://docs.aws.amazon.com/general/latest/gr/rande.html",
)


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of place: the fields of ``state`` that it takes, and what it needs."""

    name: str
    title: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    live: str
    """The module with ``connect(place) -> Service``."""
    extra: str
    rules: Mapping[str, NameRule]
    minimum: tuple[int, int] = (1, 6)
    """The least version of Terraform and of OpenTofu whose backend locks natively."""


@dataclass(frozen=True, slots=True)
class StatePlace:
    """Where the state of one stack lies, every default written out."""

    backend: Backend
    location: str
    """As the cloud's own tools write it: ``s3://bucket/key``."""
    arguments: Mapping[str, Any]
    """The arguments of the ``backend`` block; names, addresses and switches only."""
    upload: tuple[str, ...]
    """The command of the cloud's own tool that puts a file there, without the file."""
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What ``live`` goes by: bucket, key, region, endpoint_url, account, container."""

    def same_place(self, other: StatePlace) -> bool:
        """Whether both are one object of one service, however it is reached."""
        return (self.backend.name, self.location) == (other.backend.name, other.location) and self.facts.get(
            "endpoint_url"
        ) == other.facts.get("endpoint_url")

    def note(self) -> dict[str, Any]:
        """What a workspace keeps of it, as JSON."""
        return {
            "backend": self.backend.name,
            "location": self.location,
            "arguments": dict(self.arguments),
            "upload": list(self.upload),
            "facts": dict(self.facts),
        }

    def put_back(self, copy: Path) -> str:
        """The command that makes ``copy`` the state again."""
        return shlex.join(str(copy) if part == "FILE" else part for part in self.upload)


BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {
        backend.name: backend
        for backend in (
            Backend(
                "s3",
                "Amazon S3, or a service with its interface",
                required=("bucket",),
                optional=("key", "region", "endpoint_url"),
                live="provisioner.locks.s3",
                extra="s3",
                rules=MappingProxyType({"bucket": AWS.bucket_rule, "region": _REGION}),
                minimum=(1, 10),
            ),
            Backend(
                "gcs",
                "Google Cloud Storage",
                required=("bucket",),
                optional=("prefix", "endpoint_url"),
                live="provisioner.locks.gcs",
                extra="gcp",
                rules=MappingProxyType({"bucket": GCP.bucket_rule}),
            ),
            Backend(
                "azurerm",
                "Azure Blob Storage",
                required=("storage_account", "container"),
                optional=("key",),
                live="provisioner.locks.azurerm",
                extra="azure",
                rules=MappingProxyType({"storage_account": _STORAGE_ACCOUNT, "container": _CONTAINER}),
            ),
        )
    }
)
"""The backends besides ``local``, which is a file in the workspace."""


def place_noted(note: Mapping[str, Any]) -> StatePlace:
    """The place that :meth:`StatePlace.note` has noted."""
    return StatePlace(
        BACKENDS[note["backend"]], note["location"], note["arguments"], tuple(note["upload"]), note["facts"]
    )


STATE_FIELDS = ("bucket", "key", "prefix", "region", "endpoint_url", "storage_account", "container")
"""The fields of ``state`` that some backends have."""


def place_of(manifest: Manifest) -> StatePlace | None:
    """Where the manifest keeps Terraform's state; None for the file in the workspace."""
    make = {"s3": _s3, "gcs": _gcs, "azurerm": _azurerm}.get(manifest.state.backend)
    return make(manifest) if make is not None else None


def default_key(stack: str) -> str:
    """Where a stack's state lies in a bucket that many stacks share."""
    return f"stacks/{stack}"


def _s3(manifest: Manifest) -> StatePlace:
    state = manifest.state
    bucket, key = state.bucket or "", state.key or f"{default_key(manifest.name)}/terraform.tfstate"
    region = state.region or (manifest.region if manifest.provider == AWS.name else None) or "us-east-1"
    arguments: dict[str, Any] = {"bucket": bucket, "key": key, "region": region, "use_lockfile": True}
    facts = {"bucket": bucket, "key": key, "region": region}
    upload = ["aws", "s3", "cp", "FILE", f"s3://{bucket}/{key}"]
    if state.endpoint_url is None:
        arguments["encrypt"] = True
    else:
        # Another service knows neither AWS's regions nor its accounts, and may refuse its checksums.
        arguments |= {
            "endpoints": {"s3": state.endpoint_url},
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_region_validation": True,
            "skip_requesting_account_id": True,
            "skip_s3_checksum": True,
            "use_path_style": True,
        }
        facts["endpoint_url"] = state.endpoint_url
        upload += ["--endpoint-url", state.endpoint_url]
    return _place("s3", f"s3://{bucket}/{key}", arguments, facts, upload)


def _gcs(manifest: Manifest) -> StatePlace:
    state = manifest.state
    bucket, prefix = state.bucket or "", state.prefix or default_key(manifest.name)
    location = f"gs://{bucket}/{prefix}/default.tfstate"  # the workspace's name: it is always `default`
    arguments: dict[str, Any] = {"bucket": bucket, "prefix": prefix}
    facts = {"bucket": bucket, "key": f"{prefix}/default.tfstate"}
    if state.endpoint_url is not None:
        arguments["storage_custom_endpoint"] = state.endpoint_url
        facts["endpoint_url"] = state.endpoint_url
    return _place("gcs", location, arguments, facts, ["gcloud", "storage", "cp", "FILE", location])


def _azurerm(manifest: Manifest) -> StatePlace:
    state = manifest.state
    account, container = state.storage_account or "", state.container or ""
    key = state.key or f"{default_key(manifest.name)}/terraform.tfstate"
    arguments = {
        "storage_account_name": account,
        "container_name": container,
        "key": key,
        "use_azuread_auth": True,  # without it, the backend asks for the account's keys
    }
    facts = {"account": account, "container": container, "key": key}
    upload = ["az", "storage", "blob", "upload", "--overwrite", "--auth-mode", "login"]
    upload += ["--account-name", account, "--container-name", container, "--name", key, "--file", "FILE"]
    return _place(
        "azurerm", f"https://{account}.blob.core.windows.net/{container}/{key}", arguments, facts, upload
    )


def _place(
    name: str, location: str, arguments: Mapping[str, Any], facts: Mapping[str, str], upload: list[str]
) -> StatePlace:
    return StatePlace(BACKENDS[name], location, arguments, tuple(upload), facts)
