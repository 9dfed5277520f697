"""Pipelines: what runs, what is recorded, and what happens when a step fails."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from sample_pipeline import Model, explode, failing_pipeline, load, ran, split, train, training_pipeline
from workshop import Workshop

from stacks import Client, pipeline, step
from stacks.errors import (
    ArtifactNotFoundError,
    MaterializerError,
    PipelineError,
    RunExistsError,
    UnknownComponentError,
)


def test_the_example_of_the_documents(workshop: Workshop) -> None:
    training_pipeline.with_options(run_name="run_name")()

    client = Client()
    artifact = client.get_artifact_version("my_model", version="1")
    assert artifact.load() == Model([0.1, 0.2])
    run = client.get_pipeline_run("training_pipeline", "run_name")
    assert run.steps["train"].outputs == {"my_model": artifact}
    assert artifact.producer_step is not None
    assert (artifact.producer_step.name, artifact.run and artifact.run.id) == ("train", run.id)
    assert run.steps["train"].inputs["data"] == run.steps["load"].output
    assert run.steps["load"].output.used_by()[0].name == "train"
    assert workshop.files() == [
        "training_pipeline/load/training_pipeline::load::output/1/data.json",
        "training_pipeline/train/my_model/1/data.json",
    ]


def test_a_run_knows_how_it_was(workshop: Workshop) -> None:
    begun = datetime.now(UTC)

    run = training_pipeline.with_options(tags=["nightly"])(rate=0.5)

    assert run.status == "completed"
    assert run.name.startswith(f"training_pipeline-{begun:%Y_%m_%d}-")
    assert begun <= run.created <= (run.ended or begun) <= datetime.now(UTC)
    assert (run.duration or timedelta.max) < timedelta(seconds=60)
    assert (run.parameters, run.tags, run.record.stack) == ({"rate": 0.5}, ("nightly",), "here")
    assert run.steps["train"].parameters == {"rate": 0.5}
    assert Client().get_pipeline_run("training_pipeline").record == run.record
    assert Client().get_pipeline_run(run.name).id == run.id  # a name alone will do
    assert Client().get_pipeline_run("training_pipeline", run.id).name == run.name


@dataclass
class Login:
    """A secret within a value."""

    user: str
    password: str


def test_what_is_called_like_a_secret_is_in_no_file_of_the_store(workshop: Workshop) -> None:
    @step
    def fetch(api_key: str, login: Login, more: dict[str, Any], key: str) -> int:
        return len(api_key) + len(login.password)

    @pipeline
    def p(token: str) -> None:
        fetch(token, Login("me", "canary-2"), {"deep": [{"secret": "canary-3"}], "n": 1}, "column")

    run = p("canary-1")

    assert run.steps["fetch"].output.load() == 16  # the step itself has them
    assert run.parameters == {"token": "********"}
    parameters = run.steps["fetch"].parameters
    assert (parameters["api_key"], parameters["key"], parameters["more"]["n"]) == ("********", "column", 1)
    texts = [path.read_text() for path in workshop.root.rglob("*") if path.is_file()]
    assert not any("canary" in text for text in texts)


def test_outside_of_a_pipeline_a_step_is_its_function(workshop: Workshop) -> None:
    assert train([1], rate=2) == Model([2])
    assert split([1, 2, 3]) == (1, [2, 3])
    assert train.__name__ == "train"
    assert train.__doc__ == "A model of them."
    assert workshop.files() == []


def test_a_step_that_fails_ends_the_run(workshop: Workshop) -> None:
    with pytest.raises(ZeroDivisionError, match=r"no model of \[1, 2\]") as caught:
        failing_pipeline()

    run = workshop.client.get_pipeline_run("failing_pipeline")
    assert caught.value.__notes__ == [f"in the step explode of the run {run.name}"]
    assert ran == ["load", "explode"]
    assert {name: one.status for name, one in run.steps.items()} == {
        "load": "completed", "explode": "failed", "train": "pending",
    }  # fmt: skip
    assert run.status == "failed"
    assert run.error == run.steps["explode"].error
    assert (run.error and run.error.type, run.error and run.error.message) == (
        "ZeroDivisionError",
        "no model of [1, 2]",
    )

    with pytest.raises(ZeroDivisionError):
        failing_pipeline()
    assert ran == ["load", "explode", "explode"]  # what succeeded is not done again


def test_an_interrupted_run_is_stopped(workshop: Workshop) -> None:
    @step
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(name="p")(interrupted)()

    assert workshop.client.get_pipeline_run("p").status == "stopped"
    assert workshop.client.get_pipeline_run("p").steps["interrupted"].status == "stopped"


def test_an_output_that_cannot_be_stored_fails_the_step_and_leaves_nothing(workshop: Workshop) -> None:
    @step
    def lock() -> tuple[Annotated[int, "fine"], Annotated[Any, "lock"]]:
        return 1, threading.Lock()

    with pytest.raises(MaterializerError, match="lock cannot be stored"):
        pipeline(name="p")(lock)()

    assert workshop.client.get_pipeline_run("p").status == "failed"
    assert [one for one in workshop.files() if "/lock/" in one.removeprefix("p/lock")] == []


def test_hooks_are_called_for_steps_and_runs(workshop: Workshop) -> None:
    said: list[str] = []
    done = load.with_options(on_success=lambda: said.append("step done"))
    fails = explode.with_options(on_failure=lambda error: said.append(f"step: {type(error).__name__}"))

    pipeline(name="good", on_success=lambda: said.append("run done"))(done)()
    with pytest.raises(ZeroDivisionError):
        pipeline(name="bad", on_failure=lambda error: said.append(f"run: {error}"))(lambda: fails([3]))()

    assert said == ["step done", "run done", "step: ZeroDivisionError", "run: no model of [3]"]


def test_a_hook_that_fails_and_a_store_that_goes_hide_no_error(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    @step
    def last() -> None:
        shutil.rmtree(workshop.root)
        workshop.root.write_text("no folder any more")
        raise ZeroDivisionError("what really happened")

    def hook(error: BaseException) -> None:
        raise KeyError("in the hook")

    with pytest.raises(ZeroDivisionError, match="what really happened"):
        pipeline(name="p", on_failure=hook)(last)()

    assert "the hook on_failure failed itself" in caplog.text
    assert "has failed is not recorded" in caplog.text


def test_a_run_name_is_taken_once(workshop: Workshop) -> None:
    named = training_pipeline.with_options(run_name="mine")
    named()

    with pytest.raises(RunExistsError, match="has a run mine already"):
        named()
    assert workshop.client.list_pipeline_runs().total == 1

    dated = training_pipeline.with_options(run_name="at {date} {time}")
    assert dated().name != dated().name


def test_what_the_stack_cannot_do_is_told(workshop: Workshop) -> None:
    workshop.client.register_stack("far", "disk", "kubeflow", activate=True)
    with pytest.raises(PipelineError, match="the orchestrator 'kubeflow', which is not there"):
        training_pipeline()

    workshop.client.set_active_stack("here")
    workshop.client.delete_stack("far")
    with pytest.raises(ArtifactNotFoundError, match="has no runs of a pipeline training_pipeline"):
        workshop.client.get_pipeline_run("training_pipeline")


def test_without_a_stack_the_error_says_what_to_do(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACKS_STATE", str(tmp_path / "state.json"))

    with pytest.raises(UnknownComponentError, match="no stack is active"):
        training_pipeline()
