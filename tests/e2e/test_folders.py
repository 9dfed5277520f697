"""A folder of stacks, with real Terraform: all at once, one answer, one table, one exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from world import Gate, World, ended, is_alive, wait_until

BASE = {"version": 1, "provider": "local"}


def stacks(world: World, *names: str, **fields: Any) -> Path:
    """A folder with one stack for each name, all on one base; its path."""
    folder = world.folder / "stacks"
    folder.mkdir(exist_ok=True)
    (folder / "base.yaml").write_text("version: 1\nprovider: local\n")
    for name in names:
        store = {"name": f"{name}_store", "protect": False, **fields}
        (folder / f"{name}.yaml").write_text(
            json.dumps({"extends": "base.yaml", "name": name, "artifact_stores": [store]})
        )
    return folder


def directory(world: World, name: str) -> Path:
    """Where the store of a stack lies."""
    return world.home / "local_stores" / name / f"{name}_store"


def results(table: str) -> dict[str, str]:
    """The table's rows: what came of each stack."""
    return dict(re.findall(r"^(\S+)  +([a-z]+(?: drift)?)(?=  |$)", table, re.MULTILINE))


def test_a_folder_from_nothing_to_nothing(world: World) -> None:
    folder = stacks(world, "one", "two", "three")

    valid = world.provision("validate", folder)
    assert valid.out.count(": valid") == 3
    assert "base.yaml: no stack of its own" in valid.err
    plan = world.provision("plan", folder, "--detailed-exitcode", expect=2)
    assert results(plan.out) == {"one": "changes", "two": "changes", "three": "changes"}
    assert plan.out.count("Plan: 2 to add") == 3

    applied = world.provision("apply", folder, "-y", "--jobs", "3")
    assert results(applied.out) == {"one": "applied", "two": "applied", "three": "applied"}
    assert world.registered() == ["one_store", "three_store", "two_store"]
    assert results(world.provision("drift", folder).out) == dict.fromkeys(("one", "two", "three"), "no drift")
    assert world.provision("plan", folder, "--detailed-exitcode").code == 0

    directory(world, "two").chmod(0o755)
    drift = world.provision("drift", folder, expect=2)
    assert results(drift.out) == {"one": "no drift", "two": "drifted", "three": "no drift"}

    gone = world.provision("destroy", "one", folder / "two.yaml", folder / "three.yaml", "-y")
    assert results(gone.out) == dict.fromkeys(("one", "two", "three"), "destroyed")
    assert world.registered() == []


def test_a_stack_that_fails_leaves_the_others_alone(world: World) -> None:
    folder = stacks(world, "one", "two", "three")
    filled = directory(world, "two")
    filled.mkdir(parents=True)
    (filled / "somebody's").write_text("data")

    done = world.provision(
        "apply", folder, "-y", "--report", "r.json", "--report", "r.md", "--report", "r.xml", expect=5
    )

    assert results(done.out) == {"one": "applied", "two": "failed", "three": "applied"}
    assert "error: two: " in done.err
    assert world.registered() == ["one_store", "three_store"]
    report = json.loads((world.folder / "r.json").read_text())
    assert (report["command"], report["exit_code"]) == ("apply", 5)
    by_name = {stack["stack"]: stack for stack in report["stacks"]}
    assert by_name["two"]["exit_code"] == 5
    assert "not empty" in by_name["two"]["error"]["message"]
    assert by_name["one"]["summary"]["counts"]["add"] == 2
    assert "| `two` | failed |" in (world.folder / "r.md").read_text()
    assert 'failures="1"' in (world.folder / "r.xml").read_text()


def test_fail_fast_begins_nothing_more(world: World) -> None:
    folder = stacks(world, "one", "two", "zoe")
    filled = directory(world, "one")
    filled.mkdir(parents=True)
    (filled / "somebody's").write_text("data")

    done = world.provision("apply", folder, "-y", "--jobs", "1", "--fail-fast", expect=5)

    assert results(done.out) == {"one": "failed", "two": "skipped", "zoe": "skipped"}


def test_what_two_stacks_claim_is_refused_before_anything_runs(world: World) -> None:
    folder = stacks(world, "one", "two")
    (folder / "copy.yaml").write_text((folder / "one.yaml").read_text())

    for command in (("validate",), ("plan",), ("apply", "-y"), ("destroy", "-y"), ("drift",)):
        done = world.provision(command[0], folder, *command[1:], expect=3)
        assert "the stack 'one' is also in stacks/copy.yaml" in done.err.replace(str(world.folder) + "/", "")
    assert not (world.home / "workspaces").exists()


def test_a_mistake_in_one_manifest_stops_all_before_the_start(world: World) -> None:
    folder = stacks(world, "one")
    (folder / "bad.yaml").write_text("version: 1\nname: bad\nprovider: locl\n")

    done = world.provision("apply", folder, "-y", expect=3)

    assert "bad.yaml:3:11" in done.err
    assert world.registered() == []


def test_one_name_in_one_folder_without_a_terminal_asks_nobody(world: World) -> None:
    folder = stacks(world, "one", "two")

    done = world.provision("apply", folder, expect=3)

    assert "Together, in 2 stacks: 4 to add" in done.err
    assert "repeat it with -y" in done.err
    assert world.registered() == []


