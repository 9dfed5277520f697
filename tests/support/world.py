"""The product as a user runs it: its command line, in a process and a world of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

# What a local store's shell script needs; nothing else of the machine is on the PATH of a test.
_TOOLS = ("cat", "chmod", "env", "ls", "mkdir", "rm", "rmdir", "sh", "sleep")
_PATIENCE = 300.0


class UnexpectedEndError(AssertionError):
    """A command ended otherwise than the test expected; the message holds all it said."""


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote to stdout, as JSON."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """All that it wrote."""
        return f"{self.out}\n{self.err}"


@dataclass
class World:
    """A folder with a home, a state file, a PATH and an environment of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    @classmethod
    def create(cls, folder: Path, terraform: Path | None, **environment: str) -> World:
        """A new world; ``terraform`` is the one on its PATH, None for none but the engine extra."""
        tools = folder / "bin"
        tools.mkdir(parents=True)
        for name in _TOOLS:
            found = shutil.which(name)
            if found is None:
                raise RuntimeError(f"{name} is not on the PATH of this machine")
            (tools / name).symlink_to(found)
        if terraform is not None:
            (tools / terraform.name).symlink_to(terraform)
        home = folder / "home"
        home.mkdir()
        own = {
            "PATH": str(tools),
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "STACKS_STATE": str(folder / "state" / "state.json"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return cls(folder, {**own, **environment})

    # --- places ---------------------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        """The folder of the state file, with all that belongs to it."""
        return Path(self.environment["STACKS_STATE"]).parent

    def workspace(self, stack: str = "demo") -> Path:
        """Where a stack's Terraform root, journal and logs lie."""
        return self.home / "workspaces" / stack

    def terraform_state(self, stack: str = "demo") -> Path:
        """Terraform's own state of a stack."""
        return self.workspace(stack) / "root" / "terraform.tfstate"

    def state(self) -> dict[str, Any]:
        """What the runtime's state file says."""
        path = Path(self.environment["STACKS_STATE"])
        return json.loads(path.read_text()) if path.exists() else {}

    def registered(self) -> list[str]:
        """The names of the artifact stores in the state file."""
        return sorted(record["name"] for record in self.state().get("artifact_stores", ()))

    def manifest(self, file: str = "stack.yaml", **fields: Any) -> Path:
        """A manifest with these fields; JSON is YAML."""
        path = self.folder / file
        path.write_text(json.dumps({"version": 1, "name": "demo", **fields}, indent=1))
        return path

    # --- commands -------------------------------------------------------------------------------------

    def start(
        self, *argv: str | Path, environment: Mapping[str, str] | None = None, **popen: Any
    ) -> subprocess.Popen[str]:
        """Start a command and do not wait for it."""
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **popen,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "provisioner", *map(str, argv)],
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            text=True,
            **options,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what a test that failed has left: the commands, and the Terraform that outlives them."""
        for process in self._started:
            process.kill()  # of one that has ended, nothing
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self.kill()

    def kill(self, chosen: Callable[[psutil.Process], bool] = lambda _process: True) -> None:
        """SIGKILL to what still runs here and is ``chosen``; what ends meanwhile by itself is gone, too."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                if chosen(process):
                    process.kill()

    def processes(self) -> list[psutil.Process]:
        """What still runs with a working directory in this world: commands, Terraform, its shells."""
        return [
            process
            for process in psutil.process_iter(["cwd", "cmdline", "name"])
            if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(self.folder)
        ]

    def provision(
        self, *argv: str | Path, expect: int | None = 0, environment: Mapping[str, str] | None = None
    ) -> Done:
        """Run a command to its end; raises UnexpectedEndError unless it exits with ``expect``."""
        return ended(self.start(*argv, environment=environment), expect)

    def slow(self, name: str = "mkdir") -> Gate:
        """Make a tool of local stores wait in front of a gate: a store's creation, while Terraform runs."""
        folder = self.folder / f"slow-{name}"
        folder.mkdir()
        gate = Gate(folder / "reached", folder / "open", {"PATH": f"{folder}:{self.environment['PATH']}"})
        script = folder / name
        script.write_text(
            f"#!/bin/sh\necho $$ > '{gate.reached}'\n"
            f"n=0; while [ ! -e '{gate.opened}' ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done\n"
            f'exec {Path(self.environment["PATH"]) / name} "$@"\n'
        )
        script.chmod(0o755)
        return gate


@dataclass(frozen=True)
class Gate:
    """A point that Terraform has to pass in the middle of an apply; closed until ``open``.

    ``environment`` has to be given to the command that is to stop there.
    """

    reached: Path
    opened: Path
    environment: dict[str, str]

    def wait(self) -> None:
        """Until Terraform stands in front of it."""
        wait_until(self.reached.exists, "Terraform to reach the gate")

    def open(self) -> None:
        """Let it pass, now and later."""
        self.opened.touch()


def ended(process: subprocess.Popen[str], expect: int | None = 0) -> Done:
    """Wait for a command; raises UnexpectedEndError unless it exits with ``expect``."""
    out, err = process.communicate(timeout=_PATIENCE)
    done = Done(process.returncode, out or "", err or "")
    if expect is not None and done.code != expect:
        raise UnexpectedEndError(
            f"{process.args!r} exited {done.code}, not {expect}\n"
            f"--- stdout\n{done.out}\n--- stderr\n{done.err}"
        )
    return done


def wait_until(holds: Callable[[], Any], what: str, seconds: float = 180) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs, and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def own_environment(**extra: str) -> dict[str, str]:
    """The least that a Python process of the tests needs."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **extra}
