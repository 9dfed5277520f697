"""The modules applied: real Terraform, the real provider, an AWS emulator, read back through boto3."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from terraform_rig import Terraform

boto3 = pytest.importorskip("boto3", reason="boto3 comes with the dev extra")
from botocore.config import Config  # noqa: E402  # only once boto3 is known to be there
from botocore.exceptions import ClientError  # noqa: E402

REGION = "eu-west-1"
CALLER_MAY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}],
}


def client(service: str, address: str, **credentials: str) -> Any:
    """A boto3 client of the emulator; with no credentials given, as its administrator."""
    given = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    path_style = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client(service, endpoint_url=address, region_name=REGION, config=path_style, **given)


@pytest.fixture(scope="module")
def caller(moto: str) -> dict[str, str]:
    """A user who may assume roles and nothing else: its ARN and its credentials."""
    iam = client("iam", moto)
    arn = iam.create_user(UserName="caller")["User"]["Arn"]
    iam.put_user_policy(UserName="caller", PolicyName="assume", PolicyDocument=json.dumps(CALLER_MAY))
    key = iam.create_access_key(UserName="caller")["AccessKey"]
    return {
        "arn": arn,
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }


@pytest.fixture(scope="module")
def key_arn(moto: str) -> str:
    """A customer key that goes by alias/ml."""
    kms = client("kms", moto)
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/ml", TargetKeyId=key["KeyId"])
    arn: str = key["Arn"]
    return arn


@pytest.fixture(scope="module")
def applied(moto: str, caller: dict[str, str], key_arn: str, aws_root: Terraform) -> Iterator[Terraform]:
    """The root applied without lifecycle, which alone would take a minute; destroyed afterwards.

    The plain store may be reached over plain HTTP, for that is how the emulator is reached.
    """
    aws_root.variables(
        {
            "endpoint": moto,
            "lifecycle_days": None,
            "tls_only": False,
            "kms_key": "alias/ml",
            "trusted_principal": caller["arn"],
        }
    )
    assert aws_root.plan()
    aws_root.apply()
    yield aws_root
    empty(client("s3", moto), bucket_of(aws_root, "plain"))
    aws_root.destroy()
    assert client("s3", moto).list_buckets()["Buckets"] == []
    assert client("iam", moto).list_roles()["Roles"] == []


def empty(s3: Any, bucket: str) -> None:
    """Remove every version of every object."""
    # The emulator fails on deleting a version of a bucket whose versioning is suspended (moto 5.2.5).
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    listed = s3.list_object_versions(Bucket=bucket)
    for version in (*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def bucket_of(applied: Terraform, store: str) -> str:
    bucket: str = applied.output(store)["bucket"]
    return bucket


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    """Whether the service says no, and no for want of permission."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "403")
    return False


