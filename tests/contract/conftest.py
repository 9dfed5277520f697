"""One fixture per question: ``rig`` is where, ``scene`` a fresh store there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import contract_rigs as rigs
import pytest

RIGS: dict[str, Callable[[Path], AbstractContextManager[rigs.Rig]]] = {
    "local": rigs.local_rig,
    "custom": rigs.custom_rig,
    "moto": rigs.moto_rig,
    "rclone": rigs.rclone_rig,
    "gcs": rigs.gcs_rig,
    "azure": rigs.azure_rig,
    "ceph": rigs.ceph_rig,
}
SLOW = {"ceph"}


def _params(*names: str) -> list[Any]:
    return [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in names]


Start = Callable[[str], rigs.Rig]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a rig when the first test needs it, and stops all of them at the end."""
    running: dict[str, rigs.Rig] = {}
    with ExitStack() as stack:

        def get(name: str) -> rigs.Rig:
            if name not in running:
                running[name] = stack.enter_context(RIGS[name](tmp_path_factory.mktemp(name)))
            return running[name]

        yield get


@pytest.fixture(params=_params(*RIGS))
def rig(request: pytest.FixtureRequest, start: Start) -> rigs.Rig:
    return start(request.param)


@pytest.fixture
def moto(start: Start) -> rigs.Rig:
    return start("moto")


@pytest.fixture(params=_params("moto", "rclone", "ceph"))
def s3(request: pytest.FixtureRequest, start: Start) -> rigs.Scene:
    """A fresh store on every rig that speaks S3."""
    rig = start(request.param)
    store, prefix = rig.fresh(name="mine")
    return rigs.Scene(store, prefix, rig)


@pytest.fixture
def scene(rig: rigs.Rig) -> rigs.Scene:
    store, prefix = rig.fresh(name="contract")
    return rigs.Scene(store, prefix, rig)


@pytest.fixture(autouse=True)
def _hermetic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, configuration or home of the machine that runs the tests."""
    for name in (
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("STACKS_STATE", str(tmp_path / "state.json"))
