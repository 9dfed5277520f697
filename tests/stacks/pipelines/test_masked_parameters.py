"""Secrets among the parameters of steps: in no record, and in no key that could be guessed from."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

import pytest
from workshop import Workshop

from stacks import pipeline, step
from stacks.pipelines.parameters import is_secret_name

SECRET = (
    "password", "db_password", "PASSWORD_PROD", "password2", "passwords", "passphrase", "secret", "secrets",
    "client_secret", "api_key", "openai_api_key", "openaiApiKey", "APIKey", "apikey", "api_keys", "token",
    "hf_token", "access_token", "accessToken", "refresh_tokens", "id_token", "token_prod", "private_key",
    "aws_access_key_id", "my_aws_secret_access_key", "connection_string", "credentials", "ssh_key",
    "vault_secret_id",
)  # fmt: skip
HARMLESS = (
    "key", "sort_key", "s3_key", "public_key", "keys", "tokens", "tokens_per_batch", "max_tokens",
    "num_token", "pad_token", "pad_token_id", "eos_token", "next_token", "page_token", "token_count",
    "tokenizer", "secret_name", "password_length", "password_file", "secretary", "passwordless", "data", "",
    "n", "größe",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


@step
def connect(password: Any, db_password: Any, more: Any, max_tokens: int) -> str:
    """Says what it was given."""
    return f"{password} {db_password}"


@pytest.mark.parametrize(
    "secret",
    ["canary", b"canary", ("canary",), ["canary"], {"a": "canary"}, {"$odd": "canary"}, 271828, 2.718281828],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_secret_of_any_type_is_in_no_record(workshop: Workshop, secret: Any) -> None:
    more = {1: OrderedDict(apiKey=secret), "deep": [({"github_token": secret},)]}

    made = pipeline(name="p")(lambda: connect(secret, secret, more, 100))()

    found = made.steps["connect"].parameters
    assert (found["password"], found["db_password"], found["max_tokens"]) == ("********", "********", 100)
    records = "".join(path.read_text() for path in (workshop.root / ".records").rglob("*.json"))
    assert not [one for one in ("canary", "Y2FuYXJ5", "271828", "2.718281828") if one in records]
    assert records.count("********") >= 4


def test_a_url_with_a_password_in_it_is_a_secret_whatever_it_is_called(workshop: Workshop) -> None:
    made = pipeline(name="p")(lambda: connect(None, None, ["db://me:canary@host/x", "db://host/x"], 1))()

    assert made.steps["connect"].parameters["more"] == ["********", "db://host/x"]


def test_that_there_is_no_secret_can_be_seen(workshop: Workshop) -> None:
    made = pipeline(name="p")(lambda: connect(None, "", {"use_token": True}, 1))()

    found = made.steps["connect"].parameters
    assert (found["password"], found["db_password"], found["more"]) == (None, "", {"use_token": True})


def test_another_secret_is_another_step(workshop: Workshop) -> None:
    def status(password: str) -> str:
        run = pipeline(name="p")(lambda: connect(password, None, None, 1))()
        return str(run.steps["connect"].status)

    assert [status(one) for one in ("a", "b", "a")] == ["completed", "completed", "cached"]


def test_a_secret_in_a_key_is_slow_to_guess(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are names of files: who reads the store must not be able to try a million passwords a second."""
    asked: list[bytes] = []
    real = hashlib.scrypt

    def scrypt(secret: bytes, **choice: Any) -> bytes:
        asked.append(secret)
        assert choice["n"] * choice["r"] * 128 >= 16 * 1024 * 1024
        return real(secret, **choice)

    monkeypatch.setattr(hashlib, "scrypt", scrypt)

    @pipeline
    def p() -> None:
        for number in range(3):
            connect("a password", None, None, number)
        connect(None, None, "no secret", 7)

    p()

    assert asked == [b'"a password"']  # once for all calls of a step


def test_where_there_is_no_slow_hash_a_step_with_a_secret_is_not_cached(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(secret: bytes, **choice: Any) -> bytes:
        raise ValueError("no FIPS")

    monkeypatch.setattr(hashlib, "scrypt", none)

    for _ in range(2):
        made = pipeline(name="p")(lambda: connect("never hashed", None, None, 1))()
        assert (made.steps["connect"].status, made.steps["connect"].cache_key) == ("completed", None)
