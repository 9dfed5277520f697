"""All artifacts of one store into another: verified by digest, and gone on with where it was cut off."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from stacks.errors import StoreServiceError
from stacks.stores.base import COPY_BLOCK, BaseArtifactStore
from stacks.stores.parallel import batches, run_all

logger = logging.getLogger(__name__)

_BATCH = 1000  # files between two reports at the most; their names are all that is held in memory


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: files and bytes copied and proven, files that were there already, files seen so far."""

    copied: int = 0
    copied_bytes: int = 0
    present: int = 0

    @property
    def files(self) -> int:
        """All files that are the same in both stores now."""
        return self.copied + self.present


def migrate(
    source: BaseArtifactStore,
    target: BaseArtifactStore,
    *,
    overwrite: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Copies every file of ``source`` to the same place below ``target``; the source stays as it is.

    What was copied is read back, and its SHA-256 compared with what was read. A file that is there already
    with the same content is left, so that a run that was cut off goes on when it is started again; one that
    differs is refused unless ``overwrite``. ``on_progress`` is called from several threads, one at a time.

    Raises:
        FileExistsError: the target has another file of that name, and ``overwrite`` was not asked for.
        StoreServiceError: a service gave back something else than was written; the bad copy was removed.
        ValueError: one store lies within the other.
    """
    here, there = f"{source.path.rstrip('/')}/", f"{target.path.rstrip('/')}/"
    if here.startswith(there) or there.startswith(here):
        raise ValueError(f"{source.path} and {target.path} lie within each other")
    lock = threading.Lock()
    done = Progress()

    def move(path: str) -> None:
        nonlocal done
        copied = _move(source, path, target, there + path[len(here) :], overwrite=overwrite)
        with lock:
            if copied is None:
                done = Progress(done.copied, done.copied_bytes, done.present + 1)
            else:
                done = Progress(done.copied + 1, done.copied_bytes + copied, done.present)
            on_progress(done)

    for some in batches(_files(source), _BATCH):
        run_all(move, some, workers=min(source.WORKERS, target.WORKERS))
    return done


def _files(store: BaseArtifactStore) -> Iterator[str]:
    for directory, _, names in store.walk(store.path):
        yield from (f"{directory.rstrip('/')}/{name}" for name in names)


def _move(
    source: BaseArtifactStore, path: str, target: BaseArtifactStore, into: str, *, overwrite: bool
) -> int | None:
    """The bytes copied, or None when the target had the very same file."""
    if target.exists(into):
        if not target.isdir(into) and target.size(into) == source.size(path):
            with source.open(path, "rb") as one, target.open(into, "rb") as other:
                if _digest(one)[0] == _digest(other)[0]:
                    return None
        if not overwrite:
            raise FileExistsError(17, "The target has another file of that name", into)
    with source.open(path, "rb") as reader, target.open(into, "wb" if overwrite else "xb") as writer:
        written, size = _digest(reader, writer)
    with target.open(into, "rb") as reader:
        found, _ = _digest(reader)
    if found != written:
        target.remove(into)
        raise StoreServiceError(
            f"{into} does not read as it was written",
            hint="the bad copy was removed; look at what stands between this machine and the service, then "
            "start it again: it goes on where it was",
            store=target.name or None,
            operation="migrate",
            path=into,
        )
    return size


def _digest(reader: IO[Any], writer: IO[Any] | None = None) -> tuple[str, int]:
    """The SHA-256 of what ``reader`` has left, and its size; written to ``writer`` on the way."""
    digest, size = hashlib.sha256(), 0
    while block := reader.read(COPY_BLOCK):
        digest.update(block)
        size += len(block)
        if writer is not None:
            writer.write(block)
    return digest.hexdigest(), size
