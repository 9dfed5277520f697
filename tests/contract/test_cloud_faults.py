"""The same faults as between S3 and its store, on the way to Google's and Azure's services."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from contract_rigs import AZURITE_KEY, Rig, Scene
from fault_proxy import AZURE, GCS, Answer, Proxy, Request, proxy
from test_s3_faults import (
    CALLS,
    FAULTS,
    LARGE,
    prepare,
    read_large_in_blocks,
    read_many,
    write_large,
    write_small,
)

from stacks.credentials import AzureCredentials, Credentials, GcpToken
from stacks.errors import (
    CredentialsWrongError,
    ObjectChangedError,
    StoreError,
    StoreNetworkError,
    StorePermissionError,
    StoreServiceError,
)

MIB = 1024 * 1024
SELDOM = {"429", "500", "stall"}  # much like 503 and truncate
MUCH_ALIKE = [read_large_in_blocks, read_many]

# The SDKs drop the connection of a failed request without closing it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module", autouse=True)
def _dropped_here() -> Iterator[None]:
    """What the SDKs dropped is found here, not in the middle of another file's tests."""
    yield
    gc.collect()


def seldom(value: Any, much_alike: bool) -> Any:
    """A case that is not worth its seconds every day."""
    name = value if isinstance(value, str) else value.__name__
    return pytest.param(value, id=name, marks=[pytest.mark.slow] if much_alike else [])


