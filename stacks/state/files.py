"""Private files: read without following symlinks, replaced whole or not at all, one writer at a time.

A reader sees the old file or the new one, whenever the writer or the machine dies: a new file is written
beside the old one, reaches the disk, and takes its name in one step.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import secrets
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from stacks.errors import StateError, StateLockedError

logger = logging.getLogger(__name__)

MAX_BYTES = 256 * 1024 * 1024
"""More than this is no state file and no secret store; reading it would only fill the memory."""

_TELL_AFTER = 1.0  # seconds of waiting before we say whom we wait for


def make_private_folder(folder: Path) -> None:
    """Makes ``folder`` and its parents, each 0700; folders that are there are left as they are."""
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
    except OSError as error:
        raise StateError(
            f"cannot make the folder {folder}: {error.strerror}",
            hint="make it yourself, or name another place in STACKS_STATE",
            location=str(folder),
        ) from error


def read_private(path: Path) -> bytes | None:
    """The content of ``path``, or None when there is no such file.

    Raises StateError for a symlink, for what is no regular file, and for what may not be read.
    """
    try:
        # O_NONBLOCK: opening a FIFO that somebody put there must not wait for its writer.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error) from error
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            raise StateError(
                f"{path} is not a regular file of at most {MAX_BYTES >> 20} MiB",
                hint="move it away, or name another file",
                location=str(path),
            )
        try:
            return file.read()
        except OSError as error:
            raise _cannot("read", path, error) from error


def write_private(path: Path, content: bytes, *, keep_previous: bool = False) -> None:
    """Puts ``content`` in the place of ``path``, mode 0600, on the disk when this returns.

    The caller holds the lock of ``path``. ``keep_previous`` leaves what was there as ``<name>.previous``.
    Raises StateError; the old file is untouched then.
    """
    _refuse_symlink(path)
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        _write_synced(temporary, content)
        if keep_previous:
            _keep_previous(path)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _cannot("write", path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Holds the lock of ``path``: the file ``<name>.lock`` beside it, which stays.

    Raises StateLockedError after ``timeout`` seconds, naming who holds it and since when.
    """
    lock = path.with_name(f"{path.name}.lock")
    make_private_folder(path.parent)
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _cannot("lock", path, error) from error
    try:
        _acquire(handle, path, timeout)
        _write_holder(handle)
        yield
        os.ftruncate(handle, 0)
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # a child forked meanwhile has the handle too, and keeps it open
        os.close(handle)


def _acquire(handle: int, path: Path, timeout: float) -> None:
    begun = time.monotonic()
    pause, told = 0.001, False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES, errno.EINTR}:
                raise _cannot("lock", path, error) from error
        else:
            return
        waited = time.monotonic() - begun
        if waited > timeout:
            raise StateLockedError(
                f"{path} is locked by {_holder(handle)}; gave up after {timeout:.0f} s",
                hint="wait until that has ended; a lock ends with the process that holds it",
                location=str(path),
            )
        if waited > _TELL_AFTER and not told:
            logger.warning("waiting for %s, which is locked by %s", path, _holder(handle))
            told = True
        # Drawn by chance, so that many waiting writers do not knock in step.
        time.sleep(pause * (0.5 + secrets.randbelow(1000) / 1000))
        pause = min(pause * 1.5, 0.05)


def _write_holder(handle: int) -> None:
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(holder).encode(), 0)


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return f"process {int(holder['pid'])} on {holder['host']!s} since {holder['since']!s}"
    except (ValueError, KeyError, TypeError):
        return "another process"  # it has just taken the lock, or just let go


def _write_synced(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _keep_previous(path: Path) -> None:
    previous = path.with_name(f"{path.name}.previous")
    link = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    # Not every file system has hard links; the copy is a courtesy, the write must not fail for it.
    with suppress(OSError):
        os.link(path, link)
        link.replace(previous)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(path: Path) -> None:
    """Removes what a writer that was killed left behind; we hold the lock, so nobody is writing."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)


def _refuse_symlink(path: Path) -> None:
    if path.is_symlink():
        raise _cannot("write", path, OSError(errno.ELOOP, os.strerror(errno.ELOOP)))


def _cannot(verb: str, path: Path, error: OSError) -> StateError:
    if error.errno == errno.ELOOP:
        return StateError(
            f"{path} is a symlink, and symlinks are not followed",
            hint="name the file that it points to, for example in STACKS_STATE",
            location=str(path),
        )
    hints = {
        errno.ENOSPC: "the disk is full: make room and try again",
        errno.EDQUOT: "the disk quota is used up: make room and try again",
        errno.EROFS: "the file system is read-only: name another place in STACKS_STATE",
    }
    return StateError(
        f"cannot {verb} {path}: {error.strerror}",
        hint=hints.get(error.errno or 0, "check the owner and the mode of the file and of its folder"),
        location=str(path),
    )
