"""What an S3 service, botocore or the fast client says, as this library's errors.

Both clients are read for the same two facts, the HTTP status and the service's own code, and one table
decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stacks.errors import (
    BucketNotFoundError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    ObjectChangedError,
    StacksError,
    StoreConfigError,
    StoreError,
    StoreNetworkError,
    StorePermissionError,
    StoreServiceError,
)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
_WRONG = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "InvalidClientTokenId",
    "AuthFailure",
}
_NO_BUCKET = {"NoSuchBucket"}
_NO_KEY = {"NoSuchKey", "NotFound", "404", "NoSuchVersion"}
_BUSY = {"SlowDown", "ServiceUnavailable", "InternalError", "Throttling", "TooManyRequests", "RequestTimeout"}
_OFFLINE = (
    "error sending request",
    "error decoding response body",
    "HTTP error",
    "timed out",
    "connection",
    "dns error",
)
# botocore's own failures, by name: the class is not imported just to be compared with.
_BOTO_NETWORK = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "HTTPClientError",
    "SSLError",
    "ProxyConnectionError",
    "ResponseStreamingError",
    "IncompleteReadError",
    "ProtocolError",
    "IncompleteRead",
}
_BOTO_CONFIG = {
    "ParamValidationError",
    "InvalidConfigError",
    "ProfileNotFound",
    "UnknownSignatureVersionError",
}


class NonsenseError(Exception):
    """An answer that no S3 service gives, whatever its status says."""


class RefusedKeyError(Exception):
    """One key of a batch that the service did not delete, shaped like botocore's own error."""

    def __init__(self, failure: Mapping[str, Any]) -> None:
        super().__init__(str(failure.get("Message", "")))
        code = str(failure.get("Code", ""))
        status = 403 if code == "AccessDenied" else 500
        self.response = {"Error": dict(failure), "ResponseMetadata": {"HTTPStatusCode": status}}


@dataclass(frozen=True, slots=True)
class Fault:
    """The two facts about a failure, and its first line for people."""

    kind: str
    status: int = 0
    code: str = ""
    text: str = ""

    @property
    def expired(self) -> bool:
        """Whether new credentials may help. A failed HEAD has no code: 400 is all that it says."""
        return self.code in EXPIRED or (self.status == 400 and not self.code)

    @property
    def missing(self) -> bool:
        """Whether the object is not there (or its bucket)."""
        return self.status == 404 or self.code in _NO_KEY | _NO_BUCKET

    @property
    def network(self) -> bool:
        """Whether the line broke, so that the same request may succeed."""
        return not self.status and self.kind == "network"


