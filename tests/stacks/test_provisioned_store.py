"""What a program does after provisioning: the active stack's store, with credentials from the role."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from aws import REGION, Aws

from stacks import Client, fileio
from stacks.errors import ConnectorError, CredentialsMissingError, StorePermissionError
from stacks.state import ArtifactStoreRecord, ConnectorRecord, StackRecord, State

S3_ACTIONS = ("s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject", "s3:AbortMultipartUpload")


@pytest.fixture
def provisioned(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A bucket, a role, and their records as an apply leaves them; the environment may assume that role."""
    aws.bucket("ml-prod", "artifacts/old.txt", "secret/other.txt")
    caller = aws.user("caller", "sts:AssumeRole")
    role_arn = aws.role("store-role", "caller", *S3_ACTIONS, external_id="acme")
    aws.enforce()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", caller.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", caller.secret_access_key)
    monkeypatch.setenv("STACKS_STATE", str(tmp_path / "state.json"))
    connector = ConnectorRecord(
        "prod_connector",
        "aws",
        "iam-role",
        "s3-bucket",
        "s3://ml-prod/artifacts",
        {
            "role_arn": role_arn,
            "external_id": "acme",
            "region": REGION,
            "endpoint_url": aws.url,
            "access": "read-write",
            "expiration_seconds": 3600,
        },
    )
    store = ArtifactStoreRecord("prod_store", "s3", "s3://ml-prod/artifacts", connector="prod_connector")

    def register(state: State) -> State:
        state = state.with_connector(connector).with_artifact_store(store)
        return state.with_stack(StackRecord("ml-prod", "prod_store"), activate=True)

    client = Client()
    client.state_file.update(register)
    return client


def test_a_program_writes_and_reads_through_the_active_stack(provisioned: Client) -> None:
    store = provisioned.active_stack.artifact_store
    with store.open("s3://ml-prod/artifacts/x.txt", "w") as file:
        file.write("hello")
    with fileio.open("s3://ml-prod/artifacts/x.txt") as file:
        assert file.read() == "hello"
    assert fileio.listdir("s3://ml-prod/artifacts") == ["old.txt", "x.txt"]
    fileio.remove("s3://ml-prod/artifacts/x.txt")
    assert not fileio.exists("s3://ml-prod/artifacts/x.txt")


def test_the_credentials_are_the_roles_not_the_environments(provisioned: Client, aws: Aws) -> None:
    provider = provisioned.active_stack.artifact_store.credentials
    assert provider is not None
    credentials: Any = provider()
    who = aws.client("sts", credentials).get_caller_identity()["Arn"]
    assert ":assumed-role/store-role/stacks-prod_connector" in who
    assert credentials.expires_at is not None


def test_a_role_that_is_gone_is_an_error_and_nothing_else_is_tried(
    provisioned: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = provisioned.active_stack.artifact_store
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsMissingError, match="prod_connector"):
        store.listdir("s3://ml-prod/artifacts")


def test_a_caller_that_may_not_assume_the_role_is_told(
    provisioned: Client, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.relax()
    stranger = aws.user("stranger", "s3:*")
    aws.enforce()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", stranger.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", stranger.secret_access_key)
    with pytest.raises(ConnectorError, match="sts:AssumeRole"):
        provisioned.active_stack.artifact_store.exists("s3://ml-prod/artifacts/old.txt")


def test_a_read_only_connector_reads_and_does_not_write(provisioned: Client) -> None:
    def read_only(state: State) -> State:
        old = state.connector("prod_connector")
        config = {**old.config, "access": "read-only"}
        new = ConnectorRecord(old.name, old.type, old.auth_method, old.resource_type, old.resource_id, config)
        return state.with_connector(new, replacing=True)

    provisioned.state_file.update(read_only)
    store = provisioned.active_stack.artifact_store
    assert store.exists("s3://ml-prod/artifacts/old.txt")
    with pytest.raises(StorePermissionError), store.open("s3://ml-prod/artifacts/x.txt", "w") as file:
        file.write("hello")


def test_a_stores_way_to_its_credentials_can_be_pickled(provisioned: Client) -> None:
    """Workers of a data loader get the store, and fetch credentials of their own."""
    pickled = pickle.dumps(provisioned.active_stack.artifact_store)
    assert b"SECRET" not in pickled.upper().replace(b"SECRETS", b"")
    copy = pickle.loads(pickled)
    assert copy.exists("s3://ml-prod/artifacts/old.txt")


def test_files_stream_between_a_bucket_and_a_disk(provisioned: Client, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(b"0123456789" * 2_000_000)
    fileio.copy(tmp_path / "big.bin", "s3://ml-prod/artifacts/big.bin")
    assert fileio.size("s3://ml-prod/artifacts/big.bin") == 20_000_000
    fileio.copy("s3://ml-prod/artifacts/big.bin", tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == (tmp_path / "big.bin").read_bytes()
    fileio.rename("s3://ml-prod/artifacts/big.bin", tmp_path / "moved.bin")
    assert not fileio.exists("s3://ml-prod/artifacts/big.bin")


def test_connectors_are_verified_before_they_are_registered_or_connected(
    provisioned: Client, aws: Aws
) -> None:
    assert provisioned.verify_connector("prod_connector") == ["s3://ml-prod/artifacts"]
    assert provisioned.list_connector_resources("prod_connector") == ["s3://ml-prod/artifacts"]
    place = {"region": REGION, "endpoint_url": aws.url}
    with pytest.raises(ConnectorError, match="may not list s3://ml-prod"):
        provisioned.register_connector(
            "bad", "aws", "implicit", resource_id="s3://ml-prod", config=place, verify=True
        )
    assert [record.name for record in provisioned.list_connectors()] == ["prod_connector"]
    provisioned.register_connector("bad", "aws", "implicit", config=place)
    provisioned.register_artifact_store("mine", "s3", "s3://ml-prod/artifacts")
    with pytest.raises(ConnectorError, match="may not list"):
        provisioned.connect_artifact_store("mine", "bad", verify=True)
    assert provisioned.describe_artifact_store("mine").connector is None
