"""`provision integration`: what is needed, what is there, and a real pip that installs from a folder."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from commands import CommandLine

from provisioner.cli import integration

NEEDED = "tiny-part-for-tests>=1.2"


def wheel(folder: Path) -> None:
    """A distribution of one file, in a folder that pip can install from."""
    info = "tiny_part_for_tests-1.3.dist-info"
    files = {
        "tiny_part_for_tests.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny-part-for-tests\nVersion: 1.3\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for name, text in files.items()
    }
    record = [f"{name},sha256={digests[name]},{len(text)}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    with zipfile.ZipFile(folder / "tiny_part_for_tests-1.3-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


@pytest.fixture
def tiny(provision: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """An integration `tiny`, which needs what is not installed; pip looks in a folder alone."""
    known = {**integration.integrations(), "tiny": (NEEDED,)}
    monkeypatch.setattr(integration, "integrations", lambda: known)
    shelf, target = provision.folder / "shelf", provision.folder / "installed"
    shelf.mkdir()
    monkeypatch.syspath_prepend(str(target))
    provision.environment(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(shelf), PIP_TARGET=str(target))
    monkeypatch.delenv("PYTHONWARNINGS")  # pip's own are not ours to mend
    return provision


def test_every_extra_is_an_integration_and_its_requirements_are_exact(provision: CommandLine) -> None:
    listed = {one["name"]: one for one in provision("integration list --format json").json}

    assert {"local", "s3", "gcp", "azure", "fs", "engine"} <= listed.keys()
    assert {"all", "dev", "bench"}.isdisjoint(listed)
    assert listed["local"] == {"name": "local", "requirements": [], "installed": True}
    assert provision("integration requirements s3").out.splitlines() == listed["s3"]["requirements"]
    assert provision("integration requirements aws").out == provision("integration requirements s3").out
    assert "boto3>=" in provision("integration requirements s3").out


def test_what_is_there_is_not_installed_again(provision: CommandLine) -> None:
    done = provision("integration install s3 --format json").json

    assert done["installed"] is True
    assert done["newly_installed"] == []


def test_install_brings_what_is_missing_into_this_environment(tiny: CommandLine) -> None:
    wheel(tiny.folder / "shelf")

    done = tiny("integration install tiny -y")

    assert done.out == f"Installed tiny: {NEEDED}.\n"
    assert "installing" in done.err
    assert (tiny.folder / "installed" / "tiny_part_for_tests.py").exists()
    assert tiny("integration install tiny").out == "tiny is installed already.\n"


def test_what_pip_cannot_install_is_named_exactly(tiny: CommandLine) -> None:
    done = tiny("integration install tiny -y", expect=5)

    assert "tiny was not installed: the installer ended with 1" in done.err
    assert f"next: install it yourself: pip install '{NEEDED}'" in done.err
    assert done.out == ""


def test_without_pip_the_requirement_is_named(tiny: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tiny.folder))

    done = tiny("integration install tiny -y", expect=5)

    assert "has neither pip nor uv" in done.err
    assert f"pip install '{NEEDED}'" in done.err


def test_nothing_is_installed_unasked(tiny: CommandLine) -> None:
    wheel(tiny.folder / "shelf")
    assert "repeat it with -y" in tiny("integration install tiny", expect=3).err
    assert not (tiny.folder / "installed").exists()


def test_an_unknown_one(provision: CommandLine) -> None:
    done = provision("integration install sagemaker -y", expect=3)
    assert "there is no integration 'sagemaker'" in done.err
    assert "s3" in done.err


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ("pytest", True),
        ("pytest>=1.0", True),
        ("pytest>=999", False),
        ("pytest[x]>=1", True),
        ("pytest==1.0", False),  # more than a minimum is left to pip
        ("no-such-distribution-anywhere", False),
    ],
)
def test_a_requirement_is_met_or_left_to_pip(requirement: str, met: bool, tiny: CommandLine) -> None:
    known: Mapping[str, tuple[str, ...]] = {"one": (requirement,)}
    tiny.monkeypatch.setattr(integration, "integrations", lambda: known)

    assert tiny("integration list --format json").json[0]["installed"] is met
