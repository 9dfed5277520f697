"""What lies between a program and a file of a store: a codec, a transaction.

fsspec's own layers end the file below them whenever they are closed, or forget to. Here, too, only an orderly
``close`` makes anything visible, and what is dropped is dropped in every layer.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from stacks.stores.writers import DroppableWriter


class LayeredWriter(DroppableWriter):
    """A binary file that is written through a codec, or appears only when it is committed (``deferred``)."""

    def __init__(
        self, file: IO[bytes], codec: Callable[[io.BufferedIOBase], Any] | None, *, mode: str, deferred: bool
    ) -> None:
        super().__init__()
        self.name = file.name
        self.mode = mode
        self._file = file
        self._pipe = _Pipe(file)
        self._top = self._pipe if codec is None else codec(self._pipe)
        self._deferred = deferred
        self._ready = False
        self._failed = False
        self._position = 0
        self._begin()

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        if self.closed:
            raise ValueError(f"{self.name} is closed")
        try:
            self._top.write(data)
        except BaseException:
            self._failed = True
            raise
        length = memoryview(data).nbytes
        self._position += length
        return length

    def close(self) -> None:
        if self.closed:
            return
        if self._failed or self.is_inherited:
            self.abort()
            return
        try:
            self._top.close()
            if not self._deferred:
                self._file.close()
        except BaseException:
            self.abort()
            raise
        self._ready = self._deferred
        super().close()

    def abort(self) -> None:
        self._pipe.shut()
        self._ready = False
        try:
            with suppress(Exception):  # it has nothing left to say: what it would still write goes nowhere
                self._top.close()
            _drop(self._file)
        finally:
            super().close()

    def commit(self) -> None:
        """At the end of its transaction: make the file visible, unless its block raised.

        Raises:
            ValueError: it was not closed; it is dropped.
        """
        if not self.closed:
            self.abort()
            raise ValueError(f"{self.name} was not closed before its transaction ended")
        if self._ready:
            self._ready = False
            self._file.close()

    def discard(self) -> None:
        """At the end of a transaction that failed."""
        self.abort()


class _Pipe(io.BufferedIOBase):
    """What a codec writes to. Closing it ends nothing, and once it is shut nothing comes through."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file: IO[bytes] | None = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return memoryview(data).nbytes if self._file is None else self._file.write(data)

    def shut(self) -> None:
        self._file = None


class DecodedReader(io.BufferedReader):
    """A file read through a codec; closing it closes both."""

    def __init__(self, codec: Any, file: IO[bytes]) -> None:
        super().__init__(codec)
        self._below = file

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._below.close()


def _drop(file: Any) -> None:
    """Abort a file; one of a user's flavor may know no other way than a ``with`` block that raises."""
    if hasattr(file, "abort"):
        file.abort()
    elif not file.closed:
        file.__exit__(RuntimeError, RuntimeError("dropped"), None)
