"""One fixture per question: ``rig`` is where, ``store`` a fresh store there, ``outside`` another program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import contract_rigs as rigs
import pytest

from stacks.stores.base import BaseArtifactStore

RIGS = {
    "local": lambda stack, tmp: stack.enter_context(rigs.local_rig(tmp / "local")),
    "moto": lambda stack, tmp: stack.enter_context(rigs.moto_rig(tmp / "moto")),
}


@pytest.fixture(scope="session", params=sorted(RIGS))
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[rigs.Rig]:
    with ExitStack() as stack:
        yield RIGS[request.param](stack, tmp_path_factory.mktemp("rig"))


@pytest.fixture
def scene(rig: rigs.Rig) -> rigs.Scene:
    store, prefix = rig.fresh(name="contract")
    return rigs.Scene(store, prefix, rig)


@pytest.fixture
def store(scene: rigs.Scene) -> BaseArtifactStore:
    return scene.store


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
