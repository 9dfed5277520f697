"""Google Cloud from end to end: the command line and real Terraform against a project of the tests' own.

The provider is the real hashicorp/google where a mirror has it, else a stand-in that serves its official
schema; the first test says which. The tests share one stack and build on each other, in their order here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gcp_world import ADOPTED, CI, KEPT, PLAIN, PLAIN_BUCKET, SHARING, email, gcp_world, run, whole, write
from google_identities import OWNER, PROJECT
from google_project import Project, running_project
from small_server import Asked
from standin.mirror import Mirror
from terraform_rig import provider_mirror
from world import World


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


def test_it_says_which_provider_runs(mirror: Mirror, record_property: Any) -> None:
    record_property("provider", mirror.ran["google"])

    assert mirror.ran["google"].startswith("hashicorp/google ")
    assert mirror.is_real("google") or "a stand-in" in mirror.ran["google"]


def test_missing_credentials_are_told_before_anything(gcp: World, project: Project) -> None:
    nothing = {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere.json"}

    refused = gcp.provision("apply", write(gcp, PLAIN), "-y", expect=4, environment=nothing)

    assert "no credentials of Google Cloud were found" in refused.err
    assert project.buckets == {}


def test_another_project_is_refused_before_anything(gcp: World, project: Project) -> None:
    elsewhere = {"GOOGLE_CLOUD_PROJECT": "another-project"}
    refused = gcp.provision("apply", write(gcp, PLAIN), "-y", expect=6, environment=elsewhere)
    assert f"GOOGLE_CLOUD_PROJECT names the project another-project, but demo is in {PROJECT}" in refused.err

    foreign = gcp.provision("apply", write(gcp, PLAIN, account="not-ours-at-all"), "-y", expect=5)
    assert "no access to the project not-ours-at-all" in foreign.err
    assert project.buckets == {}


def test_apply_makes_and_registers_what_the_manifest_says(gcp: World, project: Project) -> None:
    project.accounts[CI] = {"name": f"projects/{PROJECT}/serviceAccounts/{CI}", "email": CI}
    theirs = {"name": "theirs", "location": "EU", "iamConfiguration": {"publicAccessPrevention": "inherited"}}
    project.add_bucket(theirs)
    project.objects.put("theirs", "old/data.csv", b"a,b")

    applied = gcp.provision("apply", whole(gcp), "-y")

    assert "The stack is registered and made active." in applied.out
    assert "plain: put, get, list and delete work" in applied.err
    assert sorted(project.buckets) == sorted(["acme-kept", "theirs", PLAIN_BUCKET])
    records = {record["name"]: record for record in gcp.state()["artifact_stores"]}
    assert records["kept"] | {"deployment": None} == {
        "name": "kept",
        "flavor": "gcp",
        "path": "gs://acme-kept/artifacts",
        "config": {"project": PROJECT},
        "connector": "sharing",
        "deployment": None,
    } | {key: value for key, value in records["kept"].items() if value is None}
    connectors = {record["name"]: record for record in gcp.state()["connectors"]}
    assert connectors["sharing"]["config"] == {
        "project_id": PROJECT,
        "access": "read-only",
        "target_principal": email("sharing"),
        "session_seconds": 3600,
    }
    assert connectors["plain_connector"]["resource_id"] == f"gs://{PLAIN_BUCKET}"


def test_the_buckets_are_closed_versioned_and_labelled(project: Project) -> None:
    plain, kept = project.buckets[PLAIN_BUCKET], project.buckets["acme-kept"]
    for bucket, store in ((plain, "plain"), (kept, "kept")):
        assert bucket["iamConfiguration"] == {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        }
        assert bucket["versioning"] == {"enabled": True}
        assert bucket["softDeletePolicy"]["retentionDurationSeconds"] == "604800"
        labels = {
            "provisioned-by": "stack-provisioner",
            "stack": "demo",
            "artifact-store": store,
            "team": "ml",
        }
        assert labels.items() <= bucket["labels"].items()
        assert bucket["location"] == "EUROPE-WEST1"
    assert (plain["storageClass"], kept["storageClass"]) == ("STANDARD", "NEARLINE")
    assert [rule["action"]["type"] for rule in plain["lifecycle"]["rule"]] == [
        "Delete",
        "AbortIncompleteMultipartUpload",
    ]
    assert kept["lifecycle"]["rule"] == [
        {"action": {"type": "Delete"}, "condition": {"daysSinceNoncurrentTime": 30, "isLive": False}},
        {
            "action": {"type": "SetStorageClass", "storageClass": "COLDLINE"},
            "condition": {"age": 365, "isLive": True},
        },
    ]


def test_each_connector_is_granted_its_stores_and_nothing_else(project: Project) -> None:
    plain, sharing, adopted = (
        f"serviceAccount:{email(name)}" for name in ("plain_connector", "sharing", "adopted_connector")
    )
    assert project.members(PLAIN_BUCKET, "roles/storage.objectUser") == [plain]
    assert project.members(PLAIN_BUCKET, "roles/storage.legacyBucketReader") == [plain]
    assert project.members("acme-kept", "roles/storage.objectViewer") == [sharing]
    assert project.members("acme-kept", "roles/storage.legacyBucketReader") == []
    (binding,) = project.policies["acme-kept"]["bindings"]
    assert "projects/_/buckets/acme-kept/objects/artifacts/" in binding["condition"]["expression"]
    assert project.members("theirs", "roles/storage.objectUser") == [adopted]
    assert project.members(email("plain_connector"), "roles/iam.serviceAccountTokenCreator") == [
        f"serviceAccount:{OWNER}"
    ]
    assert project.members(email("sharing"), "roles/iam.serviceAccountTokenCreator") == sorted(
        SHARING["trusted_principals"]
    )
    owned = [held for held in project.keys.values() if held["email"] != OWNER]
    assert owned == [], "no service account has a key"


def test_a_second_apply_changes_nothing(gcp: World, project: Project) -> None:
    project.asked.clear()

    again = gcp.provision("apply", whole(gcp), "-y")

    assert "No changes" in again.out
    reading = {"/token", "/v1/token"}
    changing = [
        f"{asked.method} {asked.path}"
        for asked in project.asked
        if asked.method != "GET" and asked.path not in reading and not asked.path.endswith(":getIamPolicy")
    ]
    assert changing == []


def test_a_program_reads_and_writes_through_the_registered_store(gcp: World, project: Project) -> None:
    done = run(gcp, "plain", "greeting.txt", "hello")

    assert json.loads(done.stdout) == {"read": "hello", "listed": ["greeting.txt"]}
    assert "greeting.txt" in project.objects.names(PLAIN_BUCKET)
    uploads = [asked for asked in project.asked if asked.method == "POST" and "/upload/" in asked.path]
    owner = {token for token, held in project.tokens.items() if held.principal == OWNER}
    bearers = {asked.headers["authorization"].removeprefix("Bearer ") for asked in uploads}
    assert uploads
    assert not bearers & owner, "it writes with the connector's own, limited token"


@pytest.mark.parametrize("store", ["adopted", "kept"])
def test_a_store_keeps_to_its_prefix_and_its_access(gcp: World, project: Project, store: str) -> None:
    if store == "adopted":
        assert json.loads(run(gcp, store, "a.txt", "x").stdout)["listed"] == ["a.txt"]
        assert "ours/a.txt" in project.objects.names("theirs")
    else:
        refused = run(gcp, store, "a.txt", "x", expect=1)
        assert "StorePermissionError" in refused.stderr
        assert project.objects.names("acme-kept") == []


def test_a_connector_may_do_what_is_listed_and_a_dozen_other_things_not(project: Project) -> None:
    """Asked with the service account's own token: no boundary stands in for a grant that is too wide."""
    own = project.issue(email("adopted_connector"))

    def status(method: str, path: str, body: bytes = b"", **query: str) -> int:
        asked = Asked(method, path, query, {"authorization": f"Bearer {own}"}, body)
        return project.handle(asked).status

    objects, upload = "/storage/v1/b/theirs/o", "/upload/storage/v1/b/theirs/o"
    listed = [
        status("POST", upload, b"x", uploadType="media", name="ours/b.txt"),
        status("GET", objects, prefix="ours/"),
        status("GET", f"{objects}/ours%2Fb.txt"),
        status("GET", f"/download{objects}/ours%2Fb.txt", alt="media"),
        status("DELETE", f"{objects}/ours%2Fb.txt"),
    ]
    assert set(listed) <= {200, 204}
    unlisted = [
        status("GET", objects),
        status("GET", objects, prefix="o"),
        status("GET", objects, prefix="old/"),
        status("GET", f"{objects}/old%2Fdata.csv"),
        status("DELETE", f"{objects}/old%2Fdata.csv"),
        status("POST", upload, b"x", uploadType="media", name="oursbutnot/a"),
        status("GET", "/storage/v1/b/theirs"),
        status("PATCH", "/storage/v1/b/theirs", b'{"versioning": {"enabled": false}}'),
        status("DELETE", "/storage/v1/b/theirs"),
        status("GET", "/storage/v1/b/theirs/iam"),
        status("PUT", "/storage/v1/b/theirs/iam", b'{"bindings": []}'),
        status("GET", f"/storage/v1/b/{PLAIN_BUCKET}/o"),
        status("GET", "/storage/v1/b", project=PROJECT),
        status("POST", "/storage/v1/b", b'{"name": "another"}', project=PROJECT),
        status("POST", f"/v1/projects/-/serviceAccounts/{OWNER}:generateAccessToken", b'{"scope": ["x"]}'),
        status("POST", f"/v1/projects/{PROJECT}/serviceAccounts/{OWNER}/keys", b"{}"),
    ]
    assert set(unlisted) == {403}


