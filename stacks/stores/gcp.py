"""Artifacts in a bucket of Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, NoReturn, cast

from stacks.credentials import CachedCredentials, Credentials, GcpToken
from stacks.errors import StoreConfigError
from stacks.stores import gcp_clients, sdk_errors
from stacks.stores.cached_client import ClientOfProcess
from stacks.stores.fast import FastClient, FastFailure, fetch
from stacks.stores.gcp_clients import patience, patience_in_doubt
from stacks.stores.gcp_requests import Requests
from stacks.stores.gcp_upload import ResumableUpload, generation_match
from stacks.stores.keyed import KeyedArtifactStore
from stacks.stores.parallel import run_all
from stacks.stores.paths import split_scheme
from stacks.stores.types import ABSENT, ALWAYS, Condition, Data, Entry, FileStat, PathType, Upload

_READ_TRIES = 3


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
        self._client = ClientOfProcess(
            lambda _: gcp_clients.make_bucket(self.bucket, self.config, self.live_credentials), lambda: None
        )
        self._plain = ClientOfProcess(self._make_requests, lambda: None)
        self._fast = FastClient(
            lambda obstore: gcp_clients.make_fast(obstore, self.bucket, self.config, self.live_credentials),
            self.live_credentials,
            extra="gcp",
        )

    def _make_requests(self, _: None) -> Requests:
        return Requests(self._client.get(), str(self.config.get("endpoint_url") or ""), self.live_credentials)

    def _requests(self) -> Requests:
        return self._plain.get()

    @classmethod
    def credentials_from_secret(cls, values: Mapping[str, str]) -> Callable[[], Credentials]:
        if set(values) != {"token"} or not values["token"]:
            raise StoreConfigError("a secret for Google Cloud Storage has one key: token")
        return _from_token(values["token"])

    @property
    def storage_options(self) -> dict[str, Any]:
        """As gcsfs takes them."""
        from stacks.stores.gcp_auth import gcsfs_token

        options = {
            "token": gcsfs_token(self.live_credentials()),
            "project": self.config.get("project"),
            "endpoint_url": self.config.get("endpoint_url"),
        }
        return {name: value for name, value in options.items() if value}

    def forget_versions(self, path: PathType) -> int:
        key = self._key(path)
        with self._doing("delete old versions of", key):
            below = f"{self._prefix}{key}/" if key else self._prefix
            return gcp_clients.forget_versions(self._client.get(), below, self.WORKERS)

    def _translate(self, error: Exception, operation: str, path: str) -> Exception | None:
        grant = f"Grant the identity in use roles/storage.objectUser on the bucket {self.bucket}."
        place = sdk_errors.Place(self.name or self.path, self.bucket, "bucket", operation, path, grant)
        return sdk_errors.translate(error, place) or super()._translate(error, operation, path)

    # ---- the primitives -------------------------------------------------------------------------------

    def _head(self, key: str) -> FileStat | None:
        found = self._requests().describe(self._prefix + key)
        if found is None:
            return None
        return FileStat(self._uri(key), found.size, found.modified, found.generation, found.generation)

    def _directory(self, key: str) -> FileStat | None:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        first = next(iter(self._requests().page(prefix, deep=True, limit=1).files), None)
        if key and first is None:
            return None
        marked = first is not None and first.name == prefix
        return FileStat(self._uri(key), 0, first.modified if marked and first else None, is_dir=True)

    def _read(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        full = self._prefix + key
        if not self._fast.takes(full):
            return self._read_sdk(key, start, stop, etag)
        # A generation that is no longer the file's is not found, unless the bucket keeps old ones: then the
        # reading goes on in the file that was opened.
        choice = {"range": (start, stop), "version": etag}
        try:
            content, meta = self._fast.run(partial(fetch, key=full, choice=choice))
        except FastFailure as failure:
            if failure.status_code == 404 and "endpoint_url" not in self.config:
                self._say_missing(key, etag)  # another service may not know this way to its files
            at_end = self._head(key) if failure.status_code == 416 else None
            if at_end is not None:  # an empty file, or one that became shorter
                return b"", at_end
            found = self._read_sdk(key, start, stop, etag)
            self._fast.rescued(failure)
            return found
        if meta["version"] is None:  # a service that tells no generations by this way
            return self._read_sdk(key, start, stop, etag)
        return content, self._from_fast(key, meta)

    def read_bytes(self, path: PathType) -> tuple[bytes, FileStat]:
        """The content of a file and the stat of exactly that content.

        What Google sends with a content has whole seconds only, so what it knows about the file is asked for
        at the same time.
        """
        key = self._key(path)
        asked: list[Callable[[], Any]] = [partial(super().read_bytes, path), partial(self._head, key)]
        for _ in range(_READ_TRIES):
            with self._doing("read", key):
                (content, found), known = run_all(lambda ask: ask(), asked, workers=2)
            if known is not None and known.etag == found.etag:
                return content, known
        return content, found  # it is being replaced all the time: the seconds have to do

    def _from_fast(self, key: str, meta: Mapping[str, Any]) -> FileStat:
        version = meta["version"]
        return FileStat(self._uri(key), meta["size"], meta["last_modified"], version, version)

    def _read_into(self, key: str, start: int, etag: str | None, target: memoryview) -> bool:
        """Where this fails, ``_read`` repeats, renews, and says what is wrong."""
        return etag is not None and self._requests().read_into(self._prefix + key, start, etag, target)

    def _read_sdk(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        from google.api_core import exceptions

        blob = self._client.get().blob(self._prefix + key)
        gcp_clients.last_answer.headers = {}
        try:
            content: bytes = blob.download_as_bytes(
                start=start,
                end=stop - 1,
                if_generation_match=int(etag) if etag else None,
                checksum=None,
                raw_download=True,
                retry=patience(),
            )
        except exceptions.NotFound:
            self._say_missing(key, etag)
        except exceptions.PreconditionFailed:
            raise self._changed(key) from None
        except exceptions.RequestRangeNotSatisfiable:
            found = self._head(key)
            if found is None:
                self._missing(key)
            return b"", found
        return content, self._after_download(key, blob, etag)

    def _say_missing(self, key: str, etag: str | None) -> NoReturn:
        self._require_bucket()
        if etag is not None:
            raise self._changed(key)
        self._missing(key)

    def _after_download(self, key: str, blob: Any, etag: str | None) -> FileStat:
        """The download's headers name generation, time and whole length; without them, one more request."""
        generation = None if blob.generation is None else str(blob.generation)
        if etag is not None and generation not in {None, etag}:
            raise self._changed(key)  # by a service that heeds no condition
        answered = gcp_clients.last_answer.headers
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
        try:
            written = self._requests().put(self._prefix + key, content, condition)
        except FastFailure as failure:
            if failure.status_code == 412:
                self._refuse(key, condition)
            raise
        return written or self._put_sdk(key, content, condition)

    def _put_sdk(self, key: str, content: bytes, condition: Condition) -> str | None:
        from google.api_core import exceptions

        blob = self._client.get().blob(self._prefix + key)
        try:
            blob.upload_from_string(
                content,
                content_type="application/octet-stream",
                retry=patience() if condition == ALWAYS else patience_in_doubt(),
                **generation_match(condition),
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
        def check() -> None:
            found = self._head(key)
            if (condition.absent and found is not None) or (
                condition.etag is not None and (found is None or found.etag != condition.etag)
            ):
                self._refuse(key, condition)

        blob = self._client.get().blob(self._prefix + key)
        return ResumableUpload(blob, self.PART_SIZE, condition, check, lambda: self._refuse(key, condition))

    def _list(self, key: str, *, deep: bool) -> Iterator[Entry]:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        skip = len(self._prefix)
        token: str | None = None
        while True:
            files, folders, token = self._requests().page(prefix, deep=deep, token=token)
            for name, size, modified, generation in files:
                if not name.endswith("/"):
                    yield Entry(name[skip:], False, size, modified, generation)  # noqa: FBT003 - half the time of keywords
                elif name != prefix:
                    yield Entry(name[skip:-1], is_dir=True, modified=modified)
            for folder in folders:
                yield Entry(folder[skip:-1], is_dir=True)
            if token is None:
                return

    def _delete(self, entries: Sequence[Entry]) -> None:
        from google.api_core import exceptions

        def delete(entry: Entry) -> None:
            try:
                self._client.get().blob(f"{self._prefix}{entry.key}{'/' if entry.is_dir else ''}").delete(
                    retry=patience()
                )
            except exceptions.NotFound:
                return  # what is gone already is what was asked for

        run_all(delete, entries, workers=self.WORKERS)

    def _copy(self, src: str, dst: str, condition: Condition = ALWAYS) -> None:
        from google.api_core import exceptions

        bucket = self._client.get()
        target, source, token = bucket.blob(self._prefix + dst), bucket.blob(self._prefix + src), None
        doubts: list[Exception] = []
        wanted = {"retry": patience(doubts), **generation_match(condition)}
        try:
            while True:  # a large file takes several calls
                token, _, _ = target.rewrite(source, token=token, **wanted)
                if token is None:
                    return
        except exceptions.PreconditionFailed:
            if doubts:  # did it meet itself, its answer having been lost?
                source.reload(retry=patience())
                target.reload(retry=patience())
                if source.crc32c == target.crc32c:
                    return
            self._refuse(dst, condition)
        except exceptions.NotFound:
            self._require_bucket()
            self._missing(src)

    def _copy_new(self, src: str, dst: str) -> None:
        self._copy(src, dst, ABSENT)

    def _require_bucket(self) -> None:
        """Google says 404 for a missing bucket as for a missing file; a listing can only mean the bucket."""
        self._directory("")

    def _make_directory(self, key: str, **wanted: Any) -> None:
        blob = self._client.get().blob(f"{self._prefix}{key}/")
        blob.upload_from_string(b"", **{"retry": patience(), **wanted})

    def _make_new_directory(self, key: str) -> None:
        from google.api_core import exceptions

        doubts: list[Exception] = []
        try:
            self._make_directory(key, retry=patience(doubts), **generation_match(ABSENT))
        except exceptions.PreconditionFailed:
            if not doubts:  # else it may well have met itself, its answer having been lost
                self._refuse(key, ABSENT)


def _implicit() -> GcpToken:
    from stacks.stores.gcp_auth import implicit_token

    return implicit_token()


def _from_token(token: str | Mapping[str, Any]) -> Callable[[], GcpToken]:
    def provide() -> GcpToken:
        from stacks.stores.gcp_auth import token_from

        return token_from(token)

    return provide
