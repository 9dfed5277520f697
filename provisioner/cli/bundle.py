"""`provision bundle`: keys for signing, and what a bundle holds."""

from __future__ import annotations

import os
from pathlib import Path

import click

from provisioner.cli.bundles import bundle_paths, read_public_key_option
from provisioner.cli.options import format_option, print_json, say
from provisioner.output_files import writing


@click.group()
def bundle() -> None:
    """Saved plans that can be reviewed, signed and applied elsewhere."""


@bundle.command()
@click.argument("file", metavar="FILE")
def keygen(file: str) -> None:
    """Make a key to sign bundles with: the private one in FILE, the public one is printed."""
    from provisioner.bundle.signing import new_key

    private, public = new_key()
    with writing(Path(file)):
        # O_EXCL: a key that is there may be the only one, and it follows no symbolic link.
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as target:
            target.write(private)
    say(f"{file}: the private key; whoever has it can sign. The public key, for --require-signature:")
    click.echo(public)


@bundle.command()
@click.argument("path", metavar="BUNDLE")
@format_option("text", "json")
def inspect(path: str, form: str) -> None:
    """What a bundle would change, and what it is bound to. Nothing is compared with what is here."""
    from provisioner.bundle import read_bundle

    found = [read_bundle(name) for name in bundle_paths(Path(path))]
    if form == "json":
        print_json(
            [
                {
                    "record": item.record.model_dump(mode="json"),
                    "summary": item.summary,
                    "signed_with": item.signature.public_key if item.signature else None,
                }
                for item in found
            ]
        )
        return
    for item in found:
        record = item.record
        counts: dict[str, int] = {}
        for change in record.changes:
            counts[change.action] = counts.get(change.action, 0) + 1
        told = ", ".join(f"{number} {action}" for action, number in sorted(counts.items())) or "no changes"
        state = f"serial {record.state.serial} of {record.state.lineage}" if record.state else "none yet"
        facts = {
            "stack": record.stack,
            "does": f"{record.operation}: {told}",
            "manifest": " ".join(
                [record.manifest.path, *(f"--set {text}" for text in record.manifest.overrides)]
            ),
            "planned": f"{record.planned_at} by version {record.product}",
            "commit": record.revision.commit if record.revision else "none",
            "uncommitted": ", ".join(record.revision.dirty) if record.revision else "",
            "account": record.account or "",
            "engine": f"{record.engine.program} {record.engine.version} ({record.engine.kind})",
            "providers": ", ".join(f"{name} {version}" for name, version in record.providers.items()),
            "state": state,
            "signed with": item.signature.public_key if item.signature else "nothing: it is not signed",
        }
        click.echo("\n".join(f"{name}: {fact}" for name, fact in facts.items() if fact))
        for change in record.changes:
            click.echo(f"  {change.action} {change.address}")


@bundle.command()
@click.argument("path", metavar="BUNDLE")
@click.option("--require-signature", multiple=True, metavar="PUBKEY", help="It must be signed with this key.")
def verify(path: str, require_signature: tuple[str, ...]) -> None:
    """Is a bundle whole, and its signature good? Exit 6 when not."""
    from provisioner.bundle import read_bundle

    trusted = [read_public_key_option(key) for key in require_signature]
    for name in bundle_paths(Path(path)):
        found = read_bundle(name)
        found.refuse_unsigned(trusted, required=bool(trusted))
        signed = f"signed with {found.signature.public_key}" if found.signature else "not signed"
        click.echo(f"{name}: whole, {signed}")
