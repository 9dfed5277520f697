"""A plan that was reviewed is the plan that is applied; anything else is refused, and the reason named."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bundles import git, refused, resealed
from world import World

from provisioner.bundle import Record, read_bundle
from provisioner.engine import Engine
from provisioner.errors import StalePlanError
from provisioner.manifest import load_manifest
from provisioner.summary import Summary
from provisioner.terraform.locate import locate
from stacks.state import StateFile

STORES = [{"name": "main", "protect": False}]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, any_terraform: Path | None) -> Iterator[World]:
    """A repository with one applied stack and the reviewed bundle of a change to it."""
    own = World.create(tmp_path_factory.mktemp("bundles") / "world", any_terraform)
    (own.folder / "bin" / "git").symlink_to(str(shutil.which("git")))
    git(own.folder, "init", "-q", "-b", "main")
    (own.folder / ".gitignore").write_text("home/\nstate/\nbin/\n*.bundle\n*.pem\n")
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


def test_a_state_that_moves_on_while_somebody_is_asked(reviewed: World, any_terraform: Path | None) -> None:
    """Between the check and the apply only Terraform can see it, under the lock of the state."""
    state = json.loads(reviewed.terraform_state().read_text())

    def agree_slowly(_summary: Summary) -> bool:
        reviewed.terraform_state().write_text(json.dumps({**state, "serial": state["serial"] + 1}))
        return True

    engine = Engine(
        state_file=StateFile(reviewed.environment["STACKS_STATE"]),
        executable=locate(str(any_terraform) if any_terraform else None),
        environ=reviewed.environment,
    )
    bundle = read_bundle(reviewed.folder / "reviewed.bundle")

    with pytest.raises(StalePlanError, match="the state was changed while this waited"):
        engine.apply_bundle(
            load_manifest(reviewed.folder / "stack.yaml"), bundle, confirm=agree_slowly, any_commit=True
        )

    assert not (reviewed.workspace() / "journal.json").exists()
