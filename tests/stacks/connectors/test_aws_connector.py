"""AWS connectors, against a server that enforces users', roles' and sessions' policies."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws import ACCOUNT, REGION, Aws
from botocore.exceptions import ClientError

from stacks.connectors import create_connector
from stacks.connectors.aws_errors import sdk_installed
from stacks.connectors.aws_policy import Bucket, session_policy
from stacks.connectors.base import ACCESSES
from stacks.credentials import AwsCredentials
from stacks.errors import (
    ConnectorError,
    ConnectorScopeError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    InvalidValueError,
    MissingExtraError,
    SecretNotFoundError,
)
from stacks.secrets import Secret
from stacks.secrets.base import no_secret
from stacks.state import ConnectorRecord

ROLE = f"arn:aws:iam::{ACCOUNT}:role/store-role"
S3_ACTIONS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
)


class Secrets:
    """The secrets of one test."""

    def __init__(self, **secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def names(self) -> list[str]:
        return sorted(self._secrets)

    def get(self, name: str) -> Secret:
        if name not in self._secrets:
            raise no_secret(name, self.names())
        return Secret(name, self._secrets[name])


def keys_of(credentials: AwsCredentials) -> Secrets:
    """The access key, as a secret named ``key``."""
    return Secrets(
        key={
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key,
        }
    )


def record(
    aws: Aws | None, auth_method: str, resource_id: str | None = None, **config: Any
) -> ConnectorRecord:
    place = {"region": REGION, "endpoint_url": aws.url} if aws else {}
    return ConnectorRecord(
        "mine", "aws", auth_method, "s3-bucket", resource_id, {**place, **config}, authentication_secret="key"
    )


def refused(call: Any, **arguments: Any) -> bool:
    """Whether the service refuses the call for lack of a permission; it must not fail otherwise."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"AccessDenied", "403"}:
            return True
        raise
    return False


@pytest.fixture
def assumable(aws: Aws) -> tuple[ConnectorRecord, Secrets]:
    """A role with all rights of an artifact store on everything, and a user who may assume it."""
    aws.bucket("data", "mine/a", "other/a", "minefield/a")
    aws.bucket("database", "mine/a")
    caller = aws.user("caller", "sts:AssumeRole")
    role_arn = aws.role("store-role", "caller", *S3_ACTIONS, external_id="acme")
    aws.enforce()
    return record(aws, "iam-role", role_arn=role_arn, external_id="acme"), keys_of(caller)


# -- iam-role


def test_a_role_gives_credentials_that_reach_one_prefix_and_nothing_else(
    aws: Aws, assumable: tuple[ConnectorRecord, Secrets]
) -> None:
    credentials = create_connector(*assumable).credentials_for("s3://data/mine")
    assert isinstance(credentials, AwsCredentials)
    s3 = aws.client("s3", credentials)
    s3.put_object(Bucket="data", Key="mine/b", Body=b"hello")
    assert s3.get_object(Bucket="data", Key="mine/b")["Body"].read() == b"hello"
    assert s3.list_objects_v2(Bucket="data", Prefix="mine/")["KeyCount"] == 2
    s3.delete_object(Bucket="data", Key="mine/b")
    s3.get_bucket_location(Bucket="data")
    upload = s3.create_multipart_upload(Bucket="data", Key="mine/big")["UploadId"]
    s3.abort_multipart_upload(Bucket="data", Key="mine/big", UploadId=upload)

    assert refused(s3.get_object, Bucket="data", Key="other/a")
    assert refused(s3.get_object, Bucket="data", Key="minefield/a")
    assert refused(s3.put_object, Bucket="data", Key="other/b", Body=b"x")
    assert refused(s3.delete_object, Bucket="data", Key="other/a")
    assert refused(s3.list_objects_v2, Bucket="data")
    assert refused(s3.list_objects_v2, Bucket="data", Prefix="other/")
    assert refused(s3.list_objects_v2, Bucket="database", Prefix="mine/")
    assert refused(s3.get_object, Bucket="database", Key="mine/a")
    assert refused(s3.delete_bucket, Bucket="data")
    assert refused(s3.put_bucket_policy, Bucket="data", Policy="{}")
    assert refused(s3.create_bucket, Bucket="new")
    assert refused(s3.list_buckets)


