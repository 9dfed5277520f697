"""What the tests of the Terraform modules share: real Terraform and provider, one plan, one emulator."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator import moto_server
from terraform_rig import MODULES, Terraform, provider_mirror, terraform_binary, terraform_in

ROOTS = Path(__file__).parent / "roots"
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
PRINCIPAL = "arn:aws:iam::123456789012:role/ci"


@pytest.fixture(scope="session")
def terraform() -> Path:
    """The binary, or a skip that says what is missing."""
    binary = terraform_binary()
    if binary is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    return binary


@pytest.fixture(scope="session")
def aws_mirror() -> Path:
    """A filesystem mirror with the AWS provider, or a skip that says what is missing."""
    mirror = provider_mirror()
    if mirror is None:
        pytest.skip("no filesystem mirror with hashicorp/aws found; PROVISION_PLUGIN_MIRROR may name one")
    return mirror


@pytest.fixture(scope="session")
def make_root(
    tmp_path_factory: pytest.TempPathFactory, terraform: Path, aws_mirror: Path
) -> Callable[[str], Terraform]:
    """Initialise one of the folders under ``roots`` beside a copy of the modules."""

    def make(name: str) -> Terraform:
        base = tmp_path_factory.mktemp(name)
        shutil.copytree(MODULES, base / "modules")
        shutil.copytree(ROOTS / name, base / "root")
        rig = terraform_in(base / "root", terraform, aws_mirror)
        rig.init()
        return rig

    return make


@pytest.fixture(scope="session")
def aws_root(make_root: Callable[[str], Terraform]) -> Terraform:
    """An initialised root with every shape that the AWS modules take."""
    return make_root("aws")


@pytest.fixture(scope="session")
def aws_plan(aws_root: Terraform) -> dict[str, Any]:
    """The JSON of a real plan of that root, lifecycle included; planning creation asks no service."""
    aws_root.variables(
        {
            "endpoint": "http://127.0.0.1:9",
            "lifecycle_days": 30,
            "tls_only": True,
            "kms_key": KEY_ARN,
            "trusted_principal": PRINCIPAL,
        }
    )
    assert aws_root.plan()
    return aws_root.shown_plan()


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an AWS emulator that holds nothing yet."""
    pytest.importorskip("moto.server", reason="the emulator comes with the dev extra: moto[server]")
    with moto_server(tmp_path_factory.mktemp("moto") / "log") as address:
        yield address
