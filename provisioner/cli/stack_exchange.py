"""`provision stack export` and `import`: from one state file into another."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from provisioner.cli.components import answer, form_option, make_client, stack_json
from provisioner.cli.options import print_json, say
from provisioner.cli.stack import CURRENT
from provisioner.errors import InputError
from provisioner.output_files import writing


@click.command("export")
@click.argument("name", default=CURRENT, metavar="[NAME]")
@click.argument("file", required=False)
def export_stack(name: str, file: str | None) -> int:
    """Write a stack and its components as JSON, to FILE or to stdout. Secrets stay references."""
    document = make_client().export_stack(name)
    if file is None:
        print_json(document)
        return 0
    with writing(Path(file)), Path(file).open("x", encoding="utf-8") as stream:
        stream.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    say(f"wrote {file}")
    return 0


@click.command("import")
@click.argument("file")
@click.option("--name", metavar="NAME", help="Register it under this name instead.")
@form_option
def import_stack(file: str, name: str | None, form: str) -> int:
    """Register the stack that `export` wrote, from FILE or, with -, from standard input."""
    from stacks.secrets import references

    client = make_client()
    before = client.state.flavors
    record = client.import_stack(_document(file), name)
    state = client.state
    for flavor in sorted(state.flavors.keys() - before.keys()):
        source = state.flavors[flavor].source
        say(f"note: it brings the flavor {flavor}: its stores run the code of {source}")
    store = state.artifact_store(record.artifact_store)
    connector = state.connector(store.connector) if store.connector else None
    needed = references(store.config) | references(connector.config if connector else {})
    needed |= {one.authentication_secret for one in (store, connector) if one and one.authentication_secret}
    for secret in sorted(needed - set(client.list_secrets())):
        create = f"provision secret create {secret} --KEY=@FILE"
        say(f"warning: it needs the secret {secret}, which is not here: {create}")
    return answer(form, stack_json(record, state), f"Imported stack {record.name}.")


def _document(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror}", hint="name a file of `stack export`"
        ) from None
    except ValueError:
        raise InputError(
            f"{file} is not JSON", hint="make one with: provision stack export NAME FILE"
        ) from None
    if not isinstance(document, dict):
        raise InputError(
            f"{file} is no exported stack", hint="make one with: provision stack export NAME FILE"
        )
    return document
