"""Terraform's state in a bucket: real Terraform, its real s3 backend, and an emulator of S3.

The stacks are local ones, so that nothing but the state is remote: every test is about where it lies, who
holds it, and what is known of it on another machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from difficult_service import between, careless
from emulator import Emulator, emulator
from small_server import Asked
from world import Done, World, ended, is_alive, wait_until

BUCKET = "terraform-states"
KEY = "stacks/demo/terraform.tfstate"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    pytest.importorskip("moto.server", reason="the emulator comes with the dev extra: moto[server]")
    with emulator(tmp_path_factory.mktemp("moto") / "log") as running:
        running.bucket(BUCKET)
        yield running


@pytest.fixture(autouse=True)
def empty_bucket(s3: Emulator) -> None:
    client = s3.client("s3")
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])


@pytest.fixture
def here(world: World, s3: Emulator) -> World:
    """One machine."""
    world.environment.update(s3.credentials)
    return world


@pytest.fixture
def there(tmp_path: Path, any_terraform: Path | None, s3: Emulator) -> Iterator[World]:
    """Another machine: nothing in common but the bucket, and the folder that the store is."""
    other = World.create(tmp_path / "other", any_terraform, **s3.credentials)
    yield other
    other.close()


def _state(s3: Emulator, **fields: Any) -> dict[str, Any]:
    return {"backend": "s3", "bucket": BUCKET, "region": "eu-west-1", "endpoint_url": s3.url, **fields}


def _manifest(world: World, s3: Emulator, folder: Path, **fields: Any) -> Path:
    store = {"name": "data", "bucket": str(folder), "protect": False}
    content = {"provider": "local", "artifact_stores": [store], "state": _state(s3), **fields}
    return world.manifest(**content)


def _objects(s3: Emulator) -> list[str]:
    found = s3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return sorted(item["Key"] for item in found)


def _remote(s3: Emulator, key: str = KEY) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(s3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    return content


def test_the_state_lies_in_the_bucket_and_nowhere_else(here: World, s3: Emulator, tmp_path: Path) -> None:
    manifest = _manifest(here, s3, tmp_path / "data")
    here.provision("apply", manifest, "-y")
    assert _objects(s3) == [KEY]
    assert not here.terraform_state().exists()
    backend = (here.workspace() / "root" / "backend.tf").read_text()
    assert "use_lockfile" in backend
    assert s3.credentials["AWS_SECRET_ACCESS_KEY"] not in backend
    assert [path.name for path in (here.workspace() / "backups").iterdir()] == [
        f"{_remote(s3)['serial']:08d}.tfstate"
    ]
    done = here.provision("plan", manifest, "--detailed-exitcode")
    assert "init: done" not in done.err, "nothing that init depends on has changed"
    here.provision("destroy", manifest, "-y")
    assert _remote(s3)["resources"] == []
    assert here.registered() == []


def test_another_machine_goes_on_where_the_first_one_was(
    here: World, there: World, s3: Emulator, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    here.provision("apply", _manifest(here, s3, folder), "-y")
    manifest = _manifest(there, s3, folder)
    there.provision("plan", manifest, "--detailed-exitcode")
    assert there.provision("drift", manifest).code == 0
    quick = there.provision("drift", manifest, "--fast")
    assert "No drift" in quick.out
    assert "as this machine saw it last" in quick.err
    there.provision("apply", manifest, "-y")
    assert there.registered() == ["data"]
    there.provision("destroy", manifest, "-y")
    assert not folder.exists()
    # The first machine finds out by itself: there is nothing left, and it may make it anew.
    done = here.provision("apply", _manifest(here, s3, folder), "-y")
    assert "last applied from elsewhere" in done.err
    assert folder.is_dir()


def test_what_one_machine_planned_another_applies_until_the_state_has_moved_on(
    here: World, there: World, s3: Emulator, tmp_path: Path
) -> None:
    bundle = tmp_path / "reviewed.bundle"
    here.provision("plan", _manifest(here, s3, tmp_path / "data"), "--out", bundle)
    there.provision("apply", _manifest(there, s3, tmp_path / "data"), "--plan", bundle, "-y")
    assert (tmp_path / "data").is_dir()
    manifest = _manifest(there, s3, tmp_path / "data")
    assert "state" in there.provision("apply", manifest, "--plan", bundle, "-y", expect=6).err


def test_what_another_machine_applied_is_not_lost_unseen(
    here: World, there: World, s3: Emulator, tmp_path: Path
) -> None:
    """There, nobody knows whether the store is protected: taking it out of the manifest is no way around."""
    two = [
        {"name": name, "bucket": str(tmp_path / name), "protect": name == "kept"} for name in ("data", "kept")
    ]
    here.provision("apply", _manifest(here, s3, tmp_path / "data", artifact_stores=two), "-y")
    one = _manifest(there, s3, tmp_path / "data", artifact_stores=two[:1])
    done = there.provision("apply", one, "-y", expect=6)
    assert "does not know whether it is protected" in done.err
    assert (tmp_path / "kept").is_dir()


def test_what_another_machine_protects_is_not_destroyed_unseen(
    here: World, there: World, s3: Emulator, tmp_path: Path
) -> None:
    """Nor is a destroy with a manifest that no longer names the store, or calls it somebody else's."""
    data, kept = (
        {"name": name, "bucket": str(tmp_path / name), "protect": name == "kept"} for name in ("data", "kept")
    )
    here.provision("apply", _manifest(here, s3, tmp_path, artifact_stores=[data, kept]), "-y")
    adopted = {**kept, "existing": True}
    for stores in ([data], [data, adopted], [data, {**adopted, "protect": False}]):
        manifest = _manifest(there, s3, tmp_path, artifact_stores=stores)
        refused = there.provision("destroy", manifest, "-y", "--force-nonempty", expect=6)
        assert "kept" in refused.err
        assert (tmp_path / "kept").is_dir()
        assert (tmp_path / "data").is_dir()
    said = _manifest(there, s3, tmp_path, artifact_stores=[data, {**kept, "protect": False}])
    there.provision("destroy", said, "-y")
    assert not (tmp_path / "kept").exists()


