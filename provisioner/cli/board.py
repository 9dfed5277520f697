"""How far each of many stacks is: one line for each that moves on a terminal, plain lines anywhere else."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from provisioner.cli.options import say
from provisioner.cli.show import coloured
from provisioner.errors import Diagnostic
from provisioner.fleet.outcome import Outcome, Status
from provisioner.manifest import LoadedManifest
from provisioner.terraform.stream import Change, Event, Progress

_REDRAWN_EVERY = 0.1
_COLOURS = {
    Status.FAILED: "red",
    Status.DENIED: "red",
    Status.INTERRUPTED: "yellow",
    Status.SKIPPED: "yellow",
    Status.DECLINED: "yellow",
    Status.CHANGES: "yellow",
    Status.DRIFTED: "yellow",
}
_TITLES = {"create": "creating", "update": "changing", "delete": "destroying", "replace": "replacing"}


@dataclass
class _Line:
    """One stack at work: since when, and what it is at."""

    since: float
    text: str = "planning"
    found: int = 0


def finished_line(outcome: Outcome) -> str:
    """How a stack came out, in one line."""
    text = f"{outcome.stack}: {outcome.status}"
    if outcome.error is not None:
        text += f": {str(outcome.error).strip().splitlines()[0] if str(outcome.error) else outcome.error!r}"
    return f"{text} ({outcome.seconds:.1f} s)"


class Board:
    """Shows many stacks at work. Its methods may be called from any thread, ``tick`` and ``shown`` apart."""

    def __init__(self, total: int, *, moving: bool | None = None) -> None:
        self.moving = sys.stderr.isatty() if moving is None else moving
        self._total = total
        self._ended = 0
        self._lines: dict[str, _Line] = {}
        self._lock = threading.RLock()
        self._drawn = 0
        self._drawn_at = 0.0

    # --- what the threads tell ------------------------------------------------------------------------

    def began(self, loaded: LoadedManifest) -> None:
        """A stack is being worked on now."""
        with self._lock:
            self._lines[loaded.manifest.name] = _Line(time.monotonic())

    def ended(self, outcome: Outcome) -> None:
        """A stack is through."""
        with self._lock:
            self._lines.pop(outcome.stack, None)
            self._ended += 1
            # A colour for what needs eyes; the rest is as it should be.
            colour = _COLOURS.get(outcome.status, "green")
            self._above(coloured(finished_line(outcome), colour, err=True))

    def event(self, stack: str, event: Event) -> None:
        """Terraform told of something."""
        with self._lock:
            line = self._lines.get(stack)
            if isinstance(event, Diagnostic):
                if event.severity == "warning":
                    self._above(coloured(f"{stack}: warning: {event.summary}", "yellow", err=True))
            elif line is not None and isinstance(event, Change):
                line.found += event.action not in {"noop", "no-op", "read"}
                line.text = f"planning: {line.found} changes so far"
            elif isinstance(event, Progress) and event.action != "read":
                self._progress(stack, line, event)

    def said(self, stack: str, text: str) -> None:
        """A step of a stack that its user should hear of."""
        with self._lock:
            line = self._lines.get(stack)
            if line is not None:
                line.text = text
            if not (self.moving and text.startswith("terraform ")):  # a step, which its line has told already
                self._above(f"{stack}: {text}")

    def _progress(self, stack: str, line: _Line | None, event: Progress) -> None:
        name = event.address.removeprefix("module.")
        if line is not None and event.phase in {"start", "progress"}:
            line.text = f"{_TITLES.get(event.action, event.action)} {name}"
        if event.phase == "errored":
            self._above(coloured(f"{stack}: {name} failed", "red", err=True))
        elif event.phase == "complete" and not self.moving:
            say(f"{stack}: {name}: {event.action} done ({event.elapsed_seconds:.0f} s)")

    # --- on the terminal ------------------------------------------------------------------------------

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the lines in place while the context lasts; what is logged meanwhile goes above them."""
        handlers = [item for item in logging.getLogger().handlers if isinstance(item, logging.StreamHandler)]
        streams = [handler.setStream(_Above(self)) for handler in handlers] if self.moving else []
        try:
            yield
        finally:
            for handler, stream in zip(handlers, streams, strict=False):
                handler.setStream(stream)
            self.clear()

    def tick(self) -> None:
        """Draw the lines anew, when it is time."""
        with self._lock:
            if self.moving and time.monotonic() - self._drawn_at >= _REDRAWN_EVERY:
                self._draw()

    def clear(self) -> None:
        """Take the lines away."""
        with self._lock:
            self._write(self._erased())

    def _above(self, text: str) -> None:
        if not self.moving:
            say(text)
            return
        self._write(f"{self._erased()}{text}\n")
        self._draw()

    def _erased(self) -> str:
        """What takes the cursor up to the first line and blanks all below."""
        drawn, self._drawn = self._drawn, 0
        return f"\x1b[{drawn}F\x1b[J" if drawn else ""

    def _draw(self) -> None:
        width, height = shutil.get_terminal_size()
        now = time.monotonic()
        lines = [
            f"  {name}  {line.text}  {now - line.since:.0f} s" for name, line in sorted(self._lines.items())
        ]
        room = max(1, height - 3)
        if len(lines) > room:
            lines = [*lines[: room - 1], f"  and {len(lines) - room + 1} more"]
        if lines:
            lines.append(f"  {self._ended} of {self._total} done")
        text = self._erased() + "".join(f"{line[: width - 1]}\n" for line in lines)
        self._drawn, self._drawn_at = len(lines), now
        self._write(text)

    def _write(self, text: str) -> None:
        if not text:
            return
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            self.moving = False  # the terminal has gone; the work goes on


@dataclass
class _Above:
    """A stream for loggers: whole lines, put above the board."""

    board: Board
    rest: str = field(default="")

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.board._above(line)  # noqa: SLF001  # a part of the board that loggers know as a stream
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""
        sys.stderr.flush()
