"""Artifacts in a container of Azure Blob Storage."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn, cast

from stacks.credentials import AzureCredentials, CachedCredentials, Credentials
from stacks.errors import MissingExtraError, PathError, StoreConfigError, StoreServiceError
from stacks.stores import sdk_errors
from stacks.stores.azure_auth import KEYS, LiveToken, resolve_account
from stacks.stores.cached_client import ClientOfProcess
from stacks.stores.keyed import KeyedArtifactStore
from stacks.stores.parallel import run_all
from stacks.stores.paths import split_scheme
from stacks.stores.types import Condition, Data, Entry, FileStat, PathType, Upload

UNDER_WAY = 4  # parts at once, as on the other flavors


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
        now = self.live_credentials()
        account = self._account.reached_at(self.name or None).partition("://")[2].partition(".")[0]
        options = {"account_name": account, "account_key": now.account_key, "sas_token": now.sas_token}
        return {name: value for name, value in options.items() if value}

    def _credentials_of_a_named_account(self) -> AzureCredentials:
        """Credentials, once it is known for which account: that nobody named one is said first."""
        self._account.reached_at(self.name or None)
        return self._account.provider()

    def _make_client(self, now: AzureCredentials) -> Any:
        try:
            from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
            from azure.core.pipeline.transport import RequestsTransport
            from azure.storage.blob import ContainerClient
            from requests import Session
            from requests.adapters import HTTPAdapter
        except ImportError as error:
            raise MissingExtraError(
                "the Azure artifact store needs azure-storage-blob",
                hint="pip install 'stack-provisioner[azure]'",
                extra="azure",
            ) from error
        url = self._account.reached_at(self.name or None)
        signer: Any = LiveToken(self.live_credentials)
        if now.account_key:
            signer = AzureNamedKeyCredential(_account_name(url), now.account_key)
        elif now.sas_token:
            signer = AzureSasCredential(now.sas_token)
        session = Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=64))
        return ContainerClient(
            url,
            self.container,
            credential=signer,
            transport=RequestsTransport(session=session, session_owner=False),
            connection_timeout=10,
            read_timeout=60,
            max_single_put_size=self.PART_SIZE,
            max_single_get_size=64 * 1024 * 1024,  # our readers ask for what they want in one request
        )

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

    def _blob(self, key: str) -> Any:
        return self._client.get().get_blob_client(self._prefix + key)

    # ---- the primitives -------------------------------------------------------------------------------

    def _head(self, key: str) -> FileStat | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            found = self._blob(key).get_blob_properties()
        except ResourceNotFoundError:
            return None
        return self._described(key, found)

    def _directory(self, key: str) -> FileStat | None:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        pages = self._client.get().list_blobs(name_starts_with=prefix, results_per_page=1).by_page()
        first = next(iter(next(pages, ())), None)
        if key and first is None:
            return None
        marked = first is not None and first.name == prefix
        return FileStat(self._uri(key), 0, first.last_modified if marked and first else None, is_dir=True)

    def _read(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError

        pinned = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        try:
            stream = self._blob(key).download_blob(offset=start, length=stop - start, **pinned)
            content: bytes = stream.readall()
        except ResourceNotFoundError as error:
            if sdk_errors.code_of(error) == "ContainerNotFound":
                raise
            self._missing(key)
        except ResourceModifiedError:
            raise self._changed(key) from None
        except HttpResponseError as error:
            found = self._head(key) if error.status_code == 416 else None
            if found is None:
                raise
            return b"", found
        total = int((stream.properties.content_range or f"/{len(content)}").rpartition("/")[2])
        return content, self._described(key, stream.properties, total)

    def _put(self, key: str, content: bytes, condition: Condition) -> str | None:
        from azure.core.exceptions import AzureError

        try:
            sent = self._blob(key).upload_blob(content, **_conditions(condition))
        except AzureError as error:
            self._refuse(error, key, condition)
        etag: str | None = sent.get("etag")
        return etag

    def _refuse(self, error: Exception, key: str, condition: Condition) -> NoReturn:
        code = sdk_errors.code_of(error)
        if condition.absent and sdk_errors.status_of(error) in {409, 412}:
            self._fail(FileExistsError, key, "File exists")
        gone = sdk_errors.status_of(error) in {404, 412} and code != "ContainerNotFound"
        if condition.etag is not None and gone:
            raise self._changed(key) from error
        raise error

    def _upload(self, key: str, condition: Condition) -> Upload:
        return _BlockUpload(self, key, condition)

    def _list(self, key: str, *, deep: bool) -> Iterator[Entry]:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        skip = len(self._prefix)
        client = self._client.get()
        found = client.list_blobs(prefix) if deep else client.walk_blobs(prefix, delimiter="/")
        for item in found:
            name: str = item.name
            if not hasattr(item, "etag"):
                yield Entry(name[skip:-1], is_dir=True)  # a prefix
            elif not name.endswith("/"):
                yield Entry(
                    name[skip:], is_dir=False, size=item.size, modified=item.last_modified, etag=item.etag
                )
            elif name != prefix:
                yield Entry(name[skip:-1], is_dir=True, modified=item.last_modified)

    def _delete(self, entries: Sequence[Entry]) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        def delete(entry: Entry) -> None:
            try:
                self._blob(f"{entry.key}{'/' if entry.is_dir else ''}").delete_blob()
            except ResourceNotFoundError as error:
                if sdk_errors.code_of(error) == "ContainerNotFound":
                    raise

        run_all(delete, entries, workers=self.WORKERS)

    def _copy(self, src: str, dst: str) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        source, target = self._blob(src), self._blob(dst)
        sas = self.live_credentials().sas_token
        url = f"{source.url}?{sas}" if sas and "?" not in source.url else source.url
        try:
            copied = target.start_copy_from_url(url)
            while copied["copy_status"] == "pending":
                time.sleep(0.2)
                copied = {"copy_status": target.get_blob_properties().copy.status}
        except ResourceNotFoundError as error:
            if sdk_errors.code_of(error) == "ContainerNotFound":
                raise
            self._missing(src)
        if copied["copy_status"] != "success":
            raise StoreServiceError(
                f"the service ended the copy to {self._uri(dst)}: {copied['copy_status']}"
            )

    def _make_directory(self, key: str) -> None:
        self._blob(f"{key}/").upload_blob(b"", overwrite=True)

    def _described(self, key: str, found: Any, size: int | None = None) -> FileStat:
        size = found.size if size is None else size
        return FileStat(self._uri(key), size, found.last_modified, found.etag, found.get("version_id"))


class _BlockUpload:
    """The service keeps blocks, unseen, until a list of them makes the blob; it forgets the others."""

    def __init__(self, store: AzureArtifactStore, key: str, condition: Condition) -> None:
        self._store, self._key, self._condition = store, key, condition
        self._threads = ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="stacks-write")
        self._room = threading.Semaphore(UNDER_WAY)
        self._blocks: list[Future[str]] = []

    def write(self, part: bytes) -> None:
        self._room.acquire()
        for block in self._blocks:
            if block.done():
                block.result()
        self._blocks.append(self._threads.submit(self._send, len(self._blocks), part))

    def _send(self, number: int, part: bytes) -> str:
        try:
            name = base64.b64encode(f"{number:08}".encode()).decode()
            self._store._blob(self._key).stage_block(name, part, length=len(part))  # noqa: SLF001 - one unit
            return name
        finally:
            self._room.release()

    def complete(self) -> None:
        from azure.core.exceptions import AzureError
        from azure.storage.blob import BlobBlock

        blocks = [BlobBlock(block.result()) for block in self._blocks]
        conditions = _conditions(self._condition)
        if conditions.pop("overwrite", None) is False:
            from azure.core import MatchConditions

            conditions = {"match_condition": MatchConditions.IfMissing}
        try:
            self._store._blob(self._key).commit_block_list(blocks, **conditions)  # noqa: SLF001 - one unit
        except AzureError as error:
            self._store._refuse(error, self._key, self._condition)  # noqa: SLF001 - one unit
        self._threads.shutdown(wait=False)

    def abort(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def _conditions(condition: Condition) -> dict[str, Any]:
    from azure.core import MatchConditions

    if condition.absent:
        return {"overwrite": False}
    if condition.etag is not None:
        return {"overwrite": True, "etag": condition.etag, "match_condition": MatchConditions.IfNotModified}
    return {"overwrite": True}


def _account_name(url: str) -> str:
    """The account that a URL names: its first label, or for emulators the first part of the path."""
    rest = url.partition("://")[2]
    host, _, path = rest.partition("/")
    return path.partition("/")[0] or host.partition(".")[0]
