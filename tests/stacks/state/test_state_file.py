"""The state file: what it refuses, and that no writer and no crash loses anything."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from stacks.errors import (
    DamagedStateError,
    InvalidValueError,
    NewerStateError,
    StateConflictError,
    StateError,
    StateLockedError,
)
from stacks.state import (
    ArtifactStoreRecord,
    ConnectorRecord,
    DeploymentRecord,
    FlavorRecord,
    StackRecord,
    State,
    StateFile,
    files,
)
from stacks.state.schema import decode, encode

FULL = (
    State(lineage="a-lineage", serial=3)
    .with_flavor(FlavorRecord("mine", "pkg.module.Store"))
    .with_deployment(
        DeploymentRecord(
            name="ml-prod",
            provider="aws",
            region="eu-west-1",
            account=None,
            manifest="/home/me/stack.yaml",
            manifest_sha256="0" * 64,
            workspace="/home/me/w",
            applied_at=datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
            engine="terraform 1.9.8",
        ),
        artifact_stores=[ArtifactStoreRecord("s", "s3", "s3://b/é", {"n": [1, {"a": None}]}, "c", "secret")],
        connectors=[ConnectorRecord("c", "aws", "iam-role", "s3-bucket", "b", {"role_arn": "arn"}, "secret")],
        stack=StackRecord("ml-prod", "s"),
        activate=True,
    )
)


def add_store(name: str) -> Callable[[State], State]:
    return lambda state: state.with_artifact_store(ArtifactStoreRecord(name, "local", f"/data/{name}"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "somewhere" / "state.json"


# -- what is written


def test_everything_is_read_back_as_it_was_written() -> None:
    assert decode(encode(FULL), "x") == FULL
    assert encode(decode(encode(FULL), "x")) == encode(FULL)


def test_serial_counts_and_lineage_stays(path: Path) -> None:
    file = StateFile(path)
    first, second = file.update(add_store("a")), file.update(add_store("b"))
    assert (first.serial, second.serial) == (1, 2)
    assert first.lineage == second.lineage != ""
    assert file.read() == second


def test_a_change_that_changes_nothing_writes_nothing(path: Path) -> None:
    StateFile(path).update(lambda state: state)
    assert not path.exists()


def test_files_and_folders_are_private(path: Path) -> None:
    previous_umask = os.umask(0)
    try:
        for name in "ab":
            StateFile(path).update(add_store(name))
    finally:
        os.umask(previous_umask)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {child.name for child in path.parent.iterdir()} == {
        "state.json",
        "state.json.lock",
        "state.json.previous",
    }
    assert {stat.S_IMODE(child.stat().st_mode) for child in path.parent.iterdir()} == {0o600}


def test_the_previous_version_is_kept_beside_it(path: Path) -> None:
    StateFile(path).update(add_store("a"))
    before = path.read_bytes()
    StateFile(path).update(add_store("b"))
    assert path.with_name("state.json.previous").read_bytes() == before


def test_a_change_made_for_another_file_is_refused(path: Path) -> None:
    StateFile(path).update(add_store("a"))
    with pytest.raises(StateConflictError):
        StateFile(path).update(lambda _: FULL)


def test_values_that_json_cannot_hold_are_refused(path: Path) -> None:
    record = ArtifactStoreRecord("x", "local", "/x", {"when": datetime.now(UTC)})
    with pytest.raises(InvalidValueError, match="datetime"):
        StateFile(path).update(lambda state: state.with_artifact_store(record))
    assert not path.exists()


# -- what is refused


@pytest.mark.parametrize("keep", [0, 1, 10, 200, -3])
def test_a_truncated_file_is_damaged_and_stays_as_it_is(path: Path, keep: int) -> None:
    StateFile(path).update(add_store("a"))
    content = path.read_bytes()[:keep]
    path.write_bytes(content)
    for use in (StateFile(path).read, lambda: StateFile(path).update(add_store("b"))):
        with pytest.raises(DamagedStateError) as caught:
            use()
        assert str(path) in str(caught.value)
        assert ".previous" in (caught.value.hint or "")
    assert path.read_bytes() == content


def _document(**changes: Any) -> bytes:
    return json.dumps(json.loads(encode(FULL)) | changes).encode()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x00\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no version"),
        (_document(version=True), "no version"),
        (_document(surprise=1), "unknown field 'surprise'"),
        (_document(stacks={}), "stacks is not a list"),
        (_document(stacks=[1]), "not an object"),
        (_document(stacks=[{"name": "x", "artifact_stor": "s"}]), "unknown field 'artifact_stor'"),
        (_document(stacks=[{"name": "x", "artifact_store": 1}]), "artifact_store is not text"),
        (_document(stacks=[{"name": "x", "artifact_store": "gone"}]), "'gone', which is not there"),
        (_document(stacks=[{"name": "x", "artifact_store": "s"}] * 2), "there twice"),
        (_document(active_stack="gone"), "active stack 'gone' is not there"),
        (_document(active_stack=1), "active_stack is not text"),
        (_document(serial="1"), "lineage and serial"),
    ],
)
def test_what_is_no_state_file_is_called_damaged_and_why(path: Path, content: bytes, why: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DamagedStateError, match=why):
        StateFile(path).read()


def test_a_newer_schema_is_refused_and_an_older_one_upgraded() -> None:
    with pytest.raises(NewerStateError, match="version 2, and this release reads up to 1"):
        decode(_document(version=2), "x")

    def upgrade(document: dict[str, Any]) -> dict[str, Any]:
        return document | {"active_stack": None}

    assert decode(_document(), "x", version=2, upgrades={1: upgrade}) == replace(FULL, active_stack=None)


def test_symlinks_are_not_followed(tmp_path: Path, path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    StateFile(elsewhere).update(add_store("a"))
    before = elsewhere.read_bytes()
    path.parent.mkdir()
    path.symlink_to(elsewhere)
    for use in (StateFile(path).read, lambda: StateFile(path).update(add_store("b"))):
        with pytest.raises(StateError, match="is a symlink"):
            use()
    path.unlink()
    path.with_name("state.json.lock").unlink()
    path.with_name("state.json.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(StateError, match="is a symlink"):
        StateFile(path).update(add_store("b"))
    assert elsewhere.read_bytes() == before
    assert not (tmp_path / "victim").exists()


def test_a_fifo_in_its_place_does_not_hang(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(StateError, match="not a regular file"):
        StateFile(path).read()


def test_a_full_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StateFile(path).update(add_store("a"))
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stacks.state.files.os.fsync", full)
    with pytest.raises(StateError, match="No space left") as caught:
        StateFile(path).update(add_store("b"))
    assert "make room" in (caught.value.hint or "")
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".*.tmp"))


# -- many writers, and crashes


HOLDER = """
import sys, time
from pathlib import Path
from stacks.state.files import locked
with locked(Path(sys.argv[1]), 5):
    print("held", flush=True)
    time.sleep(60)
