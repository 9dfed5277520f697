"""Every command that writes a file which the user names: it says so where it cannot, and before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import CommandLine
from file_modes import mode

STACK = "version: 1\nname: {0}\nprovider: local\nartifact_stores: [{{name: {0}_store}}]\n"

LINES = [
    "init closed/deep --provider local",
    "init closed --provider local",
    "render mine.yaml -o closed/mine",
    "render mine.yaml -o closed",
    "import data --store found --manifest-only -o closed/found.yaml",
    "plan mine.yaml --out closed/mine.bundle",
    "plan mine.yaml --out closed/deep/",
    "plan mine.yaml other.yaml --out closed/deep",
    "plan mine.yaml --report closed/r.json",
    "apply mine.yaml other.yaml -y --report r.md --report closed/r.json",
    "destroy mine.yaml -y --report closed/r.xml",
    "drift mine.yaml --report closed/deep/r.xml",
    "bundle keygen closed/key",
    "stack export default closed/default.json",
]


@pytest.fixture
def here(provision: CommandLine) -> Path:
    """A folder with two stacks, and a place in it called `closed` that nothing can be written to."""
    for name in ("mine", "other"):
        (provision.folder / f"{name}.yaml").write_text(STACK.format(name))
    (provision.folder / "data").mkdir()
    provision("artifact-store register some -f local --path=some")
    provision("stack register default -a some")
    return provision.folder


def found(folder: Path) -> set[str]:
    """All that lies there, but for what belongs to the state file."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if "home" not in path.parts}


@pytest.mark.parametrize("line", LINES)
def test_below_a_file_nothing_can_be_written(provision: CommandLine, here: Path, line: str) -> None:
    (here / "closed").write_text("")
    before = found(here)

    done = provision(line, expect=3)

    assert "error: closed" in done.err
    assert "Not a directory" in done.err
    assert "is a file: name another place" in done.err
    assert found(here) == before


@pytest.mark.parametrize("line", LINES)
def test_what_modes_forbid_is_said(provision: CommandLine, here: Path, line: str) -> None:
    (here / "closed").mkdir()
    before = found(here)

    with mode(here / "closed", 0o555):
        done = provision(line, expect=3)

    assert "error: closed" in done.err
    assert "Permission denied" in done.err
    assert "check the owner and the mode" in done.err
    assert found(here) == before


def test_a_pipeline_is_not_written_by_halves(provision: CommandLine, here: Path) -> None:
    (here / ".gitlab").write_text("")

    done = provision("init --ci gitlab", expect=3)

    assert "/.gitlab/stacks.py cannot be written: Not a directory" in done.err
    assert not (here / ".gitlab-ci.yml").exists()


def test_a_file_that_may_not_be_read_is_not_compared(provision: CommandLine, here: Path) -> None:
    provision("render mine.yaml")

    with mode(here / "mine/main.tf", 0):
        checked = provision("render mine.yaml --check", expect=3)
        imported = provision("import data --store found --manifest-only -o mine/main.tf", expect=3)

    assert "mine/main.tf" in checked.err
    assert "mine/main.tf cannot be read: Permission denied" in imported.err


def test_a_key_or_an_export_that_is_there_is_never_replaced(provision: CommandLine, here: Path) -> None:
    for line in ("bundle keygen mine.yaml", "stack export default mine.yaml"):
        done = provision(line, expect=3)
        assert "mine.yaml cannot be written: File exists" in done.err
        assert "name a file that is not there yet" in done.err
    assert (here / "mine.yaml").read_text() == STACK.format("mine")
