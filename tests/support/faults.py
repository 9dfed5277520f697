"""What the tests of faults share: one stack on the disk, whose creation stops at a gate.

The `mkdir` on the PATH waits until the test lets it go on.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from world import Gate, World, wait_until


def local(world: World, *names: str) -> Path:
    """A manifest with these stores, none of them protected."""
    stores = [{"name": name, "protect": False} for name in names or ("main",)]
    return world.manifest(provider="local", artifact_stores=stores)


def directory(world: World, store: str = "main") -> Path:
    """Where a store lies."""
    return world.home / "local_stores" / "demo" / store


def stop_at_gate(world: World, gate: Gate, **popen: Any) -> subprocess.Popen[str]:
    """An apply whose Terraform stands in front of the gate, in the middle of making a store."""
    apply = world.start("apply", world.folder / "stack.yaml", "-y", environment=gate.environment, **popen)
    gate.wait()
    wait_until(lambda: journal(world).get("phase") == "applying", "the note of who is at work")
    return apply


def journal(world: World) -> dict[str, Any]:
    """The journal of a run that has not ended; empty when there is none."""
    path = world.workspace() / "journal.json"
    return json.loads(path.read_text()) if path.exists() else {}


def terraform_pid(world: World) -> int:
    """The process that the journal names."""
    pid: int = journal(world)["process"]["pid"]
    return pid


def converges(world: World, *stores: str) -> None:
    """One rerun puts everything right, and leaves nothing to do for another."""
    manifest = local(world, *stores)
    world.provision("apply", manifest, "-y")
    assert world.registered() == sorted(stores or ("main",))
    assert all(directory(world, store).is_dir() for store in stores or ("main",))
    assert not journal(world)
    assert "No changes" in world.provision("apply", manifest, "-y").out
