"""The access keys of an IAM user, rotated by the user itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stacks.connectors import create_connector
from stacks.connectors.aws_errors import sdk_installed, translated
from stacks.errors import ConnectorError, CredentialsError
from stacks.secrets.base import SecretReader
from stacks.state.records import ConnectorRecord

_FIELDS = ("aws_access_key_id", "aws_secret_access_key")
_SETTLE_SECONDS = 60.0  # IAM is eventually consistent: a new key works after some seconds
_PAUSE_SECONDS = 1.0
_REFUSED = frozenset({"AccessDenied", "AccessDeniedException"})


def fields(_record: ConnectorRecord) -> tuple[str, ...]:
    """The parts of a key, in the connector's own fields."""
    return _FIELDS


def rotator(record: ConnectorRecord, secrets: SecretReader, key: Mapping[str, str]) -> AccessKeys:
    """The access keys of the user whose ``key`` it is."""
    settings = create_connector(record, secrets).store_settings().get("client_kwargs", {})
    return AccessKeys(record, key, settings.get("endpoint_url"), settings.get("region_name"))


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """See stacks.connectors.rotation.Rotator."""

    record: ConnectorRecord
    key: Mapping[str, str] = field(repr=False)
    endpoint: str | None
    region: str | None

    def identify(self, key: Mapping[str, str]) -> str:
        """The access key's id."""
        return key[_FIELDS[0]]

    def create(self) -> Mapping[str, str]:
        """A second access key of the same user."""
        made = self._ask("CreateAccessKey", lambda iam: iam.create_access_key())["AccessKey"]
        return dict(zip(_FIELDS, (made["AccessKeyId"], made["SecretAccessKey"]), strict=True))

    def prove(self, key: Mapping[str, str]) -> None:
        """Asks who the key belongs to, which every key may, until there is an answer."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            try:
                with translated(self.record, self.endpoint):
                    self._client("sts", key).get_caller_identity()
            except CredentialsError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def forget(self, key: Mapping[str, str]) -> None:
        """Deletes that access key."""
        self._ask("DeleteAccessKey", lambda iam: iam.delete_access_key(AccessKeyId=self.identify(key)))

    def _ask(self, operation: str, call: Any) -> Any:
        with sdk_installed():
            from botocore.exceptions import ClientError
        with translated(self.record, self.endpoint):
            try:
                return call(self._client("iam", self.key))
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                who = f"service connector {self.record.name!r}"
                if code in _REFUSED:
                    raise ConnectorError(
                        f"{who}: its key may not iam:{operation}",
                        hint="allow the user iam:CreateAccessKey and iam:DeleteAccessKey on itself; or make "
                        "a key yourself, and give it to: provision service-connector update",
                    ) from error
                if code == "LimitExceeded":
                    raise ConnectorError(
                        f"{who}: its user has two access keys already, and may have no third",
                        hint="delete the one that is not in use, then rotate again",
                    ) from error
                raise

    def _client(self, service: str, key: Mapping[str, str]) -> Any:
        with sdk_installed():
            import boto3
        session = boto3.Session(key[_FIELDS[0]], key[_FIELDS[1]], region_name=self.region or "us-east-1")
        return session.client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload] # named by data
