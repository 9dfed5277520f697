"""`provision validate`, `schema` and `render`: what needs neither cloud nor Terraform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from provisioner.cli.options import existing_file, existing_place, format_option, print_json, say, set_option
from provisioner.errors import ManifestError, Problem

_CHANGED = 2
_INVALID = 3


@click.command()
@click.argument("files", nargs=-1, required=True, callback=existing_place, metavar="FILE|FOLDER...")
@set_option
@format_option("text", "json", "github")
def validate(files: tuple[str, ...], overrides: tuple[str, ...], form: str) -> int:
    """Check manifests without cloud access, each alone and all beside each other."""
    from provisioner.fleet.clashes import clashes
    from provisioner.fleet.discover import discover
    from provisioner.manifest import load_manifest

    found = discover([Path(name) for name in files])
    problems: list[Problem] = []
    loaded = []
    for path, why in found.bases:
        say(f"{path}: {why}")
    for path in found.stacks:
        try:
            loaded.append(load_manifest(path, overrides))
        except ManifestError as error:
            problems += error.problems
    clashing = clashes(loaded)
    for item in loaded if form == "text" else ():
        if not any(problem.file == str(item.path) for problem in clashing):
            click.echo(f"{item.path}: valid")
    problems += clashing
    if form == "json":
        print_json({"valid": not problems, "problems": [_as_json(problem) for problem in problems]})
    elif form == "github":
        for problem in problems:
            click.echo(_as_annotation(problem))
    else:
        for problem in problems:
            click.echo(f"error: {problem}", err=True)
    return _INVALID if problems else 0


def _as_json(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
    }


def _as_annotation(problem: Problem) -> str:
    """A workflow command of GitHub Actions, with its own escapes."""
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    file = problem.file.replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
    return f"::error file={file},line={problem.line},col={problem.column}::{text}"


@click.command()
def schema() -> None:
    """Print the manifest's JSON Schema."""
    from provisioner.manifest import json_schema

    print_json(json_schema())


@click.command()
@click.argument("file", callback=existing_file)
@click.option("-o", "--output", metavar="DIR", help="Where to write; default: DIR named after the stack.")
@click.option("--check", is_flag=True, help="Write nothing; exit 2 when what lies there is out of date.")
@set_option
def render(file: str, output: str | None, check: bool, overrides: tuple[str, ...]) -> int:
    """Write the Terraform root of a manifest: the same bytes on every machine."""
    from provisioner.manifest import load_manifest
    from provisioner.render import differing, write_rendering
    from provisioner.render import render as render_files

    manifest = load_manifest(Path(file), overrides).manifest
    files = render_files(manifest)
    target = Path(output or manifest.name)
    if check:
        names = differing(files, target)
        for name in names:
            click.echo(f"out of date: {target / name}")
        return _CHANGED if names else 0
    names = write_rendering(files, target, private=False)
    say(f"{target}: {len(names)} of {len(files)} files written")
    return 0
