"""A Google, an Azure and an Entra ID for the tests of connectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import loopback_certificate
from google_services import ACCOUNT, Google, running_google
from microsoft_services import (
    CLIENT,
    TENANT,
    Azurite,
    Entra,
    access_token,
    azure_record,
    azurite_program,
    running_azurite,
    running_entra,
)
from named_secrets import Secrets

from stacks.connectors import create_connector


@pytest.fixture(scope="session")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return loopback_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def _azurite(tmp_path_factory: pytest.TempPathFactory, _certificate: tuple[Path, Path]) -> Iterator[Azurite]:
    with running_azurite(azurite_program(), tmp_path_factory.mktemp("azurite"), *_certificate) as azurite:
        yield azurite


@pytest.fixture
def _trusted(_certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(_certificate[0]))


@pytest.fixture
def azurite(_azurite: Azurite, _trusted: None) -> Azurite:
    """A storage account with the containers ``data``, which holds two blobs, and ``database``."""
    service = _azurite.service()
    for found in list(service.list_containers()):
        for blob in list(service.get_container_client(found.name).list_blob_names()):
            service.get_blob_client(found.name, blob).delete_blob()
    for name in ("data", "database"):
        if name not in {found.name for found in service.list_containers()}:
            service.create_container(name)
    service.get_blob_client("data", "mine/a").upload_blob(b"x")
    service.get_blob_client("data", "other/a").upload_blob(b"x")
    service.get_blob_client("database", "mine/a").upload_blob(b"x")
    service.close()
    return _azurite


@pytest.fixture
def entra(_certificate: tuple[Path, Path], _trusted: None) -> Iterator[Entra]:
    """An Entra ID with one application."""
    with running_entra(_certificate[1]) as entra:
        yield entra


@pytest.fixture
def make(azurite: Azurite, entra: Entra, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes a connector by each of the methods, with what the method needs."""

    def made(method: str, resource_id: str | None = None, **config: Any) -> Any:
        secret = {"unused": "by implicit"}
        if method == "implicit":
            config["authority_host"] = entra.url
            monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
            monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
            monkeypatch.setenv("AZURE_CLIENT_SECRET", entra.client_secret)
            monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
        elif method == "service-principal":
            config = {"tenant_id": TENANT, "client_id": CLIENT, "authority_host": entra.url, **config}
            secret = {"client_secret": entra.client_secret}
        elif method == "access-token":
            secret = {"token": access_token()}
        elif method == "account-key":
            secret = {"account_key": azurite.key}
        elif method == "connection-string":
            secret = {"connection_string": azurite.connection_string}
        return create_connector(azure_record(azurite, method, resource_id, **config), Secrets(key=secret))

    return made


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """A Google with the buckets ``data`` and ``database``; this machine is none of its own."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with running_google() as google:
        google.objects = {"data": {"mine/a": b"x", "minefield/a": b"x", "other/a": b"x"}, "database": {}}
        google.creators = {ACCOUNT, "user:engineer@example.com"}
        yield google


@pytest.fixture
def adc(google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application Default Credentials: the key of a service account."""
    path = tmp_path / "adc.json"
    path.write_text(google.service_account_json())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path
