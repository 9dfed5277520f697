"""Who holds the lock of a Terraform state, as Terraform itself notes it beside the state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

REFUSED = "Error acquiring the state lock"
"""The summary of Terraform's diagnostic when somebody else holds it."""

_FIELD = re.compile(r"^\s*(ID|Operation|Who|Created):\s*(\S.*?)\s*$", re.MULTILINE)
_FRACTION = re.compile(r"(\.\d{6})\d+")


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lock: its id, ``user@host``, what it does, and since when (None: it does not say)."""

    id: str
    who: str
    operation: str
    since: datetime | None

    def __str__(self) -> str:
        what = self.operation.removeprefix("OperationType").lower() or "work on it"
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"{self.who or 'somebody'} ({what}){since}, lock {self.id}"


def holder_of(noted: Mapping[str, Any]) -> Holder:
    """From the JSON that Terraform puts beside the state."""
    return Holder(
        str(noted.get("ID", "")),
        str(noted.get("Who", "")),
        str(noted.get("Operation", "")),
        _moment(str(noted.get("Created", ""))),
    )


def holder_in(detail: str) -> Holder | None:
    """From the detail of the diagnostic; None when it does not say whose the lock is.

    It is the one place of this that holds for every backend; a backend that speaks otherwise costs a name.
    """
    found = dict(_FIELD.findall(detail))
    return holder_of(found) if "ID" in found else None


def _moment(text: str) -> datetime | None:
    """RFC 3339, or Go's own way to write a time in UTC."""
    text = _FRACTION.sub(r"\1", text).replace(" +0000 UTC", "+00:00").replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
