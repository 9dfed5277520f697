"""Files that a user names for what we write: what the system says of them is an error of the command line."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from provisioner.errors import InputError

_FULL = "make room there and try again, or name another place"
_HINTS: Mapping[int, str] = MappingProxyType(
    {
        errno.EEXIST: "name a file that is not there yet",
        errno.EISDIR: "that is a folder: name a file in it",
        errno.ENOENT: "make its folder first, or name another place",
        errno.ENOTDIR: "what should be its folder is a file: name another place",
        errno.ENAMETOOLONG: "name a shorter one",
        errno.EROFS: "the file system is read-only: name another place",
        errno.ENOSPC: _FULL,
        errno.EDQUOT: _FULL,
    }
)
_OTHERWISE = "check the owner and the mode of the file and of its folder, or name another place"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises :class:`InputError`, with a next step, for an OSError of what is done within it."""
    with _named(path, "written"):
        yield


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """The same where something is only looked at."""
    with _named(path, "read"):
        yield


def write_output(path: Path, text: str) -> None:
    """Make ``path`` hold ``text``; its folder is made. Raises :class:`InputError`."""
    with writing(path):
        make_folder(path.parent)
        path.write_text(text, encoding="utf-8")


def check_output(path: Path) -> None:
    """Raises :class:`InputError` for a file that could not be written now.

    Its folder is made. Nothing else is left of the attempt, and what is there stays as it is.
    """
    with writing(path):
        make_folder(path.parent)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if path.is_file():
            os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
        elif not path.exists():  # to open a pipe or a device may already mean something to others
            _try_to_write(Path(os.path.realpath(path)).parent)


def check_folder(folder: Path) -> None:
    """Raises :class:`InputError` where no file could be made in ``folder``."""
    with writing(folder):
        _try_to_write(folder)


def make_folder(folder: Path) -> None:
    """Make it, and those above it. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # what is there is no folder
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def _try_to_write(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"a full disk takes a file, but nothing in it")


@contextmanager
def _named(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename not in {None, path, str(path)} else ""
        raise InputError(
            f"{path} cannot be {verb}: {error.strerror or error}{where}",
            hint=_HINTS.get(error.errno or 0, _OTHERWISE),
        ) from error
