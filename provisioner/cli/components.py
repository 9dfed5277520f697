"""What the commands of components share: the client, how records look as JSON and as text."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from provisioner.catalog import PROVIDERS
from provisioner.cli.fields import Arguments, warnings
from provisioner.cli.options import format_option, print_json, say, state_file
from provisioner.errors import InputError
from stacks.sensitive import is_reference, is_secret_field
from stacks.state import ArtifactStoreRecord, ConnectorRecord, StackRecord, State

if TYPE_CHECKING:
    from stacks.client import Client

logger = logging.getLogger(__name__)

MASK = "********"
form_option: Callable[[Any], Any] = format_option("text", "json")
secret_option = click.option(
    "--authentication_secret",
    "--authentication-secret",
    "secret",
    metavar="SECRET",
    help="The secret to authenticate with.",
)


def make_client(*, flavors: bool = False) -> Client:
    """The client of the state file in force; with ``flavors`` those of the working directory are loaded."""
    from stacks.client import Client
    from stacks.stores.registry import load_class

    client = Client(state_file())
    for flavor in client.state.flavors.values() if flavors else ():
        with importable_from_here():
            try:
                load_class(flavor.source)
            except Exception as error:  # noqa: BLE001 - a user's module may raise anything when it is imported
                # The command that needs this flavor says so; the others do without.
                logger.info("the flavor %s cannot be loaded: %s", flavor.name, error)
    return client


@contextmanager
def importable_from_here() -> Iterator[None]:
    """Python finds modules of the working directory too, last of all: flavors often live there."""
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)


def warn(given: Arguments, *, all_secret: bool = False) -> None:
    """Says on stderr what the user should know about the options given."""
    for sentence in warnings(given, all_secret=all_secret):
        say(f"warning: {sentence}")


def answer(form: str, data: Any, text: str) -> int:
    """The result of a command on stdout, in the form asked for; the exit code."""
    if form == "json":
        print_json(data)
    else:
        click.echo(text)
    return 0


def table(header: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> str:
    """Rows below a header, in columns; ``nothing`` when there are none."""
    if not rows:
        return nothing
    lines = [tuple(title.upper() for title in header), *(tuple(map(_printable, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def details(data: Mapping[str, Any]) -> str:
    """One record as lines of name and value; what is empty is left out."""
    shown = [
        (name.replace("_", " "), _line(value)) for name, value in data.items() if value not in (None, {}, [])
    ]
    width = max(len(name) for name, _ in shown)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in shown)


def _line(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(map(_printable, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_line(item)}" for key, item in value.items())
    return json.dumps(value, ensure_ascii=False)


def _printable(text: str) -> str:
    """A record may come from somebody else's file: what would steer the terminal is shown as an escape."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def masked(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` to be shown. Records hold references only; this keeps it so for whatever wrote them."""
    return {
        key: masked(value)
        if isinstance(value, Mapping)
        else MASK
        if is_secret_field(key) and value and not is_reference(value)
        else value
        for key, value in config.items()
    }


def store_json(record: ArtifactStoreRecord, state: State) -> dict[str, Any]:
    """An artifact store as JSON, a stable form."""
    return {
        "name": record.name,
        "flavor": record.flavor,
        "path": record.path,
        "config": masked(record.config),
        "connector": record.connector,
        "authentication_secret": record.authentication_secret,
        "stacks": sorted(state.users_of_artifact_store(record.name)),
        "managed_by": record.deployment,
    }


def connector_json(record: ConnectorRecord, state: State) -> dict[str, Any]:
    """A service connector as JSON, a stable form."""
    return {
        "name": record.name,
        "type": record.type,
        "auth_method": record.auth_method,
        "resource_type": record.resource_type,
        "resource_id": record.resource_id,
        "config": masked(record.config),
        "authentication_secret": record.authentication_secret,
        "artifact_stores": sorted(state.users_of_connector(record.name)),
        "managed_by": record.deployment,
    }


def stack_json(record: StackRecord, state: State) -> dict[str, Any]:
    """A stack as JSON, a stable form."""
    return {
        "name": record.name,
        "artifact_store": record.artifact_store,
        "orchestrator": record.orchestrator,
        "active": state.active_stack == record.name,
        "managed_by": record.deployment,
    }


def check_bucket(option: str, url: str | None) -> None:
    """Raises InputError for a place whose bucket cannot exist, and says how it could be called."""
    if url is None or "://" not in url:
        return
    parts = urlsplit(url)
    provider = next((item for item in PROVIDERS.values() if item.scheme == parts.scheme), None)
    problem = provider.bucket_rule.problem(parts.netloc) if provider and parts.netloc else None
    if provider is None or problem is None:
        return
    proper = re.sub(r"[^a-z0-9.-]+", "-", parts.netloc.lower()).strip("-.")
    better = f"{parts.scheme}://{proper}{parts.path}"
    possible = proper != parts.netloc and provider.bucket_rule.problem(proper) is None
    raise InputError(
        f"{option}: {parts.netloc!r} cannot be the name of a bucket: {problem}",
        hint=f"make the bucket as {proper} and write {option}={better}"
        if possible
        else f"name a bucket that exists: {option}={parts.scheme}://BUCKET/PREFIX",
    )
