"""The rules that Google documents: what OAuth2's token endpoint takes, what scopes and boundaries leave."""

from __future__ import annotations

import re
from typing import Any

PLATFORM = "https://www.googleapis.com/auth/cloud-platform"

# The permissions of the predefined roles, as far as the routes below ask for them.
ROLES = {
    "roles/storage.objectViewer": {"storage.objects.get", "storage.objects.list"},
    "roles/storage.objectUser": {
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
    },
    "roles/storage.legacyBucketReader": {"storage.buckets.get", "storage.objects.list"},
}
SCOPES = {
    PLATFORM: None,  # everything
    "https://www.googleapis.com/auth/devstorage.read_only": {
        "storage.objects.get",
        "storage.objects.list",
        "storage.buckets.get",
        "storage.buckets.list",
    },
    "https://www.googleapis.com/auth/devstorage.read_write": {
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
        "storage.buckets.get",
        "storage.buckets.list",
    },
}


_TEXT = {"type": "string", "minLength": 1}


def _form(required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    names = dict.fromkeys((*required, *optional), _TEXT)
    return {"type": "object", "required": list(required), "additionalProperties": False, "properties": names}


REFRESH = _form(("grant_type", "client_id", "client_secret", "refresh_token"), ("scope",))
ASSERTION = _form(("grant_type", "assertion"))


def within(boundary: dict[str, Any] | None, permission: str, bucket: str, name: str, prefix: str) -> bool:
    """Whether a boundary, if there is one, leaves a permission on a bucket, an object or a listing."""
    if boundary is None:
        return True
    for rule in boundary["accessBoundaryRules"]:
        roles = (one.removeprefix("inRole:") for one in rule["availablePermissions"])
        held = any(permission in ROLES[role] for role in roles)
        here = rule["availableResource"] == f"//storage.googleapis.com/projects/_/buckets/{bucket}"
        condition = rule.get("availabilityCondition", {}).get("expression")
        if held and here and (condition is None or _holds(condition, bucket, name, prefix)):
            return True
    return False


_LITERAL = r"'((?:[^'\\]|\\.)*)'"
_STARTS = re.compile(
    rf"resource\.name\.startsWith\({_LITERAL}\)"
    rf"|api\.getAttribute\('storage\.googleapis\.com/objectListPrefix', ''\)\.startsWith\({_LITERAL}\)"
)


def _holds(expression: str, bucket: str, name: str, prefix: str) -> bool:
    """The part of the Common Expression Language that the documentation's examples use."""
    resource = f"projects/_/buckets/{bucket}" + (f"/objects/{name}" if name else "")
    position, holds = 0, False
    while match := _STARTS.match(expression, position):
        literal = re.sub(r"\\(.)", r"\1", match[1] if match[1] is not None else match[2])
        holds = holds or (resource if match[1] is not None else prefix).startswith(literal)
        position = match.end()
        if position == len(expression):
            return holds
        if not expression.startswith(" || ", position):
            break
        position += 4
    raise ValueError(f"the expression does not parse at {position}: {expression}")
