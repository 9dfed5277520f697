"""What every remote flavor owes besides the contract of files: its errors, forks, and live credentials."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contract_rigs import AZURITE_KEY, Rig, Scene

from stacks.credentials import AwsCredentials, AzureCredentials, GcpToken
from stacks.errors import (
    BucketNotFoundError,
    CredentialsMissingError,
    CredentialsWrongError,
    StoreNetworkError,
)
from stacks.stores.azure import AzureArtifactStore
from stacks.stores.base import BaseArtifactStore
from stacks.stores.gcp import GCPArtifactStore

REMOTE = ["moto", "gcs", "azure"]


@pytest.fixture(params=REMOTE)
def rig(request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> Rig:
    return start(request.param)


def test_a_missing_bucket_is_not_a_missing_file(rig: Rig) -> None:
    scheme = rig.base.partition("://")[0]
    store = rig.make(f"{scheme}://no-such-bucket-anywhere/prefix", name="lost")
    path = f"{store.path}/file"
    for call in (
        lambda: store.open(path),
        lambda: store.open(path, "w"),
        lambda: store.exists(path),
        lambda: store.isdir(store.path),
        lambda: store.listdir(store.path),
        lambda: store.stat(path),
        lambda: store.remove(path),
        lambda: store.rmtree(store.path),
        lambda: store.write_bytes(path, b""),
        lambda: store.write_bytes(path, b"", if_match="7"),
        lambda: store.read_many([path]),
        lambda: store.copyfile(path, f"{path}2", overwrite=True),
    ):
        with pytest.raises(BucketNotFoundError) as caught:
            call()
        assert not isinstance(caught.value, FileNotFoundError)
        assert "no-such-bucket-anywhere" in str(caught.value)
        assert "lost" in str(caught.value)
        assert caught.value.hint


def child(store: BaseArtifactStore, number: int) -> bytes:
    with store.open(f"{store.path}/from-{number}", "wb") as file:
        file.write(b"child")
    with store.open(f"{store.path}/shared", "rb") as file:
        content: bytes = file.read()
    assert f"from-{number}" in store.listdir(store.path)
    return content


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_worker_reads_and_writes(scene: Scene) -> None:
    scene.put("shared", b"from the parent")
    assert scene.store.read_many([scene.at("shared")] * 3) == [b"from the parent"] * 3
    with multiprocessing.get_context("fork").Pool(2) as pool:
        done = pool.starmap_async(child, [(scene.store, number) for number in range(4)])
        assert done.get(timeout=60) == [b"from the parent"] * 4
    assert scene.store.listdir(scene.store.path) == [*(f"from-{number}" for number in range(4)), "shared"]


def test_no_secret_is_shown_or_pickled(rig: Rig) -> None:
    store, _ = rig.fresh()
    for text in (repr(store).encode(), pickle.dumps(store)):
        assert b"testtest" not in text
        assert AZURITE_KEY.encode() not in text


CREDENTIALS: dict[str, Callable[[datetime], Any]] = {
    "moto": lambda until: AwsCredentials("test", "testtest", "token", until),
    "gcs": lambda until: GcpToken("token", until),
    "azure": lambda until: AzureCredentials(account_key=AZURITE_KEY, expires_at=until),
}


def test_credentials_are_asked_for_again_when_they_have_expired(rig: Rig) -> None:
    asked: list[int] = []

    def provide() -> Any:
        asked.append(1)
        return CREDENTIALS[rig.name](datetime.now(UTC) + timedelta(seconds=0.4))

    store, _ = rig.fresh(credentials=provide)
    path = f"{store.path}/x"
    store.write_bytes(path, b"1")
    first = len(asked)
    store.live_credentials.renew()  # type: ignore[attr-defined] # every remote flavor has them
    assert store.read_many([path]) == [b"1"]
    assert len(asked) > first


def test_a_service_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.cloud.storage.retry.DEFAULT_RETRY._timeout", 1.0)
    nowhere = "http://127.0.0.1:9"
    gcs = GCPArtifactStore("gs://box", endpoint_url=nowhere, credentials=lambda: GcpToken("x"), name="away")
    azure = AzureArtifactStore("az://box", account_url=f"{nowhere}/acme", account_key="a2V5", name="away")
    azure._client.get()._config.retry_policy.total_retries = 0
    for store in (gcs, azure):
        with pytest.raises(StoreNetworkError, match="away") as caught:
            store.listdir(store.path)
        assert caught.value.hint


def test_a_key_that_azure_does_not_accept(start: Callable[[str], Rig]) -> None:
    rig = start("azure")
    store, _ = rig.fresh(account_key="d3Jvbmc=", name="locked out")
    for call in (store.listdir, store.exists, lambda path: store.write_bytes(f"{path}/x", b"")):
        with pytest.raises(CredentialsWrongError, match="locked out"):
            call(store.path)


def test_no_google_credentials_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    store = GCPArtifactStore("gs://box")
    with pytest.raises(CredentialsMissingError, match="no Google credentials"):
        store.listdir(store.path)


def test_sas_tokens_open_azure(start: Callable[[str], Rig]) -> None:
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    rig = start("azure")
    container = rig.base.removeprefix("az://")
    token = generate_container_sas(
        "devstoreaccount1",
        container,
        account_key=AZURITE_KEY,
        permission=ContainerSasPermissions(read=True, write=True, list=True, delete=True, create=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    store, _ = rig.fresh(credentials=lambda: AzureCredentials(sas_token=token))
    store.write_bytes(f"{store.path}/x", b"1")
    store.copyfile(f"{store.path}/x", f"{store.path}/y")
    assert store.read_many([f"{store.path}/y"]) == [b"1"]
    store.rmtree(store.path)
