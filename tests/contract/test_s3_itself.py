"""What only S3 has: its settings, its odd keys, its errors, forks and credentials."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from contract_rigs import S3Rig, Scene

from stacks.credentials import AwsCredentials
from stacks.errors import (
    BucketNotFoundError,
    CredentialsError,
    CredentialsMissingError,
    StoreConfigError,
    StoreNetworkError,
)
from stacks.stores.s3 import S3ArtifactStore

MIB = 1024 * 1024


# ---- errors ---------------------------------------------------------------------------------------------


def test_a_missing_bucket_is_not_a_missing_file(moto: S3Rig) -> None:
    store = moto.make("s3://no-such-bucket-anywhere/prefix", name="lost")
    path = f"{store.path}/file"
    for call in (
        lambda: store.open(path),
        lambda: store.open(path, "w"),
        lambda: store.exists(path),
        lambda: store.isdir(store.path),
        lambda: store.listdir(store.path),
        lambda: store.stat(path),
        lambda: store.remove(path),
        lambda: store.rmtree(store.path),
        lambda: store.write_bytes(path, b""),
        lambda: store.read_many([path]),
        lambda: store.copyfile(path, f"{path}2", overwrite=True),
    ):
        with pytest.raises(BucketNotFoundError) as caught:
            call()
        assert not isinstance(caught.value, FileNotFoundError)
        assert "no-such-bucket-anywhere" in str(caught.value)
        assert "lost" in str(caught.value)
        assert caught.value.hint


def test_a_service_that_is_not_there(moto: S3Rig) -> None:
    store = S3ArtifactStore(
        "s3://bucket",
        key="a",
        secret="b",
        client_kwargs={"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"},
        config_kwargs={"retries": {"max_attempts": 0}, "connect_timeout": 1},
    )
    for call in (lambda: store.open("s3://bucket/x"), lambda: store.listdir("s3://bucket")):
        started = time.monotonic()
        with pytest.raises(StoreNetworkError, match=r"127\.0\.0\.1:9") as caught:
            call()
        assert time.monotonic() - started < 15
        assert "Debug source" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_no_credentials_at_all(moto: S3Rig) -> None:
    store = S3ArtifactStore(
        moto.base, client_kwargs={"endpoint_url": moto.endpoint, "region_name": "us-east-1"}
    )
    with pytest.raises(CredentialsMissingError, match="no AWS credentials"):
        store.listdir(store.path)


# ---- settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        {"key": "half"},
        {"secret": "half"},
        {"token": "only"},
        {"client_kwargs": "{not json"},
        {"client_kwargs": "[]"},
        {
            "key": "a",
            "secret": "b",
            "client_kwargs": {"aws_access_key_id": "c", "aws_secret_access_key": "d"},
        },
        {"key": "a", "secret": "b", "credentials": lambda: AwsCredentials("a", "b")},
        {"anon": True},
    ],
)
def test_a_configuration_that_does_not_hold(config: dict[str, Any]) -> None:
    with pytest.raises(StoreConfigError):
        S3ArtifactStore("s3://bucket", **config)


def test_an_unknown_argument_of_the_client_is_named(moto: S3Rig) -> None:
    store = S3ArtifactStore("s3://bucket", key="a", secret="b", client_kwargs={"endpoint": "http://x"})
    with pytest.raises(StoreConfigError, match="endpoint"):
        store.listdir("s3://bucket")


def test_settings_may_be_json_text_and_endpoint_reaches_both_clients(moto: S3Rig) -> None:
    store = S3ArtifactStore(
        f"{moto.base}/json",
        key="a",
        secret="b",
        client_kwargs=f'{{"endpoint_url": "{moto.endpoint}", "region_name": "eu-central-1"}}',
    )
    store.write_bytes(f"{store.path}/x", b"1")
    assert store.listdir(store.path) == ["x"]


def test_implicit_credentials_come_from_a_profile(
    moto: S3Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """obstore alone would not read AWS_PROFILE."""
    (tmp_path / "aws-credentials").write_text(
        "[work]\naws_access_key_id = test\naws_secret_access_key = testtest\n"
    )
    (tmp_path / "aws-config").write_text(
        f"[profile work]\nregion = us-east-1\nendpoint_url = {moto.endpoint}\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "work")
    store = S3ArtifactStore(f"{moto.base}/implicit")
    store.write_bytes(f"{store.path}/x", b"1")
    assert store.read_many([f"{store.path}/x"]) == [b"1"]


@pytest.mark.parametrize("size", [100, 17 * MIB])
@pytest.mark.parametrize(
    ("additional", "shown"),
    [
        ({"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "AES256"}),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/mine"}, {"SSEKMSKeyId": "alias/mine"}),
        (
            {"StorageClass": "STANDARD_IA", "Metadata": {"team": "ml"}},
            {"StorageClass": "STANDARD_IA", "Metadata": {"team": "ml"}},
        ),
    ],
)
def test_additional_arguments_reach_every_write(
    moto: S3Rig, size: int, additional: dict[str, Any], shown: dict[str, Any]
) -> None:
    store, prefix = moto.fresh(s3_additional_kwargs=additional)
    with store.open(f"{store.path}/file", "wb") as file:
        file.write(bytes(size))
    found = moto.outside.client.head_object(Bucket=moto.bucket, Key=f"{prefix}/file")
    assert found["ContentLength"] == size
    assert {name: found.get(name) for name in shown} == shown


def test_a_setting_that_only_botocore_has_goes_through_botocore(moto: S3Rig) -> None:
    store, _ = moto.fresh(config_kwargs={"s3": {"use_accelerate_endpoint": False}})
    path = f"{store.path}/file"
    with store.open(path, "wb") as file:
        file.write(b"0123456789")
    with store.open(path, "rb") as file:
        file.seek(5)
        assert file.read() == b"56789"
    store.write_bytes(f"{path}2", b"", if_absent=True)
    with pytest.raises(FileExistsError):
        store.write_bytes(f"{path}2", b"", if_absent=True)
    with store.open(f"{path}2", "rb") as file:
        assert file.read() == b""
    store.copyfile(path, f"{path}3")
    with pytest.raises(FileNotFoundError):
        store.open(f"{path}4")
    with pytest.raises(FileNotFoundError):
        store.copyfile(f"{path}4", f"{path}5")
    assert not store.exists(f"{path}4")
    assert store.stat(path).size == 10


def test_a_secret_makes_a_credentials_callable(moto: S3Rig) -> None:
    provider = S3ArtifactStore.credentials_from_secret(
        {"aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c"}
    )
    assert provider() == AwsCredentials("a", "b", "c")
    for wrong in ({"aws_access_key_id": "a"}, {"token": "x"}, {}):
        with pytest.raises(StoreConfigError):
            S3ArtifactStore.credentials_from_secret(wrong)


# ---- secrets stay where they are ------------------------------------------------------------------------


def test_neither_repr_nor_pickle_shows_a_secret() -> None:
    for config in (
        {"key": "AKIAEXAMPLE", "secret": "very-secret"},
        {"client_kwargs": {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "very-secret"}},
        {"client_kwargs": '{"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "very-secret"}'},
    ):
        store = S3ArtifactStore("s3://bucket", **config)
        assert "very-secret" not in repr(store)
        assert b"very-secret" not in pickle.dumps(store)
        assert b"AKIAEXAMPLE" not in pickle.dumps(store)


def test_a_pickle_that_comes_back_to_its_process_works(s3: Scene) -> None:
    path = s3.put("x")
    assert pickle.loads(pickle.dumps(s3.store)).read_many([path]) == [b"content"]


@pytest.mark.parametrize("held", [{}, {"credentials": lambda: AwsCredentials("test", "testtest")}])
def test_a_pickle_elsewhere_does_not_fall_back_to_other_credentials(
    moto: S3Rig, held: dict[str, Any], tmp_path: Path
) -> None:
    store, _ = moto.fresh(name="sent", **held)
    (tmp_path / "store.pickle").write_bytes(pickle.dumps(store))
    program = f"""
