"""An AWS of the tests' own: starting it, and setting up users, roles and buckets in it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from stacks.credentials import AwsCredentials

ACCOUNT = "123456789012"
REGION = "eu-west-1"


@dataclass(frozen=True)
class Aws:
    """One server; every test begins with an empty one that lets everybody do everything."""

    url: str

    def _post(self, path: str, body: str = "") -> None:
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.url}{path}", body.encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()

    def reset(self) -> None:
        """Forgets everything and lets everybody do everything."""
        self._post("/moto-api/reset")
        self._post("/moto-api/reset-auth", "inf")

    def enforce(self) -> None:
        """From now on, only what policies allow."""
        self._post("/moto-api/reset-auth", "0")

    def relax(self) -> None:
        """Lets everybody do everything again."""
        self._post("/moto-api/reset-auth", "inf")

    def client(self, service: str, credentials: AwsCredentials | None = None) -> Any:
        """A client of boto3 with ``credentials``, or with those of the owner of everything."""
        return boto3.client(
            service,  # type: ignore[call-overload] # the name of the service is data here
            aws_access_key_id=credentials.access_key_id if credentials else "AKIAOWNER",
            aws_secret_access_key=credentials.secret_access_key if credentials else "owner",
            aws_session_token=credentials.session_token if credentials else None,
            region_name=REGION,
            endpoint_url=self.url,
        )

    def bucket(self, name: str, *keys: str) -> None:
        """A bucket that holds objects under ``keys``."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        for key in keys:
            s3.put_object(Bucket=name, Key=key, Body=b"x")

    def user(self, name: str, *actions: str) -> AwsCredentials:
        """A user who may do ``actions`` on everything, and the user's access key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=_policy(*actions))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return AwsCredentials(key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, name: str, trusted_user: str, *actions: str, external_id: str | None = None) -> str:
        """A role that ``trusted_user`` may assume, which may do ``actions`` on everything; its ARN."""
        principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{trusted_user}"}
        trust: dict[str, Any] = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
        if external_id:
            trust["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
        iam = self.client("iam")
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=_policy(*actions))
        return arn


def _policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@contextmanager
def running_server(folder: Path) -> Iterator[Aws]:
    """Starts the server on a free port, waits until it answers, and stops exactly it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "aws-server.log"
    with log.open("wb") as output:
        program = Path(__file__).with_name("aws_server.py")
        server = subprocess.Popen([sys.executable, program, str(port)], stdout=output, stderr=output)
    try:
        aws = Aws(f"http://127.0.0.1:{port}")
        for _ in range(300):
            try:
                aws.reset()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise RuntimeError(f"the AWS server did not start: {log.read_text()[-2000:]}")
        yield aws
    finally:
        server.terminate()
        server.wait(timeout=30)
