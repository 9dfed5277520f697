"""The S3 store against what its users would have otherwise: s3fs, boto3's transfer manager, obstore.

Medians of interleaved runs on loopback; both sides use their defaults and one process. s3fs needs a newer
botocore than the development environment may have, so the comparison makes an environment of its own.
"""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measure import HEADER, interleaved
from benchmarks.services import Endpoint, ceph, nginx

ROOT = Path(__file__).parent.parent
MIB = 1024 * 1024
SMALL = os.urandom(4096)
LARGE = os.urandom(256 * MIB)


class Peers:
    """The same bucket through every library."""

    def __init__(self, endpoint: Endpoint) -> None:
        import boto3
        import obstore
        import s3fs
        from botocore.config import Config

        from stacks.stores.s3 import S3ArtifactStore

        self.endpoint = endpoint
        self.bucket = endpoint.bucket
        client = {"endpoint_url": endpoint.url, "region_name": "us-east-1"}
        keys = {"key": endpoint.key, "secret": endpoint.secret}
        self.ours = S3ArtifactStore(f"s3://{self.bucket}", client_kwargs=client, **keys)
        self.s3fs: Any = s3fs.S3FileSystem(
            client_kwargs=client, **keys, use_listings_cache=False, skip_instance_cache=True
        )
        self.boto3: Any = boto3.client(
            "s3",
            **client,
            aws_access_key_id=endpoint.key,
            aws_secret_access_key=endpoint.secret,
            config=Config(max_pool_connections=32, s3={"addressing_style": "path"}),
        )
        self.obstore = obstore
        self.bare: Any = obstore.store.S3Store(
            self.bucket,
            config={
                "endpoint": endpoint.url,
                "region": "us-east-1",
                "access_key_id": endpoint.key,
                "secret_access_key": endpoint.secret,
            },
            client_options={"allow_http": True},
        )

    def fill(self, prefix: str, number: int, content: bytes = SMALL) -> list[str]:
        """Files to read, by their keys."""
        keys = [f"{prefix}/d{at % 20:02}/f{at:05}" for at in range(number)]
        self.ours.write_many({self.path(key): content for key in keys})
        return keys

    def path(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


def threads(function: Callable[[Any], Any], items: list[Any]) -> None:
    """What a user of a blocking client writes."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(function, items))


def fresh() -> str:
    return f"w-{uuid.uuid4().hex[:8]}"


def small_reads(peers: Peers, runs: int) -> None:
    keys = peers.fill("small", 1000)
    paths = [peers.path(key) for key in keys]
    plain = [f"{peers.bucket}/{key}" for key in keys]

    def open_each() -> None:
        for path in paths:
            with peers.ours.open(path, "rb") as file:
                file.read()

    def open_each_s3fs() -> None:
        for path in plain:
            with peers.s3fs.open(path, "rb") as file:
                file.read()

    def bare(key: str) -> bytes:
        return bytes(peers.obstore.get(peers.bare, key).bytes())

    def each_bare() -> None:
        for key in keys:
            bare(key)

    def read_boto(key: str) -> bytes:
        content: bytes = peers.boto3.get_object(Bucket=peers.bucket, Key=key)["Body"].read()
        return content

    many = "read 1,000 x 4 KiB, concurrent"
    show(many, lambda: peers.ours.read_many(paths), lambda: peers.s3fs.cat(plain), "s3fs", runs)
    show(many, lambda: peers.ours.read_many(paths), lambda: threads(read_boto, keys), "boto3", runs)
    show(many, lambda: peers.ours.read_many(paths), lambda: threads(bare, keys), "obstore", runs)
    one = "read 1,000 x 4 KiB through `open`, one by one"
    show(one, open_each, open_each_s3fs, "s3fs", runs)
    show(one, open_each, each_bare, "obstore", runs)


def small_writes(peers: Peers, runs: int) -> None:
    def write_ours() -> None:
        prefix = fresh()
        peers.ours.write_many({peers.path(f"{prefix}/{at}"): SMALL for at in range(1000)})

    def write_s3fs() -> None:
        prefix = fresh()
        peers.s3fs.pipe({f"{peers.bucket}/{prefix}/{at}": SMALL for at in range(1000)})

    def write_bare() -> None:
        prefix = fresh()
        threads(lambda at: peers.obstore.put(peers.bare, f"{prefix}/{at}", SMALL), list(range(1000)))

    write = "write 1,000 x 4 KiB, concurrent"
    show(write, write_ours, write_s3fs, "s3fs", runs)
    show(write, write_ours, write_bare, "obstore", runs)


def large_file(peers: Peers, runs: int) -> None:
    def write_ours() -> None:
        with peers.ours.open(peers.path("large"), "wb") as file:
            file.write(LARGE)

    def write_s3fs() -> None:
        with peers.s3fs.open(f"{peers.bucket}/large", "wb") as file:
            file.write(LARGE)

    def write_boto() -> None:
        peers.boto3.upload_fileobj(io.BytesIO(LARGE), peers.bucket, "large")

    show("write 256 MiB", write_ours, write_s3fs, "s3fs", runs)
    show("write 256 MiB", write_ours, write_boto, "boto3", runs)
    if peers.endpoint.folder is not None:
        (peers.endpoint.folder / "large").write_bytes(LARGE)  # nginx keeps parts, not the whole

    def read_ours() -> None:
        with peers.ours.open(peers.path("large"), "rb") as file:
            content = file.read()
        if len(content) != len(LARGE):
            raise RuntimeError("not all was read")

    def read_s3fs() -> None:
        with peers.s3fs.open(f"{peers.bucket}/large", "rb") as file:
            file.read()

    def read_boto() -> None:
        peers.boto3.download_fileobj(peers.bucket, "large", io.BytesIO())

    show("read 256 MiB", read_ours, read_s3fs, "s3fs", runs)
    show("read 256 MiB", read_ours, read_boto, "boto3", runs)


def trees(peers: Peers, runs: int) -> None:
    peers.fill("tree", 10_000, b"")
    root, plain = peers.path("tree"), f"{peers.bucket}/tree"

    def walk(steps: Any) -> None:
        found = sum(len(step[2]) for step in steps)
        if found != 10_000:
            raise RuntimeError(f"{found} files")

    listing = "list 10,000 keys"
    show(listing, lambda: peers.ours.glob(f"{root}/**"), lambda: peers.s3fs.find(plain), "s3fs", runs)
    bare = "list 10,000 keys against a bare listing"
    show(
        bare,
        lambda: peers.ours.glob(f"{root}/**"),
        lambda: peers.obstore.list(peers.bare, "tree").collect(),
        "obstore",
        runs,
    )
    show(
        "walk 10,000 keys",
        lambda: walk(peers.ours.walk(root)),
        lambda: walk(peers.s3fs.walk(plain)),
        "s3fs",
        runs,
    )
    keys = peers.fill("copied", 200)

    def copy_ours() -> None:
        peers.ours.copytree(peers.path("copied"), peers.path(fresh()))

    def copy_s3fs() -> None:
        prefix = fresh()
        sources = [f"{peers.bucket}/{key}" for key in keys]
        peers.s3fs.copy(sources, [f"{peers.bucket}/{prefix}/{key}" for key in keys])

    show("copy 200 keys server-side", copy_ours, copy_s3fs, "s3fs", runs)
    doomed = [f"doomed-{at}" for at in range(2 * (min(runs, 2) + 1))]
    for prefix in doomed:
        peers.fill(prefix, 5000, b"")
    left = iter(doomed)
    show(
        "rmtree of 5,000 keys",
        lambda: peers.ours.rmtree(peers.path(next(left))),
        lambda: peers.s3fs.rm(f"{peers.bucket}/{next(left)}", recursive=True),
        "s3fs",
        min(runs, 2),
    )


def memory(endpoint: Endpoint) -> None:
    """Peak memory above the start, in a process of its own, 256 MiB in blocks through ``open``."""
    for mode in ("write", "read"):
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "benchmarks.stores",
                "--memory",
                mode,
                endpoint.url,
                endpoint.key,
                endpoint.secret,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        print(
            f"| peak memory above the start, {mode} 256 MiB through `open` | {ran.stdout.strip()} MB | | | |"
        )


def _measure_memory(mode: str, url: str, key: str, secret: str) -> None:
    from stacks.stores.s3 import S3ArtifactStore

    store = S3ArtifactStore(
        "s3://bucket", key=key, secret=secret, client_kwargs={"endpoint_url": url, "region_name": "us-east-1"}
    )
    store.isdir(store.path)
    before = _peak()
    block = bytes(MIB)
    if mode == "write":
        with store.open(f"{store.path}/memory", "wb") as file:
            for _ in range(256):
                file.write(block)
    else:
        with store.open(f"{store.path}/large", "rb") as file:
            while file.read(MIB):
                continue
    print(round((_peak() - before) / 1024))


def _peak() -> int:
    """The most memory that this process held, in KiB; getrusage would count its parent at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def show(workload: str, ours: Callable[[], Any], peer: Callable[[], Any], name: str, runs: int) -> None:
    print(interleaved(workload, ours, peer, peer_name=name, runs=runs).row(), flush=True)


def bench_python() -> str:
    """The Python of the environment that has the peers, which is made on first use."""
    python = ROOT / ".venv-bench" / "bin" / "python"
    ready = python.parents[1] / ".ready"
    if not ready.exists() or ready.stat().st_mtime < (ROOT / "pyproject.toml").stat().st_mtime:
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--editable", ".[s3,gcp,azure,fs,bench]"], cwd=ROOT, check=True)
        ready.touch()
    return str(python)


def main() -> None:
    """Print the tables, in an environment that has the peers."""
    if importlib.util.find_spec("s3fs") is None:
        subprocess.run([bench_python(), "-m", "benchmarks.stores"], cwd=ROOT, check=True)
        return
    peers = ("s3fs", "boto3", "obstore", "aiobotocore")
    print("## Artifact stores (" + ", ".join(f"{name} {version(name)}" for name in peers) + ")")
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        for service, runs, parts in (
            (nginx, 5, (small_reads, small_writes, large_file)),
            (ceph, 3, (small_reads, small_writes, trees, large_file)),
        ):
            with service(Path(folder) / service.__name__) as endpoint:
                if endpoint is None:
                    print(f"\n{service.__name__} is not installed here: not measured")
                    continue
                print(f"\n### On {endpoint.name}\n\n{HEADER}", flush=True)
                for part in parts:
                    part(Peers(endpoint), runs)
                memory(endpoint)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        _measure_memory(*sys.argv[2:])
    else:
        main()
