"""The way of the documents: a container, a secret with a connection string, and nothing else said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from contract_rigs import AZURITE_KEY, Rig

from stacks import Client
from stacks.errors import StoreConfigError


def test_the_secret_names_the_account(start: Callable[[str], Rig], tmp_path: Path) -> None:
    known, _ = start("azure").fresh(name="known")
    client = Client(str(tmp_path / "state.json"))
    text = (
        f"AccountName=devstoreaccount1;AccountKey={AZURITE_KEY};BlobEndpoint={known.config['account_url']};"
    )
    client.create_secret("az_secret", {"connection_string": text})
    client.register_artifact_store("az_store", "azure", path=known.path, authentication_secret="az_secret")

    store = client.get_artifact_store("az_store")
    with store.open(f"{store.path}/x.txt", "w") as stream:
        stream.write("reached")

    with known.open(f"{known.path}/x.txt") as stream:
        assert stream.read() == "reached"


def test_a_store_without_an_account_can_be_registered_and_says_what_it_misses_when_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    client = Client(str(tmp_path / "state.json"))
    client.register_artifact_store("az_store", "azure", path="az://container-name")

    with pytest.raises(StoreConfigError, match="names no storage account") as error:
        client.get_artifact_store("az_store").exists("az://container-name/x")

    assert "AZURE_STORAGE_ACCOUNT_NAME" in (error.value.hint or "")
