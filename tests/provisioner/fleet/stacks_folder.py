"""A folder of small manifests, for the tests of many stacks."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from provisioner.manifest import LoadedManifest, load_manifest

STACK = """\
version: 1
name: {name}
provider: local
artifact_stores:
  - name: {store}
    protect: false
"""


@dataclass(frozen=True)
class Folder:
    """A folder with manifests in it, which may be a git repository."""

    path: Path

    def write(self, file: str, text: str) -> Path:
        """A file with this text, in folders that are made."""
        target = self.path / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def stack(self, file: str, name: str | None = None, store: str | None = None) -> Path:
        """A stack; named after its file, and its store after that, where nothing else is said."""
        stem = Path(file).stem
        name = name or (stem if len(stem) > 1 else stem * 2)
        return self.write(file, STACK.format(name=name, store=store or f"{name.replace('-', '_')}_store"))

    def load(self, *files: str) -> list[LoadedManifest]:
        """Some of the manifests."""
        return [load_manifest(self.path / file) for file in files]

    def git(self, *words: str) -> str:
        """Run git here, as nobody in particular."""
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *who, *words], cwd=self.path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self) -> str:
        """Commit all that is here; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "something")
        return self.git("rev-parse", "HEAD")
