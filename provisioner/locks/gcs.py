"""The lock of the gcs backend: an object beside the state, made only as its first generation."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from provisioner.backends import StatePlace
from provisioner.errors import CredentialsError, UpstreamError
from provisioner.terraform.holder import Holder, holder_of

_STATE, _LOCK = ".tfstate", ".tflock"


def connect(place: StatePlace) -> GcsLock:
    """The bucket of ``place``, with the credentials that Terraform finds, too."""
    from google.api_core.client_options import ClientOptions
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage
    from google.oauth2.credentials import Credentials

    facts = place.facts
    token = os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN")
    endpoint = facts.get("endpoint_url")
    # Terraform wants the whole address of the API; the SDK puts the path to it itself.
    root = endpoint.split("/storage/v1")[0] if endpoint else None
    try:
        client = storage.Client(
            project="-",
            credentials=Credentials(token=token) if token else None,
            client_options=ClientOptions(api_endpoint=root) if root else None,
        )
    except GoogleAuthError as error:
        raise CredentialsError(str(error), hint="run: gcloud auth application-default login") from error
    return GcsLock(client, facts["bucket"], facts["key"])


class GcsLock:
    """The lock of one state in a bucket."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._bucket = client.bucket(bucket)
        self._location = f"gs://{bucket}"
        self._key = key

    def holder(self) -> Holder | None:
        """Who holds it, as the object beside the state says; its id is the object's generation."""
        from google.api_core.exceptions import NotFound

        blob = self._bucket.blob(self._key.removesuffix(_STATE) + _LOCK)
        with self._speaking():
            try:
                noted = json.loads(blob.download_as_bytes())
                blob.reload()
            except NotFound:
                return None
            return holder_of({**noted, "ID": str(blob.generation)})

    def probe(self) -> str | None:
        """Make one object twice as its first generation: the second time must be refused."""
        from google.api_core.exceptions import PreconditionFailed

        blob = self._bucket.blob(f"{self._key}.probe-{uuid.uuid4().hex}")
        with self._speaking():
            blob.upload_from_string(b"provision doctor", if_generation_match=0)
            try:
                blob.upload_from_string(b"provision doctor", if_generation_match=0)
            except PreconditionFailed:
                return None
            finally:
                blob.delete()
        return "the service ignores ifGenerationMatch: two applies at once would both get the lock"

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        import requests
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        try:
            yield
        except GoogleAuthError as error:
            raise CredentialsError(str(error), hint="run: gcloud auth application-default login") from error
        except (GoogleAPIError, requests.RequestException) as error:
            raise UpstreamError(
                f"{self._location}: {error}",
                hint="make the bucket first, and grant roles/storage.objectAdmin on it",
            ) from error
