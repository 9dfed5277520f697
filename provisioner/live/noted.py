"""What Terraform noted of each resource: its state, read as the JSON that it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.errors import DamagedStateError
from stacks.state.files import read_private


@dataclass(frozen=True, slots=True)
class Resource:
    """One managed resource: its address, its type, and its attributes as Terraform last knew them."""

    address: str
    type: str
    attributes: Mapping[str, Any]
    sensitive: frozenset[str] = frozenset()
    """The attributes that no output may show."""


def read_resources(path: Path) -> list[Resource]:
    """The managed resources of a state file; none where there is no such file.

    Raises :class:`DamagedStateError` for what is no Terraform state of format 4.
    """
    content = read_private(path)
    if content is None:
        return []
    try:
        document = json.loads(content)
        return [
            _resource(block, instance)
            for block in document["resources"]
            if block["mode"] == "managed"
            for instance in block["instances"]
            if "deposed" not in instance
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedStateError(
            f"{path} is not a complete Terraform state ({type(error).__name__}: {error})",
            hint="run `provision drift` without --fast: it says which good copy there is",
        ) from error


def _resource(block: Mapping[str, Any], instance: Mapping[str, Any]) -> Resource:
    address = ".".join(filter(None, (block.get("module"), block["type"], block["name"])))
    index = instance.get("index_key")
    marks = [mark[0] for mark in instance.get("sensitive_attributes") or [] if mark]
    return Resource(
        address=address if index is None else f"{address}[{json.dumps(index)}]",
        type=block["type"],
        attributes=instance["attributes"],
        sensitive=frozenset(mark["value"] for mark in marks if mark["type"] == "get_attr"),
    )
