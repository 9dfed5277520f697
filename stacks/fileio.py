"""File operations on any path: each goes to the artifact store whose root contains it.

The longest root wins, the active stack's of two that are the same; a local path outside every store is a
plain local path. What a call raises is what the store raises (stacks/stores/base.py), and for a path that no
store serves ``UnknownSchemeError`` or ``PathOutsideStoreError``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

from stacks.components import Components
from stacks.routing import Router
from stacks.state import StateFile
from stacks.stores.base import BaseArtifactStore
from stacks.stores.paths import is_below, split_scheme, to_text
from stacks.stores.types import FileStat, OnError, PathType

__all__ = [
    "copy",
    "copytree",
    "exists",
    "glob",
    "isdir",
    "listdir",
    "makedirs",
    "mkdir",
    "open",
    "remove",
    "rename",
    "rmtree",
    "size",
    "stat",
    "walk",
]

_routers: dict[str, Router] = {}


def open(path: PathType, mode: str = "r") -> IO[Any]:  # noqa: A001 - the name that the seeds give it
    """Open a file: ``r``, ``w``, ``x`` or ``a``, with ``b`` for bytes, else UTF-8 text."""
    return _store(path).open(path, mode)


def exists(path: PathType) -> bool:
    """Whether there is a file or a directory."""
    return _store(path).exists(path)


def isdir(path: PathType) -> bool:
    """Whether there is a directory."""
    return _store(path).isdir(path)


def listdir(path: PathType) -> list[str]:
    """The names of the files and directories in a directory."""
    return _store(path).listdir(path)


def glob(pattern: PathType) -> list[str]:
    """The full paths that match ``*``, ``?``, ``[…]`` within a name and ``**`` across directories."""
    store = _store(pattern)
    return [_shown(store, path) for path in store.glob(pattern)]


def walk(
    top: PathType, topdown: bool = True, onerror: OnError | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Like ``os.walk``: (directory, names of directories, names of files)."""
    store = _store(top)
    for directory, folders, files in store.walk(top, topdown, onerror):
        yield _shown(store, directory), folders, files


def stat(path: PathType) -> FileStat:
    """Size, time, etag, version and kind of a file or directory."""
    store = _store(path)
    found = store.stat(path)
    return replace(found, path=_shown(store, found.path))


def size(path: PathType) -> int:
    """The size of a file in bytes."""
    return _store(path).size(path)


def makedirs(path: PathType) -> None:
    """Make a directory and those above it; one that exists is left as it is."""
    _store(path).makedirs(path)


def mkdir(path: PathType) -> None:
    """Make a directory; the one above it must exist, and it must not."""
    _store(path).mkdir(path)


def remove(path: PathType) -> None:
    """Remove a file."""
    _store(path).remove(path)


def rmtree(path: PathType) -> None:
    """Remove a directory with all that is in it."""
    _store(path).rmtree(path)


def copy(src: PathType, dst: PathType, overwrite: bool = False) -> None:
    """Copy a file, also from one store to another; an existing target is refused unless ``overwrite``.

    Between stores it streams, and a copy that fails leaves no partial target.
    """
    _store(src).copy_to(src, _store(dst), dst, overwrite=overwrite)


def copytree(src: PathType, dst: PathType, overwrite: bool = False) -> None:
    """Copy a directory, also from one store to another; existing files are refused unless ``overwrite``."""
    source, target = _store(src), _store(dst)
    if source is target:
        source.copytree(src, dst, overwrite=overwrite)
        return
    here, there = _places(source, src, target, dst)
    if is_below(there, here):
        raise OSError(errno.EINVAL, "A directory cannot be copied into itself", to_text(dst))
    source.copytree_to(src, target, dst, overwrite=overwrite)


def rename(src: PathType, dst: PathType, overwrite: bool = False) -> None:
    """Move a file or a directory; an existing target is refused unless ``overwrite``.

    Between stores everything is copied before anything is removed: a move that fails leaves the source.
    """
    source, target = _store(src), _store(dst)
    if source is target or _is_same_place(source, src, target, dst, overwrite=overwrite):
        source.rename(src, dst if source is target else src, overwrite=overwrite)
    elif source.isdir(src):
        if not overwrite and target.exists(dst):
            raise FileExistsError(errno.EEXIST, "The target is there already", to_text(dst))
        source.copytree_to(src, target, dst, overwrite=overwrite)
        source.rmtree(src)
    else:
        source.copy_to(src, target, dst, overwrite=overwrite)
        source.remove(src)


def _is_same_place(
    source: BaseArtifactStore, src: PathType, target: BaseArtifactStore, dst: PathType, *, overwrite: bool
) -> bool:
    """Whether a move between two stores leads to where it began.

    Raises:
        OSError: one place is in the other, and removing the source would remove the copy.
    """
    here, there = _places(source, src, target, dst)
    if here == there or not (is_below(there, here) or is_below(here, there)):
        return here == there
    if not overwrite and target.exists(dst):
        raise FileExistsError(errno.EEXIST, "The target is there already", to_text(dst))
    told = "What is to be moved lies in the directory that it would replace"
    if is_below(there, here):
        told = "A directory cannot be moved into itself"
    raise OSError(errno.EINVAL, told, to_text(dst))


def _places(
    source: BaseArtifactStore, src: PathType, target: BaseArtifactStore, dst: PathType
) -> tuple[str, str]:
    """Where both are, to be compared: on a disk the real paths, else the URIs."""
    here, there = source.place_of(src), target.place_of(dst)
    return here or _uri(source, src), there or _uri(target, dst)


def _uri(store: BaseArtifactStore, path: PathType) -> str:
    scheme, rest = split_scheme(to_text(path))
    if scheme in store.SUPPORTED_SCHEMES:
        scheme = min(store.SUPPORTED_SCHEMES)  # Azure has two for the same container
    return scheme + "/".join(part for part in rest.split("/") if part)


def _store(path: PathType) -> BaseArtifactStore:
    file = StateFile.locate()
    router = _routers.get(file.location)
    if router is None:
        router = _routers[file.location] = Router(Components(file))
    return router.store_for(path)


def _shown(store: BaseArtifactStore, path: str) -> str:
    # The plain file system's root ends in a slash where the roots of stores do not.
    return f"/{path.lstrip('/')}" if store.path == "/" else path
