"""Writing a file of a store: visible when it is closed, and not at all when something goes wrong before.

Python's own file objects commit when they are closed, and they are closed by everything: an exception in the
``with`` block, the garbage collector, the interpreter's exit. Here only an orderly ``close`` commits.
"""

from __future__ import annotations

import io
import logging
import os
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from stacks.errors import StacksError
from stacks.stores.types import BufferUpload

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sink:
    """Where a finished file goes: ``put`` takes a small one whole, ``begin`` starts a large one's parts."""

    part_size: int
    put: Callable[[bytes], object]
    begin: Callable[[], BufferUpload]


class DroppableWriter(io.BufferedIOBase):
    """A binary file being written, which anything but an orderly ``close`` drops.

    It belongs to the process that opened it: a forked child has a copy, and neither finishes nor aborts it.
    """

    name: str
    _pid: int | None = None

    def _begin(self) -> None:
        """From now on there is something to drop."""
        self._pid = os.getpid()

    def writable(self) -> bool:
        return True

    @property
    def is_inherited(self) -> bool:
        """Whether this process got the file by a fork."""
        return self._pid != os.getpid()

    @abstractmethod
    def abort(self) -> None:
        """Close without making anything visible."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if self._pid is not None and not self.closed:
            _drop(self)


class FileWriter(DroppableWriter):
    """A file on its way to a store; ``Sink.part_size`` bytes at most wait in it."""

    def __init__(self, sink: Sink, name: str, mode: str) -> None:
        super().__init__()
        self.name = name
        self.mode = mode
        self._sink = sink
        self._part_size = sink.part_size
        self._waiting = bytearray()
        self._position = 0
        self._parts = 0
        self._upload: BufferUpload | None = None
        self._failed = False
        self._begin()

    def tell(self) -> int:
        return self._position

    def write(self, data: object) -> int:
        if self.closed:
            raise ValueError(f"{self.name} is closed")
        if self.is_inherited:
            raise io.UnsupportedOperation(f"{self.name} was opened by another process, which is writing it")
        view = memoryview(data).cast("B")  # type: ignore[arg-type] # io's contract: any bytes-like object
        length = len(view)
        try:
            while len(self._waiting) + len(view) > self._part_size:
                room = self._part_size - len(self._waiting)
                self._waiting += view[:room]
                part, self._waiting = self._waiting, bytearray()
                self._send(part)
                view = view[room:]
            self._waiting += view
        except BaseException:
            self._failed = True  # what follows would leave a hole: close() must not commit
            raise
        self._position += length
        return length

    def _send(self, part: bytearray) -> None:
        if self._upload is None:
            self._upload = self._sink.begin()
        self._upload.write(part)
        self._parts += 1
        if self._parts % 1500 == 0:
            self._part_size *= 2  # services allow 10,000 parts: this way they hold 1 TB and begin at 8 MiB

    def close(self) -> None:
        if self.closed:
            return
        if self._failed or self.is_inherited:
            self.abort()
            return
        try:
            if self._upload is None:
                self._sink.put(bytes(self._waiting))
            else:
                if self._waiting:
                    self._upload.write(self._waiting)
                self._upload.complete()
        except BaseException:
            self.abort()
            raise
        self._upload = None
        self._finish()

    def abort(self) -> None:
        """Close without making anything visible.

        What cannot be cleaned up is logged, not raised: the failure that led here is the one to be heard.
        """
        upload, self._upload = self._upload, None
        try:
            if upload is not None and not self.is_inherited:
                upload.abort()
        except (StacksError, OSError) as error:
            logger.warning("%s: the parts of a dropped write may still be there: %s", self.name, error)
        finally:
            self._finish()

    def _finish(self) -> None:
        self._waiting = bytearray()
        super().close()


class TextWriter(io.TextIOWrapper):
    """The same for text."""

    def __init__(
        self,
        binary: DroppableWriter,
        mode: str,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> None:
        super().__init__(binary, encoding or "utf-8", errors, newline)
        self._binary = binary
        self.mode = mode  # type: ignore[misc] # typeshed has it read-only; io.TextIOWrapper lets it be set

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._binary.abort()

    def close(self) -> None:
        if self._binary.is_inherited:
            self._binary.abort()  # before what waits in this wrapper would be written
        super().close()

    def __del__(self) -> None:
        binary = getattr(self, "_binary", None)
        if binary is not None and not binary.closed:
            _drop(binary)


def _drop(file: DroppableWriter) -> None:
    if not file.is_inherited:
        logger.warning("%s was never closed: what was written to it is dropped", file.name)
    file.abort()
