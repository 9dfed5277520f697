"""A process that dies in the middle leaves nothing that anyone sees, and nothing that cannot be pruned."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sample_pipeline import training_pipeline
from workshop import Workshop, environment

from stacks import save_artifact
from stacks.artifacts import layout
from stacks.artifacts.pruning import SILENCE

# Says where it is, and waits there to be killed: in a step, or in a materializer that has written half.
PROGRAM = """
import sys, time
from stacks import BaseMaterializer, pipeline, step

class Halfway:
    pass

class HalfwayMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES = (Halfway,)
    def save(self, data):
        for name in ("one", "two"):
            with self.artifact_store.open(f"{self.uri}/{name}", "w") as file:
                file.write(name)
        print("saving", flush=True)
        time.sleep(600)
    def load(self, data_type):
        return None

@step
def fine() -> int:
    return 7

@step
def slow(n: int) -> Halfway:
    if sys.argv[1] == "step":
        print("working", flush=True)
        time.sleep(600)
    return Halfway()

@pipeline
def dying():
    slow(fine())

dying()
"""


def killed(tmp_path: Path, where: str) -> None:
    """Runs the program and kills it there."""
    program = tmp_path / "dying.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, program, where], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)


def age(workshop: Workshop, key: str, **fields: str) -> None:
    """Makes a record look as if it were from another machine, and older than any run goes without a word."""
    path = workshop.root / key
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    stamp = (datetime.now(UTC) - SILENCE - timedelta(hours=1)).timestamp()
    os.utime(path, (stamp, stamp))


def test_a_step_that_is_killed_while_it_stores_leaves_nothing_to_be_seen(
    workshop: Workshop, tmp_path: Path
) -> None:
    killed(tmp_path, "materializer")

    assert len(workshop.files("dying/slow")) == 2  # half an artifact lies there
    assert [one.name for one in workshop.client.list_artifacts()] == ["dying::fine::output"]
    assert workshop.client.get_artifact_version("dying::fine::output").load() == 7
    assert workshop.client.get_pipeline_run("dying").status == "running"

    found = workshop.client.prune_artifacts(dry_run=True)
    assert [(one.name, one.version) for one in found.leftovers] == [("dying::slow::output", 1)]
    assert len(workshop.files("dying/slow")) == 2  # a dry run touches nothing
    assert [one.pipeline for one in found.died] == ["dying"]

    workshop.client.prune_artifacts()
    assert workshop.files("dying/slow") == []
    run = workshop.client.get_pipeline_run("dying")
    assert (run.status, run.error and run.error.type) == ("failed", "Died")
    assert workshop.client.get_artifact_version("dying::fine::output").load() == 7
    assert not workshop.client.prune_artifacts(dry_run=True)


def test_what_was_done_before_is_not_done_again(workshop: Workshop, tmp_path: Path) -> None:
    killed(tmp_path, "step")

    assert not list((workshop.root / "dying").glob("slow/**/*"))
    assert len(list((workshop.root / layout.CACHE).rglob("*.json"))) == 1


def test_a_run_that_is_at_work_loses_nothing(workshop: Workshop, tmp_path: Path) -> None:
    program = tmp_path / "dying.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, program, "materializer"], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "saving"

        assert not workshop.client.prune_artifacts()
        assert len(workshop.files("dying/slow")) == 2
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_a_run_of_another_machine_counts_as_dead_after_a_day_of_silence(
    workshop: Workshop, tmp_path: Path
) -> None:
    killed(tmp_path, "materializer")
    run = workshop.client.get_pipeline_run("dying")
    path = layout.run("dying", run.name)
    elsewhere = "far/boot/1/77/123"
    document = workshop.document(path)
    (workshop.root / path).write_text(json.dumps({**document, "process": elsewhere}))

    assert not workshop.client.prune_artifacts(dry_run=True)  # it may be alive
    age(workshop, path, process=elsewhere)
    assert [one.name for one in workshop.client.prune_artifacts().died] == [run.name]


def test_a_clock_that_is_wrong_makes_no_run_look_dead(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path, "materializer")
    path = layout.run("dying", workshop.client.get_pipeline_run("dying").name)
    (workshop.root / path).write_text(json.dumps({**workshop.document(path), "process": "far/boot/1/77/123"}))
    monkeypatch.setattr("stacks.artifacts.pruning.now", lambda: datetime.now(UTC) + timedelta(days=400))

    assert not workshop.client.prune_artifacts(dry_run=True)


def test_unfinished_artifacts_saved_by_hand_go_when_their_process_has_gone(workshop: Workshop) -> None:
    save_artifact([1], "n")
    (workshop.root / layout.record("n", 1)).unlink()
    assert not workshop.client.prune_artifacts(dry_run=True)  # ours: this process may be about to finish it

    age(workshop, layout.claim("n", 1), process="far/boot/1/77/123")
    assert [one.name for one in workshop.client.prune_artifacts().leftovers] == ["n"]
    assert workshop.files() == []
    assert save_artifact([2], "n").version == "2"


def test_artifacts_of_deleted_runs_go_and_those_that_others_use_stay(workshop: Workshop) -> None:
    first = training_pipeline()
    second = training_pipeline(rate=0.2)
    by_hand = save_artifact(1, "kept")
    workshop.client.delete_pipeline_run("training_pipeline", first.name)

    found = workshop.client.prune_artifacts(dry_run=True)
    assert [(one.name, one.version) for one in found.unused] == [("my_model", 1)]
    assert found.size == first.steps["train"].output.size
    workshop.client.prune_artifacts()

    assert [one.version for one in workshop.client.list_artifact_versions(name="my_model")] == ["2"]
    assert second.steps["load"].output.load() == [1, 2]  # made by the first, used by the second
    assert by_hand.load() == 1
    assert training_pipeline().steps["train"].status == "completed"  # its cached output has gone


def test_progress_can_be_seen_while_a_run_goes_on(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stacks import pipeline, step

    monkeypatch.setattr("stacks.pipelines.journal.PROGRESS", 0.02)
    seen: list[dict[str, str]] = []

    @step
    def first() -> int:
        return 1

    @step
    def second(n: int) -> int:
        for _ in range(200):
            run = workshop.client.get_pipeline_run("p")
            seen.append({name: one.status for name, one in run.steps.items()})
            if seen[-1]["second"] == "running":
                break
            time.sleep(0.02)
        return n

    pipeline(name="p")(lambda: second(first()))()

    assert seen[-1] == {"first": "completed", "second": "running"}
