"""`provision status` and `provision output`: from files alone, without a cloud or Terraform."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from provisioner.cli.options import format_option, print_json, state_file
from provisioner.errors import InputError
from provisioner.workspace import Workspace
from stacks.state import DeploymentRecord, State, StateFile


@click.command()
@click.argument("name", required=False)
@format_option("text", "json", "html")
def status(name: str | None, form: str) -> int:
    """What is applied, from the state file alone: instant, no cloud call."""
    file = state_file()
    state = file.read()
    if name is not None and name not in state.deployments:
        raise _unknown(name, state, file)
    chosen = [record for key, record in sorted(state.deployments.items()) if name in {None, key}]
    if form == "json":
        print_json(
            {
                "state_file": file.location,
                "active_stack": state.active_stack,
                "stacks": [_as_json(record, state, file) for record in chosen],
            }
        )
        return 0
    if form == "html":
        from provisioner.cli.html import status_page  # brings jinja2

        click.echo(status_page(chosen, state, file), nl=False)
        return 0
    if not chosen:
        click.echo(f"Nothing is applied (state file {file.location}).")
    for record in chosen:
        click.echo(_as_text(record, state, file))
    return 0


@click.command()
@click.argument("name")
@click.argument("key", required=False)
def output(name: str, key: str | None) -> int:
    """The Terraform outputs of a stack, secrets masked."""
    file = state_file()
    state = file.read()
    if name not in state.deployments:
        raise _unknown(name, state, file)
    outputs = Workspace(file.home / "workspaces" / name).read_outputs()
    if key is None:
        print_json(outputs)
        return 0
    if key not in outputs:
        raise InputError(f"{name} has no output {key!r}", hint=f"it has: {', '.join(sorted(outputs))}")
    value = outputs[key]
    click.echo(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))
    return 0


def _unknown(name: str, state: State, file: StateFile) -> InputError:
    known = ", ".join(sorted(state.deployments)) or "nothing"
    return InputError(
        f"no stack named {name!r} is applied", hint=f"applied are: {known} (in {file.location})"
    )


def _unfinished(record: DeploymentRecord, file: StateFile) -> bool:
    return Workspace(file.home / "workspaces" / record.name).journal.exists()


def _as_json(record: DeploymentRecord, state: State, file: StateFile) -> dict[str, Any]:
    return {
        **dataclasses.asdict(record),
        "applied_at": record.applied_at.isoformat(),
        "active": state.active_stack == record.stack,
        "unfinished_run": _unfinished(record, file),
        "artifact_stores": [
            {
                "name": store.name,
                "flavor": store.flavor,
                "path": store.path,
                "connector": store.connector,
            }
            for store in (state.artifact_store(name) for name in record.artifact_stores)
        ],
    }


def _as_text(record: DeploymentRecord, state: State, file: StateFile) -> str:
    place = ", ".join(filter(None, (record.provider, record.region, record.account)))
    active = "  (active)" if state.active_stack == record.stack else ""
    lines = [f"{record.name}{active}", f"  where     {place}"]
    lines.append(f"  applied   {record.applied_at:%Y-%m-%d %H:%M:%S} UTC from {record.manifest}")
    for name in record.artifact_stores:
        store = state.artifact_store(name)
        connector = f"  through {store.connector}" if store.connector else ""
        lines.append(f"  store     {name}  {store.flavor}  {store.path}{connector}")
    if _unfinished(record, file):
        lines.append(f"  attention a run was cut off: provision recover {record.name}")
    return "\n".join(lines)
