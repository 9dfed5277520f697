"""Secrets: kept encrypted, found again by their key alone, shown to nobody."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import stat
import subprocess
import sys
import types
from pathlib import Path

import pytest

from stacks.errors import (
    ComponentExistsError,
    InvalidNameError,
    InvalidValueError,
    SecretError,
    SecretLockedError,
    SecretNotFoundError,
    SecretReadOnlyError,
)
from stacks.secrets import (
    EncryptedFileSecretStore,
    EnvironmentSecretStore,
    Secret,
    references,
    resolve,
    secret_store,
)

CANARY = "canary-3f9a1c"


def new_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "project" / ".stacks"


@pytest.fixture
def store(home: Path) -> EncryptedFileSecretStore:
    return EncryptedFileSecretStore(home)


def test_a_secret_is_created_read_changed_renamed_and_deleted(store: EncryptedFileSecretStore) -> None:
    store.put("s3_secret", {"aws_access_key_id": "AKIA", "aws_secret_access_key": CANARY})
    assert store.get("s3_secret") == {"aws_access_key_id": "AKIA", "aws_secret_access_key": CANARY}
    with pytest.raises(ComponentExistsError, match="provision secret update s3_secret") as caught:
        store.put("s3_secret", {"x": "y"})
    assert caught.value.kind == "secret"
    store.put("s3_secret", {"x": "y"}, replacing=True)
    store.rename("s3_secret", "other")
    assert store.names() == ["other"]
    store.delete("other")
    assert store.names() == []


def test_what_is_not_there_is_said_with_what_is(store: EncryptedFileSecretStore) -> None:
    store.put("mine", {"x": "y"})
    for use in (lambda: store.get("gone"), lambda: store.delete("gone"), lambda: store.rename("gone", "x")):
        with pytest.raises(SecretNotFoundError, match="no secret named 'gone'") as caught:
            use()
        assert "there are: mine" in (caught.value.hint or "")
    store.put("second", {"x": "y"})
    with pytest.raises(ComponentExistsError):
        store.rename("mine", "second")


@pytest.mark.parametrize(
    ("name", "values", "error"),
    [
        ("a b", {"x": CANARY}, InvalidNameError),
        ("x", {"a.b": CANARY}, InvalidNameError),
        ("x", {}, InvalidValueError),
        ("x", {"n": [CANARY]}, InvalidValueError),
    ],
)
def test_what_no_store_takes(
    store: EncryptedFileSecretStore, name: str, values: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        store.put(name, values)
    assert CANARY not in repr(caught.value)


def test_neither_the_file_nor_anything_printed_shows_a_value(
    store: EncryptedFileSecretStore, home: Path, tmp_path: Path
) -> None:
    store.put("mine", {"token": CANARY})
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes()
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert CANARY not in f"{store!r} {store.get('mine')!r} {store.get('mine')}"
    assert "token" in repr(store.get("mine"))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_key_is_not_kept_beside_the_store(store: EncryptedFileSecretStore, home: Path) -> None:
    store.put("mine", {"token": CANARY})
    keys = list((Path(os.environ["XDG_CONFIG_HOME"]) / "stacks" / "keys").iterdir())
    assert [key.suffix for key in keys] == [".key"]
    assert not list(home.glob("*.key"))


def test_every_changed_byte_is_noticed(store: EncryptedFileSecretStore, home: Path) -> None:
    store.put("mine", {"token": CANARY})
    path = home / "secrets.json"
    whole = path.read_bytes()
    document = json.loads(whole)
    sealed = bytearray(base64.b64decode(document["secrets"]))
    for position in range(0, len(sealed), 3):
        changed = bytearray(sealed)
        changed[position] ^= 1
        path.write_text(json.dumps(document | {"secrets": base64.b64encode(changed).decode()}))
        with pytest.raises(SecretError, match="changed after it was written"):
            store.get("mine")
    path.write_text(json.dumps(document | {"id": "../../../etc/passwd"}))
    with pytest.raises(SecretError, match="its id is not one"):
        store.get("mine")
    for broken in (b"", b"{", whole[:-30], b"[]", json.dumps(document | {"secrets": "%"}).encode()):
        path.write_bytes(broken)
        with pytest.raises(SecretError, match="ends too early"):
            store.put("other", {"x": "y"})
        assert path.read_bytes() == broken
    path.write_text(json.dumps(document | {"version": 2}))
    with pytest.raises(SecretError, match="has version 2"):
        store.get("mine")
    path.write_bytes(whole)
    assert store.get("mine")["token"] == CANARY


def test_the_wrong_key_opens_nothing_and_spoils_nothing(home: Path) -> None:
    right, wrong = new_key(), new_key()
    EncryptedFileSecretStore(home, environ={"STACKS_SECRET_KEY": right}).put("mine", {"token": CANARY})
    before = (home / "secrets.json").read_bytes()
    other = EncryptedFileSecretStore(home, environ={"STACKS_SECRET_KEY": wrong})
    for use in (lambda: other.get("mine"), lambda: other.put("x", {"y": "z"}), lambda: other.delete("mine")):
        with pytest.raises(SecretLockedError, match="STACKS_SECRET_KEY is not the key") as caught:
            use()
        assert wrong not in repr(caught.value)
    with pytest.raises(SecretLockedError, match="not on this machine"):
        EncryptedFileSecretStore(home, environ={}).get("mine")
    assert (home / "secrets.json").read_bytes() == before
    opened = EncryptedFileSecretStore(home, environ={"STACKS_SECRET_KEY": right})
    assert opened.get("mine")["token"] == CANARY


def test_a_key_that_is_none_is_refused_with_the_way_to_make_one(home: Path) -> None:
    with pytest.raises(SecretLockedError, match="32 bytes") as caught:
        EncryptedFileSecretStore(home, environ={"STACKS_SECRET_KEY": "hunter2"}).put("a", {"b": "c"})
    assert "hunter2" not in repr(caught.value)
    assert "secrets.token_bytes(32)" in (caught.value.hint or "")


def test_a_lost_key_is_named(store: EncryptedFileSecretStore) -> None:
    store.put("mine", {"token": CANARY})
    (key,) = (Path(os.environ["XDG_CONFIG_HOME"]) / "stacks" / "keys").iterdir()
    content = key.read_bytes()
    key.unlink()
    with pytest.raises(SecretLockedError) as caught:
        store.get("mine")
    assert str(key) in (caught.value.hint or "")
    key.write_bytes(content)
    assert store.get("mine")["token"] == CANARY


def test_the_keyring_keeps_the_key_where_one_works(
    store: EncryptedFileSecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``keyring`` is not a dependency: this stands for it, with the two functions that are used."""
    kept: dict[tuple[str, str], str] = {}
    keyring = types.ModuleType("keyring")
    vars(keyring).update(
        set_password=lambda service, user, password: kept.__setitem__((service, user), password),
        get_password=lambda service, user: kept.get((service, user)),
    )
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    store.put("mine", {"token": CANARY})
    assert store.get("mine")["token"] == CANARY
    assert [service for service, _ in kept] == ["stack-provisioner"]
    assert not (Path(os.environ["XDG_CONFIG_HOME"]) / "stacks" / "keys").exists()


