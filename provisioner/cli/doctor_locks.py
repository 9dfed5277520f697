"""The part of `provision doctor` that is about remote states: does their lock keep a second writer out?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from provisioner import locks
from provisioner.backends import StatePlace, place_of
from provisioner.manifest import load_manifest
from provisioner.terraform.locate import locate
from provisioner.terraform.version import engine_version, version_numbers
from provisioner.workspace import Workspace
from stacks.state import StateFile

Look = Callable[[], tuple[str, str]]
"""What was found, and the fix: empty when it is in order."""


def places(files: tuple[str, ...], state_file: StateFile) -> dict[str, StatePlace]:
    """The remote states of the stacks that are known here and of these manifests, by the stack's name."""
    found: dict[str, StatePlace] = {}
    for folder in sorted((state_file.home / "workspaces").glob("*/state-place.json")):
        place = Workspace(folder.parent).state_place()
        if place is not None:
            found[folder.parent.name] = place
    for file in files:
        manifest = load_manifest(Path(file)).manifest
        wanted = place_of(manifest)
        if wanted is not None:
            found[manifest.name] = wanted
    return found


def lock_checks(place: StatePlace, terraform: str | None) -> Iterator[tuple[str, Look]]:
    """What is to be looked at for one remote state."""

    def engine() -> tuple[str, str]:
        version = engine_version(locate(terraform))
        least = ".".join(map(str, place.backend.minimum))
        old = version_numbers(version) < place.backend.minimum
        return f"{place.backend.name} with {version}", f"{least} or newer is needed to lock" if old else ""

    def probe() -> tuple[str, str]:
        wrong = locks.connect(place).probe()
        if wrong is None:
            return f"{place.location}: a second writer is kept out", ""
        return f"{place.location}: {wrong}", (
            "keep the state where locks hold (Amazon S3, Google Cloud Storage, Azure, or a newer release of "
            "this service), or let one machine alone apply this stack, with `state.backend: local`"
        )

    def holder() -> tuple[str, str]:
        held = locks.connect(place).holder()
        return f"held by {held}" if held else "free", ""

    yield "engine for the state", engine
    yield "lock", probe
    yield "holder of the lock", holder
