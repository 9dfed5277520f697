"""Artifacts on a local disk, with the guarantees of the remote flavors.

A file appears under its name complete or not at all: it is written under another name beside its place and
renamed. Conditional writes hold a lock on the directory while they compare and rename; so does every other
change of a name, or the comparison would prove nothing. Writing goes through a symlink to the file that it
means, keeps that file's owner and mode, and never replaces a device or a pipe.
"""

from __future__ import annotations

import os
import shutil
import stat as stat_module
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from stacks.credentials import Credentials
from stacks.errors import PathError, StoreConfigError, StorePermissionError
from stacks.stores import paths
from stacks.stores.keyed import KeyedArtifactStore
from stacks.stores.local_upload import TEMPORARY, LocalUpload, etag_of, locked
from stacks.stores.parallel import run_all
from stacks.stores.types import ABSENT, ALWAYS, Condition, Data, Entry, FileStat, PathType


class LocalArtifactStore(KeyedArtifactStore):
    """A directory of a local disk; without ``path`` a folder of its own below the user's configuration."""

    FLAVOR = "local"
    SUPPORTED_SCHEMES = frozenset({"", "file://"})
    PART_SIZE = 1024 * 1024
    WORKERS = 8

    def __init__(
        self,
        path: PathType | None = None,
        *,
        name: str = "",
        credentials: Callable[[], Credentials] | None = None,
        **config: Any,
    ) -> None:
        if credentials is not None:
            raise StoreConfigError("a local artifact store takes no credentials", store=name or None)
        super().__init__(path or _default_root(name), name=name, **config)
        self._real_root = os.path.realpath(self.path)

    # ---- paths ----------------------------------------------------------------------------------------

    def _normalise_root(self, path: PathType) -> str:
        return os.path.abspath(_local_text(path))

    def _key(self, path: PathType) -> str:
        text = _local_text(path)
        plain = os.path.abspath(text)
        real = os.path.realpath(plain)
        if not paths.is_below(real, self._real_root):
            raise paths.outside(text, self.path)
        for candidate in (
            plain,
            os.path.join(os.path.realpath(os.path.dirname(plain)), os.path.basename(plain)),
        ):
            for root in (self.path, self._real_root):
                if paths.is_below(candidate, root):
                    return self._checked(candidate[len(root) :].strip("/"))
        return self._checked(real[len(self._real_root) :].strip("/"))

    def _checked(self, key: str) -> str:
        if key.startswith(TEMPORARY) or f"/{TEMPORARY}" in key:
            raise PathError(f"names that begin with {TEMPORARY} are the store's own")
        return key

    def _file(self, key: str) -> str:
        return f"{self._real_root}/{key}" if key else self._real_root

    def _inside(self, file: str) -> str:
        """The real path of a file of the disk.

        Raises:
            PathOutsideStoreError: a symlink leads out of the root.
        """
        real = os.path.realpath(file)
        if not paths.is_below(real, self._real_root):
            raise paths.outside(file, self.path)
        return real

    def _translate(self, error: Exception, operation: str, path: str) -> Exception | None:
        if isinstance(error, PermissionError):
            return StorePermissionError(
                f"no permission to {operation} {path} in the artifact store {self.name or self.path}",
                hint="Check the owner and the mode of the file and of the directories above it.",
                store=self.name or None,
                operation=operation,
                path=path,
            )
        return super()._translate(error, operation, path)

    # ---- the primitives -------------------------------------------------------------------------------

    def _head(self, key: str) -> FileStat | None:
        found = self._stat(key)
        return None if found is None or found.is_dir else found

    def _directory(self, key: str) -> FileStat | None:
        found = self._stat(key)
        if found is None and not key:
            return FileStat(self.path, 0, None, is_dir=True)  # made with the first file
        return found if found is not None and found.is_dir else None

    def _stat(self, key: str) -> FileStat | None:
        try:
            return self._described(key, os.stat(self._file(key)))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _described(self, key: str, found: os.stat_result) -> FileStat:
        modified = datetime.fromtimestamp(found.st_mtime_ns / 1e9, UTC)
        if stat_module.S_ISDIR(found.st_mode):
            return FileStat(self._uri(key), 0, modified, is_dir=True)
        return FileStat(self._uri(key), found.st_size, modified, etag_of(found))

    def _open_reading(self, key: str, *, binary: bool) -> IO[Any]:
        """A real file: it can be mapped into memory, and a replaced file goes on being read as it was."""
        with self._doing("open", key):
            try:
                if binary:
                    return open(self._file(key), "rb")
                return open(self._file(key), encoding="utf-8")
            except FileNotFoundError:
                self._missing(key)

    def _read(self, key: str, start: int, stop: int, etag: str | None) -> tuple[Data, FileStat]:
        with self._open_reading(key, binary=True) as file:
            found = self._described(key, os.fstat(file.fileno()))
            if etag is not None and etag != found.etag:
                raise self._changed(key)
            return os.pread(file.fileno(), stop - start, start), found

    def _put(self, key: str, content: bytes, condition: Condition) -> str | None:
        upload = self._upload(key, condition)
        try:
            upload.write(content)
            return upload.publish()
        finally:
            upload.abort()

    def _upload(self, key: str, condition: Condition, *, mode: int = 0o666) -> LocalUpload:
        target, found = self._destination(key)
        if found is None:
            self._make_parents(key, os.path.dirname(target))

        def check() -> None:
            there = self._head(key) if condition != ALWAYS else None
            if condition.absent and there is not None:
                self._fail(FileExistsError, key, "File exists")
            if condition.etag is not None and (there is None or there.etag != condition.etag):
                raise self._changed(key)

        def refuse(kind: type[OSError]) -> None:
            self._fail(kind, key, "A directory" if kind is IsADirectoryError else "File exists")

        return LocalUpload(target, found, condition, check, refuse, mode=mode)

    def _destination(self, key: str) -> tuple[str, os.stat_result | None]:
        """The file that a write to ``key`` means, behind symlinks too, and what is there now."""
        file = self._file(key)
        try:
            found = os.lstat(file)
        except (FileNotFoundError, NotADirectoryError):
            return file, None
        if not stat_module.S_ISLNK(found.st_mode):
            return file, found
        real = self._inside(file)
        try:
            found = os.stat(file)
        except FileNotFoundError:
            return real, None
        # What /dev/stdout leads to may have no path of its own; and what is not replaced needs none.
        return real if stat_module.S_ISREG(found.st_mode) else file, found

    def _list(self, key: str, *, deep: bool) -> Iterator[Entry]:
        todo = [key]
        while todo:
            at = todo.pop()
            for below, item in self._names(at):
                is_dir = item.is_dir()
                yield Entry(below, is_dir) if deep else self._entry(below, item)
                if deep and is_dir and not item.is_symlink():
                    todo.append(below)

    def _names(self, key: str) -> list[tuple[str, os.DirEntry[str]]]:
        """What is in a directory, each with its key; nothing when it is not there, or gone meanwhile."""
        above = f"{key}/" if key else ""
        try:
            with os.scandir(self._file(key)) as scan:
                return [(above + item.name, item) for item in scan if not item.name.startswith(TEMPORARY)]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _list_to_copy(self, key: str) -> Iterator[Entry]:
        """With what is behind links to directories, as long as they do not lead out of the store."""
        todo: list[tuple[str, tuple[str, ...]]] = [(key, (self._inside(self._file(key)),))]
        while todo:
            at, behind = todo.pop()  # where links were followed, and last where this directory really is
            for below, item in self._names(at):
                is_dir, real = item.is_dir(), f"{behind[-1]}/{item.name}"
                way = (*behind[:-1], real)
                if item.is_symlink():
                    real = self._inside(self._file(below))
                    way = (*behind, real)
                    if is_dir and any(paths.is_below(one, real) for one in behind):
                        self._fail(OSError, below, "A link to a directory that it is in")
                yield Entry(below, is_dir)
                if is_dir:
                    todo.append((below, way))

    def _entry(self, key: str, item: os.DirEntry[str]) -> Entry:
        try:
            found = self._described(key, item.stat())
        except FileNotFoundError:  # a symlink to nothing, or gone since
            return Entry(key, is_dir=False)
        return Entry(key, found.is_dir, found.size, found.modified, found.etag)

    def _delete(self, entries: Sequence[Entry]) -> None:
        for entry in sorted(entries, key=lambda entry: (entry.is_dir, -len(entry.key))):
            file = self._file(entry.key)
            try:
                if entry.is_dir and not os.path.islink(file):
                    os.rmdir(file)
                else:
                    with locked(os.path.dirname(file)):
                        os.unlink(file)
            except FileNotFoundError:
                continue

    def _copy(self, src: str, dst: str, condition: Condition = ALWAYS) -> None:
        with self._open_reading(src, binary=True) as file:
            upload = self._upload(dst, condition, mode=os.fstat(file.fileno()).st_mode & 0o777)
            try:
                shutil.copyfileobj(file, upload, 1024 * 1024)
                upload.publish()
            finally:
                upload.abort()

    def _copy_new(self, src: str, dst: str) -> None:
        self._copy(src, dst, ABSENT)

    def _copy_files(self, pairs: Sequence[tuple[str, str]], *, overwrite: bool) -> None:
        for folder in {os.path.dirname(self._file(dst)) for _, dst in pairs}:
            self._inside(folder)  # a link that lies in the target may lead out
        copy = self._copy if overwrite else self._copy_new
        run_all(lambda pair: copy(*pair), pairs, workers=self.WORKERS)

    def _make_directory(self, key: str) -> None:
        self._make_root()
        Path(self._inside(self._file(key))).mkdir(exist_ok=True)

    def _make_new_directory(self, key: str) -> None:
        self._make_root()
        file = self._file(key)
        with locked(os.path.dirname(file)):  # or it would be the empty directory that a rename replaces
            try:
                os.mkdir(file)
            except FileExistsError:
                self._fail(FileExistsError, key, "File exists")

    def _place(self, key: str) -> str:
        return os.path.realpath(self._file(key))

    def place_of(self, path: PathType) -> str | None:
        return self._place(self._key(path))

    # ---- in one step what other backends do in many ---------------------------------------------------

    def _move(self, source: str, target: str, *, is_file: bool, overwrite: bool) -> None:  # noqa: ARG002 - a rename moves both
        file = self._file(target)
        self._make_parents(target, os.path.dirname(file))
        with locked(os.path.dirname(file)):
            if not overwrite and os.path.lexists(file):
                self._fail(FileExistsError, target, "File exists")
            os.rename(self._file(source), file)

    def _remove_tree(self, key: str) -> None:
        if key:
            shutil.rmtree(self._file(key))
            return
        for entry in self._list("", deep=False):
            if entry.is_dir:
                shutil.rmtree(self._file(entry.key))
            else:
                self._delete([entry])

    def _make_root(self) -> None:
        os.makedirs(self._real_root, mode=0o700, exist_ok=True)

    def _make_parents(self, key: str, folder: str) -> None:
        self._make_root()
        try:
            os.makedirs(folder, exist_ok=True)
        except FileExistsError:
            self._fail(NotADirectoryError, paths.parent(key), "Not a directory")


def _local_text(path: PathType) -> str:
    text = paths.to_text(path)
    if text.lower().startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc not in {"", "localhost"}:
            raise PathError(f"{text!r} is on another machine", hint="Write file:///absolute/path.")
        return unquote(parts.path)
    if "://" in text:
        raise paths.outside(text, "a local directory")
    return text


def _default_root(name: str) -> str:
    import platformdirs

    return os.path.join(platformdirs.user_config_dir("stacks"), "local_stores", name or "default")
