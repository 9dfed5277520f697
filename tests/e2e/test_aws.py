"""AWS from end to end: real Terraform, the real provider and an emulator, read back through boto3.

The tests share one stack and build on each other in the order of this file, because each command starts the
provider anew, which takes seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from emulator import ACCOUNT, REGION, Emulator
from world import World

# The emulator's service answers lifecycle rules only after a minute; one slow test has them.
NO_RULES = {"noncurrent_days": None, "abort_multipart_days": None}
PLAIN = {"name": "plain", "lifecycle": NO_RULES}
ADOPTED = {"name": "adopted", "bucket": "theirs", "existing": True, "prefix": "ours"}
KEPT = {"name": "kept", "bucket": "acme-kept", "prefix": "artifacts", "lifecycle": NO_RULES}
TAGS = {"team": "ml"}


def write(
    aws: World, cloud: Emulator, *stores: dict[str, Any], file: str = "stack.yaml", **fields: Any
) -> Path:
    """A manifest for the emulator."""
    return aws.manifest(
        file,
        **{
            "provider": "aws",
            "region": REGION,
            "account": ACCOUNT,
            "endpoint_url": cloud.url,
            "tags": TAGS,
            "artifact_stores": list(stores),
            **fields,
        },
    )


def bucket_of(aws: World, store: str) -> str:
    """The bucket that a store was given."""
    outputs = json.loads((aws.workspace() / "outputs.json").read_text())
    name: str = outputs["artifact_stores"][store]["bucket"]
    return name


def actions(statement: dict[str, Any]) -> list[str]:
    """The actions of a policy statement; the provider writes a single one without its list."""
    action = statement["Action"]
    return [action] if isinstance(action, str) else action


def test_missing_credentials_are_told_before_anything(aws: World, cloud: Emulator) -> None:
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}

    refused = aws.provision("apply", write(aws, cloud, PLAIN), "-y", expect=4, environment=nothing)

    assert "no complete AWS credentials were found" in refused.err
    assert cloud.buckets() == []


def test_the_wrong_account_is_refused_before_anything(aws: World, cloud: Emulator) -> None:
    manifest = write(aws, cloud, PLAIN, account="999999999999")

    refused = aws.provision("apply", manifest, "-y", expect=6)

    assert f"the credentials belong to account {ACCOUNT}, but demo is in 999999999999" in refused.err
    assert cloud.buckets() == []


def test_what_is_to_be_adopted_has_to_be_there(aws: World, cloud: Emulator) -> None:
    done = aws.provision("plan", write(aws, cloud, ADOPTED), expect=5)

    assert "data.aws_s3_bucket.existing" in done.err
    assert "existing: true adopts what is there already" in done.err


def test_apply_makes_and_registers_what_the_manifest_says(aws: World, cloud: Emulator) -> None:
    cloud.bucket("theirs")
    cloud.put("theirs", "old/data.csv")
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/ml", TargetKeyId=key["KeyId"])
    encrypted = {**KEPT, "encryption": {"kms_key": "alias/ml"}, "connector": "sharing"}
    sharing = {
        "name": "sharing",
        "access": "read-only",
        "trusted_principals": [cloud.user_arn],
        "external_id": "acme-ml",
        "session_seconds": 7200,
    }

    manifest = write(aws, cloud, PLAIN, encrypted, ADOPTED, connectors=[sharing])
    applied = aws.provision("apply", manifest, "-y")

    assert "The stack is registered and made active." in applied.out
    assert sorted(cloud.buckets()) == sorted(["acme-kept", "theirs", bucket_of(aws, "plain")])
    assert bucket_of(aws, "plain").startswith("demo-plain-")
    records = {record["name"]: record for record in aws.state()["artifact_stores"]}
    assert records["kept"]["path"] == "s3://acme-kept/artifacts"
    assert records["kept"]["connector"] == "sharing"
    assert records["plain"]["connector"] == "plain_connector"
    connectors = {record["name"]: record for record in aws.state()["connectors"]}
    assert connectors["sharing"]["config"]["role_arn"].startswith(
        f"arn:aws:iam::{ACCOUNT}:role/demo-sharing-"
    )
    assert "Only what is registered" not in applied.out


@pytest.mark.parametrize("store", ["plain", "kept"])
def test_the_buckets_are_closed_versioned_and_tagged(aws: World, cloud: Emulator, store: str) -> None:
    s3, bucket = cloud.client("s3"), bucket_of(aws, store)

    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].items()) == {
        ("BlockPublicAcls", True),
        ("BlockPublicPolicy", True),
        ("IgnorePublicAcls", True),
        ("RestrictPublicBuckets", True),
    }
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == {
        "provisioned-by": "stack-provisioner",
        "stack": "demo",
        "artifact-store": store,
        "team": "ml",
    }


def test_each_bucket_is_encrypted_as_asked(aws: World, cloud: Emulator) -> None:
    s3 = cloud.client("s3")

    def rule(store: str) -> dict[str, Any]:
        answer = s3.get_bucket_encryption(Bucket=bucket_of(aws, store))
        (only,) = answer["ServerSideEncryptionConfiguration"]["Rules"]
        found: dict[str, Any] = only
        return found

    assert rule("plain")["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    kms = rule("kept")
    assert kms["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert ":key/" in kms["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert kms["BucketKeyEnabled"] is True


def test_each_role_may_do_what_was_agreed_and_no_more(aws: World, cloud: Emulator) -> None:
    iam = cloud.client("iam")

    def role(connector: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        (name,) = [name for name in cloud.roles() if name.startswith(f"demo-{connector}-")]
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
        found: dict[str, Any] = iam.get_role(RoleName=name)["Role"]
        return found, document["Statement"]

    sharing, grants = role("sharing")
    (trust,) = sharing["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": cloud.user_arn}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "acme-ml"}}
    assert sharing["MaxSessionDuration"] == 7200
    assert {tag["Key"]: tag["Value"] for tag in sharing["Tags"]}["connector"] == "sharing"
    granted = {action for statement in grants for action in actions(statement)}
    assert granted == {
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "kms:Decrypt",
        "kms:DescribeKey",
    }
    (listing,) = [statement for statement in grants if "s3:ListBucket" in actions(statement)]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "artifacts/*"}}

    own, grants = role("plain_connector")
    (trust,) = own["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": cloud.user_arn}  # whoever applied
    objects = [statement for statement in grants if "s3:PutObject" in actions(statement)]
    assert [statement["Resource"] for statement in objects] == [f"arn:aws:s3:::{bucket_of(aws, 'plain')}/*"]
    assert not [action for statement in grants for action in actions(statement) if "*" in action]


def test_a_protected_bucket_is_not_lost_by_leaving_the_manifest(aws: World, cloud: Emulator) -> None:
    manifest = write(aws, cloud, PLAIN, {"name": "third", "lifecycle": NO_RULES}, tags={"team": "vision"})

    refused = aws.provision("apply", manifest, "-y", expect=6)

    assert "would delete the bucket of kept, which is protected" in refused.err
    assert "acme-kept" in cloud.buckets()
    assert "third" not in " ".join(cloud.buckets())


def changed(aws: World, cloud: Emulator) -> Path:
    """The manifest from here on: other tags, another store, another name, nothing of KMS."""
    return write(
        aws,
        cloud,
        PLAIN,
        ADOPTED,
        {**KEPT, "name": "renamed", "renamed_from": "kept"},
        {"name": "third", "lifecycle": NO_RULES, "protect": False},
        tags={"team": "vision"},
    )


def test_a_change_is_planned_and_applied_as_that_change(aws: World, cloud: Emulator) -> None:
    aws.provision("apply", changed(aws, cloud), "-y")

    assert bucket_of(aws, "renamed") == "acme-kept"
    assert aws.registered() == ["adopted", "plain", "renamed", "third"]
    s3 = cloud.client("s3")
    for store in ("plain", "renamed", "third"):
        tags = s3.get_bucket_tagging(Bucket=bucket_of(aws, store))["TagSet"]
        assert {"Key": "team", "Value": "vision"} in tags
    assert not [name for name in cloud.roles() if name.startswith("demo-sharing-")]


def test_nothing_changes_the_second_time(aws: World, cloud: Emulator) -> None:
    before = aws.state()

    again = aws.provision("apply", changed(aws, cloud), "-y")

    assert "No changes: everything is as the manifest says." in again.out
    assert aws.state() == before


WRITING = """
from stacks import Client

