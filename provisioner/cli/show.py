"""Summaries and progress as text for people."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click

from provisioner.cli.options import say
from provisioner.errors import Diagnostic
from provisioner.summary import AttributeChange, ResourceChange, Summary
from provisioner.terraform.stream import Event, Progress

_MARKS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "replace": ("±", "red"),
    "move": ("→", "cyan"),
    "remove": ("x", "yellow"),
}
_DONE = {"create": "created", "update": "changed", "delete": "destroyed", "replace": "replaced"}
_DOING = {"create": "creating", "update": "changing", "delete": "destroying", "replace": "replacing"}
_LONGEST = 100


def coloured(text: str, colour: str, *, err: bool = False) -> str:
    """``text`` in a colour, where a person looks at it and has not said no."""
    stream = sys.stderr if err else sys.stdout
    if "NO_COLOR" in os.environ or not stream.isatty():
        return text
    return click.style(text, fg=colour)


def plan_text(summary: Summary) -> str:
    """What a plan would do, as a person reads it."""
    lines = [_title(summary), "", *_danger_lines(summary)]
    if summary.operation == "drift":
        lines += _drift_lines(summary)
    elif summary.changes:
        lines += _change_lines((*summary.changes, *summary.registered))
        lines += _notes(summary)
        lines += ["", f"Plan: {counts_text(summary)}."]
    elif summary.outputs_change:
        lines.append("Only what is registered changes; nothing in the cloud does.")
        lines += _change_lines(summary.registered)
    else:
        lines.append("No changes: everything is as the manifest says.")
    lines += _finding_lines(summary)
    return "\n".join(lines)


_DANGERS = {
    "data": "data is lost",
    "public": "public access",
    "permissions": "wider permissions",
    "trust": "wider trust",
    "protection": "less protection",
}


def _danger_lines(summary: Summary) -> Iterator[str]:
    if not summary.dangers:
        return
    yield coloured("Look at this twice", "red")
    for danger in summary.dangers:
        yield coloured(f"  ! {_DANGERS[danger.kind]}: {danger.component}: {danger.text}", "red")
    yield ""


def _finding_lines(summary: Summary) -> Iterator[str]:
    if summary.findings:
        yield from ("", "The policy")
    for finding in summary.findings:
        word, colour = ("does not allow", "red") if finding.level == "deny" else ("warns", "yellow")
        yield coloured(f"  {word}: {finding}", colour)


def _title(summary: Summary) -> str:
    place = [summary.provider]
    if summary.region:
        place.append(summary.region)
    if summary.account:
        place.append(f"account {summary.account}")
    if summary.endpoint_url:
        place.append(summary.endpoint_url)
    return f"Stack {summary.stack} on {', '.join(place)}"


def _change_lines(changes: tuple[ResourceChange, ...]) -> Iterator[str]:
    ordered = sorted(changes, key=lambda change: (change.kind, change.component, change.resource))
    for (kind, component), group in groupby(ordered, key=lambda change: (change.kind, change.component)):
        yield f"  {kind} {component}".rstrip() if kind else "  the stack itself"
        for change in group:
            mark, colour = _MARKS.get(change.action, (" ", "white"))
            yield coloured(f"    {mark} {resource_text(change)}", colour)
            yield from (f"        {attribute_text(attribute)}" for attribute in change.attributes)


def resource_text(change: ResourceChange) -> str:
    """A resource and, where it is known, its name in the cloud."""
    # Of a path, such as Azure names things by, the last part is the name.
    name = f"  {change.identifier.rpartition('/')[2]}" if change.identifier else ""
    return f"{change.resource}{name}"


def attribute_text(change: AttributeChange) -> str:
    """What an attribute is and what it becomes."""
    return f"{change.path}: {_value(change.before)} → {_value(change.after)}"


def _drifted(change: ResourceChange) -> Iterator[str]:
    """A resource that is no longer as it was applied. What an apply would create is missing now."""
    name = f"{change.component}: {change.resource}" if change.component else change.resource
    if change.action == "create":
        yield coloured(f"  - {name} is missing", "red")
        return
    yield coloured(f"  ~ {name}", "yellow")
    yield from (f"      {drifted_text(attribute)}" for attribute in change.attributes)


def drifted_text(change: AttributeChange) -> str:
    """What an attribute is, and what it was applied as."""
    return f"{change.path}: is {_value(change.before)}, was applied as {_value(change.after)}"


def _value(value: Any) -> str:
    if isinstance(value, str) and value.startswith("("):
        return value  # a mask or «known after apply»
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _notes(summary: Summary) -> Iterator[str]:
    if summary.grants:
        yield from ("", "Permissions granted")
        yield from (f"  {grant}" for grant in summary.grants)
    if summary.missing_protections and summary.operation == "apply":
        yield from ("", coloured("Protections that this service does not have", "yellow"))
        yield from (f"  {missing}" for missing in summary.missing_protections)
    if summary.emptied:
        yield from ("", coloured(f"Deleted with everything in it: {', '.join(summary.emptied)}", "red"))


def counts_text(summary: Summary) -> str:
    """How much is added, changed, destroyed and replaced."""
    replaced = summary.count("replace")
    text = (
        f"{summary.count('create')} to add, {summary.count('update')} to change, "
        f"{summary.count('delete')} to destroy"
    )
    moved, forgotten = summary.count("move"), summary.count("remove")
    rest = ((replaced, "to replace"), (moved, "to rename"), (forgotten, "to forget"))
    return ", ".join([text, *(f"{number} {words}" for number, words in rest if number)])


def _drift_lines(summary: Summary) -> Iterator[str]:
    if not summary.drifted:
        yield "No drift: everything is as it was applied."
        return
    yield f"Changed behind our back{_since(summary)}:"
    for change in summary.drift:
        yield from _drifted(change)
    yield from (f"  {deviation}" for deviation in summary.deviations)
    yield ""
    yield "`provision apply` puts it back; to keep it, change the manifest."


def _since(summary: Summary) -> str:
    if summary.drift_first_seen is None:
        return ""
    clean = f", as applied {summary.drift_last_clean}" if summary.drift_last_clean else ""
    return f" (first seen {summary.drift_first_seen}{clean})"


class ProgressLines:
    """Terraform's progress, one line an event on stderr; nothing moves, so a log of it can be read."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Show one event, if it is one to show."""
        if isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Diagnostic) and event.severity == "warning":
            say(coloured(f"  warning: {event.summary}", "yellow", err=True))

    def _progress(self, event: Progress) -> None:
        if event.phase == "start" or event.action == "read":
            return
        mark, colour = _MARKS.get(event.action, (" ", "white"))
        words = {"complete": _DONE, "progress": _DOING}.get(event.phase)
        said = words.get(event.action, event.action) if words else "failed"
        line = f"  {mark} {event.address.removeprefix('module.')}: {said} ({event.elapsed_seconds:.0f} s)"
        say(coloured(line, "red" if event.phase == "errored" else colour, err=True))
