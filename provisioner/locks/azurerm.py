"""The lock of the azurerm backend: a lease on the state's own blob, its holder in the blob's metadata."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from provisioner.backends import StatePlace
from provisioner.errors import CredentialsError, UpstreamError
from provisioner.terraform.holder import Holder, holder_of

_METADATA = "terraformlockid"
_LEASE_SECONDS = 15  # the least that Azure gives; it ends by itself if we cannot end it


def connect(place: StatePlace) -> AzureLock:
    """The container of ``place``, with the credentials that Terraform finds, too."""
    from azure.storage.blob import BlobServiceClient

    facts = place.facts
    endpoint = f"https://{facts['account']}.blob.core.windows.net"
    service = BlobServiceClient(endpoint, credential=_credential(facts["account"]))
    return AzureLock(service.get_container_client(facts["container"]), facts["key"])


def _credential(account: str) -> Any:
    """A key or a token from the variables of the backend, else an identity."""
    key, sas = os.environ.get("ARM_ACCESS_KEY"), os.environ.get("ARM_SAS_TOKEN")
    if key:
        return {"account_name": account, "account_key": key}
    if sas:
        return sas
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


class AzureLock:
    """The lock of one state in a container."""

    def __init__(self, container: Any, key: str) -> None:
        self._container = container
        self._key = key

    def holder(self) -> Holder | None:
        """Who holds it, as the metadata of the state's blob says."""
        from azure.core.exceptions import ResourceNotFoundError

        with self._speaking():
            try:
                found = self._container.get_blob_client(self._key).get_blob_properties()
            except ResourceNotFoundError:
                return None
        if found.lease.state != "leased":
            return None
        noted = {name.lower(): text for name, text in (found.metadata or {}).items()}.get(_METADATA)
        return holder_of(json.loads(base64.b64decode(noted)) if noted else {})

    def probe(self) -> str | None:
        """Lease one blob twice, and write it without the lease: both must be refused."""
        blob = self._container.get_blob_client(f"{self._key}.probe-{uuid.uuid4().hex}")
        with self._speaking():
            blob.upload_blob(b"provision doctor")
            lease = blob.acquire_lease(_LEASE_SECONDS)
            try:
                if _gets_through(lambda: blob.acquire_lease(_LEASE_SECONDS)):
                    return "the service gives one lease twice: two applies at once would both get the lock"
                if _gets_through(lambda: blob.upload_blob(b"", overwrite=True)):
                    return "the service lets a leased blob be written: the lock keeps nobody out"
            finally:
                blob.delete_blob(lease=lease)
        return None

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        try:
            yield
        except ClientAuthenticationError as error:
            raise CredentialsError(str(error), hint="run: az login") from error
        except AzureError as error:
            raise UpstreamError(
                f"{self._container.url}: {error}",
                hint="make the container first, and grant Storage Blob Data Contributor on it",
            ) from error


def _gets_through(attempt: Callable[[], object]) -> bool:
    """Whether the service lets it happen in spite of the lease."""
    from azure.core.exceptions import HttpResponseError

    try:
        attempt()
    except HttpResponseError as error:
        if error.status_code not in {409, 412}:
            raise
        return False
    return True
