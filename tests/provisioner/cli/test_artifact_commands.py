"""`provision artifact` and `provision pipeline`: what was made, how it went, and what may go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import CommandLine
from sample_pipeline import failing_pipeline, training_pipeline

from stacks import save_artifact
from stacks.artifacts import layout
from stacks.artifacts.removing import Uses


@pytest.fixture
def team(provision: CommandLine) -> CommandLine:
    """A command line with an active stack on a local store."""
    provision("artifact-store register disk -f local --path store")
    provision("stack register here -a disk --set")
    return provision


def rows(text: str) -> list[list[str]]:
    """A table's rows, without its header."""
    return [line.split() for line in text.splitlines()[1:]]


def test_artifacts_and_versions_are_listed(team: CommandLine) -> None:
    training_pipeline()
    training_pipeline(rate=0.5)

    assert rows(team("artifact list").out) == [
        ["my_model", "2", "2"], ["training_pipeline::load::output", "1", "1"],
    ]  # fmt: skip
    listed = team("artifact version list --name=my_model").out
    assert [row[:2] for row in rows(listed)] == [["my_model", "2"], ["my_model", "1"]]
    found = json.loads(team("artifact version list --created='gte:2026-01-01' --format json").out)
    assert [(one["name"], one["version"], one["step"]) for one in found] == [
        ("my_model", "2", "train"),
        ("my_model", "1", "train"),
        ("training_pipeline::load::output", "1", "load"),
    ]
    assert (
        team("artifact version list --created='gte:2999-01-01'").out
        == "No artifact version is there that fits.\n"
    )
    assert json.loads(team("artifact list --name=startswith:my --format json").out) == [
        {"name": "my_model", "latest": "2", "versions": 2}
    ]


def test_filters_may_be_several(team: CommandLine) -> None:
    for number in range(5):
        save_artifact(number, "n", tags=[f"t{number}"])

    def versions(filters: str) -> list[str]:
        return [row[1] for row in rows(team(f"artifact version list {filters}").out)]

    assert versions("--version=gt:1 --version=lte:4") == ["4", "3", "2"]
    assert versions("--tag=t3") == ["4"]
    assert versions("--type=int --materializer=json --size=2") == ["5", "4"]
    assert team("artifact version list --size=2").said.startswith("NAME")
    assert "note: 2 of 5; the next ones: --page=2" in team("artifact version list --size=2").said
    assert versions("--size=2 --page=3") == ["1"]


def test_a_version_is_described(team: CommandLine) -> None:
    run = training_pipeline()

    text = team("artifact version describe my_model").out
    assert f"run           {run.name}" in text
    assert "files         data.json (" in text
    data = json.loads(team("artifact version describe my_model --version 1 --format json").out)
    assert (data["name"], data["version"], data["pipeline"], data["step"]) == (
        "my_model",
        "1",
        "training_pipeline",
        "train",
    )
    assert data["files"][0]["path"] == "data.json"
    assert data["size"] == data["files"][0]["size"]
    assert Path(data["uri"], "data.json").exists()


def test_another_store_can_be_looked_at(team: CommandLine) -> None:
    save_artifact(1, "n")
    team("artifact-store register empty -f local --path empty")

    assert team("artifact list --store=empty").out == "No artifact is there.\n"
    assert rows(team("artifact list --store=disk").out) == [["n", "1", "1"]]
    assert "nope" in team("artifact list --store=nope", expect=3).said


def test_migrated_artifacts_load_from_where_they_are(team: CommandLine) -> None:
    run = training_pipeline()
    team("artifact-store register new -f local --path new")
    team("artifact-store migrate disk new -y")
    (team.folder / "store").rename(team.folder / "gone")
    team("stack copy current migrated")
    team("stack update migrated -a new")
    team("stack set migrated")

    version = team.client.get_artifact_version("my_model", version="1")
    assert version.load().weights == [0.1, 0.2]
    assert version.uri == f"{team.folder}/new/training_pipeline/train/my_model/1"
    assert version.run == run
    assert [step.status for step in training_pipeline().steps.values()] == ["cached", "cached"]
    assert rows(team("artifact version list --name=my_model").out)[0][:2] == ["my_model", "1"]