def test_only_what_changed_since_a_revision(world: World) -> None:
    folder = stacks(world, "one", "two")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    (folder / "two.yaml").write_text((folder / "two.yaml").read_text().replace("two_store", "too_store"))
    (folder / "one.yaml").unlink()
    stacks(world, "six")
    environment = {"PATH": f"{world.environment['PATH']}:{os.environ['PATH']}"}

    done = world.provision("plan", folder, "--changed-since", "HEAD", environment=environment)

    assert results(done.out) == {"six": "changes", "two": "changes"}
    assert "2 of 2 stacks have changed since HEAD" in done.err
    assert "provision destroy one" in done.err


def test_json_is_a_list_with_one_summary_for_each(world: World) -> None:
    folder = stacks(world, "one", "two")

    done = world.provision("plan", folder, "--format", "json")

    assert [summary["stack"] for summary in done.json] == ["one", "two"]


# --- stopped ------------------------------------------------------------------------------------------


def at_the_gate(world: World, gate: Gate, folder: Path, **popen: Any) -> subprocess.Popen[str]:
    """An apply of two stacks at a time, both of which stand in the middle of making a store."""
    process = world.start(
        "apply", folder, "-y", "--jobs", "2", environment=gate.environment, start_new_session=True, **popen
    )
    script = str(gate.reached.with_name("mkdir"))
    wait_until(lambda: len(running(world, script)) == 2, "both to reach the gate")
    return process


def running(world: World, word: str) -> list[int]:
    """The processes with this word in their command lines."""
    return [process.pid for process in world.processes() if word in process.info["cmdline"]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_reaches_every_terraform(world: World, number: signal.Signals) -> None:
    folder = stacks(world, "one", "two", "zoe")
    gate = world.slow()
    apply = at_the_gate(world, gate, folder)
    at_work = running(world, "-json")

    apply.send_signal(number)
    done = ended(apply, 130)

    assert len(at_work) == 2
    assert done.err.count("asking Terraform to stop cleanly") == 1
    assert results(done.out) == dict.fromkeys(("one", "two", "zoe"), "interrupted")
    assert not any(is_alive(pid) for pid in at_work)
    gate.open()
    world.provision("apply", folder, "-y")
    assert world.registered() == ["one_store", "two_store", "zoe_store"]


def test_a_second_stop_only_warns(world: World, any_terraform: Path | None) -> None:
    if any_terraform is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    deaf = world.folder / "deaf"
    deaf.write_text(f'#!/bin/sh\ntrap "" INT\n{any_terraform} "$@"\n')
    deaf.chmod(0o755)
    world.environment["PROVISION_TERRAFORM"] = str(deaf)
    folder = stacks(world, "one", "two", "zoe")
    gate = world.slow()
    errors = world.folder / "errors"
    with errors.open("w") as stream:
        apply = at_the_gate(world, gate, folder, stderr=stream)
        apply.send_signal(signal.SIGINT)
        wait_until(lambda: "asking Terraform to stop cleanly" in errors.read_text(), "the first word")
        apply.send_signal(signal.SIGINT)
        wait_until(lambda: "still waiting for 2 Terraform" in errors.read_text(), "the warning")
        gate.open()
        done = ended(apply, 130)

    # Terraform came to its end all the same, and that is what counts; nothing more was begun.
    assert results(done.out) == {"one": "applied", "two": "applied", "zoe": "interrupted"}
    assert world.registered() == ["one_store", "two_store"]


def test_a_killed_command_leaves_terraforms_that_the_next_one_follows(world: World) -> None:
    folder = stacks(world, "one", "two")
    gate = world.slow()
    apply = at_the_gate(world, gate, folder)

    apply.kill()
    ended(apply, -signal.SIGKILL)
    gate.open()
    again = world.provision("apply", folder, "-y")

    assert set(results(again.out)) == {"one", "two"}
    assert world.registered() == ["one_store", "two_store"]
    assert running(world, "-json") == []


# --- on a terminal ------------------------------------------------------------------------------------


def on_terminal(world: World, *argv: str | Path, answer: str | None = None) -> tuple[int, str]:
    """A command with a terminal of 80 columns on all three streams; its exit code and all that came."""
    master, slave = pty.openpty()
    process = world.start(
        *argv,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        environment={"TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
    )
    os.close(slave)
    said = b""
    try:
        while True:
            if select.select([master], [], [], 60)[0]:
                said += os.read(master, 65536)
            if answer is not None and b"[y/N]" in said:
                os.write(master, answer.encode())
                answer = None
    except OSError:  # the other side has gone
        pass
    finally:
        os.close(master)
    return process.wait(timeout=60), said.decode()


def test_a_terminal_shows_one_moving_line_for_each_stack_and_one_question(world: World) -> None:
    folder = stacks(world, "one", "two", "three")

    code, said = on_terminal(world, "apply", folder, answer="y\n")

    assert code == 0
    assert said.count("[y/N]") == 1
    assert "Together, in 3 stacks: 6 to add" in said
    assert re.search(r"\x1b\[\dF\x1b\[J", said), "nothing was redrawn"
    assert world.registered() == ["one_store", "three_store", "two_store"]
    drawn = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in said.split("\r\n")]
    assert max(len(line) for line in drawn if re.match(r"  \w+  \w+", line)) <= 80


def test_no_is_no_for_all(world: World) -> None:
    folder = stacks(world, "one", "two")

    code, said = on_terminal(world, "apply", folder, answer="n\n")

    assert code == 3
    assert "you said no" in said
    assert world.registered() == []
    assert not list((world.home / "workspaces").glob("*/journal.json"))


def test_nothing_moves_without_a_terminal(world: World) -> None:
    done = world.provision("plan", stacks(world, "one", "two"))

    assert "\x1b" not in done.said