store = Client().get_artifact_store("plain")
store.write_bytes(f"{store.path}/model.bin", b"artifact")
"""


@pytest.mark.slow
def test_another_storage_class_is_registered_and_changes_nothing_in_the_cloud(
    aws: World, cloud: Emulator
) -> None:
    """S3's buckets have none: each write says it."""
    other = "--set=artifact_stores.plain.storage_class=standard_ia"

    planned = aws.provision("plan", changed(aws, cloud), other, "--detailed-exitcode", expect=2)
    applied = aws.provision("apply", changed(aws, cloud), other, "-y")

    assert "Only what is registered changes; nothing in the cloud does." in planned.out
    assert 'config.s3_additional_kwargs.StorageClass: null → "STANDARD_IA"' in planned.out
    assert "plain: put, get, list and delete work" in applied.said
    assert "The stack is registered" in applied.out
    program = [sys.executable, "-c", WRITING]
    subprocess.run(program, env=aws.environment, check=True, timeout=60)
    s3, place = cloud.client("s3"), {"Bucket": bucket_of(aws, "plain"), "Key": "model.bin"}
    written = s3.head_object(**place)
    assert written["StorageClass"] == "STANDARD_IA"
    s3.delete_object(**place, VersionId=written["VersionId"])


def test_drift_says_what_somebody_changed_behind_our_back(aws: World, cloud: Emulator) -> None:
    s3, bucket = cloud.client("s3"), bucket_of(aws, "plain")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_public_access_block(Bucket=bucket)

    drift = aws.provision("drift", "demo", "--format", "json", expect=2).json[0]

    found = {change["resource"]: change for change in drift["drift"]}
    assert set(found) == {"aws_s3_bucket_versioning.this[0]", "aws_s3_bucket_public_access_block.this[0]"}
    assert {change["component"] for change in found.values()} == {"plain"}
    (versioning,) = found["aws_s3_bucket_versioning.this[0]"]["attributes"]
    assert (versioning["before"], versioning["after"]) == ("Suspended", "Enabled")
    assert found["aws_s3_bucket_public_access_block.this[0]"]["action"] == "create"  # it is missing
    assert drift["drifted"] is True
    assert drift["outputs_change"] is False
    assert drift["changes"] == []


