"""Which storage classes a store may have on each cloud, and what they leave of archiving."""

from __future__ import annotations

import pytest
from manifest_samples import FIVE_LINES, ProblemsOf

from provisioner.catalog import PROVIDERS
from provisioner.manifest import Manifest, parse_manifest
from provisioner.render import render

AZURE = """\
version: 1
name: ml-prod
provider: azure
region: westeurope
account: 00000000-0000-0000-0000-000000000001
artifact_stores:
  - name: prod_store
"""
GCP = AZURE.replace("azure", "gcp").replace("westeurope", "europe-west1")
GCP = GCP.replace("00000000-0000-0000-0000-000000000001", "acme-ml-prod")
SERVICE = FIVE_LINES.replace(
    "artifact_stores:", "endpoint_url: http://127.0.0.1:9000\ncompatibility: {}\nartifact_stores:"
)
OF_CLOUD = {"aws": FIVE_LINES, "gcp": GCP, "azure": AZURE}


def config(manifest: Manifest) -> dict[str, object]:
    """What its store is registered with."""
    return PROVIDERS["aws"].store_config(manifest, manifest.artifact_stores[0], {})


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("standard", None),
        ("intelligent_tiering", {"StorageClass": "INTELLIGENT_TIERING"}),
        ("standard_ia", {"StorageClass": "STANDARD_IA"}),
        ("onezone_ia", {"StorageClass": "ONEZONE_IA"}),
        ("glacier_ir", {"StorageClass": "GLACIER_IR"}),
    ],
)
def test_on_aws_every_write_says_the_class(name: str, written: dict[str, str] | None) -> None:
    manifest = parse_manifest(FIVE_LINES + f"    storage_class: {name}\n")
    assert config(manifest)["s3_additional_kwargs"] == written
    assert render(manifest) == render(parse_manifest(FIVE_LINES)), "Terraform has no part in it"


def test_so_a_bucket_of_somebody_else_takes_one_too() -> None:
    adopting = FIVE_LINES + "    bucket: acme-models\n    existing: true\n    storage_class: glacier_ir\n"
    assert config(parse_manifest(adopting))["s3_additional_kwargs"] == {"StorageClass": "GLACIER_IR"}


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_but_not_where_the_class_is_the_buckets(cloud: str, problems_of: ProblemsOf) -> None:
    adopting = OF_CLOUD[cloud] + "    bucket: acme-models\n    existing: true\n    storage_class: standard\n"
    adopting += "    storage_account: acmeml\n" if cloud == "azure" else ""
    [problem] = problems_of(adopting)
    assert problem.startswith("stack.yaml:10:5: artifact_stores[0].storage_class: not with existing: true")


@pytest.mark.parametrize(("name", "tier"), [("standard", "Hot"), ("cool", "Cool"), ("cold", "Cold")])
def test_on_azure_it_is_the_tier_of_the_account(name: str, tier: str) -> None:
    manifest = parse_manifest(AZURE + f"    storage_class: {name}\n")
    values = PROVIDERS["azure"].variables(manifest)["artifact_stores"]["prod_store"]
    assert values["access_tier"] == tier


@pytest.mark.parametrize(
    ("cloud", "name"),
    [("aws", "glacier"), ("aws", "deep_archive"), ("azure", "archive")],
)
def test_what_cannot_be_read_at_once_is_refused_for_that(
    cloud: str, name: str, problems_of: ProblemsOf
) -> None:
    [problem] = problems_of(OF_CLOUD[cloud] + f"    storage_class: {name}\n")
    assert (
        f'storage_class: found "{name}", whose objects cannot be read at once; allowed: standard' in problem
    )


@pytest.mark.parametrize(
    ("cloud", "name"), [("aws", "nearline"), ("aws", "reduced_redundancy"), ("azure", "hot"), ("gcp", "cold")]
)
def test_what_the_cloud_does_not_have_is_refused(cloud: str, name: str, problems_of: ProblemsOf) -> None:
    [problem] = problems_of(OF_CLOUD[cloud] + f"    storage_class: {name}\n")
    assert f'storage_class: found "{name}"; allowed: standard, ' in problem


@pytest.mark.parametrize("compatibility", ["minio", "ceph"])
def test_the_classes_of_other_services_are_their_operators(
    compatibility: str, problems_of: ProblemsOf
) -> None:
    manifest = SERVICE.format(compatibility) + "    storage_class: {}\n    connector: c\n"
    manifest += "connectors:\n  - {{name: c, auth_method: implicit}}\n"
    [problem] = problems_of(manifest.format("standard_ia"))
    wrong = f"not for compatibility {compatibility}, whose storage classes are its operator's own"
    assert f"artifact_stores[0].storage_class: {wrong}" in problem
    assert problems_of(manifest.format("standard")) == []


def test_an_emulator_of_aws_has_the_classes_of_aws(problems_of: ProblemsOf) -> None:
    assert problems_of(SERVICE.format("aws") + "    storage_class: standard_ia\n") == []


@pytest.mark.parametrize(
    ("cloud", "name", "why"),
    [
        ("aws", "glacier_ir", "objects are written to GLACIER_IR, where it would move them"),
        ("aws", "onezone_ia", "S3 moves no object from ONEZONE_IA to GLACIER_IR"),
        ("gcp", "coldline", "objects are written to COLDLINE, where it would move them"),
        ("gcp", "archive", "nothing moves from there to COLDLINE"),
        ("azure", "cold", "blobs are written to the tier Cold, where it would move them"),
    ],
)
def test_archiving_must_lead_somewhere(cloud: str, name: str, why: str, problems_of: ProblemsOf) -> None:
    line = OF_CLOUD[cloud].count("\n") + 3
    lines = f"    storage_class: {name}\n    lifecycle:\n      archive_after_days: {{}}\n"
    [problem] = problems_of(OF_CLOUD[cloud] + lines.format(365))
    place = f"stack.yaml:{line}:7: artifact_stores[0].lifecycle.archive_after_days: "
    assert problem.startswith(f"{place}not with storage_class {name}: ")
    assert why in problem
    assert problems_of(OF_CLOUD[cloud] + lines.format("null")) == []


@pytest.mark.parametrize(
    ("cloud", "name"),
    [("aws", "standard_ia"), ("aws", "intelligent_tiering"), ("gcp", "nearline"), ("azure", "cool")],
)
def test_from_the_other_classes_it_does(cloud: str, name: str, problems_of: ProblemsOf) -> None:
    lines = f"    storage_class: {name}\n    lifecycle: {{archive_after_days: 365}}\n"
    assert problems_of(OF_CLOUD[cloud] + lines) == []
