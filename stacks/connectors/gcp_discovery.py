"""What the environment has for a GCP connector: Application Default Credentials, and what they are."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stacks.connectors.discovery import Discovery
from stacks.connectors.gcp_errors import sdk_installed
from stacks.errors import CredentialsMissingError

_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_LOGIN = "gcloud auth application-default login"

# The documents that Application Default Credentials come as, and the auth method that takes each.
_DOCUMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "service-account": ("service_account", "service_account_json"),
        "user-account": ("authorized_user", "user_account_json"),
        "external-account": ("external_account", "external_account_json"),
    }
)


def discover(auth_method: str | None = None) -> Discovery:
    """See stacks.connectors.discovery. A document is taken only when a method asks for one.

    Otherwise the connector is an implicit one, which limits its tokens to a bucket as every other does, and
    what the environment has stays where it is.
    """
    place, taken = _project()
    path = _path()
    if auth_method is not None and auth_method in _DOCUMENTS:
        kind, field = _DOCUMENTS[auth_method]
        document = _document(path)
        if document.get("type") != kind:
            raise CredentialsMissingError(
                f"the environment has no credentials of the type {kind}, which {auth_method} needs",
                hint=f"give the document itself: --{field}=@FILE.json",
            )
        found = (f"the {kind} in {path}, into the secret store", *taken)
        return Discovery(auth_method, {**place, field: json.dumps(document)}, found)
    if auth_method == "oauth2-token":
        raise CredentialsMissingError(
            "an oauth2-token is fetched by somebody else: the environment has none",
            hint="give it: gcloud auth print-access-token > FILE, then --token=@FILE",
        )
    kind = str(_document(path).get("type", "credentials")) if path else ""
    source = f"the {kind} in {path}" if path else "the service account of this machine"
    return Discovery(auth_method or "implicit", place, (f"{source}, which stays where it is", *taken))


def _project() -> tuple[dict[str, Any], list[str]]:
    """The environment's project; raises CredentialsMissingError when there are no credentials at all."""
    with sdk_installed():
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that a person's login has no project for quotas is no concern here
            _, project = google.auth.default()
    except DefaultCredentialsError as error:
        raise CredentialsMissingError(
            "there are no Google credentials in the environment to configure the connector from",
            hint=f"run `{_LOGIN}`, set {_VARIABLE} to a file that there is, or name an --auth-method",
        ) from error
    return ({"project_id": project}, [f"the project {project}"]) if project else ({}, [])


def _path() -> Path | None:
    """The file of the credentials in force; None where they come from the machine's metadata service."""
    if named := os.environ.get(_VARIABLE):
        return Path(named)
    folder = os.environ.get("CLOUDSDK_CONFIG")
    path = (
        Path(folder) if folder else Path.home() / ".config" / "gcloud"
    ) / "application_default_credentials.json"
    return path if path.is_file() else None


def _document(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))  # google.auth has just read the same
    return document if isinstance(document, dict) else {}
