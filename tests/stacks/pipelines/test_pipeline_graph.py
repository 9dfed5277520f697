"""Putting a pipeline together: what can be given to steps, and what is told before anything runs."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

import pytest
from sample_pipeline import (
    Model,
    load,
    outputs_of,
    ran,
    split,
    train,
    training_pipeline,
)
from workshop import Workshop

from stacks import ArtifactConfig, Client, load_artifact, pipeline, save_artifact, step
from stacks.errors import (
    InvalidNameError,
    PipelineError,
)


def test_a_step_that_is_called_again_has_a_number(workshop: Workshop) -> None:
    @pipeline
    def twice() -> None:
        data = load()
        train(data)
        train(data, rate=0.2)
        train(data, rate=0.3, id="last", after=["train_2"])

    run = twice()

    assert list(run.steps) == ["load", "train", "train_2", "last"]
    assert run.steps["last"].record.after == ("train_2",)
    assert ran == ["load", "train 0.1", "train 0.2", "train 0.3"]
    assert workshop.files("twice/last") == ["twice/last/my_model/3/data.json"]


def test_outputs_may_be_given_in_lists_tuples_and_mappings(workshop: Workshop) -> None:
    @step
    def merge(parts: list[Any], named: dict[str, Any]) -> list[Any]:
        return [parts, named]

    @pipeline
    def fan_in() -> None:
        first, rest = split(load())
        merge([first, (rest, 7)], {"first": first, "n": {"deep": [rest]}})

    run = fan_in()

    assert run.steps["merge"].output.load() == [[1, ([2], 7)], {"first": 1, "n": {"deep": [[2]]}}]
    assert list(run.steps["merge"].inputs) == [
        "parts[0]", "parts[1][0]", "named['first']", "named['n']['deep'][0]",
    ]  # fmt: skip


def test_an_artifact_of_the_store_can_be_given_to_a_step(workshop: Workshop) -> None:
    data = save_artifact([5], "data")

    @pipeline
    def from_store() -> None:
        train(Client().get_artifact_version("data"))

    run = from_store()

    assert run.steps["train"].output.load() == Model([0.5])
    assert run.steps["train"].inputs == {"data": data}
    assert [one.run.name for one in data.used_by()] == [run.name]


def test_a_pipeline_within_another_adds_its_steps(workshop: Workshop) -> None:
    @pipeline
    def outer() -> None:
        training_pipeline(rate=0.3)
        load()

    assert list(outer().steps) == ["load", "train", "load_2"]


def test_parameters_of_steps_and_pipelines_have_defaults_options_and_arguments(workshop: Workshop) -> None:
    quick = train.with_options(parameters={"rate": 0.7})

    @pipeline(parameters={"own": 0.9})
    def many(own: float) -> None:
        data = load()
        quick(data)
        quick(data, rate=0.8)
        quick(data, own)

    run = many()

    assert [one.parameters.get("rate") for one in run.steps.values()] == [None, 0.7, 0.8, 0.9]
    assert run.parameters == {"own": 0.9}


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: list(load()), "has no value while the pipeline is put together"),
        (lambda: train(load()) if load() > 1 else None, "has no value"),
        (lambda: train(object()), "data of the step train is a object"),
        (train, "missing a required argument: 'data'"),
        (lambda: train(load(), speed=1), "unexpected keyword argument 'speed'"),
        (lambda: (load(id="a"), load(id="a")), "two steps 'a'"),
        (lambda: load(after=["nothing"]), "'nothing', which is no earlier step"),
        (lambda: None, "calls no step"),
    ],
)
def test_mistakes_in_a_pipeline_are_told_before_anything_runs(
    workshop: Workshop, mistake: Any, message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        pipeline(name="wrong")(mistake)()

    assert ran == []
    assert workshop.client.list_pipeline_runs().total == 0


def test_an_output_of_another_run_is_refused(workshop: Workshop) -> None:
    kept: list[Any] = []
    pipeline(name="one")(lambda: kept.append(load()))()

    with pytest.raises(PipelineError, match="a step of another run"):
        pipeline(name="two")(lambda: train(kept[0]))()


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "a\\b", ".hidden", " a", "a.", "a\nb", "x" * 201, "a*", "\ud800"]
)
def test_names_that_cannot_be_folders_are_refused(workshop: Workshop, name: str) -> None:
    with pytest.raises(InvalidNameError):
        step(name=name or "..")(lambda: 1)
    with pytest.raises(InvalidNameError):
        pipeline(name=name or "..")(load)
    with pytest.raises(InvalidNameError):
        training_pipeline.with_options(run_name=name or "..")()
    with pytest.raises(InvalidNameError):
        outputs_of(Annotated[int, ArtifactConfig(name=name)], 1)
    with pytest.raises(InvalidNameError):
        save_artifact(1, name)
    assert workshop.files() == []


def test_names_of_any_script_are_fine(workshop: Workshop) -> None:
    names = ["modèle", "模型", "mo de.l-1@x", "🙂", "e\u0301"]

    for name in names:
        assert outputs_of(Annotated[int, name], 3) == {unicodedata.normalize("NFC", name): 3}
    assert load_artifact("\u00e9") == load_artifact("e\u0301") == 3  # however it is typed


@pytest.mark.parametrize("options", [{"cash": True}, {"output_materializers": int}])
def test_options_that_there_are_not_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(PipelineError):
        train.with_options(**options)
    with pytest.raises(PipelineError, match="a pipeline has no option"):
        training_pipeline.with_options(**options)


def test_coroutines_and_generators_are_no_steps() -> None:
    with pytest.raises(PipelineError, match="coroutine or a generator"):

        @step
        def produce() -> Any:
            yield 1
