"""What a store remembers: finding and filtering versions and runs, deleting, records of other releases."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sample_pipeline import training_pipeline
from workshop import Workshop

from stacks import save_artifact
from stacks.artifacts import layout, runs
from stacks.artifacts.filters import matcher
from stacks.errors import (
    ArtifactInUseError,
    ArtifactNotFoundError,
    DamagedArtifactError,
    InvalidValueError,
    NewerRecordError,
)


def edit(workshop: Workshop, key: str, **fields: Any) -> None:
    """Changes a record behind the library's back."""
    path = workshop.root / key
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


# ---- finding --------------------------------------------------------------------------------------------


def test_the_latest_version_is_the_highest_not_the_youngest(workshop: Workshop) -> None:
    """A machine with a wrong clock must not make its version the latest, nor an old one."""
    for number in range(1, 12):
        save_artifact(number, "n")
    edit(workshop, layout.record("n", 11), created="2020-01-01T00:00:00+00:00")

    assert workshop.client.get_artifact_version("n").load() == 11
    assert workshop.client.get_artifact_version("n", "9").load() == 9


def test_what_is_not_there_is_told_with_what_is(workshop: Workshop) -> None:
    with pytest.raises(ArtifactNotFoundError, match="the store disk has no artifact model") as caught:
        workshop.client.get_artifact_version("model")
    assert caught.value.hint == "nothing has been stored in it yet"

    save_artifact(1, "model")
    with pytest.raises(ArtifactNotFoundError, match="no version 7") as caught:
        workshop.client.get_artifact_version("model", 7)
    assert caught.value.hint == "there are: 1"
    with pytest.raises(ArtifactNotFoundError) as caught:
        workshop.client.get_artifact_version("modell")
    assert caught.value.hint == "it has: model"
    for version in ("one", "0", "-1", "1.0", "\u0661"):
        with pytest.raises(InvalidValueError, match="is no version of model"):
            workshop.client.get_artifact_version("model", version)

    training_pipeline()
    with pytest.raises(ArtifactNotFoundError, match="has no run mine"):
        workshop.client.get_pipeline_run("training_pipeline", "mine")
    with pytest.raises(ArtifactNotFoundError) as caught:
        workshop.client.get_pipeline_run("other")
    assert caught.value.hint == "it has runs of: training_pipeline"


# ---- filters --------------------------------------------------------------------------------------------

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.fixture
def days(workshop: Workshop) -> Workshop:
    """Versions 1 to 4 of ``a`` and one of ``b``, an hour apart, with tags."""
    for number, name in enumerate(["a", "a", "a", "a", "b"]):
        version = save_artifact(number, name, tags=[f"t{number}", "all"])
        created = (TEN + timedelta(hours=number)).isoformat()
        edit(workshop, layout.record(name, version.number), created=created)
        stamp = (TEN + timedelta(hours=number)).timestamp()
        os.utime(workshop.root / layout.record(name, version.number), (stamp, stamp))
    return workshop


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["b1", "a4", "a3", "a2", "a1"]),
        ({"created": "gte:2026-11-20 12:00:00+00:00"}, ["b1", "a4", "a3"]),
        ({"created": "gt:2026-11-20 12:00:00Z"}, ["b1", "a4"]),
        ({"created": "lt:2026-11-20T11:00:00+00:00"}, ["a1"]),
        ({"created": "lte:2026-11-20 11:00:00+00:00"}, ["a2", "a1"]),
        ({"created": ["gt:2026-11-20 10:00:00Z", "lt:2026-11-20 13:00:00Z"]}, ["a3", "a2"]),
        ({"created": "in:2026-11-20 11:00:00Z,2026-11-20 12:00:00Z"}, ["a3", "a2"]),
        ({"created": "2026-11-20 12:00:00Z"}, ["a3"]),
        ({"created": "equals:2026-11-20 12:00:00Z"}, ["a3"]),
        ({"created": "ne:2026-11-20 12:00:00Z"}, ["b1", "a4", "a2", "a1"]),
        ({"created": TEN}, ["a1"]),
        ({"name": "b"}, ["b1"]),
        ({"name": "notequals:a"}, ["b1"]),
        ({"name": "contains:a"}, ["a4", "a3", "a2", "a1"]),
        ({"name": "startswith:b"}, ["b1"]),
        ({"name": "endswith:x"}, []),
        ({"name": 'oneof:["a", "x"]', "version": "gte:3"}, ["a4", "a3"]),
        ({"name": "oneof:a,b", "version": 1}, ["b1", "a1"]),
        ({"version": "notoneof:1,2"}, ["a4", "a3"]),
        ({"version": "contains:4"}, ["a4"]),
        ({"tag": "t3"}, ["a4"]),
        ({"tag": "startswith:al"}, ["b1", "a4", "a3", "a2", "a1"]),
        ({"type": "int", "materializer": "json", "name": "b"}, ["b1"]),
        ({"pipeline": "p"}, []),
        ({"size": 2}, ["b1", "a4"]),
        ({"size": 2, "page": 3}, ["a1"]),
        ({"size": 2, "page": 4}, []),
    ],
    ids=str,
)
def test_filters(days: Workshop, filters: dict[str, Any], expected: list[str]) -> None:
    found = days.client.list_artifact_versions(**filters)

    assert [f"{one.name}{one.version}" for one in found] == expected
    assert found.total == (5 if "size" in filters else len(expected))


