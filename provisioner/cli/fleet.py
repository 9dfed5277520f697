"""What the commands share that work on a folder of stacks, or on several at once."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from provisioner.cli.board import Board
from provisioner.cli.components import table
from provisioner.cli.options import ask, say, state_file, tell_unread
from provisioner.cli.run import INTERRUPTED, explained
from provisioner.cli.running import CHANGES, load_target, print_summaries
from provisioner.cli.show import plan_text
from provisioner.engine import Confirm, Engine, Result
from provisioner.errors import InputError, ManifestError, Problem, SafetyError
from provisioner.fleet.changed import Chosen, changed_since
from provisioner.fleet.clashes import clashes
from provisioner.fleet.discover import discover
from provisioner.fleet.outcome import Outcome, Status, worst
from provisioner.fleet.report import Report, check_report_path, counts, write_report
from provisioner.fleet.run import Fleet
from provisioner.manifest import LoadedManifest, load_manifest
from provisioner.summary import Summary
from provisioner.terraform.locate import locate

_F = TypeVar("_F", bound=Callable[..., Any])

_TOLD = frozenset({Status.CHANGES, Status.DENIED, Status.DRIFTED})

Work = Callable[[Engine, LoadedManifest, Confirm], Result]


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """What a command was told about working on several stacks."""

    jobs: int | None
    fail_fast: bool
    report: tuple[str, ...]
    revision: str | None = None

    def for_many(self, targets: Sequence[str]) -> bool:
        """Whether this is about several stacks, or was asked for in the words for that."""
        several = len(targets) > 1 or any(Path(target).is_dir() for target in targets)
        return several or self.revision is not None or bool(self.report)


def fleet_options(*, revision: bool = True) -> Callable[[_F], _F]:
    """``--jobs``, ``--fail-fast``, ``--report`` and ``--changed-since``, as one parameter ``fleet``."""

    def decorate(command: _F) -> _F:
        @functools.wraps(command)
        def packed(
            *arguments: Any,
            jobs: int | None,
            fail_fast: bool,
            report: tuple[str, ...],
            changed_since: str | None = None,
            **others: Any,
        ) -> Any:
            options = FleetOptions(jobs, fail_fast, report, changed_since)
            return command(*arguments, fleet=options, **others)

        options = [
            click.option(
                "--jobs",
                type=click.IntRange(min=1),
                metavar="N",
                help="How many stacks to work on at a time; default: one for each core.",
            ),
            click.option("--fail-fast", is_flag=True, help="Begin no further stack after one has failed."),
            click.option(
                "--report",
                multiple=True,
                metavar="FILE",
                help="Write what came of each stack to a .json, .md or .xml (JUnit) file. May be repeated.",
            ),
        ]
        if revision:
            options.append(
                click.option(
                    "--changed-since",
                    metavar="REV",
                    help="Only the stacks whose inputs changed in git since REV.",
                )
            )
        result: Any = packed
        for option in reversed(options):
            result = option(result)
        decorated: _F = result
        return decorated

    return decorate


# --- which stacks -------------------------------------------------------------------------------------


def load_places(
    places: Sequence[str], overrides: Sequence[str], options: FleetOptions | None = None
) -> Chosen:
    """The stacks in files and folders, all of them valid beside each other; or those that changed.

    Raises :class:`ManifestError` with the problems of all files.
    """
    found = tell_unread(discover([Path(place) for place in places]))
    loaded: list[LoadedManifest] = []
    problems: list[Problem] = []
    for path in found.stacks:
        try:
            loaded.append(load_manifest(path, overrides))
        except ManifestError as error:
            problems += error.problems
    problems += clashes(loaded)
    if problems:
        raise ManifestError(problems, hint="nothing was started: every manifest has to be valid first")
    return choose(loaded, places, options)


def choose(loaded: Sequence[LoadedManifest], places: Sequence[str], options: FleetOptions | None) -> Chosen:
    """Those whose inputs changed, where that was asked for; what has gone is said."""
    if options is None or options.revision is None:
        return Chosen(tuple(loaded), 0, ())
    chosen = changed_since(options.revision, loaded, [Path(place) for place in places])
    say(f"{len(chosen.stacks)} of {len(loaded)} stacks have changed since {options.revision}")
    for sentence in chosen.gone:
        say(f"attention: {sentence}")
    return chosen


def load_targets(
    engine: Engine, targets: Sequence[str], overrides: Sequence[str], options: FleetOptions
) -> Chosen:
    """The same, where a target may also be the name of a stack that was applied."""
    places = [target for target in targets if Path(target).exists() and not _means_stack(engine, target)]
    named = [load_target(engine, target, overrides) for target in targets if target not in places]
    chosen = load_places(places, overrides, options) if places else Chosen((), 0, ())
    stacks = (*chosen.stacks, *named)
    problems = clashes(stacks)
    if problems:
        raise ManifestError(problems, hint="name each stack once")
    return Chosen(stacks, chosen.unchanged, chosen.gone)


def _means_stack(engine: Engine, target: str) -> bool:
    """Whether a folder's name is that of an applied stack instead, for no stack lies in the folder.

    Raises :class:`InputError` where it may be either.
    """
    path = Path(target)
    if "/" in target or not path.is_dir() or target not in engine.state_file.read().deployments:
        return False
    try:
        discover([path])
    except InputError:
        return True
    raise InputError(
        f"{target} is a folder of stacks, and a stack that was applied is called so, too",
        hint=f"write ./{target} for the folder, and the stack's own file for the stack",
    )


# --- doing it -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finished:
    """All stacks are through: what came of each, and where to report it."""

    report: Report
    targets: tuple[Path, ...]

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What came of each."""
        return self.report.outcomes

    @property
    def summaries(self) -> list[Summary]:
        """The summaries of those that came that far."""
        return [outcome.summary for outcome in self.outcomes if outcome.summary is not None]


