"""What google-auth, the Security Token Service and Cloud Storage say, as errors of this library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

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

_PACKAGES = frozenset({"google", "requests"})


@dataclass(frozen=True, slots=True)
class _Meaning:
    error: type[ConnectorError | CredentialsError]
    says: str
    hint: str


_LOGIN = {
    "implicit": "log in again: gcloud auth application-default login",
    "user-account": "log in again (gcloud auth application-default login), then: provision service-connector "
    "update {name} --user_account_json=@FILE.json",
    "service-account": "make a new key (gcloud iam service-accounts keys create FILE.json --iam-account "
    "{account}), then: provision service-connector update {name} --service_account_json=@FILE.json",
    "oauth2-token": "fetch a new one: provision service-connector update {name} "
    "--token=$(gcloud auth print-access-token)",
    "external-account": "check the provider's token and the pool's attribute condition: gcloud iam "
    "workload-identity-pools providers describe …",
    "impersonation": "log in again (gcloud auth application-default login), or give the connector a "
    "service_account_json",
}

_GRANT = _Meaning(CredentialsExpiredError, "its credentials were revoked, or their time is over", "{login}")
_UNKNOWN = _Meaning(CredentialsWrongError, "Google does not know its credentials", "{login}")
_IMPERSONATE = _Meaning(
    ConnectorError,
    "it may not create tokens of {target}",
    "gcloud iam service-accounts add-iam-policy-binding {target} --member=WHO-ASKS "
    "--role=roles/iam.serviceAccountTokenCreator",
)
_TARGET = _Meaning(
    ConnectorError,
    "there is no service account {target}",
    "check target_principal: gcloud iam service-accounts list --project PROJECT",
)
_LIFETIME = _Meaning(
    ConnectorError,
    "the request for a token is not taken",
    "session_seconds may be more than 3600 only where the organisation's policy "
    "constraints/iam.allowServiceAccountCredentialLifetimeExtension names the service account",
)
_POOL = _Meaning(
    ConnectorError,
    "the workload identity pool does not take the token",
    "check the audience, and the provider's attribute condition: gcloud iam workload-identity-pools "
    "providers describe …",
)
_SWITCHED_OFF = _Meaning(
    ConnectorError,
    "an API that it needs is switched off",
    "gcloud services enable iamcredentials.googleapis.com sts.googleapis.com storage.googleapis.com",
)

_CODES: Mapping[str, _Meaning] = MappingProxyType(
    {
        "invalid_grant": _GRANT,
        "invalid_rapt": _GRANT,
        "access_denied": _GRANT,
        "deleted_client": _UNKNOWN,
        "disabled_client": _UNKNOWN,
        "invalid_client": _UNKNOWN,
        "unauthorized_client": _UNKNOWN,
        "UNAUTHENTICATED": _UNKNOWN,
        "PERMISSION_DENIED": _IMPERSONATE,
        "NOT_FOUND": _TARGET,
        "INVALID_ARGUMENT": _LIFETIME,
        "SERVICE_DISABLED": _SWITCHED_OFF,
        "invalid_target": _POOL,
    }
)
# An access token whose time is over is an invalid request, argument or grant, as the wording goes.
_STALE = ("expired", "invalid_token", "could not be authenticated")


@contextmanager
def sdk_installed() -> Iterator[None]:
    """Says which extra brings the SDK when the block cannot import it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _PACKAGES:
            raise
        package = {"google": "google-auth"}.get((error.name or "").split(".")[0], "requests")
        raise MissingExtraError(
            f"service connectors for GCP need {package}, which is not installed",
            hint="pip install 'stack-provisioner[gcp]'",
            extra="gcp",
        ) from error


