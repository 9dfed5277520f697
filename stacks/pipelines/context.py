"""The step that runs here, for what is saved in the middle of it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from stacks.artifacts import History
from stacks.artifacts.records import Ref


@dataclass(slots=True)
class StepContext:
    """A step of a run at work, and what it has saved besides its outputs."""

    history: History
    pipeline: str
    run: str
    step: str
    saved: dict[str, Ref] = field(default_factory=dict)


running: ContextVar[StepContext | None] = ContextVar("stacks_step_at_work", default=None)
