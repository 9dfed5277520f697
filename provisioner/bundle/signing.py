"""Signatures of bundles: Ed25519 over the record, which names the SHA-256 of everything else."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from provisioner.bundle.archive import damaged
from provisioner.bundle.record import as_bytes
from provisioner.errors import InputError, StalePlanError

ALGORITHM = "ed25519"
_PREFIX = f"{ALGORITHM}:"
# What is signed begins with what it is: a signature made for something else is never taken for one of these.
_CONTEXT = b"stack-provisioner bundle, format 1\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a record, as a public key, and the signature."""

    public_key: str
    signature: bytes

    def to_bytes(self) -> bytes:
        """The signature as it stands in a bundle."""
        encoded = base64.b64encode(self.signature).decode()
        return as_bytes({"algorithm": ALGORITHM, "public_key": self.public_key, "signature": encoded})

    def holds(self, record: bytes, public_key: str) -> bool:
        """Whether the owner of ``public_key`` signed this very record."""
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix(_PREFIX)))
        try:
            key.verify(self.signature, _CONTEXT + record)
        except InvalidSignature:
            return False
        return True


def parse_signature(content: bytes, name: str) -> Signature:
    """The signature in a bundle. Raises :class:`StalePlanError` for what is none."""
    try:
        value = json.loads(content)
        if value["algorithm"] != ALGORITHM:
            raise ValueError(f"algorithm {value['algorithm']!r}")
        public_key = read_public_key(value["public_key"])
        return Signature(public_key, base64.b64decode(value["signature"], validate=True))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
        raise damaged(name, "its signature cannot be read") from error


def sign(record: bytes, private_key: bytes) -> Signature:
    """Sign a record. Raises :class:`InputError` for what is no private Ed25519 key."""
    key = _read_private_key(private_key)
    return Signature(_written(key.public_key()), key.sign(_CONTEXT + record))


def new_key() -> tuple[bytes, str]:
    """A new key: the private one as PEM, and the public one in one line."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, _written(key.public_key())


def read_public_key(text: str) -> str:
    """A public key in our one line, from that line, PEM, or OpenSSH's ``ssh-ed25519 …``.

    Raises :class:`InputError` for anything else.
    """
    text = text.strip()
    try:
        if text.startswith(_PREFIX):
            raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
            return _written(Ed25519PublicKey.from_public_bytes(raw))
        load = (
            serialization.load_ssh_public_key
            if text.startswith("ssh-")
            else serialization.load_pem_public_key
        )
        key = load(text.encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise _no_key("public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key("public")
    return _written(key)


def refuse_unsigned(
    name: str, record: bytes, signature: Signature | None, trusted: Sequence[str], *, required: bool
) -> None:
    """Refuse a bundle whose signature does not hold, or, where one is required, is not by a trusted key.

    Raises :class:`StalePlanError`.
    """
    hint = "have it planned and signed by whom you trust: provision plan --out BUNDLE --sign-with KEY"
    if signature is None:
        if required:
            raise StalePlanError(f"{name} is not signed, and a signature is required", hint=hint)
        return
    if not signature.holds(record, signature.public_key):
        raise StalePlanError(
            f"{name}: the signature is not of this record: one of them was changed", hint=hint
        )
    if required and not any(signature.holds(record, key) for key in trusted):
        raise StalePlanError(
            f"{name} is signed by {signature.public_key}, which is not a key that is required here", hint=hint
        )


def _written(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return _PREFIX + base64.b64encode(raw).decode()


def _read_private_key(content: bytes) -> Ed25519PrivateKey:
    openssh = content.lstrip().startswith(b"-----BEGIN OPENSSH")
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key("private") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key("private")
    return key


def _no_key(kind: str) -> InputError:
    form = (
        "PEM, without a passphrase"
        if kind == "private"
        else "ed25519:…, PEM or ssh-ed25519 …; a file that holds it can be named, too"
    )
    return InputError(
        f"that is not a {kind} Ed25519 key",
        hint=f"give one as {form}; `provision bundle keygen` makes a pair",
    )
