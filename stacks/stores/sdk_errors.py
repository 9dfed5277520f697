"""What Google's and Azure's SDKs raise, as this library's errors: by HTTP status, then by kind."""

from __future__ import annotations

from typing import NamedTuple

from stacks.errors import (
    BucketNotFoundError,
    CredentialsError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    ObjectChangedError,
    StacksError,
    StoreError,
    StoreNetworkError,
    StorePermissionError,
    StoreServiceError,
)
from stacks.stores.fast import FastFailure

_MODULES = {"google", "azure", "requests", "urllib3"}
_NETWORK = {
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Timeout",
    "ChunkedEncodingError",
    "TransportError",
    "ServiceRequestError",
    "ServiceResponseError",
    "IncompleteReadError",
    "RetryError",
    "ProtocolError",
    "FastFailure",
}
_NO_CREDENTIALS = {"DefaultCredentialsError", "ClientAuthenticationError", "CredentialUnavailableError"}


class Place(NamedTuple):
    """Where an error happened, in the service's own words."""

    store: str
    bucket: str
    bucket_word: str
    operation: str
    path: str
    grant: str


def status_of(error: BaseException) -> int:
    """The HTTP status that an SDK's exception carries, or 0."""
    for name in ("status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int):
            return int(value)
    return 0


def code_of(error: BaseException) -> str:
    """The service's own code in an SDK's exception."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def may_have_expired(error: BaseException) -> bool:
    """Whether new credentials may help."""
    return status_of(error) == 401 or code_of(error) == "AuthenticationFailed"


def is_foreign(error: BaseException) -> bool:
    """Whether an exception comes from an SDK, from what it is built on, or from the fast client."""
    return isinstance(error, FastFailure) or any(
        kind.__module__.partition(".")[0] in _MODULES for kind in type(error).__mro__
    )


def translate(error: Exception, place: Place) -> StacksError | None:
    """The error that a user sees; None for one that is no SDK's."""
    if not is_foreign(error):
        return None
    while isinstance(cause := getattr(error, "cause", None), Exception):
        error = cause  # Google's RetryError says only that it has tried
    where = f"{place.operation} {place.path} in the artifact store {place.store}"
    said = str(error).partition("\n")[0][:300]
    refused = _credentials_error(error, where, said)
    if refused is not None:
        return refused
    kind, message, hint = _store_error(error, place, where, said)
    return kind(message, hint=hint, store=place.store, operation=place.operation, path=place.path)


def _credentials_error(error: Exception, where: str, said: str) -> CredentialsError | None:
    status, name = status_of(error), type(error).__name__
    if name in _NO_CREDENTIALS and status not in {401, 403}:
        hint = "Give the store a connector or an authentication_secret, or log in with the cloud's own CLI."
        return CredentialsMissingError(f"no credentials to {where}: {said}", hint=hint)
    if name == "RefreshError":
        hint = "Renew them with the cloud's own CLI, or use a connector that does."
        return CredentialsExpiredError(f"credentials could not be renewed to {where}: {said}", hint=hint)
    wrong = code_of(error) in {"AuthenticationFailed", "InvalidAuthenticationInfo"}
    if status == 401 or wrong or "failed to authenticate" in said:
        hint = "Check the key, token or SAS, that its time is not over, and that it belongs to this account."
        return CredentialsWrongError(
            f"the service does not accept the credentials to {where}: {said}", hint=hint
        )
    return None


def _store_error(error: Exception, place: Place, where: str, said: str) -> tuple[type[StoreError], str, str]:
    status, code = status_of(error), code_of(error)
    if code == "ContainerNotFound" or status == 404:
        hint = "Check the name and the account, or create it (provision apply)."
        return BucketNotFoundError, f"the {place.bucket_word} {place.bucket} does not exist: {where}", hint
    if status == 403:
        return StorePermissionError, f"no permission to {where}: {said}", place.grant
    if status in {409, 412}:
        hint = "Read it again, and repeat the change on what is there now."
        return ObjectChangedError, f"another writer was faster: cannot {where}: {said}", hint
    if not status and type(error).__name__ in _NETWORK:
        hint = "Check the endpoint, the network and the proxy; the request was repeated before giving up."
        return StoreNetworkError, f"the service cannot be reached to {where}: {said}", hint
    busy = status in {429, 503}
    hint = "The service is busy: try again later." if busy else "Look it up in the service's documentation."
    return StoreServiceError, f"the service failed to {where} (HTTP {status}): {said}", hint
