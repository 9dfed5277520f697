"""Shared access signatures for one container, or one directory of it, signed by an identity or a key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from stacks.connectors.azure_account import Account
from stacks.connectors.base import Access
from stacks.connectors.resources import Resource

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

PERMISSIONS = {"read-only": "rl", "read-write": "rcwdl"}
"""Read, create, write, delete, list: nothing that changes who has access, and no versions' deletion."""

VERSION = "2022-11-02"
"""Of the signature, not of the requests that it signs; 2020-02-10 is the first that knows directories."""

LONGEST = 604_800  # seconds; a user delegation key lives seven days at most
_CLOCKS = timedelta(minutes=5)  # by which this machine's clock may be ahead of the service's


@dataclass(frozen=True, slots=True)
class Grant:
    """What is to be signed: for which place, to do what, until when."""

    account: Account
    place: Resource
    access: Access
    expires_at: datetime
    directory: bool


def by_identity(grant: Grant, identity: TokenCredential) -> str:
    """A user delegation SAS: it may do no more than the identity, and ends with the identity's rights."""
    with service(grant.account, identity) as client:
        now = datetime.now(UTC)
        key = client.get_user_delegation_key(now - _CLOCKS, grant.expires_at)
    named = {
        "skoid": key.signed_oid,
        "sktid": key.signed_tid,
        "skt": key.signed_start,
        "ske": key.signed_expiry,
        "sks": key.signed_service,
        "skv": key.signed_version,
    }
    return _signed(grant, str(key.value), {name: str(value) for name, value in named.items()})


def by_key(grant: Grant, account_key: str) -> str:
    """A service SAS, signed with the account's key, which the store never sees."""
    return _signed(grant, account_key, {})


def service(account: Account, credential: Any) -> Any:
    """A client of the account's Blob service; ``credential`` is an identity, a key or a SAS token."""
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient(
        account.url,
        credential=credential,
        connection_timeout=10,
        read_timeout=30,
        retry_total=2,
        initial_backoff=1,  # seconds; the SDK's own 15 let a wrong name look like a hang
        increment_base=2,
        random_jitter_range=1,
    )


def _signed(grant: Grant, key: str, delegation: Mapping[str, str]) -> str:
    """Signs what https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas lists.

    The SDK signs for its newest version only, which neither emulators nor all clouds know on the day that it
    comes out; this one they all know.
    """
    place, directory = grant.place, grant.directory and bool(grant.place.prefix)
    fields = {
        "sp": PERMISSIONS[grant.access],
        "se": grant.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **delegation,
        "spr": "https,http" if grant.account.plain else "https",
        "sv": VERSION,
        "sr": "d" if directory else "c",
    }
    path = f"/blob/{grant.account.name}/{place.name}" + (f"/{place.prefix}" if directory else "")
    no_identifier = () if delegation else ("",)
    delegated = (*delegation.values(), "", "", "") if delegation else ()
    lines = (
        fields["sp"],
        "",  # no begin: clocks differ
        fields["se"],
        path,
        *no_identifier,
        *delegated,
        "",  # from any address
        fields["spr"],
        fields["sv"],
        fields["sr"],
        *("",) * 7,  # no snapshot, no encryption scope, no headers of the answer
    )
    signature = hmac.new(base64.b64decode(key), "\n".join(lines).encode(), hashlib.sha256).digest()
    if directory:
        fields["sdd"] = str(place.prefix.count("/") + 1)
    fields["sig"] = base64.b64encode(signature).decode()
    return urlencode(fields, quote_via=quote, safe="")
