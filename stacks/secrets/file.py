"""Secrets in one encrypted file, the default store.

The file is JSON: a header (version, the store's id, the fingerprint of its key) and the secrets, encrypted
with AES-256-GCM under a fresh nonce per write. The header is authenticated with them, so that a changed byte
anywhere is noticed. An older copy of the whole file put back in its place is not: it is a valid file.
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stacks.errors import ComponentExistsError, SecretError, StateError
from stacks.secrets.base import Secret, check_secret, no_secret
from stacks.secrets.keys import KeyRing, fingerprint
from stacks.state.files import locked, make_private_folder, read_private, write_private
from stacks.state.records import check_name

NAME = "secrets.json"
VERSION = 1
_NONCE_BYTES = 12

_Values = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands in clear before the secrets."""

    store_id: str
    key: str  # the fingerprint

    def authenticated(self) -> bytes:
        return json.dumps([VERSION, self.store_id, self.key]).encode()


class EncryptedFileSecretStore:
    """Secrets in the encrypted file ``secrets.json`` of the folder ``home``."""

    def __init__(
        self, home: Path, *, environ: Mapping[str, str] | None = None, lock_timeout: float = 60.0
    ) -> None:
        self._path = home / NAME
        self._keys = KeyRing(environ)
        self._lock_timeout = lock_timeout

    def __repr__(self) -> str:
        return f"EncryptedFileSecretStore({str(self._path)!r})"

    def names(self) -> list[str]:
        """The names of all secrets, sorted."""
        return sorted(self._read()[1])

    def get(self, name: str) -> Secret:
        """The secret of that name; raises SecretNotFoundError."""
        values = self._read()[1]
        if name not in values:
            raise no_secret(name, sorted(values))
        return Secret(name, values[name])

    def put(self, name: str, values: Mapping[str, str], *, replacing: bool = False) -> None:
        """Stores a secret; ComponentExistsError when the name is taken and not ``replacing``."""
        check_secret(name, values)

        def change(held: _Values) -> None:
            if not replacing:
                _refuse_taken(held, name)
            held[name] = dict(values)

        self._update(change)

    def delete(self, name: str) -> None:
        """Forgets the secret; raises SecretNotFoundError."""

        def change(held: _Values) -> None:
            if held.pop(name, None) is None:
                raise no_secret(name, sorted(held))

        self._update(change)

    def rename(self, old: str, new: str) -> None:
        """Gives the secret another name; raises SecretNotFoundError and ComponentExistsError."""
        check_name(new, "secret")

        def change(held: _Values) -> None:
            if old not in held:
                raise no_secret(old, sorted(held))
            _refuse_taken(held, new)
            held[new] = held.pop(old)

        self._update(change)

    def _read(self) -> tuple[_Header | None, _Values]:
        with _as_secret_errors():
            content = read_private(self._path)
            return (None, {}) if content is None else self._decrypted(content)

    def _update(self, change: Callable[[_Values], None]) -> None:
        with _as_secret_errors():
            make_private_folder(self._path.parent)
            with locked(self._path, self._lock_timeout):
                header, held = self._read()
                change(held)
                if header is None:
                    store_id = str(uuid.uuid4())
                    key = self._keys.new_key(store_id)
                    header = _Header(store_id, fingerprint(key))
                else:
                    key = self._keys.key(header.store_id, header.key, str(self._path))
                write_private(self._path, _encrypted(header, key, held))

    def _decrypted(self, content: bytes) -> tuple[_Header, _Values]:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            document = json.loads(content)
            version = document["version"]
            header = _Header(str(document["id"]), str(document["key"]))
            sealed = base64.b64decode(document["secrets"], validate=True)
        except (ValueError, TypeError, KeyError) as error:
            raise self._damaged("it is not what was written, or ends too early") from error
        if version != VERSION:
            raise SecretError(
                f"the secret store {self._path} has version {version!r}, and this release reads {VERSION}",
                hint="upgrade stack-provisioner: pip install -U stack-provisioner",
            )
        try:
            uuid.UUID(header.store_id)  # it names the key's file
        except ValueError as error:
            raise self._damaged("its id is not one") from error
        key = self._keys.key(header.store_id, header.key, str(self._path))
        try:
            opened = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], header.authenticated())
        except (InvalidTag, ValueError) as error:
            raise self._damaged("it was changed after it was written") from error
        return header, json.loads(opened)

    def _damaged(self, why: str) -> SecretError:
        return SecretError(
            f"the secret store {self._path} cannot be trusted: {why}",
            hint="nothing was changed; put a good copy back, or move it away and make the secrets again",
        )


def _encrypted(header: _Header, key: bytes, values: _Values) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, json.dumps(values).encode(), header.authenticated())
    document = {
        "version": VERSION,
        "id": header.store_id,
        "key": header.key,
        "secrets": base64.b64encode(sealed).decode(),
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _refuse_taken(held: _Values, name: str) -> None:
    if name in held:
        raise ComponentExistsError(
            f"a secret named {name!r} is there already",
            hint=f"change it: provision secret update {name} --KEY=@FILE",
            kind="secret",
            name=name,
        )


@contextmanager
def _as_secret_errors() -> Iterator[None]:
    """The file's own errors, said as those of the secret store."""
    try:
        yield
    except StateError as error:
        raise SecretError(error.message, hint=error.hint) from error
