"""Artifacts in a bucket of Amazon S3 or of a service that speaks its language."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from stacks.credentials import AwsCredentials, CachedCredentials, Credentials
from stacks.errors import MissingExtraError, StoreConfigError
from stacks.forks import ProcessLock, undivided
from stacks.stores import s3_copy, s3_errors, s3_sdk
from stacks.stores.keyed import KeyedArtifactStore
from stacks.stores.paths import split_scheme
from stacks.stores.readers import FIRST_BLOCK
from stacks.stores.s3_config import ODD_FOR_OBSTORE, parse_settings
from stacks.stores.s3_listing import Page, fetch_page, list_keys
from stacks.stores.s3_upload import PART_SIZE, MultipartUpload
from stacks.stores.types import ABSENT, ALWAYS, Condition, Data, Entry, FileStat, PathType, Upload, bare_etag

if TYPE_CHECKING:
    from obstore import GetResult

    from stacks.stores.s3_clients import S3Clients

R = TypeVar("R")
_READ_TRIES = 3
_PATIENCE = 120.0  # seconds
_SECRET_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class S3ArtifactStore(KeyedArtifactStore):
    """``s3://bucket[/prefix]``.

    Credentials, the first that there is: ``credentials`` (a callable, for example a connector's), ``key`` and
    ``secret`` (and ``token``), else what botocore finds in the environment. ``client_kwargs`` go to
    botocore's client (``endpoint_url``, ``region_name``, ``verify``), ``config_kwargs`` to its ``Config``,
    and ``s3_additional_kwargs`` to every call that writes (``ServerSideEncryption``, ``SSEKMSKeyId``,
    ``ACL``, …).
    """

    FLAVOR = "s3"
    SUPPORTED_SCHEMES = frozenset({"s3://"})
    CONFIG = frozenset({"key", "secret", "token", "client_kwargs", "config_kwargs", "s3_additional_kwargs"})
    SECRET_CONFIG = frozenset({"key", "secret", "token"})
    SECRET_KEYS = frozenset(_SECRET_KEYS)
    PART_SIZE = PART_SIZE
    TAKES_BYTEARRAYS = True
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
        self._settings = parse_settings(self.config, name or None)
        self.config = self._settings.as_config()
        if self._settings.keys and credentials is not None:
            raise StoreConfigError("both keys and a credentials callable are given", store=name or None)
        self.bucket, _, prefix = split_scheme(self.path)[1].partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._live: S3Clients | None = None
        self._whole_without_range = False  # learnt: some services answer a range that is all with all
        self._lock = ProcessLock()
        self._cached: CachedCredentials[AwsCredentials] | None = None

    @classmethod
    def credentials_from_secret(cls, values: Mapping[str, str]) -> Callable[[], Credentials]:
        unknown = sorted(set(values) - cls.SECRET_KEYS)
        if unknown or not all(values.get(name) for name in _SECRET_KEYS[:2]):
            raise StoreConfigError(
                f"a secret for S3 does not fit: {', '.join(unknown) or 'a key is missing'}",
                hint=f"It has {' and '.join(_SECRET_KEYS[:2])}, and {_SECRET_KEYS[2]} for temporary ones.",
            )
        held = AwsCredentials(*(values.get(name) or None for name in _SECRET_KEYS))  # type: ignore[arg-type]
        return lambda: held

    def _secret_config(self) -> frozenset[str]:
        held = {"s3_additional_kwargs"} if "SSECustomerKey" in self._settings.additional else set()
        return self.SECRET_CONFIG | held

    # ---- clients --------------------------------------------------------------------------------------

    @property
    def live_credentials(self) -> CachedCredentials[AwsCredentials]:
        """The credentials in force, renewed before they expire."""
        if self._cached is None:
            keys = self._settings.keys
            if self.credentials is not None:
                provider = cast("Callable[[], AwsCredentials]", self.credentials)
            elif keys is not None:
                held = AwsCredentials(*keys)
                provider = lambda: held  # noqa: E731 - one of three
            else:
                provider = _implicit
            self._cached = CachedCredentials(provider)
        return self._cached

    def _clients(self) -> S3Clients:
        live = self._live
        if live is not None and live.pid == os.getpid():
            return live
        with self._lock.now, undivided():
            try:
                from stacks.stores.s3_clients import S3Clients
            except ImportError as error:
                raise MissingExtraError(
                    f"the S3 artifact store needs a package that is not installed: {error.name}",
                    hint="pip install 'stack-provisioner[s3]'",
                    extra="s3",
                ) from error
            live = self._live
            if live is None or live.pid != os.getpid():
                live = self._live = S3Clients(self.bucket, self._settings, self.live_credentials)
            return live

    def _run(self, call: Callable[[S3Clients], R], *, tries: int = 1) -> R:
        """Do it; once more with new credentials if they have expired, ``tries`` times if the line breaks."""
        renewed = False
        give_up = time.monotonic() + _PATIENCE  # the clients repeat by themselves: no more rounds after this
        while True:
            clients = self._clients()
            try:
                used = clients.credentials() if not self._settings.unsigned else None
                return call(clients)
            except Exception as error:
                fault = s3_errors.read_fault(error) if s3_errors.is_foreign(error) else None
                if fault is not None and fault.expired and used is not None and not renewed:
                    renewed = True
                    clients.credentials.renew(used)
                    self._live = None  # obstore keeps the credentials that it was given
                    continue
                tries -= 1
                if fault is None or not fault.network or tries <= 0 or time.monotonic() > give_up:
                    raise
                time.sleep(0.2 * 2 ** (_READ_TRIES - tries))

    def _translate(self, error: Exception, operation: str, path: str) -> Exception | None:
        found = s3_errors.translate(
            error, bucket=self.bucket, store=self.name or self.path, operation=operation, path=path
        )
        return found or super()._translate(error, operation, path)

    @property
    def storage_options(self) -> dict[str, Any]:
        now = self.live_credentials()
        keys = (now.access_key_id, now.secret_access_key, now.session_token)
        return replace(self._settings, keys=keys).as_config()

    def forget_versions(self, path: PathType) -> int:
        key = self._key(path)
        with self._doing("delete old versions of", key):
            below = f"{self._prefix}{key}/" if key else self._prefix
            return self._run(lambda clients: s3_sdk.forget_versions(clients.sdk, self.bucket, below))

    # ---- the primitives -------------------------------------------------------------------------------

    def _head(self, key: str) -> FileStat | None:
        full = self._prefix + key

        def head(clients: S3Clients) -> FileStat:
            if clients.fast is not None and not ODD_FOR_OBSTORE.search(full):
                return self._described(key, clients.obstore.head(clients.fast, full))
            found = clients.sdk.head_object(
                Bucket=self.bucket, Key=full, **self._extra(clients, "HeadObject")
            )
            return self._from_response(key, found, found["ContentLength"])

        try:
            return self._run(head, tries=_READ_TRIES)
        except Exception as error:
            if self._says_missing(error, key):
                return None
            raise

    def _says_missing(self, error: Exception, key: str) -> bool:
        """Whether a failure says that there is no file at ``key``.

        Who may list below a prefix only, as connectors grant it, gets 403 from Amazon instead of 404. So
        after a 403 the listing decides, which also has a reason to give where a refused HEAD has none.
        """
        fault = s3_errors.read_fault(error) if s3_errors.is_foreign(error) else None
        if fault is None or fault.code == "NoSuchBucket":
            return False
        if fault.missing or fault.status not in {400, 401, 403} or fault.code not in {"", "AccessDenied"}:
            return fault.missing
        full = self._prefix + key
        request = {"Bucket": self.bucket, "Prefix": full, "MaxKeys": 1, "EncodingType": "url"}
        try:
            found = self._list_page(request).files
        except Exception as refused:
            if fault.code and s3_errors.is_foreign(refused):
                return False  # the first refusal is the one that counts
            raise
        return fault.status == 403 and not (found and found[0].key == full)

    def _directory(self, key: str) -> FileStat | None:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        request = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": 1, "EncodingType": "url"}
        files = self._list_page(request).files
        if key and not files:
            return None
        marked = bool(files) and files[0].key == prefix
        return FileStat(self._uri(key), 0, files[0].modified if marked else None, is_dir=True)

    def _read(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        content, found = self._get(key, start, stop, etag)
        return content, found if isinstance(found, FileStat) else self._described(key, found.meta)

    def _read_first(self, key: str) -> tuple[Data, FileStat | None]:
        content, found = self._get(key, 0, FIRST_BLOCK, None)
        if not isinstance(found, FileStat):
            if len(content) < FIRST_BLOCK and found.range == (0, len(content)):
                return content, None  # obstore has made sure that the range is what there was of it
            found = self._described(key, found.meta)
        return content, None if len(content) >= found.size else found

    def _get(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat | GetResult]:
        try:
            return self._run(lambda clients: self._fetch(clients, key, start, stop, etag), tries=_READ_TRIES)
        except Exception as error:
            fault = s3_errors.read_fault(error) if s3_errors.is_foreign(error) else None
            if fault is None:
                raise
            if "non-partial response" in fault.text:
                self._whole_without_range = True
                return self._run(lambda clients: self._read_sdk(clients, key, start, stop, etag))
            if fault.status == 416:  # nothing at ``start``: an empty file, or one that became shorter
                found = self._head(key)
                if found is not None:
                    return b"", found
            if self._says_missing(error, key):
                self._missing(key)
            raise

    def _fetch(
        self, clients: S3Clients, key: str, start: int, stop: int, etag: str | None
    ) -> tuple[Data, FileStat | GetResult]:
        """Described at once, or as obstore describes it: that is a fifth of the work, and seldom needed."""
        full = self._prefix + key
        if clients.fast is None or ODD_FOR_OBSTORE.search(full):
            return self._read_sdk(clients, key, start, stop, etag)
        options: dict[str, Any] = {"range": (start, stop)}
        if etag is not None:
            options["if_match"] = etag
        if start == 0 and self._whole_without_range:
            del options["range"]
            whole = clients.obstore.get(clients.fast, full, options=options)
            if whole.meta["size"] <= stop:
                return whole.bytes(), self._described(key, whole.meta)
            options["range"] = (start, stop)
        part: Any = clients.obstore.get(clients.fast, full, options=options)
        return part.bytes(), part

    def _read_into(self, key: str, start: int, etag: str | None, target: memoryview) -> bool:
        """Where this fails, ``_read`` repeats, renews, and says what is wrong."""
        wire = self._clients().wire
        if wire is None:
            return False
        headers = {"Range": f"bytes={start}-{start + len(target) - 1}"}
        if etag is not None:
            headers["If-Match"] = etag
        wanted = {"Bucket": self.bucket, "Key": self._prefix + key}
        answer = wire.get("get_object", wanted, headers, target)
        if answer is None or answer.status != 206:
            return False
        sent, where = answer.headers.get("etag"), answer.headers.get("content-range", "")
        return (etag is None or sent == etag) and where.startswith(f"bytes {start}-")

    def _read_sdk(
        self, clients: S3Clients, key: str, start: int, stop: int, etag: str | None
    ) -> tuple[Data, FileStat]:
        place = {"Bucket": self.bucket, "Key": self._prefix + key, **self._extra(clients, "GetObject")}
        content, found, size = s3_sdk.read_range(clients.sdk, place, start, stop, etag)
        return content, self._from_response(key, found, size)

    def _put(self, key: str, content: bytes, condition: Condition) -> str | None:
        full = self._prefix + key

        def put(clients: S3Clients) -> str | None:
            if clients.fast_put is None or ODD_FOR_OBSTORE.search(full):
                place = {"Bucket": self.bucket, "Key": full, **self._extra(clients, "PutObject")}
                return s3_sdk.put(clients.sdk, place, content, condition)
            mode: Any = None
            if condition.absent:
                mode = "create"
            elif condition.etag is not None:
                mode = {"e_tag": bare_etag(condition.etag)}
            sent = clients.obstore.put(clients.fast_put, full, content, mode=mode, **clients.fast_options)
            etag: str | None = sent["e_tag"]
            return etag

        try:
            return self._run(put)
        except Exception as error:
            self._refuse_condition(error, key, condition)
            raise

    def _refuse_condition(self, error: Exception, key: str, condition: Condition) -> None:
        """What a service answers when the condition of a write does not hold."""
        fault = s3_errors.read_fault(error) if s3_errors.is_foreign(error) else None
        if fault is None:
            return
        if condition.absent and fault.status in {409, 412}:
            self._fail(FileExistsError, key, "File exists")
        if condition.etag is not None and self._says_missing(error, key):
            raise self._changed(key) from error

    def _upload(self, key: str, condition: Condition) -> Upload:
        def check() -> None:
            found = self._head(key)
            if condition.absent and found is not None:
                self._fail(FileExistsError, key, "File exists")
            if condition.etag is not None and (found is None or found.etag != condition.etag):
                raise self._changed(key)

        target = {"Bucket": self.bucket, "Key": self._prefix + key}
        return MultipartUpload(
            self._run,
            target,
            dict(self._settings.additional),
            condition,
            check,
            lambda error: self._refuse_condition(error, key, condition),
        )

    def _list(self, key: str, *, deep: bool) -> Iterator[Entry]:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        return list_keys(self._list_page, self.bucket, prefix, deep=deep, root=len(self._prefix))

    def _list_page(self, request: dict[str, Any]) -> Page:
        return self._run(lambda clients: fetch_page(clients, request), tries=_READ_TRIES)

    def _delete(self, entries: Sequence[Entry]) -> None:
        keys = [f"{self._prefix}{entry.key}{'/' if entry.is_dir else ''}" for entry in entries]
        if len(keys) == 1:
            self._run(lambda clients: clients.sdk.delete_object(Bucket=self.bucket, Key=keys[0]))
            return
        objects: Any = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = self._run(lambda clients: clients.sdk.delete_objects(Bucket=self.bucket, Delete=objects))
        for failure in answer.get("Errors", ()):
            if failure.get("Code") != "NoSuchKey":
                raise s3_errors.RefusedKeyError(failure)

    def _copy(self, src: str, dst: str, *, new: bool = False) -> None:
        source, target = self._prefix + src, self._prefix + dst
        run = partial(self._run, tries=1 if new else _READ_TRIES)
        try:
            s3_copy.copy_object(run, self.bucket, source, target, self._settings, new=new)
        except Exception as error:
            if new:
                self._refuse_condition(error, dst, ABSENT)
            if self._says_missing(error, src):
                self._missing(src)
            raise

    def _copy_new(self, src: str, dst: str) -> None:
        self._copy(src, dst, new=True)

    def _make_directory(self, key: str) -> None:
        self._put(f"{key}/", b"", ALWAYS)

    def _make_new_directory(self, key: str) -> None:
        place = {"Bucket": self.bucket, "Key": f"{self._prefix}{key}/"}
        try:
            self._run(lambda clients: s3_sdk.make_marker(clients, place, self._settings.additional))
        except Exception as error:
            self._refuse_condition(error, key, ABSENT)
            raise

    # ---- values ---------------------------------------------------------------------------------------

    def _extra(self, clients: S3Clients, operation: str) -> dict[str, Any]:
        additional = self._settings.additional
        return clients.additional_for(operation, dict(additional)) if additional else {}

    def _described(self, key: str, meta: Mapping[str, Any]) -> FileStat:
        if meta["e_tag"] is None and not meta["last_modified"].timestamp():
            raise s3_errors.NonsenseError("an object without etag and time")
        return FileStat(self._uri(key), meta["size"], meta["last_modified"], meta["e_tag"], meta["version"])

    def _from_response(self, key: str, found: Any, size: int) -> FileStat:
        if "LastModified" not in found:
            raise s3_errors.NonsenseError("an object without etag and time")
        modified, etag = found["LastModified"], found.get("ETag")
        return FileStat(self._uri(key), size, modified, etag, found.get("VersionId"))


def _implicit() -> AwsCredentials:
    from stacks.stores.s3_clients import implicit_credentials

    return implicit_credentials()
