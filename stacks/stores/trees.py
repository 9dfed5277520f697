"""Walking a tree, top-down or bottom-up, from one deep listing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from stacks.stores import paths
from stacks.stores.types import Entry, OnError

Step: TypeAlias = tuple[str, list[str], list[str]]


def walk_tree(
    listing: Callable[[str], Sequence[Entry]], top: str, *, topdown: bool, onerror: OnError | None
) -> Iterator[Step]:
    """(directory's key, names of directories, names of files), as ``os.walk`` orders and prunes them.

    One deep listing instead of one per directory: a service answers a thousand keys as fast as three. As with
    ``os.walk``, a top that is not there yields nothing; any other failure is raised, unless ``onerror`` takes
    it: a listing that broke off must not look like a small one.
    """
    try:
        tree = _grow(listing(top), top)
    except OSError as error:
        _report(error, onerror)
        return
    yield from _descend(tree, top, topdown=topdown)


def _descend(tree: dict[str, tuple[list[str], list[str]]], top: str, *, topdown: bool) -> Iterator[Step]:
    names, files = tree.get(top, ([], []))
    names.sort()
    files.sort()
    if topdown:
        yield top, names, files
    for name in names:  # the caller may have removed some, as with os.walk
        yield from _descend(tree, f"{top}/{name}" if top else name, topdown=topdown)
    if not topdown:
        yield top, names, files


def _report(error: OSError, onerror: OnError | None) -> None:
    if onerror is not None:
        onerror(error)
    elif not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _grow(entries: Sequence[Entry], top: str) -> dict[str, tuple[list[str], list[str]]]:
    """For every directory the names in it, those directories too that only keys of files tell of."""
    tree: dict[str, tuple[list[str], list[str]]] = {top: ([], [])}

    def place(directory: str) -> tuple[list[str], list[str]]:
        found = tree.get(directory)
        if found is None:
            found = tree[directory] = ([], [])
            above, _, name = directory.rpartition("/")
            place(above)[0].append(name)
        return found

    for entry in entries:
        if entry.is_dir:
            place(entry.key)
        else:
            above, _, name = entry.key.rpartition("/")
            place(above)[1].append(name)
    return tree


def with_directories(entries: Iterable[Entry], top: str) -> Iterator[Entry]:
    """A deep listing with every directory in it, those too that only the files' keys tell of."""
    seen: set[str] = set()
    for entry in entries:
        above = paths.parent(entry.key)
        fresh: list[str] = []
        while len(above) > len(top) and above not in seen:
            seen.add(above)
            fresh.append(above)
            above = paths.parent(above)
        yield from (Entry(key, is_dir=True) for key in reversed(fresh))
        if not entry.is_dir:
            yield entry
        elif entry.key not in seen:
            seen.add(entry.key)
            yield entry
