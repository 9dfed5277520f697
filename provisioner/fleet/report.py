"""What came of many stacks, for a machine (JSON, JUnit) or a person (Markdown), in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree as ET

from provisioner.errors import InputError, ProvisionError
from provisioner.fleet.outcome import Outcome, Status
from provisioner.output_files import check_output, write_output

_BAD = frozenset({Status.FAILED, Status.DENIED})
ACTIONS = ("create", "update", "delete", "replace")


@dataclass(frozen=True, slots=True)
class Report:
    """One command over many stacks. ``codes`` has the exit code of each stack, by its name."""

    command: str
    started: str
    seconds: float
    jobs: int
    exit_code: int
    outcomes: tuple[Outcome, ...]
    codes: Mapping[str, int]
    unchanged_inputs: int = 0
    """Stacks that ``--changed-since`` left out."""
    gone: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The stable form."""
        return {
            "format": 1,
            "command": self.command,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "jobs": self.jobs,
            "exit_code": self.exit_code,
            "unchanged_inputs": self.unchanged_inputs,
            "gone": list(self.gone),
            "stacks": [self._stack(outcome) for outcome in self.outcomes],
        }

    def _stack(self, outcome: Outcome) -> dict[str, Any]:
        error = outcome.error
        hint = getattr(error, "hint", None)
        return {
            "stack": outcome.stack,
            "manifest": str(outcome.loaded.path),
            "status": str(outcome.status),
            "exit_code": self.codes[outcome.stack],
            "seconds": round(outcome.seconds, 3),
            "summary": outcome.summary.to_json() if outcome.summary is not None else None,
            "error": None if error is None else {"message": message_of(error), "hint": hint},
        }


def message_of(error: Exception) -> str:
    """An error in one text: what the user of a single stack would have read."""
    return str(error) if isinstance(error, ProvisionError) else (str(error) or type(error).__name__)


def counts(outcome: Outcome) -> tuple[int, ...] | None:
    """How much is (or for a drift: would be) created, changed, destroyed and replaced; None where unknown."""
    summary = outcome.summary
    if summary is None:
        return None
    changes = summary.drift if summary.operation == "drift" else summary.changes
    return tuple(sum(change.action == action for change in changes) for action in ACTIONS)


def as_json(report: Report) -> str:
    """The report as one JSON document."""
    return json.dumps(report.to_json(), indent=2, ensure_ascii=False, default=str) + "\n"


def as_markdown(report: Report) -> str:
    """The report as a table, and under it what went wrong."""
    lines = [
        "| stack | result | create | change | destroy | replace | seconds |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for outcome in report.outcomes:
        numbers = [str(number) for number in counts(outcome) or ()] or [""] * len(ACTIONS)
        cells = [f"`{outcome.stack}`", str(outcome.status), *numbers, f"{outcome.seconds:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    for outcome in report.outcomes:
        if outcome.status in _BAD:
            lines += ["", f"**`{outcome.stack}`** ({outcome.loaded.path})", ""]
            lines += [f"    {line}" for line in _wrong(outcome)]
    lines += [f"\n{sentence}" for sentence in report.gone]
    return "\n".join(lines) + "\n"


def as_junit(report: Report) -> str:
    """The report as JUnit XML, as CI systems show it: one case for each stack."""
    failed = sum(outcome.status in _BAD for outcome in report.outcomes)
    skipped = sum(outcome.status in {Status.SKIPPED, Status.INTERRUPTED} for outcome in report.outcomes)
    suite = ET.Element(
        "testsuite",
        name=f"provision {report.command}",
        tests=str(len(report.outcomes)),
        failures=str(failed),
        skipped=str(skipped),
        time=f"{report.seconds:.3f}",
        timestamp=report.started,
    )
    for outcome in report.outcomes:
        case = ET.SubElement(
            suite,
            "testcase",
            name=outcome.stack,
            classname=str(outcome.loaded.path),
            time=f"{outcome.seconds:.3f}",
        )
        if outcome.status in _BAD:
            kind = type(outcome.error).__name__ if outcome.error is not None else "Policy"
            ET.SubElement(case, "failure", type=kind).text = _printable("\n".join(_wrong(outcome)))
        elif outcome.status in {Status.SKIPPED, Status.INTERRUPTED}:
            ET.SubElement(case, "skipped", message=str(outcome.status))
    ET.indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suite, encoding="unicode")}\n'


def _wrong(outcome: Outcome) -> list[str]:
    """What is wrong with a stack: its error, or what a policy does not allow."""
    if outcome.error is not None:
        return message_of(outcome.error).splitlines()
    findings = outcome.summary.findings if outcome.summary is not None else ()
    return [str(finding) for finding in findings if finding.level == "deny"]


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(character for character in text if character >= " " or character in "\n\t")


_FORMS: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {".json": as_json, ".md": as_markdown, ".xml": as_junit}
)


def check_report_path(path: str) -> Path:
    """Where a report will go.

    Raises :class:`InputError` for a kind of file that there is no form for, and for one that could not be
    written: what it would tell is not done yet.
    """
    target = Path(path)
    if target.suffix not in _FORMS:
        raise InputError(
            f"--report {path}: no report is written as {target.suffix or 'a file without a suffix'}",
            hint=f"let the name end in one of: {', '.join(_FORMS)} (JSON, Markdown, JUnit)",
        )
    check_output(target)
    return target


def write_report(report: Report, targets: Sequence[Path]) -> list[InputError]:
    """Write it to each of ``targets``, in the form that its suffix names; what could not be written."""
    wrong = []
    for target in targets:
        try:
            write_output(target, _FORMS[target.suffix](report))
        except InputError as error:
            wrong.append(error)
    return wrong