def run_fleet(
    command: str,
    chosen: Chosen,
    work: Work,
    options: FleetOptions,
    *,
    terraform: str | None,
    lock_timeout: int,
    question: str | None = None,
    changes_code: int = 0,
    bare: bool = False,
) -> Finished:
    """Do ``work`` to all of them, show how far it is, and tell what failed; ``conclude`` tells the rest.

    ``question`` is asked once for all; None asks nothing. ``changes_code`` is the exit code of a stack with
    changes or drift; ``bare`` is for work that needs no Terraform.
    """
    targets = tuple(check_report_path(path) for path in options.report)
    jobs = options.jobs or os.cpu_count() or 1
    executable = None if bare else locate(terraform)
    board = Board(len(chosen.stacks))
    place = state_file().location

    def one(loaded: LoadedManifest, confirm: Confirm) -> Result:
        name = loaded.manifest.name
        engine = Engine(
            state_file=type(state_file())(place),
            executable=executable,
            on_event=functools.partial(board.event, name),
            say=functools.partial(board.said, name),
            lock_timeout=lock_timeout,
        )
        return work(engine, loaded, confirm)

    def decide(summaries: Sequence[Summary], through: Sequence[Outcome]) -> bool:
        board.clear()
        return _decide(question or "", summaries, through)

    fleet = Fleet(
        chosen.stacks,
        one,
        board,
        jobs=jobs,
        fail_fast=options.fail_fast,
        ask=decide if question is not None else None,
    )
    started = datetime.now(UTC).isoformat(timespec="seconds")
    begun = time.monotonic()
    with _each_warning_once(), board.shown():
        outcomes = tuple(fleet.run())
    codes = {outcome.stack: _code(outcome, changes_code) for outcome in outcomes}
    _tell_failures(outcomes)
    report = Report(
        command=command,
        started=started,
        seconds=time.monotonic() - begun,
        jobs=jobs,
        exit_code=worst(codes.values()),
        outcomes=outcomes,
        codes=codes,
        unchanged_inputs=chosen.unchanged,
        gone=chosen.gone,
    )
    return Finished(report, targets)