import pickle
import subprocess
import sys
store = pickle.load(open({str(tmp_path / "store.pickle")!r}, "rb"))
try:
    store.listdir(store.path)
except Exception as error:
    print(type(error).__name__, error, error.hint)
"""
    environment = {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "other", "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False
    )
    assert ran.stdout.startswith("CredentialsMissingError"), ran.stderr
    assert "sent" in ran.stdout
    assert "get_artifact_store" in ran.stdout


def provide() -> AwsCredentials:
    return AwsCredentials("test", "testtest")


def test_a_store_without_secrets_pickles_and_works(moto: S3Rig) -> None:
    store, _ = moto.fresh(credentials=provide, name="sent")
    store.write_bytes(f"{store.path}/x", b"1")
    data = pickle.dumps(store)
    assert b"testtest" not in data
    copy = pickle.loads(data)
    assert (copy.path, copy.name) == (store.path, "sent")
    assert copy.read_many([f"{store.path}/x"]) == [b"1"]


# ---- forks ----------------------------------------------------------------------------------------------


def work(store: S3ArtifactStore, number: int) -> bytes:
    with store.open(f"{store.path}/from-{number}", "wb") as file:
        file.write(b"child %d" % number)
    with store.open(f"{store.path}/shared", "rb") as file:
        content: bytes = file.read()
    assert f"from-{number}" in store.listdir(store.path)
    return content


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_worker_reads_and_writes(s3: Scene) -> None:
    s3.store.write_bytes(s3.at("shared"), b"from the parent")
    assert s3.store.read_many([s3.at("shared")]) == [b"from the parent"]
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        done = pool.starmap_async(work, [(s3.store, number) for number in range(4)])
        assert done.get(timeout=60) == [b"from the parent"] * 4
    assert s3.store.read_many([s3.at("from-3")]) == [b"child 3"]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_file_opened_before_the_fork_is_read_in_the_child(s3: Scene) -> None:
    content = bytes(range(256)) * (12 * MIB // 256)
    s3.put("large", content)
    file = s3.store.open(s3.at("large"), "rb")
    assert file.read(3 * MIB) == content[: 3 * MIB]
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(file.read() == content[3 * MIB :]))
    child.start()
    assert receiver.poll(60)
    assert receiver.recv()
    child.join(10)


# ---- credentials ----------------------------------------------------------------------------------------


def test_credentials_are_asked_for_again_before_they_expire(moto: S3Rig) -> None:
    asked: list[datetime] = []

    def provider() -> AwsCredentials:
        asked.append(datetime.now(UTC))
        return AwsCredentials("test", "testtest", "token", datetime.now(UTC) + timedelta(seconds=1))

    store, _ = moto.fresh(credentials=provider)
    store.write_bytes(f"{store.path}/x", b"1")
    assert len(asked) == 1
    time.sleep(0.6)
    assert store.read_many([f"{store.path}/x"]) == [b"1"]
    assert len(asked) == 2


def test_a_provider_that_fails_is_heard(moto: S3Rig) -> None:
    def provider() -> AwsCredentials:
        raise CredentialsMissingError("the connector has been deleted")

    store, _ = moto.fresh(credentials=provider)
    with pytest.raises(CredentialsError, match="the connector has been deleted"):
        store.open(f"{store.path}/x")


# ---- versions -------------------------------------------------------------------------------------------


def test_the_versions_of_deleted_files_can_be_forgotten(moto: S3Rig) -> None:
    client, bucket = moto.outside.client, f"{moto.bucket}-versions"
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = moto.make(f"s3://{bucket}/root")
    for content in (b"1", b"2"):
        store.write_many({f"{store.path}/d/{name}": content for name in ("kept", "gone")})
    store.remove(f"{store.path}/d/gone")
    assert store.forget_versions(f"{store.path}/d") == 3
    found = client.list_object_versions(Bucket=bucket)
    assert [version["Key"] for version in found["Versions"]] == ["root/d/kept"] * 2
    assert "DeleteMarkers" not in found


def test_where_nothing_keeps_versions_there_are_none_to_forget(scene: Scene) -> None:
    path = scene.put("d/gone")
    scene.store.remove(path)
    assert scene.store.forget_versions(scene.at("d")) == 0
