"""``--set path=value``: one field of a manifest from the command line, held to the same rules as the file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from provisioner.errors import Problem
from provisioner.manifest.scalars import described
from provisioner.manifest.text import hidden_problem, shown
from provisioner.manifest.tree import (
    Entry,
    ListNode,
    Loc,
    MapNode,
    Mark,
    Node,
    ScalarNode,
    is_null,
    path_text,
    to_data,
)
from provisioner.manifest.yaml_source import MAX_DEPTH, read_tree

_STEP = re.compile(
    r"\.?(?P<word>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<index>[0-9]{1,6})\]|\[(?P<key>[^\[\]]{1,200})\]"
)


@dataclass(frozen=True, slots=True)
class Override:
    """One option, taken apart. ``mark`` names the option where a file would stand."""

    steps: Loc
    node: Node
    mark: Mark


def parse_override(option: str) -> tuple[Override | None, list[Problem]]:
    """``path=value`` to its parts. The value is one YAML scalar, or a list or mapping in flow style.

    A step of the path is a field, ``[0]`` an item by its place, ``.name`` or ``[name]`` an item or a key by
    its name.
    """
    steps, rest = _steps(option)
    written = option[: len(option) - len(rest)]
    label = f"--set {written}=…" if hidden_problem(written) is None else "--set"
    mark = Mark(label, 0, 0)
    if not 0 < len(steps) <= MAX_DEPTH or not rest.startswith("="):
        wrong = f"found {shown(option)}; allowed: path=value, such as artifact_stores[0].versioning=false"
        return None, [Problem("--set", 0, 0, "", wrong)]
    node, problems = _value(rest[1:], mark)
    problems = [Problem(*mark, path_text(steps), problem.message) for problem in problems]
    return (Override(steps, node, mark) if node is not None else None), problems


def apply_override(tree: Node, override: Override) -> tuple[Node, list[Problem]]:
    """The tree with the override's value in its place; ``tree`` itself is not changed."""
    if override.steps[0] == "extends":
        wrong = "cannot be set; allowed: extends in the file itself"
        return tree, [Problem(*override.mark, "extends", wrong)]
    try:
        return _set(tree, override, ()), []
    except _NoSuchPlace as error:
        return tree, [Problem(*override.mark, path_text(override.steps), str(error))]


class _NoSuchPlace(Exception):  # noqa: N818  # told as a Problem, never raised to a caller
    """The path leads nowhere."""


def _steps(option: str) -> tuple[Loc, str]:
    steps: list[str | int] = []
    at = 0
    while at < len(option) and option[at] != "=":
        match = _STEP.match(option, at)
        if match is None or (at == 0 and option[0] in ".["):
            break
        steps.append(int(match["index"]) if match["index"] else match["word"] or match["key"])
        at = match.end()
        if at < len(option) and option[at] not in ".[=":
            break
    return tuple(steps), option[at:]


def _value(text: str, mark: Mark) -> tuple[Node | None, list[Problem]]:
    if text.strip() == "":
        text = "null"
    if text.lstrip().startswith("#"):
        return None, [Problem(*mark, "", 'found a comment; allowed: a value (text with # in quotes: "#…")')]
    node, problems = read_tree(text, mark.file)
    if node is None or problems:
        return None, problems
    if not isinstance(node, ScalarNode) and not text.lstrip().startswith(("[", "{")):
        wrong = f"found {described(to_data(node))} in block style; allowed: one value, or [..] or {{..}}"
        return None, [Problem(*mark, "", wrong)]
    return _from_option(node, mark), []


def _from_option(node: Node, mark: Mark) -> Node:
    """The same node, standing in the option and not in a file."""
    if isinstance(node, MapNode):
        entries = {key: Entry(mark, _from_option(entry.node, mark)) for key, entry in node.entries.items()}
        return MapNode(mark, entries)
    if isinstance(node, ListNode):
        return ListNode(mark, [_from_option(item, mark) for item in node.items])
    return ScalarNode(node.value, mark)


def _set(node: Node, override: Override, taken: Loc) -> Node:
    if len(taken) == len(override.steps):
        return override.node
    step = override.steps[len(taken)]
    if isinstance(node, ListNode):
        index = _index(node, step, taken)
        changed = _set(node.items[index], override, (*taken, step))
        return ListNode(node.mark, [*node.items[:index], changed, *node.items[index + 1 :]])
    if is_null(node):
        node = MapNode(override.mark)
    if not isinstance(node, MapNode):
        raise _NoSuchPlace(f"{path_text(taken)} is no mapping and no list")
    if isinstance(step, int):
        raise _NoSuchPlace(f"{path_text(taken) or 'the manifest'} is no list; allowed: a field's name")
    entry = node.entries.get(step) or Entry(override.mark, MapNode(override.mark))
    changed = _set(entry.node, override, (*taken, step))
    key = override.mark if len(taken) + 1 == len(override.steps) else entry.key
    return MapNode(node.mark, node.entries | {step: Entry(key, changed)})


def _index(node: ListNode, step: str | int, taken: Loc) -> int:
    if isinstance(step, int):
        if step < len(node.items):
            return step
        raise _NoSuchPlace(f"{path_text(taken)} has {len(node.items)} items; the first is [0]")
    names = [_name(item) for item in node.items]
    if step in names:
        return names.index(step)
    known = ", ".join(name for name in names if name is not None) or "none"
    raise _NoSuchPlace(f"{path_text(taken)} has nothing named {shown(step)}; there is: {known}")


def _name(item: Node) -> str | None:
    entry = item.entries.get("name") if isinstance(item, MapNode) else None
    return str(entry.node.value) if entry is not None and isinstance(entry.node, ScalarNode) else None
