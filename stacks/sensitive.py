"""Which configuration fields hold secrets, and what a reference to a secret looks like.

The state file is shared, copied and read by many: it holds references (``{{name.key}}``), never values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

KEY = re.compile(r"[A-Za-z0-9_-]+")
"""What a key of a secret is made of."""

REFERENCE = re.compile(r"\{\{\s*([A-Za-z0-9][A-Za-z0-9_.-]*)\.([A-Za-z0-9_-]+)\s*\}\}")
"""``{{name.key}}``: the name may hold dots, the key may not."""

_URL_WITH_PASSWORD = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@:]*:(?!\{\{)[^/?#\s@]+@")

SECRET_FIELDS = frozenset(
    {
        "access_key",
        "access_token",
        "account_key",
        "api_key",
        "api_token",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "client_secret",
        "connection_string",
        "external_account_json",
        "key",
        "password",
        "private_key",
        "sas_token",
        "secret",
        "secret_key",
        "service_account_json",
        "session_token",
        "ssecustomerkey",
        "copysourcessecustomerkey",
        "token",
        "user_account_json",
    }
)
"""Names, in lower case, of the fields of stores and connectors whose values are secrets."""


def is_secret_field(name: str) -> bool:
    """Whether a field of this name holds a secret; an access key id counts, because it belongs to one."""
    return name.lower() in SECRET_FIELDS


def is_secret(name: str, value: object) -> bool:
    """Whether a field of this name and value holds a secret: a URL with a password in it does, too."""
    return is_secret_field(name) or (isinstance(value, str) and _URL_WITH_PASSWORD.match(value) is not None)


def is_reference(value: object) -> bool:
    """Whether ``value`` is one reference and nothing else."""
    return isinstance(value, str) and REFERENCE.fullmatch(value.strip()) is not None


def unfolded(value: Any) -> Any:
    """``value``, or the mapping that it is the JSON text of, as a command line gives one."""
    if isinstance(value, str) and value.lstrip().startswith("{") and not is_reference(value):
        try:
            parsed = json.loads(value)
        except ValueError:
            return value
        return parsed if isinstance(parsed, dict) else value
    return value


def plain_secrets(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The paths (``client_kwargs.aws_secret_access_key``) of the secret fields that hold a plain value."""
    for name, value in config.items():
        path = f"{prefix}{name}"
        if is_secret(name, value):
            if value not in (None, "", False) and not is_reference(value):
                yield path
        elif isinstance(inner := unfolded(value), Mapping):
            yield from plain_secrets(inner, f"{path}.")
