"""Artifacts in a container of Azure Blob Storage."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar, cast

from stacks.credentials import AzureCredentials, CachedCredentials, Credentials
from stacks.errors import PathError, StoreConfigError, StoreServiceError
from stacks.stores import azure_clients, sdk_errors
from stacks.stores.azure_auth import KEYS, adlfs_options, resolve_account
from stacks.stores.azure_listing import Listings, Page, from_sdk
from stacks.stores.azure_upload import BlockUpload, is_copy, match_conditions, noting_doubts
from stacks.stores.cached_client import ClientOfProcess
from stacks.stores.fast import FastClient, FastFailure, fetch, fetch_into
from stacks.stores.keyed import KeyedArtifactStore
from stacks.stores.parallel import run_all
from stacks.stores.paths import split_scheme
from stacks.stores.types import ABSENT, ALWAYS, Condition, Data, Entry, FileStat, PathType, Upload

R = TypeVar("R")
_LONGEST_PAUSE = 5.0  # seconds


class AzureArtifactStore(KeyedArtifactStore):
    """``az://container[/prefix]``, also written ``abfs://``.

    Credentials, the first that there is: ``credentials`` (a callable), ``account_key``, ``sas_token``,
    ``connection_string`` or a service principal (``tenant_id``, ``client_id``, ``client_secret``), the
    ``AZURE_STORAGE_*`` variables, else what azure-identity finds (managed identity, ``az login``).
    ``account_url`` is for other clouds and emulators.
    """

    FLAVOR = "azure"
    SUPPORTED_SCHEMES = frozenset({"az://", "abfs://"})
    CONFIG = frozenset({*KEYS, "account_url"})
    SECRET_CONFIG = frozenset({"account_key", "sas_token", "connection_string", "client_secret"})
    SECRET_KEYS = frozenset(KEYS)
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
        provider = cast("Callable[[], AzureCredentials] | None", credentials)
        self._account = resolve_account(self.config, provider, name or None)
        self.live_credentials = CachedCredentials(self._credentials_of_a_named_account)
        self.container, _, prefix = split_scheme(self.path)[1].partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = ClientOfProcess(self._make_client, self.live_credentials)
        self._listings = ClientOfProcess(self._make_listings, self.live_credentials)
        self._fast = FastClient(self._make_fast, self.live_credentials, extra="azure")

    @classmethod
    def credentials_from_secret(cls, values: Mapping[str, str]) -> Callable[[], Credentials]:
        unknown = sorted(set(values) - cls.SECRET_KEYS)
        if unknown:
            raise StoreConfigError(f"a secret for Azure has no key {', '.join(unknown)}")
        return resolve_account({"account_name": "any", **values}, None, None, {}).provider

    @classmethod
    def settings_from_secret(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        """The account that a secret names, itself or in its connection string."""
        account = resolve_account(values, None, None, {})
        return {"account_url": account.url} if account.url else {}

    @property
    def storage_options(self) -> dict[str, Any]:
        """As adlfs takes them."""
        return adlfs_options(self._account.reached_at(self.name or None), self.live_credentials())

    def _credentials_of_a_named_account(self) -> AzureCredentials:
        """Credentials, once it is known for which account: that nobody named one is said first."""
        self._account.reached_at(self.name or None)
        return self._account.provider()

    def _url(self) -> str:
        return self._account.reached_at(self.name or None)

    def _make_client(self, now: AzureCredentials) -> Any:
        return azure_clients.make_container(
            self._url(), self.container, now, self.live_credentials, self.PART_SIZE
        )

    def _make_fast(self, obstore: Any) -> Any:
        return azure_clients.make_fast(obstore, self._url(), self.container, self.live_credentials)

    def _make_listings(self, now: AzureCredentials) -> Listings:
        return Listings(self._url(), self.container, now)

    def _run(self, call: Callable[[Any], R]) -> R:
        """``call(container)``; with new credentials once more when the service says that it is time.

        And after a pause when it says that there were too many requests, which the SDK takes for final.
        """
        renewed, pause = False, 0.2
        while True:
            used = self.live_credentials()
            try:
                return call(self._client.get())
            except Exception as error:
                if not sdk_errors.is_foreign(error):
                    raise
                if sdk_errors.may_have_expired(error) and not renewed:
                    renewed = True
                    self.live_credentials.renew(used)
                elif sdk_errors.status_of(error) == 429 and pause < _LONGEST_PAUSE:
                    time.sleep(pause)
                    pause *= 2
                else:
                    raise

    def _run_on(self, key: str, call: Callable[[Any], R]) -> R:
        """The same for ``call(blob)``."""
        return self._run(lambda container: call(container.get_blob_client(self._prefix + key)))

    def _key(self, path: PathType) -> str:
        key = super()._key(path)
        if "\\" in key:
            raise PathError(
                f"{key!r} has a backslash, which Azure would store as a slash",
                hint="Choose another name: it would be another file.",
            )
        return key

    def _translate(self, error: Exception, operation: str, path: str) -> Exception | None:
        grant = f"Grant the identity in use Storage Blob Data Contributor on the container {self.container}."
        place = sdk_errors.Place(self.name or self.path, self.container, "container", operation, path, grant)
        return sdk_errors.translate(error, place) or super()._translate(error, operation, path)

    # ---- the primitives -------------------------------------------------------------------------------

    def _head(self, key: str) -> FileStat | None:
        full = self._prefix + key
        if self._fast.takes(full):
            try:
                return self._from_fast(key, self._fast.run(lambda obstore, store: obstore.head(store, full)))
            except FastFailure as failure:
                if failure.status_code == 404:
                    return None  # or its container: who is told so asks for the directory next
                found = self._head_sdk(key)
                self._fast.rescued(failure)
                return found
        return self._head_sdk(key)

    def _head_sdk(self, key: str) -> FileStat | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            found = self._run_on(key, lambda blob: blob.get_blob_properties())
        except ResourceNotFoundError:
            return None
        return self._described(key, found)

    def _directory(self, key: str) -> FileStat | None:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        found = self._page(prefix, deep=True, limit=1)
        if key and not found.files:
            return None
        marked = bool(found.files) and found.files[0].name == prefix
        return FileStat(self._uri(key), 0, found.files[0].modified if marked else None, is_dir=True)

    def _read(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        full = self._prefix + key
        if not self._fast.takes(full):
            return self._read_sdk(key, start, stop, etag)
        try:
            choice = {"range": (start, stop), "if_match": etag}
            content, meta = self._fast.run(partial(fetch, key=full, choice=choice))
        except FastFailure as failure:
            if failure.error_code == "BlobNotFound":
                self._missing(key)
            if failure.status_code == 412:
                raise self._changed(key) from failure
            at_end = self._head(key) if failure.status_code == 416 else None
            if at_end is not None:  # an empty file, or one that became shorter
                return b"", at_end
            found = self._read_sdk(key, start, stop, etag)
            self._fast.rescued(failure)
            return found
        return content, self._from_fast(key, meta)

    def _read_into(self, key: str, start: int, etag: str | None, target: memoryview) -> bool:
        full = self._prefix + key
        if etag is None or not self._fast.takes(full):
            return False
        choice = {"range": (start, start + len(target)), "if_match": etag}
        try:
            return self._fast.run(partial(fetch_into, key=full, choice=choice, target=target))
        except FastFailure:
            return False  # _read finds out why

    def _read_sdk(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError

        pinned = match_conditions(Condition(etag=etag))

        def download(blob: Any) -> tuple[bytes, Any]:
            stream = blob.download_blob(offset=start, length=stop - start, **pinned)
            return stream.readall(), stream.properties

        try:
            content, found = self._run_on(key, download)
        except ResourceNotFoundError as error:
            if sdk_errors.code_of(error) == "ContainerNotFound":
                raise
            self._missing(key)
        except ResourceModifiedError:
            raise self._changed(key) from None
        except HttpResponseError as error:
            at_end = self._head(key) if error.status_code == 416 else None
            if at_end is None:
                raise
            return b"", at_end
        total = int((found.content_range or f"/{len(content)}").rpartition("/")[2])
        return content, self._described(key, found, total)

    def _put(self, key: str, content: bytes, condition: Condition) -> str | None:
        full = self._prefix + key
        if not self._fast.takes(full) or "AZURE_ENCRYPTION_KEY" in os.environ:  # which obstore would use
            return self._put_sdk(key, content, condition)
        mode: Any = "create" if condition.absent else "overwrite"
        if condition.etag is not None:
            mode = {"e_tag": condition.etag}
        try:
            sent = self._fast.run(
                lambda obstore, store: obstore.put(store, full, content, mode=mode, use_multipart=False)
            )
        except FastFailure as failure:
            if condition != ALWAYS and failure.status_code in {409, 412}:
                self._refuse(failure, key, condition)
            if condition != ALWAYS and failure.in_doubt:
                raise  # it may have been done: sent again, it would meet its own file
            etag = self._put_sdk(key, content, condition)
            self._fast.rescued(failure)
            return etag
        return cast("str | None", sent["e_tag"])

    def _put_sdk(self, key: str, content: bytes, condition: Condition) -> str | None:
        from azure.core.exceptions import AzureError

        wanted = {"overwrite": not condition.absent, **match_conditions(Condition(etag=condition.etag))}
        try:
            sent = self._run_on(key, lambda blob: blob.upload_blob(content, **wanted))
        except AzureError as error:
            self._refuse(error, key, condition)
        return cast("str | None", sent.get("etag"))

    def _refuse(self, error: Exception, key: str, condition: Condition) -> NoReturn:
        code = sdk_errors.code_of(error)
        if condition.absent and sdk_errors.status_of(error) in {409, 412}:
            self._fail(FileExistsError, key, "File exists")
        gone = sdk_errors.status_of(error) in {404, 412} and code != "ContainerNotFound"
        if condition.etag is not None and gone:
            raise self._changed(key) from error
        raise error

    def _upload(self, key: str, condition: Condition) -> Upload:
        return BlockUpload(
            partial(self._run_on, key), condition, lambda error: self._refuse(error, key, condition)
        )

    def _list(self, key: str, *, deep: bool) -> Iterator[Entry]:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        skip = len(self._prefix)
        token: str | None = None
        while True:
            files, folders, token = self._page(prefix, deep=deep, token=token)
            for name, size, modified, etag in files:
                if not name.endswith("/"):
                    yield Entry(name[skip:], False, size, modified, etag)  # noqa: FBT003 - half the time of keywords
                elif name != prefix:
                    yield Entry(name[skip:-1], is_dir=True, modified=modified)
            for folder in folders:
                yield Entry(folder[skip:-1], is_dir=True)
            if token is None:
                return

    def _page(self, prefix: str, **wanted: Any) -> Page:
        """One page of a listing, read here or by the SDK."""
        self._client.get()  # the package is there, and imported outside of any request
        found = self._listings.get().page(prefix, **wanted)
        if found is not None:
            return found
        return self._run(lambda container: from_sdk(container, prefix, **wanted))

    def _delete(self, entries: Sequence[Entry]) -> None:
        keys = [f"{self._prefix}{entry.key}{'/' if entry.is_dir else ''}" for entry in entries]
        if len(keys) > 1:
            plain = [key for key in keys if self._fast.takes(key)]
            if self._delete_batch(plain):
                keys = sorted(set(keys) - set(plain))
        run_all(self._delete_one, keys, workers=self.WORKERS)

    def _delete_batch(self, keys: list[str]) -> bool:
        """Whether all of them are gone; of a batch that fails in part, each is then deleted by itself."""
        try:
            self._fast.run(lambda obstore, store: obstore.delete(store, keys))
        except FastFailure:
            return False
        return True

    def _delete_one(self, full: str) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            self._run(lambda container: container.get_blob_client(full).delete_blob())
        except ResourceNotFoundError as error:
            if sdk_errors.code_of(error) == "ContainerNotFound":
                raise

    def _copy(self, src: str, dst: str, condition: Condition = ALWAYS) -> None:
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

        doubts, wanted = noting_doubts()

        def copy(container: Any) -> str:
            source = container.get_blob_client(self._prefix + src).url
            target = container.get_blob_client(self._prefix + dst)
            sas = self.live_credentials().sas_token
            url = f"{source}?{sas}" if sas and "?" not in source else source
            try:
                copied = target.start_copy_from_url(url, **match_conditions(condition), **wanted)
            except (ResourceExistsError, ResourceModifiedError):
                copied = {"copy_status": "success"}
                if not doubts or not is_copy(target, source):
                    raise  # else it met itself, its answer having been lost
            while copied["copy_status"] == "pending":
                time.sleep(0.2)
                copied = {"copy_status": target.get_blob_properties().copy.status}
            return str(copied["copy_status"])

        try:
            status = self._run(copy)
        except (ResourceExistsError, ResourceModifiedError) as error:
            self._refuse(error, dst, condition)
        except ResourceNotFoundError as error:
            if sdk_errors.code_of(error) == "ContainerNotFound":
                raise
            self._missing(src)
        if status != "success":
            raise StoreServiceError(f"the service ended the copy to {self._uri(dst)}: {status}")

    def _copy_new(self, src: str, dst: str) -> None:
        self._copy(src, dst, ABSENT)

    def _make_directory(self, key: str) -> None:
        self._put_sdk(f"{key}/", b"", ALWAYS)

    def _make_new_directory(self, key: str) -> None:
        from azure.core.exceptions import ResourceExistsError

        doubts, wanted = noting_doubts()
        try:
            self._run_on(f"{key}/", lambda blob: blob.upload_blob(b"", overwrite=False, **wanted))
        except ResourceExistsError as error:
            if not doubts:  # else it may well have met itself, its answer having been lost
                self._refuse(error, key, ABSENT)

    def _from_fast(self, key: str, meta: Mapping[str, Any]) -> FileStat:
        return FileStat(
            self._uri(key), meta["size"], meta["last_modified"], meta["e_tag"], meta["version"] or None
        )

    def _described(self, key: str, found: Any, size: int | None = None) -> FileStat:
        size = found.size if size is None else size
        return FileStat(self._uri(key), size, found.last_modified, found.etag, found.get("version_id"))
