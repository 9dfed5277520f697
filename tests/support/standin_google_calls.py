"""How the stand-in for hashicorp/google asks: where the environment says, and as whom it says."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from standin.api import Api
from standin.values import Values

TRIES = 20
OK, CONFLICT = 200, 409
ATTRIBUTION = {"goog-terraform-provisioned": "true"}


@cache
def credentials() -> Any:
    import google.auth

    return google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])[0]


def headers() -> dict[str, str]:
    from google.auth.transport.requests import Request

    held = credentials()
    if not held.valid:
        held.refresh(Request())
    return {"Authorization": f"Bearer {held.token}"}


def url(service: str, path: str) -> str:
    return f"{os.environ[f'GOOGLE_{service}_CUSTOM_ENDPOINT']}{path}"


def ask(api: Api, method: str, service: str, path: str, body: Any = None, **options: Any) -> Any:
    return api.ask(method, url(service, path), body, headers=headers(), **options).body


def get(api: Api, service: str, path: str) -> Any:
    return api.get(url(service, path), headers=headers())


def delete(api: Api, service: str, path: str) -> None:
    ask(api, "DELETE", service, path, expect=(200, 204, 404))


def one(items: Any) -> Values:
    """The only element of a block that there is at most once."""
    return (items or [{}])[0] or {}


def said(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not None}
