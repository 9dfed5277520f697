"""What an import says of the class of new objects: it adopts a bucket as it is, and tells how that is."""

from __future__ import annotations

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from provisioner.live import azure, gcp


def test_google_tells_the_class_of_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(client: storage.Client, name: str) -> storage.Bucket:
        bucket = storage.Bucket(client, name)
        bucket._properties |= {"location": "EUROPE-WEST1", "storageClass": "NEARLINE"}
        return bucket

    monkeypatch.setattr(gcp, "credentials", AnonymousCredentials)
    monkeypatch.setattr(storage.Client, "lookup_bucket", lookup)

    seen = gcp.look("acme-models", {"account": "acme-ml-prod"})

    assert seen.fields == {"region": "europe-west1", "account": "acme-ml-prod"}
    assert "new objects are NEARLINE" in seen.settings


@pytest.mark.parametrize(("properties", "tier"), [({"accessTier": "Cool"}, "Cool"), ({}, "Hot")])
def test_azure_tells_the_tier_of_the_account(properties: dict[str, str], tier: str) -> None:
    account = {"name": "acmeml", "location": "West Europe", "properties": properties}

    seen = azure._seen("00000000-0000-0000-0000-000000000001", "models", account, {"properties": {}})

    assert seen.fields["region"] == "westeurope"
    assert f"new blobs are {tier}" in seen.settings
