"""The command line within the test's own process: quick, and with the fixtures' environment around it."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from world import Done

from provisioner.cli import cli
from provisioner.cli.run import run
from stacks import Client

sys.path.insert(0, str(Path(__file__).parents[1] / "stacks"))  # the AWS of the runtime's own tests

from aws import Aws, running_server

__all__ = ["ALL_OF_S3", "Aws", "CommandLine", "aws", "aws_server", "nothing_of_the_machine", "provision"]

ALL_OF_S3 = ("s3:*", "sts:*")
"""What a user may do who may do everything with buckets, and ask for sessions."""


@dataclass(frozen=True)
class CommandLine:
    """A folder with a home and a state file, and commands that run in it."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def __call__(self, line: str, *more: str, expect: int = 0, stdin: str = "") -> Done:
        """Runs what stands behind ``provision``, as a shell would split it; fails unless it exits so."""
        self.capfd.readouterr()
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        self.monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # a process of its own would have none yet
        code = run(cli, [*shlex.split(line), *more], "provision")
        done = Done(code, *self.capfd.readouterr())
        assert done.code == expect, f"exit {done.code}, not {expect}, of {line!r}\n{done.said}"
        return done

    def process(self, *argv: str, stdin: str = "", **environment: str) -> Done:
        """The same as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "provisioner", *argv],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, **environment},
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @property
    def client(self) -> Client:
        """What is registered."""
        return Client()

    @property
    def home(self) -> Path:
        """The folder of the state file and the secrets."""
        return Path(os.environ["STACKS_STATE"]).parent

    def environment(self, **variables: str) -> None:
        """Sets environment variables for the rest of the test."""
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def profiles(self, config: str, credentials: str = "") -> None:
        """What the files of the AWS command line hold."""
        Path(os.environ["AWS_CONFIG_FILE"]).write_text(config)
        Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text(credentials)


def nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Nothing of the machine's user reaches a test, and nothing of a test reaches the user."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "STACKS_", "GOOGLE_", "AZURE_", "CLOUDSDK_", "PIP_")):
            monkeypatch.delenv(name)
    own: Mapping[str, Any] = {
        "HOME": home,
        "XDG_CONFIG_HOME": home / ".config",
        "STACKS_STATE": home / "stacks" / "state.json",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": home / "aws-config",
        "AWS_SHARED_CREDENTIALS_FILE": home / "aws-credentials",
        "PYTHONWARNINGS": "error",
    }
    for name, value in own.items():
        monkeypatch.setenv(name, str(value))


@pytest.fixture
def provision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> CommandLine:
    """`provision`, in an empty world."""
    home = tmp_path / "home"
    home.mkdir()
    nothing_of_the_machine(monkeypatch, home)
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path, monkeypatch, capfd)


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """One AWS for all tests."""
    with running_server(tmp_path_factory.mktemp("aws")) as server:
        yield server


@pytest.fixture
def aws(aws_server: Aws) -> Aws:
    """An empty AWS."""
    aws_server.reset()
    return aws_server