def test_a_second_apply_is_told_who_holds_the_lock(
    here: World, there: World, s3: Emulator, tmp_path: Path
) -> None:
    gate = here.slow()
    first = here.start("apply", _manifest(here, s3, tmp_path / "data"), "-y", environment=gate.environment)
    gate.wait()
    done = there.provision("apply", _manifest(there, s3, tmp_path / "data"), "-y", expect=6)
    lock = _remote(s3, f"{KEY}.tflock")
    assert lock["Who"] in done.err
    assert lock["ID"] in done.err
    assert "(apply) since" in done.err
    assert "next: wait for it, or give --lock-timeout SECONDS" in done.err
    gate.open()
    ended(first)
    there.provision("apply", _manifest(there, s3, tmp_path / "data"), "-y")
    assert _objects(s3) == [KEY]


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(True, id="provision and Terraform"),
        pytest.param(False, id="Terraform alone", marks=pytest.mark.slow),
    ],
)
def test_a_killed_apply_leaves_a_lock_that_recover_ends(
    here: World, there: World, s3: Emulator, tmp_path: Path, whole: bool
) -> None:
    manifest = _manifest(here, s3, tmp_path / "data")
    gate = here.slow()
    running = here.start("apply", manifest, "-y", environment=gate.environment)
    gate.wait()
    wait_until(lambda: _noted_process(here) is not None, "the journal to say who is at work")
    pid = _noted_process(here) or 0
    if whole:
        running.kill()
    here.kill(lambda process: process.pid != running.pid)
    wait_until(lambda: not is_alive(pid), "Terraform to be gone")
    done = ended(running, None)
    assert whole or done.code == 5
    assert _objects(s3) == [f"{KEY}.tflock"]

    other = there.provision("apply", _manifest(there, s3, tmp_path / "data"), "-y", expect=6)
    assert "is locked by" in other.err

    refused = here.provision("apply", manifest, "-y", expect=6)
    assert "which was killed here" in refused.err
    assert "next: run: provision recover demo" in refused.err
    told = here.provision("recover", "demo", "-y")
    assert "the run that was cut off left it, to be ended" in told.out
    assert _objects(s3) == []
    here.provision("apply", manifest, "-y")
    assert _objects(s3) == [KEY]
    assert here.provision("plan", manifest, "--detailed-exitcode").code == 0
    assert here.registered() == ["data"]


def test_a_lock_without_a_trace_is_ended_only_by_name(here: World, s3: Emulator, tmp_path: Path) -> None:
    """Whose it is cannot be known here: it is told, with the command that ends it."""
    manifest = _manifest(here, s3, tmp_path / "data")
    here.provision("apply", manifest, "-y")
    lock = {"ID": "4711", "Who": "somebody@elsewhere", "Operation": "OperationTypePlan"}
    lock |= {"Created": "2026-01-02T03:04:05.678901234Z", "Version": "1.11.4", "Info": "", "Path": KEY}
    s3.client("s3").put_object(Bucket=BUCKET, Key=f"{KEY}.tflock", Body=json.dumps(lock).encode())
    refused = here.provision("plan", manifest, expect=6)
    assert "locked by somebody@elsewhere (plan) since 2026-01-02 03:04:05 UTC, lock 4711" in refused.err
    told = here.provision("recover", "demo", "-y")
    assert "only if you know that run to be dead" in told.out
    assert "provision recover demo --force-unlock 4711" in told.out
    here.provision("plan", manifest, expect=6)
    here.provision("recover", "demo", "--force-unlock", "wrong", "-y", expect=5)
    here.provision("recover", "demo", "--force-unlock", "4711", "-y")
    here.provision("plan", manifest)


