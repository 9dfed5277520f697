"""Commands that take a folder, where not all of it may be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import CommandLine
from file_modes import mode

STACK = "version: 1\nname: mine\nprovider: local\nartifact_stores: [{name: main}]\n"


@pytest.fixture
def closed(provision: CommandLine) -> Path:
    """A stack beside a folder; that folder."""
    (provision.folder / "stacks").mkdir()
    (provision.folder / "stacks/mine.yaml").write_text(STACK)
    folder = provision.folder / "stacks/lost+found"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "line", ["validate stacks", "render stacks", "drift --fast stacks", "init stacks --ci github"]
)
def test_what_may_not_be_read_is_passed_over_and_said(
    provision: CommandLine, closed: Path, line: str
) -> None:
    with mode(closed, 0):
        done = provision(line, expect=3 if "drift" in line else 0)  # it was not applied, which drift says

    assert "attention: stacks/lost+found is passed over: Permission denied" in done.err
    assert "unexpected" not in done.err


@pytest.mark.parametrize("line", ["validate {}", "apply -y {}", "destroy -y {}", "drift {}", "doctor {}"])
def test_a_file_that_cannot_be_reached_is_an_error_of_the_line(
    provision: CommandLine, closed: Path, line: str
) -> None:
    (closed / "mine.yaml").write_text(STACK)

    with mode(closed, 0):
        done = provision(line.format("stacks/lost+found/mine.yaml"), expect=3)

    assert "stacks/lost+found/mine.yaml" in done.err
    assert "unexpected" not in done.err