def test_apply_puts_it_back(aws: World, cloud: Emulator) -> None:
    aws.provision("apply", changed(aws, cloud), "-y", "--no-verify")

    s3, bucket = cloud.client("s3"), bucket_of(aws, "plain")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_public_access_block(Bucket=bucket)


def test_other_credentials_for_a_stack_that_stands_elsewhere_are_refused(aws: World, cloud: Emulator) -> None:
    """Terraform would take all that exists for gone, and make it anew over there."""
    state = Path(aws.environment["STACKS_STATE"])
    text = state.read_text()
    state.write_text(text.replace(f'"{ACCOUNT}"', '"210987654321"'))
    try:
        refused = aws.provision("apply", changed(aws, cloud), "-y", expect=6)
    finally:
        state.write_text(text)

    assert f"belong to account {ACCOUNT}, but demo is in 210987654321" in refused.err


def test_destroy_refuses_what_is_protected(aws: World, cloud: Emulator) -> None:
    refused = aws.provision("destroy", changed(aws, cloud), "-y", expect=6)

    assert "protected against destruction: plain, renamed" in refused.err


FREE = (
    "--set=artifact_stores.plain.protect=false",
    "--set=artifact_stores.renamed.protect=false",
)


def test_destroy_refuses_objects_and_old_versions(aws: World, cloud: Emulator) -> None:
    s3 = cloud.client("s3")
    cloud.put("acme-kept", "artifacts/model.pkl")
    cloud.put(bucket_of(aws, "plain"), "gone.txt")
    s3.delete_object(Bucket=bucket_of(aws, "plain"), Key="gone.txt")

    refused = aws.provision("destroy", "demo", "-y", *FREE, expect=6)

    assert (
        "renamed (acme-kept) still holds 1 object and 0 old versions (for example artifacts/model.pkl)"
        in (refused.err)
    )
    assert "still holds 0 objects and 2 old versions (for example gone.txt)" in refused.err
    assert "--force-nonempty" in refused.err
    assert "third" not in refused.err
    assert len(cloud.buckets()) == 4


def test_destroy_leaves_nothing_but_what_was_adopted(aws: World, cloud: Emulator) -> None:
    done = aws.provision("destroy", "demo", "-y", "--force-nonempty", *FREE)

    assert "Destroyed and deregistered demo." in done.out
    assert cloud.buckets() == ["theirs"]
    objects = cloud.client("s3").list_objects_v2(Bucket="theirs")["Contents"]
    assert [item["Key"] for item in objects] == ["old/data.csv"]
    assert cloud.roles() == []
    assert aws.registered() == []
    assert not aws.workspace().exists()


@pytest.mark.slow
def test_the_default_history_rules(aws: World, cloud: Emulator) -> None:
    """The provider waits about a minute until it believes that the rules are there."""
    manifest = write(
        aws, cloud, {"name": "ruled", "lifecycle": {"archive_after_days": 365}, "protect": False}
    )
    aws.provision("apply", manifest, "-y")

    s3, bucket = cloud.client("s3"), bucket_of(aws, "ruled")
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rule["Transitions"] == [{"Days": 365, "StorageClass": "GLACIER_IR"}]
    assert "No drift" in aws.provision("drift", "demo", "--fast").out
    changed = {**rule, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}, "Transitions": []}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [changed]})
    by_terraform = aws.provision("drift", "demo", expect=2).out
    by_boto3 = aws.provision("drift", "demo", "--fast", expect=2).out
    for out in (by_terraform, by_boto3):
        assert "rule.0.noncurrent_version_expiration.0.noncurrent_days: is 1, was applied as 90" in out
        assert "rule.0.transition.0" in out
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert (
        "aws_s3_bucket_lifecycle_configuration.this[0] is missing"
        in aws.provision("drift", "demo", "--fast", expect=2).out
    )
    aws.provision("destroy", "demo", "-y")
