"""Patterns of names: ``*``, ``?`` and ``[…]`` within a segment, ``**`` for any number of directories.

A name that begins with a dot is a name like any other: object stores know no hidden files, and a pattern must
not find less on a disk than in a bucket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

from stacks.stores.types import Entry

_MAGIC = re.compile(r"[*?\[]")


class Entries(Protocol):
    """Lists a directory, one level or all, with every directory in it."""

    def __call__(self, key: str, *, deep: bool) -> Iterable[Entry]: ...


def expand(pattern: str, entries: Entries, is_there: Callable[[str], bool]) -> list[str]:
    """The keys that match, sorted."""
    segments = pattern.split("/")
    first = next((at for at, segment in enumerate(segments) if _MAGIC.search(segment)), len(segments))
    base = "/".join(segments[:first])
    rest = segments[first:]
    if not rest:
        return [pattern] if is_there(pattern) else []
    if len(rest) > 1:
        regex = re.compile(_translate(rest), re.DOTALL)
        skip = len(base) + 1 if base else 0
        return sorted({entry.key for entry in entries(base, deep=True) if regex.match(entry.key, skip)})
    matcher = re.compile(_segment("*" if rest == ["**"] else rest[0]) + r"\Z", re.DOTALL)
    found = entries(base, deep=rest == ["**"])
    return sorted({entry.key for entry in found if matcher.match(entry.key.rpartition("/")[2])})


def _translate(segments: list[str]) -> str:
    parts: list[str] = []
    for at, segment in enumerate(segments):
        last = at == len(segments) - 1
        if segment == "**":
            parts.append(r"[^\0]*" if last else r"(?:[^/]+/)*")
        else:
            parts.append(_segment(segment) + ("" if last else "/"))
    return "".join(parts) + r"\Z"


def _segment(pattern: str) -> str:
    """A regular expression for one segment; the ``*`` of ``fnmatch`` would cross a slash."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        end = pattern.find("]", at + 1 + (pattern[at : at + 1] == "!")) if letter == "[" else -1
        if letter == "*":
            out.append("[^/]*")
        elif letter == "?":
            out.append("[^/]")
        elif end >= 0:
            inside = pattern[at:end].replace("\\", r"\\").replace("[", r"\[")
            out.append(f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]")
            at = end + 1
        else:
            out.append(re.escape(letter))
    return "".join(out)
