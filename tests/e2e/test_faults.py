"""Faults to survive, each with real Terraform: nothing is forgotten, no record lies, one rerun converges.

A store's creation stops at a gate: the `mkdir` on the PATH waits until the test lets it go on.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from world import Gate, World, ended, is_alive, wait_until

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


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


# --- killed -------------------------------------------------------------------------------------------


def test_terraform_outlives_a_killed_command_and_the_next_one_registers(each_world: World) -> None:
    world = each_world
    local(world)
    gate = world.slow()
    apply = stop_at_gate(world, gate)
    terraform = terraform_pid(world)

    apply.kill()
    ended(apply, -signal.SIGKILL)
    assert is_alive(terraform)
    assert world.registered() == []

    told = world.folder / "told"
    with told.open("w") as stream:
        rerun = world.start("apply", local(world), "-y", stderr=stream)
        follows = f"its Terraform (process {terraform}) still runs: following it"
        wait_until(lambda: follows in told.read_text(), "the next command to find the other's Terraform")
        gate.open()
        done = ended(rerun)
    assert "it is now registered" in told.read_text()
    assert "No changes" in done.out
    assert world.registered() == ["main"]


def test_what_ended_while_nobody_watched_is_registered_by_any_command(world: World) -> None:
    local(world)
    gate = world.slow()
    apply = stop_at_gate(world, gate)
    terraform = terraform_pid(world)
    apply.kill()
    ended(apply, -signal.SIGKILL)
    gate.open()
    wait_until(lambda: not is_alive(terraform), "Terraform to end")

    drift = world.provision("drift", world.folder / "stack.yaml")

    assert "had been completed; it is now registered" in drift.err
    assert world.registered() == ["main"]


def test_recover_tells_what_is_known_and_does_what_is_missing(world: World) -> None:
    local(world)
    gate = world.slow()
    apply = stop_at_gate(world, gate)
    apply.kill()
    ended(apply, -signal.SIGKILL)

    assert "a run was cut off" in world.provision("doctor", expect=None).out or not world.registered()
    asked = world.provision("recover", "demo", expect=3)
    assert f"still runs as process {terraform_pid(world)}: to be followed to its end" in asked.out
    gate.open()
    recovered = world.provision("recover", "demo", "-y")

    assert "Recovered demo." in recovered.out
    assert world.registered() == ["main"]
    assert "nothing to recover" in world.provision("recover", "demo").out


def test_a_killed_terraform_is_told_and_a_rerun_converges(each_world: World) -> None:
    world = each_world
    local(world, "main", "second")
    gate = world.slow()
    apply = stop_at_gate(world, gate)

    os.kill(terraform_pid(world), signal.SIGKILL)
    failed = ended(apply, 5)

    assert "terraform apply was killed by signal 9" in failed.err
    assert world.registered() == []
    gate.open()
    converges(world, "main", "second")


def test_command_and_terraform_killed_together(world: World) -> None:
    local(world)
    gate = world.slow()
    apply = stop_at_gate(world, gate)
    os.kill(terraform_pid(world), signal.SIGKILL)
    apply.kill()
    ended(apply, None)
    gate.open()

    rerun = world.provision("apply", local(world), "-y")

    assert "ended in the middle; going on from what is there" in rerun.err
    converges(world)


def test_a_destroy_whose_command_was_killed_is_concluded(world: World) -> None:
    world.provision("apply", local(world), "-y")
    gate = world.slow("rmdir")
    destroy = world.start("destroy", "demo", "-y", environment=gate.environment)
    gate.wait()
    wait_until(lambda: journal(world).get("phase") == "applying", "the note of who is at work")
    destroy.kill()
    ended(destroy, -signal.SIGKILL)
    assert world.registered() == ["main"]
    gate.open()

    again = world.provision("destroy", "demo", "-y")

    assert "had been completed; it is now deregistered" in again.err
    assert world.registered() == []
    assert not directory(world).exists()
    assert not world.workspace().exists()


def test_a_run_that_never_came_to_start_terraform_leaves_nothing_to_look_for(
    world: World, any_terraform: Path | None
) -> None:
    if any_terraform is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    vanishing = world.folder / "vanishing"
    vanishing.write_text(
        f'#!/bin/sh\n{any_terraform} "$@"; code=$?\n[ "$1" = plan ] && rm "$0"\nexit $code\n'
    )
    vanishing.chmod(0o755)

    failed = world.provision("apply", local(world), "-y", "--terraform", str(vanishing), expect=5)
    assert "could not be started" in failed.err

    assert "never came to start Terraform" in world.provision("recover", "demo", expect=3).out
    assert "never came to start Terraform" in world.provision("plan", local(world)).err
    converges(world)


# --- asked to stop ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_stop_ends_terraform_in_order(each_world: World, stop: signal.Signals) -> None:
    world = each_world
    local(world, "main", "second")
    gate = world.slow()
    apply = stop_at_gate(world, gate)
    terraform = terraform_pid(world)

    apply.send_signal(stop)
    done = ended(apply, 130)

    assert f"{stop.name}: asking Terraform to stop cleanly" in done.err
    assert "interrupted: Terraform stopped cleanly and kept its state" in done.err
    assert not is_alive(terraform)
    assert not [process for process in world.processes() if "terraform" in (process.info["name"] or "")]
    assert json.loads(world.terraform_state().read_text())["version"] == 4
    assert world.registered() == []
    gate.open()
    converges(world, "main", "second")


def test_a_second_stop_only_warns(world: World, any_terraform: Path | None) -> None:
    if any_terraform is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    deaf = world.folder / "deaf"
    deaf.write_text(f'#!/bin/sh\ntrap "" INT\n{any_terraform} "$@"\n')
    deaf.chmod(0o755)
    world.environment["PROVISION_TERRAFORM"] = str(deaf)
    local(world)
    gate = world.slow()
    errors = world.folder / "errors"
    with errors.open("w") as stream:
        apply = stop_at_gate(world, gate, stderr=stream)
        apply.send_signal(signal.SIGINT)
        wait_until(lambda: "asking Terraform to stop cleanly" in errors.read_text(), "the first word")
        apply.send_signal(signal.SIGINT)
        wait_until(lambda: "killing it now could leave resources behind" in errors.read_text(), "the warning")
        gate.open()
        ended(apply)  # Terraform came to its end all the same, and that is what counts

    assert world.registered() == ["main"]


def test_a_hangup_that_is_ignored_stays_ignored(world: World) -> None:
    """As under nohup."""
    local(world)
    gate = world.slow()
    apply = stop_at_gate(world, gate, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))

    apply.send_signal(signal.SIGHUP)
    gate.open()

    assert "asking Terraform to stop" not in ended(apply).err
    assert world.registered() == ["main"]


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_stop_while_waiting_for_a_lock_ends_in_order(world: World, stop: signal.Signals) -> None:
    local(world)
    gate = world.slow()
    first = stop_at_gate(world, gate)
    errors = world.folder / "errors"
    with errors.open("w") as stream:
        second = world.start("plan", world.folder / "stack.yaml", "--lock-timeout", "60", stderr=stream)
        wait_until(lambda: "which is locked by" in errors.read_text(), "the second command to wait")
        second.send_signal(stop)
        ended(second, 130)

    assert "interrupted" in errors.read_text()
    gate.open()
    ended(first)
    converges(world)


# --- two at once --------------------------------------------------------------------------------------


def test_two_applies_at_once(world: World) -> None:
    local(world)
    gate = world.slow()
    first = stop_at_gate(world, gate)

    refused = world.provision("apply", local(world), "-y", expect=6)
    assert f"is locked by process {first.pid} on " in refused.err
    assert "--lock-timeout SECONDS" in refused.err

    second = world.start("apply", local(world), "-y", "--lock-timeout", "60")
    gate.open()
    ended(first)
    assert "No changes" in ended(second).out


# --- readers that go ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", ["stdout", "stderr"])
def test_an_apply_whose_reader_has_gone_is_completed(each_world: World, gone: str) -> None:
    world = each_world
    local(world)
    gate = world.slow()
    reader, writer = os.pipe()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, gone: writer}
    apply = stop_at_gate(world, gate, **streams)
    os.close(reader)
    os.close(writer)
    gate.open()

    assert apply.wait(60) == 0
    assert world.registered() == ["main"]


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
