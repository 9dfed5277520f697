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