def test_read_only_credentials_do_not_write(aws: Aws, assumable: tuple[ConnectorRecord, Secrets]) -> None:
    credentials = create_connector(*assumable).credentials_for("s3://data", "read-only")
    assert isinstance(credentials, AwsCredentials)
    s3 = aws.client("s3", credentials)
    assert s3.get_object(Bucket="data", Key="mine/a")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket="data")["KeyCount"] == 3
    assert refused(s3.put_object, Bucket="data", Key="mine/b", Body=b"x")
    assert refused(s3.delete_object, Bucket="data", Key="mine/a")
    assert refused(s3.create_multipart_upload, Bucket="data", Key="mine/b")


def test_a_read_only_connector_grants_no_writing(aws: Aws) -> None:
    connector = create_connector(record(aws, "iam-role", role_arn=ROLE, access="read-only"), Secrets(key={}))
    assert connector.access == "read-only"
    with pytest.raises(ConnectorScopeError, match="grants reading only"):
        connector.credentials_for("s3://data", "read-write")


def test_credentials_say_when_they_end(assumable: tuple[ConnectorRecord, Secrets]) -> None:
    mine, secrets = assumable
    lasting = ConnectorRecord(
        mine.name, mine.type, mine.auth_method, None, None, {**mine.config, "session_seconds": 900}, "key"
    )
    expires_at = create_connector(lasting, secrets).credentials_for("s3://data").expires_at
    assert expires_at is not None
    assert timedelta(seconds=800) < expires_at - datetime.now(UTC) < timedelta(seconds=960)


def test_a_connector_with_a_resource_of_its_own_covers_that_alone(
    assumable: tuple[ConnectorRecord, Secrets],
) -> None:
    mine, secrets = assumable
    bound = ConnectorRecord(
        mine.name, mine.type, mine.auth_method, "s3-bucket", "s3://data/mine", mine.config, "key"
    )
    connector = create_connector(bound, secrets)
    assert connector.list_resources() == ["s3://data/mine"]
    assert connector.verify() == ["s3://data/mine"]
    assert connector.verify("data/mine/deeper") == ["s3://data/mine/deeper"]
    for outside in ("s3://data", "s3://data/minefield", "s3://database/mine", "arn:aws:s3:::data/other"):
        with pytest.raises(ConnectorScopeError, match="does not contain"):
            connector.credentials_for(outside)


def test_a_role_that_may_not_be_assumed_says_who_must_change_what(aws: Aws) -> None:
    stranger = aws.user("stranger", "sts:AssumeRole")
    role_arn = aws.role("store-role", "caller", *S3_ACTIONS)
    aws.enforce()
    connector = create_connector(record(aws, "iam-role", role_arn=role_arn), keys_of(stranger))
    with pytest.raises(ConnectorError, match=r"sts:AssumeRole on arn:.*store-role is refused") as caught:
        connector.credentials_for("s3://data")
    assert "trust policy must name them" in (caught.value.hint or "")


def test_a_wrong_external_id_is_refused(assumable: tuple[ConnectorRecord, Secrets]) -> None:
    mine, secrets = assumable
    other = ConnectorRecord(
        mine.name, mine.type, mine.auth_method, None, None, {**mine.config, "external_id": "evil"}, "key"
    )
    with pytest.raises(ConnectorError, match="is refused"):
        create_connector(other, secrets).credentials_for("s3://data")


