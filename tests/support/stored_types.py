"""Types that the tests of materializers store, and what becomes of a value."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, Flag, IntEnum
from typing import Any

import pydantic

from stacks import save_artifact


class Colour(Enum):
    """A plain enum."""

    RED = "r"
    BLUE = "b"


class Level(IntEnum):
    """An enum whose members are numbers, and must not come back as such."""

    LOW = 1


class Rights(Flag):
    """An enum whose members combine."""

    READ = 1
    WRITE = 2


@dataclass
class Point:
    """A plain dataclass."""

    x: float
    y: float
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Frozen:
    """One that cannot be written to, and has no dictionary."""

    inner: Point
    when: datetime


class Config(pydantic.BaseModel):
    """A pydantic model."""

    name: str
    limits: dict[str, float] = {}
    inner: Config | None = None


class Lossy(pydantic.BaseModel):
    """A model whose own JSON does not give it back."""

    value: Any = None


class Plain:
    """A class that nothing knows: only cloudpickle takes it."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other.value == self.value

    __hash__ = object.__hash__


Pair = collections.namedtuple("Pair", "one two")  # noqa: PYI024 - the kind without types is stored, too


def stored(value: Any) -> tuple[Any, str]:
    """What comes back of a value, and who stored it."""
    version = save_artifact(value, "value")
    return version.load(), version.materializer
