"""The credential access boundary that limits a token to one bucket and prefix, and the exchange for it.

The roles within the boundary are those that modules/gcp/service-connector grants. A boundary holds for Cloud
Storage alone, and only where the bucket has uniform bucket-level access
(https://cloud.google.com/iam/docs/downscoping-short-lived-credentials).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from stacks.connectors.base import Access
from stacks.connectors.resources import Resource, clean_prefix
from stacks.credentials import GcpToken
from stacks.errors import InvalidValueError

SCHEME = "gs://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_FULL_NAME = "//storage.googleapis.com/projects/_/buckets/"

ROLES = {
    "read-only": ("roles/storage.objectViewer",),
    "read-write": ("roles/storage.objectUser",),
}
"""What is available within the boundary; none of them may change who has access."""

BUCKET_ROLE = "roles/storage.legacyBucketReader"
"""Reads the bucket's own settings; with a prefix it would list all of the bucket, and is left out."""

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a type


def parse(resource_id: str) -> Resource:
    """From ``gs://bucket[/prefix]``, the bucket's full resource name, or ``bucket[/prefix]``.

    Raises InvalidValueError.
    """
    bare = resource_id.removeprefix(SCHEME).removeprefix(_FULL_NAME)
    name, _, prefix = bare.partition("/")
    if not _BUCKET.fullmatch(name):
        raise InvalidValueError(
            f"{resource_id!r} names no Cloud Storage bucket",
            hint="write it as gs://bucket or gs://bucket/prefix; names have a-z, 0-9, '-', '_' and '.'",
        )
    return Resource(SCHEME, name, clean_prefix(prefix, resource_id))


def boundary(bucket: Resource, access: Access) -> dict[str, Any]:
    """The boundary, as the Security Token Service takes it, that leaves ``bucket`` alone reachable."""
    from google.auth import downscoped

    roles = [f"inRole:{role}" for role in ROLES[access]]
    condition = None
    if bucket.prefix:
        condition = downscoped.AvailabilityCondition(_condition(bucket), title="one prefix")
    else:
        roles.append(f"inRole:{BUCKET_ROLE}")
    rule = downscoped.AccessBoundaryRule(f"{_FULL_NAME}{bucket.name}", roles, condition)
    document: dict[str, Any] = downscoped.CredentialAccessBoundary([rule]).to_json()
    return document


def exchanged(request: Any, url: str, source: GcpToken, limits: dict[str, Any]) -> GcpToken:
    """The token that is ``source`` within ``limits``; asks the Security Token Service at ``url``.

    Raises google.auth's OAuthError and TransportError.
    """
    from google.oauth2 import sts

    asked_at = datetime.now(UTC)
    answer = sts.Client(url).exchange_token(
        request=request,
        grant_type=_EXCHANGE,
        subject_token=source.token,
        subject_token_type=_ACCESS_TOKEN,
        requested_token_type=_ACCESS_TOKEN,
        additional_options=limits,
    )
    # The service leaves expires_in out for some kinds of tokens: then the source's own end holds.
    seconds = answer.get("expires_in")
    expires_at = asked_at + timedelta(seconds=int(seconds)) if seconds else source.expires_at
    return GcpToken(str(answer.get("access_token") or ""), expires_at)


def _condition(bucket: Resource) -> str:
    # A listing has no object of its own: what it may list is told apart by the prefix that it asks for.
    objects = _text(f"projects/_/buckets/{bucket.name}/objects/{bucket.prefix}/")
    prefix = _text(f"{bucket.prefix}/")
    return (
        f"resource.name.startsWith({objects}) || "
        f"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith({prefix})"
    )


def _text(text: str) -> str:
    """``text`` as a literal of the Common Expression Language, which nothing in it can end."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
