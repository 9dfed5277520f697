"""`service-connector rotate` for an access key of AWS; the other clouds: tests/stacks/connectors."""

from __future__ import annotations

import pytest
from commands import Aws, CommandLine

ALL_OF_S3 = ("s3:*", "sts:*")


@pytest.fixture
def keyed(aws: Aws, provision: CommandLine) -> CommandLine:
    """A connector `c` with the key of the user `ml`, who may make and delete keys of its own."""
    aws.bucket("team", "a")
    user = aws.user("ml", *ALL_OF_S3, "iam:*AccessKey*")
    provision(
        f"service-connector register c -t aws --auth-method secret-key --endpoint_url={aws.url} "
        f"--aws_access_key_id={user.access_key_id} --resource-id s3://team",
        f"--aws_secret_access_key={user.secret_access_key}",
    )
    aws.enforce()
    return provision


def keys_of(aws: Aws) -> list[str]:
    """The access keys of the user `ml`."""
    aws.relax()
    found = aws.client("iam").list_access_keys(UserName="ml")["AccessKeyMetadata"]
    aws.enforce()
    return [key["AccessKeyId"] for key in found]


def test_rotate_replaces_the_key_once_the_new_one_works(keyed: CommandLine, aws: Aws) -> None:
    before = dict(keyed.client.get_secret("c.service-connector"))

    done = keyed("service-connector rotate c")

    after = dict(keyed.client.get_secret("c.service-connector"))
    assert keys_of(aws) == [after["aws_access_key_id"]] != [before["aws_access_key_id"]]
    assert "the old one is deleted" in done.out
    assert after["aws_secret_access_key"] not in done.said
    assert keyed("service-connector verify c").out == "c works and reaches s3://team.\n"


def test_rotate_can_leave_the_old_key(keyed: CommandLine, aws: Aws) -> None:
    old = keyed.client.get_secret("c.service-connector")["aws_access_key_id"]

    assert keyed("service-connector rotate c --keep-old --format json").json["old_key_deleted"] is False

    new = keyed.client.get_secret("c.service-connector")["aws_access_key_id"]
    assert sorted(keys_of(aws)) == sorted([old, new])
    assert "two access keys already" in keyed("service-connector rotate c", expect=5).err


def test_a_new_key_that_does_not_work_changes_nothing(keyed: CommandLine, aws: Aws) -> None:
    before = dict(keyed.client.get_secret("c.service-connector"))
    aws.relax()
    aws.client("s3").delete_object(Bucket="team", Key="a")
    aws.client("s3").delete_bucket(Bucket="team")
    aws.enforce()

    keyed("service-connector rotate c", expect=3)

    assert dict(keyed.client.get_secret("c.service-connector")) == before
    assert keys_of(aws) == [before["aws_access_key_id"]]


def test_a_user_who_may_not_make_keys_is_told_what_to_allow(provision: CommandLine, aws: Aws) -> None:
    user = aws.user("ml", *ALL_OF_S3)
    provision(
        f"service-connector register c -t aws --auth-method secret-key --endpoint_url={aws.url} "
        f"--aws_access_key_id={user.access_key_id}",
        f"--aws_secret_access_key={user.secret_access_key}",
    )
    aws.enforce()

    done = provision("service-connector rotate c", expect=5)

    assert "its key may not iam:CreateAccessKey" in done.err
    assert "allow the user iam:CreateAccessKey and iam:DeleteAccessKey on itself" in done.err
