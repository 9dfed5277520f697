"""A stack: what a pipeline runs on and where its artifacts go."""

from __future__ import annotations

from dataclasses import dataclass

from stacks.stores.base import BaseArtifactStore


@dataclass(frozen=True, slots=True)
class Stack:
    """A registered stack, with its artifact store ready for use and the name of its orchestrator."""

    name: str
    artifact_store: BaseArtifactStore
    orchestrator: str = "default"