def test_a_change_is_an_update_in_place(gcp: World, project: Project) -> None:
    changed = {**PLAIN, "lifecycle": {"noncurrent_days": 7}, "versioning": False, "storage_class": "coldline"}

    planned = gcp.provision("plan", whole(gcp, changed, KEPT, ADOPTED))
    assert "1 to change" in planned.out
    assert "0 to destroy" in planned.out
    again = whole(gcp, changed, KEPT, ADOPTED, tags={"team": "ops"})
    gcp.provision("apply", again, "-y", "--no-verify")

    bucket = project.buckets[PLAIN_BUCKET]
    assert bucket["lifecycle"]["rule"][0]["condition"]["daysSinceNoncurrentTime"] == 7
    assert bucket["versioning"] == {"enabled": False}
    assert bucket["storageClass"] == "COLDLINE"
    assert bucket["labels"]["team"] == "ops"
    gcp.provision("apply", whole(gcp), "-y", "--no-verify")
    assert project.buckets[PLAIN_BUCKET]["versioning"] == {"enabled": True}


def told(gcp: World, manifest: Path, *options: str) -> dict[str, Any]:
    """What a drift says of each resource: what an apply would do, and to which attributes."""
    (summary,) = gcp.provision("drift", manifest, *options, "--format", "json", expect=2).json
    return {
        change["address"]: (change["action"], {item["path"] for item in change["attributes"]})
        for change in summary["drift"]
    }


