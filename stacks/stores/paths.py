"""Paths of remote stores: which are inside a root, and what key they name.

The root ends at a separator (``s3://data`` does not contain ``s3://database``), and ``..`` is refused
rather than resolved: to an object service it is a name like any other, so resolving it would name another
object. Slashes in a row count as one, as on a disk: a root that ends in a slash may be joined with another.
"""

from __future__ import annotations

import os
import re

from stacks.errors import PathError, PathOutsideStoreError, StoreConfigError
from stacks.stores.types import PathType

_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*):/+")
_ODD = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")
_NEEDS_CARE = re.compile(r"//|/\.|/$|^\.|\x00")


def to_text(path: PathType) -> str:
    """A path as text.

    Raises:
        PathError: it is not a path, or has a NUL in it.
    """
    if isinstance(path, str):
        text = path
    else:
        try:
            text = os.fsdecode(path)
        except TypeError:
            raise PathError(f"a path is str, bytes or os.PathLike, not {type(path).__name__}") from None
    if "\x00" in text:
        raise PathError(f"the path {text!r} has a NUL in it")
    return text


def split_scheme(text: str) -> tuple[str, str]:
    """``s3://bucket/key`` → (``s3://``, ``bucket/key``); no scheme is "".

    ``s3:/bucket`` counts as well: that is what ``pathlib`` makes of a URI.
    """
    match = _SCHEME.match(text)
    if match is None:
        return "", text
    return match.group(1).lower() + "://", text[match.end() :]


def normalise_root(path: PathType, schemes: frozenset[str]) -> str:
    """A remote root as it is shown: its scheme, no slash at the end, none doubled.

    Raises:
        StoreConfigError: another scheme, no bucket, or ``..`` in it.
    """
    text = to_text(path)
    scheme, rest = split_scheme(text)
    segments = [segment for segment in rest.split("/") if segment]
    if scheme not in schemes:
        known = " or ".join(sorted(schemes))
        raise StoreConfigError(f"the path {text!r} does not begin with {known}", path=text)
    if not segments or {".", ".."} & set(segments):
        raise StoreConfigError(
            f"the path {text!r} names no bucket and prefix", hint=f"Write {scheme}bucket/prefix.", path=text
        )
    return scheme + "/".join(segments)


def key_below(path: PathType, root: str, schemes: frozenset[str]) -> str:
    """The key of ``path`` relative to ``root``; "" is the root itself.

    Raises:
        PathOutsideStoreError: it is not inside.
    """
    text = to_text(path)
    if text.startswith(root) and text[len(root) : len(root) + 1] == "/":
        key = text[len(root) + 1 :]
        if key and not _NEEDS_CARE.search(text, len(root)):
            return key
    scheme, rest = split_scheme(text)
    segments = [segment for segment in rest.split("/") if segment]
    root_segments = split_scheme(root)[1].split("/")
    if (
        scheme not in schemes
        or ".." in segments
        or "." in segments
        or segments[: len(root_segments)] != root_segments
    ):
        raise outside(text, root)
    return "/".join(segments[len(root_segments) :])


def outside(text: str, root: str) -> PathOutsideStoreError:
    """The error for a path that is not inside ``root``."""
    return PathOutsideStoreError(
        f"{text!r} is outside of the artifact store at {root!r}",
        hint="Use a path below the store's root, without '..'.",
        path=text,
        root=root,
    )


def names_directory(path: PathType) -> bool:
    """Whether a path is written as a directory's, with a slash at the end."""
    return to_text(path).endswith("/")


def parent(key: str) -> str:
    """The key of the directory that holds ``key``; the root's is the root."""
    return key.rpartition("/")[0]


def is_below(path: str, root: str) -> bool:
    """Whether ``path`` is ``root`` or inside it; both are written alike."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def is_plain(key: str) -> bool:
    """Whether a key can be reached by a path: no empty, ``.`` or ``..`` segment."""
    return not _ODD.search(key)
