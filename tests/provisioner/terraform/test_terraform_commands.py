"""Terraform's command lines, word for word: at their defaults, and with everything set."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.terraform import commands
from provisioner.terraform.locate import Executable

TERRAFORM = Executable(("/opt/terraform",), "--terraform")


def test_init() -> None:
    common = ["/opt/terraform", "init", "-input=false", "-no-color", "-backend=true"]
    assert commands.init(TERRAFORM) == [*common, "-lock-timeout=0s"]
    assert commands.init(TERRAFORM, lock_timeout=30) == [*common, "-lock-timeout=30s"]


def test_init_is_told_what_becomes_of_a_state_that_lay_elsewhere() -> None:
    assert commands.init(TERRAFORM, backend="reconfigure")[-1] == "-reconfigure"
    assert commands.init(TERRAFORM, backend="migrate")[-2:] == ["-migrate-state", "-force-copy"]


def test_plan() -> None:
    common = ["/opt/terraform", "plan", "-input=false", "-no-color", "-json", "-detailed-exitcode"]
    assert commands.plan(TERRAFORM, "run.tfplan") == [*common, "-lock-timeout=0s", "-out=run.tfplan"]
    assert commands.plan(
        TERRAFORM, "run.tfplan", destroy=True, replace=["module.store_a.x.y[0]", "b.c"], lock_timeout=30
    ) == [
        *common,
        "-lock-timeout=30s",
        "-destroy",
        "-replace=module.store_a.x.y[0]",
        "-replace=b.c",
        "-out=run.tfplan",
    ]


def test_apply_takes_a_saved_plan_and_nothing_else() -> None:
    common = ["/opt/terraform", "apply", "-input=false", "-no-color", "-json"]
    assert commands.apply(TERRAFORM, "run.tfplan") == [*common, "-lock-timeout=0s", "run.tfplan"]
    assert commands.apply(TERRAFORM, "run.tfplan", lock_timeout=30) == [
        *common,
        "-lock-timeout=30s",
        "run.tfplan",
    ]


def test_import() -> None:
    common = ["/opt/terraform", "import", "-input=false", "-no-color"]
    assert commands.import_(TERRAFORM, "a.b", "name") == [*common, "-lock-timeout=0s", "a.b", "name"]
    assert commands.import_(TERRAFORM, "a.b", "name", lock_timeout=30) == [
        *common,
        "-lock-timeout=30s",
        "a.b",
        "name",
    ]


def test_the_verbs_without_options() -> None:
    assert commands.show(TERRAFORM, "run.tfplan") == [
        "/opt/terraform",
        "show",
        "-no-color",
        "-json",
        "run.tfplan",
    ]
    assert commands.output(TERRAFORM) == ["/opt/terraform", "output", "-no-color", "-json"]
    assert commands.state_push(TERRAFORM, "errored.tfstate") == [
        "/opt/terraform",
        "state",
        "push",
        "errored.tfstate",
    ]
    assert commands.state_push(TERRAFORM, "x.tfstate", force=True) == [
        *("/opt/terraform", "state", "push"),
        "-force",
        "x.tfstate",
    ]
    assert commands.state_pull(TERRAFORM) == ["/opt/terraform", "state", "pull"]
    assert commands.force_unlock(TERRAFORM, "4711") == [
        "/opt/terraform",
        "force-unlock",
        "-force",
        "4711",
    ]
    assert commands.version(TERRAFORM) == ["/opt/terraform", "version", "-json"]


def test_an_engine_of_several_words_is_kept_whole() -> None:
    engine = Executable(("/usr/bin/python3", "-m", "provisioner.terraform.shim"), "engine extra")

    assert commands.output(engine) == [*engine.argv, "output", "-no-color", "-json"]


def test_a_damaged_state_does_not_stop_a_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The builder of the library reads the state of the working directory, and dies of a damaged one."""
    (tmp_path / "terraform.tfstate").write_text("{")
    monkeypatch.chdir(tmp_path)

    assert commands.output(TERRAFORM)[1] == "output"
