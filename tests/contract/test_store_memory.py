"""Machines have less memory than artifacts: files of any size are read and written with a few megabytes.

The objects are made up by the service (tests/support/made_up_s3.py), so that 5 GiB of them need no disk.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stacks.stores.s3 import S3ArtifactStore

MIB = 1024 * 1024
GIB = 1024 * MIB
SUPPORT = Path(__file__).parents[1] / "support"

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc, which Linux has"
)

MEASURE = """
import re, sys
from pathlib import Path

sys.path.insert(0, sys.argv[5])
from made_up_s3 import content

def peak():
    # VmHWM of this program alone; getrusage begins with what the parent held when it forked.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

path, endpoint, mode, size = *sys.argv[1:4], int(sys.argv[4])
MIB = 1024 * 1024
begun = peak()  # before anything of the store's is loaded
if endpoint:
    from stacks.stores.s3 import S3ArtifactStore
    store = S3ArtifactStore(path.rpartition("/")[0], key="test", secret="testtest",
                            client_kwargs={"endpoint_url": endpoint, "region_name": "us-east-1"})
else:
    from stacks.stores.local import LocalArtifactStore
    store = LocalArtifactStore(path.rpartition("/")[0])
at = 0
if mode == "write":
    with store.open(path, "wb") as file:
        for at in range(0, size, MIB):
            file.write(content(at, MIB))
elif mode == "read":
    with store.open(path, "rb") as file:
        while at < size and (piece := file.read(MIB)):
            assert piece == content(at, len(piece)), at
            at += len(piece)
    assert at == size
else:
    with store.open(path, "rb") as file:
        end = file.seek(0, 2)
        for at in (end - 8, 3 * end // 4, end // 2 + 1, 5, end // 3, end - 1000, end // 7, 0):
            file.seek(at)
            wanted = min(100_000, end - at)
            assert file.read(wanted) == content(at, wanted), at
        assert file.seek(end) == end and file.read() == b""
print(peak() - begun)
"""


def measured(path: str, endpoint: str, mode: str, size: int) -> float:
    """Megabytes above the start, in a program of its own."""
    arguments = [path, endpoint, mode, str(size), str(SUPPORT)]
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=False, timeout=550
    )
    assert ran.returncode == 0, ran.stderr
    return float(ran.stdout)


@dataclass
class MadeUp:
    url: str

    def report(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/report", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@pytest.fixture(scope="module")
def made_up() -> Iterator[MadeUp]:
    command = [sys.executable, str(SUPPORT / "made_up_s3.py"), str(S3ArtifactStore.PART_SIZE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield MadeUp(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


def check_write(made_up: MadeUp, size: int) -> None:
    needed = measured(f"s3://bucket/{size}", made_up.url, "write", size)
    seen = made_up.report()
    assert seen["written"] == size
    assert seen["wrong"] == []
    assert not seen["aborted"]
    assert needed < 150


def test_jumping_about_in_5_gib_fetches_little(made_up: MadeUp) -> None:
    needed = measured(f"s3://bucket/{5 * GIB}", made_up.url, "seek", 5 * GIB)
    assert made_up.report()["sent"] < 8 * MIB
    assert needed < 100


def test_the_beginning_of_5_gib_is_read_without_the_rest(made_up: MadeUp) -> None:
    needed = measured(f"s3://bucket/{5 * GIB}", made_up.url, "read", 256 * MIB)
    assert made_up.report()["sent"] < 300 * MIB
    assert needed < 150


def test_256_mib_are_written(made_up: MadeUp) -> None:
    check_write(made_up, 256 * MIB)


def test_256_mib_on_the_local_disk(tmp_path: Path) -> None:
    for mode in ("write", "read", "seek"):
        assert measured(f"{tmp_path}/file", "", mode, 256 * MIB) < 50, mode


@pytest.mark.slow
def test_5_gib_are_read_from_one_end_to_the_other(made_up: MadeUp) -> None:
    needed = measured(f"s3://bucket/{5 * GIB}", made_up.url, "read", 5 * GIB)
    assert made_up.report()["sent"] == 5 * GIB
    assert needed < 150


@pytest.mark.slow
def test_5_gib_are_written(made_up: MadeUp) -> None:
    check_write(made_up, 5 * GIB)


def test_a_store_is_made_without_any_sdk() -> None:
    """They are loaded when the first request is made: a program that only names its stores stays quick."""
    program = """
import sys
from stacks.stores.s3 import S3ArtifactStore
store = S3ArtifactStore("s3://bucket/prefix")
sdks = {"boto3", "botocore", "obstore", "google", "azure"}
print(sorted({name.split(".")[0] for name in sys.modules} & sdks))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
