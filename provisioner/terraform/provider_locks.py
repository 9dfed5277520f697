"""One choice of provider versions for all stacks that ask for the same ones.

Without a lock file, ``terraform init`` takes nothing from the shared plugin cache on trust: it puts the
provider there anew, and for that moment it is missing for every other stack that is being planned or applied.
With the lock file that another stack got for the same requirements the cache is only read, and all stacks of
a machine run the same providers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stacks.state.files import make_private_folder, read_private, write_private

NAME = ".terraform.lock.hcl"

_REQUIRED = re.compile(r"required_providers\s*\{(?:[^{}]|\{[^{}]*\})*\}")
_LOCKED = re.compile(r'^provider "([^"]+)" \{\s*version\s*=\s*"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ProviderLocks:
    """The lock files that inits have left in ``folder``, by what they were asked for.

    ``cache`` is Terraform's plugin cache, ``facts`` what else decides which providers are installed: the
    engine, where they come from. To be used by one init at a time.
    """

    folder: Path
    cache: Path
    facts: tuple[str, ...]

    def seed(self, root: Path) -> None:
        """Give a root that has no lock file the one of others with its requirements.

        Only when all it names is in the cache: then nothing has to be had from anywhere.
        """
        known = None if (root / NAME).exists() else read_private(self._place(root))
        if known is not None and all(self._cached(*found) for found in _LOCKED.findall(known.decode())):
            write_private(root / NAME, known)

    def keep(self, root: Path) -> None:
        """Remember the lock file of a root that was initialised, for those that come later."""
        found = read_private(root / NAME)
        place = self._place(root)
        if found is not None and read_private(place) != found:
            make_private_folder(self.folder)
            write_private(place, found)

    def _cached(self, provider: str, version: str) -> bool:
        packages = (self.cache / provider / version).glob("*")
        return any(package.exists() for package in packages)  # a link whose mirror has gone does not count

    def _place(self, root: Path) -> Path:
        text = "\n".join([*self.facts, *sorted(set(_requirements(root)))])
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.hcl"


def _requirements(root: Path) -> Iterable[str]:
    """What the root and its modules ask for, without the white space that says nothing."""
    for path in root.rglob("*.tf"):
        for block in _REQUIRED.findall(path.read_text(encoding="utf-8")):
            yield re.sub(r"\s+", " ", block)
