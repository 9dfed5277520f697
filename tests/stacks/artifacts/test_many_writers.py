"""Versions are chosen without a race: by threads of several processes, on a disk, on S3, on Ceph."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import ceph
import pytest
from aws import Aws
from workshop import environment

from stacks import Client

# Waits for a file, so that all begin at the same moment; ten threads in each of two processes.
PROGRAM = """
import os, sys, threading, time
from stacks import save_artifact
from stacks.pipelines.here import client
client().get_artifact_store().exists(client().get_artifact_store().path)  # connected before it begins
print("ready", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.002)
def write(n):
    sys.stdout.write(save_artifact([os.getpid(), n], "n").version + "\\n")  # one write: lines do not mix
threads = [threading.Thread(target=write, args=[n]) for n in range(10)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.fixture(params=["disk", "s3", pytest.param("ceph", marks=pytest.mark.slow)])
def client(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """A client whose active stack is on an empty store there."""
    monkeypatch.setenv("STACKS_STATE", str(tmp_path / "state.json"))
    monkeypatch.setenv("STACKS_SECRET_KEY", "A" * 43 + "=")
    made = Client()
    if request.param == "disk":
        made.register_artifact_store("store", "local", path=str(tmp_path / "store"))
        made.register_stack("s", "store", activate=True)
        yield made
    elif request.param == "s3":
        aws: Aws = request.getfixturevalue("aws")
        aws.bucket("bucket")
        yield _on_s3(made, aws.url, "AKIAOWNER", "owner")
    else:
        if ceph.missing():
            pytest.skip(f"not installed: {', '.join(ceph.missing())} (Debian: radosgw ceph-mon ceph-osd)")
        with ceph.running_ceph(tmp_path / "ceph") as gateway:
            user = gateway.user("ml")
            boto3.client(
                "s3",
                endpoint_url=gateway.url,
                aws_access_key_id=user.access_key_id,
                aws_secret_access_key=user.secret_access_key,
                region_name="us-east-1",
            ).create_bucket(Bucket="bucket")
            yield _on_s3(made, gateway.url, user.access_key_id, user.secret_access_key)


def _on_s3(client: Client, url: str, key: str, secret: str) -> Client:
    kwargs = {"endpoint_url": url, "region_name": "us-east-1"}
    config = {"client_kwargs": kwargs, "key": key, "secret": secret}
    client.register_artifact_store("store", "s3", path="s3://bucket/team", config=config)
    client.register_stack("s", "store", activate=True)
    return client


def test_twenty_writers_at_once_get_the_versions_one_to_twenty(client: Client, tmp_path: Path) -> None:
    start = tmp_path / "start"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(start)], stdout=subprocess.PIPE, text=True, env=environment()
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    start.touch()

    versions = [int(line) for process in processes for line in process.communicate(timeout=120)[0].split()]

    assert sorted(versions) == list(range(1, 21))
    found = client.list_artifact_versions(name="n")
    assert [one.number for one in sorted(found, key=lambda one: one.number)] == list(range(1, 21))
    writers = {tuple(one.load()) for one in found}
    assert len(writers) == 20  # each has its own value
    assert client.get_artifact_version("n").version == "20"


@pytest.mark.parametrize("client", ["disk", pytest.param("ceph", marks=pytest.mark.slow)], indirect=True)
def test_two_runs_of_a_pipeline_at_once_do_not_disturb_each_other(client: Client, tmp_path: Path) -> None:
    program = tmp_path / "training.py"
    program.write_text(
        "import os, sys, time\nfrom stacks import pipeline, step\n"
        "@step\ndef one(n: int) -> list[int]:\n    return [n] * 3\n"
        "@step\ndef two(data: list[int]) -> int:\n    return sum(data)\n"
        "@pipeline\ndef training():\n    for n in range(4):\n        two(one(n))\n"
        "print('ready', flush=True)\n"
        "while not os.path.exists(sys.argv[1]):\n    time.sleep(0.002)\n"
        "run = training()\n"
        "print([one.load() for step in run.steps.values() for one in step.outputs.values()])\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, str(program), str(tmp_path / "go")],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()

    said = [process.communicate(timeout=120)[0] for process in processes]

    assert said == ["[[0, 0, 0], 0, [1, 1, 1], 3, [2, 2, 2], 6, [3, 3, 3], 9]\n"] * 2
    assert [run.status for run in client.list_pipeline_runs()] == ["completed"] * 2
    for version in client.list_artifact_versions():
        version.verify()
    assert not client.prune_artifacts(dry_run=True)
