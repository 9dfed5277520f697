"""What a manifest for Google Cloud may say, and what is filled in."""

from __future__ import annotations

import pytest
from manifest_samples import ProblemsOf

from provisioner.catalog import PROVIDERS
from provisioner.manifest import parse_manifest
from provisioner.render import render
from provisioner.summary import summarise
from provisioner.terraform.session import PlanOutcome
from provisioner.terraform.stream import Change, StreamResult

GCP = """\
version: 1
name: ml-prod
provider: gcp
region: europe-west1
account: acme-ml-prod
artifact_stores:
  - name: prod_store
"""
CONNECTOR = "connectors:\n  - name: prod_store_connector\n"


def test_six_lines_are_a_whole_manifest() -> None:
    manifest = parse_manifest(GCP)
    [store], [connector] = manifest.artifact_stores, manifest.connectors
    assert (connector.auth_method, connector.authentication_secret) == ("impersonation", None)
    assert (store.profile, store.connector) == ("baseline", connector.name)
    assert manifest.compatibility is None


@pytest.mark.parametrize(
    ("gone", "problem"),
    [
        ("region: europe-west1\n", "region: required field is missing: provider gcp needs it"),
        ("account: acme-ml-prod\n", "account: required field is missing: provider gcp needs it"),
    ],
)
def test_location_and_project_must_be_said(gone: str, problem: str, problems_of: ProblemsOf) -> None:
    assert problem in problems_of(GCP.replace(gone, ""))[0]


@pytest.mark.parametrize("location", ["europe-west1", "EU", "us", "EUR4", "nam4", "US-CENTRAL1"])
def test_regions_dual_regions_and_multi_regions_are_locations(location: str) -> None:
    assert parse_manifest(GCP.replace("europe-west1", location)).region == location


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("region: europe-west1", "region: eu-west", "a location is a region such as europe-west1"),
        ("account: acme-ml-prod", 'account: "123456789012"', "it is not the project's number"),
        ("prod_store", "prod_store\n    bucket: goog-models", "belong to Google"),
        ("prod_store", "prod_store\n    bucket: my-g00gle-models", "must not contain google"),
        ("prod_store", "prod_store\n    bucket: 192.168.1.1", "must not look like an IP address"),
        ("prod_store", f"prod_store\n    bucket: {'a' * 64}", "no part of a Cloud Storage bucket name"),
        ("prod_store", "prod_store\n    prefix: it's", "a prefix without ' on Google Cloud"),
        ("prod_store", "prod_store\n    storage_class: glacier", "standard, nearline, coldline, archive"),
        ("prod_store", "prod_store\n    encryption: {kms_key: alias/ml}", "projects/PROJECT/locations/"),
        (
            "prod_store",
            "prod_store\n    existing: true\n    bucket: b-1\n    profile: strict",
            "strict is not with",
        ),
        ("name: ml-prod", "name: google-ml", "its bucket would be named google-ml-prod-store-"),
        ("region:", "tags: {Team: ml}\nregion:", "the key of a label"),
        ("region:", "tags: {team: Machine Learning}\nregion:", "the value of a label"),
        ("region:", "endpoint_url: https://x\nregion:", "endpoint_url: not for provider gcp"),
    ],
)
def test_what_google_does_not_allow_is_refused(
    old: str, new: str, problem: str, problems_of: ProblemsOf
) -> None:
    assert problem in "\n".join(problems_of(GCP.replace(old, new, 1)))


@pytest.mark.parametrize(
    "principal",
    [
        "user:engineer@example.com",
        "group:ml@example.com",
        "serviceAccount:ci@acme.iam.gserviceaccount.com",
        "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/gh/subject/x",
        "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/gh/attribute.repository/a/b",
    ],
)
def test_people_groups_service_accounts_and_workloads_can_be_trusted(principal: str) -> None:
    text = GCP + CONNECTOR + f"    trusted_principals: ['{principal}']\n"
    assert parse_manifest(text).connectors[0].trusted_principals == (principal,)


@pytest.mark.parametrize(
    "principal", ["allUsers", "allAuthenticatedUsers", "domain:example.com", "arn:aws:iam::123456789012:root"]
)
def test_nobody_else_can(principal: str, problems_of: ProblemsOf) -> None:
    text = GCP + CONNECTOR + f"    trusted_principals: ['{principal}']\n"
    assert "a principal is user:EMAIL" in problems_of(text)[0]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("    external_id: x1\n", "external_id: not for provider gcp"),
        ("    auth_method: iam-role\n", "allowed: impersonation, implicit, service-account"),
        ("    auth_method: user-account\n", "takes its credentials from a secret"),
        ("    auth_method: implicit\n    access: read-only\n", "no identity is created"),
        (
            "    auth_method: service-account\n    trusted_principals: ['user:a@b.example']\n",
            "whoever has its secret is trusted, until it ends",
        ),
    ],
)
def test_connectors_take_what_their_method_has(lines: str, problem: str, problems_of: ProblemsOf) -> None:
    assert problem in problems_of(GCP + CONNECTOR + lines)[0]


def test_a_key_lies_in_a_secret_that_need_not_be_named() -> None:
    text = GCP + CONNECTOR + "    auth_method: service-account\n"
    assert parse_manifest(text).connectors[0].authentication_secret == "prod_store_connector_key"
    named = parse_manifest(text + "    authentication_secret: mine\n")
    assert named.connectors[0].authentication_secret == "mine"


def test_whoever_applies_is_trusted_and_a_key_trusts_nobody() -> None:
    trusting = render(parse_manifest(GCP))["main.tf"]
    keyed = render(parse_manifest(GCP + CONNECTOR + "    auth_method: service-account\n"))["main.tf"]
    assert "trusted_principals = [var.applying_principal]" in trusting
    assert "trusted_principals = []" in keyed


def test_the_values_travel_as_data_and_typed() -> None:
    manifest = parse_manifest(
        GCP.replace("prod_store", "prod_store\n    profile: strict\n    storage_class: archive")
    )
    values = PROVIDERS["gcp"].variables(manifest)["artifact_stores"]["prod_store"]
    assert (values["strict"], values["storage_class"], values["noncurrent_days"]) == (True, "ARCHIVE", 90)
    assert "ARCHIVE" not in render(manifest)["main.tf"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "whoever applies this may list, read, write and delete objects and their old versions"),
        ("    access: read-only\n", "whoever applies this may list and read objects"),
        ("    auth_method: service-account\n", "whoever has the secret prod_store_connector_key may list"),
    ],
)
def test_the_plan_says_in_words_who_may_do_what(lines: str, said: str) -> None:
    manifest = parse_manifest(GCP + (CONNECTOR + lines if lines else ""))
    stream = StreamResult()
    stream.planned.append(
        Change("module.store_prod_store.google_storage_bucket.this[0]", "google_storage_bucket", "create")
    )
    [sentence] = summarise(manifest, None, PlanOutcome(True, stream), None).grants
    assert said in sentence
    assert sentence.endswith("in prod_store, and nothing else")
