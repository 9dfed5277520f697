"""What `provision init --ci` writes: pipelines that plan what is reviewed and apply what was planned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import jinja2

from provisioner import __version__
from provisioner.assets import templates_root
from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.output_files import check_output, reading, write_output

SYSTEMS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "github": MappingProxyType(
            {
                ".github/workflows/stacks.yml": "github.yml.j2",
                ".github/workflows/stacks-drift.yml": "github-drift.yml.j2",
            }
        ),
        "gitlab": MappingProxyType(
            {".gitlab-ci.yml": "gitlab-ci.yml.j2", ".gitlab/stacks.py": "gitlab.py.j2"}
        ),
    }
)
"""By system: the files of a repository, and the templates that they come from."""


def ci_files(
    system: str, *, stacks: str, providers: Iterable[str], outside: Iterable[str] = (), branch: str = "main"
) -> dict[str, str]:
    """The files of a CI system as ``{path in the repository: text}``.

    ``stacks`` is the folder of the manifests in the repository, ``.`` for all of it; ``outside`` are the
    files elsewhere in the repository that they extend.
    """
    names = sorted(set(providers))
    extras = sorted({PROVIDERS[name].extra or "" for name in names} - {""})
    paths = [*_patterns(system, stacks), *sorted(set(outside))]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_root() / "ci"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  # YAML, and the one text of a user's is quoted as JSON
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    macros = environment.get_template("macros.j2").module
    values = {
        "macros": macros,
        "stacks": json.dumps(stacks, ensure_ascii=False),
        "paths": json.dumps(paths, ensure_ascii=False),
        "providers": names,
        "branch": branch,
        "requirement": _requirement(extras),
        "requirement_with_engine": _requirement(["engine", *extras]),
    }
    return {
        path: _tidy(environment.get_template(template).render(values))
        for path, template in SYSTEMS[system].items()
    }


def write_ci(files: Mapping[str, str], repository: Path) -> list[Path]:
    """Write them; the paths. What is there already and is other is never overwritten.

    Raises :class:`InputError` that names it, or what cannot be written, before anything is written.
    """
    for name, text in files.items():
        target = repository / name
        with reading(target):
            other = target.exists() and target.read_bytes() != text.encode()
        if other:
            raise InputError(
                f"{target} is already there, and is other than what would be written",
                hint="move it away and compare the two",
            )
    targets = [repository / name for name in files]
    for target in targets:
        check_output(target)
    for target, text in zip(targets, files.values(), strict=True):
        write_output(target, text)
    return targets


def repository_of(folder: Path) -> Path:
    """The repository that ``folder`` lies in; the folder itself where it is in none."""
    folder = folder.resolve()
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)


def _patterns(system: str, stacks: str) -> Iterator[str]:
    """What a pipeline is started by: the stacks, and every policy above them.

    For GitLab a ``**`` that no slash follows crosses no folders.
    https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
    https://docs.gitlab.com/ci/yaml/#ruleschanges
    """
    if stacks == ".":
        yield from ("**.yaml", "**.yml") if system == "github" else ("**/*.yaml", "**/*.yml")
        return
    yield f"{stacks}/**" if system == "github" else f"{stacks}/**/*"
    for parent in PurePosixPath(stacks).parents:
        yield str(parent / "policy.yaml")


def _requirement(extras: Sequence[str]) -> str:
    """This version, with the extras that the providers need."""
    chosen = f"[{','.join(extras)}]" if extras else ""
    return f"stack-provisioner{chosen}=={__version__}"


def _tidy(text: str) -> str:
    """Without the runs of empty lines that parts which are left out leave behind."""
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text