@pytest.fixture
def enforced(moto: str) -> Iterator[None]:
    """The emulator enforces permissions, as AWS does; by default it allows everything."""

    def permissions_from_the_nth_request(count: str) -> None:
        request = urllib.request.Request(
            f"{moto}/moto-api/reset-auth", data=count.encode(), headers={"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    permissions_from_the_nth_request("0")
    yield
    permissions_from_the_nth_request("inf")


def test_every_setting_reads_back(applied: Terraform, moto: str, key_arn: str) -> None:
    s3 = client("s3", moto)
    for store, algorithm in (("plain", "AES256"), ("keyed", "aws:kms")):
        bucket = bucket_of(applied, store)
        assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        }
        (ownership,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        default = rule["ApplyServerSideEncryptionByDefault"]
        assert default["SSEAlgorithm"] == algorithm
        assert default.get("KMSMasterKeyID") == (key_arn if store == "keyed" else None)
        assert rule["BucketKeyEnabled"] == (store == "keyed")
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
        assert tags == {
            "provisioned-by": "stack-provisioner",
            "stack": "ml-prod",
            "artifact-store": f"{store}_store",
            **({"team": "ml"} if store == "plain" else {}),
        }
        with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
            s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket_of(applied, "keyed"))["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket_of(applied, "plain"))


def test_outputs_name_what_was_made(applied: Terraform, key_arn: str) -> None:
    assert applied.output("keyed") == {
        "bucket": "acme-ml-prod",
        "bucket_arn": "arn:aws:s3:::acme-ml-prod",
        "path": "s3://acme-ml-prod/team/artifacts",
        "prefix": "team/artifacts",
        "kms_key_arn": key_arn,
        "logs_bucket": None,
    }
    writer = applied.output("connectors")["writer"]
    assert writer["role_arn"] == f"arn:aws:iam::123456789012:role/{writer['role_name']}"


def test_roles_have_the_session_limit_the_tags_and_one_policy(applied: Terraform, moto: str) -> None:
    iam = client("iam", moto)
    name = applied.output("connectors")["writer"]["role_name"]
    role = iam.get_role(RoleName=name)["Role"]
    assert role["MaxSessionDuration"] == 7200
    assert {tag["Key"] for tag in role["Tags"]} == {"provisioned-by", "stack", "connector", "team"}
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["artifact-stores"]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []


def test_a_second_plan_changes_nothing(applied: Terraform) -> None:
    assert not applied.plan()


def test_over_plain_http_a_tls_only_store_takes_nothing(applied: Terraform, moto: str) -> None:
    """The emulator refuses every request that the deny statement is about, as AWS does over plain HTTP."""
    assert refused(client("s3", moto).put_object, Bucket=bucket_of(applied, "keyed"), Key="x", Body=b"x")


@pytest.mark.usefixtures("enforced")
def test_through_the_role_the_store_works_and_nothing_else(
    applied: Terraform, moto: str, caller: dict[str, str]
) -> None:
    own = {name: value for name, value in caller.items() if name != "arn"}
    role = applied.output("connectors")["plain"]["role_arn"]
    session = client("sts", moto, **own).assume_role(RoleArn=role, RoleSessionName="probe")["Credentials"]
    s3 = client(
        "s3",
        moto,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    bucket = bucket_of(applied, "plain")

    s3.put_object(Bucket=bucket, Key="probe", Body=b"here")
    assert s3.get_object(Bucket=bucket, Key="probe")["Body"].read() == b"here"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["probe"]
    s3.delete_object(Bucket=bucket, Key="probe")

    other = bucket_of(applied, "keyed")
    assert refused(client("s3", moto, **own).list_objects_v2, Bucket=bucket)
    assert refused(s3.put_object, Bucket=other, Key="probe", Body=b"x")
    assert refused(s3.get_object, Bucket=other, Key="probe")
    assert refused(s3.list_objects_v2, Bucket=other)
    assert refused(s3.list_buckets)
    assert refused(s3.create_bucket, Bucket="mine")
    assert refused(s3.delete_bucket, Bucket=bucket)
    assert refused(s3.delete_bucket_policy, Bucket=bucket)
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy="{}")
    assert refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert refused(s3.delete_public_access_block, Bucket=bucket)
    assert refused(s3.delete_object, Bucket=bucket, Key="probe", VersionId="null")


def test_a_bucket_with_old_versions_is_not_destroyed(applied: Terraform, moto: str) -> None:
    s3, bucket = client("s3", moto), bucket_of(applied, "plain")
    s3.put_object(Bucket=bucket, Key="kept", Body=b"here")
    s3.delete_object(Bucket=bucket, Key="kept")
    assert "BucketNotEmpty" in applied.destroy("module.store_plain.aws_s3_bucket.this", expect=(1,)).stderr
    assert "kept" in [item["Key"] for item in s3.list_object_versions(Bucket=bucket)["Versions"]]


@pytest.mark.slow
def test_lifecycle_reads_back_and_changes(moto: str, make_root: Callable[[str], Terraform]) -> None:
    s3, root = client("s3", moto), make_root("lifecycle")

    def rule_after(noncurrent_days: int) -> dict[str, Any]:
        root.variables({"endpoint": moto, "noncurrent_days": noncurrent_days})
        assert root.plan()
        root.apply()
        (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="acme-lifecycle")["Rules"]
        assert not root.plan()
        found: dict[str, Any] = rule
        return found

    assert rule_after(90) == {
        "ID": "history",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "Transitions": [{"Days": 365, "StorageClass": "GLACIER_IR"}],
    }
    assert rule_after(30)["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    root.destroy()
