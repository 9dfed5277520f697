"""What a connector is given by a person or a file, checked before it is used; no error quotes a secret."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stacks.errors import CredentialsMissingError, CredentialsWrongError, InvalidValueError


def secret_text(config: Mapping[str, Any], field: str, connector: str) -> str:
    """The secret ``field``, without the line's end that a file or the clipboard leaves.

    Raises CredentialsWrongError for one that no header could hold: the libraries below would quote it.
    """
    text = str(config.get(field) or "").strip()
    if not text:
        raise CredentialsMissingError(
            f"service connector {connector!r} has no {field}",
            hint=f"provision service-connector update {connector} --{field}=@FILE",
        )
    if not text.isascii() or not text.isprintable():
        raise CredentialsWrongError(
            f"the {field} of service connector {connector!r} has characters that none can have",
            hint=f"copy it again, on one line: provision service-connector update {connector} "
            f"--{field}=@FILE",
        )
    return text


def json_document(config: Mapping[str, Any], field: str, connector: str) -> dict[str, Any]:
    """The JSON object that ``field`` holds, as text, as a mapping, or as ``@file``.

    Raises CredentialsWrongError when it is none, CredentialsMissingError when the file cannot be read.
    """
    given = config.get(field)
    if isinstance(given, Mapping):
        return dict(given)
    text = str(given or "").strip()
    if text.startswith("@"):
        text = _content(text[1:], field, connector)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        # From nothing: the cause would carry the document.
        raise CredentialsWrongError(
            f"the {field} of service connector {connector!r} is no JSON document",
            hint=f"give the file as it was downloaded: --{field}=@FILE.json",
        ) from None
    return document


def _content(path: str, field: str, connector: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CredentialsMissingError(
            f"service connector {connector!r}: the file that its {field} names cannot be read: {path}",
            hint="check the path, and that this user may read it; or put the document into a secret",
        ) from error


def trusted_url(value: object, field: str, connector: str) -> str:
    """``value`` as the URL of a service that may be sent credentials: HTTPS, or this very machine.

    Raises InvalidValueError.
    """
    url = str(value).rstrip("/")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not (parts.scheme == "https" and host) and not (parts.scheme == "http" and is_loopback(host)):
        raise InvalidValueError(
            f"service connector {connector!r}: {field} {url!r} is no https:// URL",
            hint="credentials are sent there: use https (plain http is for this machine's loopback alone)",
        )
    if parts.username or parts.query or parts.fragment:
        raise InvalidValueError(
            f"service connector {connector!r}: {field} holds more than scheme, host, port and path",
            hint=f"write it as https://{host}",
        )
    return url


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def truth(config: Mapping[str, Any], field: str, *, default: bool, connector: str) -> bool:
    """The field as yes or no, in the words of command lines; raises InvalidValueError."""
    value = config.get(field, default)
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    found = words.get(str(value).strip().lower())
    if found is None:
        raise InvalidValueError(
            f"service connector {connector!r}: {field} is {value!r}, and must be true or false",
            hint=f"give --{field}={str(default).lower()}",
        )
    return found
