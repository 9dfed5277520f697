"""Where the key of the encrypted secret store comes from.

``STACKS_SECRET_KEY`` when it is set, and nothing else then; else the operating system's keyring, when the
package ``keyring`` is installed and has one that works; else a key file of mode 0600 in the user's
configuration directory. Not beside the store itself: a folder that is copied or committed must not carry
both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from stacks.errors import SecretLockedError
from stacks.state.file import user_home
from stacks.state.files import make_private_folder, read_private, write_private

logger = logging.getLogger(__name__)

VARIABLE = "STACKS_SECRET_KEY"
KEY_BYTES = 32
_SERVICE = "stack-provisioner"
_HOW_TO_MAKE = (
    'python -c "import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"'
)


def fingerprint(key: bytes) -> str:
    """Tells keys apart without giving them away: they are random, so their hash cannot be searched."""
    return hashlib.sha256(b"stack-provisioner secret store key\0" + key).hexdigest()[:32]


class KeyRing:
    """The keys that the secret store ``store_id`` may have been encrypted with."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._given = environ  # os.environ itself would not pickle

    @property
    def _environ(self) -> Mapping[str, str]:
        return os.environ if self._given is None else self._given

    def key(self, store_id: str, wanted: str, location: str) -> bytes:
        """The key whose fingerprint is ``wanted``.

        Raises SecretLockedError when there is none, or ``STACKS_SECRET_KEY`` is that of another store.
        """
        for key in self._candidates(store_id):
            if secrets.compare_digest(fingerprint(key), wanted):
                return key
        if self._environ.get(VARIABLE):
            raise SecretLockedError(
                f"{VARIABLE} is not the key of the secret store {location}",
                hint=f"set {VARIABLE} to the key that it was made with, or unset it; nothing was changed",
            )
        raise SecretLockedError(
            f"the key of the secret store {location} is not on this machine",
            hint=f"set {VARIABLE}, or put the key file back at {self._path(store_id)}; nothing was changed",
        )

    def new_key(self, store_id: str) -> bytes:
        """A key for a new store, kept where it will be found again."""
        named = self._from_variable()
        if named is not None:
            return named
        key = secrets.token_bytes(KEY_BYTES)
        if not _put_into_keyring(store_id, key):
            path = self._path(store_id)
            make_private_folder(path.parent)
            write_private(path, _encoded(key).encode() + b"\n")
        return key

    def _path(self, store_id: str) -> Path:
        return user_home(self._environ) / "keys" / f"{store_id}.key"

    def _candidates(self, store_id: str) -> Iterator[bytes]:
        named = self._from_variable()
        if named is not None:
            yield named
            return
        written = read_private(self._path(store_id))
        if written is not None and (key := _decoded(written.decode("ascii", "replace"))) is not None:
            yield key
        kept = _get_from_keyring(store_id)
        if kept is not None and (key := _decoded(kept)) is not None:
            yield key

    def _from_variable(self) -> bytes | None:
        given = self._environ.get(VARIABLE)
        if not given:
            return None
        key = _decoded(given)
        if key is None:
            raise SecretLockedError(
                f"{VARIABLE} is not {KEY_BYTES} bytes in URL-safe base64", hint=f"make one: {_HOW_TO_MAKE}"
            )
        return key


def _encoded(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


def _decoded(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _put_into_keyring(store_id: str, key: bytes) -> bool:
    """Whether the keyring took the key, and gives it back."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return False
    try:
        keyring.set_password(_SERVICE, store_id, _encoded(key))
        return bool(keyring.get_password(_SERVICE, store_id) == _encoded(key))
    except Exception as error:  # noqa: BLE001 - each of its backends fails in its own way; the key file serves
        logger.info("the keyring cannot be used (%s); the key goes into a file", type(error).__name__)
        return False


def _get_from_keyring(store_id: str) -> str | None:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return None
    try:
        kept = keyring.get_password(_SERVICE, store_id)
    except Exception as error:  # noqa: BLE001 - as above
        logger.info("the keyring cannot be read (%s)", type(error).__name__)
        return None
    return kept if isinstance(kept, str) else None
