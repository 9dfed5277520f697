"""Parameters as a record shows them: what is called like a secret is masked, however deep it lies."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from stacks.pipelines.code import Unknowable
from stacks.sensitive import SECRET_FIELDS, is_secret, is_secret_field

MASK = "********"

# What is a secret of a store or connector, by whole words; a `key` of a function rather is a column's, and
# of `token` more is to be told.
_SECRETS = (SECRET_FIELDS - {"key", "token"}) | {
    "accesstoken", "apikey", "auth_key", "auth_token", "authorization", "authtoken", "bearer_token",
    "credential", "encryption_key", "hmac_key", "jwt", "master_key", "passphrase", "passwd", "pwd",
    "refresh_token", "shared_key", "signing_key", "ssh_key", "storage_key", "subscription_key",
}  # fmt: skip
_SECRET = re.compile(rf"_({'|'.join(sorted(_SECRETS))})s?_")
# A name that ends so says something about a secret: where it is, or how long it may be.
_ABOUT = frozenset({
    "arn", "column", "columns", "count", "dir", "env", "expiry", "field", "fields", "file", "files", "folder",
    "hint", "length", "lifetime", "limit", "name", "names", "path", "paths", "policy", "size", "ttl", "type",
    "var", "variable",
})  # fmt: skip
# Tokens of texts and of listings.
_BEFORE_TOKEN = frozenset({
    "begin", "bos", "cls", "continuation", "end", "eos", "first", "image", "last", "mask", "max", "min",
    "next", "num", "pad", "page", "per", "prefix", "sep", "special", "start", "stop", "suffix", "unk",
})  # fmt: skip
_AFTER_TOKEN = frozenset({
    "budget", "dim", "embedding", "embeddings", "id", "ids", "index", "level", "loss", "probability", "rate",
    "ratio",
})  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``parameters``, as JSON, without secrets. The records of a store are read by many."""
    return {name: _replaced(name, value, lambda _: MASK) for name, value in parameters.items()}


def hardened(parameters: Mapping[str, Any], salt: bytes) -> dict[str, Any]:
    """``parameters`` for the key of a cached step, which many can read: a secret as what is slow to guess."""

    def hard(value: Any) -> Any:
        return {"$secret": _stretched(json.dumps(value).encode(), salt)}

    return {name: _replaced(name, value, hard) for name, value in parameters.items()}


@lru_cache(maxsize=64)
def _stretched(secret: bytes, salt: bytes) -> str:
    """Takes about 50 ms, and 16 MiB."""
    try:
        return hashlib.scrypt(secret, salt=salt, n=2**14, r=8, p=1, dklen=32).hex()
    except (AttributeError, ValueError) as error:
        raise Unknowable(f"it is given a secret, and this Python has no scrypt: {error}") from None


def is_secret_name(name: str) -> bool:
    """Whether a parameter of this name is a secret: ``db_password``, ``openaiApiKey``; not ``max_tokens``."""
    if name.lower() == "key":
        return False
    words = [word.lower() for word in _WORD.findall(name)]
    if is_secret_field(name):
        return True
    if not words or words[-1] in _ABOUT:
        return False
    if _SECRET.search(f"_{'_'.join(words)}_"):
        return True
    before, after = ["", *words], [*words[1:], ""]
    return any(
        word == "token" and before[place] not in _BEFORE_TOKEN and after[place] not in _AFTER_TOKEN | _ABOUT
        for place, word in enumerate(words)
    )


def _replaced(name: str, value: Any, replace: Callable[[Any], Any]) -> Any:
    if is_secret_name(name) or (isinstance(value, str) and is_secret("", value)):  # a URL with a password
        nothing = value is None or isinstance(value, bool) or value == ""
        return value if nothing else replace(value)
    if isinstance(value, list):
        return [_replaced("", one, replace) for one in value]
    if not isinstance(value, dict):
        return value
    if "$model" in value and isinstance(value.get("json"), str):
        value = {"$model": value["$model"], "value": json.loads(value["json"])}
    for kind in ("$dict", "$ordered"):
        if kind in value:
            return {kind: [[key, _replaced(str(key), one, replace)] for key, one in value[kind]]}
    return {key: _replaced(key, one, replace) for key, one in value.items()}
