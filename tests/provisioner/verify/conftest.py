"""An Azure of the tests' own: Azurite, an Entra ID, and a management that knows both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure_management import Subscription, managing
from certificates import loopback_certificate
from microsoft_services import (
    CLIENT,
    TENANT,
    Azurite,
    Entra,
    azurite_program,
    running_azurite,
    running_entra,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return loopback_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[Azurite]:
    with running_azurite(azurite_program(), tmp_path_factory.mktemp("azurite"), *certificate) as running:
        yield running


@pytest.fixture
def entra(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Entra]:
    """An Entra ID, and the environment of somebody who is known to it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with running_entra(certificate[1]) as entra:
        for name, value in {
            "AZURE_AUTHORITY_HOST": entra.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": entra.client_secret,
            "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        }.items():
            monkeypatch.setenv(name, value)
        yield entra


@pytest.fixture
def azure(
    azurite: Azurite, entra: Entra, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subscription]:
    """A subscription with nothing in it; the containers that a test makes go with it."""
    with managing(azurite, certificate[1], entra) as azure:
        monkeypatch.setenv("PROVISION_AZURE_MANAGEMENT_URL", azure.url)
        monkeypatch.setenv("PROVISION_AZURE_GRAPH_URL", azure.url)
        yield azure
        with azurite.service() as service:
            for container in list(service.list_containers()):
                service.delete_container(container.name)
