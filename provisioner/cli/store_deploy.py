"""`provision artifact-store deploy` and `destroy`: single stores, made and torn down with Terraform."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from provisioner.catalog import by_flavor
from provisioner.cli.fields import ANYTHING, free_arguments, parse
from provisioner.cli.options import engine_options, say, state_file, yes_option
from provisioner.errors import InputError, ManifestError


@click.command(context_settings=ANYTHING)
@free_arguments("[NAME] [--key=value]...")
@click.option("-f", "--flavor", required=True, help="local, s3, gcp or azure.")
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
    Without NAME a random one is taken; region and account come from the cloud's own environment variables.
    """
    from provisioner.cli.apply import apply_one
    from provisioner.cli.running import make_engine
    from provisioner.deploy import random_name, stack_name, store_manifest
    from provisioner.manifest import dump_manifest, load_manifest, parse_manifest
    from stacks.state.files import make_private_folder, write_private

    given = parse(arguments)
    given.at_most(1)
    name = given.names[0] if given.names else random_name()
    text = dump_manifest(
        store_manifest(name, flavor, {**_from_environment(flavor, given.fields), **given.fields})
    )
    try:
        parse_manifest(text, file=f"deploy {name}")
    except ManifestError as error:
        # The user wrote options, not a manifest: problems are told by the option's name.
        problems = (f"--{problem.path.rpartition('.')[2]}: {problem.message}" for problem in error.problems)
        raise InputError(
            "\n".join(problems),
            hint="give it as --key=VALUE; region and account also as the cloud's own variables",
        ) from error
    engine = make_engine(terraform, lock_timeout)
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


@click.command()
@click.argument("name")
@click.option("--force-nonempty", is_flag=True, help="Delete the objects and versions in the bucket, too.")
@yes_option
@engine_options
def destroy(name: str, force_nonempty: bool, yes: bool, terraform: str | None, lock_timeout: int) -> int:
    """Tear down a store that `deploy` made, then deregister it."""
    from provisioner.cli.destroy import destroy_one
    from provisioner.cli.running import load_target, make_engine
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


def _from_environment(flavor: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The fields that were not given and that the environment has; each is said."""
    provider = by_flavor(flavor)
    found: dict[str, str] = {}
    for field, variables in provider.environment.items() if provider is not None else ():
        variable = next((one for one in variables if os.environ.get(one)), None)
        if variable is not None and field not in given:
            found[field] = os.environ[variable]
            say(f"took --{field}={found[field]} from {variable}")
    return found
