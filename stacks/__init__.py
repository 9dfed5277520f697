"""The runtime library: artifact stores with short-lived credentials, through what was provisioned.

Names are imported when they are first used, so that ``import stacks`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import stacks.fileio as fileio
    from stacks.artifacts import ArtifactVersion, PipelineRun, StepRun
    from stacks.client import Client
    from stacks.errors import StacksError
    from stacks.materializers import BaseMaterializer
    from stacks.pipelines import ArtifactConfig, load_artifact, pipeline, save_artifact, step
    from stacks.stack import Stack
    from stacks.state import StateFile
    from stacks.stores.base import BaseArtifactStore

__all__ = [
    "ArtifactConfig",
    "ArtifactVersion",
    "BaseArtifactStore",
    "BaseMaterializer",
    "Client",
    "PipelineRun",
    "Stack",
    "StacksError",
    "StateFile",
    "StepRun",
    "fileio",
    "load_artifact",
    "pipeline",
    "save_artifact",
    "step",
]

_HOMES = {
    "ArtifactConfig": "stacks.pipelines",
    "ArtifactVersion": "stacks.artifacts",
    "BaseArtifactStore": "stacks.stores.base",
    "BaseMaterializer": "stacks.materializers",
    "PipelineRun": "stacks.artifacts",
    "StepRun": "stacks.artifacts",
    "load_artifact": "stacks.pipelines",
    "pipeline": "stacks.pipelines",
    "save_artifact": "stacks.pipelines",
    "step": "stacks.pipelines",
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
