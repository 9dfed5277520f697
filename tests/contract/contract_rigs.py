"""The places that the contract is tested on: a flavor, a running service, a view past the library."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from stacks.stores.base import BaseArtifactStore


class Outside(Protocol):
    """What another program sees and does: never through the code under test."""

    def put(self, key: str, content: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def delete(self, key: str) -> None: ...

    def files(self) -> list[str]: ...

    def unfinished(self) -> list[str]: ...


@dataclass
class Rig:
    """One place; ``make`` builds a store of its flavor, keys are relative to ``base``."""

    name: str
    base: str
    make: Callable[..., BaseArtifactStore]
    outside: Outside
    lacks: frozenset[str] = field(default_factory=frozenset)

    def fresh(self, **config: Any) -> tuple[BaseArtifactStore, str]:
        """A store with a root that nobody used before, and that root's key below ``base``."""
        prefix = f"test-{uuid.uuid4().hex[:12]}"
        return self.make(f"{self.base}/{prefix}", **config), prefix

    def needs(self, ability: str) -> None:
        """Skip the test when the *service*, not the library, cannot do this."""
        if ability in self.lacks:
            pytest.skip(f"the service of the rig {self.name} has no {ability}")


@dataclass
class Scene:
    """A fresh store and what another program has there; keys are relative to the store's root."""

    store: BaseArtifactStore
    prefix: str
    rig: Rig

    def at(self, key: str) -> str:
        """The full path of a key."""
        return f"{self.store.path}/{key}"

    def put(self, key: str, content: bytes = b"content") -> str:
        """Written by another program."""
        self.rig.outside.put(f"{self.prefix}/{key}", content)
        return self.at(key)

    def delete(self, key: str) -> None:
        self.rig.outside.delete(f"{self.prefix}/{key}")

    def get(self, key: str) -> bytes:
        """Read by another program."""
        return self.rig.outside.get(f"{self.prefix}/{key}")

    def files(self) -> list[str]:
        """The files that another program sees, without directory markers."""
        skip = len(self.prefix) + 1
        found = [key for key in self.rig.outside.files() if key.startswith(f"{self.prefix}/")]
        return sorted(key[skip:] for key in found if not key.endswith("/"))

    def unfinished(self) -> list[str]:
        return [key for key in self.rig.outside.unfinished() if key.startswith(f"{self.prefix}/")]


class LocalOutside:
    def __init__(self, base: Path) -> None:
        self.base = base

    def put(self, key: str, content: bytes) -> None:
        file = self.base / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def get(self, key: str) -> bytes:
        return (self.base / key).read_bytes()

    def delete(self, key: str) -> None:
        (self.base / key).unlink()

    def files(self) -> list[str]:
        return sorted(str(file.relative_to(self.base)) for file in self.base.rglob("*") if file.is_file())

    def unfinished(self) -> list[str]:
        return [key for key in self.files() if ".stacks-tmp-" in key]


@contextmanager
def local_rig(folder: Path) -> Iterator[Rig]:
    from stacks.stores.local import LocalArtifactStore

    yield Rig("local", str(folder), LocalArtifactStore, LocalOutside(folder))
