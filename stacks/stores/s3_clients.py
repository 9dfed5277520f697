"""The two clients of an S3 store: botocore's, which can do everything, and obstore's, which is fast.

obstore's runtime does not survive a fork: a child's first request would hang for ever. So a process that was
forked from one that had obstore loaded uses botocore's client alone; and as sockets do not survive either,
every process makes clients of its own. botocore is also the one that knows endpoint, region and
credentials: what it resolved is what obstore is given.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - socket would load it with the first connection, in the middle of a fork
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import boto3
import botocore
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials

from stacks import forks
from stacks.credentials import AwsCredentials, CachedCredentials
from stacks.errors import CredentialsMissingError, MissingExtraError
from stacks.stores.s3_config import S3Settings
from stacks.stores.s3_wire import Wire

if TYPE_CHECKING:
    from obstore.store import S3Store

CONNECT_TIMEOUT = 10  # seconds
READ_TIMEOUT = 60  # seconds without a byte
ATTEMPTS = 5


def implicit_credentials(profile: str | None = None) -> AwsCredentials:
    """What the environment has, by botocore's rules: variables, files, SSO, roles, metadata services.

    Raises:
        CredentialsMissingError: it has none.
    """
    found = botocore.session.Session(profile=profile).get_credentials()
    if found is None:
        raise CredentialsMissingError(
            "no AWS credentials were found in variables, files or metadata services",
            hint="Run `aws configure`, set AWS_PROFILE, or give the store a connector or a secret.",
        )
    frozen = found.get_frozen_credentials()
    expires = getattr(found, "_expiry_time", None)
    return AwsCredentials(frozen.access_key or "", frozen.secret_key or "", frozen.token, expires)


class S3Clients:
    """The clients of one store in one process."""

    def __init__(
        self, bucket: str, settings: S3Settings, credentials: CachedCredentials[AwsCredentials]
    ) -> None:
        self.pid = os.getpid()
        self.credentials = credentials
        self.sdk: Any = _make_sdk(settings, credentials)
        members = self.sdk.meta.service_model.operation_model("CompleteMultipartUpload").input_shape.members
        self.completes_conditionally = {"IfMatch", "IfNoneMatch"} <= set(members)
        self.wire = _make_wire(settings, credentials)
        self.fast: S3Store | None = None
        self.fast_put: S3Store | None = None
        self.fast_copy: S3Store | None = None
        self.fast_options: dict[str, Any] = {"use_multipart": False}
        if settings.fast_reads and forks.obstore_is_usable():
            self.obstore = _import_obstore()
            self.fast = _make_fast(self.obstore, bucket, settings, self.sdk, credentials)
            classed = settings.additional.get("StorageClass")
            if settings.fast_writes and not classed:
                self.fast_put = self.fast_copy = self.fast
            elif settings.fast_writes and _says_classes(self.obstore):  # but not of a copy
                self.fast_put = self.fast
                self.fast_options["attributes"] = {"Storage-Class": classed}
            forks.keep_in_children(self)

    def additional_for(self, operation: str, additional: dict[str, Any]) -> dict[str, Any]:
        """Those of ``s3_additional_kwargs`` that an operation knows."""
        members = self.sdk.meta.service_model.operation_model(operation).input_shape.members
        return {name: value for name, value in additional.items() if name in members}


def _says_classes(obstore: Any) -> bool:
    """Whether it knows the attribute Storage-Class; earlier ones took it for the name of some metadata."""
    return tuple(int(number) for number in re.findall(r"\d+", obstore.__version__)[:2]) >= (0, 12)


def _import_obstore() -> Any:
    try:
        import obstore
    except ImportError as error:
        raise MissingExtraError(
            "the S3 artifact store needs the package obstore",
            hint="pip install 'stack-provisioner[s3]'",
            extra="s3",
        ) from error
    return obstore


class _LiveCredentials(Credentials):
    """botocore asks at every request; whoever has the newest answers."""

    def __init__(self, current: CachedCredentials[AwsCredentials]) -> None:
        self._current = current
        self.method = "stacks"

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        now = self._current()
        return ReadOnlyCredentials(now.access_key_id, now.secret_access_key, now.session_token)


class _LiveProvider(CredentialProvider):
    METHOD = "stacks"
    CANONICAL_NAME = "stacks"

    def __init__(self, credentials: CachedCredentials[AwsCredentials]) -> None:
        super().__init__()
        self._current = credentials

    def load(self) -> _LiveCredentials:
        return _LiveCredentials(self._current)


def _make_sdk(settings: S3Settings, credentials: CachedCredentials[AwsCredentials]) -> Any:
    session = botocore.session.Session()
    session.register_component("credential_provider", CredentialResolver([_LiveProvider(credentials)]))
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
        "max_pool_connections": 64,
        "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
        "tcp_keepalive": True,
        **_known_options(request_checksum_calculation="when_required"),
        **_known_options(response_checksum_validation="when_required"),
        **settings.config,
    }
    if settings.unsigned:
        options["signature_version"] = botocore.UNSIGNED
    arguments = {"config": Config(**options), **settings.client}
    # Any: the users' settings pass through to every call, which no typed signature can follow.
    client: Any = boto3.Session(botocore_session=session).client("s3", **arguments)
    return client


def _make_wire(settings: S3Settings, credentials: CachedCredentials[AwsCredentials]) -> Wire | None:
    """None where the way is not straight: proxies, or what only the full client mirrors."""
    if not settings.fast_reads or settings.unsigned or any(getproxies().get(s) for s in ("http", "https")):
        return None
    pinned = S3Settings(settings.client, {**settings.config, "signature_version": "s3v4"})
    timeout = float(settings.config.get("read_timeout", READ_TIMEOUT))
    return Wire(_make_sdk(pinned, credentials), settings.client.get("verify"), timeout)


def _known_options(**options: str) -> dict[str, str]:
    """Without those that this botocore lacks; newer ones add checksums that many services refuse."""
    return {name: value for name, value in options.items() if name in Config.OPTION_DEFAULTS}


def _make_fast(
    obstore: Any,
    bucket: str,
    settings: S3Settings,
    sdk: Any,
    credentials: CachedCredentials[AwsCredentials],
) -> S3Store:
    def provide() -> dict[str, Any]:
        now = credentials()
        return {
            "access_key_id": now.access_key_id,
            "secret_access_key": now.secret_access_key,
            "token": now.session_token,
            "expires_at": now.expires_at,
        }

    endpoint = sdk.meta.endpoint_url
    secure = endpoint.startswith("https://")
    retries = settings.config.get("retries") or {}
    attempts = retries.get("total_max_attempts") or retries.get("max_attempts", ATTEMPTS - 1) + 1
    options: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=settings.config.get("connect_timeout", CONNECT_TIMEOUT)),
        "read_timeout": timedelta(seconds=settings.config.get("read_timeout", READ_TIMEOUT)),
        "timeout": timedelta(hours=1),  # of a whole request; a line that stands still ends with read_timeout
        "allow_http": not secure,
    }
    verify = settings.client.get("verify")
    if verify is False:
        options["allow_invalid_certificates"] = True
    elif isinstance(verify, str):
        with open(verify, "rb") as file:  # noqa: PTH123 - a path as botocore takes it
            options["root_certificate"] = file.read()
    arguments: dict[str, Any] = {} if settings.unsigned else {"credential_provider": provide}
    store: S3Store = obstore.store.S3Store(
        bucket,
        config={**_address(bucket, settings, sdk), **_encryption(settings), "unsigned_payload": secure},
        client_options=options,
        retry_config={
            "max_retries": attempts - 1,
            "retry_timeout": timedelta(minutes=2),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
        },
        **arguments,
    )
    return store


def _address(bucket: str, settings: S3Settings, sdk: Any) -> dict[str, Any]:
    """Endpoint, region and style of address, all as botocore decided them."""
    endpoint = sdk.meta.endpoint_url
    style = (settings.config.get("s3") or {}).get("addressing_style", "auto")
    amazon = (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
    virtual = style == "virtual" or (style == "auto" and amazon and "." not in bucket)
    if virtual:
        scheme, _, host = endpoint.partition("://")
        endpoint = f"{scheme}://{bucket}.{host}"
    region = _bucket_region(bucket, sdk) if amazon and "region_name" not in settings.client else None
    found: dict[str, Any] = {
        "endpoint": endpoint,
        "region": region or sdk.meta.region_name or "us-east-1",
        "virtual_hosted_style_request": virtual,
    }
    if settings.unsigned:
        found["skip_signature"] = True
    return found


def _bucket_region(bucket: str, sdk: Any) -> str | None:
    """Where Amazon keeps the bucket: botocore follows its redirects, obstore does not."""
    from botocore.exceptions import ClientError

    try:
        response: Any = sdk.head_bucket(Bucket=bucket)
    except ClientError as error:
        response = error.response  # a refusal names the region too
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region: str | None = headers.get("x-amz-bucket-region")
    return region


def _encryption(settings: S3Settings) -> dict[str, Any]:
    names = {
        "ServerSideEncryption": "server_side_encryption",
        "SSEKMSKeyId": "sse_kms_key_id",
        "BucketKeyEnabled": "sse_bucket_key_enabled",
    }
    additional = settings.additional if settings.fast_writes else {}
    return {names[name]: value for name, value in additional.items() if name in names}
