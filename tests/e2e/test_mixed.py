"""One folder with stacks on three clouds and the disk, applied, looked at and destroyed in one command each.

AWS is the real provider against an emulator; Google and Azure are stand-ins where the real ones are not
found, against servers of the tests' own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure_management import SUBSCRIPTION, Subscription, managing
from certificates import loopback_certificate
from emulator import REGION, Emulator
from google_project import PROJECT, Project, running_project
from microsoft_services import ACCOUNT, CLIENT, TENANT, azurite_program, running_azurite, running_entra
from standin.mirror import Mirror
from world import World

pytestmark = pytest.mark.slow  # minutes of real Terraform, beside which the default tests have shorter ones

STACKS = {
    "local": {"name": "on-disk", "provider": "local"},
    "aws": {"name": "on-aws", "provider": "aws", "region": REGION},
    "gcp": {"name": "on-gcp", "provider": "gcp", "region": "europe-west1", "account": PROJECT},
    "azure": {"name": "on-azure", "provider": "azure", "region": "westeurope", "account": SUBSCRIPTION},
}
# The emulator's service answers lifecycle rules only after a minute.
NO_RULES = {"noncurrent_days": None, "abort_multipart_days": None}


@dataclass
class Estate:
    """A world with a folder of stacks, and the clouds that they lie on."""

    world: World
    aws: Emulator
    gcp: Project
    azure: Subscription


@pytest.fixture
def estate(
    tmp_path: Path,
    any_terraform: Path | None,
    aws_mirror: Path,
    cloud: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Estate]:
    """Three clouds, one set of credentials for each."""
    mirror = Mirror(tmp_path / "mirror")
    mirror.real("aws", aws_mirror)
    for name, version in (("google", "6.50.0"), ("azurerm", "4.55.0")):
        mirror.real_or_stand_in(name, version, mirrors=(aws_mirror,), handlers=f"standin_{name}")
    print(mirror.ran)
    certificate, both = loopback_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # for the management, which speaks to Azurite
    (tmp_path / "azurite").mkdir()
    with (
        running_project(tmp_path) as project,
        running_azurite(azurite_program(), tmp_path / "azurite", certificate, both) as azurite,
        running_entra(both) as entra,
        managing(azurite, both, entra) as management,
    ):
        world = World.create(
            tmp_path / "world",
            any_terraform,
            PROVISION_PLUGIN_MIRROR=str(mirror.folder),
            **cloud.credentials,
            GOOGLE_APPLICATION_CREDENTIALS=str(project.key_file(tmp_path)),
            STORAGE_EMULATOR_HOST=project.url,
            GOOGLE_STORAGE_CUSTOM_ENDPOINT=f"{project.url}/storage/v1/",
            GOOGLE_IAM_CUSTOM_ENDPOINT=f"{project.url}/v1/",
            GOOGLE_KMS_CUSTOM_ENDPOINT=f"{project.url}/v1/",
            CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS=project.url,
            CLOUDSDK_API_ENDPOINT_OVERRIDES_STS=project.url,
            STANDIN_SERVER=management.url,
            SSL_CERT_FILE=str(certificate),
            REQUESTS_CA_BUNDLE=str(certificate),
            PROVISION_AZURE_MANAGEMENT_URL=management.url,
            PROVISION_AZURE_GRAPH_URL=management.url,
            AZURE_AUTHORITY_HOST=entra.url,
            AZURE_TENANT_ID=TENANT,
            AZURE_CLIENT_ID=CLIENT,
            AZURE_CLIENT_SECRET=entra.client_secret,
            AZURE_TOKEN_CREDENTIALS="EnvironmentCredential",
            ARM_METADATA_HOSTNAME=management.url.partition("://")[2],
        )
        folder = world.folder / "stacks"
        folder.mkdir()
        for kind, fields in STACKS.items():
            store: dict[str, object] = {"name": f"{kind}_store", "protect": False}
            place: dict[str, str] = {}
            if kind == "aws":
                place = {"endpoint_url": cloud.url}
                store["lifecycle"] = NO_RULES
            if kind == "azure":
                store |= {"storage_account": ACCOUNT, "bucket": "artifacts"}
            rest = {"artifact_stores": [store], "stack": {"activate": False}}
            manifest = {"version": 1, **fields, **place, **rest}
            (folder / f"{kind}.yaml").write_text(json.dumps(manifest))
        yield Estate(world, cloud, project, management)
        world.close()


def test_one_command_for_stacks_on_three_clouds(estate: Estate) -> None:
    world = estate.world

    applied = world.provision("apply", "stacks", "-y", "--jobs", "2")

    assert world.registered() == ["aws_store", "azure_store", "gcp_store", "local_store"]
    assert [name for name in estate.aws.buckets() if name.startswith("on-aws")]
    assert [name for name in estate.gcp.buckets if name.startswith("on-gcp")]
    assert estate.azure.of_type("containers")
    for name in ("on-disk", "on-aws", "on-gcp", "on-azure"):
        assert name in applied.said
    for store in ("aws_store", "azure_store", "gcp_store", "local_store"):
        world.provision("artifact-store", "verify", store)

    assert world.provision("drift", "stacks", "--fast").code == 0
    (bucket,) = [name for name in estate.gcp.buckets if name.startswith("on-gcp")]
    estate.gcp.buckets[bucket]["versioning"] = {"enabled": False}
    drifted = world.provision("drift", "stacks", "--fast", expect=2)
    assert "versioning.0.enabled" in drifted.out

    world.provision("destroy", "stacks", "-y", "--force-nonempty")
    assert (world.registered(), estate.gcp.buckets, estate.azure.things) == ([], {}, {})
