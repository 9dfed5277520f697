"""A workspace: what is kept in it, and a Terraform state that is only believed when it is whole."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from provisioner.errors import DamagedStateError
from provisioner.workspace import Workspace
from stacks.errors import StateError


def state(serial: int, lineage: str = "a", *resources: str) -> str:
    """Terraform's state, in the form that 1.11 writes."""
    return json.dumps(
        {
            "version": 4,
            "serial": serial,
            "lineage": lineage,
            "resources": [
                {
                    "mode": "managed",
                    "module": "module.store_main",
                    "type": "t",
                    "name": name,
                    "instances": [{}],
                }
                for name in resources
            ],
        }
    )


def test_the_facts_of_a_state(workspace: Workspace) -> None:
    assert workspace.state_facts() is None
    workspace.state.write_text(state(3, "a", "x", "y"))

    facts = workspace.state_facts()

    assert facts is not None
    assert (facts.lineage, facts.serial) == ("a", 3)
    assert facts.addresses == {"module.store_main.t.x", "module.store_main.t.y"}
    assert facts.instances == facts.addresses


def test_the_instances_of_a_state_are_named_as_in_a_plan(workspace: Workspace) -> None:
    """One that was replaced by another, and only waits to be deleted, is none."""
    document = json.loads(state(1, "a", "x"))
    document["resources"][0]["instances"] = [
        {"index_key": 0},
        {"index_key": "https://a.example#b"},
        {"index_key": "old", "deposed": "0a1b2c3d"},
    ]
    workspace.state.write_text(json.dumps(document))

    facts = workspace.state_facts()

    assert facts is not None
    assert facts.instances == {
        "module.store_main.t.x[0]",
        'module.store_main.t.x["https://a.example#b"]',
    }
    assert facts.addresses == {"module.store_main.t.x"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty (zero bytes)"),
        (" \n", "is empty (zero bytes)"),
        ('{"version": 4, "seri', "is not a complete Terraform state"),
        ("null", "is not a complete Terraform state"),
        ('{"version": 4}', "is not a complete Terraform state"),
        ('{"serial": "x", "lineage": "a", "resources": []}', "is not a complete Terraform state"),
        ('{"serial": 1, "lineage": "a", "resources": [{}]}', "is not a complete Terraform state"),
    ],
)
def test_a_damaged_state_is_refused_before_terraform_sees_it(
    workspace: Workspace, text: str, said: str
) -> None:
    workspace.state.write_text(text)

    with pytest.raises(DamagedStateError) as refused:
        workspace.check_state(deployed=False)

    assert said in refused.value.message
    assert refused.value.exit_code == 6
    assert "restore" in (refused.value.hint or "")


def test_the_newest_good_copy_is_named(workspace: Workspace) -> None:
    for serial in (1, 2, 3):
        workspace.state.write_text(state(serial))
        workspace.keep_copy()
    (workspace.path / "backups" / "00000003.tfstate").write_text("{")
    workspace.state.write_text("")

    with pytest.raises(DamagedStateError) as refused:
        workspace.check_state(deployed=True)

    assert f"cp {workspace.path}/backups/00000002.tfstate {workspace.state}" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("now", "said"),
    [(None, "is missing"), (state(2, "b"), "another lineage"), (state(1), "older than the copy kept here")],
)
def test_a_state_that_is_not_the_one_kept_here_is_refused(
    workspace: Workspace, now: str | None, said: str
) -> None:
    workspace.state.write_text(state(2))
    workspace.keep_copy()
    workspace.state.unlink() if now is None else workspace.state.write_text(now)

    with pytest.raises(DamagedStateError, match=said):
        workspace.check_state(deployed=True)


def test_a_missing_state_of_what_is_registered_is_refused(workspace: Workspace) -> None:
    workspace.check_state(deployed=False)
    with pytest.raises(DamagedStateError, match="is missing, but this stack has been applied"):
        workspace.check_state(deployed=True)


def test_a_state_that_is_newer_than_the_copies_is_taken(workspace: Workspace) -> None:
    workspace.state.write_text(state(2))
    workspace.keep_copy()
    workspace.state.write_text(state(5))

    workspace.check_state(deployed=True)


def test_a_state_that_is_a_link_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(state(1))
    workspace.state.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StateError, match="symlink"):
        workspace.check_state(deployed=False)


def test_copies_are_kept_per_serial_and_only_the_newest_of_them(workspace: Workspace) -> None:
    for serial in range(1, 31):
        workspace.state.write_text(state(serial))
        workspace.keep_copy()
        workspace.keep_copy()

    kept = sorted(path.stem for path in (workspace.path / "backups").iterdir())
    assert kept == [f"{serial:08d}" for serial in range(11, 31)]


def test_old_logs_of_applies_go_and_others_stay(workspace: Workspace) -> None:
    (workspace.path / "logs").mkdir()
    workspace.log("plan").write_text("")
    for _ in range(15):
        workspace.log(workspace.new_apply_log()).write_text("")

    assert len(list((workspace.path / "logs").glob("apply-*.log"))) == 10
    assert workspace.log("plan").exists()


def test_small_files_are_private_and_only_written_when_they_change(workspace: Workspace) -> None:
    path = workspace.outputs
    workspace.write_json(path, {"a": 1})
    before = path.stat()
    workspace.write_json(path, {"a": 1})

    assert path.stat().st_ino == before.st_ino
    assert stat.S_IMODE(before.st_mode) == 0o600
    assert stat.S_IMODE(workspace.path.stat().st_mode) == 0o700
    workspace.write_json(path, {"a": 2})
    assert workspace.read_json(path) == {"a": 2}


def test_a_damaged_small_file_is_told(workspace: Workspace) -> None:
    workspace.outputs.write_text("{")

    with pytest.raises(DamagedStateError, match="is damaged"):
        workspace.read_json(workspace.outputs)


def test_the_lock_outlives_the_folder(workspace: Workspace) -> None:
    assert workspace.lock.with_name(f"{workspace.lock.name}.lock").parent == workspace.path.parent
