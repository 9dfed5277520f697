"""Commands and Terraforms that are killed, that meet, or that nobody listens to: each with real Terraform.

Nothing is forgotten, no record lies, one rerun converges.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from faults import converges, directory, journal, local, stop_at_gate, terraform_pid
from world import World, ended, is_alive, wait_until

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


def test_a_program_that_is_no_terraform_makes_no_plan(world: World) -> None:
    silent = world.folder / "silent"
    silent.write_text("#!/bin/sh\n")
    silent.chmod(0o755)

    for verb in ("plan", "apply"):
        done = world.provision(
            verb, local(world), *(["-y"] if verb == "apply" else []), "--terraform", str(silent), expect=5
        )
        assert "is no Terraform: it left no plan" in done.err
        assert "No changes" not in done.out
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
