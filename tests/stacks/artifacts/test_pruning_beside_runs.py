"""Pruning takes nothing from a run that has just taken it from the cache, whoever of the two is faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from sample_pipeline import load, ran
from workshop import Workshop

from stacks import Client, PipelineRun, pipeline, step
from stacks.artifacts import History, pruning
from stacks.artifacts.pruning import prunable, prune
from stacks.artifacts.removing import Uses
from stacks.artifacts.runs import RunHistory
from stacks.errors import ArtifactInUseError
from stacks.pipelines.journal import Journal
from stacks.stores.local import LocalArtifactStore


@pytest.fixture(autouse=True)
def _unused(workshop: Workshop) -> None:
    """What ``load`` has made is in the cache, and the run that made it is deleted."""
    ran.clear()
    first = pipeline(name="before")(load)()
    workshop.client.delete_pipeline_run("before", first.name)
    assert [one.name for one in workshop.client.prune_artifacts(dry_run=True).unused] == [LOADED]


LOADED = "before::load::output"


def run_and(meanwhile: Callable[[], Any]) -> PipelineRun:
    """A run that takes ``load`` from the cache, and does this while its next step is at work."""

    @step(enable_cache=False)
    def work(data: list[int]) -> int:
        meanwhile()
        return len(data)

    made: PipelineRun = pipeline(name="p")(lambda: work(load()))()
    return made


def outcome(run: PipelineRun) -> tuple[str, Any]:
    """What became of ``load``, and its value."""
    return run.steps["load"].status, Client().get_pipeline_run("p").steps["load"].output.load()


def test_what_a_run_has_taken_from_the_cache_stays(workshop: Workshop) -> None:
    pruned: list[Any] = []

    run = run_and(lambda: pruned.append(workshop.client.prune_artifacts()))

    assert outcome(run) == ("cached", [1, 2])
    assert pruned[0].unused == ()


def test_what_was_found_before_the_run_began_stays(workshop: Workshop) -> None:
    """Between looking and removing somebody may have been asked, and have thought about it."""
    history = workshop.history
    found = prunable(history)
    went: list[Any] = []

    run = run_and(lambda: went.append(prune(history, found)))

    assert outcome(run) == ("cached", [1, 2])
    assert (len(found.unused), went[0].unused) == (1, ())


def interfering(monkeypatch: pytest.MonkeyPatch, what: dict[int, Callable[[], Any]]) -> None:
    """Does something at the first, or second, look at the runs that pruning takes before it removes."""
    looks: list[int] = []
    real = Uses.read

    def read(self: Uses) -> Any:
        looks.append(1)
        instead = what.pop(len(looks), lambda: None)()
        return real(self) if instead is None else instead

    monkeypatch.setattr(Uses, "read", read)


def test_a_run_that_was_faster_keeps_what_was_going(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run takes it between the look at the runs and the removing: it is put back."""
    history = workshop.history
    found = prunable(history)
    interfering(monkeypatch, {1: list})  # as if it had looked before the run said what it takes
    went: list[Any] = []

    run = run_and(lambda: went.append(prune(history, found)))

    assert outcome(run) == ("cached", [1, 2])
    assert went[0].unused == ()
    assert run.steps["load"].output.verify() is None


