"""Files' modes count for a test, whoever runs it."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# linux/capability.h: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, and the version of the calls below.
_ABOVE_MODES = 1 << 1 | 1 << 2 | 1 << 3
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Words(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def modes_count() -> Iterator[None]:
    """Within it, root is held to the modes of files as every user is: in this thread, and in those it starts.

    The capabilities that put root above them are laid down and taken up again. Programs that are started
    meanwhile have them still.
    """
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root is above the modes of files here, and only Linux lets it step down")
    libc = ctypes.CDLL(None, use_errno=True)
    header = _Header(_VERSION_3, 0)
    words = (_Words * 2)()

    def call(name: str) -> None:
        if getattr(libc, name)(ctypes.byref(header), words) != 0:
            raise OSError(ctypes.get_errno(), name)

    call("capget")
    before = words[0].effective
    words[0].effective = before & ~_ABOVE_MODES
    call("capset")
    try:
        yield
    finally:
        words[0].effective = before
        call("capset")


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """``path`` with other bits for a while, and held to them: afterwards it can be tidied away."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        with modes_count():
            yield
    finally:
        path.chmod(before)
