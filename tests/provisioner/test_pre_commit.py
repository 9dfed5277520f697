"""The hooks of `.pre-commit-hooks.yaml`, run by pre-commit itself in a repository of stacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STACK = "version: 1\nname: demo\nprovider: local\nartifact_stores:\n  - name: main\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that uses the hooks.

    They come from here, and the program from this environment: pre-commit would build one of its own, which
    takes a package index.
    """
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    for hook in hooks:
        assert hook["language"] == "python"
        hook["language"] = "system"
    folder = tmp_path / "repository"
    (folder / "stacks").mkdir(parents=True)
    (folder / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump({"repos": [{"repo": "local", "hooks": hooks}]})
    )
    (folder / "stacks" / "stack.yaml").write_text(STACK)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def run_hooks(repository: Path) -> subprocess.CompletedProcess[str]:
    """Run all hooks on all files."""
    programs = repository.parent / "programs"
    programs.mkdir(exist_ok=True)
    program = programs / "provision"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m provisioner "$@"\n')
    program.chmod(0o755)
    subprocess.run(["git", "add", "--all"], cwd=repository, check=True)
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"],
        cwd=repository,
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PRE_COMMIT_HOME": str(repository.parent / "cache"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_what_is_right_passes_and_what_is_not_is_told(repository: Path) -> None:
    done = run_hooks(repository)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Passed") == 2

    provision = [sys.executable, "-m", "provisioner"]
    subprocess.run([*provision, "render", "stacks"], cwd=repository, check=True, capture_output=True)
    assert run_hooks(repository).returncode == 0
    (repository / "stacks" / "stack.yaml").write_text(f"{STACK}    prefix: x\n")
    (repository / "stacks" / "demo" / "main.tf").write_text("# edited by hand\n")

    done = run_hooks(repository)

    assert done.returncode == 1
    assert "stacks/stack.yaml:6:" in done.stdout
    (repository / "stacks" / "stack.yaml").write_text(STACK)
    assert "out of date: stacks/demo/main.tf" in run_hooks(repository).stdout
