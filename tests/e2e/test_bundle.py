"""A plan that was reviewed is the plan that is applied; anything else is refused, and the reason named."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator import ACCOUNT, REGION, Emulator
from world import World

from provisioner.bundle import Record, read_bundle

STORES = [{"name": "main", "protect": False}]


def git(folder: Path, *argv: str) -> str:
    """Run git as somebody, with no configuration of this machine's user."""
    program = shutil.which("git")
    if program is None:
        pytest.skip("git is not on PATH")
    done = subprocess.run(
        [program, "-c", "user.name=test", "-c", "user.email=test@example.com", "-C", str(folder), *argv],
        env={"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def resealed(bundle: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The bundle as it would have been, had it been planned elsewhere or otherwise."""
    found = read_bundle(bundle)
    value = found.record.model_dump(mode="json")
    change(value)
    record = Record.model_validate(value)
    other = dataclasses.replace(found, record=record, record_bytes=record.to_bytes(), signature=None)
    other.write(target)
    return target


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, any_terraform: Path | None) -> Iterator[World]:
    """A repository with one applied stack and the reviewed bundle of a change to it."""
    own = World.create(tmp_path_factory.mktemp("bundles") / "world", any_terraform)
    (own.folder / "bin" / "git").symlink_to(str(shutil.which("git")))
    git(own.folder, "init", "-q", "-b", "main")
    (own.folder / ".gitignore").write_text("home/\nstate/\nbin/\n*.bundle\n*.pem\n")
    own.manifest("base.yaml", stack={"activate": False})
    (own.folder / "base.yaml").write_text(json.dumps({"version": 1, "stack": {"activate": False}}))
    own.manifest(provider="local", artifact_stores=STORES, extends="base.yaml")
    git(own.folder, "add", ".")
    git(own.folder, "commit", "-q", "-m", "one store")
    own.provision("apply", "stack.yaml", "-y", "--no-verify")
    own.manifest(provider="local", artifact_stores=[*STORES, {"name": "second"}], extends="base.yaml")
    git(own.folder, "commit", "-q", "-a", "-m", "two stores")
    own.provision("bundle", "keygen", "key.pem")
    own.provision("plan", "stack.yaml", "--out", "reviewed.bundle", "--sign-with", "key.pem")
    yield own
    own.close()


@pytest.fixture
def reviewed(shared: World) -> Iterator[World]:
    """The same, put back afterwards; nothing that was refused may have changed the stack."""
    kept = {path: path.read_bytes() for path in (*shared.folder.glob("*.yaml"), shared.terraform_state())}
    head = git(shared.folder, "rev-parse", "HEAD")
    yield shared
    assert shared.registered() == ["main"]
    assert not (shared.workspace() / "run.tfplan").exists()
    git(shared.folder, "reset", "-q", "--hard", head)
    for path, content in kept.items():
        path.write_bytes(content)


def refused(world: World, *argv: str | Path, plan: str | Path = "reviewed.bundle") -> str:
    """What is said when the bundle is refused."""
    done = world.provision("apply", "--plan", plan, "-y", *argv, expect=6)
    return done.err


def test_a_bundle_is_one_private_file_bound_to_everything(shared: World) -> None:
    bundle = shared.folder / "reviewed.bundle"
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    record = read_bundle(bundle).record

    assert record.stack == "demo"
    assert record.revision is not None
    assert record.revision.commit == git(shared.folder, "rev-parse", "HEAD")
    assert record.revision.dirty == []
    assert [source.path for source in record.manifest.sources] == ["stack.yaml", "base.yaml"]
    assert record.state is not None
    state = json.loads(shared.terraform_state().read_text())
    assert (record.state.lineage, record.state.serial) == (state["lineage"], state["serial"])
    assert {"main.tf", "terraform.tfvars.json", "modules/local/artifact-store/outputs.tf"} <= set(
        record.rendering
    )
    assert [change.address.split(".")[1] for change in record.changes] == ["store_second"] * 2


def test_the_manifest_is_not_the_reviewed_one(reviewed: World) -> None:
    with (reviewed.folder / "stack.yaml").open("a") as file:
        file.write("\n# a comment\n")

    assert "the manifest: stack.yaml is not the file that was reviewed" in refused(reviewed)


def test_what_it_extends_is_not_the_reviewed_one(reviewed: World) -> None:
    with (reviewed.folder / "base.yaml").open("a") as file:
        file.write("\n# a comment\n")

    said = refused(reviewed)

    assert "what the manifest extends: base.yaml is not the file that was reviewed" in said
    assert "the manifest:" not in said


def test_other_options_than_the_reviewed_ones(reviewed: World) -> None:
    said = refused(reviewed, "--set", "tags={team: ml}")

    assert "--set: reviewed with none, now with tags={team: ml}" in said


def test_the_modules_are_not_the_reviewed_ones(reviewed: World) -> None:
    name = "modules/local/artifact-store/outputs.tf"
    other = resealed(
        reviewed.folder / "reviewed.bundle",
        reviewed.folder / "other.bundle",
        lambda record: record["rendering"].update({name: "0" * 64}),
    )

    assert f"the modules: {name} differ; reviewed with version" in refused(reviewed, plan=other)


def test_the_rendering_is_not_the_reviewed_one(reviewed: World) -> None:
    other = resealed(
        reviewed.folder / "reviewed.bundle",
        reviewed.folder / "other.bundle",
        lambda record: record["rendering"].update({"main.tf": "0" * 64}),
    )

    assert "the rendering: main.tf differ" in refused(reviewed, plan=other)


def test_terraform_is_not_the_reviewed_one(reviewed: World) -> None:
    real = next((reviewed.folder / "bin" / name) for name in ("terraform", "tofu", "sh"))
    fake = reviewed.folder / "home" / "terraform"
    fake.write_text(
        '#!/bin/sh\nif [ "$1" = version ]; then echo \'{"terraform_version": "1.6.0"}\'; exit; fi\n'
        f'exec {real} "$@"\n'
    )
    fake.chmod(0o755)

    said = refused(reviewed, "--terraform", fake)

    version = read_bundle(reviewed.folder / "reviewed.bundle").record.engine.version
    assert f"reviewed with {version}, here is 1.6.0" in said


def test_another_commit_with_other_files_is_refused_unless_any_will_do(reviewed: World) -> None:
    (reviewed.folder / "notes.txt").write_text("x")
    git(reviewed.folder, "add", ".")
    git(reviewed.folder, "commit", "-q", "-m", "something else")
    commit = git(reviewed.folder, "rev-parse", "HEAD")

    assert f"here is {commit[:12]}, with other files" in refused(reviewed)
    asked = reviewed.provision("apply", "--plan", "reviewed.bundle", "--any-commit", expect=3)
    assert "needs a confirmation" in asked.err  # everything else is as reviewed


def test_a_commit_with_the_same_files_is_as_good(reviewed: World) -> None:
    git(reviewed.folder, "commit", "-q", "--amend", "-m", "squashed")

    asked = reviewed.provision("apply", "--plan", "reviewed.bundle", expect=3)
    assert "needs a confirmation" in asked.err


def test_without_a_repository_the_commit_cannot_be_told(reviewed: World) -> None:
    (reviewed.folder / "bin" / "git").rename(reviewed.folder / "bin" / "no-git")
    try:
        assert "here no commit can be told" in refused(reviewed)
    finally:
        (reviewed.folder / "bin" / "no-git").rename(reviewed.folder / "bin" / "git")


def test_the_state_has_moved_on(reviewed: World) -> None:
    state = json.loads(reviewed.terraform_state().read_text())
    reviewed.terraform_state().write_text(json.dumps({**state, "serial": state["serial"] + 1}))

    serial = state["serial"]
    assert f"the state's serial: reviewed was {serial}, here is {serial + 1}" in refused(reviewed)


def test_the_state_is_another_ones(reviewed: World) -> None:
    def elsewhere(record: dict[str, Any]) -> None:
        record["state"]["lineage"] = "11111111-2222-3333-4444-555555555555"

    other = resealed(reviewed.folder / "reviewed.bundle", reviewed.folder / "other.bundle", elsewhere)
    said = refused(reviewed, plan=other)

    assert "the state's lineage: reviewed was 11111111-2222" in said
    assert "the plan file: it was made for another state than its record says" in said


def test_on_a_machine_without_the_state_it_is_said_plainly(reviewed: World) -> None:
    elsewhere = {"STACKS_STATE": str(reviewed.folder / "home" / "elsewhere" / "state.json")}

    done = reviewed.provision("apply", "--plan", "reviewed.bundle", "-y", environment=elsewhere, expect=6)
    assert "here is none. With `state.backend: local` it lies on the machine that has applied" in done.err


def test_a_bundle_of_another_stack(reviewed: World) -> None:
    other = reviewed.manifest("other.yaml", provider="local", name="other", artifact_stores=[{"name": "o"}])

    said = refused(reviewed, other)

    assert "reviewed.bundle is for the stack demo, but the manifest is of other" in said
    assert not (reviewed.home / "workspaces" / "other").exists()
    other.unlink()


def test_a_plan_file_that_was_exchanged(reviewed: World) -> None:
    """Even with a record to match: the plan itself is asked what it holds and what it would do."""
    found = read_bundle(reviewed.folder / "reviewed.bundle")
    reviewed.manifest("evil.yaml", provider="local", artifact_stores=[], name="demo")
    (reviewed.folder / "evil.yaml").write_text(
        json.dumps(
            {
                "version": 1,
                "name": "demo",
                "provider": "local",
                "stack": {"activate": False},
                "artifact_stores": [*STORES, {"name": "second", "bucket": "elsewhere"}],
            }
        )
    )
    reviewed.provision("plan", "evil.yaml", "--out", "evil.bundle")
    evil = read_bundle(reviewed.folder / "evil.bundle").plan
    value = found.record.model_dump(mode="json")
    value["files"]["plan.tfplan"] = hashlib.sha256(evil).hexdigest()
    record = Record.model_validate(value)
    forged = dataclasses.replace(
        found, plan=evil, record=record, record_bytes=record.to_bytes(), signature=None
    )
    forged.write(reviewed.folder / "forged.bundle")

    said = refused(reviewed, plan="forged.bundle")

    assert "the values: directories.second was" in said
    (reviewed.folder / "evil.yaml").unlink()


def test_a_bundle_that_destroys_says_so_and_respects_what_is_protected(reviewed: World) -> None:
    reviewed.provision("plan", "--destroy", "stack.yaml", "--out", "destroy.bundle")

    assert "destroy.bundle destroys demo" in refused(reviewed, plan="destroy.bundle")
    said = refused(reviewed, "--destroy", plan="destroy.bundle")
    assert "protected against destruction: second" in said
    assert "does not destroy demo" in refused(reviewed, "--destroy")


def test_a_required_signature(reviewed: World) -> None:
    public = read_bundle(reviewed.folder / "reviewed.bundle").signature
    assert public is not None
    other = reviewed.provision("bundle", "keygen", "other.pem").out.strip()
    (reviewed.folder / "other.pem").unlink()
    reviewed.provision("plan", "stack.yaml", "--out", "unsigned.bundle")

    assert "is not a key that is required here" in refused(reviewed, "--require-signature", other)
    assert "is not signed" in refused(
        reviewed, "--require-signature", public.public_key, plan="unsigned.bundle"
    )
    asked = reviewed.provision(
        "apply", "--plan", "reviewed.bundle", "--require-signature", public.public_key, expect=3
    )
    assert "needs a confirmation" in asked.err


def test_where_signatures_are_required_nothing_else_is_applied(reviewed: World) -> None:
    public = read_bundle(reviewed.folder / "reviewed.bundle").signature
    assert public is not None
    required = {"PROVISION_REQUIRE_SIGNATURE": public.public_key}

    done = reviewed.provision("apply", "stack.yaml", "-y", environment=required, expect=6)
    assert "only signed bundles are applied here" in done.err


# --- what is as reviewed is applied -------------------------------------------------------------------


def test_another_checkout_of_another_user_applies_it_with_the_shared_state(world: World) -> None:
    """Neither the path of the checkout nor the home is part of what was reviewed."""
    first, second = world.folder / "first", world.folder / "second" / "checkout"
    manifest = {"version": 1, "name": "demo", "provider": "local", "artifact_stores": STORES}
    for checkout in (first, second):
        checkout.mkdir(parents=True)
        (checkout / "stack.yaml").write_text(json.dumps(manifest))
    world.provision("plan", first / "stack.yaml", "--out", "demo.bundle", "--set", "tags={a: b}")
    home = world.folder / "another home"
    home.mkdir()
    other = {"HOME": str(home), "TMPDIR": str(home), "TZ": "Asia/Kathmandu", "LANG": "C"}

    done = world.provision("apply", second / "stack.yaml", "--plan", "demo.bundle", "-y", environment=other)

    assert "Applied demo" in done.out
    assert world.registered() == ["main"]
    again = world.provision("apply", second / "stack.yaml", "--plan", "demo.bundle", "-y", expect=6)
    assert "reviewed was a stack that did not exist yet" in again.err


def test_a_relative_directory_is_elsewhere_in_another_checkout(world: World) -> None:
    stores = [{"name": "main", "bucket": "data", "protect": False}]
    first, second = world.folder / "first", world.folder / "second"
    for checkout in (first, second):
        checkout.mkdir()
        (checkout / "stack.yaml").write_text(
            json.dumps({"version": 1, "name": "demo", "provider": "local", "artifact_stores": stores})
        )
    world.provision("plan", first / "stack.yaml", "--out", "demo.bundle")

    done = world.provision("apply", second / "stack.yaml", "--plan", "demo.bundle", "-y", expect=6)

    assert f'directories.main was "{first}/data", here it would be "{second}/data"' in done.err


def test_a_folder_of_bundles_is_applied_and_destroyed(world: World) -> None:
    (world.folder / "stacks").mkdir()
    for name in ("alpha", "beta"):
        world.manifest(
            f"stacks/{name}.yaml",
            name=name,
            provider="local",
            artifact_stores=[{"name": f"{name}_store", "protect": False}],
        )
    world.provision("plan", "stacks", "--out", "bundles")
    assert sorted(path.name for path in (world.folder / "bundles").iterdir()) == [
        "alpha.bundle",
        "beta.bundle",
    ]

    world.provision("apply", "--plan", "bundles", "-y", "--no-verify")
    assert world.registered() == ["alpha_store", "beta_store"]

    world.provision("plan", "stacks", "--destroy", "--out", "bundles")
    world.provision("apply", "--plan", "bundles/alpha.bundle", "--destroy", "-y")
    assert world.registered() == ["beta_store"]


def test_with_a_real_provider_it_is_bound_to_its_version_and_the_account(aws: World, cloud: Emulator) -> None:
    """Planned in one world and applied in another, with other folders, as CI does it."""
    manifest = aws.manifest(
        provider="aws",
        region=REGION,
        endpoint_url=cloud.url,
        artifact_stores=[
            {"name": "plain", "lifecycle": {"noncurrent_days": None, "abort_multipart_days": None}}
        ],
    )
    aws.provision("plan", manifest, "--out", "demo.bundle")
    bundle = aws.folder / "demo.bundle"
    record = read_bundle(bundle).record
    name = "registry.terraform.io/hashicorp/aws"
    assert record.account == ACCOUNT
    assert list(record.providers) == [name]

    def older(value: dict[str, Any]) -> None:
        value["providers"][name] = "5.0.0"

    def elsewhere(value: dict[str, Any]) -> None:
        value["account"] = "999999999999"

    other = resealed(bundle, aws.folder / "other.bundle", older)
    assert f"the provider {name}: reviewed with 5.0.0, which is not in" in refused(aws, plan=other)
    other = resealed(bundle, aws.folder / "other.bundle", elsewhere)
    assert f"the account: reviewed was 999999999999, the credentials belong to {ACCOUNT}" in refused(
        aws, plan=other
    )
    lock = aws.workspace() / "root" / ".terraform.lock.hcl"
    kept = lock.read_text()
    lock.write_text(kept.replace(record.providers[name], "5.0.0"))
    assert f"the provider {name}: reviewed with {record.providers[name]}, here is 5.0.0" in refused(
        aws, plan=bundle
    )
    lock.write_text(kept.replace('"h1:', '"h1:0'))
    assert "the provider lock file: the same versions, but other packages of them" in refused(
        aws, plan=bundle
    )

    runner = aws.folder / "runner"
    environment = {"STACKS_STATE": str(runner / "state.json"), "HOME": str(runner)}
    runner.mkdir()
    done = aws.provision("apply", manifest, "--plan", bundle, "-y", "--no-verify", environment=environment)
    assert "Applied demo" in done.out
    assert (runner / "workspaces" / "demo" / "root" / ".terraform.lock.hcl").read_text() == kept


def test_bundles_are_told_apart_from_other_files(world: World) -> None:
    (world.folder / "x.bundle").write_bytes(b"PK\3\4 a plan file of Terraform's")

    assert "is not a bundle" in world.provision("apply", "--plan", "x.bundle", "-y", expect=3).err
    assert "cannot be read" in world.provision("apply", "--plan", "none.bundle", "-y", expect=3).err
