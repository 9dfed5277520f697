"""`provision artifact-store`: deploy and destroy single stores."""

from __future__ import annotations

import json
from typing import Any

import click

from provisioner.cli.options import engine_options, say, state_file, yes_option
from provisioner.errors import InputError

_ANYTHING = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.group(name="artifact-store", context_settings={"help_option_names": ["-h", "--help"]})
def artifact_store() -> None:
    """Deploy artifact stores, and tear them down."""


@artifact_store.command(context_settings=_ANYTHING)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[NAME] [--key=value]...")
@click.option("-f", "--flavor", required=True, help="local or s3.")
@click.option("--no-verify", is_flag=True, help="Do not try out the store afterwards.")
@yes_option
@engine_options
def deploy(
    arguments: tuple[str, ...],
    flavor: str,
    no_verify: bool,
    yes: bool,
    terraform: str | None,
    lock_timeout: int,
) -> int:
    """Write a manifest for one store, show it, and apply it.

    Every --key=value is a field of the manifest: --region, --bucket or --path, --prefix, --versioning, …
    Without NAME a random one is taken.
    """
    from provisioner.cli.lifecycle import apply_one, make_engine
    from provisioner.deploy import random_name, stack_name, store_manifest
    from provisioner.manifest import dump_manifest, load_manifest, parse_manifest
    from stacks.state.files import make_private_folder, write_private

    names, options = split_options(arguments)
    if len(names) > 1:
        raise InputError(f"one NAME at most, not {' '.join(names)}", hint="write options as --key=value")
    name = names[0] if names else random_name()
    engine = make_engine(terraform, lock_timeout)
    text = dump_manifest(store_manifest(name, flavor, options))
    parse_manifest(text, file=f"deploy {name}")
    path = state_file().home / "manifests" / f"{stack_name(name)}.yaml"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise InputError(
            f"a store named {name} has been deployed with other options: {path}",
            hint=f"edit that file and run: provision apply {path}",
        )
    say(text.rstrip())
    make_private_folder(path.parent)
    write_private(path, text.encode())
    apply_one(engine, load_manifest(path), yes=yes, verify=not no_verify)
    click.echo(f"Manifest: {path}")
    return 0


@artifact_store.command()
@click.argument("name")
@click.option("--force-nonempty", is_flag=True, help="Delete the objects and versions in the bucket, too.")
@yes_option
@engine_options
def destroy(name: str, force_nonempty: bool, yes: bool, terraform: str | None, lock_timeout: int) -> int:
    """Tear down a store that `deploy` made, then deregister it."""
    from provisioner.cli.lifecycle import destroy_one, load_target, make_engine
    from provisioner.deploy import stack_name

    engine = make_engine(terraform, lock_timeout)
    record = engine.state_file.read().artifact_stores.get(name)
    manifest = engine.state_file.home / "manifests" / f"{stack_name(name)}.yaml"
    if record is not None and record.deployment is None:
        raise InputError(
            f"{name} was registered by hand: nothing here made it, so nothing here destroys it",
            hint=f"to forget it: provision artifact-store delete {name}",
        )
    if not manifest.is_file():
        deployment = record.deployment if record is not None else None
        hint = f"it is part of the stack {deployment}: provision destroy {deployment}" if deployment else None
        raise InputError(
            f"{name} was not made by `artifact-store deploy`", hint=hint or "see: provision status"
        )
    loaded = load_target(engine, str(manifest))
    destroy_one(engine, loaded, yes=yes, force_nonempty=force_nonempty)
    manifest.unlink()
    return 0


def split_options(arguments: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Names, and the values of ``--key=value``: JSON where it is JSON of a structure, else the text itself.

    Raises :class:`InputError` for an option without a value.
    """
    names: list[str] = []
    options: dict[str, Any] = {}
    for argument in arguments:
        if not argument.startswith("-"):
            names.append(argument)
            continue
        key, separator, value = argument.lstrip("-").partition("=")
        if not separator:
            raise InputError(f"{argument} has no value", hint=f"write it as --{key}=VALUE")
        options[key.replace("-", "_")] = _value(key, value)
    return names, options


def _value(key: str, value: str) -> Any:
    if not value.startswith(("{", "[")) or value.startswith("{{"):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise InputError(f"--{key} is not valid JSON: {error}", hint=f"it was: {value}") from error
