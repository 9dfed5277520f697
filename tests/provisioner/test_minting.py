"""Static credentials that a manifest asks for: made once, kept while they work, never in another's place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from provisioner.errors import InputError
from provisioner.manifest import Manifest, parse_manifest
from provisioner.minting import forget, mint_missing
from provisioner.verify.base import Minted
from provisioner.work import Work
from stacks import Client
from stacks.state import ConnectorRecord, StateFile

SECRET = "main_connector_key"
OUTPUTS = {"connectors": {"main_connector": {"email": "one"}}}


def manifest(method: str = "service-account", secret: str | None = None) -> Manifest:
    named = f"\n    authentication_secret: {secret}" if secret else ""
    return parse_manifest(
        "version: 1\nname: demo\nprovider: gcp\nregion: EU\naccount: acme-ml-prod\n"
        "artifact_stores:\n  - name: main\n"
        f"connectors:\n  - name: main_connector\n    auth_method: {method}{named}\n"
    )


@dataclass
class Cloud:
    """A cloud that numbers the credentials it makes."""

    alive: set[str] = field(default_factory=set)
    made: int = 0

    def mint(self, _connector: Any, output: Mapping[str, Any]) -> Minted:
        self.made += 1
        key = f"{output['email']}-{self.made}"
        self.alive.add(key)
        return Minted({"service_account_json": key}, "it never ends")

    def holds(self, output: Mapping[str, Any], values: Mapping[str, str]) -> bool:
        key = values.get("service_account_json", "")
        return key in self.alive and key.startswith(output["email"])

    def revoke(self, values: Mapping[str, str]) -> None:
        self.alive.discard(values.get("service_account_json", ""))


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(StateFile(tmp_path / "state.json"))


def work(client: Client, cloud: Cloud, wanted: Manifest) -> Work:
    """As much of a command at work as minting looks at."""
    said: list[str] = []
    parts = SimpleNamespace(
        cloud=cloud,
        manifest=wanted,
        state_file=client.state_file,
        state=client.state,
        say=said.append,
        said=said,
    )
    return cast("Work", parts)


def test_a_credential_is_made_once_and_its_place_is_said(client: Client) -> None:
    cloud = Cloud()
    first = work(client, cloud, manifest())
    mint_missing(first, None, OUTPUTS)
    assert dict(client.get_secret(SECRET)) == {"service_account_json": "one-1"}
    assert cast("Any", first).said == [
        f"main_connector: its credential was made and lies in the secret {SECRET}; it never ends"
    ]

    mint_missing(work(client, cloud, manifest()), manifest(), OUTPUTS)
    assert cloud.made == 1


def test_a_method_that_needs_none_makes_none_and_ends_the_old_one(client: Client) -> None:
    cloud = Cloud()
    mint_missing(work(client, cloud, manifest()), None, OUTPUTS)

    mint_missing(work(client, cloud, manifest("impersonation")), manifest(), OUTPUTS)

    assert cloud.alive == set()
    assert client.list_secrets() == []


def test_another_name_of_the_secret_makes_the_next_one(client: Client) -> None:
    cloud = Cloud()
    mint_missing(work(client, cloud, manifest()), None, OUTPUTS)
    mint_missing(work(client, cloud, manifest(secret="second")), manifest(), OUTPUTS)
    assert client.list_secrets() == ["second"]
    assert cloud.alive == {"one-2"}


def test_a_secret_that_holds_something_else_is_never_overwritten(client: Client) -> None:
    client.create_secret(SECRET, {"password": "of somebody"})
    with pytest.raises(InputError, match="holds something else") as caught:
        mint_missing(work(client, Cloud(), manifest()), None, OUTPUTS)
    assert "another authentication_secret" in (caught.value.hint or "")
    assert dict(client.get_secret(SECRET)) == {"password": "of somebody"}


def test_one_of_ours_that_was_deleted_in_the_cloud_is_made_again(client: Client) -> None:
    cloud = Cloud()
    mint_missing(work(client, cloud, manifest()), None, OUTPUTS)
    record = ConnectorRecord(
        "main_connector", "gcp", "service-account", authentication_secret=SECRET, deployment="demo"
    )
    client.state_file.update(lambda state: state.with_connector(record))
    cloud.alive.clear()

    mint_missing(work(client, cloud, manifest()), manifest(), OUTPUTS)

    assert dict(client.get_secret(SECRET)) == {"service_account_json": "one-2"}


def test_a_secret_that_something_else_uses_stays(client: Client) -> None:
    cloud = Cloud()
    mint_missing(work(client, cloud, manifest()), None, OUTPUTS)
    record = ConnectorRecord("theirs", "gcp", "service-account", authentication_secret=SECRET)
    client.state_file.update(lambda state: state.with_connector(record))

    forget(work(client, cloud, manifest()), manifest())

    assert client.list_secrets() == [SECRET]
    assert cloud.alive == {"one-1"}


def test_after_a_destroy_nothing_is_left(client: Client) -> None:
    cloud = Cloud()
    mint_missing(work(client, cloud, manifest()), None, OUTPUTS)
    forget(work(client, cloud, manifest()), manifest())
    forget(work(client, cloud, manifest()), None)
    assert client.list_secrets() == []
