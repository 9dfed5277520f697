"""`provision pipeline`: the runs that the store of the active stack remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.cli.components import answer, details, form_option, table
from provisioner.cli.history import (
    duration,
    filter_options,
    given,
    history_of,
    local_time,
    page_options,
    run_json,
    store_option,
    tell_of_more,
)
from provisioner.cli.lazy import LazyGroup
from provisioner.cli.options import ask, yes_option
from provisioner.errors import InputError

if TYPE_CHECKING:
    from stacks.artifacts import History, PipelineRun

_HERE = "provisioner.cli.pipeline"


@click.group(
    cls=LazyGroup,
    commands_by_path={"runs": (f"{_HERE}:runs", "What has run, and how it went.")},
)
def pipeline() -> None:
    """Pipelines and their runs."""


@click.group(
    cls=LazyGroup,
    commands_by_path={
        "list": (f"{_HERE}:list_runs", "Runs, the newest first."),
        "describe": (f"{_HERE}:describe", "One run with its steps."),
        "delete": (f"{_HERE}:delete", "Forget a run; its artifacts stay until `artifact prune`."),
    },
)
def runs() -> None:
    """What has run, and how it went."""


@click.command("list")
@filter_options("pipeline", "name", "status", "created", "tag")
@page_options
@store_option
@form_option
def list_runs(page: int, size: int, store: str | None, form: str, **filters: tuple[str, ...]) -> int:
    """Runs, the newest first. Filters are those of `artifact version list`."""
    found = history_of(store).runs(page=page, size=size, **given(filters))
    rows = [
        (one.name, one.pipeline, one.status, local_time(one.created), duration(one.duration), _steps(one))
        for one in found
    ]
    tell_of_more(found)
    header = ("name", "pipeline", "status", "created", "took", "steps")
    return answer(form, [run_json(one) for one in found], table(header, rows, "No run is there that fits."))


@click.command()
@click.argument("name")
@click.option("--pipeline", metavar="PIPELINE", help="Its pipeline, where several have a run of that name.")
@store_option
@form_option
def describe(name: str, pipeline: str | None, store: str | None, form: str) -> int:
    """One run with its steps, by its name; by a pipeline's name, the latest run of that."""
    found = _run(history_of(store), name, pipeline)
    data = run_json(found)
    shown = {
        **data,
        "created": local_time(found.created),
        "ended": local_time(found.ended),
        "error": f"{found.error.type}: {found.error.message}" if found.error else None,
        "steps": None,
    }
    rows = [
        (
            step.name,
            step.status,
            duration(step.duration),
            ", ".join(f"{place}={ref.artifact} {ref.version}" for place, ref in step.record.inputs.items()),
            ", ".join(f"{ref.artifact} {ref.version}" for ref in step.record.outputs.values()),
        )
        for step in found.steps.values()
    ]
    steps = table(("step", "status", "took", "inputs", "outputs"), rows, "It has no steps.")
    return answer(form, data, f"{details(shown)}\n\n{steps}")


@click.command()
@click.argument("name")
@click.option("--pipeline", metavar="PIPELINE", help="Its pipeline, where several have a run of that name.")
@yes_option
@store_option
@form_option
def delete(name: str, pipeline: str | None, yes: bool, store: str | None, form: str) -> int:
    """Forget a run. The artifacts that it made stay until `artifact prune`."""
    history = history_of(store)
    found = _run(history, name, pipeline)
    if not yes and not ask(f"Forget the run {found.name} of {found.pipeline}?"):
        raise InputError("not deleted: you said no")
    history.delete_run(found.pipeline, found.name)
    return answer(form, {"deleted": found.name}, f"Deleted the run {found.name}.")


def _run(history: History, name: str, pipeline: str | None) -> PipelineRun:
    return history.run(name) if pipeline is None else history.run(pipeline, name)


def _steps(run: PipelineRun) -> str:
    counts: dict[str, int] = {}
    for step in run.steps.values():
        counts[step.status] = counts.get(step.status, 0) + 1
    return ", ".join(f"{count} {status}" for status, count in counts.items())
