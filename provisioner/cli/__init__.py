"""The `provision` command: parsing, printing, exit codes. Commands are loaded when they are used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

from provisioner import __version__

# One line each, so that `--help` loads no command at all.
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("provisioner.cli.scaffold:init", "Scaffold a manifest and a place for the state."),
    "validate": ("provisioner.cli.manifests:validate", "Check manifests without cloud access."),
    "schema": ("provisioner.cli.manifests:schema", "Print the manifest's JSON Schema."),
    "render": ("provisioner.cli.manifests:render", "Write the Terraform root of a manifest."),
    "plan": ("provisioner.cli.lifecycle:plan", "Show what an apply would change."),
    "apply": ("provisioner.cli.lifecycle:apply", "Plan, confirm, apply, register, verify."),
    "destroy": ("provisioner.cli.lifecycle:destroy", "Tear down, then deregister."),
    "drift": ("provisioner.cli.lifecycle:drift", "Does the cloud still match what was applied?"),
    "status": ("provisioner.cli.status:status", "What is applied, from the state file alone."),
    "output": ("provisioner.cli.status:output", "The Terraform outputs of a stack."),
    "recover": (
        "provisioner.cli.lifecycle:recover",
        "After a crash: what is known, and what to do about it.",
    ),
    "doctor": ("provisioner.cli.doctor:doctor", "Check this machine: engine, mirror, credentials, state."),
    "artifact-store": ("provisioner.cli.artifact_store:artifact_store", "Deploy and manage artifact stores."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, and listed without that."""

    def __init__(
        self, *args: object, commands_by_path: Mapping[str, tuple[str, str]], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own arguments, handed through
        self._paths = commands_by_path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the documentation."""
        return [*self._paths, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; this is where it is imported."""
        if cmd_name not in self._paths:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._paths[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """The list of commands, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._paths[name][1]) for name in self._paths])


@click.group(
    cls=LazyGroup, commands_by_path=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="provision")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Shared object storage for machine-learning teams, from one reviewed file."""
    context.obj = {"debug": debug}


def main() -> None:
    """The console script `provision`."""
    from provisioner.cli.run import run

    sys.exit(run(cli, sys.argv[1:], "provision"))


def artifact_store_main() -> None:
    """The console script `artifact-store`: the same as `provision artifact-store`."""
    from provisioner.cli.run import run

    sys.exit(run(cli, ["artifact-store", *sys.argv[1:]], "provision"))
