"""Secrets from environment variables, for containers and CI: ``STACKS_SECRET__<NAME>__<KEY>``.

Names and keys are written in capitals with ``_`` for ``-`` and ``.``: the key ``aws_access_key_id`` of the
secret ``s3-secret`` is ``STACKS_SECRET__S3_SECRET__AWS_ACCESS_KEY_ID``. Keys come back in lower case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from stacks.secrets.base import Secret, no_secret

PREFIX = "STACKS_SECRET__"


class EnvironmentSecretStore:
    """Reads secrets from environment variables, which belong to whoever starts the program."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._given = environ  # os.environ itself would not pickle

    @property
    def _environ(self) -> Mapping[str, str]:
        return os.environ if self._given is None else self._given

    def __repr__(self) -> str:
        return "EnvironmentSecretStore()"

    def names(self) -> list[str]:
        """The names of all secrets, in lower case, sorted."""
        found = (name.removeprefix(PREFIX).split("__") for name in self._environ if name.startswith(PREFIX))
        return sorted({parts[0].lower() for parts in found if len(parts) > 1})

    def get(self, name: str) -> Secret:
        """The secret of that name; raises SecretNotFoundError."""
        prefix = _prefix(name)
        values = {
            variable.removeprefix(prefix).lower(): value
            for variable, value in self._environ.items()
            if variable.startswith(prefix) and variable != prefix
        }
        if not values:
            raise no_secret(name, self.names())
        return Secret(name, values)

    def place_of(self, name: str) -> str:
        """The variables that hold it, whatever their keys."""
        return f"the environment variables {_prefix(name)}…"


def _prefix(name: str) -> str:
    return f"{PREFIX}{re.sub('[-.]', '_', name).upper()}__"
