"""The `--key=value` options of components: any name, beside the options that a command declares itself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from provisioner.cli.json_hints import json_problem
from provisioner.errors import InputError
from stacks.sensitive import is_secret_field, plain_secrets

_F = TypeVar("_F", bound=Callable[..., Any])

ANYTHING = {"ignore_unknown_options": True, "allow_extra_args": True}
"""The settings of a command that takes options of any name."""

_PLACEHOLDER = re.compile(r"<[^<>\n]+>")
_PASSWORD_IN_URL = re.compile(r"://[^/@\s:]*:(?!\{\{)[^/@\s]+@")
_ELLIPSES = frozenset({"...", "…"})


@dataclass(frozen=True, slots=True)
class Arguments:
    """What stood behind a command: names, and the values of ``--key=value`` by key.

    ``typed`` are the keys whose value was on the command line itself rather than in a file.
    """

    names: tuple[str, ...]
    fields: Mapping[str, Any]
    typed: frozenset[str]

    def name(self, what: str = "NAME") -> str:
        """The one name; raises InputError when there is none, or more than one."""
        if not self.names:
            raise InputError(f"{what} is missing", hint=f"give {what} before the options")
        self.at_most(1)
        return self.names[0]

    def at_most(self, count: int) -> None:
        """Raises InputError for an argument too many. Repeats none: it may be a secret gone astray."""
        for extra in self.names[count:]:
            if extra in _ELLIPSES:
                raise InputError(
                    f"{extra!r} is no argument: in a text it stands for options that were left out",
                    hint=f"leave {extra!r} away",
                )
            key, separator, _ = extra.partition("=")
            if separator and re.fullmatch(r"[\w-]+", key):
                raise InputError(f"{key}=… is no option", hint=f"write it with two dashes: --{key}=VALUE")
            raise InputError(
                "there is one argument too many",
                hint="write options as --key=VALUE, and put a VALUE with spaces in it into quotes",
            )


def free_arguments(metavar: str) -> Callable[[_F], _F]:
    """The click argument that collects names and options of any name."""
    return click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar=metavar)


def parse(arguments: Sequence[str], *, plain: bool = False) -> Arguments:
    """Names and fields of a component; with ``plain`` those of a secret: keys and values as they stand.

    ``--key=VALUE`` and ``--key VALUE``; ``@file`` is the file's text (``@-`` standard input), ``@@…`` a value
    that begins with ``@``. A value that is JSON of an object or a list becomes one. Raises InputError.
    """
    names: list[str] = []
    fields: dict[str, Any] = {}
    typed: set[str] = set()
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-") or argument == "-":
            names.append(argument)
            continue
        key, value = _key_and_value(argument, rest)
        if not plain:
            key = key.replace("-", "_")
        if key in fields:
            raise InputError(f"--{key} is given twice", hint="give it once")
        if not value.startswith("@") or value.startswith("@@"):
            typed.add(key)
        text = _text(key, value)
        fields[key] = text if plain else _value(key, text)
    return Arguments(tuple(names), fields, frozenset(typed))


def _key_and_value(argument: str, rest: list[str]) -> tuple[str, str]:
    option, separator, value = argument.partition("=")
    key = option.lstrip("-")
    if not re.fullmatch(r"[\w.-]+", key) or not option.startswith("--"):
        shown = option if separator or re.fullmatch(r"-\w", option) else f"{option[:2]}…"
        raise InputError(
            f"{shown} is not an option of this command", hint="options are written as --key=VALUE; see --help"
        )
    if separator:
        return key, value
    if rest and not rest[0].startswith("-"):
        return key, rest.pop(0)
    raise InputError(f"--{key} has no value", hint=f"write it as --{key}=VALUE")


def _text(key: str, value: str) -> str:
    if value.startswith("@@"):
        return value[1:]
    if not value.startswith("@"):
        return value
    if value == "@-":
        return sys.stdin.read().removesuffix("\n")
    path = Path(value[1:]).expanduser()
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"--{key}: the file {path} cannot be read: {why}",
            hint="@ loads a file; a value that begins with @ is written as @@…",
        ) from None


def _value(key: str, text: str) -> Any:
    if is_secret_field(key):
        return text  # the JSON of a service account is one secret, not a structure
    if _PASSWORD_IN_URL.search(text):
        raise InputError(
            f"--{key} has a URL with a password in it, which would be kept in the state file",
            hint="leave user:password@ out of the URL, and give the credentials through a secret",
        )
    if not text.startswith(("{", "[")) or text.startswith("{{"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        # Not «from error»: it carries the whole text, which may hold a secret.
        raise json_problem(key, text, error) from None


def warnings(given: Arguments, *, all_secret: bool = False) -> list[str]:
    """What the user should know: secrets in the shell's history, placeholders of a documentation."""
    typed = {key: given.fields[key] for key in sorted(given.typed)}
    exposed = sorted(typed) if all_secret else sorted({path.split(".")[0] for path in plain_secrets(typed)})
    found = []
    if exposed:
        found.append(
            f"{', '.join(f'--{key}' for key in exposed)}: a secret on the command line stays in the shell's "
            f"history and shows in the process list. It was put into the secret store alone; next time keep "
            f"it out of both with --{exposed[-1]}=@FILE, or =@- for standard input"
        )
    found += [
        f"--{key} holds a placeholder, not a value of yours"
        for key, value in typed.items()
        if isinstance(value, str) and _PLACEHOLDER.fullmatch(value)
    ]
    return found
