"""Data loaders fork while threads are at work. No child hangs, and none spoils what its parent does."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract_rigs import Rig, S3Rig, Scene

from stacks import forks
from stacks.credentials import AwsCredentials, CachedCredentials
from stacks.errors import CredentialsMissingError
from stacks.stores.base import BaseArtifactStore
from stacks.stores.cached_client import ClientOfProcess
from stacks.stores.local import locked
from stacks.stores.s3 import S3ArtifactStore

MIB = 1024 * 1024
SAMPLES = 24
LARGE = bytes(range(256)) * (20 * MIB // 256)
SECONDS = 30  # after which a child counts as hanging, and is killed

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),
    pytest.mark.timeout(200),
]
fork = multiprocessing.get_context("fork")


@pytest.fixture(params=["local", "moto", "gcs", "azure"])
def rig(request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> Rig:
    return start(request.param)


def finish(processes: list[Any]) -> None:
    """All of them end well, in time."""
    deadline = time.monotonic() + SECONDS
    for process in processes:
        process.join(max(0.1, deadline - time.monotonic()))
    late = [process for process in processes if process.exitcode is None]
    for process in late:
        process.kill()
        process.join()
    assert not late, "a forked worker hangs"
    assert [process.exitcode for process in processes] == [0] * len(processes)


def run_program(text: str, *arguments: str) -> str:
    """A program of its own, which has imported and used nothing yet; what it printed."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


# ---- a data loader --------------------------------------------------------------------------------------


class Samples:
    """A data set, as data loaders take it: its workers index it."""

    def __init__(self, store: BaseArtifactStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, number: int) -> bytes:
        with self.store.open(f"{self.store.path}/samples/{number}", "rb") as file:
            content: bytes = file.read()
        with self.store.open(f"{self.store.path}/seen/{number}-{os.getpid()}", "w") as file:
            file.write(str(len(content)))
        return content


def load(samples: Samples, numbers: Any, results: Any) -> None:
    while (number := numbers.get()) is not None:
        results.put((number, samples[number]))


def epoch(samples: Samples, workers: int) -> dict[int, bytes]:
    """What a data loader does: workers that live for an epoch, a queue to them and one from them."""
    numbers, results = fork.Queue(), fork.Queue()
    processes = [fork.Process(target=load, args=(samples, numbers, results)) for _ in range(workers)]
    for process in processes:
        process.start()
    for number in range(len(samples)):
        numbers.put(number)
    found = dict(results.get(timeout=SECONDS) for _ in range(len(samples)))
    for _ in processes:
        numbers.put(None)
    finish(processes)
    numbers.close()
    results.close()
    return found


def test_a_data_loader_forks_workers_for_every_epoch(scene: Scene) -> None:
    expected = {number: os.urandom(1000 * number) for number in range(SAMPLES)}
    scene.store.write_many({scene.at(f"samples/{number}"): data for number, data in expected.items()})
    samples = Samples(scene.store)
    assert samples[3] == expected[3]
    for _ in range(2):
        assert epoch(samples, workers=2) == expected
        assert samples[5] == expected[5]
    seen = scene.store.listdir(scene.at("seen"))
    assert {int(name.partition("-")[0]) for name in seen} == set(range(SAMPLES))
    assert len({name.partition("-")[2] for name in seen}) >= 3


# ---- threads, and a fork in between ---------------------------------------------------------------------


def use(store: BaseArtifactStore, name: str) -> None:
    path = f"{store.path}/{name}"
    with store.open(path, "w") as file:
        file.write(name)
    with store.open(path) as file:
        assert file.read() == name
    assert store.exists(path)
    store.remove(path)


def test_a_fork_while_threads_are_using_the_store(scene: Scene) -> None:
    """The first forks come while the threads make the store's clients, the others between their requests."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            while not stop.is_set():
                use(scene.store, f"thread-{number}")
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    processes = []
    try:
        for number in range(6):
            time.sleep(0.03)
            processes.append(fork.Process(target=use, args=(scene.store, f"child-{number}")))
            processes[-1].start()
        finish(processes)
    finally:
        stop.set()
        for thread in threads:
            thread.join(SECONDS)
    assert failures == []
    assert scene.store.listdir(scene.store.path) == []


STORE = """
import sys
from stacks.stores.s3 import S3ArtifactStore

path, endpoint = sys.argv[1:]
store = S3ArtifactStore(path, key="test", secret="testtest",
                        client_kwargs={"endpoint_url": endpoint, "region_name": "us-east-1"})
"""
FIRST_USE = """
import multiprocessing, threading, time
thread = threading.Thread(target=store.exists, args=(store.path,))
thread.start()
children = []
for _ in range(5):
    children.append(multiprocessing.get_context("fork").Process(target=store.exists, args=(store.path,)))
    children[-1].start()
    time.sleep(0.02)
thread.join(20)
for child in children:
    child.join(5)
print([child.exitcode for child in children])
for child in children:
    child.kill()
"""


def test_a_fork_while_a_thread_uses_the_store_for_the_first_time(moto: S3Rig) -> None:
    """Then packages are being imported, under locks that no child would ever see opened."""
    assert run_program(STORE + FIRST_USE, f"{moto.base}/first", moto.endpoint) == "[0, 0, 0, 0, 0]"


IMPORTS = """
store._clients()
before = set(sys.modules)
with store.open(f"{path}/large", "wb") as file:
    file.write(bytes(17 * 1024 * 1024))
with store.open(f"{path}/large", "rb") as file:
    file.read()
