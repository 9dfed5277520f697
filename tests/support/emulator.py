"""An AWS emulator for tests of the product: an owner in it, and a look into it that is not the product's."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
REGION = "eu-west-1"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Emulator:
    """One running emulator; ``credentials`` are those of a user who may do everything."""

    url: str
    user_arn: str
    credentials: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client with the user's credentials."""
        return boto3.client(
            service,  # type: ignore[call-overload] # the name of the service is data here
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.credentials["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}),
        )

    def buckets(self) -> list[str]:
        """The names of all buckets."""
        return [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]]

    def roles(self) -> list[str]:
        """The names of all roles."""
        return [role["RoleName"] for role in self.client("iam").list_roles()["Roles"]]

    def bucket(self, name: str) -> None:
        """A bucket that the product did not make."""
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(self, bucket: str, key: str) -> None:
        """An object that the product did not write."""
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=b"content")


@contextmanager
def moto_server(log: Path) -> Iterator[str]:
    """An AWS emulator of its own on a free loopback port; yields its address, stops exactly that process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/moto-api/data.json", process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the emulator exited {process.returncode} before it answered")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(f"no answer from {url} within {seconds:g} s")


@contextmanager
def emulator(log: Path) -> Iterator[Emulator]:
    """Start one on a free port, with a user in it; stop exactly that process."""
    with moto_server(log) as url:
        first = Emulator(url, "", {"AWS_ACCESS_KEY_ID": "first", "AWS_SECRET_ACCESS_KEY": "first"})
        iam = first.client("iam")
        arn = iam.create_user(UserName="engineer")["User"]["Arn"]
        iam.put_user_policy(UserName="engineer", PolicyName="all", PolicyDocument=json.dumps(_EVERYTHING))
        key = iam.create_access_key(UserName="engineer")["AccessKey"]
        keys = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        yield Emulator(url, arn, keys)
