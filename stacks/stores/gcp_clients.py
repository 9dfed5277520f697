"""The two clients of a GCS store: Google's own for its JSON API, and obstore for the bytes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stacks.credentials import CachedCredentials, GcpToken
from stacks.errors import MissingExtraError
from stacks.stores import fast
from stacks.stores.parallel import run_all

GOOGLE = "https://storage.googleapis.com"


def make_bucket(name: str, config: Mapping[str, Any], credentials: CachedCredentials[GcpToken]) -> Any:
    """The bucket, through google-cloud-storage, which asks for the token at every request.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from google.cloud import storage
    except ImportError as error:
        raise MissingExtraError(
            "the GCP artifact store needs google-cloud-storage",
            hint="pip install 'stack-provisioner[gcp]'",
            extra="gcp",
        ) from error

    from stacks.stores.gcp_auth import LiveToken

    endpoint = config.get("endpoint_url")
    client = storage.Client(
        project=config.get("project") or "-",
        credentials=LiveToken(credentials),
        client_options={"api_endpoint": endpoint} if endpoint else None,
    )
    # Newer ones ask for the bucket's project and place, for traces that nobody reads, in a thread.
    client._bucket_metadata_cache = None  # noqa: SLF001 - no public way
    _widen_pool(client)
    client._http.hooks["response"].append(_keep_headers)  # noqa: SLF001 - no public way
    weakref.finalize(client, client._http.close)  # noqa: SLF001 - no public way
    return client.bucket(name)


def make_fast(
    obstore: Any, bucket: str, config: Mapping[str, Any], credentials: CachedCredentials[GcpToken]
) -> Any:
    """The bucket through obstore, whose way is the XML API; nothing of the environment is left to it."""

    def provide() -> dict[str, Any]:
        now = credentials()
        return {"token": now.token, "expires_at": now.expires_at}

    url = str(config.get("endpoint_url") or GOOGLE).rstrip("/")
    return obstore.store.GCSStore(
        bucket,
        config={"base_url": url, "skip_signature": False},
        credential_provider=provide,
        **fast.options(url),
    )


def patience(noted: list[Exception] | None = None) -> Any:
    """How a request of the SDK's is repeated: as it does by itself, but first after a fifth of a second.

    Why it is repeated is ``noted``.
    """
    from google.cloud.storage.retry import DEFAULT_RETRY

    usual = DEFAULT_RETRY.with_delay(initial=0.2, multiplier=2, maximum=10)
    if noted is None:
        return usual

    def noting(error: Exception) -> bool:
        again: bool = usual._predicate(error)  # noqa: SLF001 - no public way
        if again:
            noted.append(error)
        return again

    return usual.with_predicate(noting)


def patience_in_doubt() -> Any:
    """The same for a conditional write: one that may have been done would meet its own file."""
    from google.api_core import exceptions
    from google.api_core.retry import if_exception_type

    refused = (exceptions.TooManyRequests, exceptions.ServiceUnavailable)
    return patience().with_predicate(if_exception_type(*refused))


class _LastAnswer(threading.local):
    """The headers of the service's last answer to this thread: the SDK hands out only some of them."""

    headers: Mapping[str, str] = MappingProxyType({})


last_answer = _LastAnswer()


def _keep_headers(response: Any, **_: Any) -> None:
    last_answer.headers = response.headers


def _widen_pool(client: Any) -> None:
    """requests keeps ten connections, and throws away what more threads open."""
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            """With our timeouts: the SDK would wait for a minute for a connection, too."""
            return super().send(
                request, *args, **{**kwargs, "timeout": (fast.CONNECT_TIMEOUT, fast.READ_TIMEOUT)}
            )

    for scheme in ("https://", "http://"):
        client._http.mount(scheme, Adapter(pool_connections=4, pool_maxsize=64))  # noqa: SLF001 - no public way


def forget_versions(bucket: Any, prefix: str, workers: int) -> int:
    """Delete all versions of the objects below ``prefix`` that have been deleted; how many."""
    versions = list(
        bucket.client.list_blobs(
            bucket,
            prefix=prefix,
            versions="true",  # as the API documents it; a bool would be sent as "True"
            fields="items(name,generation,timeDeleted),nextPageToken",
            retry=patience(),
        )
    )
    present = {version.name for version in versions if version.time_deleted is None}
    doomed = [version for version in versions if version.name not in present]

    def forget(version: Any) -> None:
        from google.api_core import exceptions

        try:
            version.delete(retry=patience())  # of that generation: the listing has set it
        except exceptions.NotFound:
            return  # what is gone already is what was asked for

    run_all(forget, doomed, workers=workers)
    return len(doomed)
