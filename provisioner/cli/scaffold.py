"""`provision init`."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.catalog import PROVIDERS
from provisioner.cli.options import tell_unread
from provisioner.errors import InputError


@click.command()
@click.argument("directory", default=".", metavar="[DIR]")
@click.option("--provider", type=click.Choice([*PROVIDERS]), help="Where the stack will live.")
@click.option("--region", metavar="REGION", help="The region to start with.")
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab"]),
    help="Also write pipelines that plan in a pull request and apply that plan on merge.",
)
def init(directory: str, provider: str | None, region: str | None, ci: str | None) -> int:
    """Scaffold a manifest, a .gitignore and a place for the state; with --ci, pipelines for what is there."""
    from provisioner.scaffold import scaffold

    folder = Path(directory)
    if provider is None and ci is None:
        raise InputError("where will the stack live?", hint=f"--provider {'|'.join(PROVIDERS)}")
    written = scaffold(folder, provider, region=region) if provider is not None else []
    if ci is not None:
        written += _pipelines(folder, ci)
    for path in written:
        click.echo(f"wrote {path}")
    if provider is not None:
        click.echo(f"next: provision plan {folder / 'stack.yaml'}")
    if ci is not None:
        click.echo("next: set what the comments at the top of the pipeline name, and commit it")
    return 0


def _pipelines(folder: Path, system: str) -> list[Path]:
    """The files of a CI system for the stacks that lie in ``folder``."""
    from provisioner.ci import ci_files, repository_of, write_ci
    from provisioner.fleet.discover import discover
    from provisioner.manifest import load_manifest

    found = tell_unread(discover([folder]))
    loaded = [load_manifest(path) for path in found.stacks]
    providers = {one.manifest.provider for one in loaded}
    repository = repository_of(folder)
    stacks = folder.resolve().relative_to(repository).as_posix()
    read = {source.path.resolve() for one in loaded for source in one.sources}
    outside = [
        path.relative_to(repository).as_posix()
        for path in read
        if path.is_relative_to(repository) and not path.is_relative_to(folder.resolve())
    ]
    here = Path.cwd()
    written = write_ci(ci_files(system, stacks=stacks, providers=providers, outside=outside), repository)
    return [path.relative_to(here) if path.is_relative_to(here) else path for path in written]
