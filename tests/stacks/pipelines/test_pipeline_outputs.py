"""What a step's annotation says of its outputs."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from sample_pipeline import (
    Model,
    outputs_of,
    train,
)
from workshop import Workshop

from stacks import ArtifactConfig, pipeline, step
from stacks.errors import (
    PipelineError,
)


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (None, None, {}),
        (int, 1, {"output": 1}),
        (Any, None, {"output": None}),
        (Annotated[int, "n"], 1, {"n": 1}),
        (Annotated[int, "a note", 7], 1, {"a note": 1}),
        (tuple[int, int], (1, 2), {"output": (1, 2)}),
        (tuple[int, ...], (1, 2), {"output": (1, 2)}),
        (Annotated[tuple[int, int], "pair"], (1, 2), {"pair": (1, 2)}),
        (tuple[Annotated[int, "a"], Annotated[int, "b"]], (1, 2), {"a": 1, "b": 2}),
        (tuple[Annotated[int, "a"], int], [1, 2], {"a": 1, "output_1": 2}),
        (tuple[()], (), {"output": ()}),
        (Annotated[int, ArtifactConfig(name="n", tags=["t"])], 1, {"n": 1}),
    ],
)
def test_the_annotation_says_what_the_outputs_are(
    workshop: Workshop, declared: Any, value: Any, expected: dict[str, Any]
) -> None:
    assert outputs_of(declared, value) == expected


def test_a_tuple_that_is_written_as_one_is_several_outputs(workshop: Workshop) -> None:
    @step
    def pair() -> tuple[int, str]:
        return 1, "a"

    @pipeline
    def one_step() -> None:
        number, _ = pair()
        train.with_options(enable_cache=False)([number], id="again")

    run = one_step()

    assert {name: one.load() for name, one in run.steps["pair"].outputs.items()} == {
        "output_0": 1,
        "output_1": "a",
    }
    assert run.steps["again"].output.load() == Model([0.1])


def test_tags_and_metadata_of_an_output_are_recorded(workshop: Workshop) -> None:
    outputs_of(Annotated[list, ArtifactConfig(name="n", tags=["a", "b"], run_metadata={"why": "test"})], [1])

    version = workshop.client.get_artifact_version("n")
    assert version.tags == ("a", "b")
    assert version.metadata == {"length": 1, "why": "test"}


@pytest.mark.parametrize(
    ("declared", "value", "message"),
    [
        (
            tuple[Annotated[int, "a"], Annotated[int, "b"]],
            (1, 2, 3),
            "declares 2 outputs, and returned 3 values",
        ),
        (tuple[Annotated[int, "a"], Annotated[int, "b"]], 1, "declares 2 outputs, and returned a int"),
        (tuple[Annotated[int, "a"], Annotated[int, "a"]], (1, 2), "two outputs 'a'"),
        (None, 1, "declares no output, and returned a int"),
    ],
)
def test_outputs_that_do_not_fit_are_told(
    workshop: Workshop, declared: Any, value: Any, message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        outputs_of(declared, value)


def test_an_annotation_that_cannot_be_evaluated_is_told(workshop: Workshop) -> None:
    @step
    def made() -> Nothing.here:  # type: ignore[name-defined] # noqa: F821 - that is the point
        return 1

    with pytest.raises(PipelineError, match=r"'Nothing\.here' of the step made cannot be evaluated"):
        pipeline(name="p")(made)()


def test_classes_that_the_annotation_cannot_see_do_not_matter(workshop: Workshop) -> None:
    """A class within a function, or one for type checkers alone: what counts is how outputs are called."""

    class Local(list[int]):
        pass

    @step
    def one() -> Local:
        return Local([1])

    @step
    def two() -> tuple[Annotated[Local, "a"], Annotated[OnlyForCheckers, "b"]]:  # type: ignore[name-defined] # noqa: F821
        return Local([1]), 2

    @pipeline
    def p() -> None:
        one()
        two()

    run = p()

    assert {name: list(found.outputs) for name, found in run.steps.items()} == {
        "one": ["output"], "two": ["a", "b"],
    }  # fmt: skip
