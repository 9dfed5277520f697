"""The part of `provision doctor` that is about remote states: does their lock keep a second writer out?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from provisioner import locks
from provisioner.backends import StatePlace
from provisioner.terraform.locate import locate
from provisioner.terraform.version import engine_version, version_numbers

Look = Callable[[], tuple[str, str]]
"""What was found, and the fix: empty when it is in order."""


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
