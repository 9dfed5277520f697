"""What goes wrong between store and service is repeated or reported, and never gives wrong data."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contract_rigs import S3Rig, Scene
from fault_proxy import Proxy, Request, proxy

from stacks.credentials import AwsCredentials
from stacks.errors import (
    CredentialsExpiredError,
    CredentialsWrongError,
    StoreError,
    StoreNetworkError,
    StorePermissionError,
    StoreServiceError,
)

MIB = 1024 * 1024
LARGE = random.Random(3).randbytes(16 * MIB + 17)
FAULTS = ["reset", "429", "500", "503", "truncate", "stall"]


@pytest.fixture
def between(moto: S3Rig) -> Iterator[Proxy]:
    with proxy(moto.endpoint) as running:
        yield running


@pytest.fixture
def scene(moto: S3Rig, between: Proxy) -> Scene:
    store, prefix = moto.fresh(
        client_kwargs={"endpoint_url": between.url},
        config_kwargs={"read_timeout": 1, "connect_timeout": 2},
        name="shaky",
    )
    return Scene(store, prefix, moto)


def read_small(scene: Scene) -> None:
    with scene.store.open(scene.at("small"), "rb") as file:
        assert file.read() == b"small"


def read_large(scene: Scene) -> None:
    with scene.store.open(scene.at("large"), "rb") as file:
        assert file.read() == LARGE


def read_large_in_blocks(scene: Scene) -> None:
    with scene.store.open(scene.at("large"), "rb") as file:
        assert b"".join(iter(lambda: file.read(700_001), b"")) == LARGE


def read_many(scene: Scene) -> None:
    assert scene.store.read_many([scene.at("small")] * 5) == [b"small"] * 5


def write_small(scene: Scene) -> None:
    with scene.store.open(scene.at("new"), "w") as file:
        file.write("new")
    assert scene.get("new") == b"new"


def write_large(scene: Scene) -> None:
    with scene.store.open(scene.at("new"), "wb") as file:
        file.write(LARGE)
    assert scene.get("new") == LARGE
    assert scene.unfinished() == []


def look(scene: Scene) -> None:
    assert scene.store.listdir(scene.store.path) == ["large", "small"]
    assert scene.store.size(scene.at("small")) == 5
    assert not scene.store.exists(scene.at("other"))


def change(scene: Scene) -> None:
    scene.store.copyfile(scene.at("small"), scene.at("copy"))
    scene.store.rename(scene.at("copy"), scene.at("moved"))
    assert scene.get("moved") == b"small"
    scene.store.rmtree(scene.store.path)
    assert scene.files() == []


def prepare(scene: Scene, call: Callable[[Scene], None]) -> None:
    scene.put("small", b"small")
    scene.put("large", LARGE if call in {read_large, read_large_in_blocks} else b"")
    scene.store.isdir(scene.store.path)


CALLS = [read_small, read_large, read_large_in_blocks, read_many, write_small, write_large, look, change]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_fault_that_passes_is_survived(
    scene: Scene, between: Proxy, call: Callable[[Scene], None], fault: str
) -> None:
    prepare(scene, call)
    # A body that broke off says nothing of whether the change took place, so only answers to reads break off.
    wanted = (lambda request: request.method == "GET") if fault in {"truncate", "stall"} else (lambda _: True)
    between.faults.breaks(fault, 1, wanted)
    call(scene)
    assert between.faults.broken == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("reset", StoreNetworkError),
        ("500", StoreServiceError),
        ("503", StoreServiceError),
        ("429", StoreServiceError),
        ("truncate", StoreError),
        ("stall", StoreError),
    ],
)
def test_a_fault_that_stays_is_reported(
    moto: S3Rig, between: Proxy, fault: str, error: type[StoreError]
) -> None:
    store, prefix = moto.fresh(
        client_kwargs={"endpoint_url": between.url},
        config_kwargs={"read_timeout": 0.5, "retries": {"max_attempts": 1}},
        name="broken",
    )
    scene = Scene(store, prefix, moto)
    scene.put("file", b"0123456789" * 1000)
    between.faults.breaks(fault, 1000, lambda request: request.method in {"GET", "HEAD"})
    started = time.monotonic()
    for call in (
        lambda: store.open(scene.at("file"), "rb").read(),
        lambda: store.read_many([scene.at("file")]),
        lambda: store.listdir(store.path),
    ):
        with pytest.raises(error) as caught:
            call()
        assert "broken" in str(caught.value)
        assert caught.value.operation
        assert caught.value.hint
    assert time.monotonic() - started < 60


def test_a_write_that_fails_leaves_nothing(scene: Scene, between: Proxy) -> None:
    file = scene.store.open(scene.at("new"), "wb")
    file.write(LARGE)
    between.faults.breaks("500", 1000, lambda request: request.method in {"PUT", "POST"})
    with pytest.raises(StoreServiceError):
        file.close()
    assert scene.files() == []
    assert scene.unfinished() == []


def test_a_missing_permission_names_operation_and_path(scene: Scene, between: Proxy) -> None:
    scene.put("file")
    between.faults.breaks("403", 1000)
    for operation, call in {
        "open": lambda: scene.store.open(scene.at("file")),
        "write": lambda: scene.store.write_bytes(scene.at("file"), b""),
        "listdir": lambda: scene.store.listdir(scene.store.path),
        "exists": lambda: scene.store.exists(scene.at("file")),
        "stat": lambda: scene.store.stat(scene.at("file")),
        "copy": lambda: scene.store.copyfile(scene.at("file"), scene.at("new"), overwrite=True),
    }.items():
        with pytest.raises(StorePermissionError, match="shaky") as caught:
            call()
        assert caught.value.operation == operation
        assert str(caught.value.path).startswith(scene.store.path)
        assert isinstance(caught.value, PermissionError)


def test_keys_that_the_service_does_not_know(scene: Scene, between: Proxy) -> None:
    between.faults.breaks("401", 1000)
    for call in (scene.store.listdir, scene.store.exists, scene.store.stat):
        with pytest.raises(CredentialsWrongError, match="InvalidAccessKeyId"):
            call(scene.at("file"))


# ---- credentials that expire ----------------------------------------------------------------------------


class Tokens:
    """Credentials whose token the proxy may declare expired, before the time that they say themselves."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> AwsCredentials:
        self.number += 1
        expires = datetime.now(UTC) + timedelta(hours=1)
        return AwsCredentials("test", "testtest", f"token-{self.number}", expires)


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def timed(moto: S3Rig, between: Proxy, tokens: Tokens) -> Scene:
    store, prefix = moto.fresh(client_kwargs={"endpoint_url": between.url}, credentials=tokens, name="timed")
    return Scene(store, prefix, moto)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_expired_credentials_are_renewed_once(
    timed: Scene, between: Proxy, tokens: Tokens, call: Callable[[Scene], None]
) -> None:
    prepare(timed, call)
    between.faults.expired = {"token-1"}
    call(timed)
    assert tokens.number == 2


