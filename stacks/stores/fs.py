"""An fsspec filesystem over an artifact store, for pandas, pyarrow, dask and whatever else speaks fsspec.

It has the store's credentials as they are renewed, its borders and its guarantees. Nothing is cached, neither
listings nor instances: what another process wrote is seen.
"""

from __future__ import annotations

import io
from typing import IO, Any, cast

from fsspec import AbstractFileSystem  # type: ignore[import-untyped] # fsspec has no types
from fsspec.compression import compr  # type: ignore[import-untyped]
from fsspec.core import get_compression  # type: ignore[import-untyped]
from fsspec.utils import stringify_path  # type: ignore[import-untyped]

from stacks.stores.base import BaseArtifactStore
from stacks.stores.layered import DecodedReader, LayeredWriter
from stacks.stores.types import FileStat
from stacks.stores.writers import DroppableWriter, TextWriter


class StoreFileSystem(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """Paths are the store's, with its scheme."""

    cachable = False
    protocol = "stacks"

    def __init__(self, store: BaseArtifactStore, **_: Any) -> None:
        super().__init__(use_listings_cache=False, skip_instance_cache=True)
        self.store = store
        self.root_marker = store.path

    def __reduce__(self) -> tuple[type[StoreFileSystem], tuple[BaseArtifactStore]]:
        return type(self), (self.store,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreFileSystem) and other.store.path == self.store.path

    def __hash__(self) -> int:
        return hash(self.store.path)

    @property
    def fsid(self) -> str:
        """What makes two filesystems the same."""
        return f"stacks-{self.store.path}"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """The path as it stands: the store's scheme is part of its paths."""
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return str(stringify_path(path)).rstrip("/") or "/"

    def unstrip_protocol(self, name: str) -> str:
        """The path as it stands."""
        return str(self._strip_protocol(name))

    @classmethod
    def _parent(cls, path: str) -> str:
        return str(cls._strip_protocol(path)).rpartition("/")[0]

    def _info(self, found: FileStat) -> dict[str, Any]:
        return {
            "name": found.path,
            "size": found.size,
            "type": "directory" if found.is_dir else "file",
            "LastModified": found.modified,
            "ETag": found.etag,
        }

    def info(self, path: Any, **_: Any) -> dict[str, Any]:
        """Name, size, type, time and etag of a file or directory."""
        return self._info(self.store.stat(self._strip_protocol(path)))

    def ls(self, path: Any, detail: bool = True, **_: Any) -> list[Any]:
        """What is in a directory, or the file itself."""
        plain = self._strip_protocol(path)
        found = self.store.scan(plain)
        return [self._info(one) for one in found] if detail else [one.path for one in found]

    def exists(self, path: Any, **_: Any) -> bool:
        """Whether there is a file or a directory."""
        return self.store.exists(self._strip_protocol(path))

    def isdir(self, path: Any) -> bool:
        """Whether there is a directory."""
        return self.store.isdir(self._strip_protocol(path))

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,  # noqa: ARG002 - fsspec's arguments; the store has blocks of its own
        cache_options: Any = None,  # noqa: ARG002
        compression: str | None = None,
        **kwargs: Any,
    ) -> IO[Any]:
        """Open a file; ``compression`` is a codec's name or ``infer``. Text is UTF-8 unless told otherwise.

        What is written becomes visible with an orderly close, or with the end of fsspec's ``transaction``,
        and not at all when the ``with`` block raises.
        """
        plain = self._strip_protocol(path)
        text = {name: kwargs.pop(name, None) for name in ("encoding", "errors", "newline")}
        kind = mode.replace("t", "").replace("b", "")
        named = get_compression(plain, compression) if compression else None
        codec = compr[named] if named else None
        if kind == "a" and named == "zip":
            raise ValueError("a zip archive cannot be appended to")
        file = self._open(plain, f"{kind}b")
        if kind == "r":
            decoded = file if codec is None else self._decoded(file, codec)
            if "b" in mode:
                return decoded
            return io.TextIOWrapper(decoded, text["encoding"] or "utf-8", text["errors"], text["newline"])
        writer = self._layered(
            file, codec, f"{kind}b", deferred=not kwargs.get("autocommit", not self._intrans)
        )
        return cast("IO[Any]", writer if "b" in mode else TextWriter(writer, mode, **text))

    def _decoded(self, file: IO[bytes], codec: Any) -> DecodedReader:
        try:
            return DecodedReader(codec(file, mode="r"), file)
        except BaseException:
            file.close()
            raise

    def _layered(self, file: IO[bytes], codec: Any, mode: str, *, deferred: bool) -> DroppableWriter:
        if isinstance(file, DroppableWriter) and codec is None and not deferred:
            return file
        encode = None if codec is None else lambda pipe: codec(pipe, mode="w")
        try:
            writer = LayeredWriter(file, encode, mode=mode, deferred=deferred)
        except BaseException as error:
            file.__exit__(type(error), error, None)
            raise
        if deferred and self._intrans:
            self.transaction.files.append(writer)
        return writer

    def _open(self, path: str, mode: str = "rb", **_: Any) -> IO[bytes]:
        return self.store.open(path, mode)

    def cat_file(self, path: Any, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """The bytes [start, end) of a file; negative numbers count from its end."""
        plain = self._strip_protocol(path)
        with self.store.open(plain, "rb") as file:
            size = file.seek(0, 2)
            begin = max(0, size + start) if start is not None and start < 0 else start or 0
            stop = size if end is None else max(0, size + end) if end < 0 else end
            file.seek(begin)
            content: bytes = file.read(max(0, stop - begin))
        return content

    def pipe_file(self, path: Any, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Write a file at once; mode ``create`` refuses an existing one."""
        with self.open(path, "xb" if mode == "create" else "wb") as file:
            file.write(value)

    def cp_file(self, path1: Any, path2: Any, **_: Any) -> None:
        """Copy a file; of a directory only the directory itself, as fsspec's recursive copy expects."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if self.store.isdir(source):
            self.store.makedirs(target)
        else:
            self.store.copyfile(source, target, overwrite=True)

    def mv(self, path1: Any, path2: Any, **_: Any) -> None:
        """Move a file or a directory; an existing file is replaced."""
        self.store.rename(self._strip_protocol(path1), self._strip_protocol(path2), overwrite=True)

    def mkdir(self, path: Any, create_parents: bool = True, **_: Any) -> None:
        """Make a directory."""
        plain = self._strip_protocol(path)
        if create_parents and not self.store.exists(plain):
            self.store.makedirs(plain)
        else:
            self.store.mkdir(plain)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Make a directory and those above it."""
        plain = self._strip_protocol(path)
        if not exist_ok and self.store.exists(plain):
            raise FileExistsError(17, "File exists", plain)
        self.store.makedirs(plain)

    def rmdir(self, path: Any) -> None:
        """Remove an empty directory."""
        plain = self._strip_protocol(path)
        if self.store.listdir(plain):
            raise OSError(39, "Directory not empty", plain)
        self.store.rmtree(plain)

    def rm_file(self, path: Any) -> None:
        """Remove a file."""
        self.store.remove(self._strip_protocol(path))

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, and with ``recursive`` directories; patterns are expanded."""
        for one in self.expand_path(path, recursive=False):
            if self.store.isdir(one):
                if not recursive or maxdepth is not None:
                    raise IsADirectoryError(21, "A directory", one)
                self.store.rmtree(one)
            else:
                self.store.remove(one)

    def modified(self, path: Any) -> Any:
        """When a file was written, with its time zone."""
        return self.store.stat(self._strip_protocol(path)).modified
