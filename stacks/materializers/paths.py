"""Files and directories as artifacts: what a ``Path`` leads to is stored, and loaded into a new folder."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from stacks.errors import DamagedArtifactError, MaterializerError
from stacks.materializers.base import BaseMaterializer
from stacks.stores.parallel import run_all

_BLOCK = 4 * 1024 * 1024


class PathMaterializer(BaseMaterializer):
    """The file, or all of the directory, at a path. Loading gives the path of a copy.

    Copies last until the process ends. A link to a file is stored as the file; one to a directory is refused,
    because it may lead anywhere, back into the directory too.
    """

    NAME: ClassVar[str | None] = "path"

    def save(self, data: Any) -> None:
        top = Path(data)
        if top.is_dir():
            files, folders = _tree(top)
        elif top.exists():
            files, folders = {"": top}, []
        else:
            raise MaterializerError(
                f"the step returned the path {data}, and nothing is there",
                hint="return the path of a file or directory that still exists when the step has ended",
            )
        name = top.resolve().name
        about: dict[str, Any] = {"kind": "directory" if top.is_dir() else "file", "name": name}
        about.update(folders=folders, files=sorted(files))
        self._numbers = {one: number for number, one in enumerate(filter(_is_odd, about["files"]))}
        if self._numbers:
            about["numbers"] = self._numbers
        self.artifact_store.write_bytes(f"{self.uri}/path.json", json.dumps(about).encode())
        workers = self.artifact_store.store.WORKERS
        run_all(self._up, sorted(files.items()), workers=workers)

    def _up(self, pair: tuple[str, Path]) -> None:
        with pair[1].open("rb") as source, self.artifact_store.open(self._place(pair[0]), "wb") as target:
            shutil.copyfileobj(source, target, _BLOCK)

    def _place(self, relative: str) -> str:
        if relative in self._numbers:
            return f"{self.uri}/numbered/{int(self._numbers[relative])}"
        return f"{self.uri}/content/{relative}" if relative else f"{self.uri}/content/file"

    def load(self, data_type: type[Any]) -> Any:  # noqa: ARG002 - there is one type
        about = json.loads(self.artifact_store.read_bytes(f"{self.uri}/path.json"))
        self._numbers = about.get("numbers", {})
        top = _scratch() / _inside(about["name"] or "root")
        if about["kind"] == "file":
            self.artifact_store.download(self._place(""), top)
            return top
        top.mkdir()
        for folder in about["folders"]:
            (top / _inside(folder)).mkdir(parents=True, exist_ok=True)

        def down(name: str) -> None:
            target = top / _inside(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.artifact_store.download(self._place(name), target)

        run_all(down, list(about["files"]), workers=self.artifact_store.store.WORKERS)
        return top

    def extract_metadata(self, data: Any) -> Mapping[str, Any]:
        return {"name": Path(data).resolve().name}


def _tree(top: Path) -> tuple[dict[str, Path], list[str]]:
    """The files below a directory by their relative names, and its folders."""
    files: dict[str, Path] = {}
    folders: list[str] = []
    for directory, names, here in os.walk(top, onerror=_fail):
        below = Path(directory).relative_to(top)
        for name in names:
            if Path(directory, name).is_symlink():
                raise MaterializerError(
                    f"{Path(directory, name)} is a link to a directory, which cannot be stored",
                    hint="put a copy of the directory there, or leave the link out",
                )
            folders.append((below / name).as_posix())
        for name in here:
            files[(below / name).as_posix()] = Path(directory, name)
    return files, sorted(folders)


def _fail(error: OSError) -> None:
    raise error


def _is_odd(name: str) -> bool:
    """Whether not every store takes this name as it is: there its file has a number instead."""
    return "\\" in name or not name.isprintable()


def _inside(name: Any) -> str:
    """A name that leads nowhere but down: records are data, and may come from anybody who can write them."""
    path = PurePosixPath(name) if isinstance(name, str) else PurePosixPath("..")
    parts = {*path.parts, *str(name).replace("\\", "/").split("/")}
    leads_on = "\\" in str(name) and os.name == "nt"
    if not path.parts or path.is_absolute() or ".." in parts or "\x00" in str(name) or leads_on:
        raise DamagedArtifactError(
            f"the record names a file {name!r}, which would lie outside of its folder",
            hint="do not use this artifact; find out who wrote it",
        )
    return str(path)


_folders: list[tuple[int, Path]] = []


def _scratch() -> Path:
    if not _folders:
        atexit.register(_clean_up)
    folder = Path(tempfile.mkdtemp(prefix="stacks-artifact-"))
    _folders.append((os.getpid(), folder))
    return folder


def _clean_up() -> None:
    for process, folder in _folders:
        if process == os.getpid():  # a forked child leaves its parent's alone
            shutil.rmtree(folder, ignore_errors=True)
