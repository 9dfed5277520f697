"""One stack on the Azure of the tests' own, and what its apply leaves there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from azure_management import SUBSCRIPTION, Subscription
from microsoft_services import ACCOUNT

from provisioner.journal import Intent
from provisioner.manifest import Manifest, parse_manifest
from provisioner.verify import azure_names
from provisioner.verify.azure import Azure, connect
from provisioner.verify.base import Places


def manifest(connector: dict[str, Any] | None = None, **store: Any) -> Manifest:
    """A stack with one store, in the account that Azurite knows."""
    fields: dict[str, Any] = {
        "version": 1,
        "name": "ml-prod",
        "provider": "azure",
        "region": "westeurope",
        "account": SUBSCRIPTION,
        "artifact_stores": [
            {"name": "main", "storage_account": ACCOUNT, "bucket": "data", "connector": "mine", **store}
        ],
        "connectors": [{"name": "mine", **(connector or {})}],
    }
    return parse_manifest(json.dumps(fields))


def asked(of: Manifest) -> Azure:
    """The cloud of a manifest."""
    return connect(of, Places(Path("/m"), Path("/h")))


def apply(azure: Subscription, of: Manifest, **properties: Any) -> azure_names.Whereabouts:
    """What an apply of the modules leaves; ``properties`` are other settings of the account."""
    (store,) = of.artifact_stores
    lies = azure_names.place(of, store)
    tags = {"provisioned-by": "stack-provisioner", "stack": of.name, "artifact-store": store.name}
    group = lies.account_id.partition("/providers/")[0]
    settings = {
        "allowBlobPublicAccess": False,
        "allowSharedKeyAccess": False,
        "allowCrossTenantReplication": False,
        "supportsHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "encryption": {"keySource": "Microsoft.Storage"},
        "networkAcls": {"defaultAction": "Allow"},
        **properties,
    }
    kept = {"enabled": True, "days": 7}
    blobs = {
        "isVersioningEnabled": True,
        "deleteRetentionPolicy": kept,
        "containerDeleteRetentionPolicy": kept,
    }
    account = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "tags": tags}
    for path, body in (
        (group, {"location": "westeurope", "tags": tags}),
        (lies.account_id, {**account, "properties": settings}),
        (f"{lies.account_id}/blobServices/default", {"properties": blobs}),
        (lies.container_id, {"properties": {"publicAccess": "None"}}),
    ):
        answer = azure._put(path, body)
        assert answer.status == 200, answer.body
    return lies


def intents(cloud: Azure) -> list[Intent]:
    """Everything that an apply creates, as the journal has it."""
    return [
        Intent(address, "create", address.split(".")[2], identifier)
        for address, identifier in cloud.identifiers(SUBSCRIPTION).items()
    ]
