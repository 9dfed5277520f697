"""Credentials that may only read: everything can be looked at and loaded, and a run says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws import Aws
from sample_pipeline import ran, training_pipeline

from stacks import Client, save_artifact
from stacks.credentials import AwsCredentials
from stacks.errors import StorePermissionError


@pytest.fixture
def client(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A store in a bucket under two names: one of somebody who may do all, one of somebody who may read."""
    monkeypatch.setenv("STACKS_STATE", str(tmp_path / "state.json"))
    monkeypatch.setenv("STACKS_SECRET_KEY", "A" * 43 + "=")
    aws.bucket("bucket")
    client = Client()
    people: dict[str, AwsCredentials] = {
        "writer": aws.user("writer", "s3:*"),
        "reader": aws.user("reader", "s3:GetObject", "s3:ListBucket"),
    }
    for name, key in people.items():
        config = {
            "client_kwargs": {"endpoint_url": aws.url, "region_name": "eu-west-1"},
            "key": key.access_key_id,
            "secret": key.secret_access_key,
        }
        client.register_artifact_store(name, "s3", path="s3://bucket/team", config=config)
        client.register_stack(name, name)
    aws.enforce()
    return client


def test_reading_works_and_writing_says_why_not(client: Client) -> None:
    client.set_active_stack("writer")
    made = training_pipeline()
    by_hand = save_artifact({"a": 1}, "report")

    client.set_active_stack("reader")
    assert client.get_artifact_version("my_model").load().weights == [0.1, 0.2]
    assert client.get_artifact_version("my_model").producer_step is not None
    assert [run.name for run in client.list_pipeline_runs()] == [made.name]
    assert len(client.list_artifact_versions(created="gte:2026-01-01")) == 3
    assert not client.prune_artifacts(dry_run=True)

    ran.clear()
    with pytest.raises(
        StorePermissionError, match=r"the run of training_pipeline cannot be recorded: .*write"
    ) as caught:
        training_pipeline(rate=0.9)
    assert "may only read" in str(caught.value.hint)
    assert ran == []  # told before anything ran, not after an hour of training
    with pytest.raises(StorePermissionError, match="the artifact report cannot be stored") as caught:
        save_artifact({"a": 2}, "report")
    assert "read-write" in str(caught.value.hint)
    with pytest.raises(StorePermissionError):
        client.delete_artifact_version("report", 1)
    assert by_hand.load() == {"a": 1}
