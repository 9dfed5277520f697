"""A state file in a bucket, shared by a team: conditional writes in the place of a lock."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import ceph
import pytest
from aws import REGION, Aws

from stacks import Client
from stacks.errors import BucketNotFoundError, DamagedStateError, StateConflictError, StateError
from stacks.state import ArtifactStoreRecord, State, StateFile
from stacks.state.schema import encode

URL = "s3://team/stacks.json"


def add(name: str) -> Callable[[State], State]:
    return lambda state: state.with_artifact_store(ArtifactStoreRecord(name, "local", f"/data/{name}"))


@pytest.fixture
def bucket(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The bucket ``team``, and an environment that reaches it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEAM")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "team")
    aws.bucket("team")
    return aws


def on_another_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> StateFile:
    """The same file, from a machine that shares no lock with this one."""
    with monkeypatch.context() as there:
        there.setenv("XDG_CONFIG_HOME", str(folder / "another-machine"))
        return StateFile(URL)


def test_it_is_read_and_written_like_a_local_one(bucket: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACKS_STATE", URL)
    file = StateFile.locate()
    assert file.location == URL
    assert file.read() == State()
    first = file.update(add("a"))
    second = file.update(add("b"))
    assert (first.serial, second.serial, second.lineage) == (1, 2, first.lineage)
    assert file.read() == StateFile(URL).read() == second
    assert file.update(lambda state: state) == second
    assert bucket.client("s3").get_object(Bucket="team", Key="stacks.json")["Body"].read() == encode(second)


def test_a_client_works_on_it_and_keeps_secrets_at_home(bucket: Aws, tmp_path: Path) -> None:
    client = Client(URL)
    client.register_artifact_store("mine", "local", str(tmp_path / "data"))
    client.register_stack("dev", "mine", activate=True)
    assert Client(URL).active_stack.artifact_store.path == str(tmp_path / "data")
    homes = Path(os.environ["XDG_CONFIG_HOME"]) / "stacks" / "remote"
    assert client.state_file.home.parent == homes
    assert client.state_file.home.name.startswith("team-stacks.json-")


def test_two_remote_files_keep_their_secrets_apart(bucket: Aws) -> None:
    one, two = Client(URL), Client(URL.replace("stacks.json", "others.json"))
    for client, key in ((one, "ONE"), (two, "TWO")):
        client.register_artifact_store("prod", "s3", "s3://data", config={"key": key, "secret": "s"})
    two.delete_artifact_store("prod")
    assert one.get_artifact_store("prod").config["key"] == "ONE"


def test_a_write_that_lost_the_race_is_made_again_on_what_won(
    bucket: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = StateFile(URL), on_another_machine(tmp_path, monkeypatch)
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
    bucket: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = StateFile(URL, lock_timeout=0.3), on_another_machine(tmp_path, monkeypatch)
    count = 0

    def never(state: State) -> State:
        nonlocal count
        count += 1
        other.update(add(f"s{count}"))
        return add("mine")(state)

    with pytest.raises(StateConflictError, match="others kept changing"):
        file.update(never)
    assert "mine" not in StateFile(URL).read().artifact_stores


def test_a_write_whose_answer_was_lost_is_not_made_twice(
    bucket: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stacks.stores.opening import OpeningStore

    real = OpeningStore.write_bytes

    def answered_late(*arguments: object, **options: object) -> object:
        real(*arguments, **options)  # type: ignore[arg-type] # handed on as they came
        return real(*arguments, **options)  # type: ignore[arg-type] # what a retry below us does

    monkeypatch.setattr(OpeningStore, "write_bytes", answered_late)
    assert StateFile(URL).update(add("a")).serial == 1
    assert set(StateFile(URL).read().artifact_stores) == {"a"}
    assert StateFile(URL).update(add("b")).serial == 2


def test_what_is_no_state_file_is_left_as_it_is(bucket: Aws) -> None:
    s3 = bucket.client("s3")
    s3.put_object(Bucket="team", Key="stacks.json", Body=b"")
    with pytest.raises(DamagedStateError, match=r"s3://team/stacks\.json is damaged: it is empty"):
        StateFile(URL).update(add("a"))
    assert s3.get_object(Bucket="team", Key="stacks.json")["Body"].read() == b""
    with pytest.raises(BucketNotFoundError):
        StateFile("s3://no-such-bucket/stacks.json").read()


@pytest.mark.parametrize("url", ["ftp://host/state.json", "s3://bucket", "s3://bucket/", "s3:///x"])
def test_a_url_that_no_state_file_can_be_at(url: str) -> None:
    with pytest.raises(StateError) as caught:
        StateFile(url)
    assert "s3://" in (caught.value.hint or "")


# -- many writers, on a service that really writes under a condition


WRITER = """
import sys, threading
from stacks.state import ArtifactStoreRecord, StateFile

def write(me):
    file = StateFile(sys.argv[1], lock_timeout=300)
    for turn in range(20):
        record = ArtifactStoreRecord(f"s{me}-{turn}", "local", "/data")
        file.update(lambda state: state.with_artifact_store(record))

threads = [threading.Thread(target=write, args=(f"{sys.argv[2]}-{n}",)) for n in range(10)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ceph.running_ceph(tmp_path / "ceph") as gateway:
        key = gateway.user("team")
        monkeypatch.setenv("AWS_ENDPOINT_URL", gateway.url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_access_key)
        boto3.client("s3").create_bucket(Bucket="team")
        yield


@pytest.mark.slow
@pytest.mark.skipif(bool(ceph.missing()), reason=f"not installed: {', '.join(ceph.missing())}")
def test_fifty_writers_lose_none_of_their_thousand_updates(team: None, tmp_path: Path) -> None:
    """Ten on each of five machines, which a configuration directory of its own makes of a process here."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, URL, str(machine)],
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path / f"machine{machine}")},
        )
        for machine in range(5)
    ]
    assert [writer.wait(timeout=500) for writer in writers] == [0] * 5
    state = StateFile(URL).read()
    assert state.serial == 1000
    assert len(state.artifact_stores) == 1000
