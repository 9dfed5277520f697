"""`provision graph`: the stack as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli.options import existing_file, format_option, set_option


@click.command()
@click.argument("file", callback=existing_file)
@set_option
@format_option("mermaid", "svg")
def graph(file: str, overrides: tuple[str, ...], form: str) -> None:
    """The stack as a picture: who may use it, through what, and what was there before (dashed)."""
    from provisioner.graph import graph_of, mermaid, svg
    from provisioner.manifest import load_manifest

    picture = graph_of(load_manifest(Path(file), overrides).manifest)
    click.echo(mermaid(picture) if form == "mermaid" else svg(picture), nl=False)