store.copyfile(f"{path}/large", f"{path}/copy")
list(store.walk(path))
store.rmtree(path)
print(sorted(set(sys.modules) - before))
"""


def test_what_requests_import_is_imported_with_the_clients(moto: S3Rig) -> None:
    """A fork waits for the clients, but not for requests: these must not be caught importing anything."""
    assert run_program(STORE + IMPORTS, f"{moto.base}/imports", moto.endpoint) == "[]"


ORDERLY_EXIT = """
import gc, os
store.write_many({f"{path}/{number}": b"x" for number in range(50)})
child = os.fork()
if child == 0:
    store.exists(path)
    del store
    gc.collect()
    sys.exit(0)  # unlike multiprocessing's children, this one takes everything down
print(os.waitpid(child, 0)[1])
"""


def test_a_child_may_drop_the_store_and_exit_in_order(moto: S3Rig) -> None:
    """The fast client's runtime has no threads in a child: it must not even be taken down there."""
    assert run_program(STORE + ORDERLY_EXIT, f"{moto.base}/exit", moto.endpoint) == "0"


# ---- locks ----------------------------------------------------------------------------------------------


def test_a_fork_waits_while_credentials_are_fetched(moto: S3Rig) -> None:
    """So a child finds them; and the lock that kept other threads from fetching them, too, is open."""
    asked: list[int] = []

    def provide() -> AwsCredentials:
        asked.append(os.getpid())
        inside.set()
        time.sleep(0.3)
        return AwsCredentials("test", "testtest")

    inside = threading.Event()
    credentials = CachedCredentials(provide)
    thread = threading.Thread(target=credentials)
    thread.start()
    assert inside.wait(SECONDS)
    child = fork.Process(target=lambda: sys.exit(credentials().access_key_id != "test" or len(asked) != 1))
    child.start()
    finish([child])
    thread.join(SECONDS)
    assert asked == [os.getpid()]


@pytest.mark.parametrize("maker", ["credentials", "client"])
def test_a_fork_does_not_wait_for_ever_and_its_child_finds_open_locks(
    maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "PATIENCE", 0.2)
    parent = os.getpid()

    def make(*_: object) -> AwsCredentials:
        if os.getpid() == parent:
            inside.set()
            assert leave.wait(SECONDS)
        return AwsCredentials("test", "testtest")

    inside, leave = threading.Event(), threading.Event()
    call: Any = CachedCredentials(make) if maker == "credentials" else ClientOfProcess(make, lambda: None).get
    thread = threading.Thread(target=call)
    thread.start()
    assert inside.wait(SECONDS)
    child = fork.Process(target=call)
    child.start()
    finish([child])
    leave.set()
    thread.join(SECONDS)


def test_a_child_does_not_keep_a_directory_locked(tmp_path: Path) -> None:
    """It inherits the open lock file, and would hold the lock for as long as it lives."""
    with locked(str(tmp_path)):
        child = fork.Process(target=time.sleep, args=(3 * SECONDS,))
        child.start()
    other = fork.Process(target=lambda: locked(str(tmp_path)).__enter__())
    other.start()
    try:
        finish([other])
    finally:
        child.kill()
        child.join()


# ---- files that were open when the process forked -------------------------------------------------------


def drop(files: list[Any]) -> None:
    """A worker that tidies up what it inherited."""
    files.clear()
    gc.collect()


def close(files: list[Any]) -> None:
    for file in files:
        file.close()


def write(files: list[Any]) -> None:
    """One writer per file: what the child writes would be lost."""
    for file, data in zip(files, (b"child", "child" * 10_000), strict=True):
        with pytest.raises(OSError, match="opened by another process"):
            file.write(data)


@pytest.mark.parametrize("act", [drop, close, write])
def test_a_child_leaves_the_parents_open_file_alone(scene: Scene, act: Callable[[list[Any]], None]) -> None:
    """The upload belongs to the process that began it: a child neither finishes nor aborts it."""
    files = [scene.store.open(scene.at("large"), "wb"), scene.store.open(scene.at("small"), "w")]
    files[0].write(LARGE)
    files[1].write("begun")
    child = fork.Process(target=act, args=(files,))
    child.start()
    finish([child])
    assert scene.store.listdir(scene.store.path) == []
    files[0].write(b"end")
    files[1].write(", ended")
    for file in files:
        file.close()
    assert scene.get("large") == LARGE + b"end"
    assert scene.get("small") == b"begun, ended"
    assert scene.unfinished() == []


# ---- spawn ----------------------------------------------------------------------------------------------


def provide() -> AwsCredentials:
    return AwsCredentials("test", "testtest")


def spawned(store: S3ArtifactStore) -> Any:
    """The content of a file, or the error, which travels back to the parent."""
    try:
        use(store, "from-the-child")
        return store.read_many([f"{store.path}/shared"])
    except CredentialsMissingError as error:
        return error


def test_a_spawned_worker_has_the_credentials_that_it_can_ask_for(moto: S3Rig) -> None:
    asks, _ = moto.fresh(credentials=provide, name="asks")
    holds, _ = moto.fresh(name="holds")
    asks.write_many({f"{asks.path}/shared": b"from the parent"})
    for store in (asks, holds):
        assert b"testtest" not in pickle.dumps(store)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found, error = pool.map_async(spawned, [asks, holds]).get(timeout=100)
    assert found == [b"from the parent"]
    assert isinstance(error, CredentialsMissingError)
    assert "holds" in str(error)
    assert "get_artifact_store" in str(error.hint)
