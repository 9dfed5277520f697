"""The session policy on a service whose enforcement is not ours: a Ceph object gateway."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import ceph
import pytest
from botocore.exceptions import ClientError

from stacks.connectors import Connector, create_connector
from stacks.credentials import AwsCredentials
from stacks.secrets import Secret
from stacks.state import ConnectorRecord

pytestmark = pytest.mark.skipif(
    bool(ceph.missing()),
    reason=f"not installed: {', '.join(ceph.missing())} (Debian: radosgw ceph-mon ceph-osd)",
)


class OneKey:
    """A secret store that holds one access key."""

    def __init__(self, key: AwsCredentials) -> None:
        self._key = key

    def names(self) -> list[str]:
        return ["key"]

    def get(self, name: str) -> Secret:
        key, secret = self._key.access_key_id, self._key.secret_access_key
        return Secret(name, {"aws_access_key_id": key, "aws_secret_access_key": secret})


def client(url: str, service: str, key: AwsCredentials) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload] # the name of the service is data here
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=key.session_token,
        region_name="us-east-1",
        endpoint_url=url,
    )


def compact(document: dict[str, Any]) -> str:
    # Ceph 16 reads the '+' that a space in a form is sent as, as '+': no spaces.
    return json.dumps({"Version": "2012-10-17", "Statement": [document]}, separators=(",", ":"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ceph.Ceph]:
    with ceph.running_ceph(tmp_path_factory.mktemp("ceph")) as running:
        yield running


@pytest.fixture(scope="module")
def connector(gateway: ceph.Ceph) -> Connector:
    """One with a role that may do everything with S3: what is refused, the session's policy refuses."""
    owner = gateway.user("owner", "roles=*", "user-policy=*")
    caller = gateway.user("caller")
    s3 = client(gateway.url, "s3", owner)
    for bucket in ("data", "database"):
        s3.create_bucket(Bucket=bucket)
        for key in ("mine/a", "other/a", "minefield/a"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    iam = client(gateway.url, "iam", owner)
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam:::user/caller"]},
        "Action": ["sts:AssumeRole"],
    }
    role = iam.create_role(RoleName="store-role", AssumeRolePolicyDocument=compact(trust))["Role"]["Arn"]
    everything = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    iam.put_role_policy(RoleName="store-role", PolicyName="p", PolicyDocument=compact(everything))
    record = ConnectorRecord(
        "mine", "aws", "iam-role", None, None, {"role_arn": role, "endpoint_url": gateway.url}, "key"
    )
    return create_connector(record, OneKey(caller))


READS: dict[str, Callable[[Any], Any]] = {
    "get an object": lambda s3: s3.get_object(Bucket="data", Key="mine/a"),
    "list the prefix": lambda s3: s3.list_objects_v2(Bucket="data", Prefix="mine/"),
    "list versions": lambda s3: s3.list_object_versions(Bucket="data", Prefix="mine/"),
    "ask where it is": lambda s3: s3.get_bucket_location(Bucket="data"),
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "put an object": lambda s3: s3.put_object(Bucket="data", Key="mine/b", Body=b"y"),
    "delete an object": lambda s3: s3.delete_object(Bucket="data", Key="mine/b"),
    "begin an upload": lambda s3: s3.create_multipart_upload(Bucket="data", Key="mine/c"),
}
NEVER: dict[str, Callable[[Any], Any]] = {
    "get from another prefix": lambda s3: s3.get_object(Bucket="data", Key="other/a"),
    "get from a prefix that begins alike": lambda s3: s3.get_object(Bucket="data", Key="minefield/a"),
    "get from another bucket": lambda s3: s3.get_object(Bucket="database", Key="mine/a"),
    "put under another prefix": lambda s3: s3.put_object(Bucket="data", Key="other/b", Body=b"y"),
    "delete under another prefix": lambda s3: s3.delete_object(Bucket="data", Key="other/a"),
    "list the bucket": lambda s3: s3.list_objects_v2(Bucket="data"),
    "list another prefix": lambda s3: s3.list_objects_v2(Bucket="data", Prefix="other/"),
    "list buckets": lambda s3: s3.list_buckets(),
    "create a bucket": lambda s3: s3.create_bucket(Bucket="created"),
    "delete the bucket": lambda s3: s3.delete_bucket(Bucket="data"),
    "read the bucket's policy": lambda s3: s3.get_bucket_policy(Bucket="data"),
    "change the bucket's policy": lambda s3: s3.put_bucket_policy(Bucket="data", Policy="{}"),
    "change an object's permissions": lambda s3: s3.put_object_acl(
        Bucket="data", Key="mine/a", ACL="public-read"
    ),
}


@pytest.fixture(scope="module")
def session(connector: Connector, gateway: ceph.Ceph) -> Callable[[Any], Any]:
    """An S3 client with the access that is asked for."""

    def with_access(access: Any) -> Any:
        credentials = connector.credentials_for("s3://data/mine", access)
        assert isinstance(credentials, AwsCredentials)
        return client(gateway.url, "s3", credentials)

    return with_access


@pytest.mark.parametrize("what", [*READS, *WRITES])
def test_a_session_may(session: Callable[[Any], Any], what: str) -> None:
    (READS | WRITES)[what](session("read-write"))


@pytest.mark.parametrize("what", NEVER)
def test_a_session_may_not(session: Callable[[Any], Any], what: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        NEVER[what](session("read-write"))


@pytest.mark.parametrize("what", READS)
def test_a_read_only_session_may(session: Callable[[Any], Any], what: str) -> None:
    READS[what](session("read-only"))


@pytest.mark.parametrize("what", [*WRITES, *NEVER])
def test_a_read_only_session_may_not(session: Callable[[Any], Any], what: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        (WRITES | NEVER)[what](session("read-only"))


def test_the_connector_proves_itself(connector: Connector) -> None:
    assert connector.verify("s3://data/mine") == ["s3://data/mine"]
