"""What Azure allows as names, and between the fields of a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from provisioner.providers.base import NameRule, Provider

if TYPE_CHECKING:
    from provisioner.manifest import ArtifactStore, Manifest

Place = tuple[str | int, ...]

OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FEDERATED = re.compile(r"https://[^#*?\s]+#[^*?\s]+")
NETWORK_FIELDS = ("allowed_networks", "private_endpoint_subnet")
_NOT_FOR_ADOPTED = ("resource_group", "encryption", *NETWORK_FIELDS)
_UNCOMMITTED_DAYS = 7  # for which Azure itself keeps the blocks of an unfinished upload


def adopted(here: Place, store: ArtifactStore) -> Iterator[tuple[Place, str]]:
    """What a store must and must not say whose container is there already."""
    if store.storage_account is None:
        yield (
            (*here, "storage_account"),
            "required field is missing: existing: true adopts a container by its name and its account's",
        )
    for name in _NOT_FOR_ADOPTED:
        if getattr(store, name) != type(store).model_fields[name].default:
            yield (*here, name), "not with existing: true, which leaves the account as it is"


def created(here: Place, store: ArtifactStore) -> Iterator[tuple[Place, str]]:
    """What cannot be had of a new account, and what the profile strict needs to be told."""
    days = store.lifecycle.abort_multipart_days
    if "abort_multipart_days" in store.lifecycle.model_fields_set and days != _UNCOMMITTED_DAYS:
        wrong = f"found {days}; allowed: {_UNCOMMITTED_DAYS}, when Azure drops an unfinished upload by itself"
        yield (*here, "lifecycle", "abort_multipart_days"), wrong
    if store.profile != "strict":
        return
    if store.encryption.kms_key is None:
        yield (
            (*here, "encryption"),
            "required field is missing: profile strict encrypts with a key of yours, kms_key",
        )
    if not any(getattr(store, name) for name in NETWORK_FIELDS):
        wrong = (
            "required field is missing: profile strict refuses everyone on the network who is not named, "
            "here or by private_endpoint_subnet"
        )
        yield (*here, "allowed_networks"), wrong


def granted_twice(manifest: Manifest, provider: Provider) -> Iterator[tuple[Place, str]]:
    """Azure refuses to grant somebody a role on an account twice: stores of one account share a connector."""
    connectors = {connector.name: connector for connector in manifest.connectors}
    seen: dict[tuple[str, str], str] = {}
    for index, store in enumerate(manifest.artifact_stores):
        if store.storage_account is None:
            continue
        name = store.connector or f"{store.name}_connector"
        connector = connectors.get(name)
        method = (connector.auth_method if connector else "") or provider.default_auth_method
        if method != "implicit":
            continue
        for principal in (connector.trusted_principals if connector else ()) or ("whoever applies",):
            first = seen.setdefault((store.storage_account, principal), name)
            if first != name:
                wrong = (
                    f"{principal} is granted access to this account by {first} already; allowed: {first} "
                    "for both stores"
                )
                yield ("artifact_stores", index, "connector"), wrong


CONTAINER = NameRule(
    pattern=re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}"),
    says="a container name has 3 to 63 characters, only a-z, 0-9 and single '-', and starts and ends with a "
    "letter or digit",
    source="https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--"
    "and-metadata",
    refused=((re.compile(r".{64}"), "a container name has at most 63 characters"),),
)

ACCOUNT_NAME = NameRule(
    pattern=re.compile(r"[a-z0-9]{3,24}"),
    says="a storage account name has 3 to 24 characters, only a-z and 0-9",
    source="https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name",
)

SUBSCRIPTION = NameRule(
    pattern=OBJECT_ID,
    says="a subscription id is a UUID in lower case, such as 00000000-0000-0000-0000-000000000000 (az "
    "account show --query id)",
    source="https://learn.microsoft.com/azure/azure-portal/get-subscription-tenant-id",
)

LOCATION = NameRule(
    pattern=re.compile(r"[a-z][a-z0-9]{2,40}"),
    says="a location is the short name of an Azure region, such as westeurope (az account list-locations)",
    source="https://learn.microsoft.com/azure/reliability/regions-list",
)

VAULT_KEY = NameRule(
    pattern=re.compile(
        r"https://[a-z][a-z0-9-]{1,22}[a-z0-9]\.vault\.azure\.(net|cn)/keys/[A-Za-z0-9-]{1,127}(/[0-9a-f]{32})?"
    ),
    says="a key is https://VAULT.vault.azure.net/keys/NAME, with or without /VERSION; without, new versions "
    "are taken by themselves",
    source="https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates",
)

PRINCIPAL = NameRule(
    pattern=re.compile(rf"{OBJECT_ID.pattern}|{FEDERATED.pattern}"),
    says="a principal is the object id of a user, a group or a service principal, or ISSUER#SUBJECT of a "
    "federated token, such as https://token.actions.githubusercontent.com#repo:acme/ml:ref:refs/heads/main",
    source="https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
)

TAG_KEY = NameRule(
    pattern=re.compile(r"[^<>%&\\?/]{1,128}"),
    says="the key of a tag has 1 to 128 characters, none of < > % & \\ ? /",
    source="https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations",
    refused=((re.compile(r"^(microsoft|azure|windows)", re.IGNORECASE), "this prefix is reserved by Azure"),),
)
