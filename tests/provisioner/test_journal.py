"""The journal of a run, and what is concluded from one that was left."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Protocol

import manifests
import pytest

from provisioner.errors import DamagedStateError, UnfinishedRunError
from provisioner.journal import Intent, Journal, close_journal, now, read_journal
from provisioner.manifest import dump_manifest
from provisioner.recover import examine, recover_if_cut_off
from provisioner.terraform.locate import Executable
from provisioner.terraform.runner import ProcessId, ignore_event
from provisioner.terraform.session import Session
from provisioner.verify.base import Places
from provisioner.workspace import Workspace
from stacks.state import StateFile


class Recover(Protocol):
    """Recovers a workspace and tells what was said."""

    def __call__(self, *, push_state: bool = False) -> list[str]: ...


FINISHED = "\n".join(
    json.dumps(line)
    for line in (
        {"type": "version", "terraform": "1.11.4"},
        {"type": "change_summary", "changes": {"operation": "apply"}},
        {"type": "outputs", "outputs": {"artifact_stores": {"value": {"main": {"path": "/d"}}}}},
    )
)


def journal(**changed: object) -> Journal:
    """The journal of an apply that has begun."""
    facts: dict[str, object] = {
        "operation": "apply",
        "phase": "applying",
        "started": now(),
        "manifest": dump_manifest(manifests.manifest().model_dump(mode="json", exclude_defaults=True)),
        "manifest_path": "/m/stack.yaml",
        "manifest_sha256": "0" * 64,
        "engine": "terraform on PATH",
        "log": "apply-1",
        "intents": (Intent("module.store_main.a.b[0]", "create", "a", "name"),),
    }
    return Journal(**{**facts, **changed})  # type: ignore[arg-type]  # what the test says


@pytest.fixture
def recover(workspace: Workspace, tmp_path: Path, fake_terraform: Executable) -> Recover:
    """Recover the workspace; what was said."""

    def run(*, push_state: bool = False) -> list[str]:
        said: list[str] = []
        state_file = StateFile(tmp_path / "state.json")
        session = Session(workspace, fake_terraform, environ={"PATH": os.environ["PATH"]})
        places = Places(workspace.path, tmp_path)
        recover_if_cut_off(state_file, session, places, said.append, ignore_event, push_state=push_state)
        return said

    return run


def log(workspace: Workspace, text: str) -> None:
    """What the run's own log says."""
    workspace.log("apply-1").parent.mkdir(exist_ok=True)
    workspace.log("apply-1").write_text(text)


def test_it_comes_back_as_it_was_written(workspace: Workspace) -> None:
    written = journal(process=ProcessId(1, 2.0), serial=7).write(workspace)

    assert read_journal(workspace) == written
    assert stat.S_IMODE(workspace.journal.stat().st_mode) == 0o600
    assert read_journal(workspace) == written.advance(workspace, "applying")
    close_journal(workspace)
    close_journal(workspace)
    assert read_journal(workspace) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"operation": "apply", "from": "a later version"}'])
def test_one_that_cannot_be_read_is_refused(workspace: Workspace, text: str) -> None:
    workspace.journal.write_text(text)

    with pytest.raises(DamagedStateError):
        read_journal(workspace)


def test_nothing_to_recover(workspace: Workspace, recover: Recover) -> None:
    assert examine(workspace).nothing
    assert recover() == []


def test_a_run_that_was_completed_is_registered(
    workspace: Workspace, tmp_path: Path, recover: Recover
) -> None:
    journal().write(workspace)
    log(workspace, FINISHED)

    assert examine(workspace).finished
    (said,) = recover()

    assert "had been completed; it is now registered" in said
    assert StateFile(tmp_path / "state.json").read().artifact_store("main").path == "/d"
    assert read_journal(workspace) is None
    assert "name: main" in workspace.applied_manifest.read_text()


def test_what_was_noted_as_applied_is_complete_whatever_its_log_lost(
    workspace: Workspace, tmp_path: Path, recover: Recover, fake_terraform: Executable
) -> None:
    """A full disk takes the last lines of a log; the outputs are then asked of Terraform."""
    journal(phase="applied").write(workspace)
    log(workspace, FINISHED[:60])
    outputs = {"artifact_stores": {"value": {"main": {"path": "/from/state"}}}}
    script = Path(fake_terraform.argv[0]).with_name("script")
    script.write_text(f"echo '{json.dumps(outputs)}'\n")

    recover()

    assert StateFile(tmp_path / "state.json").read().artifact_store("main").path == "/from/state"


def test_a_run_that_never_started_terraform(workspace: Workspace, recover: Recover) -> None:
    journal(phase="intended").write(workspace)
    log(workspace, "")

    sentences = examine(workspace).sentences(workspace)
    assert len(sentences) == 1
    assert "never came to start Terraform" in sentences[0]
    assert "never came to start Terraform" in recover()[0]
    assert read_journal(workspace) is None


def test_a_run_that_failed_leaves_no_outputs_of_earlier_times(workspace: Workspace, recover: Recover) -> None:
    workspace.write_json(workspace.outputs, {"artifact_stores": {"main": {"path": "/old"}}})
    journal().write(workspace)
    failure = {"severity": "error", "summary": "No such thing"}
    log(workspace, json.dumps({"type": "diagnostic", "diagnostic": failure}))

    assert "it said: No such thing" in examine(workspace).sentences(workspace)
    assert "ended in the middle; going on from what is there" in recover()[0]
    assert not workspace.outputs.exists()


def test_a_state_that_could_not_be_stored_waits_for_an_answer(workspace: Workspace, recover: Recover) -> None:
    workspace.errored_state.write_text('{"lineage": "a", "serial": 2, "resources": []}')

    with pytest.raises(UnfinishedRunError) as refused:
        recover()
    assert refused.value.hint == "run: provision recover demo"
    assert refused.value.exit_code == 6

    assert "has been given back to it" in recover(push_state=True)[0]
    assert not workspace.errored_state.exists()


def test_an_unstored_state_that_is_itself_in_pieces_is_kept_apart(
    workspace: Workspace, recover: Recover
) -> None:
    workspace.errored_state.write_text("")

    assert "is empty (zero bytes); it is kept as" in recover(push_state=True)[0]
    assert not workspace.errored_state.exists()
    assert len(list(workspace.root.glob("errored.tfstate.damaged-*"))) == 1
