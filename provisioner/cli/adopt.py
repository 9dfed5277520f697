"""`provision import`: adopt a bucket that is already there, without touching it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from provisioner.cli.fields import ANYTHING, free_arguments, parse
from provisioner.cli.options import engine_options, say, yes_option
from provisioner.errors import InputError, ManifestError, SafetyError
from provisioner.summary import Summary


@click.command("import", context_settings=ANYTHING)
@click.option("-o", "--output", metavar="FILE", help="The manifest to write; default: STORE.yaml.")
@click.option("--store", metavar="NAME", help="The name to register it under; default: the bucket's.")
@click.option("--manifest-only", is_flag=True, help="Write the manifest and stop there.")
@yes_option
@engine_options
@free_arguments("PATH [--key=value…]")
def import_(
    output: str | None,
    store: str | None,
    manifest_only: bool,
    yes: bool,
    terraform: str | None,
    lock_timeout: int,
    arguments: tuple[str, ...],
) -> int:
    """Write a manifest for a bucket that exists, and adopt it: the plan has to be without changes.

    PATH is s3://BUCKET[/PREFIX], gs://…, az://… or a directory. Every --key=value is a field of the manifest:
    --region, --endpoint_url, --account, --storage_account, --auth_method, --trusted_principals, …
    """
    from provisioner.adopt import adopted_manifest
    from provisioner.cli.apply import apply_one
    from provisioner.cli.running import make_engine
    from provisioner.manifest import dump_manifest, load_manifest, parse_manifest
    from provisioner.output_files import reading, write_output

    given = parse(arguments)
    path = given.name("PATH")
    name = store or _store_name(path)
    data, seen = adopted_manifest(path, name, given.fields)
    text = dump_manifest(data)
    target = Path(output or f"{name}.yaml")
    try:
        parse_manifest(text, file=str(target))
    except ManifestError as error:
        problems = (f"--{problem.path.rpartition('.')[2]}: {problem.message}" for problem in error.problems)
        raise InputError("\n".join(problems), hint="give it as --key=VALUE") from error
    with reading(target):
        other = target.exists() and target.read_bytes() != text.encode()
    if other:
        raise InputError(f"{target} is already there, and says something else", hint="name another: -o FILE")
    write_output(target, text)
    say(f"wrote {target}; found: {', '.join(seen.settings)}")
    if manifest_only:
        click.echo(f"next: provision plan {target}")
        return 0
    engine = make_engine(terraform, lock_timeout)
    loaded = load_manifest(target)
    _refuse_changes(engine.plan(loaded).summary, str(target))
    apply_one(engine, loaded, yes=yes, verify=True)
    return 0


def _refuse_changes(summary: Summary, target: str) -> None:
    """An import changes nothing that is there; an identity of its own may be added beside it."""
    changed = [
        change for change in summary.changes if change.action != "create" or change.kind != "connector"
    ]
    if changed:
        raise SafetyError(
            f"this would not be an adoption: {', '.join(change.address for change in changed)} would change",
            hint=f"look at it with: provision plan {target}; and if that is wanted: provision apply {target}",
        )


def _store_name(path: str) -> str:
    """The name of a bucket or a directory, as components are called."""
    last = path.rstrip("/").partition("://")[2].partition("/")[0] or Path(path).name
    name = re.sub(r"[^a-z0-9_]+", "_", last.lower()).strip("_")[:50]
    return name if re.match(r"[a-z]", name) else f"store_{name}"
