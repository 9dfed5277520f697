"""Which storage account and container are meant, and what a connection string or a SAS says of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stacks.connectors.inputs import is_loopback, secret_text, trusted_url
from stacks.connectors.resources import Resource, clean_prefix
from stacks.errors import ConnectorConfigError, CredentialsWrongError, InvalidValueError

SCHEME = "az://"
_SCHEMES = re.compile(r"(az|abfs|abfss|wasbs)://")
_CONTAINER = re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}|\$root|\$web")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_PUBLIC = "core.windows.net"

# Published by Microsoft, the same for every emulator: no secret.
_EMULATOR = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/"
    "devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
    "K1SZFPTOtr/KBHBeksoGMGw=="
)


@dataclass(frozen=True, slots=True)
class Account:
    """A storage account by its name and the URL of its Blob service."""

    name: str
    url: str

    @property
    def plain(self) -> bool:
        """Whether it is spoken to without TLS, as an emulator on this machine."""
        return self.url.startswith("http://")


def parse(resource_id: str) -> Resource:
    """From ``az://container[/prefix]``, ``abfs://…``, the container's URL, or ``container[/prefix]``.

    Raises InvalidValueError.
    """
    rest = _SCHEMES.sub("", resource_id, count=1)
    if resource_id.startswith(("https://", "http://")):
        parts = urlsplit(resource_id)
        path = parts.path.lstrip("/")
        # An emulator has the account in the path, the cloud in the host's name.
        rest = path.partition("/")[2] if is_loopback(parts.hostname or "") else path
    name, _, prefix = rest.partition("/")
    name = name.partition("@")[0]
    if not _CONTAINER.fullmatch(name):
        raise InvalidValueError(
            f"{resource_id!r} names no blob container",
            hint="write it as az://container or az://container/prefix; names have 3 to 63 of a-z, 0-9 and "
            "single '-'",
        )
    return Resource(SCHEME, name, clean_prefix(prefix, resource_id))


def checked(name: object, url: object, connector: str) -> Account:
    """The account of that name, at its own URL or at ``url``.

    Raises ConnectorConfigError, InvalidValueError.
    """
    if not name:
        raise ConnectorConfigError(
            f"service connector {connector!r} does not say which storage account it is for",
            hint=f"provision service-connector update {connector} --account_name=NAME",
        )
    if not _ACCOUNT.fullmatch(str(name)):
        raise InvalidValueError(
            f"service connector {connector!r}: {name!r} is no name of a storage account",
            hint="they have 3 to 24 characters of a-z and 0-9: az storage account list --query [].name",
        )
    if url:
        return Account(str(name), trusted_url(url, "account_url", connector))
    return Account(str(name), f"https://{name}.blob.{_PUBLIC}")


def checked_key(config: Mapping[str, Any], connector: str) -> str:
    """The account's key; raises CredentialsWrongError for what is none, without quoting it."""
    key = secret_text(config, "account_key", connector)
    try:
        valid = bool(base64.b64decode(key, validate=True))
    except ValueError:
        valid = False
    if not valid:
        raise CredentialsWrongError(
            f"the account_key of service connector {connector!r} is no storage account's key",
            hint="copy it again: az storage account keys list --account-name NAME --query [0].value",
        ) from None
    return key


def from_connection_string(config: Mapping[str, Any], connector: str) -> tuple[Account, dict[str, str]]:
    """The account that a connection string names, and its ``account_key`` or ``sas_token``.

    Raises CredentialsWrongError for one that does not hold, quoting nothing of it.
    """
    text = secret_text(config, "connection_string", connector)
    fields = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    if fields.get("UseDevelopmentStorage", "").lower() == "true":
        fields = dict(part.split("=", 1) for part in _EMULATOR.split(";"))
    url = fields.get("BlobEndpoint")
    name = fields.get("AccountName") or ((url and urlsplit(url).hostname) or "").partition(".")[0]
    secret = {
        field: fields[key]
        for field, key in (("account_key", "AccountKey"), ("sas_token", "SharedAccessSignature"))
        if fields.get(key)
    }
    if not secret or not name or not _ACCOUNT.fullmatch(name):
        lacking = "an AccountName" if secret else "an AccountKey or SharedAccessSignature"
        raise CredentialsWrongError(
            f"the connection string of service connector {connector!r} lacks {lacking}",
            hint="copy it whole, and quote it, for it has semicolons: az storage account "
            "show-connection-string --name NAME",
        )
    suffix = fields.get("EndpointSuffix", _PUBLIC)
    protocol = fields.get("DefaultEndpointsProtocol", "https")
    chosen = config.get("account_url") or url or f"{protocol}://{name}.blob.{suffix}"
    return checked(name, chosen, connector), secret


def checked_sas(config: Mapping[str, Any], connector: str) -> tuple[str, datetime | None]:
    """The SAS token, without its '?', and when it says that it ends; raises CredentialsWrongError."""
    token = secret_text(config, "sas_token", connector).lstrip("?")
    fields = parse_qs(token)
    if "sig" not in fields or not {"sv", "se", "si"} & fields.keys():
        raise CredentialsWrongError(
            f"the sas_token of service connector {connector!r} is no shared access signature",
            hint="copy what stands behind the '?' of the URL: az storage container generate-sas …",
        )
    # Without an end of its own, that of the policy that it names holds, which only the account knows.
    return token, _moment(fields["se"][0]) if "se" in fields else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # a date alone is in UTC, too
