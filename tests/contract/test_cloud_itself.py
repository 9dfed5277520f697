"""What the stores of Google and Azure owe besides the contract: odd keys, forks, memory, odd services."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract_rigs import AZURITE_KEY, Rig, Scene
from fault_proxy import AZURE, GCS, Answer, Proxy, Request, proxy

from stacks.errors import BucketNotFoundError, StoreError
from stacks.stores import fast

ODD = ["a//b", "/lead", "tab\there", "line\nbreak", "end/", "a//", "\x7f", "100%/ü?#&+ =.txt"]


@pytest.fixture(params=["gcs", "azure"])
def rig(request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> Rig:
    return start(request.param)


@pytest.fixture
def between(rig: Rig) -> Iterator[Proxy]:
    origin = rig.endpoint.removesuffix("/devstoreaccount1")
    with proxy(origin, GCS if rig.name == "gcs" else AZURE) as running:
        yield running


@pytest.fixture
def through(rig: Rig, between: Proxy) -> Scene:
    """A store that reaches the service through the proxy."""
    where = {
        "gcs": {"endpoint_url": between.url},
        "azure": {"account_url": f"{between.url}/devstoreaccount1"},
    }
    store, prefix = rig.fresh(**where[rig.name], name="proxied")
    return Scene(store, prefix, rig)


# ---- odd keys -------------------------------------------------------------------------------------------


def test_one_odd_key_does_not_break_a_listing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    for key in (*ODD, "plain", "folder/plain"):
        scene.put(key)
    names = ["100%", "a", "end", "folder", "line\nbreak", "plain", "tab\there", "\x7f"]
    assert scene.store.listdir(scene.store.path) == names
    assert scene.store.glob(scene.at("**/plain")) == [scene.at("folder/plain"), scene.at("plain")]
    assert "not shown" in caplog.text
    scene.store.rmtree(scene.store.path)
    assert [key for key in scene.rig.outside.files() if key.startswith(scene.prefix)] == []


@pytest.mark.parametrize("name", ["tab\there", "line\nbreak", "\x7f", "100% ü?#&+=~.txt", "{a}[b]^`|<>"])
def test_keys_of_any_letters_are_files_like_others(scene: Scene, name: str) -> None:
    path = scene.put(name)
    assert scene.store.exists(path)
    assert scene.store.listdir(scene.store.path) == [name]
    assert scene.store.read_many([path]) == [b"content"]
    with scene.store.open(path, "a") as file:
        file.write("!")
    scene.store.copyfile(path, scene.at(f"new{name}"))
    scene.store.rename(scene.at(f"new{name}"), scene.at("line"))
    assert scene.get("line") == b"content!"
    scene.store.rmtree(scene.store.path)
    assert scene.files() == []


def test_a_directory_marker_beside_a_file_of_its_name(scene: Scene) -> None:
    """The fast client would take the slash off, and delete the file."""
    scene.put("same/", b"")
    scene.put("other/", b"")
    scene.put("same", b"file")
    scene.store.rmtree(scene.at("other"))
    scene.store.rmtree(scene.at("same"))
    assert scene.files() == ["same"]


# ---- services that do not know, or do not like, the fast client's way -----------------------------------


def test_the_fast_way_is_used(through: Scene, between: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong on it is hidden by the SDK: so it is looked at without one."""
    content = bytes(range(256)) * 50_000
    through.put("file", content)
    through.store.isdir(through.store.path)
    monkeypatch.setattr(type(through.store), "_read_sdk", None)
    with through.store.open(through.at("file"), "rb") as file:
        assert file.read(10) == content[:10]
        assert file.read() == content[10:]
    assert through.store.read_many([through.at("file")]) == [content]


