"""A file on its way to the local disk: complete under its name, or not there at all."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat as stat_module
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stacks.stores.types import Condition

TEMPORARY = ".stacks-tmp-"
"""How names begin that listings do not show: of files that are being written."""

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class LocalUpload:
    """A file under a name that listings do not show, until it is published.

    It takes the place, and the owner and mode, of the file at ``target``, where there is one (``found``).
    What is no regular file (a device, a pipe) is never replaced: that is written to as it is.
    ``check`` raises when the condition does not hold, ``refuse`` what it means that ``target`` is taken.
    """

    def __init__(
        self,
        target: str,
        found: os.stat_result | None,
        condition: Condition,
        check: Callable[[], None],
        refuse: Callable[[type[OSError]], object],
        *,
        mode: int = 0o666,
    ) -> None:
        self._target, self._condition, self._check, self._refuse = target, condition, check, refuse
        self._name: str | None = None
        flags = os.O_WRONLY | os.O_CLOEXEC
        if found is not None and not stat_module.S_ISREG(found.st_mode):
            if condition.absent:
                refuse(FileExistsError)
            handle = os.open(target, flags | os.O_NOCTTY)
        else:
            self._name = f"{os.path.dirname(target)}/{TEMPORARY}{secrets.token_hex(8)}"
            mode = mode if found is None else found.st_mode & 0o777  # or others could read it meanwhile
            handle = os.open(self._name, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        self.file: IO[bytes] = os.fdopen(handle, "wb", buffering=0)

    def write(self, part: bytes) -> None:
        view = memoryview(part)
        while view:
            view = view[os.write(self.file.fileno(), view) :]

    def complete(self) -> None:
        self.publish()

    def publish(self) -> str | None:
        """Put the file in its place; its etag, if it has one."""
        if self._name is None:
            self.file.close()
            return None
        # A filesystem's own clock ticks every few milliseconds; etags need two writes in a row to differ.
        os.utime(self.file.fileno(), ns=(now := time.time_ns(), now))
        etag = etag_of(os.fstat(self.file.fileno()))
        with locked(os.path.dirname(self._target)):
            self._check()
            with suppress(FileNotFoundError):
                take_owner_and_mode(self.file.fileno(), os.stat(self._target))
            self.file.close()
            try:
                self._place(self._name)
            except IsADirectoryError:
                self._refuse(IsADirectoryError)
        return etag

    def _place(self, name: str) -> None:
        if self._condition.absent:
            try:  # other programs do not heed the lock, but nobody can link over a file
                os.link(name, self._target)
            except FileExistsError:
                self._refuse(FileExistsError)
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
            else:
                os.unlink(name)
                return
        os.replace(name, self._target)

    def abort(self) -> None:
        self.file.close()
        if self._name is not None:
            Path(self._name).unlink(missing_ok=True)


def take_owner_and_mode(handle: int, of: os.stat_result) -> None:
    """Give an open file the owner, group and permissions of another, as far as this user may."""
    mine = os.fstat(handle)
    mode = of.st_mode & 0o777
    if mine.st_gid != of.st_gid:
        try:
            os.fchown(handle, -1, of.st_gid)
        except OSError:
            mode &= ~0o070  # they were another group's
    if mine.st_uid != of.st_uid:
        with suppress(OSError):
            os.fchown(handle, of.st_uid, -1)
    if stat_module.S_IMODE(mine.st_mode) != mode:
        os.fchmod(handle, mode)


@contextmanager
def locked(directory: str) -> Iterator[None]:
    """Alone among this library's writers, in every process, in changing the names of a directory."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # a child forked meanwhile has the handle too, and keeps it open
        os.close(handle)


def etag_of(found: os.stat_result) -> str:
    """What changes with every write of a file."""
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
