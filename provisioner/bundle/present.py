"""How things are now, in the terms of a bundle's record; and in what they differ from it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.bundle.record import ManifestInputs, Record, Revision, SourceFile, StateIdentity
from provisioner.manifest import LoadedManifest

_MODULES = "modules/"
_SHORT = 12
_LOCKED = re.compile(r'^provider "([^"]+)" \{\s*\n\s*version\s*=\s*"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Present:
    """What a plan made now would be bound to, apart from the plan itself."""

    stack: str
    manifest: ManifestInputs
    rendering: Mapping[str, str]
    engine_version: str
    lock: bytes | None
    revision: Revision | None
    state: StateIdentity | None


def manifest_inputs(loaded: LoadedManifest) -> ManifestInputs:
    """The files of a manifest, named from its own folder on: another checkout has them elsewhere."""
    folder = loaded.path.parent
    return ManifestInputs(
        path=Path(os.path.relpath(loaded.path)).as_posix(),
        sources=[
            SourceFile(path=Path(os.path.relpath(source.path, folder)).as_posix(), sha256=source.sha256)
            for source in loaded.sources
        ],
        overrides=list(loaded.overrides),
    )


def locked_providers(lock: bytes | None) -> dict[str, str]:
    """The providers that a lock file names, and their versions."""
    return dict(_LOCKED.findall(lock.decode("utf-8", "replace"))) if lock else {}


def differences(record: Record, lock: bytes | None, now: Present, *, any_commit: bool = False) -> list[str]:
    """What is not as it was reviewed, each in words; nothing when the plan may be applied.

    ``lock`` is the lock file in the bundle. Without one at hand now, as on a machine that never ran this
    stack, it is the bundle's that will be used. ``any_commit`` leaves the commit out: all else is compared
    by content.
    """
    return [
        *_manifest(record, now),
        *_rendering(record, now),
        *_providers(record, lock, now),
        *_engine(record, now),
        *(() if any_commit else _revision(record, now)),
        *_state(record.state, now.state),
    ]


def _manifest(record: Record, now: Present) -> Iterator[str]:
    if record.stack != now.stack:
        yield f"the stack: the bundle is for {record.stack}, the manifest is of {now.stack}"
    reviewed = {source.path: source.sha256 for source in record.manifest.sources}
    found = {source.path: source.sha256 for source in now.manifest.sources}
    # The manifest itself may have another name; what it extends is named in it.
    itself, itself_now = record.manifest.sources[0], now.manifest.sources[0]
    if itself.sha256 != itself_now.sha256:
        yield f"the manifest: {itself_now.path} is not the file that was reviewed"
    del reviewed[itself.path], found[itself_now.path]
    for path in sorted({*reviewed, *found}):
        if reviewed.get(path) != found.get(path):
            yield f"what the manifest extends: {path} {_change(reviewed.get(path), found.get(path))}"
    if record.manifest.overrides != now.manifest.overrides:
        yield (
            f"--set: reviewed with {_options(record.manifest.overrides)}, "
            f"now with {_options(now.manifest.overrides)}"
        )


def _rendering(record: Record, now: Present) -> Iterator[str]:
    names = sorted({*record.rendering, *now.rendering})
    changed = [name for name in names if record.rendering.get(name) != now.rendering.get(name)]
    modules = [name for name in changed if name.startswith(_MODULES)]
    root = [name for name in changed if not name.startswith(_MODULES)]
    if modules:
        yield f"the modules: {', '.join(modules)} differ; reviewed with version {record.product}"
    if root:
        yield f"the rendering: {', '.join(root)} differ"


def _providers(record: Record, lock: bytes | None, now: Present) -> Iterator[str]:
    if now.lock is None or now.lock == lock:
        return
    found = locked_providers(now.lock)
    names = sorted({*record.providers, *found})
    versions = [(name, record.providers.get(name, "none"), found.get(name, "none")) for name in names]
    others = [
        f"the provider {name}: reviewed with {before}, here is {after}"
        for name, before, after in versions
        if before != after
    ]
    yield from others or ["the provider lock file: the same versions, but other packages of them"]


def _engine(record: Record, now: Present) -> Iterator[str]:
    if record.engine.version != now.engine_version:
        yield (
            f"{record.engine.program.capitalize()}: reviewed with {record.engine.version}, "
            f"here is {now.engine_version}"
        )


def _revision(record: Record, now: Present) -> Iterator[str]:
    """A merge or a squash makes a commit of its own: what counts is that it holds the same files."""
    reviewed, found = record.revision, now.revision
    if reviewed is None or (found is not None and found.tree == reviewed.tree):
        return
    here = f"here is {found.commit[:_SHORT]}, with other files" if found else "here no commit can be told"
    yield f"the commit: reviewed at {reviewed.commit[:_SHORT]}, {here}"


def _state(reviewed: StateIdentity | None, found: StateIdentity | None) -> Iterator[str]:
    if reviewed == found:
        return
    if found is None and reviewed is not None:
        yield (
            f"the state: reviewed was serial {reviewed.serial} of lineage {reviewed.lineage}, here is none. "
            "With `state.backend: local` it lies on the machine that has applied the stack"
        )
    elif reviewed is None and found is not None:
        yield f"the state: reviewed was a stack that did not exist yet, here is serial {found.serial} of one"
    elif reviewed is not None and found is not None and reviewed.lineage != found.lineage:
        yield f"the state's lineage: reviewed was {reviewed.lineage}, here is {found.lineage}"
    elif reviewed is not None and found is not None:
        yield f"the state's serial: reviewed was {reviewed.serial}, here is {found.serial}"


def _change(before: str | None, after: str | None) -> str:
    if before is None:
        return "is new"
    return "is not the file that was reviewed" if after is not None else "is gone"


def _options(overrides: list[str]) -> str:
    return " ".join(overrides) or "none"
