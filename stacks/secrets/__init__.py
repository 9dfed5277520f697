"""Secret stores: everything else holds references, ``{{name.key}}``, to what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stacks.secrets.base import Secret, SecretReader, SecretStore, references, resolve
from stacks.secrets.environment import EnvironmentSecretStore
from stacks.secrets.file import EncryptedFileSecretStore
from stacks.secrets.layered import LayeredSecretStore


def secret_store(home: Path, environ: Mapping[str, str] | None = None) -> SecretStore:
    """The secret store in force: environment variables first, then the encrypted file in ``home``."""
    return LayeredSecretStore(
        [EnvironmentSecretStore(environ)], EncryptedFileSecretStore(home, environ=environ)
    )


__all__ = [
    "EncryptedFileSecretStore",
    "EnvironmentSecretStore",
    "LayeredSecretStore",
    "Secret",
    "SecretReader",
    "SecretStore",
    "references",
    "resolve",
    "secret_store",
]