@pytest.mark.slow
def test_a_killed_provision_is_followed_by_the_next(here: World, s3: Emulator, tmp_path: Path) -> None:
    manifest = _manifest(here, s3, tmp_path / "data")
    gate = here.slow()
    running = here.start("apply", manifest, "-y", environment=gate.environment)
    gate.wait()
    running.kill()
    running.communicate()
    following = here.start("apply", manifest, "-y")
    gate.open()
    done = ended(following)
    assert "it is now registered" in done.err
    assert _objects(s3) == [KEY]


@pytest.mark.parametrize("damage", [b"", b'{"version": 4, "ser'], ids=["zero bytes", "cut off"])
def test_a_damaged_remote_state_is_refused_with_the_way_back(
    here: World, s3: Emulator, tmp_path: Path, damage: bytes
) -> None:
    manifest = _manifest(here, s3, tmp_path / "data")
    here.provision("apply", manifest, "-y")
    good = _remote(s3)
    s3.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=damage)
    for verb in (("plan",), ("apply", "-y"), ("destroy", "-y")):
        done = here.provision(verb[0], manifest, *verb[1:], expect=6)
        assert f"s3://{BUCKET}/{KEY}" in done.err
        assert "put it back with: aws s3 cp " in done.err
    (copy,) = (here.workspace() / "backups").iterdir()
    kept = json.loads(copy.read_bytes())
    assert [kept[name] for name in ("lineage", "serial", "resources")] == [
        good[name] for name in ("lineage", "serial", "resources")
    ]
    assert str(copy) in done.err
    s3.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=copy.read_bytes())
    here.provision("plan", manifest, "--detailed-exitcode")


def test_a_state_that_could_not_be_stored_is_given_back(here: World, s3: Emulator, tmp_path: Path) -> None:
    """The bucket takes the lock and then no state: Terraform leaves it in the workspace."""
    refusing = {"state": True}

    def refuse(asked: Asked) -> bool:
        return refusing["state"] and asked.method == "PUT" and asked.path.endswith("terraform.tfstate")

    with between(s3.url, refuse) as url:
        manifest = _manifest(here, s3, tmp_path / "data", state=_state(s3, endpoint_url=url))
        here.provision("apply", manifest, "-y", expect=5)
        assert (here.workspace() / "root" / "errored.tfstate").exists()
        refused = here.provision("apply", manifest, "-y", expect=6)
        assert "could not store its state" in refused.err
        refusing["state"] = False
        here.provision("recover", "demo", "-y")
        assert here.provision("plan", manifest, "--detailed-exitcode").code == 0
        here.provision("apply", manifest, "-y")
    assert here.registered() == ["data"]
    assert _objects(s3) == [KEY]


def test_two_stacks_at_one_key_are_refused(here: World, s3: Emulator, tmp_path: Path) -> None:
    """An AWS stack is labelled with its name, and so is its state; here one is put there by hand."""
    attributes = {"tags": {"stack": "another", "provisioned-by": "stack-provisioner"}}
    state = {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 3,
        "lineage": "a-lineage",
        "outputs": {},
        "resources": [
            {
                "mode": "managed",
                "type": "terraform_data",
                "name": "this",
                "provider": 'provider["terraform.io/builtin/terraform"]',
                "instances": [{"schema_version": 0, "attributes": attributes}],
            }
        ],
        "check_results": None,
    }
    s3.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(state).encode())
    done = here.provision("plan", _manifest(here, s3, tmp_path / "data"), expect=6)
    assert "is that of the stack another, not of demo" in done.err


