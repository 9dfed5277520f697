"""A repository's policy over validate, plan, apply and destroy, with real plans."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from bundles import git
from emulator import REGION, Emulator
from world import World

CHECKOV = Path(__file__).parents[2] / ".venv-checkov" / "bin" / "checkov"


def policy(world: World, **rules: object) -> None:
    """The policy of this world."""
    (world.folder / "policy.yaml").write_text(json.dumps({"version": 1, "rules": rules}))


def test_what_the_policy_denies_is_neither_bundled_nor_done(world: World) -> None:
    manifest = world.manifest(provider="local", artifact_stores=[{"name": "main", "protect": False}])
    policy(world, protected="deny", names={"level": "warn", "stack": "ml-*"})
    denied = f"{manifest}:8:15: artifact_stores[0].protect: protected: main could be destroyed"

    assert denied in world.provision("validate", manifest, expect=6).err
    plan = world.provision("plan", manifest, "--out", "x.bundle", expect=6)
    assert f"does not allow: {denied}" in plan.out
    assert "warns: " in plan.out
    assert "no bundle is made: the policy does not allow it" in plan.err
    assert not (world.folder / "x.bundle").exists()
    among_many = world.provision("plan", manifest, "--report", "all.json", expect=6)
    assert f"does not allow: {denied}" in among_many.out
    assert denied in world.provision("apply", manifest, "-y", expect=6).err
    assert world.registered() == []

    kept = world.provision("apply", manifest, "-y", "--set", "artifact_stores.main.protect=true")
    assert f"warning: {manifest}:3:10: name: names: found demo" in kept.err
    assert world.registered() == ["main"]


def test_a_policy_that_was_made_stricter_meets_a_bundle_of_before(world: World) -> None:
    manifest = world.manifest(provider="local", artifact_stores=[{"name": "main"}])
    world.provision("plan", manifest, "--out", "x.bundle")
    policy(world, names={"stack": "ml-*"})

    assert "names: found demo" in world.provision("apply", "--plan", "x.bundle", "-y", expect=6).err
    (world.folder / "other.yaml").write_text("version: 1\n")
    world.provision("apply", "--plan", "x.bundle", "-y", "--policy", "other.yaml")
    assert world.registered() == ["main"]


def test_lost_data_is_denied_by_every_way_to_lose_it(world: World) -> None:
    stores = [{"name": "main", "protect": False}, {"name": "other", "protect": False}]
    world.provision("apply", world.manifest(provider="local", artifact_stores=stores), "-y", "--no-verify")
    policy(world, data_destroyed="deny")
    fewer = world.manifest(provider="local", artifact_stores=stores[:1])

    for command in (
        ("plan", fewer),
        ("apply", fewer, "-y"),
        ("destroy", fewer, "-y"),
        ("destroy", "demo", "-y"),  # by name alone: the policy is that of the file it was applied from
    ):
        done = world.provision(*command, expect=6)
        assert "data_destroyed: other: terraform_data.directory[0] is deleted" in done.said
    assert world.registered() == ["main", "other"]


def test_a_policy_that_asks_for_signatures_takes_nothing_else(world: World) -> None:
    manifest = world.manifest(provider="local", artifact_stores=[{"name": "main"}])
    key = world.provision("bundle", "keygen", "key.pem").out.strip()
    (world.folder / "policy.yaml").write_text(f"version: 1\nrequire_signature: ['{key}']\n")
    world.provision("plan", manifest, "--out", "unsigned.bundle")
    world.provision("plan", manifest, "--out", "signed.bundle", "--sign-with", "key.pem")

    assert "only signed bundles are applied" in world.provision("apply", manifest, "-y", expect=6).err
    unsigned = world.provision("apply", "--plan", "unsigned.bundle", "-y", expect=6)
    assert "is not signed, and a signature is required" in unsigned.err
    world.provision("apply", "--plan", "signed.bundle", "-y")
    assert world.registered() == ["main"]


def test_a_key_in_the_secret_store_signs(world: World) -> None:
    manifest = world.manifest(provider="local", artifact_stores=[{"name": "main"}])
    key = world.provision("bundle", "keygen", "key.pem").out.strip()
    secret = {"STACKS_SECRET__SIGNING__PEM": (world.folder / "key.pem").read_text()}
    options = ("--out", "x.bundle", "--sign-with", "{{signing.pem}}")

    world.provision("plan", manifest, *options, environment=secret)

    verified = world.provision("bundle", "verify", "x.bundle", "--require-signature", key)
    assert f"whole, signed with {key}" in verified.out
    told = world.provision("bundle", "inspect", "x.bundle", "--format", "json").json
    assert [item["signed_with"] for item in told] == [key]
    (world.folder / "key.pem").chmod(0o644)
    options = ("--out", "x.bundle", "--sign-with", "key.pem")
    assert "key.pem can be read by others" in world.provision("plan", manifest, *options).err
    in_the_open = ("--sign-with", (world.folder / "key.pem").read_text())
    refused = world.provision("plan", manifest, "--out", "y.bundle", *in_the_open, expect=3)
    assert "can be read by every user" in refused.err


def test_every_form_of_a_plan_tells_the_same(world: World) -> None:
    stores = [{"name": "main"}, {"name": "other", "protect": False}]
    world.provision("apply", world.manifest(provider="local", artifact_stores=stores), "-y", "--no-verify")
    stores = [{"name": "main", "protect": False}]
    manifest = world.manifest(provider="local", artifact_stores=stores)
    policy(world, names={"level": "warn", "stack": "ml-*"})
    schema = world.provision("schema", "--of", "plan").json

    (told,) = world.provision("plan", manifest, "--format", "json").json
    jsonschema.Draft202012Validator(schema).validate([told])
    assert {(danger["kind"], danger["component"]) for danger in told["dangers"]} == {
        ("data", "other"),
        ("protection", "main"),
    }
    assert [finding["line"] for finding in told["findings"]] == [3]

    text = world.provision("plan", manifest).out
    assert "! data is lost: other: terraform_data.directory[0] is deleted, with everything in it" in text
    markdown = world.provision("plan", manifest, "--format", "markdown").out
    assert markdown.startswith("<!-- stack-provisioner: apply -->\n## Plan for `demo`: 0 to add")
    assert markdown.index("Data is lost") < markdown.index("Less protection") < markdown.index("<details>")
    github = world.provision("plan", manifest, "--format", "github").out
    assert "::warning::demo: other: terraform_data.directory[0] is deleted" in github
    assert f"::warning file={manifest},line=3,col=10::names: found demo" in github


def test_removing_what_was_adopted_forgets_it_and_destroys_nothing(world: World) -> None:
    theirs = world.folder / "theirs"
    theirs.mkdir()
    (theirs / "data.csv").write_text("1,2")
    own = {"name": "own", "protect": False}
    adopted = {"name": "adopted", "bucket": "theirs", "existing": True}
    both = world.manifest(provider="local", artifact_stores=[own, adopted])
    world.provision("apply", both, "-y")
    policy(world, data_destroyed="deny")

    without = world.manifest(provider="local", artifact_stores=[own])
    (plan,) = world.provision("plan", without, "--format", "json").json
    assert (plan["counts"]["destroy"], plan["dangers"]) == (0, [])
    assert "No drift" in world.provision("drift", without).out
    world.provision("apply", without, "-y")

    assert (theirs / "data.csv").read_text() == "1,2"
    assert world.registered() == ["own"]
    assert "No drift" in world.provision("drift", without).out


@pytest.mark.slow
@pytest.mark.skipif(not CHECKOV.exists(), reason="checkov is not installed in .venv-checkov")
def test_aws_permissions_and_checkov_over_a_real_plan(aws: World, cloud: Emulator) -> None:
    rules = {"noncurrent_days": None, "abort_multipart_days": None}
    fields = {"provider": "aws", "region": REGION, "endpoint_url": cloud.url}
    manifest = aws.manifest(artifact_stores=[{"name": "plain", "lifecycle": rules}], **fields)
    policy(aws, wider_permissions="deny", checkov={"level": "deny"})
    real = {"PROVISION_CHECKOV": str(CHECKOV)}

    done = aws.provision("plan", manifest, "--format", "json", environment=real, expect=None)

    (told,) = done.json
    found = [finding for finding in told["findings"] if finding["rule"] == "wider_permissions"]
    assert found == []
    failed = {finding["message"].split(": ")[1] for finding in told["findings"]}
    # Over plain HTTP there is no policy that denies it, and without lifecycle rules nothing expires.
    assert failed <= {"CKV_AWS_300", "CKV2_AWS_61", "CKV2_AWS_65", "CKV_AWS_379"}
    assert all(finding["path"] == "artifact_stores[0]" for finding in told["findings"])
    assert done.code == (6 if failed else 0)
    missing = aws.provision("plan", manifest, "--format", "json")
    assert "Checkov is not installed" in missing.json[0]["findings"][0]["message"]


def test_a_runner_that_knows_nothing_compares_with_the_branch_to_merge_into(world: World) -> None:
    """A protection that a pull request takes away is no difference that Terraform would plan."""
    (world.folder / "bin" / "git").symlink_to(str(shutil.which("git")))
    (world.folder / "stacks").mkdir()
    (world.folder / "base.yaml").write_text('{"version": 1, "tags": {"team": "ml"}}')
    fields = {"provider": "local", "extends": "../base.yaml"}
    git(world.folder, "init", "-q", "-b", "main")
    world.manifest("stacks/demo.yaml", artifact_stores=[{"name": "main"}], **fields)
    git(world.folder, "add", "stacks", "base.yaml")
    git(world.folder, "commit", "-q", "-m", "protected")
    git(world.folder, "checkout", "-q", "-b", "change")
    world.manifest("stacks/demo.yaml", artifact_stores=[{"name": "main", "protect": False}], **fields)
    git(world.folder, "commit", "-q", "-a", "-m", "no longer")

    (told,) = world.provision("plan", "stacks", "--changed-since", "main", "--format", "json").json

    assert [(danger["kind"], danger["component"]) for danger in told["dangers"]] == [("protection", "main")]
    (told,) = world.provision("plan", "stacks", "--format", "json").json
    assert told["dangers"] == []
