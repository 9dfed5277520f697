"""Service connectors for AWS and S3-compatible services: short-lived credentials from STS."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stacks.connectors.aws_errors import translated
from stacks.connectors.aws_policy import Bucket, narrowest, session_policy
from stacks.connectors.base import Access, AuthMethod, Connector, ConnectorType, whole_number
from stacks.credentials import AwsCredentials
from stacks.errors import ConnectorScopeError, CredentialsMissingError, InvalidValueError
from stacks.secrets.base import SecretReader
from stacks.state.records import ConnectorRecord

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

_PLACE = frozenset({"region", "endpoint_url", "access", "kms_key_arn"})
_LIFE = frozenset({"session_seconds", "expiration_seconds", "expires_skew_tolerance"})
_KEY = frozenset({"aws_access_key_id", "aws_secret_access_key"})
_TOKEN = frozenset({"aws_session_token"})

TYPE = ConnectorType(
    name="aws",
    title="AWS and S3-compatible services",
    resource_types=("s3-bucket", "aws-generic"),
    schemes=frozenset({"s3://"}),
    extra="s3",
    auth_methods=(
        AuthMethod(
            "implicit",
            "the credentials that the environment has: variables, profiles, the machine's own role",
            optional=_PLACE | _LIFE | {"profile_name"},
        ),
        AuthMethod(
            "secret-key",
            "a long-lived access key, handed on as it is",
            required=_KEY,
            optional=_PLACE | _LIFE,  # a manifest names them for whatever method; a key does not end
            secrets=_KEY,
            temporary=False,
        ),
        AuthMethod(
            "sts-token",
            "temporary credentials that somebody else fetched",
            required=_KEY | _TOKEN,
            optional=_PLACE | _LIFE | {"expires_at"},
            secrets=_KEY | _TOKEN,
        ),
        AuthMethod(
            "iam-role",
            "credentials for a role, limited to the bucket and prefix; assumed with an access key if there "
            "is one, else with what the environment has",
            required=frozenset({"role_arn"}),
            optional=_PLACE | _LIFE | _KEY | _TOKEN | {"external_id", "profile_name"},
            secrets=_KEY | _TOKEN,
            scoped=True,
        ),
        AuthMethod(
            "session-token",
            "temporary credentials with all rights of an access key",
            required=_KEY,
            optional=_PLACE | _LIFE,
            secrets=_KEY,
        ),
        AuthMethod(
            "federation-token",
            "temporary credentials with those rights of an access key that the bucket and prefix need",
            required=_KEY,
            optional=_PLACE | _LIFE,
            secrets=_KEY,
            scoped=True,
        ),
    ),
)

_ROLE = re.compile(r"arn:[a-z0-9-]+:iam::[A-Za-z0-9_-]*:role/[\w+=,.@/-]+", re.ASCII)
_DEFAULT_REGION = "us-east-1"  # what S3-compatible services, which have no regions, are called with


class AwsConnector(Connector):
    """Grants credentials for a bucket and prefix, by the auth method of its record."""

    TYPE = TYPE

    def __init__(self, record: ConnectorRecord, secrets: SecretReader) -> None:
        super().__init__(record, secrets)
        self._granted = Bucket.parse(record.resource_id) if record.resource_id else None
        role = self._config.get("role_arn")
        if role is not None and not _ROLE.fullmatch(str(role)):
            raise InvalidValueError(
                f"service connector {record.name!r}: {role!r} is not the ARN of a role",
                hint="write it as arn:aws:iam::123456789012:role/NAME",
            )

    @classmethod
    def check_covers(cls, record: ConnectorRecord, resource_id: str) -> None:
        """Raises ConnectorScopeError when the record's own bucket does not contain ``resource_id``."""
        granted = Bucket.parse(record.resource_id) if record.resource_id else None
        narrowest(granted, Bucket.parse(resource_id), record.name)

    def store_settings(self) -> dict[str, Any]:
        """The endpoint and region, for a store that names none itself."""
        place = {"endpoint_url": self._endpoint, "region_name": self._config.get("region")}
        found = {key: value for key, value in place.items() if value}
        return {"client_kwargs": found} if found else {}

    def credentials_for(self, resource_id: str | None = None, access: Access | None = None) -> AwsCredentials:
        """Credentials for ``s3://bucket[/prefix]``; see Connector."""
        asked = Bucket.parse(resource_id) if resource_id else None
        bucket = narrowest(self._granted, asked, self.record.name)
        if access == "read-write" and self.access == "read-only":
            raise ConnectorScopeError(
                f"service connector {self.record.name!r} grants reading only",
                hint="connect one with read-write access",
            )
        with translated(self.record, self._endpoint):
            return _METHODS[self.record.auth_method](self, bucket, access or self.access)

    def verify(self, resource_id: str | None = None) -> list[str]:
        """Lists the resource with the very credentials that a store would get."""
        credentials = self.credentials_for(resource_id)
        asked = Bucket.parse(resource_id) if resource_id else self._granted
        if asked is None:
            return self.list_resources()
        with translated(self.record, self._endpoint, asked):
            prefix = f"{asked.prefix}/" if asked.prefix else ""
            self._s3(credentials).list_objects_v2(Bucket=asked.name, Prefix=prefix, MaxKeys=1)
        return [str(asked)]

    def list_resources(self) -> list[str]:
        """The connector's own resource, or else every bucket that its credentials may list."""
        if self._granted is not None:
            return [str(self._granted)]
        credentials = self.credentials_for()
        with translated(self.record, self._endpoint):
            buckets = self._s3(credentials).list_buckets()["Buckets"]
        return sorted(f"s3://{bucket['Name']}" for bucket in buckets)

    # -- the auth methods

    def _implicit(self, _bucket: Bucket | None, _access: Access) -> AwsCredentials:
        found = self._session().get_credentials()
        if found is None:
            raise CredentialsMissingError(
                f"service connector {self.record.name!r} uses the environment's AWS credentials, and there "
                "are none",
                hint="run `aws configure` or `aws sso login`, set AWS_PROFILE, or use another auth method",
            )
        frozen = found.get_frozen_credentials()
        # botocore keeps the time under a private name only; credentials of a profile's keys have none.
        expires_at: datetime | None = getattr(found, "_expiry_time", None)
        return AwsCredentials(
            str(frozen.access_key), str(frozen.secret_key), frozen.token, self._expiry(expires_at)
        )

    def _static(self, _bucket: Bucket | None, _access: Access) -> AwsCredentials:
        return AwsCredentials(
            self._config["aws_access_key_id"],
            self._config["aws_secret_access_key"],
            self._config.get("aws_session_token"),
            self._expiry(),
        )

    def _iam_role(self, bucket: Bucket | None, access: Access) -> AwsCredentials:
        request: dict[str, Any] = {
            "RoleArn": self._config["role_arn"],
            "RoleSessionName": self._session_name(64),
            "DurationSeconds": self._seconds(43_200),
        }
        if bucket is not None:
            request["Policy"] = self._policy(bucket, access)
        token = self._workload_token()
        if token is not None:
            asked = self._unsigned_sts().assume_role_with_web_identity(**request, WebIdentityToken=token)
            return self._issued(asked["Credentials"])
        if self._config.get("external_id"):
            request["ExternalId"] = self._config["external_id"]
        return self._issued(self._sts().assume_role(**request)["Credentials"])

    def _session_token(self, _bucket: Bucket | None, _access: Access) -> AwsCredentials:
        return self._issued(
            self._sts().get_session_token(DurationSeconds=self._seconds(129_600))["Credentials"]
        )

    def _federation_token(self, bucket: Bucket | None, access: Access) -> AwsCredentials:
        if bucket is None:
            raise ConnectorScopeError(
                f"service connector {self.record.name!r}: a federation token is for one bucket",
                hint="name it: --resource-id s3://bucket",
            )
        answer = self._sts().get_federation_token(
            Name=self._session_name(32),
            DurationSeconds=self._seconds(129_600),
            Policy=self._policy(bucket, access),
        )
        return self._issued(answer["Credentials"])

    # -- what they are made of

    @property
    def _endpoint(self) -> str | None:
        endpoint: str | None = self._config.get("endpoint_url")
        return endpoint

    @property
    def _region(self) -> str:
        return str(self._config.get("region") or _DEFAULT_REGION)

    def _session(self) -> boto3.Session:
        """The session that holds the connector's own credentials: its key's, else the environment's."""
        import boto3

        if self._config.get("aws_access_key_id"):
            return _session_of(
                self._config["aws_access_key_id"],
                self._config.get("aws_secret_access_key"),
                self._config.get("aws_session_token"),
                region=self._region,
            )
        return boto3.Session(profile_name=self._config.get("profile_name"), region_name=self._region)

    def _workload_token(self) -> str | None:
        """The token of a workload that is to become this very role; None for who has other credentials.

        As botocore does, keys and profiles go first. Where the token is for another role, that one assumes
        ours.
        """
        file = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        given = self._config.get("aws_access_key_id") or self._config.get("profile_name")
        first = given or os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("AWS_PROFILE")
        role = os.environ.get("AWS_ROLE_ARN") or self._config["role_arn"]
        if not file or first or role != self._config["role_arn"]:
            return None
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CredentialsMissingError(
                f"service connector {self.record.name!r}: the token that AWS_WEB_IDENTITY_TOKEN_FILE names "
                f"cannot be read: {error}",
                hint="have the platform write it again, or unset the variable to use other credentials",
            ) from error

    def _unsigned_sts(self) -> STSClient:
        """For a request whose proof is a token."""
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        unsigned = _client_config().merge(Config(signature_version=UNSIGNED))
        return boto3.Session(region_name=self._region).client(
            "sts", endpoint_url=self._endpoint, config=unsigned
        )

    def _sts(self) -> STSClient:
        session = self._session()
        if session.get_credentials() is None:
            raise CredentialsMissingError(
                f"service connector {self.record.name!r} has no AWS credentials to ask STS with",
                hint="run `aws configure` or `aws sso login`, set AWS_PROFILE, or give it an access key "
                "through a secret",
            )
        return session.client("sts", endpoint_url=self._endpoint, config=_client_config())

    def _s3(self, credentials: AwsCredentials) -> S3Client:
        keys = (credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
        session = _session_of(*keys, region=self._region)
        return session.client("s3", endpoint_url=self._endpoint, config=_client_config())

    def _issued(self, answer: CredentialsTypeDef) -> AwsCredentials:
        return AwsCredentials(
            answer["AccessKeyId"],
            answer["SecretAccessKey"],
            answer["SessionToken"],
            self._expiry(answer["Expiration"]),
        )

    def _seconds(self, highest: int) -> int:
        field = "session_seconds" if "session_seconds" in self._config else "expiration_seconds"
        return whole_number(self._config, field, 3600, 900, highest)

    def _session_name(self, longest: int) -> str:
        return re.sub(r"[^\w+=,.@-]", "-", f"stacks-{self.record.name}", flags=re.ASCII)[:longest]

    def _policy(self, bucket: Bucket, access: Access) -> str:
        given = self._config.get("kms_key_arn") or ()
        keys = (given,) if isinstance(given, str) else tuple(given)
        return session_policy(
            bucket, access, partition=self._partition(), keys=keys, any_key=self._endpoint is None
        )

    def _partition(self) -> str:
        role = str(self._config.get("role_arn", ""))
        if role.startswith("arn:") and role.split(":")[1]:
            return role.split(":")[1]
        parts = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((name for start, name in parts.items() if self._region.startswith(start)), "aws")


def _session_of(key: str, secret: str | None, token: str | None, *, region: str) -> boto3.Session:
    """A session of these keys alone: no profile may speak along, and a missing one must not matter."""
    import boto3
    from botocore.session import Session

    bare = Session(session_vars={"profile": (None, None, None, None)})
    return boto3.Session(key, secret, token, region_name=region, botocore_session=bare)


def _client_config() -> Any:
    from botocore.config import Config

    return Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})


_METHODS: Mapping[str, Callable[[AwsConnector, Bucket | None, Access], AwsCredentials]] = MappingProxyType(
    {
        "implicit": AwsConnector._implicit,  # noqa: SLF001 - a table of this file's own methods
        "secret-key": AwsConnector._static,  # noqa: SLF001 - as above
        "sts-token": AwsConnector._static,  # noqa: SLF001 - as above
        "iam-role": AwsConnector._iam_role,  # noqa: SLF001 - as above
        "session-token": AwsConnector._session_token,  # noqa: SLF001 - as above
        "federation-token": AwsConnector._federation_token,  # noqa: SLF001 - as above
    }
)
