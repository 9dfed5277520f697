"""Groups whose commands are imported when they are called: help and start-up stay instant."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, and listed without that.

    ``commands_by_path`` has ``module:attribute`` and one line of help for each name; a command without help
    is not listed.
    """

    def __init__(
        self, *args: object, commands_by_path: Mapping[str, tuple[str, str]], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own arguments, handed through
        self._paths = commands_by_path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the documentation."""
        return [*(name for name, (_, says) in self._paths.items() if says), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; this is where it is imported."""
        if cmd_name not in self._paths:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._paths[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if ctx.resilient_parsing:
            from provisioner.cli.completing import offer

            offer(command, (*_called(ctx), cmd_name))
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers here: the commands, from the table, and this group's own options."""
        from click.shell_completion import CompletionItem

        listed = [(name, says) for name, (_, says) in self._paths.items() if says]
        items = [CompletionItem(name, help=says) for name, says in listed if name.startswith(incomplete)]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's own signature
        formatter: click.HelpFormatter,
    ) -> None:
        """The list of commands, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in self._paths.items() if says])


def _called(ctx: click.Context) -> tuple[str, ...]:
    """The words that a group is called by, without the program's own name unless that is a group's, too."""
    words: list[str] = []
    current: click.Context | None = ctx
    while current is not None:
        if current.parent is not None or current.info_name == "artifact-store":
            words.insert(0, current.info_name or "")
        current = current.parent
    return tuple(words)
