"""A training pipeline on whatever stack is active: run it twice, and the second run has nothing left to do.

python examples/pipeline.py [RATE]
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from typing import Annotated

from stacks import Client, pipeline, step


@dataclass(frozen=True)
class Model:
    """A line through the data: ``y = slope * x + start``."""

    slope: float
    start: float


@step
def load_data(samples: int = 200) -> list[tuple[float, float]]:
    """Points around ``y = 3x + 1``."""
    source = random.Random(7)
    return [(x, 3 * x + 1 + source.gauss(0, 0.1)) for x in (source.random() for _ in range(samples))]


@step
def split(
    data: list[tuple[float, float]],
) -> tuple[
    Annotated[list[tuple[float, float]], "train_set"], Annotated[list[tuple[float, float]], "test_set"]
]:
    """Four fifths to learn from, one fifth to measure with."""
    border = len(data) * 4 // 5
    return data[:border], data[border:]


@step
def train(
    data: list[tuple[float, float]], rate: float = 0.5, rounds: int = 300
) -> Annotated[Model, "my_model"]:
    """Gradient descent."""
    slope = start = 0.0
    for _ in range(rounds):
        errors = [(slope * x + start - y, x) for x, y in data]
        slope -= rate * sum(error * x for error, x in errors) / len(data)
        start -= rate * sum(error for error, _ in errors) / len(data)
    return Model(slope, start)


@step
def evaluate(model: Model, data: list[tuple[float, float]]) -> Annotated[float, "mean_error"]:
    """How far off it is, in the mean."""
    return sum(abs(model.slope * x + model.start - y) for x, y in data) / len(data)


@pipeline
def training_pipeline(rate: float = 0.5) -> None:
    """All of it."""
    learn, measure = split(load_data())
    evaluate(train(learn, rate=rate), measure)


def main() -> None:
    """Run it, and follow the result back to where it came from."""
    run = training_pipeline(rate=float(sys.argv[1]) if len(sys.argv) > 1 else 0.5)
    for step_run in run.steps.values():
        print(f"{step_run.name}: {step_run.status}")

    client = Client()
    model = client.get_artifact_version("my_model")
    print(f"my_model version {model.version}: {model.load()}")
    print(f"mean error: {run.steps['evaluate'].output.load():.3f}")
    made_by = model.producer_step
    if made_by is not None:
        print(f"made by the step {made_by.name} of {made_by.run.name}")


if __name__ == "__main__":
    main()
