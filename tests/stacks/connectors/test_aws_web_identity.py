"""Workloads with a token of their platform's become the role of an AWS connector, without any key."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws import REGION, Aws
from small_server import Answer, Asked, serving

from stacks.connectors import create_connector
from stacks.credentials import AwsCredentials
from stacks.errors import CredentialsMissingError, CredentialsWrongError
from stacks.secrets import Secret
from stacks.secrets.base import no_secret
from stacks.state import ConnectorRecord

TOKEN = "canary-token-of-the-workload"
OTHER = "arn:aws:iam::123456789012:role/of-the-platform"


class Secrets:
    """None: a workload needs none."""

    def names(self) -> list[str]:
        return []

    def get(self, name: str) -> Secret:
        raise no_secret(name, [])


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the platform has laid down for the workload."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    return file


def mine(url: str, role: str) -> ConnectorRecord:
    """A connector with an external id, which a workload cannot say."""
    config = {"role_arn": role, "endpoint_url": url, "region": REGION, "external_id": "acme"}
    return ConnectorRecord("mine", "aws", "iam-role", None, None, config)


def credentials(record: ConnectorRecord) -> AwsCredentials:
    """For one prefix."""
    found = create_connector(record, Secrets()).credentials_for("s3://data/mine")
    assert isinstance(found, AwsCredentials)
    return found


def test_a_token_alone_gives_credentials_that_work(aws: Aws, token: Path) -> None:
    aws.bucket("data", "mine/a")
    role = aws.role("store-role", "nobody", "s3:GetObject")

    found = credentials(mine(aws.url, role))

    assert found.expires_at is not None
    assert aws.client("s3", found).get_object(Bucket="data", Key="mine/a")["Body"].read() == b"x"


_CODE = "<Code>InvalidIdentityToken</Code><Message>no</Message>"
REFUSED = Answer(
    400, f"<ErrorResponse><Error>{_CODE}</Error></ErrorResponse>".encode(), {"Content-Type": "text/xml"}
)
ROLE = "arn:aws:iam::123456789012:role/store-role"


def test_it_is_sent_unsigned_with_the_session_policy_and_no_external_id(token: Path) -> None:
    asked: list[Asked] = []

    def handle(request: Asked) -> Answer:
        asked.append(request)
        return REFUSED

    with serving(handle) as url, pytest.raises(CredentialsWrongError, match="workload's token") as caught:
        credentials(mine(url, ROLE))

    body = asked[0].body.decode()
    assert "Action=AssumeRoleWithWebIdentity" in body
    assert f"WebIdentityToken={TOKEN}&" in f"{body}&"
    assert "Policy=" in body
    assert "ExternalId" not in body
    assert "authorization" not in asked[0].headers
    assert "sts.amazonaws.com" in (caught.value.hint or "")
    assert TOKEN not in f"{caught.value!r} {caught.value.hint}"


def test_a_token_for_another_role_is_for_that_one(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a pod whose own role assumes ours: botocore fetches that role's credentials first."""
    asked: list[str] = []

    def handle(request: Asked) -> Answer:
        asked.append(request.body.decode())
        return REFUSED

    monkeypatch.setenv("AWS_ROLE_ARN", OTHER)
    with serving(handle) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        with pytest.raises(CredentialsWrongError):
            credentials(mine(url, ROLE))
    assert "of-the-platform" in asked[0]


def test_keys_of_the_environment_go_before_a_token(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def handle(request: Asked) -> Answer:
        asked.append(request.body.decode())
        return REFUSED

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient")
    with serving(handle) as url, pytest.raises(CredentialsWrongError):
        credentials(mine(url, ROLE))
    assert "Action=AssumeRole&" in asked[0]
    assert "ExternalId=acme" in asked[0]


def test_a_token_that_is_not_there_is_named(token: Path) -> None:
    token.unlink()
    with pytest.raises(CredentialsMissingError, match=str(token)) as caught:
        credentials(mine("http://127.0.0.1:9", ROLE))
    assert "unset the variable" in (caught.value.hint or "")
