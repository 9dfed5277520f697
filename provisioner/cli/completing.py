"""What the shell is offered at the place of an argument or option: files, and names from the state file.

The commands know nothing of it: their parameters are told here, by the words they are called by, and only
while a shell completes. Names come from files of this machine; nothing is contacted, and what cannot be read
offers nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, MethodType
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from stacks.state import State

VARIABLE = "_PROVISION_COMPLETE"
STORE_VARIABLE = "_ARTIFACT_STORE_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

Names = Callable[["State"], Iterable[str]]

_NEW = frozenset({"register", "deploy", "create", "import"})  # their names are not there yet


def _flavors(state: State) -> Iterable[str]:
    from stacks.stores.registry import flavors

    return [flavor.name for flavor in flavors({name: item.source for name, item in state.flavors.items()})]


def _secrets(_state: State) -> Iterable[str]:
    from provisioner.cli.options import state_file
    from stacks.secrets import secret_store

    # A cloud's secret manager is not asked between two keystrokes.
    return [] if "STACKS_SECRET_STORE" in os.environ else secret_store(state_file().home).names()


def _integrations(_state: State) -> Iterable[str]:
    from provisioner.cli.integration import integrations

    return integrations()


_OF_GROUP: Mapping[str, Names] = MappingProxyType(
    {
        "status": lambda state: state.deployments,
        "output": lambda state: state.deployments,
        "recover": lambda state: state.deployments,
        "destroy": lambda state: state.deployments,
        "drift": lambda state: state.deployments,
        "artifact-store": lambda state: state.artifact_stores,
        "service-connector": lambda state: state.connectors,
        "stack": lambda state: state.stacks,
        "secret": _secrets,
        "integration": _integrations,
    }
)
_OF_OPTION: Mapping[str, Names] = MappingProxyType(
    {
        "--artifact-store": lambda state: state.artifact_stores,
        "--connector": lambda state: state.connectors,
        "--flavor": _flavors,
        "--authentication_secret": _secrets,
    }
)
_FILES = frozenset({"files", "file", "targets", "path"})
_FOLDERS = frozenset({"directory"})
_NAMES = frozenset({"name", "names", "old", "source", "target", "targets", "arguments"})


def completing() -> bool:
    """Whether a shell asks."""
    return VARIABLE in os.environ or STORE_VARIABLE in os.environ


def offer(command: click.Command, path: tuple[str, ...]) -> None:
    """Tell the parameters of ``command``, which is called by the words ``path``, what they can be."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            names = next((_OF_OPTION[name] for name in parameter.opts if name in _OF_OPTION), None)
            files = False
        else:
            names = _names_of(parameter, path)
            files = parameter.name in _FILES
        if names is not None or files or parameter.name in _FOLDERS:
            _tell(parameter, names, "file" if files else "dir")


def _names_of(parameter: click.Parameter, path: tuple[str, ...]) -> Names | None:
    if parameter.name not in _NAMES or path[-1] in _NEW:
        return None
    return _flavors if "flavor" in path else _OF_GROUP.get(path[0])


def _tell(parameter: click.Parameter, names: Names | None, kind: str) -> None:
    def complete(_self: click.Parameter, _context: click.Context, incomplete: str) -> list[CompletionItem]:
        known = [name for name in _known(names) if name.startswith(incomplete)] if names is not None else []
        items = [CompletionItem(name) for name in sorted(known)]
        if parameter.name in _FILES | _FOLDERS:
            items.append(CompletionItem(incomplete, type=kind))
        return items

    parameter.shell_complete = MethodType(complete, parameter)  # type: ignore[method-assign]  # click asks it


def _known(names: Names) -> list[str]:
    from provisioner.cli.options import state_file

    try:
        return list(names(state_file().read()))
    except Exception:  # noqa: BLE001  # between two keystrokes there is no place for a message
        return []
