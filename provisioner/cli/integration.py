"""`provision integration`: the packages that a flavor or another part needs, which are our own extras."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

from provisioner.cli.components import answer, form_option, table
from provisioner.cli.options import ask, say, yes_option
from provisioner.errors import InputError, UpstreamError

_DISTRIBUTION = "stack-provisioner"
_NO_INTEGRATIONS = frozenset({"all", "bench", "dev"})
_ALIASES = MappingProxyType({"aws": "s3", "gcs": "gcp"})
_BUILT_IN = "local"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(.*)")


@click.group()
def integration() -> None:
    """The packages that a flavor needs: s3, gcp, azure, and more."""


@integration.command("list")
@form_option
def list_integrations(form: str) -> int:
    """All integrations, and which of them are installed."""
    found = [_as_json(name, needed) for name, needed in integrations().items()]
    rows = [
        (one["name"], "yes" if one["installed"] else "no", ", ".join(one["requirements"])) for one in found
    ]
    return answer(form, found, table(("integration", "installed", "requirements"), rows, "There is none."))


@integration.command()
@click.argument("name")
@form_option
def requirements(name: str, form: str) -> int:
    """The exact requirements of an integration, one a line, as pip and poetry take them."""
    name, needed = _found(name)
    return answer(form, _as_json(name, needed), "\n".join(needed))


@integration.command()
@click.argument("name")
@yes_option
@form_option
def install(name: str, yes: bool, form: str) -> int:
    """Install what an integration needs into the environment that this runs in."""
    name, needed = _found(name)
    missing = [requirement for requirement in needed if not _satisfied(requirement)]
    if missing:
        if not yes and not ask(f"Install {', '.join(missing)} into {sys.prefix}?"):
            raise InputError("not installed: you said no")
        _install(name, missing)
        importlib.invalidate_caches()
    text = f"Installed {name}: {', '.join(missing)}." if missing else f"{name} is installed already."
    return answer(form, {**_as_json(name, needed), "newly_installed": missing}, text)


def integrations() -> Mapping[str, tuple[str, ...]]:
    """The requirements of every integration, from the metadata of the installed distribution itself."""
    found: dict[str, list[str]] = {}
    metadata = importlib.metadata.metadata(_DISTRIBUTION)
    for extra in metadata.get_all("Provides-Extra") or ():
        if extra not in _NO_INTEGRATIONS:
            found[extra] = []
    for line in importlib.metadata.requires(_DISTRIBUTION) or ():
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", marker)
        if extra and extra[1] in found:
            found[extra[1]].append(requirement.strip())
    return {_BUILT_IN: (), **{name: tuple(sorted(found[name])) for name in sorted(found)}}


def _found(name: str) -> tuple[str, tuple[str, ...]]:
    known = integrations()
    name = _ALIASES.get(name, name)
    if name not in known:
        raise InputError(f"there is no integration {name!r}", hint=f"there are: {', '.join(known)}")
    return name, known[name]


def _as_json(name: str, needed: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": name,
        "requirements": list(needed),
        "installed": all(_satisfied(requirement) for requirement in needed),
    }


def _satisfied(requirement: str) -> bool:
    """Whether a requirement is met; where it is more than a minimum, pip is left to say."""
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None:
        return False
    try:
        version = importlib.metadata.version(match[1])
    except importlib.metadata.PackageNotFoundError:
        return False
    if not match[2]:
        return True
    minimum = re.fullmatch(r">=\s*([\d.]+)", match[2])
    return minimum is not None and _numbers(version) >= _numbers(minimum[1])


def _numbers(version: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in leading[0].split(".")) if leading else ()


def _install(name: str, missing: list[str]) -> None:
    by_hand = f"install it yourself: pip install {' '.join(shlex.quote(one) for one in missing)}"
    if importlib.util.find_spec("pip") is not None:
        argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *missing]
    elif uv := shutil.which("uv"):
        argv = [uv, "pip", "install", "--python", sys.executable, *missing]
    else:
        raise UpstreamError(
            f"{name} cannot be installed: this environment has neither pip nor uv", hint=by_hand
        )
    say(f"installing {', '.join(missing)}")
    # The installer's own words are progress: they go where ours go, and stdout stays the result's.
    done = subprocess.run(argv, stdout=2, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise UpstreamError(
            f"{name} was not installed: the installer ended with {done.returncode}; it said why above",
            hint=by_hand,
        )
