"""Workflow commands of GitHub Actions: what shows up at a line of a file in a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.summary import Finding, Summary


def annotation(level: str, text: str, file: str = "", line: int = 0, column: int = 0) -> str:
    """A workflow command of GitHub Actions, with its own escapes: ``level`` is error, warning or notice."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    file = file.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    file = file.replace(",", "%2C").replace(":", "%3A")
    where = f" file={file},line={line},col={column}" if file else ""
    return f"::{level}{where}::{text}"


def summary_annotations(summaries: Sequence[Summary]) -> Iterator[str]:
    """What deserves a second look and what a policy says, as workflow commands of GitHub Actions."""
    for summary in summaries:
        for danger in summary.dangers:
            yield annotation("warning", f"{summary.stack}: {danger.component}: {danger.text}")
        for finding in summary.findings:
            yield finding_annotation(finding)


def finding_annotation(finding: Finding) -> str:
    """One finding, at its line."""
    level = "error" if finding.level == "deny" else "warning"
    text = f"{finding.rule}: {finding.message}"
    return annotation(level, text, finding.file, finding.line, finding.column)
