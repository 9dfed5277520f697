"""The few requests to Azure's management and to Microsoft Graph that a rotation needs.

The runtime brings no management SDK: two requests do not need one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stacks.connectors import azure_sources
from stacks.connectors.azure_errors import sdk_installed
from stacks.connectors.inputs import trusted_url
from stacks.errors import ConnectorError
from stacks.state.records import ConnectorRecord

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

MANAGEMENT = "https://management.azure.com"
_STORAGE_API = "2023-05-01"
_SUBSCRIPTIONS_API = "2022-12-01"
_FORBIDDEN = 403
_REFUSED = 400
_OPERATOR = (
    "log in as somebody with the role «Storage Account Key Operator Service Role» on the storage account (az "
    "login), or with client_secret, tenant_id and client_id in AZURE_*"
)


class Rest:
    """JSON requests to one service at Microsoft, with the tokens of an identity."""

    def __init__(
        self, record: ConnectorRecord, url: str, identity: TokenCredential, scope: str, allow: str
    ) -> None:
        with sdk_installed():
            from azure.core import PipelineClient
            from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
        policies = [RetryPolicy(retry_total=2), BearerTokenCredentialPolicy(identity, scope)]
        self._client: Any = PipelineClient(url, policies=policies)
        self._url, self._record, self._allow = url, record, allow

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(
        self, method: str, path: str, version: str | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The answer; ``path`` may be a whole URL of the same service. Raises ConnectorError."""
        from azure.core.rest import HttpRequest

        url = path if path.startswith(f"{self._url}/") else f"{self._url}{path}"
        params = {"api-version": version} if version else None
        answer = self._client.send_request(HttpRequest(method, url, params=params, json=body))
        who = f"service connector {self._record.name!r}"
        if answer.status_code == _FORBIDDEN:
            raise ConnectorError(
                f"{who}: its identity may not do that at {self._url} (403)", hint=self._allow
            )
        if answer.status_code >= _REFUSED:
            raise ConnectorError(
                f"{who}: {self._url} answered {answer.status_code} ({_code(answer)})",
                hint="look the code up in Microsoft's documentation, or try again",
            )
        text = answer.text()
        document: dict[str, Any] = answer.json() if text else {}
        return document

    def listed(self, path: str, version: str) -> Iterator[dict[str, Any]]:
        """All items of a list, page after page."""
        while path:
            answer = self.ask("GET", path, version if path.startswith("/") else None, None)
            yield from answer.get("value", ())
            path = str(answer.get("nextLink") or "")
            if path and not path.startswith(f"{self._url}/"):
                raise ConnectorError(
                    f"service connector {self._record.name!r}: {self._url} sends elsewhere for the next page",
                    hint="check management_url: tokens are sent to one place only",
                )


def _code(answer: Any) -> str:
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "no code"


@contextmanager
def management(record: ConnectorRecord, config: Mapping[str, Any]) -> Iterator[Rest]:
    """Azure's management, as whoever is logged in here."""
    url = trusted_url(config.get("management_url") or MANAGEMENT, "management_url", record.name)
    with sdk_installed():
        identity = azure_sources.environment({}, record.name)
    with Rest(record, url, identity, f"{MANAGEMENT}/.default", _OPERATOR) as rest:
        yield rest


def storage_account(azure: Rest, record: ConnectorRecord, config: Mapping[str, Any], name: str) -> str:
    """The resource id of the storage account ``name``; looked for where the record does not say.

    Raises ConnectorError when whoever is logged in sees no such account.
    """
    subscription, group = config.get("subscription_id"), config.get("resource_group")
    if subscription and group:
        return (
            f"/subscriptions/{subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.Storage/storageAccounts/{name}"
        )
    subscriptions = (
        [str(subscription)]
        if subscription
        else [str(item["subscriptionId"]) for item in azure.listed("/subscriptions", _SUBSCRIPTIONS_API)]
    )
    for one in subscriptions:
        path = f"/subscriptions/{one}/providers/Microsoft.Storage/storageAccounts"
        for item in azure.listed(path, _STORAGE_API):
            if item["name"] == name:
                return str(item["id"])
    raise ConnectorError(
        f"service connector {record.name!r}: whoever is logged in sees no storage account {name!r} in "
        f"{len(subscriptions)} subscriptions",
        hint="az account list; or name it: provision service-connector update "
        f"{record.name} --subscription_id=ID --resource_group=GROUP",
    )
