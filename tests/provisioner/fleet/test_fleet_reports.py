"""What is told of many stacks where a report cannot be written, or nobody reads what is printed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from stacks_folder import Folder

from provisioner.cli.fleet import Finished, FleetOptions, conclude, run_fleet
from provisioner.engine import Confirm, Engine, Result
from provisioner.errors import InputError, UpstreamError
from provisioner.fleet.changed import Chosen
from provisioner.manifest import LoadedManifest
from provisioner.summary import Summary


def applied(_engine: Engine, loaded: LoadedManifest, _confirm: Confirm) -> Result:
    """Work that is done at once, but for the stack of the name `bad`."""
    if loaded.manifest.name == "bad":
        raise UpstreamError("the cloud refused")
    none: tuple[str, ...] = ()
    name = loaded.manifest.name
    summary = Summary(name, "local", None, None, None, "apply", (), (), none, none, none, none, False)
    return Result(summary, changed=True, done=True)


def fleet(folder: Folder, *names: str, report: tuple[str, ...]) -> Finished:
    """Apply stacks of these names, with work that needs no Terraform."""
    for name in names:
        folder.stack(f"{name}.yaml")
    chosen = Chosen(tuple(folder.load(*(f"{name}.yaml" for name in names))), 0, ())
    options = FleetOptions(jobs=1, fail_fast=False, report=report)
    return run_fleet("apply", chosen, applied, options, terraform=None, lock_timeout=0, bare=True)


@pytest.fixture
def full(tmp_path: Path) -> str:
    """A report on a disk that is full."""
    (tmp_path / "full.json").symlink_to("/dev/full")
    return str(tmp_path / "full.json")


def test_nothing_begins_where_a_report_could_not_be_written(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def work(engine: Engine, loaded: LoadedManifest, confirm: Confirm) -> Result:
        raise AssertionError("begun all the same")

    folder.stack("one.yaml")
    options = FleetOptions(None, fail_fast=False, report=(str(tmp_path / "file/r.json"),))
    with pytest.raises(InputError, match=r"r\.json cannot be written: Not a directory"):
        run_fleet(
            "apply",
            Chosen(tuple(folder.load("one.yaml")), 0, ()),
            work,
            options,
            terraform=None,
            lock_timeout=0,
            bare=True,
        )


def test_what_was_done_is_told_though_a_report_fails(
    folder: Folder, tmp_path: Path, full: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = conclude(fleet(folder, "one", "two", report=(full, str(tmp_path / "r.json"))), "text")

    said = capsys.readouterr()
    assert code == InputError.exit_code
    assert [line.split()[:2] for line in said.out.splitlines()[1:]] == [
        ["one", "applied"],
        ["two", "applied"],
    ]
    assert f"error: {full} cannot be written: No space left on device" in said.err
    assert json.loads((tmp_path / "r.json").read_text())["exit_code"] == 0


def test_a_failed_stack_is_worse_than_a_report_that_fails(folder: Folder, full: str) -> None:
    assert conclude(fleet(folder, "bad", "one", report=(full,)), "text") == UpstreamError.exit_code


def test_the_report_is_written_though_nobody_reads_the_table(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = fleet(folder, "one", report=(str(tmp_path / "r.json"),))
    reader, writer = os.pipe()
    os.close(reader)

    with monkeypatch.context() as patched, os.fdopen(writer, "w") as gone:
        patched.setattr(sys, "stdout", gone)
        with pytest.raises(BrokenPipeError):
            conclude(finished, "text")
        os.dup2(os.open(os.devnull, os.O_WRONLY), gone.fileno())

    assert json.loads((tmp_path / "r.json").read_text())["stacks"][0]["status"] == "applied"
