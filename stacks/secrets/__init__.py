"""Secret stores: everything else holds references, ``{{name.key}}``, to what is in them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

from stacks.errors import InvalidValueError
from stacks.secrets.base import Secret, SecretReader, SecretStore, references, resolve
from stacks.secrets.environment import EnvironmentSecretStore
from stacks.secrets.file import EncryptedFileSecretStore
from stacks.secrets.layered import LayeredSecretStore

VARIABLE = "STACKS_SECRET_STORE"

_CLOUDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "aws-secrets-manager": ("stacks.secrets.aws_secrets_manager", "AwsSecretsManagerStore"),
        "azure-key-vault": ("stacks.secrets.azure_key_vault", "AzureKeyVaultStore"),
        "google-secret-manager": ("stacks.secrets.google_secret_manager", "GoogleSecretManagerStore"),
    }
)


def secret_store(home: Path, environ: Mapping[str, str] | None = None) -> SecretStore:
    """The secret store in force: environment variables first, then the one that STACKS_SECRET_STORE names.

    That is ``file``, the encrypted file in ``home`` and the default, or a cloud's: ``SCHEME://PLACE[/PREFIX]``.
    Raises InvalidValueError for anything else.
    """
    named = (os.environ if environ is None else environ).get(VARIABLE, "").strip() or "file"
    store = EncryptedFileSecretStore(home, environ=environ) if named == "file" else _cloud_store(named)
    return LayeredSecretStore([EnvironmentSecretStore(environ)], store)


def _cloud_store(named: str) -> SecretStore:
    scheme, separator, rest = named.partition("://")
    place, _, prefix = rest.partition("/")
    if scheme not in _CLOUDS or not separator:
        raise InvalidValueError(
            f"{VARIABLE}: there is no secret store {named!r}",
            hint="use file, aws-secrets-manager://REGION, azure-key-vault://VAULT or "
            "google-secret-manager://PROJECT",
        )
    module, name = _CLOUDS[scheme]
    cls = getattr(importlib.import_module(module), name)
    return cast("SecretStore", cls(place, prefix) if prefix else cls(place))


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
