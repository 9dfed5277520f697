"""Options and small helpers that several commands share."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from provisioner.errors import InputError
from stacks.state import StateFile

if TYPE_CHECKING:
    from provisioner.fleet.discover import Found

_F = TypeVar("_F", bound=Callable[..., Any])
_POLICY = "PROVISION_POLICY"


def engine_options(command: _F) -> _F:
    """Options of the commands that run Terraform."""
    for option in (
        click.option(
            "--lock-timeout",
            type=click.IntRange(min=0),
            default=0,
            metavar="SECONDS",
            help="How long to wait for another run on the same stack.",
        ),
        click.option("--terraform", metavar="PATH", help="The Terraform or OpenTofu to use."),
    ):
        command = option(command)
    return command


def policy_option(command: _F) -> _F:
    """``--policy``, which is the environment's ``PROVISION_POLICY`` for this one command."""

    def take(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is None:
            return
        if not stat.S_ISREG(_mode(value)):
            raise InputError(f"{value} is not a file", hint="name a policy file, such as policy.yaml")
        before = os.environ.get(_POLICY)
        os.environ[_POLICY] = value
        context.call_on_close(
            lambda: os.environ.pop(_POLICY) if before is None else os.environ.update({_POLICY: before})
        )

    return click.option(
        "--policy",
        metavar="FILE",
        expose_value=False,
        callback=take,
        help="The policy to hold it to; default: policy.yaml beside the manifest or above it.",
    )(command)


def set_option(command: _F) -> _F:
    """``--set path=value``."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="PATH=VALUE",
        help="Override one field of the manifest, validated like the file. May be repeated.",
    )(command)


def yes_option(command: _F) -> _F:
    """``-y``."""
    return click.option("-y", "--yes", is_flag=True, help="Ask nothing.")(command)


def format_option(*formats: str) -> Callable[[_F], _F]:
    """``--format``, the first being the default."""
    return click.option(
        "--format", "form", type=click.Choice(formats), default=formats[0], help="How to print the result."
    )


def state_file() -> StateFile:
    """The state file of this working directory."""
    return StateFile.locate()


def print_json(value: Any) -> None:
    """A result as JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """Progress, on stderr. A reader who has gone does not stop the work that it tells of."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        mute(sys.stderr)


def mute(stream: TextIO) -> None:
    """Send what is still to be written to ``stream``, whose reader has gone, to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def ask(question: str) -> bool:
    """Ask on the terminal.

    Raises :class:`InputError` when there is none: a pipeline must say ``-y``.
    """
    if not sys.stdin.isatty():
        raise InputError(
            "this needs a confirmation, and there is no terminal to ask on", hint="repeat it with -y"
        )
    return click.confirm(question, default=False, err=True)


def existing_file(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """A callback that refuses paths which are not files, by name."""
    for name in value if isinstance(value, tuple) else (value,):
        if name is not None and not stat.S_ISREG(_mode(name)):
            raise InputError(
                f"{name} is not a file", hint="name a stack manifest; `provision init` writes one"
            )
    return value


def existing_place(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """The same for commands that also take folders."""
    for name in value:
        if not stat.S_ISREG(_mode(name)) and not stat.S_ISDIR(_mode(name)):
            raise InputError(
                f"{name} is neither a file nor a folder",
                hint="name a stack manifest or a folder of them; `provision init` writes one",
            )
    return value


def reachable(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """A callback for what may be a path or a name: refuses paths that nobody may look at."""
    for name in value:
        _mode(name)
    return value


def _mode(name: str) -> int:
    """The kind and the bits of what is at a path, 0 for nothing.

    Raises :class:`InputError` where that cannot be told.
    """
    try:
        return Path(name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 0
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror}", hint="check its owner and mode, and its folders'"
        ) from error


def tell_unread(found: Found) -> Found:
    """Name the folders that were not looked into: a stack may lie there. What was found, as it is."""
    for folder, why in found.unread:
        say(f"attention: {folder} is passed over: {why}")
    return found
