"""Who may list only below a prefix, as our connectors grant it, hears 403 from Amazon for what is not there.

The proxy plays Amazon's part here: moto answers 404 to everybody.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from contract_rigs import S3Rig, Scene
from fault_proxy import Answer, Proxy, Request, proxy

from stacks.errors import CredentialsWrongError, ObjectChangedError, StorePermissionError

MIB = 1024 * 1024
LARGE = random.Random(7).randbytes(18 * MIB + 5)


@pytest.fixture
def between(moto: S3Rig) -> Iterator[Proxy]:
    with proxy(moto.endpoint) as running:
        yield running


@pytest.fixture
def scene(moto: S3Rig, between: Proxy) -> Scene:
    store, prefix = moto.fresh(client_kwargs={"endpoint_url": between.url}, name="shaky")
    return Scene(store, prefix, moto)


def refused(request: Request, code: str = "AccessDenied") -> Answer:
    text = f"<Error><Code>{code}</Code><Message>refused</Message></Error>".encode()
    return Answer(403, {"Content-Type": "application/xml"}, b"" if request.method == "HEAD" else text)


def prefix_of(request: Request) -> str | None:
    """The prefix of a listing; None when the request is none."""
    query = parse_qs(urlsplit(request.path).query, keep_blank_values=True)
    if request.method != "GET" or "list-type" not in query:
        return None
    return query.get("prefix", [""])[0]


@pytest.fixture
def below(scene: Scene, between: Proxy) -> Scene:
    """As on Amazon under ``s3:ListBucket`` with the condition ``s3:prefix = PREFIX/*``.

    A request for an object has no ``s3:prefix``, so there it counts as no permission to list, and Amazon
    answers 403 for a missing object lest it tells what there is.
    """

    def change(request: Request, answer: Answer) -> Answer:
        prefix = prefix_of(request)
        if prefix is not None and not prefix.startswith(f"{scene.prefix}/"):
            return refused(request)
        return refused(request) if answer.status == 404 and b"NoSuchUpload" not in answer.content else answer

    between.faults.change = change
    return scene


def test_what_is_missing_below_a_prefix_is_missing(below: Scene) -> None:
    store, nothing = below.store, below.at("nothing")
    assert not store.exists(nothing)
    assert not store.isdir(nothing)
    assert store.glob(nothing) == []
    assert list(store.walk(nothing)) == []
    for call in (
        lambda: store.open(nothing),
        lambda: store.open(nothing, "rb"),
        lambda: store.stat(nothing),
        lambda: store.size(nothing),
        lambda: store.remove(nothing),
        lambda: store.listdir(nothing),
        lambda: store.rmtree(nothing),
        lambda: store.copyfile(nothing, below.at("new")),
        lambda: store.rename(nothing, below.at("new")),
        lambda: store.copytree(nothing, below.at("new")),
        lambda: store.read_many([nothing]),
    ):
        with pytest.raises(FileNotFoundError, match="nothing"):
            call()
    assert below.files() == []


def test_a_longer_name_does_not_stand_for_a_shorter_one(below: Scene) -> None:
    below.put("file.txt")
    below.put("folder/file")
    for name in ("file", "fold", "folder/fil", "f"):
        assert not below.store.exists(below.at(name))
        with pytest.raises(FileNotFoundError):
            below.store.open(below.at(name))
    assert below.store.isdir(below.at("folder"))
    assert not below.store.isdir(below.at("file.txt"))
    with pytest.raises(IsADirectoryError):
        below.store.open(below.at("folder"))
    with pytest.raises(IsADirectoryError):
        below.store.remove(below.at("folder"))
    with pytest.raises(NotADirectoryError):
        below.store.listdir(below.at("file.txt"))


def test_everything_else_works_below_a_prefix(below: Scene) -> None:
    store = below.store
    assert store.exists(store.path)
    assert store.listdir(store.path) == []
    store.makedirs(below.at("a/b"))
    with store.open(below.at("a/b/text"), "x") as file:
        file.write("one")
    with store.open(below.at("a/b/text"), "a") as file:
        file.write(", two")
    with store.open(below.at("a/log"), "a") as file:
        file.write("begun")
    with pytest.raises(FileExistsError):
        store.open(below.at("a/b/text"), "x")
    store.copyfile(below.at("a/b/text"), below.at("copy"))
    store.rename(below.at("a"), below.at("moved"))
    assert below.files() == ["copy", "moved/b/text", "moved/log"]
    assert below.get("moved/b/text") == b"one, two"
    with store.open(below.at("large"), "xb") as large:
        large.write(LARGE)
    assert below.get("large") == LARGE
    store.rmtree(store.path)
    assert below.files() == []


def test_a_condition_on_what_is_gone(below: Scene) -> None:
    below.put("file")
    etag = below.store.stat(below.at("file")).etag
    below.delete("file")
    with pytest.raises(ObjectChangedError):
        below.store.write_bytes(below.at("file"), b"new", if_match=etag)
    assert below.files() == []


@pytest.mark.parametrize("lists", [True, False], ids=["may list", "may not list"])
def test_a_permission_that_is_missing_is_not_a_file_that_is(
    scene: Scene, between: Proxy, *, lists: bool
) -> None:
    def change(request: Request, answer: Answer) -> Answer:
        return answer if lists and prefix_of(request) is not None else refused(request)

    scene.put("file")
    store, file = scene.store, scene.at("file")
    between.faults.change = change
    calls = {
        "open": lambda: store.open(file),
        "stat": lambda: store.stat(file),
        "exists": lambda: store.exists(file),
        "remove": lambda: store.remove(file),
        "copy": lambda: store.copyfile(file, scene.at("copy"), overwrite=True),
        "rename": lambda: store.rename(file, scene.at("moved")),
        "write": lambda: store.write_bytes(file, b"", if_match="0"),
    }
    if not lists:
        calls |= {
            "isdir": lambda: store.isdir(file),
            "listdir": lambda: store.listdir(store.path),
            "rmtree": lambda: store.rmtree(store.path),
            "glob": lambda: store.glob(scene.at("*")),
        }
    for operation, call in calls.items():
        with pytest.raises(StorePermissionError, match="shaky") as caught:
            call()
        assert caught.value.operation == operation
        assert caught.value.hint
    assert scene.get("file") == b"content"


def test_wrong_keys_are_not_a_missing_file(scene: Scene, between: Proxy) -> None:
    between.faults.change = lambda request, _: refused(request, "SignatureDoesNotMatch")
    for call in (scene.store.exists, scene.store.stat, scene.store.open, scene.store.remove):
        with pytest.raises(CredentialsWrongError, match="SignatureDoesNotMatch"):
            call(scene.at("file"))
