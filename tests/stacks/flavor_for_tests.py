"""A flavor of a user's own: the local disk, under another scheme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stacks.stores.local import LocalArtifactStore


class MemoArtifactStore(LocalArtifactStore):
    """``memo://NAME`` is a folder of that name in the temporary home."""

    FLAVOR = "memo"
    SUPPORTED_SCHEMES = frozenset({"memo://"})

    def __init__(self, path: Any, **config: Any) -> None:
        super().__init__(str(Path.home() / str(path).removeprefix("memo://")), **config)
        self.path = str(path)

    def _key(self, path: Any) -> str:
        return super()._key(str(Path.home() / str(path).removeprefix("memo://")))


class VaultArtifactStore(MemoArtifactStore):
    """``vault://NAME`` takes a secret whose name does not tell that it is one."""

    FLAVOR = "vault"
    SUPPORTED_SCHEMES = frozenset({"vault://"})
    CONFIG = frozenset({"combination"})
    SECRET_CONFIG = frozenset({"combination"})

    def __init__(self, path: Any, **config: Any) -> None:
        super().__init__(str(path).removeprefix("vault://"), **config)
        self.path = str(path)
