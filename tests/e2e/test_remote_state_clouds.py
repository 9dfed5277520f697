"""Terraform's own gcs and azurerm backends against emulators: the state lies there, and is locked there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from certificates import loopback_certificate
from connect_proxy import tunnelling
from fake_gcs import create_bucket, running_gcs
from world import World, ended, wait_until

pytestmark = pytest.mark.slow  # minutes of real Terraform, beside which the default tests have shorter ones

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))  # Azurite: found and started there

ACCOUNT = "acmestate"
KEY = "YWNjb3VudC1rZXktb2YtdGhlLXRlc3RzLW9ubHk="
HOST = f"{ACCOUNT}.blob.core.windows.net"


@dataclass(frozen=True)
class Place:
    """Where the state goes: the manifest's block, what the machine knows, and how messages call it."""

    state: dict[str, Any]
    environment: dict[str, str]
    location: str


@contextmanager
def _gcs(folder: Path) -> Iterator[Place]:
    with running_gcs(folder) as url:
        create_bucket(url, "acme-states")
        state = {"backend": "gcs", "bucket": "acme-states", "endpoint_url": f"{url}/storage/v1/"}
        token = {"GOOGLE_OAUTH_ACCESS_TOKEN": "a-token", "STORAGE_EMULATOR_HOST": url}
        yield Place(state, token, "gs://acme-states/stacks/demo/default.tfstate")


@contextmanager
def _azurerm(folder: Path) -> Iterator[Place]:
    """Azurite under Azure's own name, by a proxy: the backend takes no other address."""
    from azure.storage.blob import BlobServiceClient
    from contract_rigs import azurite
    from contract_servers import free_port

    _, both = loopback_certificate(folder, HOST)
    authority = folder / "loopback-cert.pem"
    port = free_port()
    argv = [
        azurite(),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
        "--inMemoryPersistence",
        "--disableTelemetry",
        "--silent",
    ]
    argv += ["--skipApiVersionCheck", "--cert", str(authority), "--key", str(both)]
    environment = {"PATH": _path(), "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}", "HOME": str(folder)}
    server = subprocess.Popen(argv, env=environment, cwd=folder)
    try:
        wait_until(lambda: _answers(port), "Azurite to listen")
        with tunnelling(port) as proxy:
            options: dict[str, Any] = {"proxies": {"https": proxy}, "connection_verify": str(authority)}
            credential = {"account_name": ACCOUNT, "account_key": KEY}
            with BlobServiceClient(f"https://{HOST}", credential=credential, **options) as client:
                client.create_container("states")
            state = {"backend": "azurerm", "storage_account": ACCOUNT, "container": "states"}
            machine = {
                "ARM_ACCESS_KEY": KEY,
                "HTTPS_PROXY": proxy,
                "SSL_CERT_FILE": str(authority),
                "REQUESTS_CA_BUNDLE": str(authority),
            }
            yield Place(state, machine, f"https://{HOST}/states/stacks/demo/terraform.tfstate")
    finally:
        server.terminate()
        server.wait(timeout=30)


def _path() -> str:
    import os

    return os.environ["PATH"]


def _answers(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


PLACES = {"gcs": _gcs, "azurerm": _azurerm}


@pytest.fixture(scope="module", params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.fixture
def here(world: World, place: Place) -> World:
    world.environment.update(place.environment)
    return world


def _manifest(world: World, place: Place, folder: Path) -> Path:
    store = {"name": "data", "bucket": str(folder), "protect": False}
    return world.manifest(provider="local", artifact_stores=[store], state=place.state)


@pytest.mark.slow
def test_a_stack_lives_and_ends_with_its_state_there(here: World, place: Place, tmp_path: Path) -> None:
    manifest = _manifest(here, place, tmp_path / "data")
    here.provision("apply", manifest, "-y")
    assert not here.terraform_state().exists()
    note = json.loads((here.workspace() / "state-place.json").read_text())
    assert note["location"] == place.location
    written = "".join(path.read_text() for path in (here.workspace() / "root").glob("*.tf"))
    assert KEY not in written
    assert here.provision("plan", manifest, "--detailed-exitcode").code == 0
    here.provision("destroy", manifest, "-y")
    assert here.registered() == []


def test_its_lock_names_the_holder_and_is_ended_by_recover(
    here: World, place: Place, tmp_path: Path, any_terraform: Path | None
) -> None:
    manifest = _manifest(here, place, tmp_path / "data")
    gate = here.slow()
    running = here.start("apply", manifest, "-y", environment=gate.environment)
    gate.wait()
    there = World.create(tmp_path / "other", any_terraform, **place.environment)
    told = there.provision("apply", _manifest(there, place, tmp_path / "data"), "-y", expect=6)
    assert place.location in told.err
    assert "(apply) since" in told.err
    checks = here.provision("doctor", "--format", "json", expect=None).json
    held = {check["name"]: check["found"] for check in checks}
    assert held["lock of demo"] == f"{place.location}: a second writer is kept out"
    assert held["holder of the lock of demo"].startswith("held by ")

    running.kill()
    here.kill()
    ended(running, None)
    refused = here.provision("apply", manifest, "-y", expect=6)
    assert "which was killed here" in refused.err
    here.provision("recover", "demo", "-y")
    here.provision("apply", manifest, "-y")
    there.provision("destroy", _manifest(there, place, tmp_path / "data"), "-y")
    there.close()
