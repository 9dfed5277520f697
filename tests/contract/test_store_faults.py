"""Answers that lie, get lost or never come: nothing is done twice, made up, or taken for empty."""

from __future__ import annotations

import itertools
import random
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contract_rigs import S3Rig, Scene
from contract_servers import free_port
from fault_proxy import Answer, Proxy, Request, proxy

from stacks.credentials import AwsCredentials
from stacks.errors import (
    ObjectChangedError,
    StoreError,
    StoreNetworkError,
    StoreServiceError,
)

MIB = 1024 * 1024
LARGE = random.Random(5).randbytes(18 * MIB + 5)


@pytest.fixture
def between(moto: S3Rig) -> Iterator[Proxy]:
    with proxy(moto.endpoint) as running:
        yield running


def through(between: Proxy, moto: S3Rig, **config: Any) -> Scene:
    """A store that reaches the service only through the proxy, and gives up soon."""
    patience = {"read_timeout": 1, "connect_timeout": 2, "retries": {"max_attempts": 2}}
    settings = {"config_kwargs": patience, **config}
    store, prefix = moto.fresh(client_kwargs={"endpoint_url": between.url}, name="shaky", **settings)
    return Scene(store, prefix, moto)


@pytest.fixture
def scene(moto: S3Rig, between: Proxy) -> Scene:
    return through(between, moto)


# ---- answers that get lost on their way -----------------------------------------------------------------


def write(scene: Scene, key: str, mode: str, content: bytes) -> None:
    with scene.store.open(scene.at(key), mode) as file:
        file.write(content)


CHANGES: dict[str, tuple[Callable[[Scene], object], dict[str, bytes]]] = {
    "write": (lambda scene: write(scene, "new", "wb", b"new"), {"old": b"old", "new": b"new"}),
    "large write": (lambda scene: write(scene, "new", "wb", LARGE), {"old": b"old", "new": LARGE}),
    "exclusive large write": (lambda scene: write(scene, "new", "xb", LARGE), {"old": b"old", "new": LARGE}),
    "copy": (
        lambda scene: scene.store.copyfile(scene.at("old"), scene.at("new")),
        {"old": b"old", "new": b"old"},
    ),
    "rename": (lambda scene: scene.store.rename(scene.at("old"), scene.at("new")), {"new": b"old"}),
    "remove": (lambda scene: scene.store.remove(scene.at("old")), {}),
    "rmtree": (lambda scene: scene.store.rmtree(scene.store.path), {}),
    "mkdir": (lambda scene: scene.store.mkdir(scene.at("new")), {"old": b"old"}),
}


def contents(scene: Scene) -> dict[str, bytes]:
    return {key: scene.get(key) for key in scene.files()}


def is_begin(request: Request) -> bool:
    return request.path.endswith("?uploads")


