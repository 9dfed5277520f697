"""A workload of another platform uses a store on AWS with a token alone: no key is anywhere."""

from __future__ import annotations

import subprocess
import sys

import pytest
from emulator import ACCOUNT, REGION, Emulator
from world import World

ISSUER = "token.actions.githubusercontent.com"
SUBJECT = "repo:acme/ml:environment:prod"
PROGRAM = """
from stacks import Client
store = Client().active_stack.artifact_store
with store.open(f"{store.path}/model.bin", "wb") as stream:
    stream.write(b"weights")
print(store.listdir(store.path))
"""


@pytest.mark.slow
def test_a_workload_with_a_token_uses_the_store(aws: World, cloud: Emulator) -> None:
    if "shared-data" not in cloud.buckets():
        cloud.bucket("shared-data")
    trusted = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}#{SUBJECT}"
    manifest = aws.manifest(
        provider="aws",
        region=REGION,
        endpoint_url=cloud.url,
        artifact_stores=[
            {"name": "main", "bucket": "shared-data", "prefix": "ml", "existing": True, "connector": "ci"}
        ],
        connectors=[{"name": "ci", "trusted_principals": [trusted]}],
    )

    planned = aws.provision("plan", manifest)
    aws.provision("apply", manifest, "-y", "--no-verify")

    assert f"{ISSUER}#{SUBJECT}" in planned.out
    (name,) = cloud.roles()
    role = cloud.client("iam").get_role(RoleName=name)["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {"Federated": trusted.partition("#")[0]}
    assert statement["Condition"] == {
        "StringEquals": {f"{ISSUER}:sub": SUBJECT, f"{ISSUER}:aud": "sts.amazonaws.com"}
    }
    assert "No changes" in aws.provision("plan", manifest).out
    assert "No drift" in aws.provision("drift", manifest, "--fast").out

    token = aws.folder / "token"
    token.write_text("the-platforms-token")
    keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    environment = {name: value for name, value in aws.environment.items() if name not in keys}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**environment, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "['model.bin']\n"
    aws.provision("destroy", "demo", "-y")
    assert cloud.roles() == []
