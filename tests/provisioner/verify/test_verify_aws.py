"""What the engine asks of AWS by itself: who we are, what a bucket holds, what a cut-off run has left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import manifests
import pytest

from provisioner.errors import CredentialsError
from provisioner.journal import Intent
from provisioner.manifest import generated_bucket
from provisioner.verify.aws import Aws, role_name
from provisioner.verify.base import Places, connect

moto = pytest.importorskip("moto", reason="the emulator comes with the dev extra: moto[server]")

BUCKET = "module.store_main.aws_s3_bucket.this[0]"
ROLE = "module.connector_main_connector.aws_iam_role.this"
OURS = {"provisioned-by": "stack-provisioner", "stack": "demo"}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with moto.mock_aws():
        yield


@pytest.fixture
def s3() -> Any:
    """A look into the account that is not the product's."""
    return boto3.client("s3", region_name="eu-west-1")


def cloud(**fields: Any) -> Aws:
    """The account of a manifest."""
    made = connect(manifests.aws(**fields), Places(Path("/m"), Path("/s")))
    assert isinstance(made, Aws)
    return made


def bucket(s3: Any, name: str, **tags: str) -> None:
    """A bucket with tags."""
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    if tags:
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs})


def test_the_names_of_what_will_be_made() -> None:
    names = cloud(artifact_stores=[{"name": "main"}, {"name": "named", "bucket": "acme-named"}]).identifiers(
        "1"
    )

    assert names[BUCKET] == generated_bucket("demo", "main", "1")
    assert names["module.store_named.aws_s3_bucket.this[0]"] == "acme-named"
    assert names[ROLE] == role_name("demo", "main_connector")


def test_the_names_of_what_was_renamed_are_those_of_before() -> None:
    """As the modules make them: from the first name."""
    names = cloud(artifact_stores=[{"name": "new", "renamed_from": "main"}]).identifiers("1")

    assert names["module.store_new.aws_s3_bucket.this[0]"] == generated_bucket("demo", "main", "1")
    assert names["module.connector_new_connector.aws_iam_role.this"] == role_name("demo", "main_connector")


def test_an_adopted_bucket_is_not_among_them() -> None:
    stores = [{"name": "main", "bucket": "theirs", "existing": True}]

    assert BUCKET not in cloud(artifact_stores=stores).identifiers("1")


@pytest.mark.parametrize(
    ("tags", "age", "taken"),
    [
        ({}, timedelta(), True),  # killed before it could set them
        (OURS, timedelta(), True),
        ({**OURS, "team": "ml"}, timedelta(), True),
        ({"team": "theirs"}, timedelta(), False),
        ({**OURS, "stack": "theirs"}, timedelta(), False),
        (OURS, timedelta(hours=1), False),  # it was there before the run began
    ],
)
def test_a_bucket_is_taken_over_only_when_nothing_speaks_against_it(
    s3: Any, tags: dict[str, str], age: timedelta, taken: bool
) -> None:
    bucket(s3, "orphan", **tags)
    intent = Intent(BUCKET, "create", "aws_s3_bucket", "orphan")

    found = cloud().orphans([intent], datetime.now(UTC) + age).found

    assert found == ([intent] if taken else [])


@pytest.mark.parametrize(("tags", "taken"), [(OURS, True), ({"team": "theirs"}, False)])
def test_a_role_is_taken_over_only_when_it_is_ours(tags: dict[str, str], taken: bool) -> None:
    name = role_name("demo", "main_connector")
    boto3.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    intent = Intent(ROLE, "create", "aws_iam_role", name)

    found = cloud().orphans([intent], datetime.now(UTC) - timedelta(minutes=1)).found

    assert found == ([intent] if taken else [])


def test_what_was_never_made_is_no_orphan() -> None:
    intents = [
        Intent(BUCKET, "create", "aws_s3_bucket", "never-made"),
        Intent(ROLE, "create", "aws_iam_role", "never-made"),
    ]

    assert cloud().orphans(intents, datetime.now(UTC)).found == []