@pytest.mark.parametrize("fault", ["lost", "header", "truncate"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_whose_answer_is_lost_is_made_once(
    scene: Scene, between: Proxy, name: str, fault: str
) -> None:
    """One after another, the answer to each request of the call gets lost, after the service has done it."""
    call, expected = CHANGES[name]
    scene.store.isdir(scene.store.path)
    for number in range(20):
        scene.put("old", b"old")
        requests = itertools.count()
        between.faults.breaks(
            fault,
            1,
            # Of an upload whose beginning is not heard of nobody knows: the bucket's own rule ends it.
            lambda request, at=number, seen=requests: not is_begin(request) and next(seen) >= at,
        )
        call(scene)
        if not between.faults.broken:
            return
        assert contents(scene) == expected
        assert scene.unfinished() == []
        for key in scene.files():
            scene.delete(key)
        if name == "mkdir":
            scene.store.rmtree(scene.at("new"))
    pytest.fail("there was always one more request")


@pytest.mark.parametrize("mode", ["xb", "ab"])
def test_a_conditional_write_whose_answer_is_lost_is_in_doubt(
    scene: Scene, between: Proxy, mode: str
) -> None:
    """Sending it again would meet its own file, and tell the only writer that another one was faster."""
    scene.store.isdir(scene.store.path)
    between.faults.breaks("lost", 1, lambda request: request.method == "PUT")
    with pytest.raises(StoreNetworkError, match="write"):
        write(scene, "new", mode, b"new")
    assert contents(scene) == {"new": b"new"}


def test_a_completion_that_seems_to_fail_but_did_not(scene: Scene, between: Proxy) -> None:
    """Amazon may answer 200 with an error in it; other services forget an upload once it is complete."""
    for code in ("InternalError", "NoSuchUpload"):

        def change(request: Request, answer: Answer, code: str = code) -> Answer:
            if request.method == "POST" and "uploadId=" in request.path:
                error = f"<Error><Code>{code}</Code><Message>injected</Message></Error>"
                return Answer(404 if code == "NoSuchUpload" else 200, {}, error.encode())
            return answer

        between.faults.change = change
        write(scene, "new", "wb", LARGE)
        assert scene.get("new") == LARGE
        assert scene.unfinished() == []


def test_a_completion_that_fails_leaves_the_old_file(scene: Scene, between: Proxy) -> None:
    """Also when the old one has as many bytes in as many parts."""
    write(scene, "file", "wb", LARGE)
    file = scene.store.open(scene.at("file"), "wb")
    file.write(LARGE[::-1])
    between.faults.breaks("500", 1000, lambda request: request.method == "POST")
    with pytest.raises(StoreServiceError, match="InternalError") as caught:
        file.close()
    assert caught.value.operation == "write"
    assert scene.get("file") == LARGE
    assert scene.unfinished() == []


def test_the_failure_of_a_block_is_heard_although_the_line_is_down(
    scene: Scene, between: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    def step() -> None:
        with scene.store.open(scene.at("file"), "wb") as file:
            file.write(LARGE)
            between.faults.breaks("reset", 1000)
            raise KeyError("of the step")

    with pytest.raises(KeyError, match="of the step"):
        step()
    assert "may still be there" in caplog.text
    assert scene.files() == []


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
    assert scene.unfinished() == []


# ---- answers that lie -----------------------------------------------------------------------------------


@pytest.mark.parametrize("heeded", [True, False], ids=["If-Match heeded", "If-Match ignored"])
@pytest.mark.parametrize("place", [2 * MIB, 9 * MIB])
def test_a_file_replaced_while_it_is_read_is_no_mixture(
    scene: Scene, between: Proxy, place: int, *, heeded: bool
) -> None:
    scene.put("file", LARGE)
    if not heeded:
        between.faults.dropped = {"if-match"}
    for rest in (lambda file: file.read(), lambda file: file.read(10), lambda file: file.read(9 * MIB)):
        with scene.store.open(scene.at("file"), "rb") as file:
            assert file.read(100) == LARGE[:100]
            scene.put("file", LARGE[::-1])
            file.seek(place)
            with pytest.raises(
                ObjectChangedError, match=r"in the artifact store shaky|while it was being read"
            ) as caught:
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


def test_a_service_that_knows_no_ranges(scene: Scene, between: Proxy) -> None:
    between.faults.dropped = {"range"}
    scene.put("file", LARGE)
    with scene.store.open(scene.at("file"), "rb") as file:
        file.seek(5 * MIB)
        assert file.read(7) == LARGE[5 * MIB :][:7]
        file.seek(0)
        assert file.read() == LARGE


@pytest.mark.parametrize(
    "settings", [{}, {"s3": {"use_accelerate_endpoint": False}}], ids=["fast", "botocore"]
)
def test_a_login_page_is_no_empty_store(moto: S3Rig, between: Proxy, settings: dict[str, Any]) -> None:
    """A network that wants its guests to log in answers 200 and a page, to everything."""
    page = b"<html><body>Welcome! Please log in.</body></html>"
    store, _ = moto.fresh(client_kwargs={"endpoint_url": between.url}, config_kwargs=settings, name="guest")
    file = f"{store.path}/file"
    between.faults.change = lambda request, _: Answer(
        200, {"Content-Type": "text/html"}, b"" if request.method == "HEAD" else page
    )
    for call in (
        lambda: store.exists(file),
        lambda: store.isdir(file),
        lambda: store.listdir(store.path),
        lambda: list(store.walk(store.path)),
        lambda: store.glob(f"{store.path}/**"),
        lambda: store.open(file),
        lambda: store.open(file, "w"),
        lambda: store.read_many([file]),
        lambda: store.remove(file),
        lambda: store.rmtree(store.path),
        lambda: store.rename(file, f"{file}2"),
    ):
        with pytest.raises(StoreServiceError, match="guest") as caught:
            call()
        assert caught.value.operation
        assert "login page" in str(caught.value.hint)


# ---- nobody there ---------------------------------------------------------------------------------------


class Mumbling(socketserver.BaseRequestHandler):
    """A server of something else."""

    def handle(self) -> None:
        self.request.recv(100)
        self.request.sendall(b"SSH-2.0-Example\r\n")


@pytest.fixture(params=["port closed", "no such host", "no TLS", "no HTTP"])
def dead_end(request: pytest.FixtureRequest, between: Proxy) -> Iterator[str]:
    if request.param == "no HTTP":
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mumbling) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()
            thread.join()
    else:
        yield {
            "port closed": f"http://127.0.0.1:{free_port()}",
            "no such host": "http://no-such-host.invalid",
            "no TLS": between.url.replace("http:", "https:"),
        }[request.param]


def test_a_service_that_cannot_be_spoken_to(moto: S3Rig, dead_end: str) -> None:
    store, _ = moto.fresh(
        client_kwargs={"endpoint_url": dead_end},
        config_kwargs={"read_timeout": 1, "connect_timeout": 1, "retries": {"max_attempts": 1}},
        name="lonely",
    )
    file = f"{store.path}/file"
    started = time.monotonic()
    for operation, call in {
        "open": lambda: store.open(file),
        "write": lambda: store.write_bytes(file, b"1"),
        "listdir": lambda: store.listdir(store.path),
        "exists": lambda: store.exists(file),
        "copy": lambda: store.copyfile(file, f"{file}2", overwrite=True),
    }.items():
        with pytest.raises(StoreNetworkError, match="lonely") as caught:
            call()
        assert caught.value.operation == operation
        assert str(caught.value.path).startswith(store.path)
        assert dead_end in str(caught.value)
        assert "endpoint_url" in str(caught.value.hint)
        assert isinstance(caught.value, ConnectionError)
    assert time.monotonic() - started < 30


# ---- credentials that live for a second -----------------------------------------------------------------


class Elapsed(set[str]):
    """The tokens whose time is over; a token says when that is."""

    def __contains__(self, token: object) -> bool:
        return bool(token) and float(str(token)) < time.time()


@pytest.mark.parametrize("seconds", [8, pytest.param(30, marks=pytest.mark.slow)])
def test_a_long_write_and_read_outlive_their_credentials(moto: S3Rig, between: Proxy, seconds: int) -> None:
    asked = []

    def provider() -> AwsCredentials:
        expires = datetime.now(UTC) + timedelta(seconds=1)
        asked.append(expires)
        return AwsCredentials("test", "testtest", str(expires.timestamp()), expires)

    def piece(number: int) -> bytes:
        return LARGE[number % 8 * 2 * MIB :][: 3 * MIB]

    patience = {"read_timeout": 30}  # moto joins the parts slowly, and does not bear being asked twice
    scene = through(between, moto, credentials=provider, config_kwargs=patience)
    between.faults.expired = Elapsed()
    begun = time.monotonic()
    with scene.store.open(scene.at("file"), "wb") as file:
        for number in range(seconds):
            file.write(piece(number))
            time.sleep(1)
    assert time.monotonic() - begun >= seconds
    assert seconds / 3 <= len(asked) <= 4 * seconds  # every part, of 8 MiB, asks anew
    whole = b"".join(piece(number) for number in range(seconds))
    assert scene.get("file") == whole
    with scene.store.open(scene.at("file"), "rb") as file:
        found = bytearray()
        while block := file.read(8 * MIB):
            found += block
            time.sleep(0.6)
    assert found == whole
    assert scene.unfinished() == []
