"""An artifact store in memory: the smallest flavor that holds the whole contract."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from stacks.stores.keyed import KeyedArtifactStore
from stacks.stores.types import Condition, Data, Entry, FileStat, Upload

_File = tuple[bytes, datetime, str]
_buckets: dict[str, dict[str, _File]] = {}  # stores with one root see the same files, as with a real service
_lock = threading.RLock()


class MemoryArtifactStore(KeyedArtifactStore):
    """``memory://bucket``; what is in it ends with the process."""

    FLAVOR = "memory"
    SUPPORTED_SCHEMES = frozenset({"memory://"})
    PART_SIZE = 64 * 1024

    @property
    def _files(self) -> dict[str, _File]:
        bucket = self.path.removeprefix("memory://").partition("/")[0]
        return _buckets.setdefault(bucket, {})

    def _full(self, key: str) -> str:
        return f"{self.path.removeprefix('memory://').partition('/')[2]}/{key}".strip("/")

    def _stat(self, key: str, file: _File) -> FileStat:
        content, modified, etag = file
        return FileStat(self._uri(key), len(content), modified, etag)

    def _head(self, key: str) -> FileStat | None:
        file = self._files.get(self._full(key))
        return None if file is None else self._stat(key, file)

    def _directory(self, key: str) -> FileStat | None:
        marker = self._files.get(f"{self._full(key)}/")
        if key and marker is None and next(self._list(key, deep=True), None) is None:
            return None
        return FileStat(self._uri(key), 0, marker[1] if marker else None, is_dir=True)

    def _read(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        file = self._files.get(self._full(key))
        if file is None:
            self._missing(key)
        if etag not in {None, file[2]}:
            raise self._changed(key)
        return file[0][start:stop], self._stat(key, file)

    def _put(self, key: str, content: bytes, condition: Condition) -> str | None:
        etag = hashlib.blake2b(content, digest_size=8).hexdigest()
        with _lock:
            found = self._head(key)
            if condition.absent and found is not None:
                self._fail(FileExistsError, key, "File exists")
            if condition.etag is not None and (found is None or found.etag != condition.etag):
                raise self._changed(key)
            self._files[self._full(key)] = (content, datetime.now(UTC), etag)
        return etag

    def _upload(self, key: str, condition: Condition) -> Upload:
        return _MemoryUpload(self, key, condition)

    def _list(self, key: str, *, deep: bool) -> Iterator[Entry]:
        prefix = f"{self._full(key)}/".lstrip("/")
        skip = len(f"{self._full('')}/".lstrip("/"))
        for full in sorted(self._files):
            below = full.removeprefix(prefix)
            if not full.startswith(prefix) or not below:
                continue
            name, slash, _ = below.partition("/")
            if slash and not deep:
                yield Entry(f"{prefix}{name}"[skip:], is_dir=True)
            else:
                content, modified, etag = self._files[full]
                yield Entry(full[skip:].rstrip("/"), full.endswith("/"), len(content), modified, etag)

    def _delete(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._files.pop(self._full(entry.key) + ("/" if entry.is_dir else ""), None)

    def _copy(self, src: str, dst: str) -> None:
        file = self._files.get(self._full(src))
        if file is None:
            self._missing(src)
        self._files[self._full(dst)] = file

    def _make_directory(self, key: str) -> None:
        self._files[f"{self._full(key)}/"] = (b"", datetime.now(UTC), "")


class _MemoryUpload:
    def __init__(self, store: MemoryArtifactStore, key: str, condition: Condition) -> None:
        self._store, self._key, self._condition = store, key, condition
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> None:
        self._parts.append(part)

    def complete(self) -> None:
        self._store._put(self._key, b"".join(self._parts), self._condition)  # noqa: SLF001 - one unit

    def abort(self) -> None:
        self._parts.clear()
