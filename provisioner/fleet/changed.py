"""Which stacks a change in git touches: their manifests, what these extend, and the product's own modules."""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.assets import assets_root
from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.manifest import LoadedManifest, Manifest, load_manifest
from provisioner.manifest.extends import MAX_CHAIN, read_text
from provisioner.manifest.tree import MapNode, ScalarNode, is_null
from provisioner.policy.load import find_policy

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The ``stacks`` whose inputs changed, how many did not, and the stacks that no manifest names now."""

    stacks: tuple[LoadedManifest, ...]
    unchanged: int
    gone: tuple[str, ...]
    """A sentence for each stack that the revision had and that is no longer in any of the manifests."""


def changed_since(revision: str, stacks: Sequence[LoadedManifest], places: Sequence[Path]) -> Chosen:
    """The stacks that are other than at the point where ``revision`` and the present parted.

    What is not committed yet counts as changed. ``places`` are where the stacks were looked for. Raises
    :class:`InputError` outside a repository, without git, and for a revision that is not there.
    """
    git = _Git.at(places[0] if places[0].is_dir() else places[0].parent)
    base = git.merge_base(revision)
    changed = git.changed_since(base)
    chosen = [loaded for loaded in stacks if changed & _inputs(loaded, git)]
    present = {loaded.manifest.name: loaded.path for loaded in stacks}
    return Chosen(tuple(chosen), len(stacks) - len(chosen), tuple(_gone(git, base, changed, places, present)))


def manifest_at(revision: str, loaded: LoadedManifest) -> Manifest | None:
    """The manifest of a stack as it was where ``revision`` and the present parted, wherever it lay then.

    None where there was none yet, and for one that does not hold. Raises :class:`InputError` as
    :func:`changed_since` does.
    """
    git = _Git.at(loaded.path.parent)
    base = git.merge_base(revision)
    stack, here = loaded.manifest.name, git.inside(loaded.path)
    former = _former(git, base, here, loaded) if here is not None else None
    if former is not None and former.name == stack:
        return former
    # Moved to another path, it is still the same stack: nothing of it may look new because of that.
    for text in (stack, "extends"):  # a file may have its name from one that it extends
        names = [name for name in git.files_with(base, text) if name.endswith(_SUFFIXES) and name != here]
        # Where one is copied rather than moved, that of the file which is gone is the one that went on.
        for name in sorted(names, key=lambda name: ((git.top / name).is_file(), name)):
            former = _former(git, base, name, loaded)
            if former is not None and former.name == stack:
                return former
    return None


def _former(git: _Git, commit: str, name: str, loaded: LoadedManifest) -> Manifest | None:
    """The manifest in one file as of a commit, with today's options; None for one that does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            for place, raw in git.chain_at(commit, name):
                target = Path(folder, place)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(raw)
            return load_manifest(Path(folder, name), loaded.overrides).manifest
        except InputError:
            return None


def _inputs(loaded: LoadedManifest, git: _Git) -> set[str]:
    """The files that decide what is rendered, as far as they lie in the repository; folders end in ``/``."""
    provider = PROVIDERS[loaded.manifest.provider]
    assets = assets_root()
    files = [Path(source.path) for source in loaded.sources]
    files.append(assets / "templates" / provider.template)
    policy = find_policy(loaded.path.parent)
    if policy is not None:
        files.append(policy)
    inputs = {name for name in (git.inside(path) for path in files) if name is not None}
    for module in provider.modules.values():
        folder = git.inside(assets / "modules" / module)
        if folder is not None:
            inputs |= {name for name in git.tracked if name.startswith(f"{folder}/")}
    return inputs


def _gone(
    git: _Git, base: str, changed: set[str], places: Sequence[Path], present: dict[str, Path]
) -> list[str]:
    sentences = []
    roots = [name for name in (git.inside(place) for place in places) if name is not None]
    for name in sorted(changed):
        if not name.endswith(_SUFFIXES) or not any(_below(name, root) for root in roots):
            continue
        stack = git.stack_at(base, name)
        if stack is None or stack in present:
            continue
        here = (git.top / name).exists()
        happened = "has another name now" if here else "is deleted"
        sentences.append(
            f"{name} {happened}, and no manifest names the stack {stack!r} any more: "
            f"what it made stays until you run: provision destroy {stack}"
        )
    return sentences


