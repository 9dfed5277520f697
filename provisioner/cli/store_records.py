"""`provision artifact-store list`, `describe`, `rename`, `copy` and `delete`: the records, not the data."""

from __future__ import annotations

import click

from provisioner.cli.components import answer, details, form_option, make_client, store_json, table
from provisioner.cli.options import yes_option


@click.command("list")
@form_option
def list_stores(form: str) -> int:
    """All artifact stores."""
    client = make_client()
    state = client.state
    found = [store_json(record, state) for record in client.list_artifact_stores()]
    active = state.stacks[state.active_stack].artifact_store if state.active_stack else None
    rows = [
        (
            f"{store['name']}{' (active)' if store['name'] == active else ''}",
            store["flavor"],
            store["path"],
            store["connector"] or store["authentication_secret"] or "",
            ", ".join(store["stacks"]),
        )
        for store in found
    ]
    nothing = "No artifact store is registered."
    return answer(form, found, table(("name", "flavor", "path", "authentication", "stacks"), rows, nothing))


@click.command()
@click.argument("name", required=False)
@form_option
def describe(name: str | None, form: str) -> int:
    """One artifact store, by default the active stack's. What is secret is shown as a reference."""
    client = make_client()
    if name is None:
        name = client.describe_stack(client.active_stack_name).artifact_store
    data = store_json(client.describe_artifact_store(name), client.state)
    return answer(form, data, details(data))


@click.command()
@click.argument("old", metavar="NAME")
@click.argument("new", metavar="NEW_NAME")
@form_option
def rename(old: str, new: str, form: str) -> int:
    """Give a store another name; the stacks that use it follow."""
    client = make_client()
    client.rename_artifact_store(old, new)
    data = store_json(client.describe_artifact_store(new), client.state)
    return answer(form, data, f"Renamed artifact store {old} to {new}.")


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@form_option
def copy(source: str, target: str, form: str) -> int:
    """Register the same place under a second name. To copy the data: `migrate`."""
    client = make_client()
    record = client.copy_artifact_store(source, target)
    text = f"Registered {target}, the same place as {source}: {record.path}."
    return answer(form, store_json(record, client.state), text)


@click.command()
@click.argument("name")
@yes_option
@form_option
def delete(name: str, yes: bool, form: str) -> int:  # noqa: ARG001 - taken for scripts that say it everywhere
    """Forget a store. Its data stays where it is; refused while a stack uses it."""
    client = make_client()
    record = client.describe_artifact_store(name)
    client.delete_artifact_store(name)
    text = f"Deleted the artifact store {name}; its data stays in {record.path}."
    return answer(form, {"deleted": name}, text)
