"""Registering by hand: what is refused, what is written, and where secrets go."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stacks import Client
from stacks.errors import (
    ComponentError,
    ComponentExistsError,
    ComponentInUseError,
    ConnectorScopeError,
    InvalidNameError,
    InvalidValueError,
    SecretNotFoundError,
    StoreConfigError,
    UnknownComponentError,
)
from stacks.state import ArtifactStoreRecord, DeploymentRecord, StackRecord

CANARY = "canary-6d1f"
KEY = {"aws_access_key_id": "AKIA", "aws_secret_access_key": CANARY}
ROLE = {"role_arn": "arn:aws:iam::123456789012:role/store"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / ".stacks"


@pytest.fixture
def client(home: Path) -> Client:
    return Client(str(home / "state.json"))


@pytest.fixture
def managed(client: Client) -> Client:
    """A stack ``ml-prod`` with a store ``prod``, which a manifest manages."""
    deployment = DeploymentRecord(
        "ml-prod", "local", None, None, "/m.yaml", "0" * 64, "/w", datetime.now(UTC), "terraform 1.9.8"
    )
    client.state_file.update(
        lambda state: state.with_deployment(
            deployment,
            artifact_stores=[ArtifactStoreRecord("prod", "local", "/data/prod")],
            stack=StackRecord("ml-prod", "prod"),
            activate=True,
        )
    )
    return client


# -- artifact stores


def test_a_store_a_stack_and_it_can_be_used(client: Client, tmp_path: Path) -> None:
    client.register_artifact_store("mine", "local", str(tmp_path / "data"))
    client.register_stack("dev", "mine", activate=True)
    store = client.active_stack.artifact_store
    with store.open(str(tmp_path / "data" / "x.txt"), "w") as file:
        file.write("hello")
    assert (tmp_path / "data" / "x.txt").read_text() == "hello"
    assert client.active_stack.name == "dev"
    assert client.get_artifact_store("mine") is store
    assert client.get_stack("dev").orchestrator == "default"


def test_a_local_store_gets_a_folder_of_its_own(client: Client, home: Path) -> None:
    assert client.register_artifact_store("mine", "local").path == str(home / "local_stores" / "mine")


def test_what_cannot_be_is_refused_and_leaves_nothing(client: Client, home: Path) -> None:
    with pytest.raises(UnknownComponentError, match="'s4'"):
        client.register_artifact_store("x", "s4", "s3://bucket")
    with pytest.raises(StoreConfigError, match="does not begin with s3://"):
        client.register_artifact_store("x", "s3", "gs://bucket")
    with pytest.raises(StoreConfigError, match="no setting bucket_name"):
        client.register_artifact_store("x", "s3", "s3://bucket", config={"bucket_name": "b"})
    with pytest.raises(InvalidValueError, match="needs a path"):
        client.register_artifact_store("x", "s3")
    with pytest.raises(InvalidNameError):
        client.register_artifact_store("x y", "s3", "s3://bucket", config={"key": "a", "secret": CANARY})
    with pytest.raises(UnknownComponentError, match="no service connector named 'nope'"):
        client.register_artifact_store(
            "x", "s3", "s3://bucket", connector="nope", config={"key": "a", "secret": CANARY}
        )
    with pytest.raises(StoreConfigError, match="takes no credentials"):
        client.register_artifact_store("x", "local", authentication_secret="s")
    assert not (home / "state.json").exists()
    assert client.list_secrets() == []


@pytest.mark.parametrize(
    ("flavor", "path", "wrong", "other"),
    [
        ("local", "s3://bucket", "is not local", "s3"),
        ("s3", "gs://bucket", "does not begin with s3://", "gcp"),
        ("azure", "file:///tmp/x", "does not begin with abfs:// or az://", "local"),
    ],
)
def test_a_path_of_another_flavor_is_told_its_own(
    client: Client, flavor: str, path: str, wrong: str, other: str
) -> None:
    with pytest.raises(StoreConfigError) as refused:
        client.register_artifact_store("s", flavor, path)

    assert refused.value.message == f"the path {path!r} {wrong}"
    assert refused.value.hint is not None
    assert refused.value.hint.endswith(f"are of the flavor {other}: register one with -f {other}")


def test_a_store_with_a_secret(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.register_artifact_store("mine", "s3", "s3://bucket", authentication_secret="later")
    assert "provision secret create later" in caplog.text
    with pytest.raises(SecretNotFoundError, match="'later'"):
        client.get_artifact_store("mine")
    client.create_secret("later", KEY)
    credentials = client.get_artifact_store("mine").credentials
    assert credentials is not None
    assert CANARY not in repr(credentials())


def test_attributes_are_changed_and_removed(client: Client) -> None:
    client.register_artifact_store("mine", "s3", "s3://bucket", config={"client_kwargs": {"verify": False}})
    before = client.get_artifact_store("mine")
    changed = client.update_artifact_store("mine", path="s3://other", remove=["client_kwargs"])
    assert (changed.path, dict(changed.config)) == ("s3://other", {})
    assert client.get_artifact_store("mine") is not before
    with pytest.raises(InvalidValueError, match="has no attribute verify"):
        client.update_artifact_store("mine", remove=["verify"])


# -- connectors


def test_a_store_is_connected_and_disconnected(client: Client) -> None:
    client.register_connector("aws", "aws", "iam-role", resource_id="s3://bucket/mine", config=ROLE)
    client.create_secret("s", KEY)
    client.register_artifact_store("mine", "s3", "s3://bucket/mine", authentication_secret="s")
    connected = client.connect_artifact_store("mine", "aws")
    assert (connected.connector, connected.authentication_secret) == ("aws", None)
    with pytest.raises(ComponentInUseError, match="used by artifact store mine"):
        client.delete_connector("aws")
    client.rename_connector("aws", "aws2")
    assert client.describe_artifact_store("mine").connector == "aws2"
    assert client.disconnect_artifact_store("mine").connector is None
    client.delete_connector("aws2")
    assert client.list_connectors() == []


def test_a_connector_that_could_not_serve_the_store_is_refused(client: Client) -> None:
    client.register_connector("aws", "aws", "iam-role", resource_id="s3://bucket/mine", config=ROLE)
    client.register_artifact_store("mine", "s3", "s3://bucket/minefield")
    with pytest.raises(ConnectorScopeError, match="does not contain s3://bucket/minefield"):
        client.connect_artifact_store("mine", "aws")
    client.register_artifact_store("disk", "local")
    with pytest.raises(StoreConfigError, match="takes no credentials"):
        client.connect_artifact_store("disk", "aws")
    with pytest.raises(InvalidValueError, match="both a connector and an authentication_secret"):
        client.register_artifact_store(
            "x", "s3", "s3://bucket/mine", connector="aws", authentication_secret="s"
        )


def test_a_connectors_plain_keys_go_into_a_secret(client: Client, home: Path) -> None:
    record = client.register_connector("aws", "aws", "secret-key", config={**KEY, "region": "eu-west-1"})
    assert record.config["aws_secret_access_key"] == "{{aws.service-connector.aws_secret_access_key}}"
    assert CANARY not in f"{record!r} {client.describe_connector('aws')!r} {client.get_connector('aws')!r}"
    assert client.connector_credentials("aws", "s3://bucket").secret_access_key == CANARY  # type: ignore[union-attr]
    assert CANARY.encode() not in (home / "state.json").read_bytes()
    client.update_connector("aws", config={"region": None, "aws_secret_access_key": "new"})
    assert "region" not in client.describe_connector("aws").config
    assert client.connector_credentials("aws", "s3://bucket").secret_access_key == "new"  # type: ignore[union-attr]
    client.delete_connector("aws")
    assert client.list_secrets() == []


def test_a_bad_connector_leaves_nothing_half_registered(client: Client, home: Path) -> None:
    with pytest.raises(InvalidValueError, match="needs aws_access_key_id"):
        client.register_connector("aws", "aws", "secret-key", config={"aws_secret_access_key": CANARY})
    with pytest.raises(SecretNotFoundError):
        client.register_connector("aws", "aws", "secret-key", authentication_secret="nope")
    assert client.list_secrets() == []
    assert not (home / "state.json").exists()


# -- stacks


def test_stacks_are_copied_updated_chosen_and_deleted(client: Client) -> None:
    client.register_artifact_store("old", "local")
    client.register_artifact_store("new", "local")
    client.register_stack("dev", "old", activate=True)
    client.copy_stack("current", "migrated")
    client.update_stack("migrated", artifact_store="new")
    assert client.describe_stack("migrated").artifact_store == "new"
    assert client.describe_stack().name == "dev"
    with pytest.raises(ComponentInUseError, match="is the active one"):
        client.delete_stack("dev")
    client.set_active_stack("migrated")
    client.delete_stack("dev")
    client.rename_stack("migrated", "dev2")
    assert client.active_stack_name == "dev2"
    assert [stack.name for stack in client.list_stacks()] == ["dev2"]


def test_without_an_active_stack_it_says_how_to_get_one(client: Client) -> None:
    with pytest.raises(UnknownComponentError, match="no stack is active") as caught:
        _ = client.active_stack
    assert "provision apply" in (caught.value.hint or "")
    with pytest.raises(UnknownComponentError, match="no stack is active"):
        client.copy_stack("current", "x")
    client.register_artifact_store("mine", "local")
    client.register_stack("dev", "mine")
    with pytest.raises(UnknownComponentError) as caught:
        client.get_stack()
    assert "choose one of dev" in (caught.value.hint or "")


def test_a_stack_travels_as_a_document_without_secrets(client: Client, tmp_path: Path) -> None:
    client.register_connector("aws", "aws", "secret-key", config=KEY)
    client.register_artifact_store("mine", "s3", "s3://bucket", connector="aws")
    client.register_stack("dev", "mine")
    document = client.export_stack("dev")
    assert CANARY not in repr(document)
    other = Client(str(tmp_path / "other" / "state.json"))
    assert other.import_stack(document, "theirs") == StackRecord("theirs", "mine")
    assert other.describe_artifact_store("mine") == client.describe_artifact_store("mine")
    other.import_stack(document, "again")
    other.update_artifact_store("mine", path="s3://elsewhere")
    with pytest.raises(ComponentExistsError, match="is not the one of the exported stack"):
        other.import_stack(document, "third")
    with pytest.raises(InvalidValueError, match="no exported stack"):
        other.import_stack({"version": 1})


# -- what a manifest manages


def test_what_a_manifest_manages_is_changed_by_the_manifest_alone(managed: Client) -> None:
    changes: tuple[Callable[[], object], ...] = (
        lambda: managed.update_artifact_store("prod", path="/elsewhere"),
        lambda: managed.rename_artifact_store("prod", "x"),
        lambda: managed.delete_artifact_store("prod"),
        lambda: managed.update_stack("ml-prod", orchestrator="x"),
        lambda: managed.rename_stack("ml-prod", "x"),
        lambda: managed.delete_stack("ml-prod"),
    )
    before = managed.state
    for change in changes:
        with pytest.raises(ComponentError, match="managed by the manifest of 'ml-prod'"):
            change()
    assert managed.state == before
    assert managed.copy_stack("current", "mine").deployment is None
    assert managed.copy_artifact_store("prod", "mine").deployment is None
    managed.delete_stack("mine")


# -- flavors


def test_flavors_of_ones_own(client: Client) -> None:
    record = client.register_flavor("flavor_for_tests.MemoArtifactStore")
    assert record.name == "memo"
    assert ("memo", "custom") in [(flavor.name, flavor.origin) for flavor in client.list_flavors()]
    client.register_artifact_store("mine", "memo", "memo://notes")
    assert client.get_artifact_store("mine").FLAVOR == "memo"
    with pytest.raises(ComponentInUseError):
        client.delete_flavor("memo")
    client.delete_artifact_store("mine")
    client.delete_flavor("memo")
    with pytest.raises(InvalidValueError, match="a flavor that is there already"):
        client.register_flavor("stacks.stores.local.LocalArtifactStore")


def test_what_a_flavor_of_ones_own_calls_secret_goes_into_a_secret(client: Client, home: Path) -> None:
    client.register_flavor("flavor_for_tests.VaultArtifactStore")
    record = client.register_artifact_store("mine", "vault", "vault://x", config={"combination": CANARY})
    assert record.config == {"combination": "{{mine.artifact-store.combination}}"}
    assert CANARY not in (home / "state.json").read_text()
    assert client.get_artifact_store("mine").config == {"combination": CANARY}
    changed = client.update_artifact_store("mine", config={"combination": "1-2-3"})
    assert changed.config == record.config
    assert client.get_artifact_store("mine").config == {"combination": "1-2-3"}


def test_records_are_values(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    record = client.register_artifact_store("mine", "s3", "s3://b", config={"key": "a", "secret": CANARY})
    assert replace(record, path="s3://c") != record
    assert "mine.artifact-store" in caplog.text
    assert CANARY not in caplog.text
