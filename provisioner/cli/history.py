"""What the commands about artifacts and runs share: the store they look at, and how records look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from provisioner.cli.components import make_client
from provisioner.cli.options import say

if TYPE_CHECKING:
    from stacks.artifacts import ArtifactVersion, History, Page, PipelineRun, StepRun

_F = TypeVar("_F", bound=Callable[..., Any])

DEFAULT_SIZE = 20
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def store_option(command: _F) -> _F:
    """``--store``."""
    return click.option(
        "--store", metavar="STORE", help="The artifact store to look at; by default the active stack's."
    )(command)


def page_options(command: _F) -> _F:
    """``--page`` and ``--size``."""
    for option in (
        click.option("--size", type=click.IntRange(min=1), default=DEFAULT_SIZE, help="How many of them."),
        click.option("--page", type=click.IntRange(min=1), default=1, help="Which of the pages, from 1."),
    ):
        command = option(command)
    return command


def filter_options(*names: str) -> Callable[[_F], _F]:
    """One option for each filter; given several times, all must hold."""

    def decorate(command: _F) -> _F:
        for name in reversed(names):
            example = '"gte:2026-11-20 10:00:00"' if name == "created" else "contains:TEXT"
            command = click.option(
                f"--{name}", multiple=True, metavar="FILTER", help=f"A value, or {example} and the like."
            )(command)
        return command

    return decorate


def given(filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The filters that were given."""
    return {name: list(values) for name, values in filters.items() if values}


def history_of(store: str | None) -> History:
    """The records of a store."""
    return make_client(flavors=True).history(store)


def tell_of_more(page: Page[Any]) -> None:
    """Says on stderr where the rest is."""
    if page.page < page.pages:
        say(f"note: {len(page)} of {page.total}; the next ones: --page={page.page + 1}")


def version_json(version: ArtifactVersion) -> dict[str, Any]:
    """An artifact version as JSON, a stable form."""
    by = version.record.producer
    return {
        "name": version.name,
        "version": version.version,
        "id": version.id,
        "created": version.created.isoformat(),
        "uri": version.uri,
        "type": version.type,
        "materializer": version.materializer,
        "size": version.size,
        "digest": version.digest,
        "tags": list(version.tags),
        "metadata": dict(version.metadata),
        "pipeline": by.pipeline if by else None,
        "run": by.run if by else None,
        "step": by.step if by else None,
    }


def run_json(run: PipelineRun) -> dict[str, Any]:
    """A run as JSON, a stable form."""
    return {
        "name": run.name,
        "pipeline": run.pipeline,
        "id": run.id,
        "status": run.status,
        "created": run.created.isoformat(),
        "ended": run.ended.isoformat() if run.ended else None,
        "parameters": dict(run.parameters),
        "tags": list(run.tags),
        "stack": run.record.stack,
        "user": run.record.user,
        "host": run.record.host,
        "error": error_json(run),
        "steps": [step_json(step) for step in run.steps.values()],
    }


def step_json(step: StepRun) -> dict[str, Any]:
    """A step as JSON; artifacts by name and version."""
    return {
        "name": step.name,
        "status": step.status,
        "started": step.started.isoformat() if step.started else None,
        "ended": step.ended.isoformat() if step.ended else None,
        "parameters": dict(step.parameters),
        "inputs": _refs(step.record.inputs),
        "outputs": _refs(step.record.outputs),
        "error": error_json(step),
    }


def error_json(what: PipelineRun | StepRun) -> dict[str, str] | None:
    """Why it failed."""
    return None if what.error is None else {"type": what.error.type, "message": what.error.message}


def _refs(refs: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {name: {"name": ref.artifact, "version": str(ref.version)} for name, ref in refs.items()}


def local_time(moment: datetime | None) -> str:
    """A time as it is on this machine's clock, in the form that filters take."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def duration(took: timedelta | None) -> str:
    """How long something took, to be read."""
    if took is None:
        return ""
    seconds = took.total_seconds()
    minute = 60
    if seconds < minute:
        return f"{seconds:.1f} s"
    return f"{int(seconds // minute)} min {int(seconds % minute)} s"


def human_size(count: int) -> str:
    """A number of bytes, to be read."""
    amount = float(count)
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            break
        amount /= 1024
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
