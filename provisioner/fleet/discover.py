"""Which stacks a folder holds.

Every YAML file that looks like a manifest is one, and has to be right: a stack with a mistake in it is
reported and never skipped. What only lends its fields to others is none: a file that other manifests extend
and that lacks what a stack must have, and everything whose name begins with ``_`` or ``.``. Folders that may
not be read are somebody else's, such as a file system's lost+found: they are named, and passed over.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import InputError
from provisioner.manifest.extends import Chain, read_chain, read_file
from provisioner.manifest.tree import MapNode

_SUFFIXES = (".yaml", ".yml")
_NEVER = frozenset({"__pycache__", "node_modules", "venv"})
_RENDERED = ("main.tf", "terraform.tfvars.json")
_REQUIRED = ("version", "name", "provider", "artifact_stores")  # models.Manifest: those without a default

# What says that a file is meant as a manifest, even one that cannot be parsed: one of these at its top level.
_MEANT = re.compile(r"""^["']?(provider|artifact_stores|extends)["']?\s*:""", re.MULTILINE)
_MEANT_FLOW = re.compile(r"""["']?(artifact_stores|extends)["']?\s*:""")


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in the given places: the ``stacks``, and the ``bases`` that are none, with the reason.

    ``unread`` are the folders in them that may not be read, with the reason, too.
    """

    stacks: tuple[Path, ...]
    bases: tuple[tuple[Path, str], ...]
    unread: tuple[tuple[Path, str], ...] = ()


def discover(places: Sequence[Path]) -> Found:
    """The manifests in ``places``, folders and files: each once, in the order of their paths.

    A file that is named itself is a stack, whatever it looks like. Raises :class:`InputError` for a place
    that is not there or may not be read, and for folders in which no stack lies.
    """
    named = [place for place in places if not place.is_dir()]
    folders = [place for place in places if place.is_dir()]
    for place in named:
        if not place.is_file():
            raise InputError(
                f"{place} is neither a file nor a folder",
                hint="name a stack manifest or a folder of them; `provision init` writes one",
            )
    unread: dict[Path, str] = {}
    candidates = [path for folder in folders for path in _manifests(folder, unread)]
    for folder in folders:
        if folder in unread:
            raise InputError(
                f"{folder} cannot be read: {unread[folder]}", hint="check its owner and its mode"
            )
    bases = _bases(candidates)
    chosen = [*named, *(path for path in candidates if path not in bases)]
    if not chosen:
        where = ", ".join(str(folder) for folder in folders)
        closed = ", ".join(f"{folder} ({why})" for folder, why in unread.items())
        raise InputError(
            f"no stack manifest lies in {where}",
            hint="a manifest is a .yaml or .yml file with `provider` or `extends`; names that begin with "
            "`_` or `.` are passed over" + (f", and so is what cannot be read: {closed}" if closed else ""),
        )
    unique = {os.path.realpath(path): path for path in reversed(chosen)}
    return Found(tuple(sorted(unique.values())), tuple(bases.items()), tuple(unread.items()))


def _manifests(folder: Path, unread: dict[Path, str]) -> Iterator[Path]:
    """The manifests in ``folder``; which folders in it cannot be read is noted, with the reason."""

    def note(error: OSError) -> None:
        unread[Path(error.filename)] = error.strerror or type(error).__name__

    for directory, folders, files in os.walk(folder, onerror=note):
        here = Path(directory)
        folders[:] = sorted(name for name in folders if not _passed_over(here / name, unread))
        for name in sorted(files):
            if name.endswith(_SUFFIXES) and not name.startswith(("_", ".")) and _is_meant(here / name):
                yield here / name


def _passed_over(folder: Path, unread: dict[Path, str]) -> bool:
    """Hidden and marked folders, what Terraform, Python and npm left, a rendering, what is closed to us."""
    if folder.name.startswith(("_", ".")) or folder.name in _NEVER:
        return True
    try:
        return all(_is_file(folder / name) for name in _RENDERED) or _is_file(folder / "pyvenv.cfg")
    except OSError as error:
        unread[folder] = error.strerror or type(error).__name__
        return True


def _is_file(path: Path) -> bool:
    """Path.is_file, which in some versions of Python hides that it may not look, and in others does not."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:  # a symbolic link that leads to itself
            return False
        raise


def _is_meant(path: Path) -> bool:
    """Whether a file means to be a manifest.

    Raises :class:`InputError` for one that cannot be read: it may be one.
    """
    text = read_file(path).decode("utf-8-sig", errors="replace")
    flow = text.lstrip().startswith("{")
    return bool((_MEANT_FLOW if flow else _MEANT).search(text))


def _bases(candidates: Sequence[Path]) -> dict[Path, str]:
    """The candidates that only lend their fields to others, each with whom it lends them to."""
    chains = {path: read_chain(path) for path in candidates}
    lenders: dict[str, list[Path]] = {}
    for path, chain in chains.items():
        for source in chain.sources[1:]:
            lenders.setdefault(os.path.realpath(source.path), []).append(path)
    bases = {}
    for path, chain in chains.items():
        borrowers = lenders.get(os.path.realpath(path), [])
        if borrowers and _lacks(chain):
            lacking = ", ".join(f"`{field}`" for field in _lacks(chain))
            bases[path] = f"no stack of its own: it has no {lacking}, and {borrowers[0]} extends it"
    return bases


def _lacks(chain: Chain) -> list[str]:
    tree = chain.tree
    return [name for name in _REQUIRED if not isinstance(tree, MapNode) or name not in tree.entries]
