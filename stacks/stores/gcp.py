"""Artifacts in a bucket of Google Cloud Storage, through its JSON API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, cast

from stacks.credentials import CachedCredentials, Credentials, GcpToken
from stacks.errors import MissingExtraError, StoreConfigError
from stacks.stores import sdk_errors
from stacks.stores.cached_client import ClientOfProcess
from stacks.stores.keyed import KeyedArtifactStore
from stacks.stores.parallel import run_all
from stacks.stores.paths import split_scheme
from stacks.stores.types import Condition, Data, Entry, FileStat, PathType, Upload


class GCPArtifactStore(KeyedArtifactStore):
    """``gs://bucket[/prefix]``.

    Credentials, the first that there is: ``credentials`` (a callable), ``token`` (an OAuth2 token, or the
    JSON of a service account's key), else Google's application default credentials. A file's etag is its
    generation.
    """

    FLAVOR = "gcp"
    SUPPORTED_SCHEMES = frozenset({"gs://"})
    CONFIG = frozenset({"token", "project", "endpoint_url"})
    SECRET_CONFIG = frozenset({"token"})
    SECRET_KEYS = frozenset({"token"})
    WORKERS = 32

    def __init__(
        self,
        path: PathType,
        *,
        name: str = "",
        credentials: Callable[[], Credentials] | None = None,
        **config: Any,
    ) -> None:
        super().__init__(path, name=name, credentials=credentials, **config)
        if credentials is not None and "token" in self.config:
            raise StoreConfigError("both a token and a credentials callable are given", store=name or None)
        provider = cast("Callable[[], GcpToken] | None", credentials)
        if "token" in self.config:
            provider = _from_token(self.config["token"])
        self.live_credentials = CachedCredentials(provider or _implicit)
        self.bucket, _, prefix = split_scheme(self.path)[1].partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        # The SDK asks for the token itself, so its client outlives a renewal.
        self._client = ClientOfProcess(self._make_bucket, lambda: None)

    @classmethod
    def credentials_from_secret(cls, values: Mapping[str, str]) -> Callable[[], Credentials]:
        if set(values) != {"token"} or not values["token"]:
            raise StoreConfigError("a secret for Google Cloud Storage has one key: token")
        return _from_token(values["token"])

    @property
    def storage_options(self) -> dict[str, Any]:
        options = {"token": self.live_credentials().token, "project": self.config.get("project")}
        return {name: value for name, value in options.items() if value}

    def _make_bucket(self, _: None) -> Any:
        try:
            from google.cloud import storage  # type: ignore[import-untyped] # the SDK has no types
        except ImportError as error:
            raise MissingExtraError(
                "the GCP artifact store needs google-cloud-storage",
                hint="pip install 'stack-provisioner[gcp]'",
                extra="gcp",
            ) from error

        from stacks.stores.gcp_auth import LiveToken

        endpoint = self.config.get("endpoint_url")
        client = storage.Client(
            project=self.config.get("project") or "-",
            credentials=LiveToken(self.live_credentials),
            client_options={"api_endpoint": endpoint} if endpoint else None,
        )
        _widen_pool(client)
        client._http.hooks["response"].append(_keep_headers)  # noqa: SLF001 - no public way
        return client.bucket(self.bucket)

    def _translate(self, error: Exception, operation: str, path: str) -> Exception | None:
        grant = f"Grant the identity in use roles/storage.objectUser on the bucket {self.bucket}."
        place = sdk_errors.Place(self.name or self.path, self.bucket, "bucket", operation, path, grant)
        return sdk_errors.translate(error, place) or super()._translate(error, operation, path)

    # ---- the primitives -------------------------------------------------------------------------------

    def _head(self, key: str) -> FileStat | None:
        blob = self._client.get().get_blob(self._prefix + key)
        return None if blob is None else self._described(key, blob)

    def _directory(self, key: str) -> FileStat | None:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        bucket = self._client.get()
        first = next(iter(bucket.client.list_blobs(bucket, prefix=prefix, max_results=1)), None)
        if key and first is None:
            return None
        marked = first is not None and first.name == prefix
        return FileStat(self._uri(key), 0, first.updated if marked and first else None, is_dir=True)

    def _read(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        from google.api_core import exceptions

        blob = self._client.get().blob(self._prefix + key)
        _answer.headers = {}
        try:
            content: bytes = blob.download_as_bytes(
                start=start,
                end=stop - 1,
                if_generation_match=int(etag) if etag else None,
                checksum=None,
                raw_download=True,
            )
        except exceptions.NotFound:
            self._require_bucket()
            self._missing(key)
        except exceptions.PreconditionFailed:
            raise self._changed(key) from None
        except exceptions.RequestRangeNotSatisfiable:
            found = self._head(key)
            if found is None:
                self._missing(key)
            return b"", found
        return content, self._after_download(key, blob, start, len(content), etag)

    def _after_download(self, key: str, blob: Any, start: int, length: int, etag: str | None) -> FileStat:
        """The download's headers name generation, time and whole length; without them, one more request."""
        if etag is not None:
            return FileStat(self._uri(key), start + length, None, etag)
        generation = None if blob.generation is None else str(blob.generation)
        answered = _answer.headers
        total = answered.get("Content-Range", "").rpartition("/")[2]
        modified = answered.get("Last-Modified")
        if generation and generation == answered.get("X-Goog-Generation") and total.isdigit() and modified:
            when = parsedate_to_datetime(modified)
            return FileStat(self._uri(key), int(total), when, generation, generation)
        found = self._head(key)
        if found is None:
            self._missing(key)
        if generation is not None and generation != found.etag:
            raise self._changed(key)
        return found

    def _put(self, key: str, content: bytes, condition: Condition) -> str | None:
        from google.api_core import exceptions

        blob = self._client.get().blob(self._prefix + key)
        try:
            blob.upload_from_string(
                content, content_type="application/octet-stream", **_generation(condition)
            )
        except exceptions.PreconditionFailed:
            self._refuse(key, condition)
        except exceptions.NotFound:
            self._require_bucket()
            if condition.etag is not None:
                raise self._changed(key) from None
            raise
        return str(blob.generation)

    def _refuse(self, key: str, condition: Condition) -> None:
        if condition.absent:
            self._fail(FileExistsError, key, "File exists")
        raise self._changed(key)

    def _upload(self, key: str, condition: Condition) -> Upload:
        return _ResumableUpload(self, key, condition, self._client.get().blob(self._prefix + key))

    def _list(self, key: str, *, deep: bool) -> Iterator[Entry]:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        skip = len(self._prefix)
        bucket = self._client.get()
        fields = "items(name,size,updated,generation),prefixes,nextPageToken"
        pages = bucket.client.list_blobs(
            bucket, prefix=prefix, delimiter=None if deep else "/", fields=fields
        ).pages
        for page in pages:
            for blob in page:
                if not blob.name.endswith("/"):
                    yield Entry(
                        blob.name[skip:],
                        is_dir=False,
                        size=blob.size or 0,
                        modified=blob.updated,
                        etag=str(blob.generation),
                    )
                elif blob.name != prefix:
                    yield Entry(blob.name[skip:-1], is_dir=True, modified=blob.updated)
            for folder in page.prefixes:
                yield Entry(folder[skip:-1], is_dir=True)

    def _delete(self, entries: Sequence[Entry]) -> None:
        from google.api_core import exceptions

        def delete(entry: Entry) -> None:
            try:
                self._client.get().blob(f"{self._prefix}{entry.key}{'/' if entry.is_dir else ''}").delete()
            except exceptions.NotFound:
                return  # what is gone already is what was asked for

        run_all(delete, entries, workers=self.WORKERS)

    def _copy(self, src: str, dst: str) -> None:
        from google.api_core import exceptions

        bucket = self._client.get()
        target, token = bucket.blob(self._prefix + dst), None
        try:
            while True:  # a large file takes several calls
                token, _, _ = target.rewrite(bucket.blob(self._prefix + src), token=token)
                if token is None:
                    return
        except exceptions.NotFound:
            self._require_bucket()
            self._missing(src)

    def _require_bucket(self) -> None:
        """Google says 404 for a missing bucket as for a missing file; a listing can only mean the bucket."""
        self._directory("")

    def _make_directory(self, key: str) -> None:
        self._client.get().blob(f"{self._prefix}{key}/").upload_from_string(b"")

    def _described(self, key: str, blob: Any) -> FileStat:
        return FileStat(
            self._uri(key), blob.size or 0, blob.updated, str(blob.generation), str(blob.generation)
        )


class _ResumableUpload:
    """Google keeps what has arrived until the last part closes the file; before, nobody sees it."""

    def __init__(self, store: GCPArtifactStore, key: str, condition: Condition, blob: Any) -> None:
        self._store, self._key, self._condition = store, key, condition
        self._writer = blob.open("wb", chunk_size=store.PART_SIZE, **_generation(condition))

    def write(self, part: bytes) -> None:
        self._writer.write(part)

    def complete(self) -> None:
        from google.api_core import exceptions

        try:
            self._writer.close()
        except exceptions.PreconditionFailed:
            self._store._refuse(self._key, self._condition)  # noqa: SLF001 - one unit

    def abort(self) -> None:
        self._writer.terminate()


def _generation(condition: Condition) -> dict[str, int]:
    if condition.absent:
        return {"if_generation_match": 0}
    return {"if_generation_match": int(condition.etag)} if condition.etag is not None else {}


class _LastAnswer(threading.local):
    """The headers of the service's last answer to this thread: the SDK hands out only some of them."""

    headers: Mapping[str, str] = MappingProxyType({})


_answer = _LastAnswer()


def _keep_headers(response: Any, **_: Any) -> None:
    _answer.headers = response.headers


def _widen_pool(client: Any) -> None:
    """requests keeps ten connections, and throws away what more threads open."""
    from requests.adapters import HTTPAdapter

    for scheme in ("https://", "http://"):
        client._http.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=64))  # noqa: SLF001 - no public way


def _implicit() -> GcpToken:
    from stacks.stores.gcp_auth import implicit_token

    return implicit_token()


def _from_token(token: str | Mapping[str, Any]) -> Callable[[], GcpToken]:
    def provide() -> GcpToken:
        from stacks.stores.gcp_auth import token_from

        return token_from(token)

    return provide
