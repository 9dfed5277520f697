"""What is as it was reviewed is applied: in another checkout, by another user, on another machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bundles import refused, resealed
from emulator import ACCOUNT, REGION, Emulator
from world import World

from provisioner.bundle import read_bundle

STORES = [{"name": "main", "protect": False}]


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


@pytest.mark.slow
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


def session_of(cloud: Emulator, role: str, name: str) -> dict[str, str]:
    """The environment of a job of CI, which acts as a role; each job is a session of its own."""
    iam = cloud.client("iam")
    if role not in cloud.roles():
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Statement": []}))
    given = cloud.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName=name
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


@pytest.mark.slow
def test_a_role_is_never_trusted_because_it_made_the_plan(aws: World, cloud: Emulator) -> None:
    """In a pipeline, any pull request may act as the role that plans."""
    fields: dict[str, Any] = {"provider": "aws", "region": REGION, "endpoint_url": cloud.url, "name": "roles"}
    stores = [{"name": "trusting", "lifecycle": {"noncurrent_days": None, "abort_multipart_days": None}}]
    manifest = aws.manifest("roles.yaml", **fields, artifact_stores=stores)
    planner, applier = session_of(cloud, "ci-plan", "pull-1"), session_of(cloud, "ci-apply", "merge-1")
    plan, apply = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("ci-plan", "ci-apply"))

    told = aws.provision("plan", manifest, "--out", "roles.bundle", environment=planner).out
    assert f"it would be trusted to {plan}, who made this plan, and nobody else can apply it" in told
    done = aws.provision("apply", manifest, "--plan", "roles.bundle", "-y", expect=6, environment=applier)
    assert (
        f"trusting_connector would be trusted to {plan}, who made the plan, and {apply} applies" in done.err
    )
    assert "name its trusted_principals in the manifest" in done.err
    assert not any(role.startswith("roles-trusting") for role in cloud.roles())

    again = session_of(cloud, "ci-plan", "pull-2")
    done = aws.provision("apply", manifest, "--plan", "roles.bundle", "-y", "--no-verify", environment=again)
    assert "Applied roles" in done.out


def test_bundles_are_told_apart_from_other_files(world: World) -> None:
    (world.folder / "x.bundle").write_bytes(b"PK\3\4 a plan file of Terraform's")

    assert "is not a bundle" in world.provision("apply", "--plan", "x.bundle", "-y", expect=3).err
    assert "cannot be read" in world.provision("apply", "--plan", "none.bundle", "-y", expect=3).err


def test_with_a_remote_state_any_machine_applies_it_once(
    world: World, cloud: Emulator, tmp_path: Path, any_terraform: Path | None
) -> None:
    """Planned by one runner and applied by another, with nothing in common but the bucket of the state."""
    cloud.bucket("states")
    runner = World.create(tmp_path / "runner", any_terraform, **cloud.credentials)
    world.environment.update(cloud.credentials)
    state = {"backend": "s3", "bucket": "states", "region": REGION, "endpoint_url": cloud.url}
    stores = [{"name": name, "bucket": str(tmp_path / name), "protect": False} for name in ("one", "two")]
    for machine in (world, runner):
        machine.manifest(provider="local", artifact_stores=stores[:1], state=state)
    world.provision("plan", "stack.yaml", "--out", "first.bundle")
    first = world.folder / "first.bundle"
    assert "Applied demo" in runner.provision("apply", "--plan", first, "-y").out
    assert "reviewed was a stack that did not exist yet" in refused(world, plan=first)

    for machine in (world, runner):
        machine.manifest(provider="local", artifact_stores=stores, state=state)
    world.provision("plan", "stack.yaml", "--out", "second.bundle")
    second = world.folder / "second.bundle"
    serial = read_bundle(second).record.state
    assert serial is not None
    runner.provision("apply", "stack.yaml", "-y", "--set", "tags={a: b}")
    assert f"the state's serial: reviewed was {serial.serial}, here is" in refused(runner, plan=second)
    runner.close()


def test_a_new_name_goes_through_a_bundle_as_a_new_name(world: World) -> None:
    world.provision("apply", world.manifest(provider="local", artifact_stores=STORES), "-y", "--no-verify")
    renamed = [{**STORES[0], "name": "other", "renamed_from": "main"}]
    manifest = world.manifest(provider="local", artifact_stores=renamed)

    plan = world.provision("plan", manifest, "--out", "x.bundle")
    assert "0 to destroy, 2 to rename." in plan.out
    told = world.provision("bundle", "inspect", "x.bundle").out
    assert "does: apply: 2 move" in told
    assert "signed with: nothing: it is not signed" in told
    world.provision("apply", "--plan", "x.bundle", "-y", "--no-verify")

    assert world.registered() == ["other"]
    assert "No changes" in world.provision("apply", manifest, "-y").out
