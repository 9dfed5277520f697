"""`provision import`: a bucket or a directory that is there already is adopted as it is, and used."""

from __future__ import annotations

from typing import Any

import pytest
from emulator import ACCOUNT, REGION, Emulator
from world import World


@pytest.fixture
def theirs(cloud: Emulator) -> str:
    """A bucket that somebody made in a console, with something in it."""
    if "their-data" not in cloud.buckets():
        cloud.bucket("their-data")
    cloud.put("their-data", "runs/1.csv")
    return "their-data"


def settings(cloud: Emulator, bucket: str) -> Any:
    """Everything about a bucket that an import could have touched."""
    s3 = cloud.client("s3")
    return (
        s3.get_bucket_versioning(Bucket=bucket).get("Status"),
        [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]],
        s3.get_bucket_location(Bucket=bucket)["LocationConstraint"],
        cloud.roles(),
    )


@pytest.mark.slow
def test_a_bucket_is_adopted_without_a_change_and_can_be_read(
    aws: World, cloud: Emulator, theirs: str
) -> None:
    before = settings(cloud, theirs)
    line = ("import", f"s3://{theirs}/runs", "--store", "runs", f"--endpoint_url={cloud.url}", "-y")

    done = aws.provision(*line)

    assert "versioning is off" in done.err
    assert "public access is NOT blocked" in done.err
    written = (aws.folder / "runs.yaml").read_text()
    assert f"region: {REGION}" in written
    assert f'account: "{ACCOUNT}"' in written
    assert "existing: true" in written
    assert settings(cloud, theirs) == before
    assert aws.registered() == ["runs"]
    assert "already there" not in aws.provision(*line).err  # the same again is the same

    environment = {"AWS_REGION": REGION}
    verified = aws.provision("artifact-store", "verify", "runs", environment=environment)
    assert "write" in verified.out
    aws.provision("destroy", "runs", "-y")
    assert settings(cloud, theirs)[1:] == before[1:]


@pytest.mark.slow
def test_with_a_role_only_the_role_is_made(aws: World, cloud: Emulator, theirs: str) -> None:
    line = f"--endpoint_url={cloud.url}", "--auth_method=iam-role"
    aws.provision("import", f"s3://{theirs}", "-o", "roled.yaml", *line, "-y")
    assert len(cloud.roles()) == 1
    assert aws.registered() == ["their_data"]
    aws.provision("destroy", "their-data", "-y")
    assert cloud.roles() == []
    assert theirs in cloud.buckets()


def test_a_bucket_that_is_not_there(aws: World, cloud: Emulator) -> None:
    refused = aws.provision("import", "s3://nobodys-bucket", f"--endpoint_url={cloud.url}", expect=3)
    assert "there is no bucket 'nobodys-bucket'" in refused.err
    assert not (aws.folder / "nobodys_bucket.yaml").exists()


def test_a_directory_keeps_its_mode_and_its_files(world: World) -> None:
    folder = world.folder / "models"
    folder.mkdir(mode=0o755)
    (folder / "weights.bin").write_bytes(b"x")
    done = world.provision("import", str(folder), "-y")
    assert "mode 0755" in done.err
    assert (world.registered(), oct(folder.stat().st_mode & 0o777)) == (["models"], "0o755")
    (folder / "stack.yaml").write_text((world.folder / "models.yaml").read_text())
    either = world.provision("destroy", "models", "-y", expect=3)
    assert "a folder of stacks, and a stack that was applied is called so, too" in either.err
    (folder / "stack.yaml").unlink()
    world.provision("destroy", "models", "-y")
    assert (folder / "weights.bin").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("ftp://host/data", "write one of s3://"),
        ("/no/such/directory", "is no directory"),
        ("--region=eu-west-1", "PATH is missing"),
    ],
)
def test_mistakes(world: World, argument: str, says: str) -> None:
    assert says in world.provision("import", argument, expect=3).err


def test_a_manifest_that_says_something_else_is_not_overwritten(world: World) -> None:
    (world.folder / "models").mkdir()
    kept = world.folder / "models.yaml"
    kept.write_text("version: 1\n")
    refused = world.provision("import", "models", "--manifest-only", expect=3)
    assert "name another: -o FILE" in refused.err
    assert kept.read_text() == "version: 1\n"
    done = world.provision("import", "models", "--manifest-only", "-o", "other.yaml")
    assert done.out == "next: provision plan other.yaml\n"
    world.provision("validate", "other.yaml")
