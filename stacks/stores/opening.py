"""Opening a file: which object serves which mode, and under which condition a write may become visible."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from typing import IO, Any, cast

from stacks.errors import ObjectChangedError
from stacks.stores import paths
from stacks.stores.parallel import run_all
from stacks.stores.primitives import PrimitiveStore, TranslatedUpload
from stacks.stores.readers import FIRST_BLOCK, LARGE_BLOCK, BlockReader, WholeFile
from stacks.stores.types import ALWAYS, BufferUpload, Condition, Data, FileStat, PathType, bare_etag
from stacks.stores.writers import FileWriter, Sink, TextWriter

_MODES = {"r", "w", "x", "a"}
_PAGE = 1000  # entries of a listing that services give with one request


class OpeningStore(PrimitiveStore):
    """Files as streams, and whole."""

    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        kind, binary = _parse_mode(mode)
        key = self._key(path)
        if kind == "r":
            return self._open_reading(key, binary=binary)
        with self._doing("open", key):
            if not key or paths.names_directory(path) or self._directory(key) is not None:
                self._fail(IsADirectoryError, key, "A directory")
            writer = self._writer(key, kind)
        return cast("IO[Any]", writer if binary else TextWriter(writer, kind))

    def _open_reading(self, key: str, *, binary: bool) -> IO[Any]:
        with self._doing("open", key):
            try:
                first, found = self._read_first(key)
            except FileNotFoundError:
                if self._directory(key) is not None:
                    self._fail(IsADirectoryError, key, "A directory")
                raise
        name = self._uri(key)
        file: io.BufferedIOBase
        if found is None:
            file = WholeFile(first)
            file.name = name
        else:
            etag = found.etag

            def fetch(start: int, stop: int) -> Data:
                return self._read_exactly(key, start, stop, etag)

            def fill(start: int, target: memoryview) -> None:
                with self._doing("read", key):
                    if not self._read_into(key, start, etag, target):
                        target[:] = self._read_exactly(key, start, start + len(target), etag)

            file = io.BufferedReader(BlockReader(fetch, fill, found.size, first, name), 64 * 1024)
        return file if binary else io.TextIOWrapper(file, encoding="utf-8")

    def _read_first(self, key: str) -> tuple[Data, FileStat | None]:
        """The first block of a file, and its stat if there is more of it."""
        first, found = self._read(key, 0, FIRST_BLOCK, None)
        return first, None if len(first) >= found.size else found

    def _read_exactly(self, key: str, start: int, stop: int, etag: str | None) -> Data:
        with self._doing("read", key):
            block, found = self._read(key, start, stop, etag)
            if etag is not None and found.etag is not None and bare_etag(found.etag) != bare_etag(etag):
                raise self._changed_underneath(key, "was replaced")  # by a service that heeds no If-Match
            if len(block) != stop - start:
                raise self._changed_underneath(key, "became shorter")
            return block

    def _changed_underneath(self, key: str, how: str) -> ObjectChangedError:
        return ObjectChangedError(
            f"{self._uri(key)} {how} while it was being read",
            hint="Read it again from the start.",
            store=self.name or None,
            operation="read",
            path=self._uri(key),
        )

    def _writer(self, key: str, kind: str) -> FileWriter:
        found = self._head(key) if kind in "xa" else None
        if kind == "x" and found is not None:
            self._fail(FileExistsError, key, "File exists")
        condition = ALWAYS
        if kind != "w":
            condition = Condition(absent=True) if found is None else Condition(etag=found.etag)

        def put(content: bytes) -> None:
            with self._doing("write", key):
                self._put(key, content, condition)

        def begin() -> BufferUpload:
            with self._doing("write", key):
                return TranslatedUpload(self, key, self._upload(key, condition))

        writer = FileWriter(Sink(self.PART_SIZE, put, begin), self._uri(key), kind + "b")
        if kind == "a" and found is not None:
            self._begin_with(writer, key, found)
        return writer

    def _begin_with(self, writer: FileWriter, key: str, found: FileStat) -> None:
        try:
            for start in range(0, found.size, LARGE_BLOCK):
                stop = min(start + LARGE_BLOCK, found.size)
                writer.write(self._read_exactly(key, start, stop, found.etag))
        except BaseException:
            writer.abort()
            raise

    def write_bytes(
        self, path: PathType, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str | None:
        """Write a file with one request and return its etag; with a condition, never over another's write.

        Raises:
            IsADirectoryError: there is a directory.
            FileExistsError: ``if_absent`` and there is a file.
            ObjectChangedError: ``if_match`` and the file has another etag, or is gone.
        """
        key = self._key(path)
        with self._doing("write", key):
            replaces = if_match is not None  # what was read: so there is a file, and nothing to look up
            if not key or paths.names_directory(path) or (not replaces and self._directory(key)):
                self._fail(IsADirectoryError, key, "A directory")
            return self._put(key, content, Condition(absent=if_absent, etag=if_match))

    def read_bytes(self, path: PathType) -> tuple[bytes, FileStat]:
        """The content of a file and the stat, etag included, of exactly that content."""
        key = self._key(path)
        with self._doing("read", key):
            first, found = self._read(key, 0, FIRST_BLOCK, None)
        if len(first) >= found.size:
            return bytes(first), found
        rest = self._read_exactly(key, len(first), found.size, found.etag)
        return b"".join((first, rest)), found

    def _read_whole(self, path: PathType) -> bytes:
        key = self._key(path)
        with self._doing("read", key):
            first, found = self._read_first(key)
        if found is None:
            return bytes(first)
        return b"".join((first, self._read_exactly(key, len(first), found.size, found.etag)))

    def _write_whole(self, pair: tuple[PathType, bytes]) -> None:
        path, content = pair
        if len(content) > self.PART_SIZE:
            super()._write_whole(pair)
            return
        key = self._key(path)
        with self._doing("write", key):
            self._put(key, content, ALWAYS)

    def write_many(self, files: Mapping[PathType, bytes] | Iterable[tuple[PathType, bytes]]) -> None:
        pairs = list(files.items() if isinstance(files, Mapping) else files)
        keys: dict[str, list[str]] = {}
        for path, _ in pairs:
            key = self._key(path)
            if not key or paths.names_directory(path):
                self._fail(IsADirectoryError, key, "A directory")
            keys.setdefault(paths.parent(key), []).append(key)
        self._refuse_each_other(keys)
        run_all(lambda item: self._refuse_directories(*item), list(keys.items()), workers=self.WORKERS)
        super().write_many(pairs)

    def _refuse_each_other(self, keys: Mapping[str, list[str]]) -> None:
        files = {key for group in keys.values() for key in group}
        for directory in keys:
            above = directory
            while above:
                if above in files:
                    self._fail(IsADirectoryError, above, "Both a file and a directory would be")
                above = paths.parent(above)

    def _refuse_directories(self, above: str, keys: list[str]) -> None:
        """Fail if one of the ``keys``, all in the directory ``above``, is a directory's."""
        with self._doing("write", above):
            seen = list(islice(self._list(above, deep=False), _PAGE)) if len(keys) > 1 else None
            directories = {entry.key for entry in seen or () if entry.is_dir}
            for key in keys:
                unknown = seen is None or len(seen) == _PAGE
                if key in directories or (unknown and self._directory(key) is not None):
                    self._fail(IsADirectoryError, key, "A directory")


@cache
def _parse_mode(mode: str) -> tuple[str, bool]:
    letters = set(mode)
    kinds = letters & _MODES
    if len(kinds) != 1 or len(letters) != len(mode) or letters - _MODES - {"b", "t"} or {"b", "t"} <= letters:
        raise ValueError(f"mode {mode!r} is not one of r, rb, w, wb, x, xb, a, ab")
    return kinds.pop(), "b" in letters
