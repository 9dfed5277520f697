"""Applications of Entra ID as `drift --fast` reads them, from a Microsoft Graph of the tests' own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure_management import SUBSCRIPTION
from certificates import loopback_certificate
from microsoft_graph import Graph
from small_server import serving

from provisioner.live.azure_applications import Applications
from provisioner.live.base import UnreadableError
from provisioner.live.noted import Resource
from provisioner.manifest import parse_manifest

HERE = "module.application_mine"
APPLICATION, PRINCIPAL = f"{HERE}.azuread_application.this", f"{HERE}.azuread_service_principal.this"
FEDERATED = f"{HERE}.azuread_application_federated_identity_credential.trusted"
SOON = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}"


class Somebody:
    """Whoever runs the command."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("a.b.c", int(datetime.now(UTC).timestamp()) + 3600)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return loopback_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def graph(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """A tenant with nothing in it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    graph = Graph()
    with serving(
        lambda asked: graph.handle(
            asked.method, asked.path.replace("%27", "'"), asked.query, json.loads(asked.body or "{}"), ""
        ),
        certificate[1],
    ) as url:
        monkeypatch.setenv("PROVISION_AZURE_GRAPH_URL", url)
        yield graph
    graph.problems.settle()


def reader(method: str = "workload-identity") -> Applications:
    """The reader of a stack with one connector."""
    trusted = {"trusted_principals": ["https://a.example#b"]} if method == "workload-identity" else {}
    fields = {
        "version": 1,
        "name": "ml-prod",
        "provider": "azure",
        "region": "westeurope",
        "account": SUBSCRIPTION,
        "artifact_stores": [{"name": "main", "connector": "mine"}],
        "connectors": [{"name": "mine", "auth_method": method, **trusted}],
    }
    return Applications(parse_manifest(json.dumps(fields)), Somebody())


def made(graph: Graph) -> list[Resource]:
    """What an apply made, and noted."""
    application = graph.application(displayName="ml-prod-mine", tags=["stack:ml-prod", "connector:mine"])
    principal = graph.principal(application)
    trust = {"issuer": "https://a.example", "subject": "b", "audiences": ["api://AzureADTokenExchange"]}
    federated = graph.trust(application, name="trusted-1", **trust)
    there = {"notes": "", "tags": ["connector:mine", "stack:ml-prod"]}
    return [
        Resource(
            APPLICATION,
            "azuread_application",
            {
                "object_id": application["id"],
                "display_name": "ml-prod-mine",
                "sign_in_audience": "AzureADMyOrg",
                "fallback_public_client_enabled": False,
                "identifier_uris": [],
                **there,
            },
        ),
        Resource(PRINCIPAL, "azuread_service_principal", {"object_id": principal["id"]}),
        Resource(
            FEDERATED,
            "azuread_application_federated_identity_credential",
            {
                "application_id": f"/applications/{application['id']}",
                "credential_id": federated["id"],
                "display_name": "trusted-1",
                **trust,
            },
        ),
    ]


def test_what_is_there_is_read_in_the_shape_of_the_provider(graph: Graph) -> None:
    resources = made(graph)
    applications = reader()
    for resource in (resources[0], resources[2]):
        found = applications.readings[resource.type](resource.attributes)
        assert found is not None
        known = {name: value or None for name, value in resource.attributes.items()}
        assert {name: value or None for name, value in found.items()}.items() <= known.items()
    principal = applications.readings["azuread_service_principal"](resources[1].attributes)
    assert principal is not None
    assert (principal["account_enabled"], principal["app_role_assignment_required"]) == (True, False)
    assert list(applications.uninvited(resources)) == []


def test_what_is_gone_is_missing(graph: Graph) -> None:
    resources = made(graph)
    graph.applications.clear()
    graph.principals.clear()
    applications = reader()
    assert [applications.readings[one.type](one.attributes) for one in resources] == [None, None, None]
    assert list(applications.uninvited(resources)) == []


@pytest.mark.parametrize(("method", "told"), [("service-principal", 1), ("workload-identity", 3)])
def test_a_client_secret_that_nobody_here_made_is_told(graph: Graph, method: str, told: int) -> None:
    """Ours are called after us, and a connector that needs none has none of ours."""
    resources = made(graph)
    (application,) = graph.applications.values()
    for number, name in enumerate(("stack-provisioner", "provision mine", "mallory's")):
        key = f"00000000-0000-0000-0000-00000000000{number}"
        application["passwordCredentials"].append({"keyId": key, "displayName": name, "endDateTime": SOON})
    key = "00000000-0000-0000-0000-00000000000f"
    ended = {"keyId": key, "displayName": "ended", "endDateTime": "2020-01-01T00:00:00Z"}
    application["passwordCredentials"].append(ended)

    found = list(reader(method).uninvited(resources))

    assert len(found) == told
    assert f"mallory's, good until {SOON[:10]}" in found[-1]


def test_certificates_and_secrets_of_the_service_principal_are_told(graph: Graph) -> None:
    resources = made(graph)
    (application,), (principal,) = graph.applications.values(), graph.principals.values()
    key = {"keyId": "00000000-0000-0000-0000-000000000001", "displayName": "CN=x", "endDateTime": SOON}
    application["keyCredentials"].append(key)
    principal["passwordCredentials"].append({**key, "displayName": None})

    found = list(reader("service-principal").uninvited(resources))

    assert [words.partition(" that ")[0] for words in found] == [
        "the application ml-prod-mine has a certificate",
        "the service principal ml-prod-mine has a client secret",
    ]


def test_a_stranger_that_an_application_trusts_is_told(graph: Graph) -> None:
    resources = made(graph)
    (application,) = graph.applications.values()
    graph.trust(application, name="extra", issuer="https://evil.example", subject="me", audiences=["x"])
    (told,) = reader().uninvited(resources)
    assert (
        told == "the application ml-prod-mine trusts me of https://evil.example (federated credential extra)"
    )


def test_who_may_not_read_applications_is_told_what_that_takes(graph: Graph) -> None:
    resources = made(graph)
    graph.allows = False
    applications = reader()
    for resource in resources:
        with pytest.raises(UnreadableError, match=r"Application\.Read\.All"):
            applications.readings[resource.type](resource.attributes)
    assert list(applications.uninvited(resources)) == []
