"""The values that cross the border between the behaviour of a store and its backend."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

PathType: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
OnError: TypeAlias = Callable[[OSError], object]
Data: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class FileStat:
    """What a store knows about one file or directory, the same on every flavor.

    ``size`` is in bytes and 0 for a directory. ``modified`` has a time zone; it is None for a directory that
    exists only because there are files in it. ``etag`` changes with every write and is what conditional
    writes compare; ``version`` is the service's version id, where versioning is on.
    """

    path: str
    size: int
    modified: datetime | None
    etag: str | None = None
    version: str | None = None
    is_dir: bool = False


class Entry(NamedTuple):
    """One line of a listing; ``key`` is relative to the store's root, without a slash at either end."""

    key: str
    is_dir: bool
    size: int = 0
    modified: datetime | None = None
    etag: str | None = None


class Condition(NamedTuple):
    """When a write may take place: the file is absent, or still has this etag. Empty means always."""

    absent: bool = False
    etag: str | None = None


ALWAYS = Condition()
ABSENT = Condition(absent=True)


class Upload(Protocol):
    """A large file on its way: parts in order, then exactly one of ``complete`` and ``abort``."""

    def write(self, part: bytes) -> None:
        """Take the next part; may return before it has arrived, and blocks when too many are on their way."""

    def complete(self) -> None:
        """Make the file visible, under the condition that the upload was begun with."""

    def abort(self) -> None:
        """Leave nothing behind."""


class BufferUpload(Upload, Protocol):
    """An upload that keeps the buffers that it is given."""

    def write(self, part: bytes | bytearray) -> None:
        """Take the next part, for good."""


def bare_etag(etag: str) -> str:
    """Without its quotes: Amazon takes both in a conditional write, Ceph up to 17 only this."""
    return etag.strip('"')
