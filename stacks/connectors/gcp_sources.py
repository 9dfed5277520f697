"""What a GCP connector asks Google with: google-auth's credentials, made from the connector's own fields.

They are typed as Any, for google-auth's own methods have no types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stacks.connectors.base import whole_number
from stacks.connectors.inputs import json_document, trusted_url
from stacks.errors import CredentialsWrongError, InvalidValueError

PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
"""The scope that a token must have to be limited by a boundary."""
STORAGE = {
    "read-only": "https://www.googleapis.com/auth/devstorage.read_only",
    "read-write": "https://www.googleapis.com/auth/devstorage.read_write",
}
"""Scopes for a store whose token no boundary limits."""

_OAUTH = "https://oauth2.googleapis.com"
_EMAIL = re.compile(r"[a-z0-9][a-z0-9-]*@[a-z0-9][a-z0-9.-]*\.gserviceaccount\.com")
_LONGEST = 43_200  # seconds, where the organisation's policy allows it; 3,600 elsewhere


def environment(config: Mapping[str, Any], connector: str, scope: str) -> Any:
    """Application Default Credentials: file, gcloud's login, or the machine's own service account."""
    import google.auth

    del config, connector  # every source has one signature
    credentials, _project = google.auth.default(scopes=[scope])
    return credentials


def user_account(config: Mapping[str, Any], connector: str, scope: str) -> Any:
    """A person's refresh token, as ``gcloud auth application-default login`` leaves it."""
    from google.auth import external_account_authorized_user
    from google.oauth2 import credentials

    info = json_document(config, "user_account_json", connector)
    if info.get("type") == "external_account_authorized_user":
        _checked_urls(info, "user_account_json", connector)
        return external_account_authorized_user.Credentials.from_info(info, scopes=[scope])
    _needed(
        info, "user_account_json", connector, "authorized_user", "client_id", "client_secret", "refresh_token"
    )
    return credentials.Credentials(
        None,
        refresh_token=info["refresh_token"],
        client_id=info["client_id"],
        client_secret=info["client_secret"],
        # Not the document's own: whoever writes that one could have the refresh token sent anywhere.
        token_uri=f"{config.get('oauth_endpoint_url') or _OAUTH}/token",
        quota_project_id=info.get("quota_project_id"),
    )


def service_account(config: Mapping[str, Any], connector: str, scope: str) -> Any:
    """A service account's own key; it signs a request for a token."""
    from google.oauth2 import service_account as module

    field = "service_account_json"
    info = json_document(config, field, connector)
    _needed(info, field, connector, "service_account", "client_email", "private_key", "token_uri")
    trusted_url(info["token_uri"], f"{field}'s token_uri", connector)
    try:
        return module.Credentials.from_service_account_info(info, scopes=[scope])
    except ValueError:
        raise CredentialsWrongError(
            f"the private key in the {field} of service connector {connector!r} does not parse",
            hint=_again(connector, field),
        ) from None  # what cryptography says may describe the key


def external_account(config: Mapping[str, Any], connector: str, scope: str) -> Any:
    """Workload identity federation: a token of AWS, Azure, an OIDC or a SAML provider."""
    from google.auth import aws, identity_pool, pluggable

    field = "external_account_json"
    info = json_document(config, field, connector)
    _needed(
        info,
        field,
        connector,
        "external_account",
        "audience",
        "subject_token_type",
        "token_url",
        "credential_source",
    )
    _checked_urls(info, field, connector)
    source = info["credential_source"]
    if str(info["subject_token_type"]).endswith(":aws4_request"):
        return aws.Credentials.from_info(info, scopes=[scope])
    if isinstance(source, Mapping) and "executable" in source:
        return pluggable.Credentials.from_info(info, scopes=[scope])
    return identity_pool.Credentials.from_info(info, scopes=[scope])


def impersonation(config: Mapping[str, Any], connector: str, scope: str) -> Any:
    """A service account without a key, by whoever may create its tokens: a key, or the environment."""
    from google.auth import impersonated_credentials

    target = checked_principal(config, connector)
    held = service_account if config.get("service_account_json") else environment
    override = config.get("iam_endpoint_url")
    path = f"/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
    return impersonated_credentials.Credentials(
        source_credentials=held(config, connector, PLATFORM),
        target_principal=target,
        target_scopes=[scope],
        delegates=_list(config.get("delegates")),
        lifetime=seconds(config),
        iam_endpoint_override=f"{override}{path}" if override else None,
    )


def checked_principal(config: Mapping[str, Any], connector: str) -> str:
    """The service account to impersonate; raises InvalidValueError for what is no service account."""
    target = str(config.get("target_principal", ""))
    if not _EMAIL.fullmatch(target):
        raise InvalidValueError(
            f"service connector {connector!r}: {target!r} is no service account",
            hint="write it as NAME@PROJECT.iam.gserviceaccount.com",
        )
    return target


def seconds(config: Mapping[str, Any]) -> int:
    """How long an impersonated token is to live."""
    field = "session_seconds" if "session_seconds" in config else "expiration_seconds"
    return whole_number(config, field, 3600, 300, _LONGEST)


def _needed(info: Mapping[str, Any], field: str, connector: str, kind: str, *keys: str) -> None:
    missing = [key for key in keys if not info.get(key)]
    if info.get("type", kind) != kind or missing:
        why = f"lacks {', '.join(missing)}" if missing else f"is of type {info.get('type')!r}"
        raise CredentialsWrongError(
            f"the {field} of service connector {connector!r} {why}; it must be a document of type {kind!r}",
            hint=_again(connector, field),
        )


def _checked_urls(info: Mapping[str, Any], field: str, connector: str) -> None:
    """No document may send what the connector holds to another place in clear."""
    for key in ("token_url", "token_info_url", "service_account_impersonation_url", "revoke_url"):
        if info.get(key):
            trusted_url(info[key], f"{field}'s {key}", connector)


def _list(value: object) -> list[str]:
    parts = value if isinstance(value, list | tuple) else str(value or "").split(",")
    return [str(part).strip() for part in parts if str(part).strip()]


def _again(connector: str, field: str) -> str:
    return (
        f"download it again and give it whole: provision service-connector update {connector} "
        f"--{field}=@FILE.json"
    )
