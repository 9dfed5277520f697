"""What was applied and could not be used: no later run passes over that."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import local
from world import World

from provisioner.engine import Engine
from provisioner.errors import UpstreamError
from provisioner.manifest import load_manifest
from provisioner.terraform.locate import locate
from stacks.state import StateFile
from stacks.stores.local import LocalArtifactStore


def test_a_rerun_looks_again_at_what_could_not_be_used(
    world: World, any_terraform: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = local(world)
    engine = Engine(
        state_file=StateFile(world.environment["STACKS_STATE"]),
        executable=locate(str(any_terraform) if any_terraform else None),
        environ=world.environment,
    )
    loaded = load_manifest(manifest)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:  # a disk that is full for these two runs alone
        broken.setattr(LocalArtifactStore, "write_bytes", full)
        broken.setattr(LocalArtifactStore, "open", full)
        for _ in range(2):
            with pytest.raises((UpstreamError, OSError), match="No space left"):
                engine.apply(loaded)
    assert world.registered() == ["main"]

    skipped = world.provision("apply", manifest, "-y", "--no-verify")
    assert "looking again" not in skipped.err
    mended = world.provision("apply", manifest, "-y")
    assert "looking again" in mended.err
    assert "verified main" in mended.err
    assert "No changes" in mended.out
    after = world.provision("apply", manifest, "-y")
    assert after.err == ""
