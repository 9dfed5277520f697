"""Secrets in AWS Secrets Manager: ``STACKS_SECRET_STORE=aws-secrets-manager://REGION``.

The credentials are those that the environment has (``AWS_PROFILE``, a role, …), and so is the endpoint
(``AWS_ENDPOINT_URL_SECRETS_MANAGER``). Deleted secrets can be recovered for 30 days, and are when one of the
same name is stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from stacks.errors import (
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    MissingExtraError,
    SecretError,
    SecretLockedError,
)
from stacks.secrets.cloud import PREFIX, CloudSecretStore, NameTakenError
from stacks.stores.cached_client import ClientOfProcess

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    }
)


class AwsSecretsManagerStore(CloudSecretStore):
    """Secrets of one account and region; an empty ``place`` is the environment's own region."""

    SCHEME: ClassVar[str] = "aws-secrets-manager"
    SERVICE: ClassVar[str] = "AWS Secrets Manager"
    LONGEST_NAME: ClassVar[int] = 512
    LARGEST: ClassVar[int] = 65_536

    def __init__(self, place: str, prefix: str = PREFIX) -> None:
        super().__init__(place, prefix)
        self._made = ClientOfProcess(self._make_client, lambda: None)

    def _identifier(self, name: str) -> str:
        return f"{self.prefix}/{name}"  # every sign of ours is allowed, so the name stays readable

    def _ours(self, identifier: str) -> str | None:
        start = f"{self.prefix}/"
        return identifier.removeprefix(start) if identifier.startswith(start) else None

    def _list(self) -> list[str]:
        with _translated("secretsmanager:ListSecrets"):
            pages = self._client().get_paginator("list_secrets")
            filters = [{"Key": "name", "Values": [f"{self.prefix}/"]}]
            return [
                str(one["Name"]) for page in pages.paginate(Filters=filters) for one in page["SecretList"]
            ]

    def _read(self, identifier: str) -> str | None:
        with _translated("secretsmanager:GetSecretValue"):
            client = self._client()
            try:
                return str(client.get_secret_value(SecretId=identifier).get("SecretString", ""))
            except (client.exceptions.ResourceNotFoundException, client.exceptions.InvalidRequestException):
                return None  # invalid: it is scheduled for deletion

    def _create(self, identifier: str, text: str) -> None:
        with _translated("secretsmanager:CreateSecret"):
            client = self._client()
            try:
                client.create_secret(Name=identifier, SecretString=text)
            except client.exceptions.ResourceExistsException:
                if self._read(identifier) is not None:
                    raise NameTakenError from None
                self._recover(identifier, text)
            except client.exceptions.InvalidRequestException:
                self._recover(identifier, text)

    def _recover(self, identifier: str, text: str) -> None:
        # The service lets no other secret of that name be made as long as the old one can be recovered.
        self._client().restore_secret(SecretId=identifier)
        self._client().put_secret_value(SecretId=identifier, SecretString=text)

    def _replace(self, identifier: str, text: str) -> None:
        with _translated("secretsmanager:PutSecretValue"):
            if self._read(identifier) is None:
                self._create(identifier, text)
            else:
                self._client().put_secret_value(SecretId=identifier, SecretString=text)

    def _remove(self, identifier: str) -> bool:
        with _translated("secretsmanager:DeleteSecret"):
            there = self._read(identifier) is not None
            if there:
                self._client().delete_secret(SecretId=identifier)
            return there

    def _client(self) -> Any:
        return self._made.get()

    def _make_client(self, _: None) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}
        )
        # botocore itself knows only AWS_DEFAULT_REGION; every other SDK of AWS reads AWS_REGION.
        session = boto3.Session(region_name=self.place or os.environ.get("AWS_REGION") or None)
        return session.client("secretsmanager", config=config)


@contextmanager
def _translated(action: str) -> Iterator[None]:
    """Says what botocore raises within as errors of this library."""
    try:
        from botocore import exceptions
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "AWS Secrets Manager needs boto3, which is not installed",
            hint="pip install 'stack-provisioner[s3]'",
            extra="s3",
        ) from error
    try:
        yield
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise CredentialsMissingError(
            "there are no AWS credentials for AWS Secrets Manager",
            hint="run `aws configure` or `aws sso login`, or set AWS_PROFILE",
        ) from error
    except exceptions.NoRegionError as error:
        raise SecretError(
            "AWS Secrets Manager needs a region",
            hint="STACKS_SECRET_STORE=aws-secrets-manager://eu-west-1, or set AWS_REGION",
        ) from error
    except exceptions.ClientError as error:
        raise _from_answer(str(error.response.get("Error", {}).get("Code", "")), action) from error
    except exceptions.BotoCoreError as error:
        raise SecretError(
            f"AWS Secrets Manager is not reached ({type(error).__name__})",
            hint="check the region, the network and AWS_ENDPOINT_URL_SECRETS_MANAGER",
        ) from error


def _from_answer(code: str, action: str) -> Exception:
    if code in _EXPIRED:
        return CredentialsExpiredError(
            "the AWS credentials for AWS Secrets Manager have expired", hint="run `aws sso login`"
        )
    if code in _UNKNOWN:
        return CredentialsWrongError(
            f"AWS does not take the credentials for AWS Secrets Manager ({code})",
            hint="check AWS_PROFILE and the key: aws sts get-caller-identity",
        )
    if code in {"AccessDeniedException", "AccessDenied", "403"}:
        return SecretLockedError(
            f"{action} is refused",
            hint=f"allow {action} on arn:aws:secretsmanager:REGION:ACCOUNT:secret:stacks/*",
        )
    return SecretError(
        f"{action} failed with {code or 'no code'}", hint="try again; check the secret's KMS key"
    )