def conclude(finished: Finished, form: str) -> int:
    """Print what came of all and write the reports; the exit code.

    Each is done whatever comes of the other: a report may fail where the work was done, and the reader of our
    output may have gone.
    """
    codes = [finished.report.exit_code]
    try:
        print_fleet(finished, form)
    finally:
        for error in write_report(finished.report, finished.targets):
            say(f"error: {error}")
            say(f"  next: {error.hint}")
            codes.append(error.exit_code)
    return worst(codes)


def _decide(question: str, summaries: Sequence[Summary], through: Sequence[Outcome]) -> bool:
    click.echo("\n\n".join(plan_text(summary) for summary in summaries), err=True)
    failed = sorted(outcome.stack for outcome in through if outcome.status is Status.FAILED)
    click.echo(f"\n{_totals(summaries)}", err=True)
    if failed:
        click.echo(f"Left out, because planning them failed: {', '.join(failed)}.", err=True)
    return ask(question.format(len(summaries)))


def _totals(summaries: Sequence[Summary]) -> str:
    verbs = (
        ("create", "to add"),
        ("update", "to change"),
        ("delete", "to destroy"),
        ("replace", "to replace"),
    )
    parts = (f"{sum(summary.count(action) for summary in summaries)} {words}" for action, words in verbs)
    return f"Together, in {len(summaries)} stacks: {', '.join(parts)}."


def _code(outcome: Outcome, changes_code: int) -> int:
    if outcome.status is Status.INTERRUPTED:
        return INTERRUPTED
    if outcome.status is Status.DECLINED:
        return InputError.exit_code
    if outcome.error is not None:
        return explained(outcome.error)[2]
    if outcome.summary is not None and outcome.summary.denied:
        return SafetyError.exit_code
    return changes_code if outcome.status in {Status.CHANGES, Status.DRIFTED} else 0


def _tell_failures(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error is not None and outcome.status is Status.FAILED:
            message, hint, _ = explained(outcome.error)
            say(f"error: {outcome.stack}: {message}")
            if hint:
                say(f"  next: {hint}")
    if any(outcome.status is Status.DECLINED for outcome in outcomes):
        say("error: not done: you said no")


def fleet_table(finished: Finished) -> str:
    """All stacks and what came of each, as a table."""
    head = ("stack", "result", "create", "change", "destroy", "replace", "seconds")
    rows = []
    for outcome in finished.outcomes:
        numbers = counts(outcome)
        cells = [str(number) if number else "" for number in numbers] if numbers else [""] * 4
        rows.append((outcome.stack, str(outcome.status), *cells, f"{outcome.seconds:.1f}"))
    return table(head, rows, "nothing to do")


def print_fleet(finished: Finished, form: str) -> None:
    """What was found in each stack that differs, and the table of all."""
    if form == "html":
        from provisioner.cli.html import plan_page  # brings jinja2

        told = [
            (item.loaded.manifest, item.summary) for item in finished.outcomes if item.summary is not None
        ]
        click.echo(plan_page(told), nl=False)
        return
    if form != "text":
        print_summaries(finished.summaries, form)
        return
    for outcome in finished.outcomes:
        if outcome.summary is not None and outcome.status in _TOLD:
            click.echo(f"{plan_text(outcome.summary)}\n")
    click.echo(fleet_table(finished))


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """The same words from each of twenty stacks are one warning."""
    told: set[str] = set()

    def first(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        new = text not in told
        told.add(text)
        return new

    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(first)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(first)


__all__ = [
    "CHANGES",
    "Finished",
    "FleetOptions",
    "conclude",
    "fleet_options",
    "fleet_table",
    "load_places",
    "load_targets",
    "print_fleet",
    "run_fleet",
]
