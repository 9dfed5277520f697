"""The profile strict on AWS from end to end, with Terraform's state in a bucket of the same service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from emulator import ACCOUNT, REGION, Emulator
from emulator_memory import forgetting_nothing
from world import World

STORE = {
    "name": "kept",
    "profile": "strict",
    "replica_region": "eu-central-1",
    "lifecycle": {"noncurrent_days": None, "abort_multipart_days": None},
    "protect": False,
}


def _manifest(aws: World, url: str, file: str = "stack.yaml", **fields: Any) -> Path:
    state = {"backend": "s3", "bucket": "states", "key": "shared/key", "endpoint_url": url}
    content = {"provider": "aws", "region": REGION, "account": ACCOUNT, "endpoint_url": url, "state": state}
    return aws.manifest(file, artifact_stores=[STORE], **content, **fields)


def _patiently(aws: World, *argv: str | Path) -> None:
    """The rule for old logs alone takes the provider a minute."""
    process = aws.start(*argv)
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, f"{out}\n{err}"


@pytest.mark.slow
def test_a_strict_store_lives_and_ends(aws: World, cloud: Emulator) -> None:
    cloud.bucket("states")
    with forgetting_nothing(cloud.url) as url:
        manifest = _manifest(aws, url)
        told = aws.provision("plan", manifest).out
        for resource in (
            "aws_s3_bucket.logs[0]",
            "aws_s3_bucket_logging.this[0]",
            "aws_s3_bucket_notification.this[0]",
            "aws_s3_bucket_replication_configuration.this[0]",
            "aws_kms_key.this[0]",
            "replica kept",
        ):
            assert resource in told

        _patiently(aws, "apply", manifest, "-y")
        assert aws.registered() == ["kept"]
        outputs = json.loads((aws.workspace() / "outputs.json").read_text())["artifact_stores"]["kept"]
        beside = {outputs["logs_bucket"], outputs["replica_bucket"]}
        assert beside < set(cloud.buckets())
        assert aws.provision("plan", manifest, "--detailed-exitcode").code == 0

        refused = aws.provision("plan", _manifest(aws, url, "other.yaml", name="other"), expect=6)
        assert "is that of the stack demo, not of other" in refused.err

        cloud.put(outputs["logs_bucket"], "access/one")
        refused = aws.provision("destroy", manifest, "-y", expect=6)
        assert outputs["logs_bucket"] in refused.err
        assert beside < set(cloud.buckets())

        # The emulator delivers its logs at once, AWS within hours: here none may come after the emptying.
        cloud.client("s3").put_bucket_logging(Bucket=outputs["bucket"], BucketLoggingStatus={})
        _patiently(aws, "destroy", manifest, "-y", "--force-nonempty")
        assert cloud.buckets() == ["states"]
        assert cloud.roles() == []
        assert aws.registered() == []


@pytest.mark.slow
def test_a_store_leaves_the_profile_with_nothing_lost(aws: World, cloud: Emulator) -> None:
    """The only one that is copied to that region: Terraform needs its provider to remove what is there."""
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    strict = {**STORE, "encryption": {"kms_key": key}}
    plain = {name: value for name, value in strict.items() if name not in ("profile", "replica_region")}
    with forgetting_nothing(cloud.url) as url:
        fields = {"provider": "aws", "region": REGION, "account": ACCOUNT, "endpoint_url": url}
        _patiently(aws, "apply", aws.manifest(artifact_stores=[strict], **fields), "-y")
        outputs = json.loads((aws.workspace() / "outputs.json").read_text())["artifact_stores"]["kept"]
        s3 = cloud.client("s3")
        s3.put_bucket_logging(Bucket=outputs["bucket"], BucketLoggingStatus={})
        _empty(s3, outputs["logs_bucket"])

        elsewhere = aws.manifest(artifact_stores=[{**strict, "replica_region": "eu-west-3"}], **fields)
        refused = aws.provision("apply", elsewhere, "-y", expect=6)
        assert "the copies of kept lie in eu-central-1" in refused.err

        manifest = aws.manifest(artifact_stores=[plain], **fields)
        cloud.put(outputs["replica_bucket"], "copy")
        refused = aws.provision("apply", manifest, "-y", expect=6)
        assert f"kept ({outputs['replica_bucket']}) still holds 1 object" in refused.err
        assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=outputs["bucket"]), "as it was"
        assert s3.get_bucket_replication(Bucket=outputs["bucket"])["ReplicationConfiguration"]["Rules"]

        _empty(s3, outputs["replica_bucket"])
        bundle = aws.folder / "reviewed.bundle"
        aws.provision("plan", manifest, "--out", bundle)
        _patiently(aws, "apply", manifest, "--plan", bundle, "-y")
        assert aws.provision("plan", manifest, "--detailed-exitcode").code == 0
        assert outputs["replica_bucket"] not in cloud.buckets()
        assert outputs["bucket"] in cloud.buckets()
        aws.provision("destroy", manifest, "-y")


def _empty(s3: Any, bucket: str) -> None:
    found = s3.list_object_versions(Bucket=bucket)
    for one in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
        s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
