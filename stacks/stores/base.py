"""The artifact store as its users see it, whatever it is made of.

A flavor is a class with ``FLAVOR``, ``SUPPORTED_SCHEMES`` and these methods. Those that come with this
package, and custom ones that want the same behaviour for nine small primitives, derive from
``stacks.stores.keyed.KeyedArtifactStore``.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import IO, TYPE_CHECKING, Any, ClassVar

from stacks.credentials import Credentials
from stacks.errors import CredentialsMissingError, MissingExtraError, StoreConfigError
from stacks.sensitive import plain_secrets
from stacks.stores.parallel import run_all
from stacks.stores.paths import is_below
from stacks.stores.types import FileStat, OnError, PathType

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped] # fsspec has no types

COPY_BLOCK = 8 * 1024 * 1024  # bytes that a copy between two stores holds in memory at a time

_in_memory: weakref.WeakValueDictionary[str, BaseArtifactStore] = weakref.WeakValueDictionary()


class BaseArtifactStore(ABC):
    """A folder of artifacts, on a disk or in a bucket.

    ``path`` is the root; every call refuses what is not inside it (``PathOutsideStoreError``). Paths are
    ``str``, ``bytes`` or ``os.PathLike``; returned paths are ``str`` and begin with ``path``. A missing
    file is a ``FileNotFoundError`` and so on; what only a service can do wrong is a ``StoreError``
    (stacks/errors.py).
    """

    FLAVOR: ClassVar[str]
    SUPPORTED_SCHEMES: ClassVar[frozenset[str]] = frozenset()
    CONFIG: ClassVar[frozenset[str]] = frozenset()
    """The configuration keys that the flavor takes, besides ``path`` and ``authentication_secret``."""
    SECRET_CONFIG: ClassVar[frozenset[str]] = frozenset()
    """Those of ``CONFIG`` that are never shown, and never pickled."""
    SECRET_KEYS: ClassVar[frozenset[str]] = frozenset()
    """The keys that a secret for this flavor may hold."""
    WORKERS: ClassVar[int] = 16
    """How many requests a call for many files has under way at once."""

    path: str
    name: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        schemes = cls.__dict__.get("SUPPORTED_SCHEMES")
        if schemes is not None:
            cls.SUPPORTED_SCHEMES = frozenset(schemes)  # the seeds' flavors declare a plain set

    def __init__(
        self,
        path: PathType,
        *,
        name: str = "",
        credentials: Callable[[], Credentials] | None = None,
        **config: Any,
    ) -> None:
        """Nothing is contacted here: a store is cheap to make, and fails when it is used.

        Raises:
            StoreConfigError: an unknown configuration key, or a root of another scheme.
        """
        unknown = sorted(set(config) - self.CONFIG)
        if unknown:
            known = ", ".join(sorted(self.CONFIG)) or "none but the path"
            raise StoreConfigError(
                f"a store of the flavor {self.FLAVOR} has no setting {', '.join(unknown)}",
                hint=f"It takes: {known}.",
                store=name or None,
            )
        self.name = name
        self.credentials = credentials
        self.config: dict[str, Any] = {key: value for key, value in config.items() if value is not None}
        self.path = self._normalise_root(path)
        self._token = uuid.uuid4().hex
        _in_memory[self._token] = self

    @classmethod
    def credentials_from_secret(
        cls,
        values: Mapping[str, str],  # noqa: ARG003 - the flavors that take a secret read it
    ) -> Callable[[], Credentials]:
        """The credentials callable for the values of a secret.

        Raises:
            StoreConfigError: the flavor takes no secret, or the values do not fit it.
        """
        raise StoreConfigError(
            f"a store of the flavor {cls.FLAVOR} takes no secret", hint="Remove authentication_secret."
        )

    @classmethod
    def settings_from_secret(cls, values: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG003 - for flavors
        """What a secret says besides credentials: configuration for where the store's own says nothing."""
        return {}

    def _secret_config(self) -> frozenset[str]:
        """The keys of ``config`` that hold a secret."""
        return self.SECRET_CONFIG

    def _normalise_root(self, path: PathType) -> str:
        """The root as ``path`` shows it: text, without a slash at the end."""
        text = path.decode() if isinstance(path, bytes) else str(path)
        return text.rstrip("/")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path!r}, name={self.name!r})"

    def __getstate__(self) -> dict[str, Any]:
        """Without secrets: a pickle is written to disks and sent to other machines.

        A credentials callable goes along only when pickle holds nothing but its name. A process that was
        forked from this one finds the rest in its memory; elsewhere the store says what to do when it is
        used.
        """
        secret = self._secret_config()
        public = {
            key: value
            for key, value in self.config.items()
            if key not in secret and not any(plain_secrets({key: value}))
        }
        named = self.credentials if _is_named_function(self.credentials) else None
        return {
            "path": self.path,
            "name": self.name,
            "config": public,
            "credentials": named,
            "token": self._token,
            "withheld": len(public) < len(self.config) or named is not self.credentials,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        config, credentials = state["config"], state["credentials"]
        if state["withheld"]:
            original = _in_memory.get(state["token"])
            if original is not None:
                config, credentials = original.config, original.credentials
            else:
                credentials = _Withheld(state["name"] or state["path"])
        type(self).__init__(self, state["path"], name=state["name"], credentials=credentials, **config)

    @abstractmethod
    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        """Open a file: ``r``, ``w``, ``x`` or ``a``, with ``b`` for bytes, else UTF-8 text.

        What is written becomes visible when the file is closed, and not at all when the ``with`` block
        raises.
        """

    @abstractmethod
    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Copy a file within the store; an existing target is refused unless ``overwrite``."""

    @abstractmethod
    def exists(self, path: PathType) -> bool:
        """Whether there is a file or a directory."""

    @abstractmethod
    def glob(self, pattern: PathType) -> list[str]:
        """The paths, in order, that match ``*``, ``?``, ``[…]`` in a name, ``**`` across directories."""

    @abstractmethod
    def isdir(self, path: PathType) -> bool:
        """Whether there is a directory."""

    @abstractmethod
    def listdir(self, path: PathType) -> list[str]:
        """The names, in order, of the files and directories in a directory."""

    @abstractmethod
    def makedirs(self, path: PathType) -> None:
        """Make a directory and those above it; one that exists is left as it is."""

    @abstractmethod
    def mkdir(self, path: PathType) -> None:
        """Make a directory; the one above it must exist, and it must not."""

    @abstractmethod
    def remove(self, path: PathType) -> None:
        """Remove a file."""

    @abstractmethod
    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Move a file or a whole directory; an existing target is refused unless ``overwrite``."""

    @abstractmethod
    def rmtree(self, path: PathType) -> None:
        """Remove a directory with all that is in it; of the root, all that is in it."""

    @abstractmethod
    def stat(self, path: PathType) -> FileStat:
        """Size, time, etag, version and kind of a file or directory."""

    @abstractmethod
    def walk(
        self, top: PathType, topdown: bool = True, onerror: OnError | None = None
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        """Like ``os.walk``: (directory, names of directories, names of files)."""

    def size(self, path: PathType) -> int:
        """The size of a file in bytes.

        Raises:
            IsADirectoryError: there is a directory.
        """
        found = self.stat(path)
        if found.is_dir:
            raise IsADirectoryError(21, f"A directory in the artifact store {self.name!r}", found.path)
        return found.size

    def scan(self, path: PathType) -> list[FileStat]:
        """The stat of everything in a directory; of a file, its own."""
        found = self.stat(path)
        if not found.is_dir:
            return [found]
        return [self.stat(f"{found.path}/{name}") for name in self.listdir(path)]

    def read_many(self, paths: Iterable[PathType]) -> list[bytes]:
        """The contents of many files, in the order of ``paths``, fetched at the same time."""
        return run_all(self._read_whole, list(paths), workers=self.WORKERS)

    def write_many(self, files: Mapping[PathType, bytes] | Iterable[tuple[PathType, bytes]]) -> None:
        """Write many files at the same time; those that were written before a failure stay."""
        pairs = list(files.items() if isinstance(files, Mapping) else files)
        run_all(self._write_whole, pairs, workers=self.WORKERS)

    def copytree(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Copy a directory within the store; existing files are refused unless ``overwrite``."""
        self.copytree_to(src, self, dst, overwrite=overwrite)

    def copy_to(
        self, src: PathType, target: BaseArtifactStore, dst: PathType, overwrite: bool = False
    ) -> None:
        """Copy a file to another store, a block at a time; no partial target is left."""
        if target is self:
            self.copyfile(src, dst, overwrite=overwrite)
            return
        here = self.place_of(src)
        if here is not None and here == target.place_of(dst):
            self.copyfile(src, src, overwrite=overwrite)  # as within one store
            return
        with self.open(src, "rb") as source, target.open(dst, "wb" if overwrite else "xb") as sink:
            shutil.copyfileobj(source, sink, COPY_BLOCK)

    def copytree_to(
        self, src: PathType, target: BaseArtifactStore, dst: PathType, overwrite: bool = False
    ) -> None:
        """Copy a directory to another store, several files at a time.

        Raises:
            FileExistsError: the target has one of the files, and ``overwrite`` was not asked for.
            OSError: the target is in the directory.
        """
        source_root, target_root = _text(src).rstrip("/"), _text(dst).rstrip("/")
        here, there = self.place_of(src), target.place_of(dst)
        if here is not None and there is not None and is_below(there, here):
            raise OSError(errno.EINVAL, "A directory cannot be copied into itself", target_root)
        if not self.isdir(source_root):
            missing = NotADirectoryError if self.exists(source_root) else FileNotFoundError
            raise missing(2, f"No directory in the artifact store {self.name!r}", source_root)
        target.makedirs(target_root)
        pairs: list[tuple[str, str]] = []
        top = None
        for directory, names, files in self._walk_to_copy(source_root):
            top = directory if top is None else top
            below = directory[len(top) :].strip("/")
            here = f"{target_root}/{below}" if below else target_root
            if not names and not files:
                target.makedirs(here)
            pairs.extend((f"{directory}/{name}", f"{here}/{name}") for name in files)

        def copy(pair: tuple[str, str]) -> None:
            self.copy_to(pair[0], target, pair[1], overwrite=overwrite)

        run_all(copy, pairs, workers=min(self.WORKERS, target.WORKERS))

    def place_of(self, path: PathType) -> str | None:  # noqa: ARG002 - for stores that can tell
        """Where a file or directory really is, so that two stores can tell whether they mean the same one.

        None where that cannot be told: of a bucket, a store knows only what it calls it.
        """
        return None

    def _walk_to_copy(self, top: PathType) -> Iterator[tuple[str, list[str], list[str]]]:
        """``walk``, as a copy takes along what it finds."""
        return self.walk(top)

    def forget_versions(self, path: PathType) -> int:  # noqa: ARG002 - for services that keep versions
        """Delete the versions that a service keeps of the deleted files in a directory; how many.

        Files that are there keep their versions. Raises StorePermissionError: not allowed.
        """
        return 0

    @property
    def fs(self) -> AbstractFileSystem:
        """An fsspec filesystem over this store, with its live credentials and its borders.

        For ``pandas.read_parquet(path, filesystem=store.fs)``, ``pyarrow.dataset`` and other users of fsspec.

        Raises:
            MissingExtraError: fsspec is not installed.
        """
        try:
            from stacks.stores.fs import StoreFileSystem
        except ImportError as error:
            raise MissingExtraError(
                "store.fs needs the package fsspec", hint="pip install 'stack-provisioner[fs]'", extra="fs"
            ) from error
        return StoreFileSystem(self)

    @property
    def storage_options(self) -> dict[str, Any]:
        """What pandas and dask take as ``storage_options`` to open this store's paths by themselves.

        They hold the credentials of this moment; ``fs`` renews them.
        """
        return {}

    def _read_whole(self, path: PathType) -> bytes:
        with self.open(path, "rb") as file:
            content: bytes = file.read()
        return content

    def _write_whole(self, pair: tuple[PathType, bytes]) -> None:
        with self.open(pair[0], "wb") as file:
            file.write(pair[1])


class _Withheld:
    """Stands for credentials that stayed in the process that pickled the store."""

    def __init__(self, store: str) -> None:
        self._store = store

    def __call__(self) -> Credentials:
        raise CredentialsMissingError(
            f"the artifact store {self._store} came from another process, without its credentials",
            hint="Get it there: stacks.Client().get_artifact_store(name).",
        )


def _is_named_function(function: object) -> bool:
    """Whether pickle writes a name, and none of the values that a closure or an object holds."""
    return isinstance(function, FunctionType) and "<" not in function.__qualname__


def _text(path: PathType) -> str:
    return os.fsdecode(path)
