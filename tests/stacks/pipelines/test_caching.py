"""A step is skipped when an identical one has run on the store before, by whomever; and never wrongly."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from sample_pipeline import load, ran, train, training_pipeline
from workshop import Workshop, environment

from stacks import Client, PipelineRun, pipeline, step
from stacks.artifacts import layout
from stacks.stores.local import LocalArtifactStore


def statuses(run: PipelineRun) -> dict[str, str]:
    """What became of each step."""
    return {name: one.status for name, one in run.steps.items()}


def test_the_second_run_takes_everything_from_the_first(workshop: Workshop) -> None:
    first, second = training_pipeline(), training_pipeline()

    assert statuses(second) == {"load": "cached", "train": "cached"}
    assert ran == ["load", "train 0.1"]
    assert second.steps["train"].outputs == first.steps["train"].outputs
    assert second.status == "completed"
    # Lineage stays true: the artifact is from the first run, whoever takes it.
    made_by = second.steps["train"].output.run
    assert made_by is not None
    assert made_by.name == first.name


def test_another_parameter_runs_that_step_alone(workshop: Workshop) -> None:
    training_pipeline()

    assert statuses(training_pipeline(rate=0.2)) == {"load": "cached", "train": "completed"}


def test_another_person_on_another_machine_takes_it_too(workshop: Workshop, tmp_path: Path) -> None:
    """Another process, another state file, another name of the pipeline: the same store."""
    training_pipeline()
    Client(str(tmp_path / "other.json")).register_artifact_store("theirs", "local", path=str(workshop.root))
    Client(str(tmp_path / "other.json")).register_stack("s", "theirs", activate=True)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from sample_pipeline import load, train\nfrom stacks import pipeline\n"
        "run = pipeline(name='theirs')(lambda: train(load()))()\n"
        "print([step.status for step in run.steps.values()])"
    )
    support = str(Path(__file__).parents[2] / "support")

    done = subprocess.run(
        [sys.executable, "-c", program, support],
        capture_output=True, text=True, check=True,
        env={**environment(), "STACKS_STATE": str(tmp_path / "other.json")},
    )  # fmt: skip

    assert done.stdout.strip() == "['cached', 'cached']"


@pytest.mark.parametrize("place", ["step", "step option", "pipeline", "pipeline option"])
def test_caching_can_be_turned_off(workshop: Workshop, place: str) -> None:
    off: Any = {"enable_cache": False}
    own = step(**off)(load.function) if place == "step" else load
    own = load.with_options(**off) if place == "step option" else own
    made = pipeline(name="p", **(off if place == "pipeline" else {}))(own)
    made = made.with_options(**off) if place == "pipeline option" else made

    made()

    assert statuses(made()) == {"load": "completed"}
    assert ran == ["load", "load"]


def test_a_step_that_asks_for_the_cache_has_it_whatever_the_pipeline_says(workshop: Workshop) -> None:
    @pipeline(enable_cache=False)
    def p() -> None:
        load.with_options(enable_cache=True)()

    p()

    assert statuses(p()) == {"load": "cached"}


def test_a_run_without_the_cache_makes_what_later_runs_take(workshop: Workshop) -> None:
    training_pipeline()
    fresh = training_pipeline.with_options(enable_cache=False)()

    assert training_pipeline().steps["train"].outputs == fresh.steps["train"].outputs


# ---- what makes a step another one ----------------------------------------------------------------------


def statuses_of_code(tmp_path: Path, *bodies: str) -> list[str]:
    """Runs a file with each of these texts, one after the other; the status of its step ``one`` each time."""
    found = []
    for number, body in enumerate(bodies):
        file = tmp_path / f"code{number}.py"
        file.write_text(f"from typing import Annotated\nfrom stacks import pipeline, step\n{body}\n")
        one = runpy.run_path(str(file))["one"]
        run: PipelineRun = pipeline(name="p")(one)()
        found.append(run.steps["one"].status)
    return found


PLAIN = "@step\ndef one() -> int:\n    return 1"
MADE = """
def make(n):
    def help(): return 1
    @step
    def one():
        return str(n), help()
    return one