def test_a_service_that_refuses_the_fast_client(
    through: Scene, between: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """As an emulator does that knows one of Google's two ways only: the SDK does its work, soon alone."""
    path = through.put("file", b"content")
    refused = []

    def change(request: Request, answer: Answer) -> Answer:
        if request.agent.startswith("object_store"):
            refused.append(request)
            return Answer(404 if through.rig.name == "gcs" else 400, {}, b"what?")
        return answer

    between.faults.change = change
    for _ in range(5):
        assert through.store.read_many([path]) == [b"content"]
    assert len(refused) == 3
    assert "the SDK works alone" in caplog.text
    with pytest.raises(FileNotFoundError):
        through.store.open(through.at("none"))


def test_after_a_while_the_fast_client_gets_another_chance(
    through: Scene, between: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "_PAUSE", 0.0)
    path = through.put("file", b"content")
    between.faults.change = lambda request, answer: (
        Answer(400, {}, b"") if request.agent.startswith("object_store") else answer
    )
    for _ in range(3):
        through.store.read_many([path])
    between.faults.change = lambda _, answer: answer
    monkeypatch.setattr(type(through.store), "_read_sdk", None)
    assert through.store.read_many([path]) == [b"content"]


def test_a_login_page_is_no_empty_store(through: Scene, between: Proxy) -> None:
    """A network that wants its guests to log in answers 200 and a page, to everything."""
    page = b"<html><body>Welcome! Please log in.</body></html>"
    store, file = through.store, through.at("file")
    between.faults.change = lambda request, _: Answer(
        200, {"Content-Type": "text/html"}, b"" if request.method == "HEAD" else page
    )
    for call in (
        lambda: store.isdir(file),
        lambda: store.listdir(store.path),
        lambda: list(store.walk(store.path)),
        lambda: store.rmtree(store.path),
    ):
        with pytest.raises(StoreError):
            call()


def test_what_was_stored_packed_is_read_as_it_is(through: Scene, between: Proxy) -> None:
    """Google unpacks for those who do not say that they can: then no size fits."""
    through.put("file.gz", gzip.compress(b"content"))
    asked = []
    between.faults.change = lambda request, answer: asked.append(request.accepts) or answer
    assert gzip.decompress(through.store.read_many([through.at("file.gz")])[0]) == b"content"
    assert asked == ["gzip"]


def test_a_missing_bucket_is_said_by_the_listing_only(rig: Rig) -> None:
    scheme = rig.base.partition("://")[0]
    store = rig.make(f"{scheme}://no-such-bucket-at-all/prefix")
    with pytest.raises(BucketNotFoundError):
        store.read_many([f"{store.path}/x"])
    with pytest.raises(BucketNotFoundError):
        store.remove(f"{store.path}/x")


# ---- programs of their own: imports, forks, memory ------------------------------------------------------

MAKE = {
    "gcs": """
import sys
from stacks.credentials import GcpToken
from stacks.stores.gcp import GCPArtifactStore
path, endpoint = sys.argv[1:]
store = GCPArtifactStore(path, endpoint_url=endpoint, credentials=lambda: GcpToken("test"))
""",
    "azure": f"""
import sys
from stacks.stores.azure import AzureArtifactStore
path, endpoint = sys.argv[1:]
store = AzureArtifactStore(path, account_url=endpoint, account_key="{AZURITE_KEY}")
""",
}
LOADED = """
sdks = {"boto3", "botocore", "obstore", "google.cloud", "google.auth", "azure", "requests"}
print(sorted(sdks & {".".join(name.split(".")[:2]) for name in sys.modules} | sdks & set(sys.modules)))
"""
FIRST_USE = """
import multiprocessing, threading, time
thread = threading.Thread(target=store.exists, args=(store.path,))
thread.start()
children = []
for _ in range(4):
    children.append(multiprocessing.get_context("fork").Process(target=store.exists, args=(store.path,)))
    children[-1].start()
    time.sleep(0.05)
thread.join(60)
for child in children:
    child.join(30)
print([child.exitcode for child in children])
for child in children:
    child.kill()
"""
ORDERLY_EXIT = """
import gc, os
store.write_many({f"{path}/{number}": b"x" for number in range(50)})
store.read_many([f"{path}/{number}" for number in range(50)])
child = os.fork()
if child == 0:
    store.read_many([f"{path}/1", f"{path}/2"])
    del store
    gc.collect()
    sys.exit(0)  # unlike multiprocessing's children, this one takes everything down
print(os.waitpid(child, 0)[1])
"""
MEMORY = """
import re
from pathlib import Path

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

MIB, begun, piece = 1024 * 1024, peak(), bytes(range(256)) * 4096
"""
WRITE = """
with store.open(f"{path}/large", "wb") as file:
    for _ in range(256):
        file.write(piece)
print(peak() - begun)
"""
READ = """
with store.open(f"{path}/large", "rb") as file:
    for _ in range(256):
        assert file.read(MIB) == piece
    assert file.read() == b""
    file.seek(200 * MIB + 1)
    assert file.read(1000) == piece[1:1001]
print(peak() - begun)
"""


def run_program(rig: Rig, text: str, name: str) -> str:
    """A program of its own, which has imported and used nothing yet; what it printed."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKE[rig.name] + text, f"{rig.base}/{name}", rig.endpoint],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_a_store_is_made_without_any_sdk(rig: Rig) -> None:
    assert run_program(rig, LOADED, "none") == "[]"


def test_a_fork_while_a_thread_uses_the_store_for_the_first_time(rig: Rig) -> None:
    """Then packages are being imported, under locks that no child would ever see opened."""
    assert run_program(rig, FIRST_USE, "first") == "[0, 0, 0, 0]"


def test_a_child_may_drop_the_store_and_exit_in_order(rig: Rig) -> None:
    assert run_program(rig, ORDERLY_EXIT, "exit") == "0"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_256_mib_need_less_than_150(rig: Rig) -> None:
    """Megabytes above the start, before any SDK is loaded."""
    assert float(run_program(rig, MEMORY + WRITE, "memory")) < 150
    assert float(run_program(rig, MEMORY + READ, "memory")) < 150
    rig.outside.delete("memory/large")


def listed(body: str) -> Any:
    from stacks.stores.azure_listing import parse_page

    text = f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{body}</Blobs>'
    return parse_page(f"{text}<NextMarker>more</NextMarker></EnumerationResults>".encode())


def test_names_that_xml_cannot_hold_are_listed_in_another_way() -> None:
    """By https://learn.microsoft.com/rest/api/storageservices/list-blobs: percent-encoded, and marked so."""
    properties = (
        "<Properties><Last-Modified>Sat, 21 Nov 2026 06:17:20 GMT</Last-Modified>"
        "<Etag>0x1</Etag><Content-Length>7</Content-Length></Properties>"
    )
    page = listed(f'<Blob><Name Encoded="true">a%EF%BF%BFb%20c</Name>{properties}</Blob>')
    assert page.files[0][:2] == ("a\uffffb c", 7)
    assert page.next == "more"
    assert listed(f"<Blob><Name>a%20b</Name>{properties}</Blob>").files[0].name == "a%20b"