def test_a_keyring_that_fails_leaves_it_to_the_key_file(
    store: EncryptedFileSecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: str) -> str:
        raise RuntimeError("the collection is locked")

    keyring = types.ModuleType("keyring")
    vars(keyring).update(set_password=locked, get_password=locked)
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    store.put("mine", {"token": CANARY})
    assert store.get("mine")["token"] == CANARY


WRITER = """
import sys
from pathlib import Path
from stacks.secrets import EncryptedFileSecretStore
store = EncryptedFileSecretStore(Path(sys.argv[1]))
sys.stdin.readline()
for turn in range(5):
    store.put(f"s{sys.argv[2]}-{turn}", {"x": "y"})
"""


def test_writers_at_once_lose_nothing_not_even_on_the_first_write(home: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(home), str(me)], stdin=subprocess.PIPE)
        for me in range(8)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 8
    assert len(EncryptedFileSecretStore(home).names()) == 40


def test_a_killed_writer_leaves_the_secrets_as_they_were(store: EncryptedFileSecretStore, home: Path) -> None:
    store.put("mine", {"token": CANARY})
    child = os.fork()
    if child == 0:
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment] # in this child
        store.put("other", {"x": "y"})
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert store.names() == ["mine"]
    store.put("other", {"x": "y"})
    assert not list(home.glob(".*.tmp"))


