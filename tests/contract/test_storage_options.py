"""``store.storage_options`` through the libraries that they are for: s3fs, gcsfs and adlfs, by way of pandas.

They pin versions that the tests of this project do not have, so they live in an environment of their own,
which the benchmarks make and use as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from contract_rigs import AZURITE_KEY, Rig, S3Rig

from stacks.credentials import AzureCredentials
from stacks.stores.azure_auth import adlfs_options

ROOT = Path(__file__).parents[2]

PROGRAM = """
import io, json, sys
import pandas as pd
from stacks.stores.registry import store_class

flavor, path, config = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
store = store_class(flavor)(path, **config)
frame = pd.DataFrame({"name": ["a", "b", "c"], "value": [1, 2, 3]})

with store.open(f"{path}/ours.parquet", "wb") as file:
    frame.to_parquet(file)
theirs = pd.read_parquet(f"{path}/ours.parquet", storage_options=store.storage_options, columns=["value"])
assert theirs["value"].to_list() == [1, 2, 3]

frame.to_parquet(f"{path}/theirs.parquet", storage_options=store.storage_options)
with store.open(f"{path}/theirs.parquet", "rb") as file:
    assert pd.read_parquet(io.BytesIO(file.read())).equals(frame)
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"s3fs", "gcsfs", "adlfs"}))
"""


@pytest.fixture(scope="module")
def peers_python() -> str:
    """Made on first use, which takes a minute."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.stores import bench_python

    return bench_python()


def through_pandas(python: str, flavor: str, rig: Rig, config: dict[str, object]) -> str:
    """Which of the libraries pandas used."""
    _, prefix = rig.fresh()
    ran = subprocess.run(
        [python, "-W", "ignore", "-c", PROGRAM, flavor, f"{rig.base}/{prefix}", json.dumps(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"},  # gRPC, which the emulator lacks
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("additional", [{}, {"ServerSideEncryption": "AES256"}])
def test_pandas_with_s3fs(moto: S3Rig, peers_python: str, additional: dict[str, str]) -> None:
    config = {
        "key": moto.key,
        "secret": moto.secret,
        "token": "a-session",
        "client_kwargs": {"endpoint_url": moto.endpoint, "region_name": "us-east-1"},
        "config_kwargs": {"connect_timeout": 5, "s3": {"addressing_style": "path"}},
        "s3_additional_kwargs": additional,
    }
    assert through_pandas(peers_python, "s3", moto, config) == "s3fs"


@pytest.mark.slow
def test_pandas_with_gcsfs(request: pytest.FixtureRequest, peers_python: str) -> None:
    rig = request.getfixturevalue("start")("gcs")
    config = {"token": "an-oauth2-token", "endpoint_url": rig.outside._url}
    assert through_pandas(peers_python, "gcp", rig, config) == "gcsfs"


@pytest.mark.slow
def test_pandas_with_adlfs(request: pytest.FixtureRequest, peers_python: str) -> None:
    rig = request.getfixturevalue("start")("azure")
    url = rig.outside.client.url.rpartition("/")[0]
    config = {"account_url": url, "account_key": AZURITE_KEY}
    assert through_pandas(peers_python, "azure", rig, config) == "adlfs"


# ---- what cannot be had from an emulator ----------------------------------------------------------------


def test_adlfs_reaches_azure_itself_by_the_accounts_name() -> None:
    url = "https://mine.blob.core.windows.net"
    assert adlfs_options(url, AzureCredentials(account_key="a2V5")) == {
        "account_name": "mine",
        "account_key": "a2V5",
    }
    assert adlfs_options(url, AzureCredentials(sas_token="sig=x")) == {
        "account_name": "mine",
        "sas_token": "sig=x",
    }


def test_adlfs_reaches_another_cloud_by_its_host() -> None:
    found = adlfs_options("https://mine.blob.core.chinacloudapi.cn", AzureCredentials(account_key="a2V5"))
    assert found["account_host"] == "mine.blob.core.chinacloudapi.cn"


def test_adlfs_gets_a_token_as_the_asynchronous_credential_that_it_takes() -> None:
    import asyncio

    found = adlfs_options("https://mine.blob.core.windows.net", AzureCredentials(token="secret-token"))
    token = asyncio.run(found["credential"].get_token("https://storage.azure.com/.default"))
    assert token.token == "secret-token"
    assert "secret-token" not in repr(found)
