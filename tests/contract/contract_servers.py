"""Running services for the contract: each is started on a free loopback port, waited for, and stopped."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def tool(name: str) -> str:
    """A program of the environment that runs the tests; the test is skipped when it is not there."""
    found = Path(sys.executable).parent / name
    if not found.exists():
        pytest.skip(f"{name} is not installed: pip install -e '.[dev]'")
    return str(found)


@contextmanager
def running(
    command: Sequence[str], url: str, log: Path, *, env: Mapping[str, str] | None = None, seconds: float = 60
) -> Iterator[None]:
    """The service, from its first answer on; exactly this process is stopped at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=env, start_new_session=True)
    try:
        wait_for(url, process, log, seconds)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return  # it answers: that is what was asked
        except OSError:
            time.sleep(0.1)
        else:
            return
    said = log.read_text(errors="replace")[-2000:]
    pytest.fail(f"{process.args!r} did not answer at {url}: {said}")
