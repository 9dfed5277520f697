"""The files of one artifact: digests are taken when they are written, and compared before they are read."""

from __future__ import annotations

import hashlib
import io
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, cast

from stacks.errors import DamagedArtifactError
from stacks.stores.base import BaseArtifactStore

IN_MEMORY = 64 * 1024 * 1024  # a larger file is checked on its way into a temporary file
BLOCK = 4 * 1024 * 1024


class FileDigest(NamedTuple):
    """What a record knows of one file: its size in bytes and its SHA-256."""

    size: int
    sha256: str


class ArtifactFiles:
    """An artifact store as a materializer sees it.

    ``open`` for writing takes the digest of what passes; ``open`` for reading hands out nothing that was not
    compared with ``expected`` first, all of the file. Everything else is the store's own.
    """

    def __init__(
        self,
        store: BaseArtifactStore,
        uri: str,
        expected: Mapping[str, FileDigest] | None = None,
        *,
        allow_pickle: bool = True,
    ) -> None:
        self.store = store
        self.uri = uri
        self.expected = expected
        self.allow_pickle = allow_pickle
        self.written: dict[str, FileDigest] = {}
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def open(self, path: str, mode: str = "r") -> IO[Any]:
        """As the store's ``open``.

        Raises:
            DamagedArtifactError: the file is missing, is another one than was recorded, or never was.
        """
        if "r" in mode:
            binary = self._verified(str(path))
            return binary if "b" in mode else io.TextIOWrapper(binary, encoding="utf-8")
        name = self._name(str(path))
        if "a" in mode or name is None:
            if name is not None:
                self.written.pop(name, None)
            return self.store.open(path, mode)
        raw = self.store.open(path, mode.replace("t", "").replace("b", "") + "b")
        writer = _HashingWriter(raw, lambda digest: self._note(name, digest))
        return cast("IO[Any]", writer if "b" in mode else _HashingText(writer))

    def download(self, path: str, target: Path) -> None:
        """Copy a file to the local disk, compared on the way; one that is not the recorded one is removed."""
        expected = self._expected(path)
        digest = hashlib.sha256()
        with target.open("xb") as copy:
            try:
                self._copy(path, copy, digest)
                self._compare(path, expected, copy.tell(), digest.hexdigest())
            except BaseException:
                target.unlink(missing_ok=True)
                raise

    def read_bytes(self, path: str) -> bytes:
        """A whole file, compared."""
        expected = self._expected(path)
        try:
            content: bytes = self.store.read_many([path])[0]
        except FileNotFoundError as error:
            raise self._missing(path) from error
        self._compare(path, expected, len(content), hashlib.sha256(content).hexdigest())
        return content

    def write_bytes(self, path: str, content: bytes) -> None:
        """A whole small file."""
        self.store.write_many([(path, content)])
        name = self._name(path)
        if name is not None:
            self._note(name, FileDigest(len(content), hashlib.sha256(content).hexdigest()))

    def account(self) -> dict[str, FileDigest]:
        """The digests of all that lies below the artifact's folder; what passed by here is not read again."""
        found: dict[str, FileDigest] = {}
        for directory, _, names in self.store.walk(self.uri):
            for one in names:
                path = f"{directory}/{one}"
                name = path[len(self.uri) + 1 :]
                found[name] = self.written.get(name) or self._read_back(path)
        return found

    def _note(self, name: str, digest: FileDigest) -> None:
        with self._lock:
            self.written[name] = digest

    def _name(self, path: str) -> str | None:
        return path[len(self.uri) + 1 :] if path.startswith(f"{self.uri}/") else None

    def _read_back(self, path: str) -> FileDigest:
        digest, size = hashlib.sha256(), 0
        with self.store.open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                size += len(block)
        return FileDigest(size, digest.hexdigest())

    def _verified(self, path: str) -> IO[bytes]:
        expected = self._expected(path)
        if expected is None:
            return self.store.open(path, "rb")
        if expected.size <= IN_MEMORY:
            return io.BytesIO(self.read_bytes(path))
        digest = hashlib.sha256()
        copy = cast("IO[bytes]", tempfile.TemporaryFile())  # noqa: SIM115 - the caller closes it
        try:
            self._copy(path, copy, digest)
            self._compare(path, expected, copy.tell(), digest.hexdigest())
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return copy

    def _copy(self, path: str, target: IO[bytes], digest: hashlib._Hash) -> None:
        try:
            with self.store.open(path, "rb") as source:
                while block := source.read(BLOCK):
                    digest.update(block)
                    target.write(block)
        except FileNotFoundError as error:
            raise self._missing(path) from error

    def _expected(self, path: str) -> FileDigest | None:
        name = self._name(path)
        if self.expected is None or name is None:
            return None
        if name not in self.expected:
            raise DamagedArtifactError(
                f"{path} is no part of the artifact that was recorded",
                hint="load what its own materializer wrote, or run the step again",
                name=path,
            )
        return self.expected[name]

    def _compare(self, path: str, expected: FileDigest | None, size: int, sha256: str) -> None:
        if expected is not None and expected != (size, sha256):
            raise DamagedArtifactError(
                f"{path} is not what was stored: it has {size} bytes with the SHA-256 {sha256[:12]}…, "
                f"recorded are {expected.size} bytes with {expected.sha256[:12]}…",
                hint="run the pipeline again: the step that made it is not taken from the cache then",
                name=path,
            )

    def _missing(self, path: str) -> DamagedArtifactError:
        return DamagedArtifactError(
            f"{path} is recorded, and not there",
            hint="run the pipeline again: the step that made it is not taken from the cache then",
            name=path,
        )


class _HashingWriter(io.BufferedIOBase):
    """A file being written, and the digest of it; told of when it is closed in order."""

    def __init__(self, raw: IO[bytes], done: Any) -> None:
        super().__init__()
        self._raw = raw
        self._done = done
        self._digest = hashlib.sha256()
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._raw.write(view)
        self._digest.update(view)
        self._size += len(view)
        return len(view)

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._raw.close()
        finally:
            super().close()
        self._done(FileDigest(self._size, self._digest.hexdigest()))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        try:
            self._raw.__exit__(kind, error, traceback)  # the store's own: it drops what was written
        finally:
            super().close()

    def __del__(self) -> None:
        """Never closes: a file that nobody closed is dropped by the store's own writer."""


class _HashingText(io.TextIOBase):
    """The same for text: UTF-8, line ends as they are."""

    def __init__(self, binary: _HashingWriter) -> None:
        super().__init__()
        self._binary = binary

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._binary.write(text.encode())
        return len(text)

    def close(self) -> None:
        if not self.closed:
            self._binary.close()
            super().close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._binary.__exit__(kind, error, traceback)
        super().close()

    def __del__(self) -> None:
        """As above."""
