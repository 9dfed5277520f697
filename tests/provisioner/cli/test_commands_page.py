"""docs/commands.md against the commands themselves: each is there, with every option that it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from provisioner.cli import cli

PAGE = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
# Written once for all commands: see «The commands», «Provisioning» (ENGINE) and «JSON».
EVERYWHERE = {"--help", "--format", "--yes", "--terraform", "--lock-timeout", "--version", "--debug"}


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that help lists, with the words it is called by."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = list(commands(cli))


def section(path: tuple[str, ...]) -> str:
    """The part of the page that a command is told in."""
    title = f"### {path[0]}" if len(path) > 1 else "## Provisioning"
    return (
        re.split(rf"^{re.escape(title)}$", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0].split("\n### ")[0]
    )


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_the_page_has_the_command_and_its_options(path: tuple[str, ...], command: click.Command) -> None:
    told = section(path)
    called = " ".join(path[1:]) if len(path) > 1 else f"provision {path[0]}"

    assert re.search(rf"`{re.escape(called)}[ `]", told)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            names = [*parameter.opts, *parameter.secondary_opts]
            assert EVERYWHERE.intersection(names) or any(
                re.search(rf"(?<![\w-]){name}(?![\w-])", told) for name in names
            ), names


def test_every_delete_can_be_told_to_ask_nothing() -> None:
    """The page says so: a script may say `-y` to each of them, be there a question or none."""
    deletes = {path: command for path, command in ALL if path[-1] == "delete"}

    assert len(deletes) > 5
    for path, command in deletes.items():
        assert any("-y" in parameter.opts for parameter in command.params), path


def test_the_page_names_no_command_that_is_not_there() -> None:
    known = {" ".join(path) for path, _ in ALL}
    for group in ("artifact-store", "service-connector", "stack", "secret", "integration"):
        rows = re.findall(r"^\| (`[^|]*?`) \| ", section((group, "")).replace("\\|", "/"), re.MULTILINE)
        for row in rows:
            for called in re.findall(r"`([^`]+)`", row):
                words = re.match(r"[a-z-]+( [a-z-]+(?= |$))?", called)
                assert words is not None
                assert {f"{group} {words[0]}", f"{group} {words[0].split()[0]}"} & known, called


def test_every_exit_code_is_told() -> None:
    told = re.split(r"^## Exit codes$", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", told, re.MULTILINE) == ["0", "1", "2", "3", "4", "5", "6", "130"]
