"""Every test of the runtime library has a home and a cloud environment of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own helpers: tests are no package

from aws import Aws, running_server


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's user reaches a test, and nothing of a test reaches the user."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("AWS_", "STACKS_", "GOOGLE_", "AZURE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "no-aws-credentials"))


@pytest.fixture(scope="session")
def _aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with running_server(tmp_path_factory.mktemp("aws")) as server:
        yield server


@pytest.fixture
def aws(_aws_server: Aws) -> Aws:
    """An empty AWS."""
    _aws_server.reset()
    return _aws_server
