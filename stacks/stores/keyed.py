"""The behaviour of every built-in artifact store, over nine primitives.

A backend speaks of keys: paths relative to the root, without a slash at either end; the root itself is "". It
says what is there and moves bytes; what is allowed, which error it is and how a file object behaves is
decided here and in ``opening.py``, once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from stacks.stores import globbing, paths
from stacks.stores.opening import OpeningStore
from stacks.stores.parallel import batches, run_all
from stacks.stores.paths import is_below
from stacks.stores.trees import walk_tree, with_directories
from stacks.stores.types import Entry, FileStat, OnError, PathType

logger = logging.getLogger(__name__)

DELETE_BATCH = 1000  # what the object services take in one request


class KeyedArtifactStore(OpeningStore):
    """Give it the nine primitives of ``PrimitiveStore``, and it is an artifact store."""

    # ---- what is there --------------------------------------------------------------------------------

    def exists(self, path: PathType) -> bool:
        key = self._key(path)
        with self._doing("exists", key):
            return (bool(key) and self._head(key) is not None) or self._directory(key) is not None

    def isdir(self, path: PathType) -> bool:
        key = self._key(path)
        with self._doing("isdir", key):
            return self._directory(key) is not None

    def stat(self, path: PathType) -> FileStat:
        key = self._key(path)
        with self._doing("stat", key):
            found = (self._head(key) if key else None) or self._directory(key)
            if found is None:
                self._missing(key)
            return found

    def listdir(self, path: PathType) -> list[str]:
        key = self._key(path)
        skip = len(key) + 1 if key else 0
        with self._doing("listdir", key):
            names = sorted({entry.key[skip:] for entry in self._visible(self._list(key, deep=False))})
            if not names:
                self._require_directory(key)
            return names

    def scan(self, path: PathType) -> list[FileStat]:
        key = self._key(path)
        with self._doing("listdir", key):
            found = {
                entry.key: FileStat(
                    self._uri(entry.key), entry.size, entry.modified, entry.etag, is_dir=entry.is_dir
                )
                for entry in self._visible(self._list(key, deep=False))
            }
            if not found and self._directory(key) is None:
                alone = self._head(key)
                if alone is None:
                    self._missing(key)
                return [alone]
            return [found[one] for one in sorted(found)]

    def _require_directory(self, key: str) -> None:
        if self._directory(key) is None:
            if self._head(key) is not None:
                self._fail(NotADirectoryError, key, "Not a directory")
            self._missing(key)

    def glob(self, pattern: PathType) -> list[str]:
        key = self._key(pattern)
        with self._doing("glob", key):
            found = globbing.expand(key, self._entries, self._is_there)
            return [self._uri(match) for match in found]

    def _visible(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Without what no path can name: other programs write keys like ``a//b`` and ``a/../b``."""
        hidden = 0
        for entry in entries:
            if paths.is_plain(entry.key):
                yield entry
            else:
                hidden += 1
        if hidden:
            logger.warning("%s: %d keys with empty, '.' or '..' names are not shown", self.path, hidden)

    def _entries(self, key: str, *, deep: bool) -> Iterable[Entry]:
        entries = self._visible(self._list(key, deep=deep))
        return with_directories(entries, key) if deep else entries

    def _is_there(self, key: str) -> bool:
        return not key or self._head(key) is not None or self._directory(key) is not None

    def walk(
        self, top: PathType, topdown: bool = True, onerror: OnError | None = None
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        key = self._key(top)
        for directory, names, files in walk_tree(self._whole_tree, key, topdown=topdown, onerror=onerror):
            yield self._uri(directory), names, files

    def _walk_to_copy(self, top: PathType) -> Iterator[tuple[str, list[str], list[str]]]:
        def listing(key: str) -> list[Entry]:
            with self._doing("copy", key):
                return list(self._visible(self._list_to_copy(key)))

        def fail(error: OSError) -> None:
            raise error  # what leads out of the store too, which is a FileNotFoundError

        for directory, names, files in walk_tree(listing, self._key(top), topdown=True, onerror=fail):
            yield self._uri(directory), names, files

    def _whole_tree(self, key: str) -> list[Entry]:
        with self._doing("walk", key):
            entries = list(self._visible(self._list(key, deep=True)))
            if not entries:
                self._require_directory(key)
            return entries

    # ---- changing what is there -----------------------------------------------------------------------

    def makedirs(self, path: PathType) -> None:
        key = self._key(path)
        with self._doing("makedirs", key):
            wanted: list[str] = []
            at = key
            while self._directory(at) is None:
                if self._head(at) is not None:
                    kind = FileExistsError if at == key else NotADirectoryError
                    self._fail(kind, at, "A file")
                wanted.append(at)
                at = paths.parent(at)
            for missing in reversed(wanted):
                self._make_directory(missing)

    def mkdir(self, path: PathType) -> None:
        key = self._key(path)
        with self._doing("mkdir", key):
            if self._is_there(key):
                self._fail(FileExistsError, key, "File exists")
            self._require_directory(paths.parent(key))
            self._make_new_directory(key)

    def remove(self, path: PathType) -> None:
        key = self._key(path)
        with self._doing("remove", key):
            if not key or self._head(key) is None:
                if self._directory(key) is not None:
                    self._fail(IsADirectoryError, key, "A directory")
                self._missing(key)
            self._delete([Entry(key, is_dir=False)])

    def rmtree(self, path: PathType) -> None:
        key = self._key(path)
        with self._doing("rmtree", key):
            self._require_directory(key)
            self._remove_tree(key)

    def _remove_tree(self, key: str) -> None:
        for group in batches(batches(self._list(key, deep=True), DELETE_BATCH), 4):
            run_all(self._delete, group, workers=4)
        if key:
            self._delete([Entry(key, is_dir=True)])

    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        source, target = self._key(src), self._key(dst)
        with self._doing("copy", source):
            if not overwrite and self._is_there(target):
                self._fail(FileExistsError, target, "File exists")
            is_dir = not target or paths.names_directory(dst)
            if is_dir or (overwrite and self._directory(target) is not None):
                self._fail(IsADirectoryError, target, "A directory")
            try:
                if source == target or (overwrite and self._place(source) == self._place(target)):
                    raise FileNotFoundError if self._head(source) is None else _SameFile
                (self._copy if overwrite else self._copy_new)(source, target)
            except _SameFile:
                return
            except FileNotFoundError:
                if self._directory(source) is not None:
                    self._fail(IsADirectoryError, source, "A directory")
                self._missing(source)

    def copytree(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        source, target = self._key(src), self._key(dst)
        with self._doing("copy", source):
            self._require_directory(source)
            if not source or is_below(self._place(target), self._place(source)):
                self._fail(OSError, target, "A directory cannot be copied into itself")
        self.makedirs(dst)
        with self._doing("copy", source):
            entries = list(self._visible(self._list_to_copy(source)))
            self._refuse_clashes(entries, source, target, overwrite=overwrite)
            for entry in entries:
                if entry.is_dir:
                    self._make_directory(target + entry.key[len(source) :])
            files = [entry.key for entry in entries if not entry.is_dir]
            self._copy_files([(key, target + key[len(source) :]) for key in files], overwrite=overwrite)

    def _refuse_clashes(self, entries: Sequence[Entry], source: str, target: str, *, overwrite: bool) -> None:
        """Fail if a file would be put where a directory is, the reverse, or where a file must stay."""
        there: dict[str, bool] = {}
        for entry in with_directories(self._list(target, deep=True), target):
            there[entry.key] = entry.is_dir or there.get(entry.key, False)
        for entry in with_directories(entries, source) if there else ():
            new = target + entry.key[len(source) :]
            is_dir = there.get(new)
            if is_dir is None or (is_dir and entry.is_dir):
                continue
            if entry.is_dir:
                self._fail(NotADirectoryError, new, "A file")
            if is_dir or not overwrite:
                kind = IsADirectoryError if is_dir else FileExistsError
                self._fail(kind, new, "A directory" if is_dir else "File exists")

    def _copy_files(self, pairs: Sequence[tuple[str, str]], *, overwrite: bool) -> None:  # noqa: ARG002
        """Copy each, to where a listing found nothing unless ``overwrite``.

        Among so many, one is more likely to be repeated because its answer was lost than to meet another
        writer's; under a condition, it would then meet itself.
        """
        run_all(lambda pair: self._copy(*pair), pairs, workers=self.WORKERS)

    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        source, target = self._key(src), self._key(dst)
        with self._doing("rename", source):
            is_file = bool(source) and self._head(source) is not None
            if not is_file and self._directory(source) is None:
                self._missing(source)
            if not overwrite and self._is_there(target):
                self._fail(FileExistsError, target, "File exists")
            here, there = source, target
            if overwrite or not is_file:  # else nothing is at the target, nor can the target be in the source
                here, there = self._place(source), self._place(target)
            if here == there:
                return
            if not source or not target or is_below(there, here):
                self._fail(OSError, target, "A directory cannot be moved into itself")
            if is_below(here, there):
                self._fail(OSError, target, "What is to be moved lies in the directory that it would replace")
            if overwrite:
                self._clear_target(target, is_file=is_file)
            self._move(source, target, is_file=is_file, overwrite=overwrite)

    def _clear_target(self, target: str, *, is_file: bool) -> None:
        """A file replaces a file and a directory a directory, as on a disk; nothing else."""
        if is_file:
            if self._directory(target) is not None:
                self._fail(IsADirectoryError, target, "A directory")
        elif self._head(target) is not None:
            self._fail(NotADirectoryError, target, "A file")
        elif self._directory(target) is not None:
            self._remove_tree(target)

    def _move(self, source: str, target: str, *, is_file: bool, overwrite: bool) -> None:
        """Copy, then delete. A backend that can move in one step does that instead."""
        if is_file:
            (self._copy if overwrite else self._copy_new)(source, target)
            self._delete([Entry(source, is_dir=False)])
            return
        entries = list(self._list(source, deep=True))
        found = self._directory(source)
        if not entries or (found is not None and found.modified is not None):
            self._make_directory(target)  # it was made, so it stays when its last file goes
        for entry in entries:
            if entry.is_dir:
                self._make_directory(target + entry.key[len(source) :])
        files = [entry.key for entry in entries if not entry.is_dir]
        run_all(lambda key: self._copy(key, target + key[len(source) :]), files, workers=self.WORKERS)
        self._remove_tree(source)


class _SameFile(Exception):  # noqa: N818 - not an error: it only leaves copyfile's block
    """A file copied onto itself."""
