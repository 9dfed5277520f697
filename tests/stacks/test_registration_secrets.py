"""The secrets of components registered by hand: where they go, whose they are, and when they end."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks import Client
from stacks.errors import (
    ComponentExistsError,
    ComponentInUseError,
    InvalidValueError,
    StoreConfigError,
)
from stacks.state import ArtifactStoreRecord

CANARY = "canary-6d1f"
KEY = {"aws_access_key_id": "AKIA", "aws_secret_access_key": CANARY}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / ".stacks"


@pytest.fixture
def client(home: Path) -> Client:
    return Client(str(home / "state.json"))


def test_plain_secrets_go_into_a_secret_and_the_record_refers_to_it(client: Client, home: Path) -> None:
    record = client.register_artifact_store(
        "mine",
        "s3",
        "s3://bucket/",
        config={"key": "AKIA", "secret": CANARY, "client_kwargs": '{"verify": false}'},
    )
    assert record.path == "s3://bucket"
    assert record.config == {
        "key": "{{mine.artifact-store.key}}",
        "secret": "{{mine.artifact-store.secret}}",
        "client_kwargs": {"verify": False},
    }
    assert client.get_secret("mine.artifact-store") == {"key": "AKIA", "secret": CANARY}
    assert client.get_artifact_store("mine").config["secret"] == CANARY
    for file in home.rglob("*"):
        assert file.is_dir() or CANARY.encode() not in file.read_bytes()
    assert CANARY not in f"{record!r} {client!r} {client.get_artifact_store('mine')!r} {client.state!r}"


def test_secrets_inside_json_text_are_found_too(client: Client) -> None:
    text = f'{{"aws_access_key_id": "AKIA", "aws_secret_access_key": "{CANARY}"}}'
    record = client.register_artifact_store("mine", "s3", "s3://bucket", config={"client_kwargs": text})
    assert CANARY not in repr(record)
    assert client.get_artifact_store("mine").live_credentials().secret_access_key == CANARY  # type: ignore[attr-defined] # S3's
    with pytest.raises(InvalidValueError, match=r"client_kwargs\.aws_secret_access_key"):
        client.state_file.update(
            lambda state: state.with_artifact_store(
                ArtifactStoreRecord("x", "s3", "s3://x", {"client_kwargs": text})
            )
        )


def test_a_refused_change_leaves_the_secret_as_it_was(client: Client) -> None:
    client.register_artifact_store("mine", "s3", "s3://bucket", config={"key": "AKIA", "secret": "old"})
    with pytest.raises(ComponentExistsError):
        client.register_artifact_store("mine", "s3", "s3://b2", config={"key": "AKIA", "secret": "new"})
    with pytest.raises(StoreConfigError):
        client.update_artifact_store("mine", config={"secret": "new", "nope": 1})
    assert client.get_secret("mine.artifact-store")["secret"] == "old"
    client.update_artifact_store("mine", config={"secret": "new"})
    assert client.get_secret("mine.artifact-store") == {"key": "AKIA", "secret": "new"}
    assert client.get_artifact_store("mine").config["secret"] == "new"


def test_the_secret_of_a_deleted_store_goes_with_it(client: Client) -> None:
    client.create_secret("shared", KEY)
    client.register_artifact_store("mine", "s3", "s3://bucket", config={"key": "a", "secret": CANARY})
    client.register_artifact_store("other", "s3", "s3://bucket", authentication_secret="shared")
    client.rename_artifact_store("mine", "renamed")
    client.copy_artifact_store("renamed", "copied")
    client.delete_artifact_store("renamed")
    assert client.list_secrets() == ["mine.artifact-store", "shared"]
    client.delete_artifact_store("copied")
    client.delete_artifact_store("other")
    assert client.list_secrets() == ["shared"]


def test_a_name_that_is_used_again_does_not_change_what_was_renamed(client: Client) -> None:
    client.register_artifact_store("main", "s3", "s3://old", config={"key": "OLD", "secret": "old"})
    client.rename_artifact_store("main", "archive")
    client.register_artifact_store("main", "s3", "s3://new", config={"key": "NEW", "secret": "new"})
    client.update_artifact_store("archive", config={"secret": "older"})
    assert client.get_artifact_store("archive").config == {"key": "OLD", "secret": "older"}
    assert client.get_artifact_store("main").config == {"key": "NEW", "secret": "new"}
    client.delete_artifact_store("archive")
    assert client.list_secrets() == ["main-2.artifact-store"]


def test_a_copys_new_key_is_not_the_originals(client: Client) -> None:
    client.register_artifact_store("main", "s3", "s3://b", config={"key": "ONE", "secret": "1"})
    client.copy_artifact_store("main", "copy")
    client.update_artifact_store("main", config={"secret": "2"})
    client.update_artifact_store("copy", config={"secret": "3"})
    assert client.get_artifact_store("main").config == {"key": "ONE", "secret": "2"}
    assert client.get_artifact_store("copy").config == {"key": "ONE", "secret": "3"}


def test_a_url_with_a_password_is_a_secret(client: Client, home: Path) -> None:
    record = client.register_artifact_store(
        "mine",
        "s3",
        "s3://bucket",
        config={
            "client_kwargs": {"endpoint_url": f"https://me:{CANARY}@minio"},
            "config_kwargs": {"proxies": {"https": f"http://me:{CANARY}@proxy", "http": "http://proxy"}},
        },
    )
    assert record.config["config_kwargs"]["proxies"] == {
        "https": "{{mine.artifact-store.config_kwargs-proxies-https}}",
        "http": "http://proxy",
    }
    for file in home.rglob("*"):
        assert file.is_dir() or CANARY.encode() not in file.read_bytes()
    assert CANARY.encode() not in pickle.dumps(client.get_artifact_store("mine"))
    with pytest.raises(InvalidValueError, match=r"proxies\.https"):
        client.state_file.update(
            lambda state: state.with_artifact_store(
                ArtifactStoreRecord("x", "s3", "s3://x", {"proxies": {"https": f"http://me:{CANARY}@proxy"}})
            )
        )


def test_a_used_secret_stays(client: Client) -> None:
    client.create_secret("s", KEY)
    client.register_artifact_store("mine", "s3", "s3://b", authentication_secret="s")
    changes: tuple[Callable[[], object], ...] = (
        lambda: client.delete_secret("s"),
        lambda: client.rename_secret("s", "t"),
    )
    for change in changes:
        with pytest.raises(ComponentInUseError, match="used by artifact store mine"):
            change()
    client.update_secret("s", {"aws_session_token": "t"})
    client.update_secret("s", {}, remove=["aws_session_token"])
    assert client.get_secret("s") == KEY
    client.update_artifact_store("mine", remove=["authentication_secret"])
    client.rename_secret("s", "t")
    client.delete_secret("t")
    assert client.list_secrets() == []
