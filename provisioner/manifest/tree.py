"""The manifest as a tree whose every node knows where it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from provisioner.manifest.scalars import Plain
from provisioner.manifest.text import shown

Loc: TypeAlias = tuple[str | int, ...]
"""A field's place in the manifest: ``("artifact_stores", 0, "bucket")``."""

_SIMPLE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Mark(NamedTuple):
    """A place in a file; line and column count from 1, and are 0 for what is not from a file."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """Text; :class:`Plain` when it stood without quotes. ``broken``: already reported, say no more of it."""

    value: str
    mark: Mark
    broken: bool = False


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    mark: Mark
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping: where the key stands, and its value."""

    key: Mark
    node: Node


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping, in the order of the file."""

    mark: Mark
    entries: dict[str, Entry] = field(default_factory=dict)


Node: TypeAlias = ScalarNode | ListNode | MapNode


def to_data(node: Node) -> Any:
    """Plain Python data for validation; scalars without quotes stay :class:`Plain`.

    Recursive: a tree is never deeper than ``yaml_source`` allows.
    """
    if isinstance(node, MapNode):
        return {key: to_data(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [to_data(item) for item in node.items]
    return node.value


def is_null(node: Node) -> bool:
    """Whether the node is YAML's null."""
    return isinstance(node, ScalarNode) and isinstance(node.value, Plain) and node.value.is_null


def child(node: Node, step: str | int) -> Entry | None:
    """The key's or the index's entry; an item of a list stands at its own place."""
    if isinstance(node, MapNode) and isinstance(step, str):
        return node.entries.get(step)
    if isinstance(node, ListNode) and isinstance(step, int) and 0 <= step < len(node.items):
        return Entry(node.items[step].mark, node.items[step])
    return None


def find(node: Node, loc: Loc) -> tuple[Entry, int]:
    """The deepest entry on the way to ``loc``, and how many steps of it were there."""
    entry = Entry(node.mark, node)
    for taken, step in enumerate(loc):
        following = child(entry.node, step)
        if following is None:
            return entry, taken
        entry = following
    return entry, len(loc)


def broken_places(node: Node, loc: Loc = ()) -> Iterator[Loc]:
    """The places of all scalars that have been reported already."""
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            yield from broken_places(entry.node, (*loc, key))
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from broken_places(item, (*loc, index))
    elif node.broken:
        yield loc


def path_text(loc: Loc) -> str:
    """``artifact_stores[0].bucket``; a key that is no plain word stands as ``tags["cost center"]``."""
    text = ""
    for step in loc:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _SIMPLE_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{shown(step)}]"
    return text
