"""Many stacks at once, with work that needs no Terraform: order, failures, the one question, the reports."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from stacks_folder import Folder

from provisioner.engine import Confirm, Result
from provisioner.errors import InputError, SafetyError
from provisioner.fleet.outcome import Outcome, Status, worst
from provisioner.fleet.report import Report, check_report_path, write_report
from provisioner.fleet.run import Fleet
from provisioner.manifest import LoadedManifest
from provisioner.summary import Summary


class Silent:
    """A watcher that only counts."""

    def __init__(self) -> None:
        self.ended_stacks: list[str] = []

    def began(self, loaded: LoadedManifest) -> None:
        """Nothing is shown."""

    def ended(self, outcome: Outcome) -> None:
        """Note it."""
        self.ended_stacks.append(outcome.stack)

    def tick(self) -> None:
        """Nothing is shown."""


def result(loaded: LoadedManifest, *, changed: bool = True, done: bool = True) -> Result:
    """What an apply of this stack came to."""
    nothing: tuple[str, ...] = ()
    summary = Summary(
        loaded.manifest.name,
        "local",
        None,
        None,
        None,
        "apply",
        (),
        (),
        nothing,
        nothing,
        nothing,
        nothing,
        False,
    )
    return Result(summary, changed=changed, done=done)


def applied(loaded: LoadedManifest, confirm: Confirm) -> Result:
    """Work that asks, and does what it is told."""
    agreed = confirm(result(loaded).summary)
    return result(loaded, done=agreed)


@pytest.fixture
def stacks(folder: Folder) -> list[LoadedManifest]:
    """Six of them."""
    names = [f"stack-{number}" for number in range(6)]
    for name in names:
        folder.stack(f"{name}.yaml")
    return folder.load(*(f"{name}.yaml" for name in names))


def statuses(outcomes: Sequence[Outcome]) -> list[Status]:
    """How they came out."""
    return [outcome.status for outcome in outcomes]


def test_no_more_than_jobs_work_at_a_time(stacks: list[LoadedManifest]) -> None:
    lock, at_work, most = threading.Lock(), 0, 0

    def work(loaded: LoadedManifest, confirm: Confirm) -> Result:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.02)
        with lock:
            at_work -= 1
        return applied(loaded, confirm)

    watcher = Silent()
    outcomes = Fleet(stacks, work, watcher, jobs=2, ask=lambda _summaries, _through: True).run()

    assert most == 2
    assert statuses(outcomes) == [Status.APPLIED] * 6
    assert [outcome.loaded for outcome in outcomes] == stacks
    assert sorted(watcher.ended_stacks) == [loaded.manifest.name for loaded in stacks]


def test_one_question_for_all_when_all_is_known(stacks: list[LoadedManifest]) -> None:
    asked: list[tuple[list[str], list[Status]]] = []

    def work(loaded: LoadedManifest, confirm: Confirm) -> Result:
        if loaded.manifest.name == "stack-1":
            raise SafetyError("not this one")
        return (
            result(loaded, changed=False) if loaded.manifest.name == "stack-2" else applied(loaded, confirm)
        )

    def ask(summaries: Sequence[Summary], through: Sequence[Outcome]) -> bool:
        asked.append(([summary.stack for summary in summaries], sorted(statuses(through))))
        return True

    outcomes = Fleet(stacks, work, Silent(), jobs=1, ask=ask).run()

    assert asked == [(["stack-0", "stack-3", "stack-4", "stack-5"], [Status.FAILED, Status.UNCHANGED])]
    assert statuses(outcomes)[:3] == [Status.APPLIED, Status.FAILED, Status.UNCHANGED]


def test_nothing_to_ask_asks_nothing(stacks: list[LoadedManifest]) -> None:
    def ask(_summaries: Sequence[Summary], _through: Sequence[Outcome]) -> bool:
        raise AssertionError("asked all the same")

    outcomes = Fleet(
        stacks, lambda loaded, _confirm: result(loaded, changed=False), Silent(), jobs=2, ask=ask
    ).run()

    assert set(statuses(outcomes)) == {Status.UNCHANGED}


def test_whatever_the_question_raises_ends_all_in_order(stacks: list[LoadedManifest]) -> None:
    done: list[bool] = []

    def work(loaded: LoadedManifest, confirm: Confirm) -> Result:
        done.append(confirm(result(loaded).summary))
        return result(loaded, done=False)

    def ask(_summaries: Sequence[Summary], _through: Sequence[Outcome]) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Fleet(stacks, work, Silent(), jobs=2, ask=ask).run()
    assert done == [False] * 6
    assert threading.active_count() == 1 or not any(
        thread.name.startswith("stack") for thread in threading.enumerate()
    )


def test_any_failure_is_of_its_stack_alone(stacks: list[LoadedManifest]) -> None:
    def work(loaded: LoadedManifest, confirm: Confirm) -> Result:
        if loaded.manifest.name == "stack-3":
            raise ZeroDivisionError
        return applied(loaded, confirm)

    outcomes = Fleet(stacks, work, Silent(), jobs=3).run()

    assert [outcome.stack for outcome in outcomes if outcome.status is Status.FAILED] == ["stack-3"]
    assert statuses(outcomes).count(Status.APPLIED) == 5


def test_fail_fast_asks_nothing_after_a_failure(stacks: list[LoadedManifest]) -> None:
    def work(loaded: LoadedManifest, confirm: Confirm) -> Result:
        if loaded.manifest.name == "stack-0":
            raise SafetyError("no")
        return applied(loaded, confirm)

    outcomes = Fleet(stacks, work, Silent(), jobs=1, fail_fast=True, ask=lambda _s, _t: True).run()

    assert statuses(outcomes) == [Status.FAILED, *[Status.SKIPPED] * 5]


def test_the_worst_exit_code_is_what_may_be_half_done() -> None:
    assert worst([]) == 0
    assert worst([0, 2, 0]) == 2
    assert worst([3, 4, 6, 2]) == 6
    assert worst([6, 5]) == 5
    assert worst([5, 1]) == 1
    assert worst([1, 130]) == 130


def test_reports_hold_what_came_of_each(stacks: list[LoadedManifest], tmp_path: Path) -> None:
    outcomes = (
        Outcome(stacks[0], Status.APPLIED, 1.5, result=result(stacks[0])),
        Outcome(stacks[1], Status.FAILED, 0.5, error=SafetyError("no \x1b[1m <b>&", hint="do this")),
        Outcome(stacks[2], Status.SKIPPED, 0.0),
    )
    codes = {"stack-0": 0, "stack-1": 6, "stack-2": 0}
    report = Report(
        "apply", "2026-01-01T00:00:00+00:00", 2.0, 2, 6, outcomes, codes, 4, ("something is gone",)
    )
    targets = [
        check_report_path(str(tmp_path / "deep" / f"r{suffix}")) for suffix in (".json", ".md", ".xml")
    ]

    write_report(report, targets)

    data = json.loads(targets[0].read_text())
    assert [stack["status"] for stack in data["stacks"]] == ["applied", "failed", "skipped"]
    assert data["stacks"][1]["error"]["hint"] == "do this"
    assert (data["exit_code"], data["unchanged_inputs"], data["gone"]) == (6, 4, ["something is gone"])
    assert "| `stack-1` | failed |" in targets[1].read_text()
    assert "something is gone" in targets[1].read_text()
    suite = ET.parse(targets[2]).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert suite.findtext("testcase/failure") == "no [1m <b>&"


def test_a_report_without_a_form_is_refused_before_anything_runs() -> None:
    with pytest.raises(InputError, match="no report is written as"):
        check_report_path("report.pdf")
