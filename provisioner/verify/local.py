"""The local disk: directories instead of buckets."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from provisioner.errors import UpstreamError
from provisioner.journal import Intent
from provisioner.manifest import ArtifactStore, Manifest
from provisioner.verify.base import Contents, Orphans, Places

_EXAMPLES = 3
_COUNTED = 10_000
_MODE = 0o700


class LocalDisk:
    """The directories of one manifest."""

    def __init__(self, manifest: Manifest, places: Places) -> None:
        self._manifest = manifest
        self._places = places

    def directory(self, store: ArtifactStore) -> Path:
        """Where a store lies: as the manifest says, from its own folder on, else below the state's home."""
        if store.bucket is None:
            first_name = store.renamed_from or store.name
            return self._places.home / "local_stores" / self._manifest.name / first_name
        base = Path(os.path.normpath(self._places.manifest / store.bucket))
        return base / store.prefix if store.prefix else base

    @property
    def bucket_resource(self) -> str:
        """The directory itself."""
        return "terraform_data.directory"

    def bucket_name(self, attributes: Mapping[str, Any], *, tainted: bool = False) -> str | None:
        """The directory; a state says the type of what may be anything beside its value.

        None for one whose provisioner failed: it was refused, and Terraform runs no other on it.
        """
        given = attributes["input"]
        return None if tainted else str(given.get("value", given)["path"])

    def adopted(self) -> dict[str, str]:
        """Those with ``existing: true``."""
        return {
            str(self.directory(store)): store.name
            for store in self._manifest.artifact_stores
            if store.existing
        }

    def credentials_end_within(self, seconds: int) -> bool:  # noqa: ARG002  # the protocol's signature
        """A disk needs no credentials."""
        return False

    def account(self) -> str | None:
        """There is no account on a disk."""
        return None

    def machine_variables(self) -> dict[str, Any]:
        """The absolute directory of each store."""
        return {
            "directories": {
                store.name: str(self.directory(store)) for store in self._manifest.artifact_stores
            }
        }

    def identifiers(self, account: str | None) -> dict[str, str]:  # noqa: ARG002  # the protocol's signature
        """Nothing needs one: an empty directory that a cut-off run left is simply used."""
        return {}

    def repairs(self) -> list[str]:
        """The permissions of every directory that has gone or stands open."""
        return [
            f"module.store_{store.name}.terraform_data.permissions[0]"
            for store in self._manifest.artifact_stores
            if not store.existing and self._deviation(store) is not None
        ]

    def deviations(self) -> list[str]:
        """Directories that have gone, are none, or stand open to others."""
        found = ((store, self._deviation(store)) for store in self._manifest.artifact_stores)
        return [f"{store.name}: {problem}" for store, problem in found if problem is not None]

    def contents(self, bucket: str) -> Contents:
        """The files below a directory; where there are none, the directories in it, which keep it, too."""
        root = Path(bucket)
        entries = list(islice(_files(root), _COUNTED + 1)) or list(islice(root.rglob("*"), _COUNTED + 1))
        names = tuple(path.relative_to(root).as_posix() for path in entries[:_EXAMPLES])
        return Contents(min(len(entries), _COUNTED), 0, names, more=len(entries) > _COUNTED)

    def empty(self, bucket: str, prefix: str = "") -> None:
        """Delete everything below a directory, but not the directory."""
        root = Path(bucket, prefix)
        for entry in root.iterdir() if root.is_dir() else ():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def discard(self, bucket: str) -> None:
        """Remove the directory: a destroy provisioner runs only while its module is in the root."""
        try:
            Path(bucket).rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            raise UpstreamError(
                f"{bucket} could not be removed: {error.strerror}", hint="look at what is in it"
            ) from error

    def orphans(
        self,
        intents: Sequence[Intent],  # noqa: ARG002  # the protocol's signature
        since: datetime,  # noqa: ARG002  # the protocol's signature
    ) -> Orphans:
        """None: see :meth:`identifiers`."""
        return Orphans()

    def _deviation(self, store: ArtifactStore) -> str | None:
        directory = self.directory(store)
        try:
            mode = directory.stat().st_mode
        except FileNotFoundError:
            return f"{directory} is missing"
        if not stat.S_ISDIR(mode):
            return f"{directory} is not a directory"
        if not store.existing and stat.S_IMODE(mode) != _MODE:
            return f"{directory} has mode {stat.S_IMODE(mode):04o} instead of {_MODE:04o}"
        return None


def _files(root: Path) -> Iterator[Path]:
    """Everything below ``root`` that is no directory; a link to one is not one."""
    return (path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())


def connect(manifest: Manifest, places: Places) -> LocalDisk:
    """The disk, as this manifest uses it."""
    return LocalDisk(manifest, places)
