"""Google Cloud beyond the everyday, from end to end: keys, the profile strict, runs that are cut off.

As in test_gcp.py: the real provider or a stand-in, and a project of the tests' own; the tests build on each
other, in their order here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from gcp_world import PLAIN, PLAIN_BUCKET, email, gcp_world, run, write
from google_identities import OWNER, PROJECT
from google_project import Project, running_project
from standin.mirror import Mirror
from terraform_rig import provider_mirror
from world import World

pytestmark = pytest.mark.slow  # minutes of real Terraform, beside which the default tests have shorter ones


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that holds nothing but who applies."""
    with running_project(tmp_path_factory.mktemp("project")) as running:
        yield running


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    """A mirror with the real provider, or with a stand-in for it."""
    made = Mirror(tmp_path_factory.mktemp("gcp") / "mirror")
    made.real_or_stand_in("google", "6.50.0", mirrors=(provider_mirror(),), handlers="standin_google")
    return made


@pytest.fixture(scope="module")
def gcp(
    tmp_path_factory: pytest.TempPathFactory, any_terraform: Path | None, mirror: Mirror, project: Project
) -> Iterator[World]:
    """A world that the tests of one file share."""
    with gcp_world(tmp_path_factory.mktemp("gcp-world"), any_terraform, mirror, project) as own:
        yield own


def test_a_key_is_minted_only_when_asked_for_and_never_enters_terraform(gcp: World, project: Project) -> None:
    keyed = {"name": "plain_connector", "auth_method": "service-account"}
    store = {**PLAIN, "protect": False}

    applied = gcp.provision("apply", write(gcp, store, connectors=[keyed]), "-y")

    assert "its credential was made and lies in the secret plain_connector_key" in applied.err
    (key_id,) = [name for name, held in project.keys.items() if held["email"] == email("plain_connector")]
    assert project.members(email("plain_connector"), "roles/iam.serviceAccountTokenCreator") == []
    everything = "".join(
        path.read_text(errors="replace") for path in gcp.workspace().rglob("*") if path.is_file()
    )
    assert "PRIVATE KEY" not in everything
    assert key_id not in everything + applied.said
    assert json.loads(run(gcp, "plain", "k.txt", "by key").stdout)["read"] == "by key"

    gcp.provision("apply", write(gcp, store, connectors=[keyed]), "-y")
    assert key_id in project.keys, "what works is kept"
    renewed = {**keyed, "authentication_secret": "second"}
    gcp.provision("apply", write(gcp, store, connectors=[renewed]), "-y", "--no-verify")
    assert key_id not in project.keys
    assert json.loads(run(gcp, "plain", "k.txt", "by the next").stdout)["read"] == "by the next"
    assert [secret["name"] for secret in gcp.provision("secret", "list", "--format", "json").json] == [
        "second"
    ]

    gcp.provision("destroy", "demo", "-y", "--force-nonempty")
    assert {held["email"] for held in project.keys.values()} == {OWNER}
    assert "second" not in gcp.provision("secret", "list").out


def test_strict_logs_to_a_bucket_of_its_own_and_encrypts_with_a_key_of_ours(
    gcp: World, project: Project
) -> None:
    strict = {**PLAIN, "profile": "strict", "protect": False}

    planned = gcp.provision("plan", write(gcp, strict))
    assert "google_kms_crypto_key" in planned.out
    assert "google_storage_bucket.logs" in planned.out
    gcp.provision("apply", write(gcp, strict), "-y")

    bucket, logs = project.buckets[PLAIN_BUCKET], project.buckets[f"{PLAIN_BUCKET}-logs"]
    key = bucket["encryption"]["defaultKmsKeyName"]
    assert project.kms[key]["rotationPeriod"] == "7776000s"
    assert bucket["logging"] == {"logBucket": logs["name"], "logObjectPrefix": PLAIN_BUCKET}
    assert project.members(logs["name"], "roles/storage.objectCreator") == [
        "group:cloud-storage-analytics@google.com"
    ]
    assert "No changes" in gcp.provision("apply", write(gcp, strict), "-y").out
    assert "No drift" in gcp.provision("drift", "demo", "--fast").out


def test_a_key_is_not_taken_from_what_it_encrypts(gcp: World, project: Project) -> None:
    run(gcp, "plain", "secret.txt", "x")

    refused = gcp.provision("apply", write(gcp, {**PLAIN, "protect": False}), "-y", expect=6)

    assert "not empty" in refused.err
    assert project.buckets[PLAIN_BUCKET]["encryption"]


@pytest.mark.slow
def test_a_destroyed_strict_stack_can_be_made_again(gcp: World, project: Project) -> None:
    strict = {**PLAIN, "profile": "strict", "protect": False}
    project.objects.put(f"{PLAIN_BUCKET}-logs", "plain_usage_2026", b"log")

    refused = gcp.provision("destroy", "demo", "-y", expect=6)
    assert f"plain ({PLAIN_BUCKET}-logs) still holds 1 object" in refused.err
    gcp.provision("destroy", "demo", "-y", "--force-nonempty")
    assert project.buckets == {}
    gcp.provision("apply", write(gcp, strict), "-y")

    rings = [name for name in project.kms if "/cryptoKeys/" not in name]
    assert len(rings) == 2, "a key ring's name is used up, so each has its own"
    gcp.provision("destroy", "demo", "-y")


@pytest.mark.slow
def test_a_run_that_was_cut_off_is_taken_up_again(gcp: World, project: Project) -> None:
    """The bucket's policy cannot be written: what was made is in the state, and the next apply goes on."""
    policy = f"PUT /storage/v1/b/{PLAIN_BUCKET}/iam"
    project.failing[policy] = 100
    failed = gcp.provision("apply", write(gcp, {**PLAIN, "protect": False}), "-y", expect=5)
    assert "503" in failed.err
    assert PLAIN_BUCKET in project.buckets
    project.failing.clear()

    gcp.provision("apply", write(gcp, {**PLAIN, "protect": False}), "-y")

    assert gcp.registered() == ["plain"]
    gcp.provision("destroy", "demo", "-y")
    assert project.buckets == {}


@pytest.mark.slow
def test_deploy_takes_project_and_region_from_the_environment(gcp: World, project: Project) -> None:
    known = {"GOOGLE_CLOUD_PROJECT": PROJECT, "GOOGLE_REGION": "europe-west4"}

    gcp.provision("artifact-store", "deploy", "quick", "--flavor=gcp", "-y", environment=known)

    (name,) = [name for name in project.buckets if name.startswith("quick-")]
    assert project.buckets[name]["location"] == "EUROPE-WEST4"
    gcp.provision("artifact-store", "destroy", "quick", "-y", environment=known)
    assert name not in project.buckets


@pytest.mark.slow
def test_the_example_applies_as_it_stands(gcp: World, project: Project) -> None:
    example = Path(__file__).parents[2] / "examples" / "gcp" / "stack.yaml"

    applied = gcp.provision("apply", example, "-y")

    assert "verified prod_store: put, get, list and delete work" in applied.err
    assert gcp.registered() == ["prod_store"]
    gcp.provision("destroy", example, "-y", expect=6)
    gcp.provision("destroy", example, "-y", "--set", "artifact_stores.prod_store.protect=false")
    assert not [name for name in project.buckets if name.startswith("ml-prod-")]


def test_nothing_was_written_into_the_journal_that_is_secret(gcp: World) -> None:
    said = json.dumps(gcp.state())
    assert "PRIVATE KEY" not in said
    assert "ya29." not in said
