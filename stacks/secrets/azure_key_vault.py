"""Secrets in Azure Key Vault: ``STACKS_SECRET_STORE=azure-key-vault://VAULT``.

Through its REST interface (https://learn.microsoft.com/rest/api/keyvault/secrets), with the identity that the
environment has. Deleted secrets can be recovered until the vault purges them, and are when one of the same
name is stored. The service has no way to create a secret only if it is not there: of two that do so in the
same moment, the later one wins.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import quote

from stacks.errors import (
    CredentialsMissingError,
    CredentialsWrongError,
    InvalidValueError,
    MissingExtraError,
    SecretError,
    SecretLockedError,
)
from stacks.secrets.cloud import PREFIX, CloudSecretStore, NameTakenError, parsed
from stacks.stores.cached_client import ClientOfProcess

_VERSION = "7.4"
_VAULT = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_OK, _NO_TOKEN, _REFUSED, _MISSING, _CONFLICT = 200, 401, 403, 404, 409
_PATIENCE = 60.0  # seconds; a recovery takes some
_PAUSE = 1.0


class AzureKeyVaultStore(CloudSecretStore):
    """Secrets of one vault, by its name, or by its host in another cloud than the public one."""

    SCHEME: ClassVar[str] = "azure-key-vault"
    SERVICE: ClassVar[str] = "Azure Key Vault"
    LONGEST_NAME: ClassVar[int] = 127
    LARGEST: ClassVar[int] = 25_000

    def __init__(self, place: str, prefix: str = PREFIX) -> None:
        """Raises InvalidValueError when ``place`` is neither a vault's name nor its host."""
        super().__init__(place, prefix)
        if _VAULT.fullmatch(place):
            host = f"{place}.vault.azure.net"
        elif _HOST.fullmatch(place) and "." in place:
            host = place
        else:
            raise InvalidValueError(
                f"{place!r} names no key vault",
                hint="STACKS_SECRET_STORE=azure-key-vault://VAULT; az keyvault list --query [].name",
            )
        self._url = f"https://{host}"
        # The audience of its tokens is the vault's cloud, which is the host without the vault.
        cloud = host.partition(":")[0].partition(".")[2]
        self._scope = f"https://{cloud if cloud.startswith('vault.') else 'vault.azure.net'}/.default"
        self._made = ClientOfProcess(self._make_client, lambda: None)

    def _list(self) -> list[str]:
        found: list[str] = []
        url = f"{self._url}/secrets?api-version={_VERSION}&maxresults=25"
        while url:
            _status, answer = self._ask("GET", url)
            found += [str(one["id"]).rpartition("/")[2] for one in answer.get("value", ())]
            url = str(answer.get("nextLink") or "")
            if url and not url.startswith(f"{self._url}/"):
                raise SecretError(
                    "Azure Key Vault names a next page elsewhere, which gets no token of this vault",
                    hint="check that the vault's host is the real one, and no proxy changes its answers",
                )
        return found

    def _read(self, identifier: str) -> str | None:
        status, answer = self._ask("GET", self._at(identifier), also=(_MISSING,))
        return str(answer["value"]) if status == _OK else None

    def _create(self, identifier: str, text: str) -> None:
        if self._read(identifier) is not None:
            raise NameTakenError
        self._replace(identifier, text)

    def _replace(self, identifier: str, text: str) -> None:
        body = {"value": text, "contentType": "application/json"}
        until = time.monotonic() + _PATIENCE
        while True:
            status, _ = self._ask("PUT", self._at(identifier), body=body, also=(_CONFLICT,))
            if status == _OK:
                return
            # One of that name is being deleted, deleted, or being recovered: recovering is the way forward.
            self._ask("POST", self._at(identifier, "deletedsecrets", "/recover"), also=(_MISSING, _CONFLICT))
            if time.monotonic() > until:
                raise SecretError(
                    f"Azure Key Vault does not let go of the deleted secret {identifier}",
                    hint=f"az keyvault secret recover --vault-name VAULT --name {identifier}",
                )
            time.sleep(_PAUSE)

    def _remove(self, identifier: str) -> bool:
        status, _ = self._ask("DELETE", self._at(identifier), also=(_MISSING,))
        return status == _OK

    def _at(self, identifier: str, collection: str = "secrets", verb: str = "") -> str:
        return f"{self._url}/{collection}/{quote(identifier)}{verb}?api-version={_VERSION}"

    def _ask(
        self, method: str, url: str, *, body: dict[str, Any] | None = None, also: tuple[int, ...] = ()
    ) -> tuple[int, dict[str, Any]]:
        with _translated():
            from azure.core.rest import HttpRequest

            answer = self._client().send_request(HttpRequest(method, url, json=body))
            content = answer.content
        if answer.status_code != _OK and answer.status_code not in also:
            raise _from_answer(answer.status_code, parsed(content), self.place)
        return answer.status_code, parsed(content)

    def _client(self) -> Any:
        return self._made.get()

    def _make_client(self, _: None) -> Any:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
        from azure.identity import DefaultAzureCredential

        # No logging policy: what is sent and answered here are secrets.
        signing = BearerTokenCredentialPolicy(DefaultAzureCredential(), self._scope)
        policies = [RetryPolicy(retry_total=3), signing]
        return PipelineClient(self._url, policies=policies)


@contextmanager
def _translated() -> Iterator[None]:
    """Says what Azure's SDK raises within as errors of this library."""
    try:
        from azure.core import exceptions
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "Azure Key Vault needs azure-identity, which is not installed",
            hint="pip install 'stack-provisioner[azure]'",
            extra="azure",
        ) from error
    try:
        yield
    except exceptions.ClientAuthenticationError as error:
        raise CredentialsMissingError(
            "there is no identity at Microsoft for Azure Key Vault", hint="run: az login"
        ) from error
    except exceptions.AzureError as error:
        raise SecretError(
            f"Azure Key Vault is not reached ({type(error).__name__})",
            hint="check the vault's name, its firewall and the network: az keyvault show --name VAULT",
        ) from error


def _from_answer(status: int, answer: dict[str, Any], vault: str) -> Exception:
    told = answer.get("error", {})
    code = str(told.get("code", "")) if isinstance(told, dict) else ""
    if status == _NO_TOKEN:
        return CredentialsWrongError(
            f"the key vault {vault} does not take the identity's token",
            hint="log in to the vault's own tenant: az login --tenant TENANT",
        )
    if status == _REFUSED:
        return SecretLockedError(
            f"the secrets of the key vault {vault} are refused ({code or status})",
            hint='az role assignment create --assignee WHO-ASKS --role "Key Vault Secrets Officer" --scope '
            "VAULT-ID (Secrets User to read only)",
        )
    return SecretError(
        f"Azure Key Vault answered {status} ({code or 'no code'})", hint="try again; look at the vault's logs"
    )
