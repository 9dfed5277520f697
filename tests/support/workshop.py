"""A stack on an empty store, and what another program sees in that store."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stacks import Client
from stacks.artifacts import History
from stacks.stores.base import BaseArtifactStore


@dataclass(frozen=True)
class Workshop:
    """The client, and the folder of the local store of its active stack."""

    client: Client
    root: Path

    @property
    def store(self) -> BaseArtifactStore:
        """The store of the active stack."""
        return self.client.get_artifact_store()

    @property
    def history(self) -> History:
        """Its records."""
        return self.client.history()

    def files(self, below: str = "") -> list[str]:
        """All files that are no records."""
        found = (str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())
        return sorted(one for one in found if one.startswith(below) and not one.startswith(".records"))

    def document(self, path: str) -> dict[str, Any]:
        """A JSON file of the store."""
        content: dict[str, Any] = json.loads((self.root / path).read_text())
        return content


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """An active stack on an empty local store."""
    monkeypatch.setenv("STACKS_STATE", str(tmp_path / "stacks" / "state.json"))
    client = Client()
    client.register_artifact_store("disk", "local", path=str(tmp_path / "store"))
    client.register_stack("here", "disk", activate=True)
    return Workshop(client, tmp_path / "store")


def environment() -> dict[str, str]:
    """The environment for a program of its own."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
