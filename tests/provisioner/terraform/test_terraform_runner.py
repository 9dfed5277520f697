"""The runner: a process of its own, a file it writes, and whoever follows it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from provisioner.errors import Diagnostic, UpstreamError
from provisioner.terraform.runner import ProcessId, Run, follow
from provisioner.terraform.stream import Event, StreamResult

DIAGNOSTIC = json.dumps({"type": "diagnostic", "diagnostic": {"severity": "error", "summary": "No"}})


def shell(tmp_path: Path, script: str) -> Run:
    """A run of a shell script in Terraform's place."""
    environment = {"PATH": os.environ["PATH"]}
    return Run(["sh", "-c", script], cwd=tmp_path, environment=environment, log=tmp_path / "logs" / "x.log")


def test_its_code_its_events_and_its_text(tmp_path: Path) -> None:
    events: list[Event] = []

    code, stream = shell(tmp_path, f"echo '{DIAGNOSTIC}'; echo crash >&2; exit 3").complete(events.append)

    assert code == 3
    assert events == [Diagnostic("error", "No", "")]
    assert stream.text == ["crash"]


def test_it_writes_to_a_file_of_this_user_alone_and_never_to_a_pipe(tmp_path: Path) -> None:
    run = shell(tmp_path, "ls -l /proc/self/fd/ | cat; umask; touch made")
    run.complete()

    assert stat.S_IMODE(run.log.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o600
    assert stat.S_IMODE(run.log.parent.stat().st_mode) == 0o700


def test_it_has_a_session_of_its_own_and_no_input(tmp_path: Path) -> None:
    run = shell(tmp_path, 'cut -d" " -f6 /proc/$$/stat; echo $$; cat')
    run.complete()

    session, pid = run.log.read_text().split()
    assert session == pid


def test_who_it_is_is_told_before_it_ends(tmp_path: Path) -> None:
    noted: list[ProcessId] = []

    shell(tmp_path, "sleep 0.2").complete(on_start=noted.append)

    (process,) = noted
    assert abs(process.started - time.time()) < 60
    assert not process.alive()


def test_a_listener_that_fails_does_not_stop_the_following(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_event: Event) -> None:
        raise BrokenPipeError

    code, stream = shell(tmp_path, f"echo '{DIAGNOSTIC}'; echo '{DIAGNOSTIC}'; touch done").complete(fail)

    assert code == 0
    assert len(stream.diagnostics) == 2
    assert (tmp_path / "done").exists()
    assert [record.getMessage() for record in caplog.records] == ["no more progress is shown"]


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    run = Run(["/nowhere/terraform"], cwd=tmp_path, environment={}, log=tmp_path / "x.log")

    with pytest.raises(UpstreamError, match="/nowhere/terraform could not be started"):
        run.complete()


def test_a_log_that_is_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "x.log").symlink_to(tmp_path / "victim")

    with pytest.raises(OSError, match="symbolic link"):
        shell(tmp_path, "true").complete()

    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda stop: stop.name)
def test_a_signal_is_handed_on_as_an_interrupt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stop: signal.Signals
) -> None:
    run = shell(tmp_path, 'trap "echo stopped; exit 7" INT; touch ready; while :; do sleep 0.05; done')
    before = signal.getsignal(stop)
    threading.Thread(target=_send_when_ready, args=(tmp_path / "ready", stop)).start()

    code, stream = run.complete()

    assert (code, run.interrupted, stream.text) == (7, True, ["stopped"])
    assert caplog.records[0].getMessage() == f"{stop.name}: asking Terraform to stop cleanly"
    assert signal.getsignal(stop) is before


def _send_when_ready(ready: Path, stop: signal.Signals) -> None:
    while not ready.exists():
        time.sleep(0.01)
    os.kill(os.getpid(), stop)


def test_following_reads_lines_that_arrive_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "log"
    half = len(DIAGNOSTIC) // 2
    pieces = [DIAGNOSTIC[:half], DIAGNOSTIC[half:] + "\n", "", "tail without an end"]
    log.write_text("")
    result = StreamResult()

    def running() -> bool:
        with log.open("a") as stream:
            stream.write(pieces.pop(0))
        return bool(pieces)

    events = list(follow(log, result, running))

    assert events == [Diagnostic("error", "No", "")]
    assert result.text == ["tail without an end"]


def test_following_survives_bytes_that_are_no_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\xff\xfe\n" + DIAGNOSTIC.encode() + b"\n\xff")
    result = StreamResult()

    assert len(list(follow(log, result, lambda: False))) == 1
    assert len(result.text) == 2


def test_a_process_is_told_apart_from_a_later_one_of_the_same_number() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        import psutil

        started = psutil.Process(process.pid).create_time()
        assert ProcessId(process.pid, started).alive()
        assert not ProcessId(process.pid, started - 60).alive()
    finally:
        process.communicate(b"\n")
    assert not ProcessId(process.pid, started).alive()
