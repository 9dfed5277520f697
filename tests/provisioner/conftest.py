"""Every test of the provisioner has a home of its own, and nothing of the shell that started it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.terraform.locate import Executable
from provisioner.workspace import Workspace

_FOREIGN = ("AWS_", "PROVISION_", "STACKS_", "TF_", "XDG_")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's user reaches a test, and nothing of a test reaches the user."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    home = tmp_path / "own-home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("STACKS_STATE", str(tmp_path / "own-state" / "state.json"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "no-aws-credentials"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    made = Workspace(tmp_path / "workspaces" / "demo")
    made.create()
    return made


@pytest.fixture
def fake_terraform(tmp_path: Path) -> Executable:
    """A program in Terraform's place that does what the file ``script`` beside it says, in shell."""
    script = tmp_path / "fake" / "script"
    script.parent.mkdir()
    script.write_text("exit 0\n")
    program = script.with_name("terraform")
    program.write_text(f'#!/bin/sh\n. "{script}"\n')
    program.chmod(0o755)
    return Executable((str(program),), "a test")
