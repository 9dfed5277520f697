"""Artifacts saved by hand or in the middle of a step, and what steps do to what they are given."""

from __future__ import annotations

from typing import Annotated, Any

from sample_pipeline import load
from workshop import Workshop

from stacks import BaseMaterializer, load_artifact, pipeline, save_artifact, step
from stacks.pipelines.context import running
from stacks.pipelines.here import client


def test_artifacts_can_be_saved_and_loaded_by_hand(workshop: Workshop) -> None:
    version = save_artifact({"a": 1}, "report", tags=["x"], user_metadata={"by": "hand"})
    save_artifact({"a": 2}, "report")

    assert (version.name, version.version, version.run, version.producer_step) == ("report", "1", None, None)
    assert (version.tags, version.metadata["by"]) == (("x",), "hand")
    assert load_artifact("report") == {"a": 2}
    assert load_artifact("report", 1) == {"a": 1}
    assert workshop.files() == ["saved/by_hand/report/1/data.json", "saved/by_hand/report/2/data.json"]


def test_what_a_step_saves_is_an_output_of_it_also_from_the_cache(workshop: Workshop) -> None:
    @step
    def checkpointing() -> Annotated[int, "result"]:
        for epoch in range(2):
            save_artifact({"epoch": epoch}, "checkpoint")
        return 7

    @pipeline
    def p() -> None:
        checkpointing()

    p()
    run = p()

    assert run.steps["checkpointing"].status == "cached"
    outputs = run.steps["checkpointing"].outputs
    assert {name: one.load() for name, one in outputs.items()} == {"result": 7, "checkpoint": {"epoch": 1}}
    assert workshop.files("p/checkpointing/checkpoint") == [
        "p/checkpointing/checkpoint/1/data.json", "p/checkpointing/checkpoint/2/data.json",
    ]  # fmt: skip
    step_run = workshop.client.get_artifact_version("checkpoint", 1).producer_step
    assert step_run is not None
    assert step_run.name == "checkpointing"


class Upper(BaseMaterializer):
    """Text in capitals."""

    def save(self, data: str) -> None:
        with self.artifact_store.open(f"{self.uri}/text", "w") as file:
            file.write(data.upper())

    def load(self, data_type: type[Any]) -> str:
        with self.artifact_store.open(f"{self.uri}/text") as file:
            return str(file.read())


def test_a_step_may_name_its_materializers(workshop: Workshop) -> None:
    @step(output_materializers={"a": Upper})
    def texts() -> tuple[Annotated[str, "a"], Annotated[str, "b"]]:
        return "x", "y"

    run = pipeline(name="p")(texts)()

    assert {name: one.load() for name, one in run.steps["texts"].outputs.items()} == {"a": "X", "b": "y"}


def test_no_step_sees_what_another_does_to_its_inputs(workshop: Workshop) -> None:
    @step
    def spoil(data: list[int]) -> int:
        data.append(99)
        return len(data)

    @pipeline
    def p() -> None:
        data = load()
        spoil(data)
        spoil(data, id="again")

    run = p()

    assert [run.steps[name].output.load() for name in ("spoil", "again")] == [3, 3]


def test_one_store_serves_all_calls_so_that_its_connections_are_kept(workshop: Workshop) -> None:
    made: list[object] = []

    @step(enable_cache=False)
    def look() -> None:
        context = running.get()
        made.append(context.history.store if context else None)

    one_step = pipeline(name="p")(look)
    one_step()
    one_step()

    assert made[0] is made[1] is client().get_artifact_store()
    workshop.client.register_artifact_store("other", "local", path=str(workshop.root.parent / "other"))
    workshop.client.update_stack("here", artifact_store="other")
    one_step()
    assert made[2] is not made[0]  # and a change of the stack counts at once