"""


def test_whoever_waits_is_told_for_whom(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
            str(path),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        begun = time.monotonic()
        with pytest.raises(StateLockedError, match=f"process {holder.pid} on ") as caught:
            StateFile(path, lock_timeout=1.2).update(add_store("a"))
        assert time.monotonic() - begun < 10
        assert "since 20" in str(caught.value)
        assert f"locked by process {holder.pid}" in caplog.text
    finally:
        holder.kill()
        holder.communicate()
    assert StateFile(path).update(add_store("a")).serial == 1  # the lock ended with its holder


WRITER = """
import sys
from stacks.state import ArtifactStoreRecord, StateFile
file, me = StateFile(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
for turn in range(20):
    record = ArtifactStoreRecord(f"s{me}-{turn}", "local", "/data")
    file.update(lambda state: state.with_artifact_store(record))
"""


def test_fifty_writers_lose_none_of_their_thousand_updates(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(me)], stdin=subprocess.PIPE)
        for me in range(50)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    assert [writer.wait(timeout=300) for writer in writers] == [0] * 50
    state = StateFile(path).read()
    assert state.serial == 1000
    assert set(state.artifact_stores) == {f"s{me}-{turn}" for me in range(50) for turn in range(20)}


def _die_at_line(number: int) -> Callable[[FrameType, str, Any], Any]:
    """A tracer that kills this process, as the power would, before the ``number``-th line of files.py."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != files.__file__:
            return None
        if event == "line":
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def test_a_kill_at_any_point_leaves_the_old_or_the_new_file(path: Path) -> None:
    file = StateFile(path)
    file.update(add_store("a"))
    old, line, seen = file.read(), 0, set()
    while True:
        line += 1
        child = os.fork()
        if child == 0:
            sys.settrace(_die_at_line(line))
            file.update(add_store("b"))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        state = file.read()
        seen.add(set(state.artifact_stores) == {"a", "b"})
        assert state in (old, replace(old, serial=2, artifact_stores=state.artifact_stores))
        if state != old:
            # Put the old one back, as a rerun after each kill: it must find a file it can go on with.
            file.update(lambda now: now.without_artifact_store("b"))
            path.write_bytes(encode(old))
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
    assert line > 40
    assert seen == {False, True}
    assert not list(path.parent.glob(".*.tmp"))


def test_ten_thousand_components_load_quickly() -> None:
    """Held against the JSON parser alone on the same bytes, because machines differ in speed."""
    many = State(
        lineage="x",
        serial=1,
        connectors={f"c{i}": ConnectorRecord(f"c{i}", "aws", "iam-role", None, "b") for i in range(5000)},
        artifact_stores={
            f"s{i}": ArtifactStoreRecord(f"s{i}", "s3", f"s3://b{i}/p", {"region": "x"}, f"c{i}")
            for i in range(5000)
        },
    )
    content = encode(many)

    def best(call: Callable[[], object]) -> float:
        times = []
        for _ in range(15):
            begun = time.process_time()  # what others do on this machine is not counted
            call()
            times.append(time.process_time() - begun)
        return min(times)

    assert decode(content, "x") == many
    ratio = best(lambda: decode(content, "x")) / best(lambda: json.loads(content))
    assert ratio < 8, f"loading takes {ratio:.1f} times as long as parsing"