def test_a_run_that_was_slower_makes_it_again(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    history = workshop.history
    found = prunable(history)
    runs: list[PipelineRun] = []

    def begin() -> None:  # what is going can be seen no more
        runs.append(run_and(lambda: None))

    interfering(monkeypatch, {2: begin})
    prune(history, found)

    assert outcome(runs[0]) == ("completed", [1, 2])
    assert ran == ["load", "load"]
    assert run_and(lambda: None).steps["load"].status == "cached"


@pytest.mark.parametrize("at", ["the end", "the next step"])
def test_what_went_after_the_run_has_seen_it_is_made_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """All of the pruning comes between the look into the cache and the run's word that it takes this."""
    history = workshop.history

    @step
    def count(data: list[int]) -> Annotated[int, "count"]:
        return len(data)

    @step
    def work(number: int) -> int:
        return number + 1

    chain = pipeline(name="p")(lambda: count(load()))
    longer = pipeline(name="p")(lambda: work(count(load())))
    first = chain()
    workshop.client.delete_pipeline_run("p", first.name)
    real = Journal.write
    begun: list[int] = []

    def write(self: Journal) -> None:
        if not begun:
            begun.append(len(prune(history, prunable(history)).unused))
        real(self)

    monkeypatch.setattr(Journal, "write", write)

    run = chain() if at == "the end" else longer()

    assert begun == [2]
    recorded = workshop.client.get_pipeline_run("p", run.name)
    assert [one.status for one in recorded.steps.values()][:2] == ["completed", "completed"]
    for one in recorded.steps.values():
        assert {version.version for version in one.inputs.values()} <= {"1", "2"}
        assert [version.verify() for version in (*one.inputs.values(), *one.outputs.values())] != []
    assert recorded.steps["count"].output.load() == 2
    if at == "the next step":
        assert recorded.steps["work"].output.load() == 3
        assert recorded.steps["work"].inputs["number"] == recorded.steps["count"].output


def test_what_is_in_nobodys_way_goes(workshop: Workshop) -> None:
    history = workshop.history

    went = prune(history, prunable(history))

    assert [one.name for one in went.unused] == [LOADED]
    assert workshop.files() == []
    assert outcome(run_and(lambda: None))[0] == "completed"


def test_pruning_that_is_cut_off_puts_back_what_runs_use(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = workshop.history
    found = prunable(history)
    interfering(monkeypatch, {1: list})

    def cut_off() -> None:
        real = History.hide

        def hide(self: History, record: Any) -> None:
            real(self, record)
            raise KeyboardInterrupt

        monkeypatch.setattr(History, "hide", hide)
        with pytest.raises(KeyboardInterrupt):
            prune(history, found)

    assert outcome(run_and(cut_off)) == ("cached", [1, 2])


def test_an_artifact_of_the_store_is_in_use_from_the_beginning_of_a_run(workshop: Workshop) -> None:
    history = workshop.history
    given = history.version(LOADED)
    found = prunable(history)

    @step(enable_cache=False)
    def first() -> int:
        return len(prune(history, found).unused)

    @step
    def second(data: list[int], more: int) -> int:
        return sum(data) + more

    run = pipeline(name="p")(lambda: second(given, first()))()

    assert run.steps["second"].output.load() == 3


def test_deleting_looks_again_too(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    interfering(monkeypatch, {1: list})
    told: list[ArtifactInUseError] = []

    def delete() -> None:
        with pytest.raises(ArtifactInUseError) as caught:
            workshop.client.delete_artifact_version(LOADED, 1)
        told.append(caught.value)

    run = run_and(delete)

    assert outcome(run) == ("cached", [1, 2])
    assert told[0].users == (run.name,)


# ---- what it costs --------------------------------------------------------------------------------------


def test_steps_that_are_taken_in_a_row_cost_one_write(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    @step
    def add(number: Any, more: int) -> int:
        return len(number) + more

    @pipeline
    def p(numbers: int) -> None:
        for number in range(numbers):
            add(load(), number)

    p(3)
    written: list[str] = []
    real = LocalArtifactStore._write_whole

    def write(self: LocalArtifactStore, pair: tuple[Any, bytes]) -> None:
        written.append(str(pair[0]))
        real(self, pair)

    monkeypatch.setattr(LocalArtifactStore, "_write_whole", write)

    def writes(numbers: int) -> int:
        written.clear()
        p(numbers)
        return len([one for one in written if "/runs/p/" in one])

    assert writes(3) == 2  # of what was taken, and at the end
    assert writes(4) == 2  # before the last one runs, and at the end
    assert {run.status for run in workshop.client.list_pipeline_runs(pipeline="p")} == {"completed"}


def test_a_run_that_has_not_changed_is_read_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        pipeline(name="p")(load.with_options(enable_cache=False))()
    read: list[int] = []
    real = RunHistory._records

    def records(self: RunHistory, files: Any, **choice: Any) -> Any:
        read.append(len(files))
        return real(self, files, **choice)

    monkeypatch.setattr(RunHistory, "_records", records)

    pruning.prune(workshop.history, prunable(workshop.history))

    assert read == [3, 0, 0]
