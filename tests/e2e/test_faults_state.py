"""States that cannot be trusted, and places that cannot be written: each with real Terraform."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import converges, directory, local, stop_at_gate, terraform_pid
from world import World, ended

# --- states that cannot be trusted --------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", ["zero bytes", "cut off", "no state", "another lineage", "older", "missing"]
)
def test_a_state_that_cannot_be_trusted_is_refused_and_the_good_copy_named(world: World, fault: str) -> None:
    world.provision("apply", local(world), "-y")
    world.provision("apply", local(world, "main", "second"), "-y")
    state = world.terraform_state()
    good = json.loads(state.read_text())
    broken = {
        "zero bytes": "",
        "cut off": json.dumps(good)[:100],
        "no state": "[]",
        "another lineage": json.dumps({**good, "lineage": "00000000-0000-0000-0000-000000000000"}),
        "older": json.dumps({**good, "serial": good["serial"] - 1}),
    }
    state.unlink() if fault == "missing" else state.write_text(broken[fault])

    for command in (("apply", "-y"), ("plan",), ("drift",), ("destroy", "-y")):
        refused = world.provision(command[0], world.folder / "stack.yaml", *command[1:], expect=6)
        assert str(state) in refused.err
    copy = Path(refused.err.split("put it back with: cp ")[1].split()[0])
    assert json.loads(copy.read_text())["serial"] == good["serial"]

    shutil.copy(copy, state)  # as the message says
    converges(world, "main", "second")


@pytest.mark.parametrize("left", ["", '{"version": 4, "terra'], ids=["zero bytes", "cut off"])
def test_a_first_state_that_was_cut_off_is_given_up_for_what_the_journal_knows(
    world: World, left: str
) -> None:
    local(world)
    gate = world.slow()
    apply = stop_at_gate(world, gate)
    os.kill(terraform_pid(world), signal.SIGKILL)
    ended(apply, 5)
    world.terraform_state().write_text(left)
    gate.open()

    assert "the damaged state is kept as" in world.provision("plan", local(world)).err
    converges(world)


@pytest.mark.parametrize("current", ["older", "damaged"])
def test_a_state_that_terraform_could_not_store_blocks_until_it_is_recovered(
    world: World, current: str
) -> None:
    world.provision("apply", local(world), "-y")
    before = world.terraform_state().read_text()
    wide = local(world, "main", "second")
    world.provision("apply", wide, "-y")
    # What Terraform leaves when it cannot write its state: the old one, or the pieces of it, and the new one.
    errored = world.terraform_state().with_name("errored.tfstate")
    world.terraform_state().rename(errored)
    world.terraform_state().write_text(before if current == "older" else before[:50])

    refused = world.provision("apply", wide, "-y", expect=6)
    assert "provision recover demo" in refused.err
    assert str(errored) in refused.err

    assert "to be pushed" in world.provision("recover", "demo", expect=3).out
    world.provision("recover", "demo", "-y")
    assert not errored.exists()
    converges(world, "main", "second")


# --- places that cannot be written --------------------------------------------------------------------


def test_a_record_that_could_not_be_written_is_written_by_the_next_run(world: World) -> None:
    local(world)
    gate = world.slow()
    apply = stop_at_gate(world, gate)
    state_file = Path(world.environment["STACKS_STATE"])
    state_file.symlink_to("elsewhere")  # symbolic links are refused, even for root
    gate.open()

    failed = ended(apply, 6)
    assert "is a symlink" in failed.err
    assert directory(world).is_dir()
    state_file.unlink()

    assert "it is now registered" in world.provision("apply", local(world), "-y").err
    converges(world)


@pytest.fixture
def small_disk(world: World) -> Iterator[Path]:
    """The state's folder on a disk of its own, of 80 MiB."""
    world.home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=80m,mode=0700", "tmpfs", str(world.home)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk in memory")
    yield world.home
    subprocess.run(["umount", "--lazy", str(world.home)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """A file that takes all that is free on a disk, but ``leave`` bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            for _ in range((shutil.disk_usage(disk).free - leave) >> 12):
                stream.write(bytes(4096))
        except OSError:
            return ballast
    return ballast


def test_a_nearly_full_disk_is_refused_before_anything_is_made(world: World, small_disk: Path) -> None:
    manifest = local(world)
    ballast = fill(small_disk, leave=8 << 20)

    refused = world.provision("apply", manifest, "-y", expect=6)

    assert "MiB are free on the disk of" in refused.err
    assert not directory(world).exists()
    ballast.unlink()
    converges(world)


def test_a_disk_that_fills_up_in_the_middle(world: World, small_disk: Path) -> None:
    local(world)
    world.provision("apply", local(world), "-y")
    wide = local(world, "main", "second")
    gate = world.slow()
    apply = stop_at_gate(world, gate)
    ballast = fill(small_disk)
    gate.open()

    failed = ended(apply, None)
    assert failed.code in {5, 6}
    assert world.registered() == ["main"]
    ballast.unlink()

    # As each message says, until one rerun goes through: Terraform's last words may or may not have had room.
    for _ in range(3):
        rerun = world.provision("apply", wide, "-y", expect=None)
        if rerun.code == 6 and "provision recover demo" in rerun.err:
            rerun = world.provision("recover", "demo", "-y", expect=None)
        if rerun.code == 6 and "put it back with: cp " in rerun.err:
            source, target = rerun.err.split("put it back with: cp ")[1].split()[:2]
            shutil.copy(source, target)
    converges(world, "main", "second")
