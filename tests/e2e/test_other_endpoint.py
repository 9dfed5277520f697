"""The address of a service is changed under a stack that is there: real Terraform, two services."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulator import REGION, Emulator, emulator
from world import World

NO_RULES = {"noncurrent_days": None, "abort_multipart_days": None}


@pytest.mark.slow
def test_what_exists_is_not_forgotten_for_another_address(
    aws: World, cloud: Emulator, tmp_path: Path
) -> None:
    def at(url: str) -> Path:
        store = {"name": "main", "bucket": "acme-main", "protect": False, "lifecycle": NO_RULES}
        return aws.manifest(provider="aws", region=REGION, endpoint_url=url, artifact_stores=[store])

    aws.provision("apply", at(cloud.url), "-y", "--no-verify")
    cloud.put("acme-main", "kept")

    with emulator(tmp_path / "log") as other:
        for command in (("apply", at(other.url), "-y"), ("destroy", "stack.yaml", "-y", "--force-nonempty")):
            done = aws.provision(*command, expect=6, environment=other.credentials)
            assert (
                f"demo was applied at {cloud.url}, and 7 of its resources are not at {other.url}" in done.err
            )
        assert other.buckets() == []

    moved = cloud.url.replace("127.0.0.1", "localhost")
    told = aws.provision("plan", at(moved)).out
    assert f"its service is at {moved} from now on, instead of {cloud.url}" in told
    assert "Only what is registered changes; nothing in the cloud does." in told
    assert "acme-main" in cloud.buckets()