def test_they_expire_in_the_middle_of_a_read(timed: Scene, between: Proxy, tokens: Tokens) -> None:
    timed.put("large", LARGE * 4)
    with timed.store.open(timed.at("large"), "rb") as file:
        begin = file.read(5 * MIB)
        between.faults.expired = {"token-1"}
        assert begin + file.read() == LARGE * 4
    assert tokens.number == 2


def test_they_expire_in_the_middle_of_a_write(timed: Scene, between: Proxy, tokens: Tokens) -> None:
    with timed.store.open(timed.at("new"), "wb") as file:
        file.write(LARGE)
        between.faults.expired = {"token-1"}
        file.write(LARGE)
    assert timed.get("new") == LARGE + LARGE
    assert tokens.number == 2


def test_credentials_that_stay_expired_are_reported(timed: Scene, between: Proxy) -> None:
    between.faults.expired = {f"token-{number}" for number in range(100)}
    for call in (
        lambda: timed.store.listdir(timed.store.path),
        lambda: timed.store.write_bytes(timed.at("x"), b""),
        lambda: timed.store.read_many([timed.at("x")]),
    ):
        with pytest.raises(CredentialsExpiredError, match="timed") as caught:
            call()
        assert caught.value.hint


def requests_of(between: Proxy, call: Callable[[], Any]) -> list[Request]:
    between.faults.seen.clear()
    call()
    return list(between.faults.seen)


def test_what_the_common_calls_cost(timed: Scene, between: Proxy) -> None:
    """A request is 20 to 50 ms away: a small file costs one to read, and a write one more for the check."""
    path = timed.put("folder/file", b"1")
    timed.store.isdir(timed.store.path)
    assert len(requests_of(between, lambda: timed.store.open(path, "rb").read())) == 1
    assert len(requests_of(between, lambda: timed.store.write_bytes(path, b"2"))) == 2
    etag = timed.store.stat(path).etag
    assert etag
    assert len(requests_of(between, lambda: timed.store.write_bytes(path, b"3", if_match=etag))) == 1
    assert len(requests_of(between, lambda: timed.store.listdir(timed.at("folder")))) == 1
    assert len(requests_of(between, lambda: list(timed.store.walk(timed.store.path)))) == 1
    assert len(requests_of(between, lambda: timed.store.exists(path))) == 1
    assert len(requests_of(between, lambda: timed.store.remove(path))) == 2