one = make({})
"""
CODE = {
    "code": (PLAIN, PLAIN.replace("return 1", "return 2"), False),
    "options": (PLAIN, PLAIN.replace("@step", "@step(enable_cache=True)"), True),
    "indentation": (PLAIN, f"if True:\n    {PLAIN.replace(chr(10), chr(10) + '    ')}", True),
    "outputs": (PLAIN, PLAIN.replace("int:", "Annotated[int, 'n']:"), False),
    "defaults": (PLAIN.replace("()", "(n=1)"), PLAIN.replace("()", "(n=2)"), False),
    "enclosed value": (MADE.format(1), MADE.format(2), False),
    "same enclosed value": (MADE.format([1, "a"]), MADE.format([1, "a"]), True),
    "enclosed function": (MADE.format(1), MADE.replace("return 1", "return 2").format(1), False),
    "enclosed object, of which nobody can tell": (MADE.format("object()"), MADE.format("object()"), False),
}


@pytest.mark.parametrize(("before", "after", "same"), CODE.values(), ids=CODE)
def test_code_and_declarations_make_a_step(
    workshop: Workshop, tmp_path: Path, before: str, after: str, same: bool
) -> None:
    first, second = statuses_of_code(tmp_path, before, after)

    assert (first, second) == ("completed", "cached" if same else "completed")


def test_a_step_without_a_source_is_known_by_its_bytecode(workshop: Workshop) -> None:
    def made(text: str) -> Any:
        space: dict[str, Any] = {"step": step}
        exec(text, space)
        return space["one"]

    def status(text: str) -> str:
        one = made(text)
        run: PipelineRun = pipeline(name="p")(one)()
        return run.steps["one"].status

    first = "@step\ndef one():\n    return [x + 1 for x in (1, 2)]"
    assert [status(text) for text in (first, first, first.replace("+ 1", "+ 2"))] == [
        "completed",
        "cached",
        "completed",
    ]


def test_the_content_of_the_inputs_counts_not_where_they_are_from(workshop: Workshop) -> None:
    @step
    def first() -> list[int]:
        return [1, 2]

    @step
    def second() -> list[int]:
        return [int("1"), 2]

    @pipeline
    def p() -> None:
        train(first(), id="a")
        train(second(), id="b")

    run = p()

    assert statuses(run) == {"first": "completed", "a": "completed", "second": "completed", "b": "cached"}


# ---- outputs that are gone or damaged -------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm", ["data gone", "data shorter", "data changed", "record gone", "record damaged"]
)
def test_a_cached_output_that_is_not_as_it_was_is_made_again(workshop: Workshop, harm: str) -> None:
    first = training_pipeline()
    version = first.steps["train"].output
    data = workshop.root / version.record.path / "data.json"
    record = workshop.root / layout.record("my_model", 1)
    match harm:
        case "data gone":
            data.unlink()
        case "data shorter":
            data.write_text("{}")
        case "data changed":
            data.write_text(data.read_text().replace("0.1", "0.9"))
        case "record gone":
            record.unlink()
        case _:
            record.write_text(record.read_text()[:-20])

    second = training_pipeline()

    assert statuses(second) == {"load": "cached", "train": "completed"}
    assert second.steps["train"].output.version == "2"
    assert statuses(training_pipeline()) == {"load": "cached", "train": "cached"}


def test_a_damaged_cache_entry_is_none(workshop: Workshop) -> None:
    training_pipeline()
    for entry in (workshop.root / layout.CACHE).rglob("*.json"):
        entry.write_text("{}")

    assert statuses(training_pipeline()) == {"load": "completed", "train": "completed"}


def test_a_large_cached_output_is_compared_when_it_is_loaded(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is too large to be read for nothing only sizes are looked at; who loads it finds out."""
    monkeypatch.setattr("stacks.pipelines.cache.READ_UP_TO", 0)
    first = training_pipeline()
    data = workshop.root / first.steps["load"].output.record.path / "data.json"
    data.write_text(data.read_text().replace("2", "3"))

    second = training_pipeline(rate=0.7)  # the same load, another train

    assert statuses(second) == {"load": "completed", "train": "completed"}
    assert ran == ["load", "train 0.1", "load", "train 0.7"]
    assert second.steps["train"].output.load().weights == pytest.approx([0.7, 1.4])
    assert second.steps["train"].inputs["data"].version == "2"