@contextmanager
def translated(record: ConnectorRecord) -> Iterator[None]:
    """Says what google-auth raises within as errors of this library; none of them quotes a credential."""
    with sdk_installed():
        from google.auth import exceptions
    try:
        yield
    except exceptions.TransportError as error:
        raise ConnectorError(
            f"service connector {record.name!r} does not reach Google ({type(error).__name__})",
            hint="check the network, the proxy (HTTPS_PROXY) and the connector's endpoints",
        ) from error
    except exceptions.DefaultCredentialsError as error:
        raise CredentialsMissingError(
            f"service connector {record.name!r} uses the environment's Google credentials, and there "
            "are none",
            hint="run: gcloud auth application-default login; or set GOOGLE_APPLICATION_CREDENTIALS, or use "
            "another auth method",
        ) from error
    except exceptions.GoogleAuthError as error:
        raise from_answer(error, record) from error


def from_answer(error: Exception, record: ConnectorRecord) -> StacksError:
    """What a refused refresh or exchange means."""
    code, said = _said(error)
    meaning = _CODES.get(code)
    if meaning not in (_IMPERSONATE, _TARGET) and any(word in said.lower() for word in _STALE):
        meaning = _GRANT
    if meaning is None or (meaning in (_IMPERSONATE, _TARGET) and not _impersonates(record)):
        return ConnectorError(
            f"service connector {record.name!r}: Google refused it a token ({code or type(error).__name__}): "
            f"{said[:300]}",
            hint="Google said no more than that; try again, or look at the project's audit logs",
        )
    fields = {"name": record.name, "target": _target(record), "account": "ACCOUNT"}
    login = _LOGIN[record.auth_method].format(**fields)
    return meaning.error(
        f"service connector {record.name!r}: {meaning.says.format(**fields)} ({code or 'no code'})",
        hint=meaning.hint.format(login=login, **fields),
    )


def from_storage(status: int, body: str, record: ConnectorRecord, what: str) -> StacksError:
    """What an answer of Cloud Storage other than 200 means; ``what`` was asked for."""
    if status == 401:
        return CredentialsWrongError(
            f"service connector {record.name!r}: Cloud Storage does not take its token (401)",
            hint=_LOGIN[record.auth_method].format(name=record.name, account="ACCOUNT"),
        )
    if status == 403:
        return ConnectorScopeError(
            f"service connector {record.name!r} may not list {what} (403)",
            hint="grant who it is: gcloud storage buckets add-iam-policy-binding gs://BUCKET "
            "--member=WHO-ASKS --role=roles/storage.objectUser; a token limited to a bucket needs uniform "
            "bucket-level access: gcloud storage buckets update gs://BUCKET --uniform-bucket-level-access",
        )
    if status == 404:
        return ConnectorScopeError(
            f"service connector {record.name!r}: there is no bucket {what}",
            hint="create it, or give the connector the right resource id",
        )
    return ConnectorError(
        f"service connector {record.name!r}: Cloud Storage answered {status} for {what}: {body[:200]}",
        hint="try again; if it stays so, look at the service's status",
    )


def _impersonates(record: ConnectorRecord) -> bool:
    return record.auth_method in {"impersonation", "external-account", "implicit"}


def _target(record: ConnectorRecord) -> str:
    return str(record.config.get("target_principal") or "the service account that it impersonates")


def _said(error: Exception) -> tuple[str, str]:
    """The code and the text of an answer: google-auth hands both on, as text or as JSON, in its arguments."""
    for argument in reversed(error.args):
        document: Any = argument
        if isinstance(argument, str):
            try:
                document = json.loads(argument)
            except ValueError:
                continue
        if isinstance(document, Mapping) and "error" in document:
            inner = document["error"]
            if isinstance(inner, Mapping):
                reasons = [str(detail.get("reason", "")) for detail in inner.get("details", ())]
                code = "SERVICE_DISABLED" if "SERVICE_DISABLED" in reasons else str(inner.get("status", ""))
                return code, str(inner.get("message", ""))
            return str(inner), str(document.get("error_description", ""))
    return "", str(error.args[0]) if error.args else type(error).__name__
