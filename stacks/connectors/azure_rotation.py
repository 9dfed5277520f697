"""The keys of a storage account, and the client secrets of an application, rotated."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from stacks.connectors import azure_sources
from stacks.connectors.azure_account import Account, checked, from_connection_string
from stacks.connectors.azure_errors import sdk_installed, translated
from stacks.connectors.azure_management import Rest, management, storage_account
from stacks.connectors.inputs import secret_text, trusted_url
from stacks.errors import ConnectorError, CredentialsError, InvalidValueError
from stacks.secrets.base import SecretReader, resolve
from stacks.state.records import ConnectorRecord

_FIELDS = {
    "account-key": ("account_key",),
    "connection-string": ("connection_string",),
    "service-principal": ("client_secret",),
}
_KEYS = ("key1", "key2")
_API = "2023-05-01"  # of Microsoft.Storage
_GRAPH = "https://graph.microsoft.com"
_LIFE = timedelta(days=180)  # of a client secret, which always ends
_SETTLE_SECONDS = 120.0  # Entra ID is eventually consistent
_PAUSE_SECONDS = 2.0
_ACCOUNT_KEY = re.compile(r"(?<![^;])AccountKey=[^;]*")


def fields(record: ConnectorRecord) -> tuple[str, ...]:
    """The one field that holds the key, by the auth method."""
    return _FIELDS.get(record.auth_method, ())


def rotator(
    record: ConnectorRecord, secrets: SecretReader, key: Mapping[str, str]
) -> AccountKeys | ClientSecrets:
    """The keys of the storage account, or the secrets of the application, whose ``key`` it is."""
    held = secrets.get(record.authentication_secret) if record.authentication_secret else {}
    config = {**held, **resolve(dict(record.config), secrets), **key}
    if record.auth_method == "service-principal":
        return ClientSecrets(record, config)
    return AccountKeys(record, config)


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """A storage account's two keys, of which the one not in use is made anew.

    An account's key may not manage itself: Azure is asked as whoever is logged in here (az login).
    """

    record: ConnectorRecord
    config: Mapping[str, Any] = field(repr=False)

    def identify(self, key: Mapping[str, str]) -> str:
        """``key1`` or ``key2``."""
        value = self._value(key)
        for found in self._ask("listKeys", {})["keys"]:
            if found["value"] == value:
                return str(found["keyName"])
        raise ConnectorError(
            f"service connector {self.record.name!r}: its key is none of the storage account's",
            hint=f"give it the one in force: provision service-connector update {self.record.name} …",
        )

    def create(self) -> Mapping[str, str]:
        """The account's other key, made anew: whatever else used it has to get the new one."""
        other = _KEYS[1 - _KEYS.index(self.identify(self.config))]
        return self._as_field(self._regenerated(other))

    def prove(self, key: Mapping[str, str]) -> None:
        """Signs a request with it."""
        account, value = self._account(), self._value(key)

        def use() -> None:
            from stacks.connectors.azure_sas import service

            with service(account, value) as client:
                next(iter(client.list_containers(results_per_page=1).by_page()), None)

        _until_known(self.record, "the storage account", use)

    def forget(self, key: Mapping[str, str]) -> None:
        """Makes it anew, so that what was known of it is worth nothing."""
        self._regenerated(self.identify(key))

    def _regenerated(self, name: str) -> str:
        answered = self._ask("regenerateKey", {"keyName": name})["keys"]
        return next(str(found["value"]) for found in answered if found["keyName"] == name)

    def _ask(self, action: str, body: Mapping[str, str]) -> dict[str, Any]:
        with translated(self.record, "Azure's management"), management(self.record, self.config) as azure:
            place = storage_account(azure, self.record, self.config, self._account().name)
            return azure.ask("POST", f"{place}/{action}", _API, dict(body))

    def _account(self) -> Account:
        if self.record.auth_method == "connection-string":
            return from_connection_string(self.config, self.record.name)[0]
        return checked(self.config.get("account_name"), self.config.get("account_url"), self.record.name)

    def _value(self, key: Mapping[str, str]) -> str:
        if self.record.auth_method == "connection-string":
            held = from_connection_string({**self.config, **key}, self.record.name)[1]
            if "account_key" not in held:
                raise InvalidValueError(
                    f"service connector {self.record.name!r}: its connection string has a SAS, and no key",
                    hint="make a new SAS, then: provision service-connector update "
                    f"{self.record.name} --connection_string=@FILE",
                )
            return held["account_key"]
        return secret_text(key, "account_key", self.record.name)

    def _as_field(self, value: str) -> Mapping[str, str]:
        if self.record.auth_method == "account-key":
            return {"account_key": value}
        text = secret_text(self.config, "connection_string", self.record.name)
        return {"connection_string": _ACCOUNT_KEY.sub(lambda _match: f"AccountKey={value}", text)}


@dataclass(frozen=True, slots=True)
class ClientSecrets:
    """The secrets of an application of Entra ID that owns itself.

    https://learn.microsoft.com/graph/api/application-addpassword
    """

    record: ConnectorRecord
    config: Mapping[str, Any] = field(repr=False)

    def identify(self, key: Mapping[str, str]) -> str:
        """The id of the secret, which Microsoft tells apart by its first characters alone."""
        secret = secret_text(key, "client_secret", self.record.name)
        listed = self._ask("GET", "", None).get("passwordCredentials", ())
        found = [item for item in listed if item.get("hint") and secret.startswith(item["hint"])]
        if len(found) != 1:
            raise ConnectorError(
                f"service connector {self.record.name!r}: {len(found)} secrets of its application begin "
                "like its own, so the old one could not be told apart",
                hint="rotate with --keep-old, and delete the old one yourself: az ad app credential list "
                f"--id {self.config.get('client_id')}",
            )
        return str(found[0]["keyId"])

    def create(self) -> Mapping[str, str]:
        """A further secret, good for 180 days."""
        ends = (datetime.now(UTC) + _LIFE).strftime("%Y-%m-%dT%H:%M:%SZ")
        made = {"displayName": f"provision {self.record.name}", "endDateTime": ends}
        answer = self._ask("POST", "/addPassword", {"passwordCredential": made})
        return {"client_secret": str(answer["secretText"])}

    def prove(self, key: Mapping[str, str]) -> None:
        """Fetches a token with it, until Entra ID knows it."""
        config = {**self.config, **key}

        def use() -> None:
            azure_sources.service_principal(config, self.record.name).get_token(azure_sources.SCOPE)

        _until_known(self.record, "an access token", use)

    def forget(self, key: Mapping[str, str]) -> None:
        """Deletes it."""
        self._ask("POST", "/removePassword", {"keyId": self.identify(key)})

    def _ask(self, method: str, action: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        url = trusted_url(self.config.get("graph_url") or _GRAPH, "graph_url", self.record.name)
        path = f"/v1.0/applications(appId='{self.config.get('client_id')}'){action}"
        with translated(self.record, "Microsoft Graph"):
            with sdk_installed():
                identity = azure_sources.service_principal(self.config, self.record.name)
            with Rest(self.record, url, identity, f"{_GRAPH}/.default", _OWNER) as graph:
                return graph.ask(method, path, None, body)


_OWNER = (
    "make the application an owner of itself, with the permission Application.ReadWrite.OwnedBy of Microsoft "
    "Graph (as application, consented to by an administrator); or make a secret yourself: az ad app "
    "credential reset --append"
)


def _until_known(record: ConnectorRecord, what: str, use: Callable[[], None]) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        try:
            with translated(record, what):
                use()
        except CredentialsError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
