"""From a file to a manifest that holds, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provisioner.errors import ManifestError, Problem
from provisioner.manifest.extends import Source, read_chain, read_text, with_broken_extends
from provisioner.manifest.models import Manifest
from provisioner.manifest.normalise import normalise
from provisioner.manifest.overrides import apply_override, parse_override
from provisioner.manifest.tree import Loc, MapNode, Mark, Node, ScalarNode, find, is_null
from provisioner.manifest.validate import validate

_HINT = "`provision schema` prints every field with its description; editors read it too"


@dataclass(frozen=True, slots=True)
class LoadedManifest:
    """A manifest and where it came from: ``sources`` are the file and what it extends, in that order.

    ``overrides`` are the options that were laid over it.
    """

    manifest: Manifest
    path: Path
    sources: tuple[Source, ...]
    overrides: tuple[str, ...] = ()
    tree: Node | None = field(default=None, repr=False, compare=False)

    def place(self, loc: Loc, *, at_key: bool = False) -> Mark:
        """Where a field stands, or the nearest around it that is written down."""
        if self.tree is None:
            return Mark(str(self.path), 0, 0)
        entry, taken = find(self.tree, loc)
        return entry.key if at_key and taken == len(loc) else entry.node.mark


def load_manifest(path: str | Path, overrides: Sequence[str] = ()) -> LoadedManifest:
    """Read a manifest, lay it over what it extends, apply ``--set`` overrides (``path=value``), and check it.

    Raises :class:`ManifestError` with every problem, by file and position, and
    :class:`~provisioner.errors.InputError` when there is no such file.
    """
    path = Path(path)
    chain = read_chain(path)
    manifest, tree = _finish(chain.tree, list(chain.problems), overrides, chain.files)
    return LoadedManifest(manifest, path, chain.sources, tuple(overrides), tree)


def parse_manifest(text: str, *, file: str = "<string>", overrides: Sequence[str] = ()) -> Manifest:
    """The same for text; it cannot extend anything, since it has no place of its own.

    Raises :class:`ManifestError`.
    """
    tree, problems = read_text(text.encode("utf-8", "surrogatepass"), file)
    entry = tree.entries.get("extends") if isinstance(tree, MapNode) else None
    if entry is not None and isinstance(entry.node, ScalarNode) and not is_null(entry.node):
        problems.append(Problem(*entry.key, "extends", "only a file can extend another one"))
        tree = with_broken_extends(tree) if tree is not None else None
    return _finish(tree, problems, overrides, (file,))[0]


def _finish(
    tree: Node | None, problems: list[Problem], overrides: Sequence[str], files: Sequence[str]
) -> tuple[Manifest, Node]:
    for option in overrides:
        override, wrongs = parse_override(option)
        problems += wrongs
        if override is not None and tree is not None:
            tree, wrongs = apply_override(tree, override)
            problems += wrongs
    manifest = None
    if tree is not None:
        manifest, wrongs = validate(tree)
        problems += wrongs
    if problems or manifest is None or tree is None:
        raise ManifestError(_in_order(problems, files), hint=_HINT)
    return normalise(manifest), tree


def _in_order(problems: list[Problem], files: Sequence[str]) -> list[Problem]:
    """By file, then by position; options come last, as they are read last."""
    order = {file: index for index, file in enumerate(files)}
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda p: (order.get(p.file, len(order)), p.line, p.column, p.path))