def test_a_time_without_a_zone_is_local_time(days: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """``date '+%Y-%m-%d %H:%M:%S'``, which the documents use, prints the local time."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        found = days.client.list_artifact_versions(created="gte:2026-11-20 21:00:00")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert [one.version for one in found] == ["1", "4", "3"]


def test_old_records_are_not_even_read(days: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    path = days.root / layout.record("a", 1)
    path.write_text("damaged, and too old to matter")
    stamp = (TEN - timedelta(days=9)).timestamp()
    os.utime(path, (stamp, stamp))

    assert len(days.client.list_artifact_versions(created="gte:2026-11-20 09:00:00Z")) == 4
    assert caplog.text == ""
    assert len(days.client.list_artifact_versions()) == 4  # one bad record does not hide the others
    assert "left out" in caplog.text
    with pytest.raises(DamagedArtifactError, match="no record of the kind artifact version"):
        days.client.get_artifact_version("a", 1)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"created": "gte:yesterday"}, "is no time"),
        ({"created": "15 minutes"}, "is no time"),
        ({"version": "gte:new"}, "is no number"),
        ({"name": "gte:a"}, "a name has no order"),
        ({"created": "in:2026-11-20"}, "takes two values"),
        ({"name": "oneof:[a"}, "is no list"),
        ({"page": 0}, "begin at 1"),
        ({"size": 0}, "begin at 1"),
    ],
)
def test_filters_that_do_not_parse_are_told(
    workshop: Workshop, filters: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message):
        workshop.client.list_artifact_versions(**filters)


def test_a_name_with_colons_is_no_operator() -> None:
    passes = matcher("training_pipeline::load::output", str, "name")

    assert passes("training_pipeline::load::output")
    assert matcher("equals:gte:x", str, "name")("gte:x")


def test_versions_by_who_made_them_and_runs_by_their_state(workshop: Workshop) -> None:
    run = training_pipeline.with_options(tags=["x"])()
    training_pipeline(rate=0.3)
    client = workshop.client

    assert len(client.list_artifact_versions(pipeline="training_pipeline")) == 3
    assert [one.version for one in client.list_artifact_versions(step="train")] == ["2", "1"]
    assert {one.name for one in client.list_artifact_versions(run=run.name)} == {
        "training_pipeline::load::output", "my_model",
    }  # fmt: skip
    assert client.list_pipeline_runs(status="completed", size=1).total == 2
    assert [one.name for one in client.list_pipeline_runs(tag="x")] == [run.name]
    assert list(client.list_pipeline_runs(pipeline="other")) == []
    assert list(client.list_pipeline_runs(name=f"startswith:{run.name}", created="gte:2026-01-01")) == [
        one for one in client.list_pipeline_runs() if one.name == run.name
    ]
    page = client.list_pipeline_runs(size=1, page=2)
    assert (page[0].name, page.pages, page.total) == (run.name, 2, 2)
    assert [(one.name, one.latest, one.versions) for one in client.list_artifacts()] == [
        ("my_model", "2", 2), ("training_pipeline::load::output", "1", 1),
    ]  # fmt: skip


# ---- deleting -------------------------------------------------------------------------------------------


def test_a_version_that_a_run_refers_to_is_kept_unless_told(workshop: Workshop) -> None:
    run = training_pipeline()

    with pytest.raises(ArtifactInUseError, match="belongs to the history of") as caught:
        workshop.client.delete_artifact_version("my_model", 1)
    assert caught.value.users == (run.name,)
    assert run.steps["train"].output.load().weights == [0.1, 0.2]

    workshop.client.delete_artifact_version("my_model", 1, force=True)
    assert workshop.client.list_artifacts(name="my_model") == []
    assert workshop.files("training_pipeline/train") == []
    with pytest.raises(ArtifactNotFoundError, match="has been deleted"):
        _ = workshop.client.get_pipeline_run("training_pipeline").steps["train"].outputs


def test_a_deleted_number_is_not_given_again(workshop: Workshop) -> None:
    save_artifact(1, "n")
    save_artifact(2, "n")
    workshop.client.delete_artifact_version("n", 2)

    assert save_artifact(3, "n").version == "3"


def test_an_artifact_whose_run_was_deleted_says_so(workshop: Workshop) -> None:
    run = training_pipeline()
    version = run.steps["train"].output
    workshop.client.delete_pipeline_run("training_pipeline", run.name)

    assert version.load().weights == [0.1, 0.2]
    with pytest.raises(ArtifactNotFoundError):
        _ = version.producer_step


# ---- records of others ----------------------------------------------------------------------------------


def test_records_of_a_newer_release_are_refused_by_name(workshop: Workshop) -> None:
    save_artifact(1, "n")
    edit(workshop, layout.record("n", 1), schema=2)

    with pytest.raises(NewerRecordError, match="has the schema 2") as caught:
        workshop.client.get_artifact_version("n")
    assert "update stack-provisioner" in str(caught.value.hint)


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "../outside"}, {"path": "/etc"}, {"path": "a//b"}, {"files": {"../x": [1, "a"]}},
        {"kind": "run"},
        {"files": {"data.json": [1, "0" * 64]}}, {"materializer": "cloudpickle"},
        {"version": "x"}, {"created": "2026-01-01"},
    ],
    ids=str,
)  # fmt: skip
def test_records_that_do_not_hold_are_refused(workshop: Workshop, fields: dict[str, Any]) -> None:
    save_artifact(1, "n")
    edit(workshop, layout.record("n", 1), **fields)

    with pytest.raises(DamagedArtifactError):
        workshop.client.get_artifact_version("n").load()


def test_files_of_other_programs_among_the_records_are_left_alone(workshop: Workshop) -> None:
    save_artifact(1, "n")
    (workshop.root / ".records/artifacts/n/notes.txt").write_text("mine")
    (workshop.root / ".records/artifacts/n/x.json").write_text("{}")

    assert [one.version for one in workshop.client.list_artifact_versions()] == ["1"]
    assert workshop.client.get_artifact_version("n").version == "1"


def test_an_artifact_that_was_changed_is_not_loaded(workshop: Workshop) -> None:
    version = save_artifact({"a": [1, 2]}, "n")
    version.verify()
    path = workshop.root / version.record.path / "data.json"
    path.write_text(path.read_text().replace("2", "3"))

    with pytest.raises(DamagedArtifactError, match="is not what was stored"):
        version.load()
    with pytest.raises(DamagedArtifactError):
        version.verify()
    path.unlink()
    with pytest.raises(DamagedArtifactError, match="is recorded, and not there"):
        version.load()


def test_the_latest_run_is_found_without_reading_all(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        training_pipeline.with_options(run_name=f"run{number}")()
        old = (TEN + timedelta(days=number - 300)).timestamp()
        if number < 20:
            path = layout.run("training_pipeline", f"run{number}")
            edit(workshop, path, created=datetime.fromtimestamp(old, UTC).isoformat())
            os.utime(workshop.root / path, (old, old))
    read: list[str] = []
    parse = runs.parse_run
    monkeypatch.setattr(runs, "parse_run", lambda text, where: (read.append(where), parse(text, where))[1])

    assert workshop.client.get_pipeline_run("training_pipeline").name == "run29"
    assert len(read) < 30
    assert workshop.client.list_pipeline_runs(created="gte:2026-11-20").total == 10
