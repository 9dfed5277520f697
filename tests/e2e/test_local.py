"""A stack on the local disk, from nothing to nothing, with each engine that the product runs with."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from world import World, ended


def local(world: World, *stores: dict[str, object], **fields: object) -> Path:
    """A manifest for the local disk; unprotected, so that tests can end with a destroy."""
    plain = stores or ({"name": "main"},)
    return world.manifest(
        provider="local", artifact_stores=[{"protect": False, **store} for store in plain], **fields
    )


def directory(world: World, store: str = "main") -> Path:
    """Where a store without a directory of its own lies."""
    return world.home / "local_stores" / "demo" / store


def test_a_stack_from_nothing_to_nothing(each_world: World) -> None:
    world = each_world
    manifest = local(world)

    plan = world.provision("plan", manifest, "--detailed-exitcode", expect=2)
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in plan.out
    assert not directory(world).exists()

    applied = world.provision("apply", manifest, "-y")
    assert f"Applied demo: main ({directory(world)})" in applied.out
    assert stat.S_IMODE(directory(world).stat().st_mode) == 0o700
    assert world.state()["active_stack"] == "demo"

    again = world.provision("apply", manifest, "-y")
    assert "No changes: everything is as the manifest says." in again.out
    assert world.provision("plan", manifest, "--detailed-exitcode").code == 0
    assert "No drift" in world.provision("drift", manifest).out

    status = world.provision("status", "--format", "json").json
    assert [stack["name"] for stack in status["stacks"]] == ["demo"]
    assert status["stacks"][0]["artifact_stores"][0]["path"] == str(directory(world))
    assert world.provision("output", "demo").json["artifact_stores"] == {
        "main": {"path": str(directory(world))}
    }

    assert "Destroyed and deregistered demo." in world.provision("destroy", "demo", "-y").out
    assert not directory(world).exists()
    assert world.registered() == []
    assert not world.workspace().exists()


def test_nothing_is_written_twice_when_nothing_changes(world: World) -> None:
    manifest = local(world)
    world.provision("apply", manifest, "-y")
    before = world.state()

    world.provision("apply", manifest, "-y")

    assert world.state() == before


def test_what_is_only_registered_is_a_change_too(world: World) -> None:
    """Planned as one, asked about, carried out and proven, from a bundle as well; and then it is none."""
    stores = ({"name": "main"}, {"name": "second"})
    world.provision("apply", local(world, *stores), "-y")
    other = local(world, *stores, stack={"artifact_store": "second"})
    bundle = world.folder / "demo.bundle"

    planned = world.provision("plan", other, "--detailed-exitcode", "--out", bundle, expect=2)
    assert "Only what is registered changes; nothing in the cloud does." in planned.out
    assert 'artifact_store: "main" → "second"' in planned.out
    assert "needs a confirmation" in world.provision("apply", other, expect=3).err
    assert world.state()["stacks"][0]["artifact_store"] == "main"

    applied = world.provision("apply", "--plan", bundle, "-y")
    assert "verified second: put, get, list and delete work" in applied.err
    assert world.state()["stacks"][0]["artifact_store"] == "second"
    assert world.provision("plan", other, "--detailed-exitcode").code == 0


def test_a_second_store_leaves_the_first_alone(world: World) -> None:
    world.provision("apply", local(world), "-y")
    (directory(world) / "kept.txt").write_text("kept")

    wider = local(world, {"name": "main"}, {"name": "second"})
    plan = world.provision("plan", wider, "--format", "json").json[0]
    assert plan["counts"] == {"add": 2, "change": 0, "destroy": 0, "replace": 0}
    assert {change["component"] for change in plan["changes"]} == {"second"}

    world.provision("apply", wider, "-y")
    assert (directory(world) / "kept.txt").read_text() == "kept"
    assert world.registered() == ["main", "second"]


def test_drift_names_what_differs_and_apply_puts_it_back(each_world: World) -> None:
    world = each_world
    manifest = local(world)
    world.provision("apply", manifest, "-y")
    directory(world).chmod(0o755)

    drift = world.provision("drift", manifest, expect=2)
    assert f"main: {directory(world)} has mode 0755 instead of 0700" in drift.out
    assert world.provision("drift", "demo", "--format", "json", expect=2).json[0]["drifted"] is True

    world.provision("apply", manifest, "-y")
    assert stat.S_IMODE(directory(world).stat().st_mode) == 0o700
    assert "No drift" in world.provision("drift", manifest).out

    directory(world).rmdir()
    assert "is missing" in world.provision("drift", manifest, expect=2).out
    world.provision("apply", manifest, "-y")
    assert directory(world).is_dir()


def test_a_repair_keeps_what_is_stored(world: World) -> None:
    manifest = local(world, {"name": "main", "protect": True})
    world.provision("apply", manifest, "-y")
    (directory(world) / "kept.txt").write_text("kept")
    directory(world).chmod(0o755)

    world.provision("apply", manifest, "-y")

    assert (directory(world) / "kept.txt").read_text() == "kept"


def test_a_protected_store_is_not_destroyed(world: World) -> None:
    manifest = local(world, {"name": "main", "protect": True})
    world.provision("apply", manifest, "-y")

    refused = world.provision("destroy", manifest, "-y", expect=6)
    assert "protected against destruction: main" in refused.err
    assert "--set artifact_stores.main.protect=false" in refused.err

    world.provision("destroy", manifest, "-y", "--set", "artifact_stores.main.protect=false")
    assert world.registered() == []


def test_a_protected_store_is_not_lost_by_leaving_the_manifest(world: World) -> None:
    both = local(world, {"name": "main"}, {"name": "second", "protect": True})
    world.provision("apply", both, "-y")

    only_one = local(world)
    for command in ("apply", "destroy"):
        refused = world.provision(command, only_one, "-y", expect=6)
        assert "second" in refused.err
        assert directory(world, "second").is_dir()

    unprotected = local(world, {"name": "main"}, {"name": "second"})
    world.provision("apply", unprotected, "-y")
    world.provision("apply", local(world), "-y")
    assert not directory(world, "second").exists()
    assert world.registered() == ["main"]


def test_a_protected_directory_is_not_replaced_by_another(world: World) -> None:
    world.provision("apply", local(world, {"name": "main", "protect": True}), "-y")

    moved = local(world, {"name": "main", "bucket": "elsewhere"})
    assert "protected" in world.provision("apply", moved, "-y", expect=6).err
    assert directory(world).is_dir()


def test_a_store_with_something_in_it_is_not_destroyed(world: World) -> None:
    manifest = local(world)
    world.provision("apply", manifest, "-y")
    (directory(world) / "model.pkl").write_text("weights")

    refused = world.provision("destroy", manifest, "-y", expect=6)
    assert "main" in refused.err
    assert "1 object" in refused.err
    assert "model.pkl" in refused.err
    assert "--force-nonempty" in refused.err
    assert world.registered() == ["main"]

    without_it = local(world, {"name": "other"})
    assert "not empty" in world.provision("apply", without_it, "-y", expect=6).err
    assert (directory(world) / "model.pkl").exists()

    world.provision("destroy", without_it, "-y", "--force-nonempty")
    assert not directory(world).exists()


@pytest.mark.parametrize("leftover", ["folder", "link"])
def test_what_only_looks_empty_is_named_too(world: World, leftover: str) -> None:
    manifest = local(world)
    world.provision("apply", manifest, "-y")
    if leftover == "folder":
        (directory(world) / leftover).mkdir()
    else:
        (directory(world) / leftover).symlink_to(world.folder)

    assert leftover in world.provision("destroy", manifest, "-y", expect=6).err
    world.provision("destroy", manifest, "-y", "--force-nonempty")
    assert world.folder.is_dir()


def test_a_directory_of_somebody_is_refused_unless_adopted(each_world: World) -> None:
    world = each_world
    theirs = world.folder / "theirs"
    theirs.mkdir(mode=0o755)
    (theirs / "data.csv").write_text("1,2")

    refused = world.provision("apply", local(world, {"name": "main", "bucket": "theirs"}), "-y", expect=5)
    assert "is not empty; adopt it with existing = true" in refused.err
    assert world.registered() == []

    adopted = local(world, {"name": "main", "bucket": "theirs", "existing": True})
    world.provision("apply", adopted, "-y")
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o755
    world.provision("destroy", adopted, "-y")
    assert (theirs / "data.csv").read_text() == "1,2"
    assert world.registered() == []


def test_directories_with_wild_names_are_those_directories(each_world: World) -> None:
    world = each_world
    names = ["a b", "$(touch pwned)", "`touch pwned`;touch pwned", "${file(1)}", "%{ if }", "'\""]
    stores = [{"name": f"store{index}", "bucket": f"data/{name}"} for index, name in enumerate(names)]

    world.provision("apply", local(world, *stores), "-y")

    assert sorted(entry.name for entry in (world.folder / "data").iterdir()) == sorted(names)
    assert not list(world.folder.rglob("pwned"))
    world.provision("destroy", "demo", "-y")
    assert list((world.folder / "data").iterdir()) == []


def test_a_new_name_keeps_the_directory(world: World) -> None:
    world.provision("apply", local(world, {"name": "main", "protect": True}), "-y")
    (directory(world) / "kept.txt").write_text("kept")

    renamed = local(world, {"name": "renamed", "renamed_from": "main", "protect": True})
    world.provision("apply", renamed, "-y")

    assert (directory(world) / "kept.txt").read_text() == "kept"
    assert world.registered() == ["renamed"]
    assert "No changes" in world.provision("apply", renamed, "-y").out


def test_a_name_that_is_taken_is_refused_before_anything_is_made(world: World) -> None:
    world.provision("apply", local(world), "-y")

    other = world.manifest("other.yaml", provider="local", artifact_stores=[{"name": "main"}], name="other")
    refused = world.provision("apply", other, "-y", expect=3)

    assert "already registered" in refused.err
    assert not (world.home / "local_stores" / "other").exists()


def test_without_a_terminal_and_without_yes_nothing_is_done(world: World) -> None:
    manifest = local(world)

    refused = world.provision("apply", manifest, expect=3)
    assert "repeat it with -y" in refused.err
    assert not directory(world).exists()

    world.provision("apply", manifest, "-y")
    assert "repeat it with -y" in world.provision("destroy", manifest, expect=3).err
    assert directory(world).is_dir()


def test_terraform_variables_of_the_shell_change_nothing(each_world: World) -> None:
    world = each_world
    shell = {
        "TF_CLI_ARGS_plan": "-destroy",
        "TF_VAR_stack": "evil",
        "TF_WORKSPACE": "evil",
        "TF_LOG": "TRACE",
    }

    done = world.provision("apply", local(world), "-y", "--no-verify", environment=shell)

    assert "ignored from the environment: TF_CLI_ARGS_plan, TF_LOG, TF_VAR_stack, TF_WORKSPACE" in done.err
    assert directory(world).is_dir()
    assert not list(world.home.rglob("terraform.tfstate.d"))


def test_init_runs_again_only_when_it_has_to(each_world: World) -> None:
    world = each_world
    manifest = local(world)
    assert "terraform init: done" in world.provision("plan", manifest).err
    assert "terraform init" not in world.provision("plan", manifest).err

    (world.workspace() / "root" / ".terraform" / "modules" / "modules.json").unlink()
    assert "terraform init: done" in world.provision("plan", manifest).err
    assert "terraform init: done" in world.provision("plan", local(world, {"name": "other"})).err


def test_everything_that_is_kept_is_for_this_user_alone(world: World) -> None:
    world.provision("apply", local(world), "-y")

    open_to_others = [
        path
        for path in world.home.rglob("*")
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []
    assert not (world.workspace() / "run.tfplan").exists()


def test_deploy_and_destroy_by_name_alone(world: World) -> None:
    deployed = world.provision(
        "artifact-store", "deploy", "scratch", "--flavor", "local", "-y", "--no-verify"
    )
    assert "name: scratch" in deployed.err
    assert world.registered() == ["scratch"]

    world.provision("artifact-store", "destroy", "scratch", "-y")
    assert world.registered() == []
    assert list((world.home / "manifests").iterdir()) == []


def test_two_stacks_live_side_by_side(world: World) -> None:
    world.provision("apply", local(world), "-y")
    other = world.manifest(
        "other.yaml",
        provider="local",
        artifact_stores=[{"name": "theirs", "protect": False}],
        name="other",
    )
    world.provision("apply", other, "-y")
    assert json.loads(world.provision("status", "--format", "json").out)["active_stack"] == "other"

    world.provision("destroy", "other", "-y")

    assert world.registered() == ["main"]
    assert world.state()["active_stack"] is None


@pytest.mark.parametrize("protect", [True, False], ids=["protected", "unprotected"])
def test_a_store_that_the_stack_made_is_not_lost_by_being_called_adopted(world: World, protect: bool) -> None:
    """What the manifest says never to delete is not deleted, whatever it said before."""
    made = {"name": "main", "bucket": "data", "protect": protect}
    world.provision("apply", local(world, made), "-y")

    adopted = local(world, {**made, "existing": True})
    for command in (("apply",), ("destroy", "--force-nonempty")):
        refused = world.provision(command[0], adopted, "-y", *command[1:], expect=6)
        assert "protected against destruction: main" in refused.err or "existing: true" in refused.err
        assert (world.folder / "data").is_dir()

    other_name = local(world, {"name": "theirs", "bucket": "data", "existing": True})
    world.provision("destroy", other_name, "-y", "--force-nonempty", expect=6)
    assert (world.folder / "data").is_dir()

    world.provision("destroy", local(world, {**made, "protect": False}), "-y")
    assert not (world.folder / "data").exists()


def test_a_destroy_that_failed_midway_looks_again_before_it_goes_on(world: World) -> None:
    """What was written meanwhile is as much worth as what was there before."""
    manifest = local(world)
    world.provision("apply", manifest, "-y")
    gate = world.slow("rmdir")
    running = world.start("destroy", manifest, "-y", environment=gate.environment)
    gate.wait()
    (directory(world) / "late.txt").write_text("late")
    gate.open()
    ended(running, 5)

    refused = world.provision("destroy", manifest, "-y", expect=6)
    assert "main" in refused.err
    assert "late.txt" in refused.err
    assert (directory(world) / "late.txt").exists()

    world.provision("destroy", manifest, "-y", "--force-nonempty")
    assert not directory(world).exists()
    assert world.registered() == []
