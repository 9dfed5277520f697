"""Asked to stop, with real Terraform: once, twice, by each signal, and while waiting for somebody else."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from faults import converges, local, stop_at_gate, terraform_pid
from world import World, ended, is_alive, wait_until

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


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
