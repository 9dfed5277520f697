"""Two sets of attributes side by side: what is there, and what Terraform noted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.live.noted import Resource
from provisioner.summary import AttributeChange
from provisioner.terraform.stream import MASKED


class Document(str):
    """The text of a JSON policy: two are the same when they say the same."""

    __slots__ = ()


class Tags(dict[str, str]):
    """A map in which every key counts; of other mappings, only what a reader names is compared."""

    __slots__ = ()


def differences(resource: Resource, found: Mapping[str, Any]) -> tuple[AttributeChange, ...]:
    """Where what was found is not what was noted; only what ``found`` names is compared.

    ``before`` is what is there and ``after`` what an apply would make of it, as in a plan.
    """
    changes: list[AttributeChange] = []
    for name, value in found.items():
        for change in _compared(name, value, resource.attributes.get(name)):
            hidden = name in resource.sensitive
            changes.append(AttributeChange(change.path, MASKED, MASKED) if hidden else change)
    return tuple(changes)


def _compared(path: str, found: Any, noted: Any) -> Iterator[AttributeChange]:
    if isinstance(found, Document):
        yield from _policies(path, found, noted)
    elif isinstance(found, Mapping) and isinstance(noted, Mapping | None):
        for key in sorted({*found, *(noted or {})} if isinstance(found, Tags) else found):
            yield from _compared(f"{path}.{key}", found.get(key), (noted or {}).get(key))
    elif isinstance(found, list) and isinstance(noted, list | None):
        noted = noted or []
        for index in range(max(len(found), len(noted))):
            mine = found[index] if index < len(found) else None
            theirs = noted[index] if index < len(noted) else None
            yield from _compared(f"{path}.{index}", mine, theirs)
    elif (found or None) != (noted or None) or (isinstance(noted, bool) and bool(found) != noted):
        # What was never set is noted as empty text, and would be planned as nothing.
        yield AttributeChange(path, found, None if noted == "" else noted)


def _policies(path: str, found: str, noted: Any) -> Iterator[AttributeChange]:
    try:
        mine, theirs = json.loads(found), json.loads(noted or "null")
    except ValueError:
        mine, theirs = found, noted
    if canonical(mine) != canonical(theirs):
        yield from _told(path, mine, theirs)


def _told(path: str, found: Any, noted: Any) -> Iterator[AttributeChange]:
    """The smallest parts of two policies that differ."""
    if canonical(found) == canonical(noted):
        return
    if isinstance(found, Mapping) and isinstance(noted, Mapping):
        for key in sorted({*found, *noted}):
            yield from _told(f"{path}.{key}", found.get(key), noted.get(key))
    elif isinstance(found, list) and isinstance(noted, list) and len(found) == len(noted):
        for index, (mine, theirs) in enumerate(zip(found, noted, strict=True)):
            yield from _told(f"{path}.{index}", mine, theirs)
    else:
        yield AttributeChange(path, found, noted)


def canonical(value: Any) -> Any:
    """A policy in one form: where one value may stand for a list of one, and order says nothing.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html.
    """
    if isinstance(value, Mapping):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value