def test_a_stranger_who_may_use_an_identity_is_told(gcp: World, project: Project) -> None:
    bindings = project.policies[email("sharing")]["bindings"]
    until = {"title": "for-now", "expression": "request.time < timestamp('2099-01-01T00:00:00Z')"}
    bindings.append(
        {
            "role": "roles/iam.serviceAccountTokenCreator",
            "members": ["user:eve@example.com"],
            "condition": until,  # of which, and of whose role, only policies of version 3 tell
        }
    )
    out = gcp.provision("drift", whole(gcp), "--fast", expect=2).out
    bindings.pop()
    assert f"user:eve@example.com has roles/iam.serviceAccountTokenCreator on {email('sharing')}" in out


def test_drift_names_what_was_changed_by_hand_and_apply_mends_it(gcp: World, project: Project) -> None:
    manifest = whole(gcp)
    assert "No drift" in gcp.provision("drift", manifest).out
    assert "No drift" in gcp.provision("drift", manifest, "--fast").out
    assert "No drift" in gcp.provision("drift", manifest, "--fast").out
    project.buckets[PLAIN_BUCKET]["iamConfiguration"]["publicAccessPrevention"] = "inherited"
    project.buckets["acme-kept"]["versioning"] = {"enabled": False}
    project.buckets["acme-kept"]["labels"]["team"] = "other"
    project.buckets["acme-kept"]["lifecycle"]["rule"][0]["condition"]["daysSinceNoncurrentTime"] = 1
    project.buckets["acme-kept"]["softDeletePolicy"]["retentionDurationSeconds"] = "0"
    project.policies["acme-kept"]["bindings"].clear()
    project.policies[email("sharing")]["bindings"].clear()
    project.accounts[email("plain_connector")]["displayName"] = "something else"

    found = gcp.provision("drift", manifest, expect=2)
    assert told(gcp, manifest, "--fast") == told(gcp, manifest)

    fast = gcp.provision("drift", manifest, "--fast", expect=2)
    for said in (found.out, fast.out):
        assert "public_access_prevention" in said
        assert "sharing" in said
    gcp.provision("apply", manifest, "-y", "--no-verify")
    assert project.buckets[PLAIN_BUCKET]["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    assert project.members("acme-kept", "roles/storage.objectViewer") == [
        f"serviceAccount:{email('sharing')}"
    ]


def test_a_protected_or_filled_store_is_not_destroyed(gcp: World, project: Project) -> None:
    protected = gcp.provision("destroy", whole(gcp), "-y", expect=6)
    assert "protected against destruction: kept, plain" in protected.err.replace("plain, kept", "kept, plain")

    open_stores = [{**store, "protect": False} for store in (PLAIN, KEPT, ADOPTED)]
    gcp.provision("apply", whole(gcp, *open_stores), "-y", "--no-verify")
    filled = gcp.provision("destroy", whole(gcp, *open_stores), "-y", expect=6)

    assert f"plain ({PLAIN_BUCKET}) still holds 1 object" in filled.err
    assert PLAIN_BUCKET in project.buckets


def test_destroy_takes_what_was_made_and_leaves_what_was_adopted(gcp: World, project: Project) -> None:
    destroyed = gcp.provision("destroy", "demo", "-y", "--force-nonempty")

    assert f"emptying plain ({PLAIN_BUCKET})" in destroyed.err
    assert [*project.buckets] == ["theirs"]
    assert sorted(project.objects.names("theirs")) == ["old/data.csv", "ours/a.txt"]
    assert project.policies["theirs"]["bindings"] == []
    assert sorted(project.accounts) == sorted([OWNER, CI])
    assert gcp.registered() == []