def test_of_a_step_that_runs_again_all_outputs_are_the_new_ones(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacks.pipelines.cache.READ_UP_TO", 0)

    @step
    def pair() -> tuple[Annotated[list[int], "a"], Annotated[list[int], "b"]]:
        ran.append("pair")
        return [len(ran)], [len(ran)]

    @step
    def both(a: list[int], b: list[int], n: int) -> list[list[int]]:
        return [a, b]

    @pipeline
    def p(n: int) -> None:
        both(*pair(), n)

    first = p(1)
    version = first.steps["pair"].outputs["b"]
    data = workshop.root / version.record.path / "data.json"
    data.write_text(data.read_text().replace("1", "7"))

    second = p(2)

    assert ran == ["pair", "pair"]
    assert statuses(second) == {"pair": "completed", "both": "completed"}
    assert second.steps["both"].output.load() == [[2], [2]]
    assert {one.version for one in second.steps["both"].inputs.values()} == {"2"}


# ---- what a look-up costs -------------------------------------------------------------------------------


class Counting(LocalArtifactStore):
    """Counts what is asked of the store."""

    calls: list[str]

    def _read(self, key: str, start: int, stop: int, etag: str | None) -> Any:
        self.calls.append(f"read {key}")
        return super()._read(key, start, stop, etag)

    def _list(self, key: str, *, deep: bool) -> Any:
        self.calls.append(f"list {key}")
        return super()._list(key, deep=deep)


def test_a_look_up_that_finds_nothing_is_one_read_and_no_listing(tmp_path: Path) -> None:
    from stacks.artifacts import History
    from stacks.pipelines.cache import cached_outputs

    store = Counting(str(tmp_path / "store"))
    store.calls = []

    assert cached_outputs(History(store), "ab" * 32) is None
    assert store.calls == [f"read .records/cache/ab/{'ab' * 32}.json"]


def test_a_copied_store_keeps_its_cache(workshop: Workshop, tmp_path: Path) -> None:
    from stacks.migration import migrate

    training_pipeline()
    workshop.client.register_artifact_store("copy", "local", path=str(tmp_path / "copy"))
    migrate(workshop.store, workshop.client.get_artifact_store("copy"))
    workshop.client.update_stack("here", artifact_store="copy")
    workshop.root.rename(tmp_path / "gone")

    run = training_pipeline()

    assert statuses(run) == {"load": "cached", "train": "cached"}
    assert run.steps["train"].output.load().weights == [0.1, 0.2]
    assert run.steps["train"].output.uri == f"{tmp_path}/copy/training_pipeline/train/my_model/1"
    texts = [path.read_text() for path in (tmp_path / "copy" / ".records").rglob("*.json")]
    assert not any(str(workshop.root) in text for text in texts)  # nothing names where the store was


def test_cache_keys_are_the_same_in_every_process(workshop: Workshop) -> None:
    """Hashes of texts differ between processes; no key may depend on one."""
    program = (
        "from stacks import pipeline, step\n"
        "@step\ndef one(a: set = frozenset('abcdef')) -> set:\n    return {'x', 'y', 'z'}\n"
        "@step\ndef two(a: set) -> int:\n    return 1\n"
        "run = pipeline(name='p')(lambda: two(one()))()\nprint(run.steps['two'].cache_key)"
    )
    keys = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env={**environment(), "PYTHONHASHSEED": seed},
        )  # fmt: skip
        keys.add(done.stdout)

    assert len(keys) == 1


def test_records_are_json_with_a_schema(workshop: Workshop) -> None:
    training_pipeline()

    documents = [json.loads(path.read_text()) for path in (workshop.root / ".records").rglob("*.json")]
    assert {(one["schema"], one["kind"]) for one in documents} == {
        (1, "artifact version"), (1, "claim"), (1, "cache entry"), (1, "run"),
    }  # fmt: skip
