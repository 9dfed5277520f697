"""The pipeline of the documents, and one that fails; ``ran`` says which steps have run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from stacks import pipeline, step

ran: list[str] = []


@dataclass
class Model:
    """What a training makes."""

    weights: list[float]


@step
def load() -> list[int]:
    """Two numbers."""
    ran.append("load")
    return [1, 2]


@step
def train(data: list[int], rate: float = 0.1) -> Annotated[Model, "my_model"]:
    """A model of them."""
    ran.append(f"train {rate}")
    return Model([rate * one for one in data])


@step
def split(data: list[int]) -> tuple[Annotated[int, "first"], Annotated[list[int], "rest"]]:
    """Two outputs by name."""
    return data[0], data[1:]


@pipeline
def training_pipeline(rate: float = 0.1) -> None:
    """The example of the documents."""
    train(load(), rate=rate)


@step
def explode(data: list[int]) -> int:
    """Fails."""
    ran.append("explode")
    raise ZeroDivisionError(f"no model of {data}")


@pipeline
def failing_pipeline() -> None:
    """Fails in the middle."""
    data = load()
    explode(data)
    train(data)


def outputs_of(declared: Any, value: Any) -> dict[str, Any]:
    """What a step that declares this and returns that has as outputs."""

    def made() -> Any:
        return value

    made.__annotations__["return"] = declared

    @pipeline
    def one_step() -> None:
        step(enable_cache=False)(made)()

    run = one_step()
    return {name: version.load() for name, version in run.steps["made"].outputs.items()}