@pytest.fixture(params=["gcs", "azure"])
def rig(request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> Rig:
    return start(request.param)


@pytest.fixture
def between(rig: Rig) -> Iterator[Proxy]:
    origin = rig.endpoint.removesuffix("/devstoreaccount1")
    with proxy(origin, GCS if rig.name == "gcs" else AZURE) as running:
        yield running


@pytest.fixture(autouse=True)
def _soon(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that stands still is given up soon, but only where one does: a busy machine pauses, too."""
    stalls = request.node.callspec.params.get("fault") == "stall"
    monkeypatch.setattr("stacks.stores.fast.READ_TIMEOUT", 0.5 if stalls else 20.0)


def through(between: Proxy, rig: Rig, name: str, **config: Any) -> Scene:
    """A store that reaches the service only through the proxy."""
    where = {
        "gcs": {"endpoint_url": between.url},
        "azure": {"account_url": f"{between.url}/devstoreaccount1"},
    }
    store, prefix = rig.fresh(**where[rig.name], name=name, **config)
    return Scene(store, prefix, rig)


@pytest.fixture
def scene(rig: Rig, between: Proxy) -> Scene:
    return through(between, rig, "shaky")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients repeat, but not for minutes."""
    monkeypatch.setattr("stacks.stores.fast.RETRIES", 1)
    monkeypatch.setattr("google.cloud.storage.retry.DEFAULT_RETRY._timeout", 1.0)
    monkeypatch.setattr("stacks.stores.azure_clients.RETRIES", 1)
    monkeypatch.setattr("stacks.stores.azure._LONGEST_PAUSE", 0.5)


@pytest.mark.parametrize("fault", [seldom(fault, fault in SELDOM) for fault in FAULTS])
@pytest.mark.parametrize("call", [seldom(call, call in MUCH_ALIKE) for call in CALLS])
def test_a_fault_that_passes_is_survived(
    scene: Scene, between: Proxy, call: Callable[[Scene], None], fault: str
) -> None:
    prepare(scene, call)
    # A body that broke off says nothing of whether the change took place, so only answers to reads break off.
    wanted = (lambda request: request.method == "GET") if fault in {"truncate", "stall"} else (lambda _: True)
    between.faults.breaks(fault, 1, wanted)
    call(scene)
    if fault not in {"truncate", "stall"} or call not in {write_small, write_large}:
        assert between.faults.broken == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("reset", StoreNetworkError),
        ("500", StoreServiceError),
        ("503", StoreServiceError),
        pytest.param("429", StoreServiceError, marks=pytest.mark.slow),
        ("truncate", StoreError),
        pytest.param("stall", StoreError, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_fault_that_stays_is_reported(
    rig: Rig, between: Proxy, fault: str, error: type[StoreError]
) -> None:
    scene = through(between, rig, "broken")
    scene.put("file", b"0123456789" * 1000)
    between.faults.breaks(fault, 1000, lambda request: request.method in {"GET", "HEAD"})
    started = time.monotonic()
    for call in (
        lambda: scene.store.open(scene.at("file"), "rb").read(),
        lambda: scene.store.read_many([scene.at("file")]),
        lambda: scene.store.listdir(scene.store.path),
    ):
        with pytest.raises(error) as caught:
            call()
        assert "broken" in str(caught.value)
        assert caught.value.operation
        assert caught.value.hint
    assert time.monotonic() - started < 60


@pytest.mark.usefixtures("impatient")
def test_a_write_that_fails_leaves_nothing(rig: Rig, between: Proxy) -> None:
    scene = through(between, rig, "shaky")
    for content in (b"small", LARGE):
        file = scene.store.open(scene.at("new"), "wb")
        file.write(content)
        between.faults.breaks("500", 1000, lambda request: request.method in {"PUT", "POST"})
        with pytest.raises(StoreServiceError):
            file.close()
        between.faults.breaks("", 0)
        assert scene.files() == []


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


def test_credentials_that_the_service_does_not_know(scene: Scene, between: Proxy) -> None:
    between.faults.breaks("401", 1000)
    for call in (scene.store.listdir, scene.store.exists, scene.store.stat, scene.store.open):
        with pytest.raises(CredentialsWrongError, match="shaky"):
            call(scene.at("file"))


# ---- answers that lie or get lost -----------------------------------------------------------------------


@pytest.mark.parametrize("place", [2 * MIB, 9 * MIB])
def test_a_file_replaced_while_it_is_read_is_no_mixture(scene: Scene, place: int) -> None:
    scene.put("file", LARGE)
    for rest in (lambda file: file.read(), lambda file: file.read(10), lambda file: file.read(9 * MIB)):
        with scene.store.open(scene.at("file"), "rb") as file:
            assert file.read(100) == LARGE[:100]
            scene.put("file", LARGE[::-1])
            file.seek(place)
            with pytest.raises(ObjectChangedError) as caught:
                rest(file)
            assert caught.value.operation == "read"
            assert caught.value.hint
        scene.put("file", LARGE)


def test_bytes_that_are_missing_are_missed(scene: Scene, between: Proxy) -> None:
    """A body of the length that it says, but shorter than the range that was asked for."""

    def change(request: Request, answer: Answer) -> Answer:
        cut = request.method == "GET" and answer.status == 206
        return Answer(206, answer.headers, answer.content[:-1]) if cut else answer

    between.faults.change = change
    for size in (10, len(LARGE)):
        scene.put("file", LARGE[:size])
        with pytest.raises(StoreError):
            scene.store.open(scene.at("file"), "rb").read()
        with pytest.raises(StoreError):
            scene.store.read_many([scene.at("file")])


@pytest.mark.parametrize("mode", ["xb", "ab"])
@pytest.mark.usefixtures("impatient")
def test_a_conditional_write_whose_answer_is_lost_is_in_doubt(
    scene: Scene, between: Proxy, mode: str
) -> None:
    """Sending it again would meet its own file, and tell the only writer that another one was faster."""
    scene.store.isdir(scene.store.path)
    between.faults.breaks("lost", 1, lambda request: request.method in {"PUT", "POST"})
    with pytest.raises(StoreNetworkError, match="write"):
        write(scene, mode, b"new")
    assert scene.get("new") == b"new"


@pytest.mark.parametrize(
    ("mode", "error"), [("xb", FileExistsError), ("ab", ObjectChangedError)], ids=["exclusive", "append"]
)
def test_a_large_conditional_write_does_not_win_over_a_faster_one(
    scene: Scene, mode: str, error: type[OSError]
) -> None:
    if mode == "ab":
        scene.put("file", b"old")
    file = scene.store.open(scene.at("file"), mode)
    file.write(LARGE)
    scene.put("file", b"faster")
    with pytest.raises(error):
        file.close()
    assert scene.get("file") == b"faster"


def write(scene: Scene, mode: str, content: bytes) -> None:
    with scene.store.open(scene.at("new"), mode) as file:
        file.write(content)


# ---- credentials that expire ----------------------------------------------------------------------------


class Tokens:
    """Credentials that the proxy may declare expired, before the time that they say themselves."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.given: list[str] = []

    def __call__(self) -> Credentials:
        expires = datetime.now(UTC) + timedelta(hours=1, seconds=len(self.given))
        if self.rig.name == "gcs":
            self.given.append(f"Bearer token-{len(self.given)}")
            return GcpToken(self.given[-1].removeprefix("Bearer "), expires)
        sas = self.sas(expires)
        self.given.append(unquote(sas.rpartition("sig=")[2]))
        return AzureCredentials(sas_token=sas, expires_at=expires)

    def sas(self, expires: datetime) -> str:
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        allowed = ContainerSasPermissions(
            read=True, write=True, list=True, delete=True, create=True, add=True
        )
        container = self.rig.base.removeprefix("az://")
        signed: str = generate_container_sas(
            "devstoreaccount1", container, account_key=AZURITE_KEY, permission=allowed, expiry=expires
        )
        return signed


@pytest.fixture
def tokens(rig: Rig) -> Tokens:
    return Tokens(rig)


@pytest.fixture
def timed(rig: Rig, between: Proxy, tokens: Tokens) -> Scene:
    return through(between, rig, "timed", credentials=tokens)


@pytest.mark.parametrize("call", [seldom(call, call in MUCH_ALIKE) for call in CALLS])
def test_expired_credentials_are_renewed_once(
    timed: Scene, between: Proxy, tokens: Tokens, call: Callable[[Scene], None]
) -> None:
    prepare(timed, call)
    between.faults.expired = {tokens.given[0]}
    call(timed)
    assert len(tokens.given) == 2


def test_they_expire_in_the_middle_of_a_read(timed: Scene, between: Proxy, tokens: Tokens) -> None:
    timed.put("large", LARGE * 4)
    with timed.store.open(timed.at("large"), "rb") as file:
        begin = file.read(5 * MIB)
        between.faults.expired = {tokens.given[0]}
        assert begin + file.read() == LARGE * 4
    assert len(tokens.given) == 2


def test_they_expire_in_the_middle_of_a_write(timed: Scene, between: Proxy, tokens: Tokens) -> None:
    with timed.store.open(timed.at("new"), "wb") as file:
        file.write(LARGE)
        between.faults.expired = set(tokens.given)
        file.write(LARGE)
    assert timed.get("new") == LARGE + LARGE
    assert len(tokens.given) == 2


def test_credentials_that_stay_expired_are_reported(timed: Scene, between: Proxy) -> None:
    class Anything(set[str]):
        def __contains__(self, _: object) -> bool:
            return True

    between.faults.expired = Anything()
    for call in (
        lambda: timed.store.listdir(timed.store.path),
        lambda: timed.store.write_bytes(timed.at("x"), b""),
        lambda: timed.store.read_many([timed.at("x")]),
    ):
        with pytest.raises(CredentialsWrongError, match="timed") as caught:
            call()
        assert caught.value.hint


# ---- what a call costs ----------------------------------------------------------------------------------


def test_what_the_common_calls_cost(scene: Scene, between: Proxy) -> None:
    """A request is 20 to 50 ms away: a small file costs one to read, and a write one more for the check."""

    def requests(call: Callable[[], Any]) -> int:
        between.faults.seen.clear()
        call()
        return len(between.faults.seen)

    store, path = scene.store, scene.put("folder/file", b"1")
    store.isdir(store.path)
    assert requests(lambda: store.open(path, "rb").read()) == 1
    assert requests(lambda: store.read_many([path])) == 1
    assert requests(lambda: store.write_bytes(path, b"2")) <= 2
    assert requests(lambda: store.listdir(scene.at("folder"))) == 1
    assert requests(lambda: list(store.walk(store.path))) == 1
    assert requests(lambda: store.exists(path)) == 1
    assert requests(lambda: store.exists(scene.at("none"))) == 2
    assert requests(lambda: store.remove(path)) == 2


def test_what_is_read_has_the_time_that_is_shown(scene: Scene) -> None:
    path = scene.put("file", b"1")
    content, found = scene.store.read_bytes(path)
    assert content == b"1"
    assert found == scene.store.stat(path)
    assert found.modified == scene.store.scan(scene.store.path)[0].modified