def test_no_ambient_credentials_stand_in_for_a_connectors_own(
    aws: Aws, assumable: tuple[ConnectorRecord, Secrets], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, _ = assumable
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient")
    unknown = Secrets(key={"aws_access_key_id": "AKIAUNKNOWN", "aws_secret_access_key": "wrong"})
    with pytest.raises(CredentialsWrongError, match="does not know its access key"):
        create_connector(mine, unknown).credentials_for("s3://data")


def test_a_wrong_secret_key_is_told_apart_and_not_quoted(
    aws: Aws, assumable: tuple[ConnectorRecord, Secrets]
) -> None:
    mine, secrets = assumable
    wrong = {**secrets.get("key"), "aws_secret_access_key": "canary-secret"}
    with pytest.raises(CredentialsWrongError, match="secret key does not fit") as caught:
        create_connector(mine, Secrets(key=wrong)).credentials_for("s3://data")
    assert "canary-secret" not in f"{caught.value!r} {caught.value.hint}"


def test_without_any_credentials_it_says_where_to_get_some(aws: Aws) -> None:
    mine = ConnectorRecord("mine", "aws", "iam-role", config={"role_arn": ROLE, "endpoint_url": aws.url})
    with pytest.raises(CredentialsMissingError) as caught:
        create_connector(mine, Secrets()).credentials_for("s3://data")
    assert "aws sso login" in (caught.value.hint or "")


def test_a_service_that_is_not_there_is_named() -> None:
    mine = ConnectorRecord(
        "mine",
        "aws",
        "iam-role",
        None,
        None,
        {"role_arn": ROLE, "endpoint_url": "http://127.0.0.1:9"},
        "key",
    )
    secrets = Secrets(key={"aws_access_key_id": "a", "aws_secret_access_key": "b"})
    with pytest.raises(ConnectorError, match=r"does not reach http://127\.0\.0\.1:9"):
        create_connector(mine, secrets).credentials_for("s3://data")


# -- the other methods


def test_the_environments_credentials_serve_only_implicit(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    implicit = ConnectorRecord("mine", "aws", "implicit", config={"endpoint_url": aws.url})
    with pytest.raises(CredentialsMissingError, match="there are none"):
        create_connector(implicit, Secrets()).credentials_for()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient")
    assert create_connector(implicit, Secrets()).credentials_for() == AwsCredentials("AKIAAMBIENT", "ambient")
    unknown = ConnectorRecord("mine", "aws", "implicit", config={"profile_name": "nope"})
    with pytest.raises(CredentialsMissingError, match="nope"):
        create_connector(unknown, Secrets()).credentials_for()


def test_an_access_key_is_handed_on_and_proven(aws: Aws) -> None:
    aws.bucket("data", "a")
    key = aws.user("mine", "s3:ListBucket", "s3:ListAllMyBuckets", "s3:ListBuckets")
    aws.enforce()
    connector = create_connector(record(aws, "secret-key"), keys_of(key))
    assert connector.credentials_for("s3://data") == key
    assert connector.verify("s3://data") == ["s3://data"]
    assert connector.list_resources() == ["s3://data"]
    with pytest.raises(ConnectorScopeError, match=r"no such bucket"):
        connector.verify("s3://gone")


def test_a_key_that_may_not_list_is_told_which_right_it_lacks(aws: Aws) -> None:
    aws.bucket("data", "a")
    key = aws.user("mine", "s3:GetObject")
    aws.enforce()
    with pytest.raises(ConnectorScopeError, match=r"may not list s3://data") as caught:
        create_connector(record(aws, "secret-key"), keys_of(key)).verify("s3://data")
    assert "s3:ListBucket" in (caught.value.hint or "")


@pytest.mark.parametrize("method", ["session-token", "federation-token"])
def test_tokens_of_an_access_key_are_temporary(aws: Aws, method: str) -> None:
    connector = create_connector(record(aws, method), keys_of(aws.user("mine", "sts:*")))
    credentials = connector.credentials_for("s3://data")
    assert isinstance(credentials, AwsCredentials)
    assert credentials.session_token
    assert credentials.expires_at is not None
    assert credentials.expires_at > datetime.now(UTC)


def test_a_federation_token_is_for_one_bucket(aws: Aws) -> None:
    connector = create_connector(record(aws, "federation-token"), keys_of(AwsCredentials("a", "b")))
    with pytest.raises(ConnectorScopeError, match="for one bucket"):
        connector.credentials_for()


def test_a_token_from_elsewhere_ends_when_it_says_less_the_tolerance() -> None:
    secrets = Secrets(
        key={"aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c", "other": "d"}
    )
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    mine = record(None, "sts-token", expires_at=end.isoformat(), expires_skew_tolerance=60)
    credentials = create_connector(mine, secrets).credentials_for()
    assert credentials == AwsCredentials("a", "b", "c", end - timedelta(seconds=60))
    over = record(None, "sts-token", expires_at="2020-01-01T00:00:00+00:00")
    with pytest.raises(CredentialsExpiredError, match="expired at 2020-01-01"):
        create_connector(over, secrets).credentials_for()
    naive = record(None, "sts-token", expires_at="2020-01-01")
    with pytest.raises(ConnectorError, match="with a time zone"):
        create_connector(naive, secrets).credentials_for()


def test_no_repr_or_pickle_of_a_connectors_record_has_a_secret(aws: Aws) -> None:
    secrets = Secrets(key={"aws_access_key_id": "AKIACANARY", "aws_secret_access_key": "canary-secret"})
    connector = create_connector(record(aws, "secret-key"), secrets)
    assert "canary" not in f"{connector!r} {connector.credentials_for()!r}"
    assert b"canary" not in pickle.dumps(connector.record.name)


def test_a_secret_that_is_not_there_is_named(aws: Aws) -> None:
    with pytest.raises(SecretNotFoundError, match="'key'"):
        create_connector(record(aws, "secret-key"), Secrets())


def test_roles_of_any_length_of_life_are_checked_first(aws: Aws) -> None:
    key = keys_of(AwsCredentials("a", "b"))
    for seconds in (899, 43_201, "x"):
        mine = record(aws, "iam-role", role_arn=ROLE, session_seconds=seconds)
        with pytest.raises(ConnectorError, match="whole number from 900 to 43200"):
            create_connector(mine, key).credentials_for("s3://data")


# -- what no connector is made of


@pytest.mark.parametrize(
    ("mine", "why"),
    [
        (ConnectorRecord("m", "aws", "iam-rol"), "no auth method 'iam-rol'"),
        (ConnectorRecord("m", "aws", "iam-role"), "iam-role needs role_arn"),
        (ConnectorRecord("m", "aws", "iam-role", config={"role_arn": "store-role"}), "not the ARN of a role"),
        (ConnectorRecord("m", "aws", "iam-role", config={"rol_arn": ROLE}), "no field 'rol_arn'"),
        (ConnectorRecord("m", "aws", "implicit", "gcs-bucket"), "no resource type 'gcs-bucket'"),
        (ConnectorRecord("m", "aws", "implicit", None, "s3://a/../b"), "names no S3 bucket"),
        (ConnectorRecord("m", "aws", "implicit", config={"access": "all"}), "'all' is neither of"),
        (ConnectorRecord("m", "oracle", "implicit"), "no type of service connector named 'oracle'"),
    ],
)
def test_a_record_that_does_not_hold_is_refused_before_anything_is_contacted(
    mine: ConnectorRecord, why: str
) -> None:
    with pytest.raises(InvalidValueError, match=why) as caught:
        create_connector(mine, Secrets())
    assert caught.value.hint


# -- session policies


def test_characters_that_mean_something_in_a_policy_lose_their_meaning() -> None:
    policy = session_policy(Bucket("b", "a*b?$c"), "read-only", partition="aws-cn", keys=(), any_key=False)
    statements = json.loads(policy)["Statement"]
    assert statements[2]["Resource"] == ["arn:aws-cn:s3:::b/a${*}b${?}${$}c/*"]
    assert statements[0]["Condition"] == {"StringLike": {"s3:prefix": ["a${*}b${?}${$}c/*"]}}


def test_keys_are_named_or_used_through_s3_alone() -> None:
    named = session_policy(Bucket("b"), "read-write", partition="aws", keys=("arn:key",), any_key=True)
    assert json.loads(named)["Statement"][-1]["Resource"] == ["arn:key"]
    through = session_policy(Bucket("b"), "read-write", partition="aws", keys=(), any_key=True)
    assert json.loads(through)["Statement"][-1]["Condition"] == {
        "StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}
    }


def test_no_action_of_a_session_policy_is_a_wildcard_and_it_always_fits() -> None:
    for access in ACCESSES:
        policy = session_policy(Bucket("b" * 63, "p" * 512), access, partition="aws", keys=(), any_key=True)
        assert not [a for s in json.loads(policy)["Statement"] for a in s["Action"] if "*" in a]
    with pytest.raises(ConnectorScopeError, match="2048 ASCII characters"):
        session_policy(Bucket("b", "p" * 1024), "read-only", partition="aws", keys=(), any_key=False)


def test_a_session_grants_what_the_provisioned_role_grants() -> None:
    """The module's README says it word for word; the two must not drift apart."""
    module = Path(__file__).parents[3] / "modules" / "aws" / "service-connector" / "main.access.tf"
    granted = set(re.findall(r'"((?:s3|kms):[A-Za-z]+)"', module.read_text())) - {"s3:prefix"}
    policy = session_policy(Bucket("b"), "read-write", partition="aws", keys=("arn:k",), any_key=False)
    assert {a for s in json.loads(policy)["Statement"] for a in s["Action"]} == granted


def test_a_missing_sdk_names_the_extra_that_brings_it() -> None:
    with pytest.raises(MissingExtraError, match="need botocore") as caught, sdk_installed():
        raise ModuleNotFoundError("No module named 'botocore'", name="botocore.session")
    assert caught.value.extra == "s3"
    with pytest.raises(ModuleNotFoundError, match="other"), sdk_installed():
        raise ModuleNotFoundError("No module named 'other'", name="other")
