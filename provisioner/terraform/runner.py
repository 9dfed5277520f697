"""Run Terraform so that nothing which happens to us can hurt its state.

Its output goes to a file that is followed, never to a pipe: a Terraform whose reader has died is killed by
SIGPIPE in the middle of an apply. It runs in a session of its own, so it survives us; whoever comes next
finds it by process id and start time, and follows the same file. We never send SIGKILL.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import psutil

from provisioner.errors import UpstreamError
from provisioner.terraform.crowd import CROWD, SIGNALS
from provisioner.terraform.stream import Event, StreamResult

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.02

OnEvent = Callable[[Event], None]
OnStart = Callable[["ProcessId"], None]


def ignore_event(_event: Event) -> None:
    """The listener of those who do not want to hear."""


def ignore_start(_process: ProcessId) -> None:
    """For runs that nobody has to find again."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process, told apart from a later one of the same number by when it started (seconds since 1970)."""

    pid: int
    started: float

    def alive(self) -> bool:
        """Whether this very process still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


class Run:
    """One Terraform process of ours, and the log it writes. ``interrupted``: somebody asked it to stop."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.interrupted = False
        self._argv = list(argv)
        self._cwd = cwd
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()  # a signal may come while the main thread holds it
        self._asked = False

    def interrupt(self) -> None:
        """Ask Terraform to end cleanly, once: a second time it would end at once."""
        with self._lock:
            self.interrupted = True
            if self._process is not None and not self._asked:
                self._asked = True
                self._process.send_signal(signal.SIGINT)

    def complete(
        self, on_event: OnEvent = ignore_event, on_start: OnStart = ignore_start
    ) -> tuple[int, StreamResult]:
        """Start it and follow it to its end; its exit code and all that its stream told.

        ``on_start`` hears who it is before anything else happens, so that it can be noted.
        """
        result = StreamResult()
        # Before the start: a signal in between would leave a Terraform that nobody watches.
        with self._forwarding_signals():
            process = self._start()
            on_start(ProcessId(process.pid, _start_time(process.pid)))
            listener = on_event
            with _pausing(process.pid) as pause:
                for event in follow(self.log, result, lambda: process.poll() is None, pause):
                    listener = _tell(listener, event)
        return process.wait(), result

    def _start(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
        descriptor = os.open(self.log, flags, 0o600)
        try:
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            raise UpstreamError(f"{self._argv[0]} could not be started: {error}") from error
        finally:
            os.close(descriptor)
        if self.interrupted:
            self.interrupt()  # it came before there was a process to send it to
        return self._process

    @contextmanager
    def _forwarding_signals(self) -> Iterator[None]:
        """Give the first signal to Terraform, which then ends cleanly; warn of what a second one risks."""
        if threading.current_thread() is not threading.main_thread():
            with CROWD.joined(self):
                yield
            return

        def forward(number: int, _frame: FrameType | None) -> None:
            if self.interrupted:
                _log.warning(
                    "still waiting for Terraform (process %s) to stop cleanly; killing it now could leave "
                    "resources behind that its state does not know",
                    self._process.pid if self._process else "not started yet",
                )
                return
            _log.warning("%s: asking Terraform to stop cleanly", signal.Signals(number).name)
            self.interrupt()

        # What the caller has us ignore stays ignored: under nohup, a hangup is not meant for us.
        before = {
            number: signal.signal(number, forward)
            for number in SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _tell(listener: OnEvent, event: Event) -> OnEvent:
    """Tell the listener, and return who is to be told next: a listener that fails is told nothing more."""
    try:
        listener(event)
    except Exception:  # noqa: BLE001  # whatever a listener does, Terraform is followed to its end
        _log.warning("no more progress is shown", exc_info=True)
        return ignore_event
    return listener


def _start_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0  # it has ended already, so nobody will look for it


def _pause() -> None:
    time.sleep(_POLL_SECONDS)


@contextmanager
def _pausing(pid: int) -> Iterator[Callable[[], object]]:
    """What waits for a moment, and no longer than until that child ends, where the system tells (Linux)."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield _pause
        return
    ended = select.poll()
    ended.register(descriptor, select.POLLIN)
    try:
        yield lambda: ended.poll(_POLL_SECONDS * 1000)
    finally:
        os.close(descriptor)


def follow(
    log: Path, result: StreamResult, running: Callable[[], bool], pause: Callable[[], object] = _pause
) -> Iterator[Event]:
    """The events of a log as they are written, until the process has ended and all is read."""
    with log.open("rb") as stream:
        rest = b""
        while True:
            # Asked before reading: what is written between the last read and the end is then still read.
            alive = running()
            rest, events = _read_lines(stream, rest, result)
            yield from events
            if not alive:
                break
            if not events:
                pause()
    if rest:
        event = result.feed(rest.decode(errors="replace"))
        if event is not None:
            yield event


def _read_lines(stream: BinaryIO, rest: bytes, result: StreamResult) -> tuple[bytes, list[Event]]:
    *lines, rest = (rest + stream.read()).split(b"\n")
    events = (result.feed(line.decode(errors="replace")) for line in lines)
    return rest, [event for event in events if event is not None]
