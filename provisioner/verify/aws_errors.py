"""What AWS and services like it answer, as errors of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from provisioner.errors import CredentialsError, UpstreamError

ABSENT = frozenset({"404", "NoSuchBucket", "NoSuchEntity", "NotFound", "NotFoundException"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_WRONG = frozenset(
    {
        "AuthFailure",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# S3's words for «this was never set».
_UNSET = frozenset(
    {
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
        "NoSuchBucketPolicy",
        "NoSuchTagSet",
        "ReplicationConfigurationNotFoundError",
    }
)


def setting(ask: Callable[[], Any]) -> Any:
    """The answer, or None where the service says that there is no such thing."""
    with translated("reading the settings"):
        try:
            return ask()
        except ClientError as error:
            if code(error) in ABSENT | _UNSET:
                return None
            raise


def code(error: ClientError) -> str:
    """AWS' own name for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """boto3's errors as ours: the reason, and what to do about it."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise CredentialsError(
            f"no complete AWS credentials were found ({error})",
            hint="run `aws configure` or `aws sso login`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY",
        ) from error
    except (CredentialRetrievalError, ProfileNotFound, SSOError, TokenRetrievalError) as error:
        raise CredentialsError(f"{doing}: {error}", hint="log in again, or correct AWS_PROFILE") from error
    except RuntimeError as error:  # botocore's own word for credentials that stay expired when refreshed
        raise CredentialsError(
            f"{doing}: {error}", hint="the credentials have expired: log in again"
        ) from error
    except ClientError as error:
        name = code(error)
        text = f"{doing}: AWS answered {name}: {error.response.get('Error', {}).get('Message', '')}"
        if name in _EXPIRED:
            raise CredentialsError(text, hint="the credentials have expired: log in again") from error
        if name in _WRONG:
            raise CredentialsError(
                text, hint="check which credentials are in use: aws sts get-caller-identity"
            ) from error
        raise UpstreamError(text, hint="check the permissions of the credentials in use") from error
    except BotoCoreError as error:
        raise UpstreamError(
            f"{doing}: {error}", hint="check the network, the region and endpoint_url"
        ) from error
