"""YAML text to a tree with places, from ruamel.yaml's events and without recursion.

Taken: one document of YAML 1.2 with mappings, lists and scalars. Refused, each with its place: aliases,
anchors, tags, merge keys, duplicate keys, directives, further documents, and characters that hide. Nothing
is constructed and nothing is expanded, so what a hostile file costs is bounded by its size.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from provisioner.errors import Problem
from provisioner.manifest.scalars import Plain
from provisioner.manifest.text import character_name, escaped, hidden_character, is_hidden
from provisioner.manifest.tree import Entry, ListNode, Loc, MapNode, Mark, Node, ScalarNode, path_text

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 20_000
"""Keys and values of one file: some 1,000 stores; bounds the time that a hostile file takes."""

MAX_LINE = 1 << 16
"""Characters of one line (comments aside): the scanner's work on a tag grows with its square."""

MAX_LINES = 50_000
"""Lines of one file, comments and empty ones too."""

# What YAML 1.2 calls non-printable, a byte order mark anywhere but at the start, and the line breaks of
# YAML 1.1 (U+0085, U+2028, U+2029), which one reader folds and another keeps.
_UNPRINTABLE = re.compile(
    "[^\t\n\r -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_BREAK = re.compile(r"\r\n|\r|\n")
# Outside of values, in comments say, only what reorders text is refused: it can hide a line from a reviewer.
_REORDERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _Stop(Exception):  # noqa: N818  # not an error: the reading ends here, its problems are kept
    """What follows cannot be read."""


@dataclass(slots=True)
class _Frame:
    """A collection that is still open."""

    node: MapNode | ListNode
    loc: Loc
    key: str | None = None
    key_mark: Mark | None = None
    keep: bool = True


def decode(raw: bytes, file: str) -> tuple[str, list[Problem]]:
    """UTF-8 text of a manifest, without a byte order mark, or the problem with it."""
    if len(raw) > MAX_BYTES:
        return "", [Problem(file, 1, 1, "", f"found more than {MAX_BYTES:,} bytes; allowed: at most 1 MiB")]
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", errors="replace")
        mark = _Lines(before).mark(len(before), file)
        wrong = f"found byte 0x{raw[error.start]:02X}, which is not UTF-8; allowed: a text file in UTF-8"
        return "", [Problem(*mark, "", wrong)]


def read_tree(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The tree of one YAML document and everything wrong with its form.

    The tree is None when the text could not be read to its end.
    """
    reader = _Reader(text, file)
    try:
        reader.read()
    except _Stop:
        return None, reader.problems
    return reader.root, reader.problems


class _Lines:
    """Offsets to lines and columns."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(match.end() for match in _BREAK.finditer(text))]

    def mark(self, offset: int, file: str) -> Mark:
        line = bisect_right(self.starts, offset)
        return Mark(file, line, offset - self.starts[line - 1] + 1)


@dataclass(slots=True)
class _Reader:
    text: str
    file: str
    root: Node | None = None
    problems: list[Problem] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    documents: int = 0
    nodes: int = 0

    def read(self) -> None:
        self._refuse_bad_text()
        try:
            for event in YAML(typ="safe", pure=True).parse(self.text):
                self._take(event)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = Mark(self.file, mark.line + 1, mark.column + 1) if mark else self._at(0)
            what = " ".join(str(part) for part in (error.context, error.problem) if part)
            self._stop(where, f"not valid YAML: {escaped(what, 200)}")
        except (YAMLError, ValueError, OverflowError) as error:
            # ValueError and OverflowError: an escape such as "\UFFFFFFFF" that is no character.
            self._stop(self._at(0), f"not valid YAML: {escaped(str(error), 200)}")
        self._refuse_hidden_between()
        if self.root is None:
            self._stop(self._at(0), "the file is empty; allowed: a mapping with version, name, provider, …")

    # --- the text as a whole --------------------------------------------------------------------------

    def _refuse_bad_text(self) -> None:
        lines = _Lines(self.text)
        for match in list(_UNPRINTABLE.finditer(self.text))[:20]:
            mark = lines.mark(match.start(), self.file)
            self._problem(mark, (), f"found {character_name(match[0])}; allowed: printable characters")
        rows = _BREAK.split(self.text)
        if len(rows) > MAX_LINES:
            wrong = f"found {len(rows):,} lines; allowed: at most {MAX_LINES:,}"
            self._problem(Mark(self.file, MAX_LINES + 1, 1), (), wrong)
        for number, line in enumerate(rows, 1):
            if len(line) > MAX_LINE and not line.lstrip().startswith("#"):
                wrong = f"found a line of {len(line):,} characters; allowed: at most {MAX_LINE:,}"
                self._problem(Mark(self.file, number, 1), (), wrong)
        if self.problems:
            raise _Stop

    def _refuse_hidden_between(self) -> None:
        """Comments, too, may not show lines in another order than they stand."""
        matches = list(_REORDERING.finditer(self.text))
        if not matches:
            return
        lines = _Lines(self.text)
        starts = [start for start, _ in self.spans]
        for match in matches[:20]:
            span = bisect_right(starts, match.start()) - 1
            if span < 0 or match.start() >= self.spans[span][1]:
                wrong = f"found {character_name(match[0])}; allowed: characters that keep the text's order"
                self._problem(lines.mark(match.start(), self.file), (), wrong)

    # --- events ---------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if isinstance(event, NodeEvent):
            self._take_node(event)
        elif isinstance(event, CollectionEndEvent):
            self.frames.pop()
        elif isinstance(event, DocumentStartEvent):
            self._start_document(event)

    def _start_document(self, event: DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            self._stop(self._mark(event), "found a second document; allowed: one document in a file")
        before = _BREAK.split(self.text[: event.start_mark.index])
        if any(line.startswith("%") for line in before):
            self._stop(self._mark(event), "found a % directive; allowed: YAML 1.2 without directives")

    def _take_node(self, event: NodeEvent) -> None:
        mark = self._mark(event)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._stop(mark, f"found more than {MAX_NODES:,} keys and values; allowed: at most that many")
        frame = self.frames[-1] if self.frames else None
        if isinstance(frame, _Frame) and isinstance(frame.node, MapNode) and frame.key_mark is None:
            self._take_key(event, mark, frame, frame.node)
            return
        loc = self._next_loc(frame)
        self._refuse_properties(event, mark, loc)
        node = self._build(event, mark, loc)
        self._attach(node, frame)
        if not isinstance(node, ScalarNode):
            if len(self.frames) >= MAX_DEPTH:
                self._stop(mark, f"found more than {MAX_DEPTH} levels; allowed: at most {MAX_DEPTH}")
            self.frames.append(_Frame(node, loc))

    def _take_key(self, event: NodeEvent, mark: Mark, frame: _Frame, node: MapNode) -> None:
        if not isinstance(event, ScalarEvent):
            kind = "an alias" if isinstance(event, AliasEvent) else "a list or mapping"
            self._stop(mark, f"found {kind} as a key; allowed: text", frame.loc)
        key = event.value
        frame.key, frame.key_mark, frame.keep = key, mark, False
        self._refuse_properties(event, mark, (*frame.loc, key))
        if key == "<<" and event.style is None:
            self._problem(mark, frame.loc, "found a merge key (<<); allowed: each value written out")
        elif key in node.entries:
            first = node.entries[key].key
            wrong = f"duplicate key, first in line {first.line}; allowed: each key once"
            self._problem(mark, (*frame.loc, key), wrong)
        elif not self._refuse_hidden(event, mark, frame.loc):
            frame.keep = True

    def _next_loc(self, frame: _Frame | None) -> Loc:
        if frame is None:
            return ()
        if isinstance(frame.node, ListNode):
            return (*frame.loc, len(frame.node.items))
        return (*frame.loc, frame.key or "")

    def _build(self, event: NodeEvent, mark: Mark, loc: Loc) -> Node:
        if isinstance(event, MappingStartEvent):
            return MapNode(mark)
        if isinstance(event, SequenceStartEvent):
            return ListNode(mark)
        if isinstance(event, ScalarEvent):
            broken = self._refuse_hidden(event, mark, loc)
            return ScalarNode(event.value if event.style else Plain(event.value), mark, broken)
        self._problem(
            mark, loc, f"found an alias (*{escaped(str(event.anchor), 40)}); allowed: each value written out"
        )
        return ScalarNode(Plain(""), mark, broken=True)

    def _attach(self, node: Node, frame: _Frame | None) -> None:
        if frame is None:
            self.root = node
        elif isinstance(frame.node, ListNode):
            frame.node.items.append(node)
        else:
            if frame.keep and frame.key is not None and frame.key_mark is not None:
                frame.node.entries[frame.key] = Entry(frame.key_mark, node)
            frame.key_mark = None

    # --- what is refused ------------------------------------------------------------------------------

    def _refuse_properties(self, event: NodeEvent, mark: Mark, loc: Loc) -> None:
        if isinstance(event, AliasEvent):
            return
        if event.anchor is not None:
            self._problem(
                mark,
                loc,
                f"found an anchor (&{escaped(str(event.anchor), 40)}); allowed: values without anchors",
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._problem(mark, loc, f"found a tag ({escaped(str(tag), 40)}); allowed: values without tags")

    def _refuse_hidden(self, event: ScalarEvent, mark: Mark, loc: Loc) -> bool:
        """Report what cannot be seen in a scalar, at the very character when it stands there as such."""
        start, end = event.start_mark.index, event.end_mark.index
        self.spans.append((start, end))
        found = hidden_character(event.value)
        if found is None:
            return False
        index, character = found
        raw = next((at for at in range(start, end) if self.text[at] == character), None)
        if raw is not None and is_hidden(character) and character not in "\r\n\t":
            mark = self._at(raw)
        wrong = f"found {character_name(character)} at character {index + 1} of the text; "
        self._problem(mark, loc, wrong + "allowed: characters that can be seen")
        return True

    # --- places ---------------------------------------------------------------------------------------

    def _mark(self, event: Event) -> Mark:
        return Mark(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _at(self, offset: int) -> Mark:
        return _Lines(self.text).mark(offset, self.file)

    def _problem(self, mark: Mark, loc: Loc, message: str) -> None:
        self.problems.append(Problem(*mark, path_text(loc), message))

    def _stop(self, mark: Mark, message: str, loc: Loc = ()) -> NoReturn:
        self._problem(mark, loc, message)
        raise _Stop
