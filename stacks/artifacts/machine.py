"""Which process a record is from, and whether that process can still be there."""

from __future__ import annotations

import getpass
import os
import platform
from functools import lru_cache
from pathlib import Path


def this_process() -> str:
    """This process, in a form that no other one ever has: machine, boot, number, time of its start."""
    return _own(os.getpid())


def host() -> str:
    """The name of this machine."""
    return platform.node()


def user() -> str:
    """The name of the user; empty where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def is_gone(process: str) -> bool | None:
    """Whether a process has ended. None where that cannot be known: on another machine, or container."""
    machine, _, rest = process.rpartition("/")[0].rpartition("/")
    if machine != _machine():
        return None
    if not rest.isdecimal():
        return None
    number = int(rest)
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it is there, and another user's
    return _started(number) != process.rpartition("/")[2]


@lru_cache(maxsize=4)
def _own(number: int) -> str:
    return f"{_machine()}/{number}/{_started(number)}"


@lru_cache(maxsize=1)
def _machine() -> str:
    """Two containers may have one name; process numbers start anew with every boot and in each of them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        boot = space = ""
    return f"{platform.node()}/{boot}/{space}"


def _started(number: int) -> str:
    """When a process started, in the kernel's ticks since boot; empty where there is no /proc."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
