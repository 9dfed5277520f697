"""The version of an engine, asked of itself."""

from __future__ import annotations

import json
import os
import subprocess

from provisioner.errors import UpstreamError
from provisioner.terraform import commands
from provisioner.terraform.locate import Executable

OLDEST = (1, 6)
"""The least version of Terraform and of OpenTofu that this product works with."""


def engine_version(executable: Executable) -> str:
    """Such as ``1.11.4``.

    Raises :class:`UpstreamError` when it does not say.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    try:
        answer = subprocess.run(
            commands.version(executable), capture_output=True, check=True, env=environment
        )
        return str(json.loads(answer.stdout)["terraform_version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise UpstreamError(f"{executable.argv[0]} does not tell its version: {error}") from error


def version_numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:2])
