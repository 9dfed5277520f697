"""Bundles for tests: a repository to plan in, and bundles that were planned otherwise."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from world import World

from provisioner.bundle import Record, read_bundle


def git(folder: Path, *argv: str) -> str:
    """Run git as somebody, with no configuration of this machine's user."""
    program = shutil.which("git")
    if program is None:
        pytest.skip("git is not on PATH")
    done = subprocess.run(
        [program, "-c", "user.name=test", "-c", "user.email=test@example.com", "-C", str(folder), *argv],
        env={"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def resealed(bundle: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The bundle as it would have been, had it been planned elsewhere or otherwise."""
    found = read_bundle(bundle)
    value = found.record.model_dump(mode="json")
    change(value)
    record = Record.model_validate(value)
    other = dataclasses.replace(found, record=record, record_bytes=record.to_bytes(), signature=None)
    other.write(target)
    return target


def refused(world: World, *argv: str | Path, plan: str | Path = "reviewed.bundle") -> str:
    """What is said when the bundle is refused."""
    done = world.provision("apply", "--plan", plan, "-y", *argv, expect=6)
    return done.err
