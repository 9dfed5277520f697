"""Decode Terraform's ``-json`` stream into typed events.

The format is documented by Terraform («machine-readable UI»); unknown types are skipped, as it asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.errors import Diagnostic

MASKED = "(sensitive)"
"""Stands wherever a value is that nobody may read."""


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that a plan or an apply touches; ``action`` in Terraform's words: create, update, …"""

    address: str
    type: str
    action: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Something happened to a resource: ``phase`` is start, progress, complete or errored."""

    address: str
    action: str
    phase: str
    elapsed_seconds: float


Event = Change | Progress | Diagnostic


@dataclass
class StreamResult:
    """What a whole stream told, whether it was watched live or read afterwards from its log."""

    version: str | None = None
    program: str = "terraform"
    planned: list[Change] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    """The addresses of what the state holds, and a plan has not found."""
    diagnostics: list[Diagnostic] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    outputs_seen: bool = False
    operation: str | None = None
    """The operation of the closing summary: set only when Terraform says that it has finished it."""
    text: list[str] = field(default_factory=list)
    """Lines that were not JSON: what a crash or an old engine wrote."""
    undecoded: list[str] = field(default_factory=list)
    """Lines of a known type whose content is not as documented."""

    @property
    def engine(self) -> str | None:
        """The program that wrote the stream, and its version: ``terraform 1.11.4``."""
        return f"{self.program} {self.version}" if self.version else None

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that made the run fail, each once."""
        return tuple(dict.fromkeys(d for d in self.diagnostics if d.severity == "error"))

    @property
    def finished(self) -> bool:
        """Whether an apply said that it was complete, without an error."""
        return self.operation in {"apply", "destroy"} and not self.errors

    def feed(self, line: str) -> Event | None:
        """Take one line of the stream; the event it holds, if it is one to show."""
        line = line.strip()
        if not line:
            return None
        try:
            message = json.loads(line)
        except ValueError:
            self.text.append(line)
            return None
        if not isinstance(message, dict):
            self.text.append(line)
            return None
        try:
            return self._take(message)
        except (AttributeError, KeyError, TypeError, ValueError):
            # A later version may say it in another way. The run is not ours to stop, but a plan with such a
            # line in it is not understood.
            self.text.append(line)
            self.undecoded.append(line)
            return None

    def _take(self, message: Mapping[str, Any]) -> Event | None:
        kind = message.get("type")
        if kind == "version":
            self.program = "tofu" if "tofu" in message else "terraform"
            self.version = message.get(self.program)
        elif kind == "planned_change":
            change = _change(message["change"])
            self.planned.append(change)
            return change
        elif kind == "resource_drift":
            drifted = _change(message["change"])
            if drifted.action == "delete":
                self.vanished.append(drifted.address)
        elif kind == "change_summary":
            self.operation = message["changes"].get("operation")
        elif kind == "outputs":
            self._take_outputs(message["outputs"])
        elif kind == "diagnostic":
            diagnostic = _diagnostic(message["diagnostic"])
            self.diagnostics.append(diagnostic)
            return diagnostic
        elif isinstance(kind, str) and kind.startswith("apply_"):
            return _progress(kind, message["hook"])
        return None

    def _take_outputs(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        if any("action" in output for output in outputs.values()):
            return  # of a plan: what would change, not what is
        values = {
            name: MASKED if output.get("sensitive") else output["value"] for name, output in outputs.items()
        }
        self.outputs, self.outputs_seen = values, True


def decode(lines: Iterable[str]) -> StreamResult:
    """A whole stream at once, as for a log that was written while nobody watched."""
    result = StreamResult()
    for line in lines:
        result.feed(line)
    return result


def _change(change: Mapping[str, Any]) -> Change:
    resource = change["resource"]
    return Change(resource["addr"], resource["resource_type"], change["action"], change.get("reason"))


def _progress(kind: str, hook: Mapping[str, Any]) -> Progress:
    phase = kind.removeprefix("apply_")
    elapsed = float(hook.get("elapsed_seconds", 0))
    return Progress(hook["resource"]["addr"], hook.get("action", ""), phase, elapsed)


def _diagnostic(diagnostic: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(
        severity=diagnostic.get("severity", "error"),
        summary=diagnostic.get("summary", ""),
        detail=diagnostic.get("detail", ""),
        address=diagnostic.get("address") or None,
    )
