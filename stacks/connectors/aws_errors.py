"""What STS, S3 and botocore say, as errors of this library, each with the way to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from stacks.connectors.aws_policy import Bucket
from stacks.errors import (
    ConnectorError,
    ConnectorScopeError,
    CredentialsError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    MissingExtraError,
    StacksError,
)
from stacks.state.records import ConnectorRecord


@dataclass(frozen=True, slots=True)
class _Meaning:
    error: type[ConnectorError | CredentialsError]
    says: str
    hint: str


_EXPIRED = _Meaning(
    CredentialsExpiredError,
    "the credentials that it asks with have expired",
    "fetch new ones (`aws sso login`), or give the connector an access key: "
    "provision service-connector update {name} …",
)
_UNKNOWN_KEY = _Meaning(
    CredentialsWrongError,
    "the service does not know its access key",
    "check the key, and that endpoint_url and region belong to it",
)
_WRONG_SECRET = _Meaning(
    CredentialsWrongError,
    "its secret key does not fit its access key",
    "copy the secret key again; it may have lost a character",
)
_WRONG_TOKEN = _Meaning(
    CredentialsWrongError,
    "the service does not accept the workload's token",
    "check that the account has the OIDC provider of the token's issuer, and that the token was made for "
    "the audience sts.amazonaws.com",
)
_REFUSED = _Meaning(
    ConnectorError,
    "{operation} is refused",
    "let who asks do it: the trust policy must name them, with the same external id, and their own policy "
    "must allow {action}",
)
_POLICY = _Meaning(
    ConnectorScopeError,
    "the service does not take the session policy",
    "use a shorter prefix, or check that the service supports session policies",
)
_NO_BUCKET = _Meaning(
    ConnectorScopeError,
    "there is no such bucket",
    "create it, or give the connector the right resource id",
)
_NO_ROLE = _Meaning(
    ConnectorError,
    "the role does not exist, or is not known here",
    "check role_arn; a role that was just created takes some seconds",
)
_NO_REGION = _Meaning(
    ConnectorError,
    "STS is switched off in this region",
    "activate it in the account's settings, or use another region",
)
_INVALID = _Meaning(
    ConnectorError,
    "the service does not take the request",
    "session_seconds may be more than the role's maximum; roles assumed by roles get 3600 at most",
)

_CODES: Mapping[str, _Meaning] = MappingProxyType(
    {
        "AccessDenied": _REFUSED,
        "AccessDeniedException": _REFUSED,
        "403": _REFUSED,
        "ExpiredToken": _EXPIRED,
        "ExpiredTokenException": _EXPIRED,
        "RequestExpired": _EXPIRED,
        "InvalidAccessKeyId": _UNKNOWN_KEY,
        "InvalidClientTokenId": _UNKNOWN_KEY,
        "UnrecognizedClientException": _UNKNOWN_KEY,
        "InvalidToken": _UNKNOWN_KEY,
        "AuthFailure": _UNKNOWN_KEY,
        "SignatureDoesNotMatch": _WRONG_SECRET,
        "IncompleteSignature": _WRONG_SECRET,
        "InvalidIdentityToken": _WRONG_TOKEN,
        "InvalidIdentityTokenException": _WRONG_TOKEN,
        "IDPRejectedClaim": _WRONG_TOKEN,
        "IDPRejectedClaimException": _WRONG_TOKEN,
        "MalformedPolicyDocument": _POLICY,
        "MalformedPolicyDocumentException": _POLICY,
        "PackedPolicyTooLarge": _POLICY,
        "PackedPolicyTooLargeException": _POLICY,
        "NoSuchBucket": _NO_BUCKET,
        "404": _NO_BUCKET,
        "NoSuchEntity": _NO_ROLE,
        "RegionDisabledException": _NO_REGION,
        "ValidationError": _INVALID,
        "InvalidParameterValue": _INVALID,
    }
)


@contextmanager
def sdk_installed() -> Iterator[None]:
    """Says which extra brings the SDK when the block cannot import it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in {"boto3", "botocore"}:
            raise
        raise MissingExtraError(
            f"service connectors for AWS need {(error.name or '').split('.')[0]}, which is not installed",
            hint="pip install 'stack-provisioner[s3]'",
            extra="s3",
        ) from error


@contextmanager
def translated(record: ConnectorRecord, endpoint: str | None, bucket: Bucket | None = None) -> Iterator[None]:
    """Says what botocore raises within as errors of this library; none of them quotes a credential."""
    with sdk_installed():
        from botocore import exceptions
    try:
        yield
    except exceptions.ClientError as error:
        raise _from_answer(error, record, endpoint, bucket) from error
    except exceptions.ProfileNotFound as error:
        raise CredentialsMissingError(
            f"service connector {record.name!r}: {error}",
            hint="create the profile with `aws configure --profile NAME`, or name another",
        ) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise CredentialsMissingError(
            f"service connector {record.name!r}: {error}",
            hint="give an access key both its id and its secret, or run `aws configure`",
        ) from error
    except (exceptions.CredentialRetrievalError, exceptions.SSOError) as error:
        raise CredentialsExpiredError(
            f"service connector {record.name!r}: the environment's credentials were not to be had",
            hint="log in again (`aws sso login`), or look at the profile's credential_process",
        ) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise ConnectorError(
            f"service connector {record.name!r} does not reach {endpoint or 'AWS'} ({type(error).__name__})",
            hint="check endpoint_url, region, the network, and that the service is up",
        ) from error
    except exceptions.BotoCoreError as error:
        raise ConnectorError(
            f"service connector {record.name!r}: {error}", hint="check its region, endpoint_url and profile"
        ) from error


def _from_answer(
    error: Any, record: ConnectorRecord, endpoint: str | None, bucket: Bucket | None
) -> StacksError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    action = f"{'s3' if bucket else 'sts'}:{error.operation_name}"
    where = str(bucket) if bucket else str(record.config.get("role_arn") or endpoint or "AWS")
    meaning = _CODES.get(code)
    if meaning is None:
        said = str(error.response.get("Error", {}).get("Message", ""))[:300]
        return ConnectorError(
            f"service connector {record.name!r}: {action} on {where} failed with {code or 'no code'}: {said}",
            hint="the service said no more than that; try again, or look at its logs",
        )
    if bucket and meaning is _REFUSED:
        return ConnectorScopeError(
            f"service connector {record.name!r} may not list {bucket} ({code})",
            hint="grant its role or key s3:ListBucket on the bucket, for this prefix",
        )
    says = meaning.says.format(operation=f"{action} on {where}")
    return meaning.error(
        f"service connector {record.name!r}: {says} ({code})",
        hint=meaning.hint.format(name=record.name, action=action),
    )
