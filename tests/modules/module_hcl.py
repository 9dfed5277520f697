"""HCL as structure: which blocks and arguments a module writes, with every expression kept as its own text.

Enough of the language for the checks in this folder: blocks, arguments, strings with templates, heredocs,
comments. Parsers that turn HCL into JSON will not do: they do not tell a block from an argument that is an
object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_SPACE = re.compile(r"(?:\s+|#[^\n]*|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_HEREDOC = re.compile(r"<<-?([A-Za-z_][A-Za-z0-9_]*)\n")
_CLOSES = {"(": ")", "[": "]", "{": "}"}


@dataclass
class Block:
    """One block: its type, its labels, its arguments (name to expression) and the blocks in it."""

    type: str
    labels: tuple[str, ...] = ()
    arguments: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def all(self, *path: str) -> Iterator[Block]:
        """The blocks of type ``path[0]``, or further down the ones of ``path[1]`` in them, and so on."""
        for block in self.blocks:
            if block.type == path[0]:
                yield from block.all(*path[1:]) if path[1:] else (block,)

    def expressions(self) -> Iterator[str]:
        """Every expression, here and in the blocks below."""
        yield from self.arguments.values()
        for block in self.blocks:
            yield from block.expressions()


def load_module(folder: Path) -> Block:
    """The .tf files of a folder as one body, in the order of their names."""
    body = Block("module")
    for path in sorted(folder.glob("*.tf")):
        parsed = parse(path.read_text())
        body.arguments.update(parsed.arguments)
        body.blocks.extend(parsed.blocks)
    return body


def parse(text: str) -> Block:
    """The body that ``text`` is; raises ValueError where it is none."""
    body = Block("file")
    end = _body(text, 0, body)
    if end != len(text):
        raise ValueError(f"unexpected {text[end : end + 20]!r}")
    return body


def string_value(expression: str) -> str | None:
    """What a quoted expression without a template says, else None."""
    if not re.fullmatch(r'"(?:[^"\\$%]|\\.|\$\$\{|%%\{|[$%](?!\{))*"', expression):
        return None
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), expression[1:-1])


def _body(text: str, at: int, body: Block) -> int:
    while True:
        at = _skip(text, at)
        name = _IDENTIFIER.match(text, at)
        if name is None:
            return at
        at = _skip(text, name.end())
        if text[at : at + 1] == "=" and text[at : at + 2] != "==":
            at = _skip(text, at + 1)
            end = _expression_end(text, at)
            body.arguments[name[0]] = text[at:end].strip()
            at = end
        else:
            at = _block(text, at, name[0], body)


def _block(text: str, at: int, kind: str, parent: Block) -> int:
    labels = []
    while text[at : at + 1] == '"':
        end = _string_end(text, at)
        labels.append(text[at + 1 : end - 1])
        at = _skip(text, end)
    if text[at : at + 1] != "{":
        raise ValueError(f"a block or an argument was expected at {text[at : at + 20]!r}")
    block = Block(kind, tuple(labels))
    at = _body(text, at + 1, block)
    if text[at : at + 1] != "}":
        raise ValueError(f"the block {kind} does not end")
    parent.blocks.append(block)
    return at + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expression_end(text: str, at: int) -> int:
    """Where the expression at ``at`` ends: the first line end outside brackets, or a bracket not its own."""
    open_brackets: list[str] = []
    while at < len(text):
        character = text[at]
        heredoc = _HEREDOC.match(text, at)
        if character == '"':
            at = _string_end(text, at)
        elif heredoc:
            close = re.compile(rf"^\s*{heredoc[1]}$", re.MULTILINE).search(text, heredoc.end())
            if close is None:
                raise ValueError(f"the text {heredoc[1]} does not end")
            at = close.end()
        elif character == "#" or text.startswith("//", at):
            at = text.index("\n", at)
        elif character in _CLOSES:
            open_brackets.append(_CLOSES[character])
            at += 1
        elif open_brackets and character == open_brackets[-1]:
            open_brackets.pop()
            at += 1
        elif not open_brackets and character in "\n)]}":
            return at
        else:
            at += 1
    return at


def _string_end(text: str, at: int) -> int:
    """Where the quoted string at ``at`` ends, templates and strings inside them included."""
    at += 1
    while text[at] != '"':
        if text[at] == "\\":
            at += 2
        elif text.startswith(("$${", "%%{"), at):
            at += 3
        elif text.startswith(("${", "%{"), at):
            at = _template_end(text, at + 2)
        else:
            at += 1
    return at + 1


def _template_end(text: str, at: int) -> int:
    depth = 1
    while depth:
        if text[at] == '"':
            at = _string_end(text, at)
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at
