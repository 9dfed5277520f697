"""Render a manifest into a Terraform root: first as pure data, then onto the disk.

Only validated names and literals of our own reach HCL. Everything a user wrote travels in
``terraform.tfvars.json``: text in it is data to Terraform, ``${…}`` included.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from provisioner.assets import module_files, templates_root
from provisioner.backends import StatePlace, place_of
from provisioner.catalog import PROVIDERS, Provider
from provisioner.errors import InputError
from provisioner.hcl import quote
from provisioner.manifest import Manifest
from provisioner.output_files import make_folder
from stacks.state.files import make_private_folder, write_private

BACKEND_FILE = "backend.tf"
"""In a root whose state lies elsewhere: the block that says where."""

MACHINE_VARIABLES = "machine.auto.tfvars.json"
"""Beside the rendering, in a workspace: the variables that only this machine knows."""

LEFT_BEHIND = "left-behind.tf"
"""Likewise: the provider configurations that only the state needs, see :mod:`provisioner.left_behind`."""


def render(manifest: Manifest) -> dict[str, str]:
    """The Terraform root of ``manifest`` as ``{relative path: text}``.

    Pure: the same manifest gives the same bytes on every machine, at any time.
    """
    provider = PROVIDERS[manifest.provider]
    files = {
        "main.tf": _root(manifest, provider),
        "terraform.tfvars.json": json.dumps(
            provider.variables(manifest), indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n",
    }
    place = place_of(manifest)
    if place is not None:
        files[BACKEND_FILE] = _backend(place)
    for folder in provider.module_folders(manifest):
        for name, text in module_files(folder).items():
            files[f"modules/{folder}/{name}"] = text
    return files


def _root(manifest: Manifest, provider: Provider) -> str:
    roles = provider.identities(manifest)
    return _template(provider.template).render(
        stores=sorted(manifest.artifact_stores, key=lambda store: store.name),
        roles=sorted(roles, key=lambda connector: connector.name),
        default_trust=any(not connector.trusted_principals for connector in roles),
        **provider.template_facts(manifest),
    )


def render_left_behind(manifest: Manifest, aliases: Collection[str]) -> str:
    """The provider configurations among ``aliases`` that the root of ``manifest`` lacks; empty for none."""
    provider = PROVIDERS[manifest.provider]
    left = provider.left_behind(manifest, aliases)
    if not left:
        return ""
    return _template(provider.left_behind_template).render(left=left, **provider.template_facts(manifest))


def _backend(place: StatePlace) -> str:
    """In a file of its own: a backend takes no variables, and a root without one stays as it is."""
    return _template("backend.tf.j2").render(
        backend=place.backend.name,
        minimum=".".join(map(str, (*place.backend.minimum, 0))),
        width=max(map(len, place.arguments)),
        arguments=[(name, _literal(value)) for name, value in sorted(place.arguments.items())],
    )


def _literal(value: Any) -> str:
    """A switch, a text or a map of texts as HCL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    return "{ " + ", ".join(f"{name} = {_literal(item)}" for name, item in sorted(value.items())) + " }"


def _template(name: str) -> jinja2.Template:
    return _templates(templates_root()).get_template(name)


@cache
def _templates(root: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  # HCL, not HTML; `quote` is the one way for text to get in
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quote"] = quote
    return environment


# --- onto the disk ------------------------------------------------------------------------------------


def write_rendering(files: Mapping[str, str], target: Path, *, private: bool) -> list[str]:
    """Make ``target`` hold exactly ``files``; returns the paths that changed.

    ``private`` writes them for this user alone, as in a workspace; otherwise as a file to be committed.
    Rendered files that are no longer part of it are deleted; Terraform's own files are left alone. Raises
    :class:`InputError` for a path that leads outside ``target``, and OSError.
    """
    make_folder(target)
    root = target.resolve()
    changed = sorted({*differing(files, root), *(_strangers(files, root) if private else ())})
    for name in changed:
        path = root / name
        if not path.resolve().is_relative_to(root):
            raise InputError(f"{name} leads outside of {target}", hint="remove the symbolic link there")
        if name in files:
            content = files[name].encode()
            if private:
                make_private_folder(path.parent)
                write_private(path, content)
            else:
                make_folder(path.parent)
                path.write_bytes(content)
        else:
            path.unlink()
    return changed


def differing(files: Mapping[str, str], target: Path) -> list[str]:
    """The paths at which ``target`` is not what ``files`` says: missing, other, or no longer rendered."""
    other = [
        name
        for name, text in files.items()
        if not (target / name).is_file() or (target / name).read_bytes() != text.encode()
    ]
    ours = {folder for provider in PROVIDERS.values() for folder in provider.modules.values()}
    present = {"main.tf", "terraform.tfvars.json", BACKEND_FILE} | {
        path.relative_to(target).as_posix()
        for folder in ours
        for path in (target / "modules" / folder).glob("*.tf")
    }
    return sorted([*other, *(name for name in present - set(files) if (target / name).is_file())])


def _strangers(files: Mapping[str, str], root: Path) -> list[str]:
    """What Terraform would read beside the rendering: in a workspace, nothing but ours is configuration."""
    read = (
        path for pattern in ("*.tf", "*.tf.json", "*.tfvars", "*.tfvars.json") for path in root.glob(pattern)
    )
    beside = {MACHINE_VARIABLES, LEFT_BEHIND}
    return [path.name for path in read if path.name not in files and path.name not in beside]
