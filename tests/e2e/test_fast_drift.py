"""`drift --fast` against Terraform itself: over twenty changes behind our back, found by both, told the same.

Each change is made through boto3, as somebody in the console would. The emulator speaks plain HTTP, so there
are no bucket policies among them; tests/provisioner/live has those, and the lifecycle rules.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from emulator import ACCOUNT, REGION, Emulator
from world import World

pytestmark = pytest.mark.slow  # minutes of real Terraform, beside which the default tests have shorter ones

NO_RULES = {"noncurrent_days": None, "abort_multipart_days": None}
STORES = ("a", "b", "c", "gone")
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
Places = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def places(aws: World, cloud: Emulator) -> Places:
    """A stack with four stores, each with a role; the bucket and the role of each."""
    aws.manifest(
        "stack.yaml",
        provider="aws",
        region=REGION,
        endpoint_url=cloud.url,
        tags={"team": "ml", "env": "test"},
        artifact_stores=[{"name": name, "lifecycle": NO_RULES, "protect": False} for name in STORES],
    )
    aws.provision("apply", "stack.yaml", "-y", "--no-verify")
    outputs = json.loads((aws.workspace() / "outputs.json").read_text())
    return {
        name: {
            "bucket": outputs["artifact_stores"][name]["bucket"],
            "role": outputs["connectors"][f"{name}_connector"]["role_arn"].rpartition("/")[2],
        }
        for name in STORES
    }


def tags(s3: Any, bucket: str, change: Callable[[dict[str, str]], Any]) -> None:
    held = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    change(held)
    pairs = [{"Key": key, "Value": value} for key, value in held.items()]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs})


def flags(s3: Any, bucket: str, *off: str) -> None:
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={name: name not in off for name in names}
    )


def encryption(s3: Any, bucket: str, algorithm: str, *, key: bool) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, "BucketKeyEnabled": key}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def widened(document: Any) -> str:
    document["Statement"][0]["Action"] = "s3:*"
    return json.dumps(document)


def trusting(document: Any) -> str:
    document["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    return json.dumps(document)


def change_behind_our_back(cloud: Emulator, places: Places) -> None:
    """Everything that somebody might do in a console."""
    s3, iam = cloud.client("s3"), cloud.client("iam")
    a, b, c, gone = (places[name]["bucket"] for name in STORES)
    one, two, three, lost = (places[name]["role"] for name in STORES)
    tags(s3, a, lambda held: held.update(team="other"))
    tags(s3, a, lambda held: held.update(added="x"))
    tags(s3, b, lambda held: held.pop("env"))
    s3.put_bucket_versioning(Bucket=a, VersioningConfiguration={"Status": "Suspended"})
    flags(s3, a, "BlockPublicAcls", "BlockPublicPolicy")
    flags(s3, b, "IgnorePublicAcls", "RestrictPublicBuckets")
    s3.delete_public_access_block(Bucket=c)
    s3.put_bucket_ownership_controls(
        Bucket=a, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    s3.delete_bucket_ownership_controls(Bucket=b)
    encryption(s3, a, "aws:kms", key=False)
    encryption(s3, b, "AES256", key=True)
    s3.delete_bucket_encryption(Bucket=c)
    s3.delete_bucket(Bucket=gone)
    trust = iam.get_role(RoleName=one)["Role"]["AssumeRolePolicyDocument"]
    iam.update_assume_role_policy(RoleName=one, PolicyDocument=trusting(trust))
    iam.update_role(RoleName=two, MaxSessionDuration=7200)
    iam.tag_role(RoleName=three, Tags=[{"Key": "team", "Value": "other"}])
    iam.update_role_description(RoleName=three, Description="something else")
    iam.put_role_permissions_boundary(RoleName=two, PermissionsBoundary=boundary(iam))
    access = iam.get_role_policy(RoleName=one, PolicyName="artifact-stores")["PolicyDocument"]
    iam.put_role_policy(RoleName=one, PolicyName="artifact-stores", PolicyDocument=widened(access))
    iam.delete_role_policy(RoleName=two, PolicyName="artifact-stores")
    iam.delete_role_policy(RoleName=lost, PolicyName="artifact-stores")
    iam.delete_role(RoleName=lost)


def boundary(iam: Any) -> str:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    made: str = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    return made


def told(summary: dict[str, Any]) -> dict[str, tuple[str, frozenset[tuple[str, str, str]]]]:
    """What a drift says of each resource: what an apply would do, and to which attribute."""
    return {
        change["address"]: (
            change["action"],
            frozenset(
                (attribute["path"], json.dumps(attribute["before"]), json.dumps(attribute["after"]))
                for attribute in change["attributes"]
            ),
        )
        for change in summary["drift"]
    }


def test_nothing_is_found_where_nothing_has_changed(aws: World, places: Places) -> None:
    assert "No drift" in aws.provision("drift", "demo", "--fast").out


def test_every_change_that_terraform_finds_is_found_and_told_alike(
    aws: World, cloud: Emulator, places: Places
) -> None:
    change_behind_our_back(cloud, places)

    [slow] = aws.provision("drift", "demo", "--format", "json", expect=2).json
    [fast] = aws.provision("drift", "demo", "--fast", "--format", "json", expect=2).json

    assert sum(len(attributes) or 1 for _action, attributes in told(slow).values()) >= 20
    assert told(fast) == told(slow)


def test_it_needs_no_terraform(aws: World, places: Places) -> None:
    nowhere = {"PATH": str(aws.folder), "PROVISION_TERRAFORM": str(aws.folder / "none")}
    found = aws.provision("drift", "demo", "--fast", expect=2, environment=nowhere)
    assert "Changed behind our back" in found.out


def test_a_policy_that_somebody_put_on_a_role_is_told(aws: World, cloud: Emulator, places: Places) -> None:
    iam, role = cloud.client("iam"), places["a"]["role"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=json.dumps(document))
    iam.attach_role_policy(RoleName=role, PolicyArn=BOUNDARY)
    for options in (("--fast",), ()):
        out = aws.provision("drift", "demo", *options, expect=2).out
        assert f"role {role} has a policy that is not ours: more" in out
        assert f"role {role} has a policy that is not ours: {BOUNDARY}" in out


def test_credentials_of_another_account_do_not_take_all_for_missing(aws: World, places: Places) -> None:
    path = aws.home / "state.json"
    path.write_text(path.read_text().replace(f'"account": "{ACCOUNT}"', '"account": "999999999999"'))
    refused = aws.provision("drift", "demo", "--fast", expect=6)
    assert f"the credentials belong to account {ACCOUNT}, but demo is in 999999999999" in refused.err


STRICT = {
    "name": "s",
    "profile": "strict",
    "replica_region": "eu-central-1",
    "protect": False,
    "lifecycle": NO_RULES,
}


@pytest.mark.slow
def test_what_the_profile_strict_adds_is_looked_at_too(
    aws: World, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow: the logs have lifecycle rules, for which the provider waits a minute."""
    monkeypatch.setattr("world._PATIENCE", 500.0)
    manifest = aws.manifest(
        "strict.yaml",
        name="strict",
        provider="aws",
        region=REGION,
        endpoint_url=cloud.url,
        artifact_stores=[STRICT],
    )
    aws.provision("apply", manifest, "-y", "--no-verify")
    assert "No drift" in aws.provision("drift", "strict", "--fast").out
    s3, kms = cloud.client("s3"), cloud.client("kms")
    outputs = json.loads((aws.workspace("strict") / "outputs.json").read_text())
    bucket = outputs["artifact_stores"]["s"]["bucket"]
    alias = next(item for item in kms.list_aliases()["Aliases"] if item["AliasName"] == f"alias/{bucket}")
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    s3.delete_bucket_replication(Bucket=bucket)
    kms.disable_key_rotation(KeyId=alias["TargetKeyId"])

    [slow] = aws.provision("drift", "strict", "--format", "json", expect=2).json
    [fast] = aws.provision("drift", "strict", "--fast", "--format", "json", expect=2).json

    # The emulator forgets on the spot that events go to EventBridge, which only a plan can find strange.
    by_terraform = {key: value for key, value in told(slow).items() if "notification" not in key}
    assert told(fast) == by_terraform
    assert len(by_terraform) == 3
    aws.provision("destroy", "strict", "-y", "--force-nonempty")
