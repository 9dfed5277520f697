"""The runtime library: artifact stores with short-lived credentials, through what was provisioned.

Names are imported when they are first used, so that ``import stacks`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import stacks.fileio as fileio
    from stacks.client import Client
    from stacks.errors import StacksError
    from stacks.stack import Stack
    from stacks.state import StateFile
    from stacks.stores.base import BaseArtifactStore

__all__ = ["BaseArtifactStore", "Client", "Stack", "StacksError", "StateFile", "fileio"]

_HOMES = {
    "BaseArtifactStore": "stacks.stores.base",
    "Client": "stacks.client",
    "StacksError": "stacks.errors",
    "Stack": "stacks.stack",
    "StateFile": "stacks.state",
}


def __getattr__(name: str) -> object:
    if name == "fileio":
        return importlib.import_module("stacks.fileio")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'stacks' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value  # the next use finds it without asking here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