def test_the_state_moves_only_when_it_is_told_to(here: World, s3: Emulator, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    local = _manifest(here, s3, folder, state={"backend": "local"})
    here.provision("apply", local, "-y")
    remote = _manifest(here, s3, folder)
    for verb in (("plan",), ("apply", "-y"), ("destroy", "-y")):
        refused = here.provision(verb[0], remote, *verb[1:], expect=6)
        assert f"the manifest now has it at s3://{BUCKET}/{KEY}" in refused.err
        assert "--migrate-state" in refused.err
    assert _objects(s3) == []
    moved = here.provision("apply", remote, "-y", "--migrate-state")
    assert "the state has been moved to" in moved.err
    assert _objects(s3) == [KEY]
    assert not here.terraform_state().exists()
    here.provision("plan", remote, "--detailed-exitcode")

    elsewhere = _manifest(here, s3, folder, state=_state(s3, key="another/key"))
    here.provision("plan", elsewhere, expect=6)
    here.provision("apply", elsewhere, "-y", "--migrate-state")
    assert _remote(s3, "another/key")["lineage"] == _remote(s3)["lineage"]

    back = _manifest(here, s3, folder, state={"backend": "local"})
    here.provision("plan", back, expect=6)
    here.provision("apply", back, "-y", "--migrate-state")
    assert here.terraform_state().exists()
    assert not (here.workspace() / "root" / "backend.tf").exists()
    here.provision("destroy", back, "-y")


def test_a_state_is_never_moved_over_another(here: World, there: World, s3: Emulator, tmp_path: Path) -> None:
    there.provision("apply", _manifest(there, s3, tmp_path / "theirs"), "-y")
    theirs = _remote(s3)
    here.provision("apply", _manifest(here, s3, tmp_path / "data", state={"backend": "local"}), "-y")
    manifest = _manifest(here, s3, tmp_path / "data")
    refused = here.provision("apply", manifest, "-y", "--migrate-state", expect=6)
    assert "what lies there is not the state of demo" in refused.err
    assert _remote(s3) == theirs
    assert here.terraform_state().exists()


@pytest.mark.slow
def test_a_move_that_somebody_else_has_made_is_found(
    here: World, there: World, s3: Emulator, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    for world in (here, there):
        world.provision("apply", _manifest(world, s3, folder), "-y")
    new = _state(s3, key="another/key")
    here.provision("apply", _manifest(here, s3, folder, state=new), "-y", "--migrate-state")
    done = there.provision("plan", _manifest(there, s3, folder, state=new), "--detailed-exitcode")
    assert "moved to s3://terraform-states/another/key already" in done.err


def test_an_engine_that_cannot_lock_is_refused(here: World, s3: Emulator, tmp_path: Path) -> None:
    old = tmp_path / "terraform"
    old.write_text('#!/bin/sh\necho \'{"terraform_version": "1.9.8"}\'\n')
    old.chmod(0o755)
    manifest = _manifest(here, s3, tmp_path / "data")
    done = here.provision("plan", manifest, "--terraform", old, expect=3)
    assert "state.backend s3 locks with Terraform or OpenTofu 1.10 and newer; this is 1.9.8" in done.err


def _checks(done: Done) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in done.json if check["name"].endswith(" of demo")}


def test_doctor_proves_that_the_lock_keeps_a_second_writer_out(
    here: World, s3: Emulator, tmp_path: Path
) -> None:
    manifest = _manifest(here, s3, tmp_path / "data")
    checks = _checks(here.provision("doctor", manifest, "--format", "json", expect=None))
    assert checks["lock of demo"]["found"] == f"s3://{BUCKET}/{KEY}: a second writer is kept out"
    assert checks["lock of demo"]["fix"] == ""
    assert checks["holder of the lock of demo"]["found"] == "free"
    assert _objects(s3) == [], "what it tried with is gone"


def test_doctor_finds_a_service_that_ignores_the_condition(here: World, s3: Emulator, tmp_path: Path) -> None:
    with careless(s3.url) as url:
        manifest = _manifest(here, s3, tmp_path / "data", state=_state(s3, endpoint_url=url))
        checks = _checks(here.provision("doctor", manifest, "--format", "json", expect=1))
    assert "ignores conditional writes (If-None-Match)" in checks["lock of demo"]["found"]
    assert "state.backend: local" in checks["lock of demo"]["fix"]
    assert _objects(s3) == []


def test_doctor_says_what_is_missing(here: World, s3: Emulator, tmp_path: Path) -> None:
    state = _state(s3, bucket="nobody-made-this")
    manifest = _manifest(here, s3, tmp_path / "data", state=state)
    checks = _checks(here.provision("doctor", manifest, "--format", "json", expect=1))
    assert "NoSuchBucket" in checks["lock of demo"]["found"]
    assert "make the bucket first" in checks["lock of demo"]["fix"]


def _noted_process(world: World) -> int | None:
    journal = world.workspace() / "journal.json"
    try:
        process = json.loads(journal.read_text())["process"]
    except (FileNotFoundError, ValueError):
        return None
    return process["pid"] if process else None
