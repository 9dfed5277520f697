"""Where the git repository stands that a manifest lies in, if it lies in one."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from provisioner.bundle.record import Revision

_log = logging.getLogger(__name__)
_SECONDS = 60


def revision_of(
    folder: Path, inputs: Sequence[Path], environ: Mapping[str, str] | None = None
) -> Revision | None:
    """The commit that ``folder`` is checked out at, and which of ``inputs`` differ from it.

    None without git, outside of a repository, and before the first commit.
    """
    environ = os.environ if environ is None else environ
    program = shutil.which("git", path=environ.get("PATH"))
    if program is None:
        return None
    # A GIT_DIR of the caller's, as in a hook, would name another repository than the manifest's.
    own = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    run = _Git(program, folder, own | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"})
    heads = run("rev-parse", "HEAD^{commit}", "HEAD^{tree}")
    if heads is None:
        return None
    commit, tree = heads.split()
    paths = [os.path.relpath(path, folder) for path in inputs]
    status = run("status", "--porcelain=v1", "-z", "--untracked-files=all", "--", *paths) or ""
    dirty = sorted({line[3:] for line in status.split("\0") if len(line) > 3})
    return Revision(commit=commit, tree=tree, dirty=dirty)


class _Git:
    def __init__(self, program: str, folder: Path, environment: Mapping[str, str]) -> None:
        # A file system monitor is a program that the repository's configuration names.
        self._argv = [program, "-C", str(folder), "-c", "core.fsmonitor=false"]
        self._environment = environment

    def __call__(self, *argv: str) -> str | None:
        done = subprocess.run(
            [*self._argv, *argv],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            if "dubious ownership" in done.stderr:
                _log.warning(
                    "git does not trust this repository, so no commit is known: %s", done.stderr.strip()
                )
            return None
        return done.stdout
