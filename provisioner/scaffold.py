"""The first files of a project: a manifest, a .gitignore, and a state file of its own."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2

from provisioner.assets import templates_root
from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.output_files import reading, write_output
from stacks.state import StateFile


def scaffold(folder: Path, provider: str, *, region: str | None = None) -> list[Path]:
    """Write the first files into ``folder``; what is there already is never overwritten.

    Raises :class:`InputError` for a provider that does not exist, for a manifest that does, and for a folder
    that cannot be written to.
    """
    if provider not in PROVIDERS:
        raise InputError(f"there is no provider {provider!r}", hint=f"choose one of: {', '.join(PROVIDERS)}")
    manifest = folder / "stack.yaml"
    with reading(manifest):
        there = manifest.exists()
    if there:
        raise InputError(f"{manifest} is already there", hint="choose another folder, or edit that file")
    name = _stack_name(folder.resolve().name)
    values = {**PROVIDERS[provider].examples, "name": name, "store": f"{name.replace('-', '_')}_store"}
    if region is not None:
        values["region"] = region
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_root()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  # YAML, and every value is made of [a-z0-9_-]
        keep_trailing_newline=True,
    )
    write_output(manifest, environment.get_template(f"scaffold/{provider}.yaml.j2").render(values))
    written = [manifest]
    ignore = folder / ".gitignore"
    if not ignore.exists():
        write_output(ignore, environment.get_template("scaffold/gitignore.j2").render())
        written.append(ignore)
    state = folder / ".stacks" / "state.json"
    if StateFile(state).create():
        written.append(state)
    return written


def _stack_name(folder: str) -> str:
    """The folder's name as a stack name: lower case, dashes, at least two characters."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")[:30].rstrip("-")
    return name if re.fullmatch(r"[a-z][a-z0-9-]+", name) else "my-stack"