def test_runs_are_listed_and_described(team: CommandLine) -> None:
    training_pipeline.with_options(run_name="first", tags=["nightly"])()
    training_pipeline.with_options(run_name="second")()
    with pytest.raises(ZeroDivisionError):
        failing_pipeline()

    listed = team("pipeline runs list").out
    assert [row[0] for row in rows(listed)][1:] == ["second", "first"]
    assert "1 cached, 1 failed, 1 pending" in listed
    assert [row[0] for row in rows(team("pipeline runs list --tag=nightly").out)] == ["first"]
    done = json.loads(team("pipeline runs list --status=completed --format json").out)
    assert [one["name"] for one in done] == ["second", "first"]

    text = team("pipeline runs describe second").out
    assert "train  cached" in text
    assert "data=training_pipeline::load::output 1" in text
    assert (
        "error     ZeroDivisionError: no model of [1, 2]"
        in team("pipeline runs describe failing_pipeline").out
    )
    data = json.loads(team("pipeline runs describe first --pipeline=training_pipeline --format json").out)
    assert data["steps"][1]["outputs"] == {"my_model": {"name": "my_model", "version": "1"}}
    assert (data["status"], data["tags"], data["stack"], data["error"]) == (
        "completed",
        ["nightly"],
        "here",
        None,
    )
    assert "has no runs" in team("pipeline runs describe third", expect=3).said


def test_a_version_in_use_is_deleted_only_by_force(team: CommandLine) -> None:
    training_pipeline.with_options(run_name="first")()

    refused = team("artifact version delete my_model --version 1 -y", expect=6)
    assert "belongs to the history of first" in refused.said
    assert "--force" in refused.said
    assert (
        "there is no terminal to ask on"
        in team("artifact version delete my_model --version 1 --force", expect=3).said
    )
    assert (
        team("artifact version delete my_model --version 1 --force -y").out
        == "Deleted version 1 of my_model.\n"
    )
    assert "no artifact my_model" in team("artifact version describe my_model", expect=3).said


def test_a_damaged_version_is_deleted_only_by_force(team: CommandLine) -> None:
    save_artifact(1, "n")
    record = team.folder / "store" / layout.record("n", 1)
    record.write_text(record.read_text()[:40])

    refused = team("artifact version delete n --version 1 -y", expect=6)
    assert "is no record" in refused.said
    assert team("artifact version delete n --version 1 --force -y").out == "Deleted version 1 of n.\n"
    assert not list((team.folder / "store" / "saved").rglob("*.json"))


def test_pruning_says_what_goes_asks_and_removes(team: CommandLine) -> None:
    training_pipeline.with_options(run_name="first")()
    save_artifact(1, "kept")
    assert team("artifact prune").out == "There is nothing to prune.\n"

    team("pipeline runs delete first -y")
    dry = team("artifact prune --dry-run").out
    assert "artifact my_model version 1" in dry
    assert "Would remove 2 unused" in dry
    assert "there is no terminal to ask on" in team("artifact prune", expect=3).said
    data = json.loads(team("artifact prune -y --format json").out)
    assert [one["name"] for one in data["unused"]] == ["my_model", "training_pipeline::load::output"]
    assert data["removed"] is True
    assert rows(team("artifact list").out) == [["kept", "1", "1"]]


def test_what_a_run_takes_up_before_it_is_removed_stays(
    team: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_pipeline.with_options(run_name="first")()
    team("pipeline runs delete first -y")
    runs = [None, training_pipeline]  # one that begins while somebody is asked
    real = Uses.read

    def read(self: Uses) -> Any:
        begin = runs.pop(0) if runs else None
        if begin is not None:
            begin()
        return real(self)

    monkeypatch.setattr(Uses, "read", read)

    assert "But 2 of them stay: a run has taken them up meanwhile." in team("artifact prune -y").out
    assert [row[0] for row in rows(team("artifact list").out)] == [
        "my_model",
        "training_pipeline::load::output",
    ]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("artifact version list --created=yesterday", 3, "is no time"),
        ("artifact version list --version=gte:x", 3, "is no number"),
        ("artifact version list --page=0", 3, "0 is not in the range"),
        ("artifact version describe ../evil", 3, "cannot be the name of an artifact"),
        ("artifact version describe n --version=latest", 3, "is no version of n"),
        ("artifact version describe missing", 3, "has no artifact missing"),
        ("pipeline runs describe a/b", 3, "cannot be the name of"),
        ("artifact version describe n", 6, "no record of the kind"),
    ],
)
def test_errors_have_their_exit_codes(team: CommandLine, line: str, code: int, said: str) -> None:
    save_artifact(1, "n")
    (team.folder / "store" / layout.record("n", 1)).write_text("{")

    assert said in team(line, expect=code).said


def test_names_that_would_steer_the_terminal_are_shown_harmless(team: CommandLine) -> None:
    save_artifact(1, "n", tags=["\x1b[2J"])

    assert "\x1b" not in team("artifact version describe n").out
