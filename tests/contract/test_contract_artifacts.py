"""Artifacts and pipelines on every store: what is stored, found, cached, damaged, deleted and pruned."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Annotated, Any

import pytest
from contract_rigs import Scene

from stacks import Client, Stack, pipeline, step
from stacks.artifacts import History, layout
from stacks.artifacts.pruning import prunable, prune
from stacks.artifacts.writing import save_version
from stacks.errors import ArtifactInUseError, ArtifactNotFoundError, DamagedArtifactError

ran: list[str] = []


@step
def load() -> list[int]:
    """Two numbers."""
    ran.append("load")
    return [1, 2]


@step
def train(
    data: list[int], rate: float
) -> tuple[Annotated[dict[str, Any], "model"], Annotated[Path, "report"]]:
    """A model, and a file about it."""
    ran.append("train")
    file = Path("report.txt")
    file.write_text(f"{rate}")
    return {"weights": [rate * one for one in data]}, file


@pipeline
def training(rate: float = 0.5) -> None:
    """Both."""
    train(load(), rate)


@pytest.fixture
def history(scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> History:
    """The records of a fresh store, which is the active stack's."""
    monkeypatch.setattr(Client, "active_stack", property(lambda _: Stack("here", scene.store)))
    monkeypatch.chdir(tmp_path)
    ran.clear()
    return History(scene.store)


def test_a_pipeline_runs_and_is_remembered(history: History, scene: Scene) -> None:
    first, second = training(), training()

    assert ran == ["load", "train"]
    assert [one.status for one in second.steps.values()] == ["cached", "cached"]
    version = history.version("model", "1")
    assert version.load() == {"weights": [0.5, 1.0]}
    assert version.uri == f"{scene.store.path}/training/train/model/1"
    assert (version.run, version.producer_step and version.producer_step.name) == (first, "train")
    assert history.version("report").load().read_text() == "0.5"
    assert [one.name for one in history.runs(pipeline="training")] == [second.name, first.name]
    assert history.run("training", first.name).steps["train"].inputs["data"].load() == [1, 2]
    assert {one.name for one in history.versions(created="gte:2026-01-01 00:00:00")} == {
        "training::load::output", "model", "report",
    }  # fmt: skip


def test_what_another_program_deletes_or_changes_is_made_again(history: History, scene: Scene) -> None:
    training()
    scene.delete("training/train/model/1/data.json")
    training()
    assert ran == ["load", "train", "train"]

    scene.put("training/train/model/2/data.json", b'{"weights": [9.9, 9.9]}\n')
    with pytest.raises(DamagedArtifactError):
        history.version("model", 2).load()
    assert training().steps["train"].outputs["model"].version == "3"


def test_twenty_threads_get_twenty_versions(history: History, scene: Scene) -> None:
    scene.rig.needs("conditional writes")
    barrier = threading.Barrier(20)
    made: list[tuple[int, int]] = []

    def write(number: int) -> None:
        barrier.wait()
        made.append((save_version(scene.store, "n", number, ("p", "s")).version, number))

    threads = [threading.Thread(target=write, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(version for version, _ in made) == list(range(1, 21))
    assert {(one.number, one.load()) for one in history.versions(name="n")} == set(made)


def test_deleting_and_pruning(history: History, scene: Scene) -> None:
    run = training()
    training(rate=0.7)
    with pytest.raises(ArtifactInUseError):
        history.delete_version("model", 1)
    history.delete_version("model", 1, force=True)
    with pytest.raises(ArtifactNotFoundError):
        history.version("model", 1)

    history.delete_run("training", run.name)
    found = prunable(history)
    assert [one.name for one in found.unused] == ["report"]
    prune(history, found)
    assert history.run("training").steps["train"].outputs["report"].load().read_text() == "0.7"
    assert not [
        name
        for name in scene.files()
        if name.startswith(("training/train/model/1", "training/train/report/1"))
    ]


def test_half_an_artifact_is_seen_by_nobody_and_pruned(history: History, scene: Scene) -> None:
    record = save_version(scene.store, "n", 1, ("p", "s"))
    scene.delete(layout.record("n", 1))

    assert history.artifacts() == []
    assert not prunable(history)  # this process may be about to finish it
    claim = scene.get(layout.claim("n", 1)).decode()
    scene.put(
        layout.claim("n", 1), claim.replace(f"/{os.getpid()}/", "/0/").encode()
    )  # a process that is gone
    prune(history, prunable(history))
    assert not scene.store.exists(f"{scene.store.path}/{record.path}")
