"""Reading a file of a store: as a stream, with seeks, in bounded memory.

A file that fits into the first request is served from memory. A larger one is read in blocks that grow while
the reading goes on in order, the next ones being fetched meanwhile; a seek starts small again, so that the
footer of a Parquet file does not cost 8 MiB. Every request names the etag of the first: a file that is
replaced underneath is an error, never a mixture.
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NoReturn

from stacks.stores.parallel import run_all
from stacks.stores.types import Data

FIRST_BLOCK = 1024 * 1024  # asked for by open(): most artifacts' files fit, so they cost one request
SMALL_BLOCK = 256 * 1024  # after a seek
LARGE_BLOCK = 8 * 1024 * 1024
AHEAD = 4  # blocks under way while reading in order: 32 MiB hide 20 ms on a 10 Gbit/s line
WHOLE_BLOCK = 16 * 1024 * 1024  # for a call that asks for much at once

Fetch = Callable[[int, int], Data]
"""``fetch(start, stop)`` returns exactly the bytes [start, stop), or raises."""

Fill = Callable[[int, memoryview], None]
"""``fill(start, target)`` fills ``target`` with the bytes from ``start`` on, or raises."""


def _refuse_writing(name: str) -> NoReturn:
    raise io.UnsupportedOperation(f"{name} was opened for reading")


class WholeFile(io.BytesIO):
    """A file that was fetched with its first request."""

    mode = "rb"
    name = ""

    def writable(self) -> bool:
        return False

    def write(self, _data: object) -> int:
        _refuse_writing(self.name)

    def writelines(self, _lines: object) -> None:
        _refuse_writing(self.name)

    def truncate(self, _size: int | None = None) -> int:
        _refuse_writing(self.name)


class BlockReader(io.RawIOBase):
    """A larger file, of which ``first`` is the beginning."""

    mode = "rb"

    def __init__(self, fetch: Fetch, fill: Fill, size: int, first: Data, name: str) -> None:
        super().__init__()
        self.name = name
        self._fetch = fetch
        self._fill = fill
        self._size = size
        self._position = 0
        self._block: Data = first
        self._block_start = 0
        self._next_size = 2 * FIRST_BLOCK
        self._ahead: deque[tuple[int, int, Future[Data]]] = deque()
        self._spare: list[bytearray] = []
        self._threads: ThreadPoolExecutor | None = None
        self._pid = os.getpid()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}.get(whence)
        if base is None:
            raise ValueError(f"whence is 0, 1 or 2, not {whence}")
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type] # io hands over any writable buffer
        wanted = min(len(target), self._size - self._position)
        if wanted <= 0:
            return 0
        if wanted >= 2 * WHOLE_BLOCK:
            self._fill_from_here(target[:wanted])
            return wanted
        self._load_block(wanted)
        offset = self._position - self._block_start
        piece = memoryview(self._block)[offset : offset + wanted]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        left = self._size - self._position
        if left <= 0:
            return b""
        # BytesIO hands its buffer out and over without a copy; joining blocks would cost one of everything.
        buffer = io.BytesIO()
        buffer.seek(left - 1)
        buffer.write(b"\0")
        with buffer.getbuffer() as target:
            self._fill_from_here(target)
        return buffer.getvalue()

    def close(self) -> None:
        if not self.closed:
            self._drop_ahead()
            if self._threads is not None and self._pid == os.getpid():
                self._threads.shutdown(wait=False, cancel_futures=True)
            self._block = b""
            self._spare.clear()
        super().close()

    def _fill_from_here(self, target: memoryview) -> None:
        """Much at once: what is in memory or under way first, the rest in parallel to where it is wanted."""
        self._mind_fork()
        begin, end = self._position, self._position + len(target)
        at = begin
        if self._block_start <= at < self._block_start + len(self._block):
            at = _put(target, begin, at, memoryview(self._block)[at - self._block_start :])
        while self._ahead and self._ahead[0][0] == at and at < end:
            at = _put(target, begin, at, memoryview(self._ahead.popleft()[2].result()))
        ranges = _ranges(at, end)
        run_all(
            lambda span: self._fill(span[0], target[span[0] - begin : span[1] - begin]), ranges, workers=AHEAD
        )
        self._position = end

    def _load_block(self, wanted: int) -> None:
        """Make the block in memory the one that the position lies in."""
        position, end = self._position, self._block_start + len(self._block)
        if self._block_start <= position < end:
            return
        self._mind_fork()
        while self._ahead and self._ahead[0][1] <= position:
            self._ahead.popleft()[2].cancel()
        if self._ahead and self._ahead[0][0] <= position:
            start, _, block = self._ahead.popleft()
            if isinstance(self._block, bytearray) and len(self._block) == LARGE_BLOCK:
                self._spare.append(self._block)
            self._block = b""
            self._block, self._block_start = block.result(), start
        else:
            in_order = position == end
            self._drop_ahead()
            self._next_size = self._next_size if in_order else max(SMALL_BLOCK, wanted)
            stop = min(position + self._next_size, self._size)
            self._block, self._block_start = self._fetch(position, stop), position
            if not in_order:
                return  # one read after a seek says nothing yet about the next
        self._read_ahead()

    def _read_ahead(self) -> None:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(AHEAD, thread_name_prefix="stacks-read")
        last = self._ahead[-1][1] if self._ahead else self._block_start + len(self._block)
        while len(self._ahead) < AHEAD and last < self._size:
            self._next_size = min(2 * self._next_size, LARGE_BLOCK)
            stop = min(last + self._next_size, self._size)
            self._ahead.append((last, stop, self._threads.submit(self._fetch_ahead, last, stop)))
            last = stop

    def _fetch_ahead(self, start: int, stop: int) -> Data:
        """Into a buffer of our own, again and again the same few: a client's would take twice the memory."""
        whole = stop - start == LARGE_BLOCK
        block = self._spare.pop() if whole and self._spare else bytearray(stop - start)
        self._fill(start, memoryview(block))
        return block

    def _mind_fork(self) -> None:
        """Opened before a fork, read in the child: the threads that fetch ahead stayed with the parent."""
        if self._pid != os.getpid():
            self._pid, self._threads = os.getpid(), None
            self._ahead.clear()

    def _drop_ahead(self) -> None:
        for _, _, block in self._ahead:
            block.cancel()
        self._ahead.clear()


def _put(target: memoryview, begin: int, at: int, piece: memoryview) -> int:
    """Copy ``piece``, which begins at ``at``, to its place in ``target``; the position behind it."""
    piece = piece[: begin + len(target) - at]
    target[at - begin : at - begin + len(piece)] = piece
    return at + len(piece)


def _ranges(start: int, stop: int) -> list[tuple[int, int]]:
    return [(at, min(at + WHOLE_BLOCK, stop)) for at in range(start, stop, WHOLE_BLOCK)]