def _below(name: str, root: str) -> bool:
    return root in {".", name} or name.startswith(f"{root}/")


@dataclass(frozen=True)
class _Git:
    """One repository; ``top`` is its work tree. Paths are relative to it, with ``/``."""

    top: Path
    tracked: frozenset[str]

    @classmethod
    def at(cls, folder: Path) -> _Git:
        if shutil.which("git") is None:
            raise InputError("--changed-since needs git, which is not on PATH", hint="install git")
        top = Path(_run(folder, "rev-parse", "--show-toplevel").strip())
        return cls(top, frozenset(_names(_run(top, "ls-files", "-z"))))

    def merge_base(self, revision: str) -> str:
        if revision.startswith("-"):
            raise InputError(f"{revision!r} is no revision", hint="name a branch, a tag or a commit")
        _run(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return _run(self.top, "merge-base", revision, "HEAD").strip()

    def changed_since(self, base: str) -> set[str]:
        """Committed, staged, edited and new: all that the work tree has other than ``base``."""
        differing = _run(self.top, "diff", "--name-only", "--no-renames", "-z", base)
        new = _run(self.top, "ls-files", "--others", "--exclude-standard", "-z")
        return {*_names(differing), *_names(new)}

    def inside(self, path: Path) -> str | None:
        """The path as git has it; None for one outside."""
        real, top = Path(os.path.realpath(path)), Path(os.path.realpath(self.top))
        return real.relative_to(top).as_posix() if real.is_relative_to(top) else None

    def chain_at(self, commit: str, name: str) -> Iterator[tuple[str, bytes]]:
        """A manifest as of a commit, and what it extends: each file's path, and its bytes."""
        for _ in range(MAX_CHAIN):
            raw = _run(self.top, "show", f"{commit}:{name}").encode("utf-8", "surrogateescape")
            yield name, raw
            tree, _ = read_text(raw, name)
            entry = tree.entries.get("extends") if isinstance(tree, MapNode) else None
            if entry is None or not isinstance(entry.node, ScalarNode) or is_null(entry.node):
                return
            name = posixpath.normpath(posixpath.join(posixpath.dirname(name), entry.node.value))
            if name.startswith(("../", "/")):
                return

    def files_with(self, commit: str, text: str) -> list[str]:
        """The files of a commit that have this text in them."""
        found = _run(self.top, "grep", "-lzaF", "-e", text, commit, "--", nothing=1)
        return [name.removeprefix(f"{commit}:") for name in _names(found)]

    def stack_at(self, commit: str, name: str) -> str | None:
        """The name of the stack that a file was the manifest of; None where it was none."""
        try:
            raw = _run(self.top, "show", f"{commit}:{name}").encode()
        except InputError:
            return None  # it is new
        tree, _ = read_text(raw, name)
        if not isinstance(tree, MapNode) or not {"provider", "artifact_stores", "extends"} & set(
            tree.entries
        ):
            return None
        entry = tree.entries.get("name")
        return str(entry.node.value) if entry is not None and isinstance(entry.node, ScalarNode) else None


def _names(listing: str) -> list[str]:
    return [name for name in listing.split("\0") if name]


def _run(folder: Path, *words: str, nothing: int = 0) -> str:
    """What git says; ``nothing`` is the exit code with which it says that there is nothing to say."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words],  # noqa: S607  # the user's own git, as their shell would find it
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode not in {0, nothing}:
        said = done.stderr.decode(errors="replace").strip() or f"git {words[0]} found nothing"
        raise InputError(
            f"--changed-since: {said}",
            hint="name a revision that this clone has; a CI checkout needs the whole history "
            "(fetch-depth: 0)",
        )
    return done.stdout.decode("utf-8", "surrogateescape")
