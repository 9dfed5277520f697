"""The storage class of a store arrives with every way there is to write: S3 itself has no default to set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest
from contract_rigs import S3Rig

from provisioner.catalog import PROVIDERS
from stacks.migration import migrate
from stacks.stores.base import BaseArtifactStore
from stacks.stores.local import LocalArtifactStore
from stacks.stores.s3 import S3ArtifactStore

MIB = 1024 * 1024
CLASSES = [name for name in PROVIDERS["aws"].storage_classes if name != "standard"]


def small(store: BaseArtifactStore) -> None:
    store.write_bytes(f"{store.path}/file", b"small")


def small_and_new(store: BaseArtifactStore) -> None:
    store.write_bytes(f"{store.path}/file", b"small", if_absent=True)


def many(store: BaseArtifactStore) -> None:
    store.write_many({f"{store.path}/file": b"small", f"{store.path}/other": b"small"})


def stream(store: BaseArtifactStore) -> None:
    with store.open(f"{store.path}/file", "wb") as file:
        file.write(b"small")


def parts(store: BaseArtifactStore) -> None:
    with store.open(f"{store.path}/file", "wb") as file:
        file.write(bytes(17 * MIB))


def text(store: BaseArtifactStore) -> None:
    with store.open(f"{store.path}/file", "x") as file:
        file.write("small")


def odd(store: BaseArtifactStore) -> None:
    store.write_bytes(f"{store.path}/odd\x7f/file", b"small")


def directory(store: BaseArtifactStore) -> None:
    store.makedirs(f"{store.path}/made")


@pytest.mark.parametrize("write", [small, small_and_new, many, stream, parts, text, odd, directory])
def test_every_write_says_it(moto: S3Rig, write: Callable[[BaseArtifactStore], None]) -> None:
    store, prefix = moto.fresh(s3_additional_kwargs={"StorageClass": "STANDARD_IA"})
    write(store)
    assert set(classes(moto, prefix).values()) == {"STANDARD_IA"}


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_of_the_manifest_is_one_of_s3s_and_read_at_once(moto: S3Rig, name: str) -> None:
    store, prefix = moto.fresh(s3_additional_kwargs={"StorageClass": name.upper()})
    parts(store)
    assert classes(moto, prefix) == {"file": name.upper()}
    with store.open(f"{store.path}/file", "rb") as file:
        assert file.read(5) == bytes(5)


@pytest.mark.parametrize("verb", ["copyfile", "rename"])
def test_a_copy_has_the_class_of_the_store_and_not_that_of_its_source(moto: S3Rig, verb: str) -> None:
    store, prefix = moto.fresh(s3_additional_kwargs={"StorageClass": "GLACIER_IR"})
    moto.outside.put(f"{prefix}/standard", b"content")
    getattr(store, verb)(f"{store.path}/standard", f"{store.path}/copy")
    assert classes(moto, prefix)["copy"] == "GLACIER_IR"


@pytest.mark.parametrize("verb", ["copyfile", "rename"])
def test_so_has_a_copy_in_parts(moto: S3Rig, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service refuses to copy more than 5 GiB at once; here, it refuses at once what is far smaller."""
    store, prefix = moto.fresh(s3_additional_kwargs={"StorageClass": "GLACIER_IR"})
    moto.outside.put(f"{prefix}/standard", bytes(9 * MIB))
    sdk: Any = store._clients().sdk
    asked: list[str] = []

    def too_large(**request: Any) -> None:
        asked.append(request["Key"])
        raise sdk.exceptions.ClientError(
            {"Error": {"Code": "InvalidRequest"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "CopyObject"
        )

    monkeypatch.setattr(sdk, "copy_object", too_large)
    getattr(store, verb)(f"{store.path}/standard", f"{store.path}/copy")
    assert asked == [f"{prefix}/copy"]
    found = moto.outside.client.head_object(Bucket=moto.bucket, Key=f"{prefix}/copy")
    assert found["StorageClass"] == "GLACIER_IR"
    assert found["ETag"].endswith('-2"'), "in two parts"


def test_what_is_migrated_has_it_too(moto: S3Rig, tmp_path: Path) -> None:
    source = LocalArtifactStore(tmp_path)
    (tmp_path / "small").write_bytes(b"small")
    (tmp_path / "large").write_bytes(bytes(9 * MIB))
    store, prefix = moto.fresh(s3_additional_kwargs={"StorageClass": "ONEZONE_IA"})
    assert migrate(source, store).copied == 2
    assert classes(moto, prefix) == {"small": "ONEZONE_IA", "large": "ONEZONE_IA"}


@pytest.mark.parametrize(("version", "fast"), [("0.8.2", False), ("0.12.1", True), ("1.0.0b1", True)])
def test_the_fast_client_writes_it_where_it_knows_how(
    moto: S3Rig, version: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier ones would take it for metadata, and say nothing."""
    monkeypatch.setattr(obstore, "__version__", version)
    store, prefix = moto.fresh(s3_additional_kwargs={"StorageClass": "STANDARD_IA"})
    assert isinstance(store, S3ArtifactStore)
    small(store)
    assert (store._clients().fast_put is not None) == fast
    assert store._clients().fast is not None
    found = moto.outside.client.head_object(Bucket=moto.bucket, Key=f"{prefix}/file")
    assert (found["StorageClass"], found["Metadata"]) == ("STANDARD_IA", {})


def test_without_one_it_is_the_standard_of_s3(moto: S3Rig) -> None:
    store, prefix = moto.fresh()
    parts(store)
    assert classes(moto, prefix) == {"file": "STANDARD"}


def classes(moto: S3Rig, prefix: str) -> dict[str, str]:
    """What lies below a prefix, each with its class, as another program sees it."""
    found: dict[str, str] = {}
    for item in moto.outside.client.list_objects_v2(Bucket=moto.bucket, Prefix=f"{prefix}/")["Contents"]:
        head = moto.outside.client.head_object(Bucket=moto.bucket, Key=item["Key"])
        found[item["Key"].removeprefix(f"{prefix}/")] = head.get("StorageClass", "STANDARD")
    return found
