"""The nine primitives that a backend gives, and the paths and errors around them."""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import NoReturn, cast

from stacks.errors import ObjectChangedError, StacksError, StoreError
from stacks.stores import paths
from stacks.stores.base import BaseArtifactStore
from stacks.stores.types import Condition, Data, Entry, FileStat, PathType, Upload


class PrimitiveStore(BaseArtifactStore):
    """What the behaviour is built on; keys are paths relative to the root, "" is the root."""

    PART_SIZE = 16 * 1024 * 1024
    """Bytes of a part; a file up to this size is written with one request."""

    TAKES_BYTEARRAYS = False
    """Whether parts of an upload may be ``bytearray``: then they are handed over, else copied."""

    # ---- the primitives -------------------------------------------------------------------------------

    @abstractmethod
    def _head(self, key: str) -> FileStat | None:
        """The file at ``key``, or None; directories are no files."""

    @abstractmethod
    def _directory(self, key: str) -> FileStat | None:
        """The directory at ``key``, or None. The root always exists, if its bucket does."""

    @abstractmethod
    def _read(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        """The bytes [start, stop) as far as the file has them, and its stat, in one request.

        ``etag`` is the version that must be read (``ObjectChangedError``); missing: ``FileNotFoundError``.
        """

    def _read_into(
        self,
        key: str,  # noqa: ARG002 - backends that can do this read them
        start: int,  # noqa: ARG002
        etag: str | None,  # noqa: ARG002
        target: memoryview,  # noqa: ARG002
    ) -> bool:
        """Fill ``target`` from ``start`` on without a copy in between. False: ``_read`` has to do it."""
        return False

    @abstractmethod
    def _put(self, key: str, content: bytes, condition: Condition) -> str | None:
        """Write a small file at once and return its etag.

        ``FileExistsError`` or ``ObjectChangedError`` when the condition does not hold.
        """

    @abstractmethod
    def _upload(self, key: str, condition: Condition) -> Upload:
        """Begin to write a large file."""

    @abstractmethod
    def _list(self, key: str, *, deep: bool) -> Iterator[Entry]:
        """What is in the directory ``key``, one level or all of them; nothing when there is none."""

    @abstractmethod
    def _delete(self, entries: Sequence[Entry]) -> None:
        """Delete up to 1,000 files and empty directories; one that is missing is fine."""

    @abstractmethod
    def _copy(self, src: str, dst: str) -> None:
        """Copy one file, replacing the target; missing: ``FileNotFoundError``."""

    @abstractmethod
    def _make_directory(self, key: str) -> None:
        """Make a directory whose parent exists, so that it is there while it is empty."""

    # ---- what a backend may do better -----------------------------------------------------------------

    def _copy_new(self, src: str, dst: str) -> None:
        """``_copy`` to where nothing was found; ``FileExistsError`` if the backend finds something now."""
        self._copy(src, dst)

    def _make_new_directory(self, key: str) -> None:
        """The same for ``_make_directory``."""
        self._make_directory(key)

    def _list_to_copy(self, key: str) -> Iterator[Entry]:
        """All that is in a directory, as a copy takes it along."""
        return self._list(key, deep=True)

    def _place(self, key: str) -> str:
        """What is the same for two keys that are one file or directory, and begins as that of its parent."""
        return key

    # ---- paths and errors -----------------------------------------------------------------------------

    def _key(self, path: PathType) -> str:
        """The key of a path.

        Raises:
            PathOutsideStoreError: the path is not inside the root.
        """
        return paths.key_below(path, self.path, self.SUPPORTED_SCHEMES)

    def _uri(self, key: str) -> str:
        return f"{self.path}/{key}" if key else self.path

    def _normalise_root(self, path: PathType) -> str:
        return paths.normalise_root(path, self.SUPPORTED_SCHEMES)

    def _translate(
        self,
        error: Exception,  # noqa: ARG002 - the backends read them
        operation: str,  # noqa: ARG002
        path: str,  # noqa: ARG002
    ) -> Exception | None:
        """The error to raise instead of ``error``; None leaves it as it is. Backends extend it."""
        return None

    def _doing(self, operation: str, key: str) -> Doing:
        return Doing(self, operation, key)

    def _fail(self, kind: type[OSError], key: str, what: str) -> NoReturn:
        number = _ERRNO[kind]
        where = f"the artifact store {self.name}" if self.name else "the artifact store"
        raise kind(number, f"{what} in {where}", self._uri(key))

    def _changed(self, key: str) -> ObjectChangedError:
        return ObjectChangedError(
            f"{self._uri(key)} is no longer the version that was asked for",
            hint="Read it again, and repeat the change on what is there now.",
            store=self.name or None,
            path=self._uri(key),
        )

    def _missing(self, key: str) -> NoReturn:
        self._fail(FileNotFoundError, key, "No such file or directory")


_ERRNO: dict[type[OSError], int] = {
    FileNotFoundError: errno.ENOENT,
    FileExistsError: errno.EEXIST,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
    OSError: errno.EINVAL,
}


class Doing:
    """Names operation and path for whatever its block raises. A class: half the cost of a generator."""

    __slots__ = ("_key", "_operation", "_store")

    def __init__(self, store: PrimitiveStore, operation: str, key: str) -> None:
        self._store = store
        self._operation = operation
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        if isinstance(error, StacksError):
            if isinstance(error, StoreError) and error.operation is None:
                error.operation = self._operation
            return
        store = self._store
        better = store._translate(error, self._operation, store._uri(self._key))  # noqa: SLF001 - one unit
        if better is not None:
            raise better from error


class TranslatedUpload:
    """An upload whose failures are translated as those of every other call."""

    def __init__(self, store: PrimitiveStore, key: str, upload: Upload) -> None:
        self._doing = store._doing("write", key)  # noqa: SLF001 - one unit
        self._upload = upload
        self._as_it_is = store.TAKES_BYTEARRAYS

    def write(self, part: bytes | bytearray) -> None:
        with self._doing:
            self._upload.write(cast("bytes", part) if self._as_it_is else bytes(part))

    def complete(self) -> None:
        with self._doing:
            self._upload.complete()

    def abort(self) -> None:
        with self._doing:
            self._upload.abort()
