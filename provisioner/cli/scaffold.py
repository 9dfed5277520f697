"""`provision init`."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.catalog import PROVIDERS


@click.command()
@click.argument("directory", default=".", metavar="[DIR]")
@click.option("--provider", type=click.Choice([*PROVIDERS]), required=True, help="Where the stack will live.")
@click.option("--region", metavar="REGION", help="The region to start with.")
def init(directory: str, provider: str, region: str | None) -> int:
    """Scaffold a manifest, a .gitignore and a place for the state."""
    from provisioner.scaffold import scaffold

    for path in scaffold(Path(directory), provider, region=region):
        click.echo(f"wrote {path}")
    click.echo(f"next: provision plan {Path(directory) / 'stack.yaml'}")
    return 0
