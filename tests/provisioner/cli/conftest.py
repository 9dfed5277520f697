"""What the tests of the commands share; see tests/support/commands.py."""

from __future__ import annotations

import pytest
from commands import ALL_OF_S3, Aws, CommandLine, aws, aws_server, provision

__all__ = ["aws", "aws_server", "provision"]


@pytest.fixture
def role(aws: Aws, provision: CommandLine) -> str:
    """A role that may do everything in S3, a user `ml` who may assume it, and the user's profile `me`."""
    aws.bucket("team", "ours/a", "theirs/b")
    aws.bucket("other")
    user = aws.user("ml", *ALL_OF_S3)
    arn = aws.role("store", "ml", "s3:*")
    provision.profiles(
        f"[profile team]\nrole_arn = {arn}\nsource_profile = me\nregion = eu-west-1\n[profile me]\n",
        f"[me]\naws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n",
    )
    aws.enforce()
    return arn


@pytest.fixture
def scoped(aws: Aws, provision: CommandLine, role: str) -> CommandLine:
    """A connector `c` for s3://team/ours, that assumes the role."""
    provision.environment(AWS_PROFILE="team", AWS_ENDPOINT_URL=aws.url)
    provision(
        "service-connector register c --type aws --auto-configure --resource-id s3://team/ours --verify"
    )
    return provision