def test_contents_are_objects_old_versions_and_delete_markers(s3: Any) -> None:
    bucket(s3, "full")
    s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="full", Key="kept", Body=body)
    s3.put_object(Bucket="full", Key="gone", Body=b"")
    s3.delete_object(Bucket="full", Key="gone")

    contents = cloud().contents("full")

    assert (contents.objects, contents.versions) == (1, 3)
    assert not contents.empty
    assert set(contents.examples) == {"kept", "gone"}
    cloud().empty("full")
    assert cloud().contents("full").empty
    assert cloud().contents("no-such-bucket").empty


def test_emptying_a_prefix_leaves_the_rest(s3: Any) -> None:
    bucket(s3, "full")
    for key in ("probe/x", "probe-not/x", "data"):
        s3.put_object(Bucket="full", Key=key, Body=b"")
        s3.create_multipart_upload(Bucket="full", Key=key)

    cloud().empty("full", "probe/")

    assert {item["Key"] for item in s3.list_objects_v2(Bucket="full")["Contents"]} == {"probe-not/x", "data"}
    uploads = {item["Key"] for item in s3.list_multipart_uploads(Bucket="full").get("Uploads", [])}
    assert "data" in uploads


def test_deviations_name_each_setting_that_is_not_as_wanted(s3: Any) -> None:
    made = cloud(artifact_stores=[{"name": "main", "bucket": "acme"}])
    assert made.deviations() == ["main (acme): the bucket is missing"]
    bucket(s3, "acme")

    said = " ".join(made.deviations())

    assert "versioning is off" in said
    assert "public access is not blocked" in said


# --- credentials --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "soon", "last"), [(120, False, False), (10, True, False), (0.5, True, True)]
)
def test_credentials_that_say_when_they_end(
    monkeypatch: pytest.MonkeyPatch, minutes: float, soon: bool, last: bool
) -> None:
    end = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", end.isoformat())

    assert cloud().credentials_end_within(15 * 60) is soon
    assert cloud().credentials_end_within(60) is last


def test_credentials_that_do_not_say_are_taken_to_last() -> None:
    assert not cloud().credentials_end_within(10**6)


def test_credentials_that_have_ended_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", (datetime.now(UTC) - timedelta(minutes=1)).isoformat())

    with pytest.raises(CredentialsError) as refused:
        cloud().credentials_end_within(60)
    assert "log in again" in (refused.value.hint or "")
    with pytest.raises(CredentialsError):
        cloud().account()


def test_no_credentials_and_an_unknown_profile_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="no complete AWS credentials were found"):
        cloud().account()

    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CredentialsError, match="nobody"):
        cloud()


TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def in_role(monkeypatch: pytest.MonkeyPatch, session: str) -> None:
    """Act as a role with a path."""
    iam = boto3.client("iam")
    if not iam.list_roles(PathPrefix="/ci/")["Roles"]:
        iam.create_role(RoleName="apply", Path="/ci/", AssumeRolePolicyDocument=TRUST)
    given = boto3.client("sts", region_name="eu-west-1").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/ci/apply", RoleSessionName=session
    )["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", given["SessionToken"])


def test_whoever_applies_is_the_role_and_none_of_its_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for session in ("run-1", "run-2"):
        in_role(monkeypatch, session)
        found.append(cloud().machine_variables())

    assert found == [{"applying_principal": "arn:aws:iam::123456789012:role/ci/apply"}] * 2


def test_whoever_applies_is_asked_for_only_where_that_one_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    access: dict[str, Any] = {"name": "main_connector"}
    named = [access | {"trusted_principals": ["arn:aws:iam::123456789012:root"]}]
    surroundings = [access | {"auth_method": "implicit"}]
    ceph = {"endpoint_url": "http://127.0.0.1:1", "compatibility": "ceph"}

    assert list(cloud().machine_variables()) == ["applying_principal"]
    assert cloud(connectors=named).machine_variables() == {}
    assert cloud(connectors=surroundings).machine_variables() == {}
    assert cloud(connectors=named, **ceph).machine_variables() == {}
