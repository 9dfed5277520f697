"""``extends``: a manifest laid over another one."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import InputError, Problem
from provisioner.manifest.fields import EXTENDS
from provisioner.manifest.tree import Entry, ListNode, MapNode, Node, ScalarNode, is_null
from provisioner.manifest.yaml_source import MAX_BYTES, decode, read_tree

MAX_CHAIN = 8
"""Files of one manifest, itself included."""

_NAMED_LISTS = frozenset({"artifact_stores", "connectors"})


@dataclass(frozen=True, slots=True)
class Source:
    """One file that a manifest was made of, and the SHA-256 of its bytes, in hexadecimal."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The merged tree of a file and what it extends; ``sources`` from the file itself to the last base."""

    tree: Node | None
    sources: tuple[Source, ...]
    files: tuple[str, ...]
    problems: tuple[Problem, ...]


def read_chain(path: Path) -> Chain:
    """Read a manifest and everything under it.

    Raises :class:`InputError` when the first file cannot be read; a base that cannot is a problem at the
    ``extends`` that names it.
    """
    trees: list[Node] = []
    sources: list[Source] = []
    files: list[str] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    current: Path | None = path
    asked_by: ScalarNode | None = None
    while current is not None:
        wrong = _chain_problem(current, seen, len(sources)) if asked_by is not None else None
        if wrong is None:
            try:
                raw = read_file(current)
            except InputError as error:
                if asked_by is None:
                    raise
                wrong = error.message
        if wrong is not None and asked_by is not None:
            problems.append(Problem(*asked_by.mark, "extends", wrong))
            break
        seen.add(_real(current))
        sources.append(Source(current, hashlib.sha256(raw).hexdigest()))
        files.append(str(current))
        tree, wrongs = read_text(raw, str(current))
        problems += wrongs
        if tree is None:
            return Chain(None, tuple(sources), tuple(files), tuple(problems))
        trees.append(tree)
        asked_by = _extends(tree)
        current = current.parent / asked_by.value if asked_by is not None else None
    tree = merge_all(trees)
    if asked_by is not None:
        tree = with_broken_extends(tree)
    return Chain(tree, tuple(sources), tuple(files), tuple(problems))


def read_text(raw: bytes, file: str) -> tuple[Node | None, list[Problem]]:
    """Bytes of one file to its tree."""
    text, problems = decode(raw, file)
    return (None, problems) if problems else read_tree(text, file)


def read_file(path: Path) -> bytes:
    """At most one byte more than a manifest may have. Raises :class:`InputError` for what is no file."""
    try:
        # O_NONBLOCK: a named pipe in the place of a file must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InputError(f"{path} is not a file", hint="name a manifest, such as stack.yaml")
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", hint="`provision init` writes a first manifest") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", hint="check the path and its mode"
        ) from None


def merge_all(trees: list[Node]) -> Node:
    """The first tree laid over the second, and so on; ``extends`` of all but the first is spent."""
    merged = trees[-1]
    for tree in reversed(trees[:-1]):
        merged = _merge(_without_extends(merged), tree, top=True)
    return merged


def with_broken_extends(tree: Node) -> Node:
    """The tree with its ``extends`` in doubt: what it lacks may stand in what could not be read."""
    if not isinstance(tree, MapNode):
        return tree
    node = ScalarNode("", tree.mark, broken=True)
    return MapNode(tree.mark, tree.entries | {"extends": Entry(tree.mark, node)})


def _chain_problem(path: Path, seen: set[str], length: int) -> str | None:
    if _real(path) in seen:
        return f"{path} is extended already: the files go round in a circle"
    if length >= MAX_CHAIN:
        return f"found more than {MAX_CHAIN} files; allowed: at most {MAX_CHAIN}"
    return None


def _real(path: Path) -> str:
    """One name for one file. Not ``Path.resolve``, which raises where a symbolic link leads to itself."""
    return os.path.realpath(path)


def _extends(tree: Node) -> ScalarNode | None:
    """The node that names the base, if it can be one; what is no path is refused with the other fields."""
    entry = tree.entries.get("extends") if isinstance(tree, MapNode) else None
    if entry is None or not isinstance(entry.node, ScalarNode) or entry.node.broken or is_null(entry.node):
        return None
    return entry.node if EXTENDS.problem(entry.node.value) is None else None


def _without_extends(tree: Node) -> Node:
    if not isinstance(tree, MapNode):
        return tree
    return MapNode(tree.mark, {key: entry for key, entry in tree.entries.items() if key != "extends"})


def _merge(under: Node, over: Node, *, top: bool = False) -> Node:
    if not isinstance(under, MapNode) or not isinstance(over, MapNode):
        return over
    entries = dict(under.entries)
    for key, entry in over.entries.items():
        below = entries.get(key)
        if below is None:
            entries[key] = entry
        elif top and key in _NAMED_LISTS:
            entries[key] = Entry(entry.key, _merge_named(below.node, entry.node))
        else:
            entries[key] = Entry(entry.key, _merge(below.node, entry.node))
    return MapNode(over.mark, entries)


def _merge_named(under: Node, over: Node) -> Node:
    """Items of the same name become one; the base's come first, in its order."""
    if not isinstance(under, ListNode) or not isinstance(over, ListNode):
        return over
    items = list(under.items)
    open_places = dict(_by_name(under))
    for item in over.items:
        place = open_places.pop(_name(item) or "", None)
        if place is None:
            items.append(item)
        else:
            items[place] = _merge(items[place], item)
    return ListNode(over.mark, items)


def _by_name(node: ListNode) -> Iterator[tuple[str, int]]:
    for index, item in reversed(list(enumerate(node.items))):
        name = _name(item)
        if name is not None:
            yield name, index


def _name(item: Node) -> str | None:
    entry = item.entries.get("name") if isinstance(item, MapNode) else None
    return str(entry.node.value) if entry is not None and isinstance(entry.node, ScalarNode) else None