def read_fault(error: BaseException) -> Fault:
    """The facts in an exception of botocore's or the fast client's."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore.exceptions.ClientError
        details = response.get("Error", {})
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
        code = str(details.get("Code", ""))
        # A failed HEAD has its status for a code, and its phrase for a message.
        return Fault("service", status, "" if code.isdigit() else code, str(details.get("Message", "")))
    if isinstance(error, NonsenseError):
        return Fault("nonsense", text=str(error))
    name = type(error).__name__
    whole = str(error)
    text = whole.partition("\n\nDebug source:")[0]
    if name in _BOTO_NETWORK:
        return Fault("network", text=text)
    if name in _BOTO_CONFIG or isinstance(error, TypeError):
        return Fault("config", text=text)
    if name in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}:
        return Fault("credentials", text=text)
    status_match, code_match, message = _STATUS.search(text), _CODE.search(text), _MESSAGE.search(text)
    if status_match or code_match:
        return Fault(
            "service",
            int(status_match.group(1)) if status_match else 0,
            code_match.group(1) if code_match else "",
            message.group(1) if message else text.split(": ")[-1].strip()[:200],
        )
    network = any(sign in text for sign in _OFFLINE)
    return Fault("network" if network else "other", text=text[:300])


def is_foreign(error: BaseException) -> bool:
    """Whether an exception comes from one of the two clients."""
    modules = ("botocore", "boto3", "s3transfer", "obstore", "urllib3", "pyo3")
    if isinstance(error, RefusedKeyError | NonsenseError):
        return True
    return type(error).__module__.split(".")[0] in modules or "\n\nDebug source:" in str(error)


def knows_no_conditions(error: BaseException) -> bool:
    """Whether the service has no conditional request of that kind, and did nothing."""
    return is_foreign(error) and read_fault(error).status == 501


def was_repeated(error: BaseException) -> bool:
    """Whether botocore sent the request more than once: the first one may have been carried out."""
    response = getattr(error, "response", None) or {}
    return bool(response.get("ResponseMetadata", {}).get("RetryAttempts"))


def met_itself(error: BaseException) -> bool:
    """Whether a conditional request may have failed because of what it did when it was first sent."""
    return was_repeated(error) and read_fault(error).status in {409, 412}


def translate(error: Exception, *, bucket: str, store: str, operation: str, path: str) -> StacksError | None:
    """The error that a user sees; None for one that is neither client's."""
    if not is_foreign(error) and not isinstance(error, TypeError):
        return None
    fault = read_fault(error)
    where = f"{operation} {path} in the artifact store {store}"
    found = _credentials_error(fault, where)
    if found is not None:
        return found
    kind, message, hint = _store_error(fault, where, bucket)
    return kind(message, hint=hint, store=store, operation=operation, path=path)


def _credentials_error(fault: Fault, where: str) -> StacksError | None:
    said = f": {fault.text}" if fault.text else ""
    if fault.kind == "credentials":
        return CredentialsMissingError(
            f"no AWS credentials to {where}{said}",
            hint="Give the store a connector or an authentication_secret, or set up `aws configure`.",
        )
    if fault.code in EXPIRED:
        return CredentialsExpiredError(
            f"expired credentials to {where}{said}",
            hint="Renew them (aws sso login, a new session token), or use a connector that does.",
        )
    if fault.code in _WRONG:
        return CredentialsWrongError(
            f"the service does not accept the credentials to {where}: {fault.code}{said}",
            hint="Check the access key, its secret and its token, and that they belong to this endpoint.",
        )
    return None


def _store_error(fault: Fault, where: str, bucket: str) -> tuple[type[StoreError], str, str]:
    said = ": ".join(part for part in (fault.code, fault.text) if part)
    if fault.code in _NO_BUCKET:
        hint = "Check the name and the endpoint, or create it (provision apply)."
        return BucketNotFoundError, f"the bucket {bucket} does not exist: cannot {where}", hint
    if fault.status in {401, 403}:
        hint = f"Grant the identity in use s3:ListBucket on {bucket} and Get, Put and DeleteObject below it."
        return StorePermissionError, f"no permission to {where}: {said or 'access denied'}", hint
    if fault.status in {409, 412}:
        hint = "Read it again, and repeat the change on what is there now."
        return ObjectChangedError, f"another writer was faster: cannot {where}: {said}", hint
    if fault.kind == "network":
        hint = "Check the endpoint_url, the network and the proxy; the request was repeated before giving up."
        return StoreNetworkError, f"the service cannot be reached to {where}: {said}", hint
    if fault.kind == "config":
        hint = "Check client_kwargs, config_kwargs and s3_additional_kwargs."
        return StoreConfigError, f"a setting of the store does not hold: cannot {where}: {said}", hint
    if fault.kind == "nonsense":
        hint = "Check that the endpoint_url is an S3 service, and that no login page or proxy is in between."
        return StoreServiceError, f"the answer makes no sense: cannot {where}: {said}", hint
    busy = fault.code in _BUSY or fault.status in {429, 503}
    hint = (
        "The service is busy: try again later."
        if busy
        else "Look the code up in the service's documentation."
    )
    status = f" (HTTP {fault.status})" if fault.status else ""
    return StoreServiceError, f"the service failed to {where}{status}: {said}", hint