def test_symlinks_are_refused(store: EncryptedFileSecretStore, home: Path, tmp_path: Path) -> None:
    home.mkdir(parents=True)
    (home / "secrets.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretError, match="symlink"):
        store.names()


# -- the environment, and both together


def test_environment_variables_are_secrets_too() -> None:
    store = EnvironmentSecretStore({"STACKS_SECRET__S3_SECRET__AWS_SECRET_ACCESS_KEY": CANARY, "OTHER": "x"})
    assert store.names() == ["s3_secret"]
    assert store.get("s3-secret") == {"aws_secret_access_key": CANARY}
    assert CANARY not in repr(store)
    with pytest.raises(SecretNotFoundError):
        store.get("s3")


def test_the_environment_comes_before_the_file_and_is_not_written_to(home: Path) -> None:
    both = secret_store(home, {"STACKS_SECRET__MINE__TOKEN": "from-env", "STACKS_SECRET_KEY": new_key()})
    both.put("other", {"token": "from-file"})
    assert both.names() == ["mine", "other"]
    assert both.get("mine")["token"] == "from-env"
    assert both.get("other")["token"] == "from-file"
    with pytest.raises(SecretReadOnlyError) as refused:
        both.put("mine", {"token": "x"}, replacing=True)
    assert refused.value.message == (
        "secret 'mine' comes from the environment variables STACKS_SECRET__MINE__…, "
        "which cannot be changed here"
    )
    with pytest.raises(SecretReadOnlyError, match="cannot be changed here"):
        both.rename("other", "mine")
    with pytest.raises(SecretNotFoundError):
        both.get("gone")
    both.rename("other", "third")
    both.delete("third")
    assert both.names() == ["mine"]


# -- references


class Fixed:
    """A reader of two fixed secrets that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def names(self) -> list[str]:
        return ["mine", "dotted.name"]

    def get(self, name: str) -> Secret:
        self.asked += 1
        return Secret(name, {"token": f"<{name}>", "nested": "{{mine.token}}"})


def test_references_become_values_however_deep() -> None:
    reader = Fixed()
    config = {"a": "{{mine.token}}", "b": ["x-{{ mine.token }}-{{dotted.name.token}}", {"c": 1}], "d": None}
    assert resolve(config, reader) == {"a": "<mine>", "b": ["x-<mine>-<dotted.name>", {"c": 1}], "d": None}
    assert reader.asked == 2
    assert references(config) == {"mine", "dotted.name"}


def test_a_value_is_never_read_as_a_reference() -> None:
    assert resolve("{{mine.nested}}", Fixed()) == "{{mine.token}}"


def test_a_missing_key_is_said_with_those_there_are() -> None:
    with pytest.raises(SecretNotFoundError, match="no key 'gone'") as caught:
        resolve("{{mine.gone}}", Fixed())
    assert caught.value.hint == "its keys are: nested, token"


def test_what_only_looks_like_a_reference_stays() -> None:
    for text in ("{{mine}}", "{ {mine.token}}", "{{mine.token}", "{{}}"):
        assert resolve(text, Fixed()) == text
