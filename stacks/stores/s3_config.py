"""The settings of an S3 store: what botocore takes as it stands, and how much of it the fast client mirrors.

The settings are botocore's (``client_kwargs``, ``config_kwargs``, ``s3_additional_kwargs``), and botocore's
client always gets all of them. The fast client is used only as far as it does exactly the same: a setting
that it cannot mirror costs speed, never meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stacks.errors import StoreConfigError

ODD_FOR_OBSTORE = re.compile(r"[\x00-\x1f\x7f]|/$")
"""What in a key the fast client refuses, or leaves out."""

_KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "aws_session_token": "token"}
_CLIENT_MIRRORED = {"endpoint_url", "region_name", "verify", "use_ssl", *_KEYS}
_CONFIG_MIRRORED = {"connect_timeout", "read_timeout", "retries", "s3", "signature_version"}
_CONFIG_HARMLESS = {"max_pool_connections", "parameter_validation", "tcp_keepalive", "user_agent_extra"}
_CONFIG_HARMLESS |= {"request_checksum_calculation", "response_checksum_validation", "user_agent"}
_WRITE_MIRRORED = {"ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "StorageClass"}


@dataclass(frozen=True, slots=True)
class S3Settings:
    """What a store's configuration says, checked; the secret parts are kept apart from the rest."""

    client: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    additional: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, str, str | None] | None = field(default=None, repr=False)

    def as_config(self) -> dict[str, Any]:
        """The store's configuration again, with every secret under a key of its own."""
        found = {
            "client_kwargs": dict(self.client),
            "config_kwargs": dict(self.config),
            "s3_additional_kwargs": dict(self.additional),
            **dict(zip(_KEYS.values(), self.keys or (), strict=False)),
        }
        return {name: value for name, value in found.items() if value}

    @property
    def unsigned(self) -> bool:
        """Whether requests go without a signature, for public buckets."""
        return self.config.get("signature_version") == "unsigned"

    @property
    def fast_reads(self) -> bool:
        """Whether the fast client does for reads what botocore would."""
        return (
            set(self.client) <= _CLIENT_MIRRORED
            and set(self.config) <= _CONFIG_MIRRORED | _CONFIG_HARMLESS
            and self.config.get("signature_version") in {None, "s3v4", "unsigned"}
            and set(self.config.get("s3") or {}) <= {"addressing_style", "payload_signing_enabled"}
            and not any(name.startswith("SSECustomer") or name == "RequestPayer" for name in self.additional)
        )

    @property
    def fast_writes(self) -> bool:
        """The same for writes."""
        return self.fast_reads and set(self.additional) <= _WRITE_MIRRORED


def parse_settings(config: Mapping[str, Any], store: str | None) -> S3Settings:
    """The settings in a store's configuration.

    Raises:
        StoreConfigError: JSON that does not parse, half a key pair, or keys given twice.
    """
    client = _mapping(config, "client_kwargs", store)
    keys = {name: client.pop(name, None) for name in _KEYS}
    for name, short in _KEYS.items():
        if keys[name] and config.get(short):
            raise StoreConfigError(f"both {short} and client_kwargs.{name} are set", store=store)
        keys[name] = keys[name] or config.get(short)
    key, secret, token = keys.values()
    if bool(key) != bool(secret) or (token and not key):
        raise StoreConfigError(
            "an access key needs both its id and its secret",
            hint="Set key and secret (and token, for temporary ones), or none of them.",
            store=store,
        )
    return S3Settings(
        client=client,
        config=_mapping(config, "config_kwargs", store),
        additional=_mapping(config, "s3_additional_kwargs", store),
        keys=(str(key), str(secret), str(token) if token else None) if key else None,
    )


def _mapping(config: Mapping[str, Any], name: str, store: str | None) -> dict[str, Any]:
    """A setting that is a mapping, or JSON text of one, as a command line gives it."""
    value = config.get(name) or {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise StoreConfigError(
                f"{name} is not JSON: {error}",
                hint=f'For example: {name}=\'{{"region_name": "eu-central-1"}}\'',
                store=store,
            ) from error
    if not isinstance(value, Mapping):
        raise StoreConfigError(f"{name} is a mapping, not {type(value).__name__}", store=store)
    return dict(value)
