"""GCP connectors by each of the methods, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google_services import ACCOUNT, Google
from named_secrets import Secrets

from stacks.connectors import create_connector
from stacks.state import ConnectorRecord


def gcp_record(
    google: Google, auth_method: str, resource_id: str | None = None, **config: Any
) -> ConnectorRecord:
    """A connector named mine whose secrets are in the secret ``key``."""
    fields = {**google.endpoints(), **config}
    return ConnectorRecord(
        "mine", "gcp", auth_method, "gcs-bucket", resource_id, fields, authentication_secret="key"
    )


def gcp_connector(google: Google, auth_method: str, tmp_path: Path, **config: Any) -> Any:
    """A connector by each of the methods, with what the method needs."""
    secret = {"unused": "by implicit"}
    if auth_method == "user-account":
        secret = {"user_account_json": google.user_account_json()}
    elif auth_method == "service-account":
        secret = {"service_account_json": google.service_account_json()}
    elif auth_method == "external-account":
        secret = {"external_account_json": external_account(google, tmp_path)}
    elif auth_method == "oauth2-token":
        secret = {"token": google.issue()}
    elif auth_method == "impersonation":
        secret = {"service_account_json": google.service_account_json()}
        config = {"target_principal": ACCOUNT, **config}
    return create_connector(gcp_record(google, auth_method, **config), Secrets(key=secret))


def external_account(google: Google, tmp_path: Path, **changes: Any) -> str:
    """A workload identity whose token lies in a file, as Kubernetes leaves one."""
    token = tmp_path / "token"
    token.write_text("a-token-of-the-cluster")
    google.federated["a-token-of-the-cluster"] = "principal://pool/subject/ci"
    return json.dumps(
        {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/workloadIdentityPools/a/providers/b",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{google.url}/v1/token",
            "credential_source": {"file": str(token)},
            **changes,
        }
    )
