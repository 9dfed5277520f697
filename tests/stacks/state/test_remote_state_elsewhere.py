"""A state file in Google Cloud Storage or Azure Blob Storage: what test_remote_state.py holds for S3."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import loopback_certificate
from fake_gcs import create_bucket, running_gcs
from google_services import running_google
from microsoft_services import azurite_program, running_azurite
from proxy import Answer, proxy_to

from stacks import Client
from stacks.errors import BucketNotFoundError, StateConflictError
from stacks.state import ArtifactStoreRecord, State, StateFile

# Ten writers on this machine, by threads of two processes whose locks are not shared.
WRITER = """
import sys, threading
from stacks.state import ArtifactStoreRecord, StateFile

def write(me):
    file = StateFile(sys.argv[1], lock_timeout=120)
    for turn in range(5):
        record = ArtifactStoreRecord(f"s{me}-{turn}", "local", "/data")
        file.update(lambda state: state.with_artifact_store(record))

threads = [threading.Thread(target=write, args=(f"{sys.argv[2]}-{n}",)) for n in range(5)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def add(name: str) -> Callable[[State], State]:
    return lambda state: state.with_artifact_store(ArtifactStoreRecord(name, "local", f"/data/{name}"))


@pytest.fixture
def gcs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The bucket ``team``, and an environment that reaches it."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with running_google() as google, running_gcs(tmp_path) as server, proxy_to(server) as proxy:
        url = proxy.url
        # fake-gcs-server looks at the generation first and writes then: of six writers at once all may win.
        # Google's service does both in one step, and so does this one when it is asked one thing at a time.
        turn = threading.Lock()
        proxy.before = lambda _request: None if turn.acquire(timeout=30) else Answer(503, "")
        proxy.after = lambda _request: turn.release()
        key = tmp_path / "adc.json"
        key.write_text(google.service_account_json())
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        create_bucket(url, "team")
        yield "gs://team/stacks.json"


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The container ``team``, and an environment that reaches it."""
    certificate, both = loopback_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with running_azurite(azurite_program(), tmp_path, certificate, both) as azurite:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
        with azurite.service() as service:
            service.create_container("team")
        yield "az://team/stacks.json"


@pytest.fixture(params=["gcs", "azure"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the state file is, on each service in turn."""
    place: str = request.getfixturevalue(request.param)
    return place


def on_another_machine(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> StateFile:
    """The same file, from a machine that shares no lock with this one."""
    with monkeypatch.context() as there:
        there.setenv("XDG_CONFIG_HOME", str(folder / "another-machine"))
        return StateFile(url)


def test_it_is_read_and_written_like_a_local_one(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACKS_STATE", url)
    file = StateFile.locate()
    assert file.read() == State()
    first = file.update(add("a"))
    second = file.update(add("b"))
    assert (first.serial, second.serial, second.lineage) == (1, 2, first.lineage)
    assert file.read() == StateFile(url).read() == second
    client = Client()
    client.register_artifact_store("mine", "local", str(tmp_path / "data"))
    assert set(StateFile(url).read().artifact_stores) == {"a", "b", "mine"}


def test_a_write_that_lost_the_race_is_made_again_on_what_won(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = StateFile(url), on_another_machine(url, tmp_path, monkeypatch)
    turns = 0

    def slow(state: State) -> State:
        nonlocal turns
        turns += 1
        if turns == 1:
            other.update(add("faster"))
        return add("slower")(state)

    assert set(file.update(slow).artifact_stores) == {"faster", "slower"}
    assert turns == 2


def test_it_gives_up_when_others_never_stop(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = on_another_machine(url, tmp_path, monkeypatch)
    count = 0

    def never(state: State) -> State:
        nonlocal count
        count += 1
        other.update(add(f"s{count}"))
        return add("mine")(state)

    with pytest.raises(StateConflictError, match="others kept changing"):
        StateFile(url, lock_timeout=0.3).update(never)
    assert "mine" not in StateFile(url).read().artifact_stores


def test_a_bucket_that_is_not_there_is_no_empty_state(url: str) -> None:
    with pytest.raises(BucketNotFoundError):
        StateFile(url.replace("team", "no-such-place")).read()


def test_ten_writers_lose_none_of_their_fifty_updates(url: str, tmp_path: Path) -> None:
    """Five on each of two machines, which a configuration directory of its own makes of a process here."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(machine)],
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path / f"machine{machine}")},
        )
        for machine in range(2)
    ]
    assert [writer.wait(timeout=200) for writer in writers] == [0, 0]
    state = StateFile(url).read()
    assert (state.serial, len(state.artifact_stores)) == (50, 50)
