"""Groups whose commands are imported when they are called: help and start-up stay instant."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click


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
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's own signature
        formatter: click.HelpFormatter,
    ) -> None:
        """The list of commands, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in self._paths.items() if says])
