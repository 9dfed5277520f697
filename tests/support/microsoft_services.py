"""A Microsoft of the tests' own: Entra ID's token endpoint over TLS, and Azurite as the storage account.

Token requests are held to
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow; Azurite checks what the
tokens say, and enforces signatures.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import jwt
import pytest
from small_server import Answer, Asked, serving

from stacks.state import ConnectorRecord

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
ACCOUNT = "acmestore"
STORAGE = "https://storage.azure.com"
_TEXT = {"type": "string", "minLength": 1}
_FORM = {
    "type": "object",
    "required": ["grant_type", "client_id", "client_secret", "scope"],
    "additionalProperties": False,
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_id": _TEXT,
        "client_secret": _TEXT,
        "scope": {"type": "string", "pattern": "^https://[^ ]+/\\.default$"},
        "client_info": _TEXT,
        "claims": _TEXT,
    },
}


def access_token(audience: str = STORAGE, seconds: int = 3600) -> str:
    """A token in the form of Entra ID's; Azurite looks at what it says, not at who signed it."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + seconds,
        "appid": CLIENT,
        "oid": "99999999-0000-0000-0000-000000000000",
        "tid": TENANT,
    }
    return jwt.encode(claims, "0" * 32, algorithm="HS256")


@dataclass
class Entra:
    """Entra ID with one tenant and one application; ``refuses`` is the code of an error to answer with."""

    url: str = ""
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    also_takes: set[str] = field(default_factory=set)  # further secrets of the application
    refuses: tuple[str, str] | None = None
    asked: list[Asked] = field(default_factory=list)

    def handle(self, asked: Asked) -> Answer:
        """The answer to one request."""
        self.asked.append(asked)
        if asked.path.endswith("/v2.0/.well-known/openid-configuration"):
            tenant = asked.path.split("/")[1]
            base = f"{self.url}/{tenant}"
            return Answer(
                200,
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": f"{base}/v2.0",
                },
            )
        if asked.path != f"/{TENANT}/oauth2/v2.0/token":
            return _refusal(400, "invalid_request", "AADSTS90002: Tenant not found.")
        form = dict(parse_qsl(asked.body.decode(), strict_parsing=True))
        try:
            jsonschema.validate(form, _FORM)
        except jsonschema.ValidationError as error:
            return _refusal(400, "invalid_request", f"AADSTS900144: {error.message}")
        if self.refuses:
            return _refusal(401, *self.refuses)
        if form["client_id"] != CLIENT:
            return _refusal(400, "unauthorized_client", "AADSTS700016: Application was not found.")
        if form["client_secret"] not in {self.client_secret, *self.also_takes}:
            return _refusal(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        token = access_token(form["scope"].removesuffix("/.default"))
        return Answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})


def _refusal(status: int, error: str, description: str) -> Answer:
    return Answer(status, {"error": error, "error_description": description})


@contextmanager
def running_entra(certificate: Path) -> Iterator[Entra]:
    """Starts one on a free port, and stops it."""
    entra = Entra()
    with serving(entra.handle, certificate) as url:
        entra.url = url
        yield entra


@dataclass(frozen=True)
class Azurite:
    """The emulator, with one account of its own; both its keys sign."""

    url: str
    key: str
    second_key: str

    @property
    def connection_string(self) -> str:
        """What opens the account."""
        return (
            f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={self.key};"
            f"BlobEndpoint={self.url}"
        )

    def service(self, credential: Any = None) -> Any:
        """A client of the Blob service: its owner's, or whoever ``credential`` makes it."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(self.url, credential=credential or self.key, retry_total=0)


def azure_record(
    azurite: Azurite | None, method: str, resource_id: str | None = None, **config: Any
) -> ConnectorRecord:
    """A connector named mine whose secrets are in the secret ``key``."""
    place = {"account_name": ACCOUNT, "account_url": azurite.url} if azurite else {}
    if method == "connection-string":
        place.pop("account_name", None)
    fields = {**place, **config}
    return ConnectorRecord("mine", "azure", method, "blob-container", resource_id, fields, "key")


def fake_az(folder: Path, monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    """An ``az`` that is logged in, or is not, and is all that this machine has of an identity."""
    program = folder / "bin" / "az"
    program.parent.mkdir()
    end = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    answer = f'{{"accessToken": "{token}", "expires_on": {end}, "tokenType": "Bearer"}}'
    script = f"echo '{answer}'" if token else "echo 'Please run az login' >&2; exit 1"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")


def azurite_program() -> Path:
    """Azurite from npm, where the contract suite has it too; skips where it cannot be had."""
    folder = Path(sys.prefix) / "azurite"
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed (Debian: nodejs npm): Azurite cannot be fetched")
        argv = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "azurite@3"]
        ran = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=300)
        if ran.returncode:
            pytest.skip(f"npm could not install Azurite: {ran.stderr.strip()[-300:]}")
    return program


@contextmanager
def running_azurite(program: Path, folder: Path, certificate: Path, both: Path) -> Iterator[Azurite]:
    """Starts it over TLS on a free port, waits until it answers, and stops exactly it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key, second = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    argv = [str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    argv += ["--cert", str(certificate), "--key", str(both), "--oauth", "basic"]
    argv += ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}:{second}",
    }
    log = folder / "azurite.log"
    with log.open("wb") as output:
        process = subprocess.Popen(argv, env=environment, cwd=folder, stdout=output, stderr=output)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                raise RuntimeError(f"Azurite ended: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        else:
            raise RuntimeError(f"Azurite did not start: {log.read_text()[-2000:]}")
        yield Azurite(f"https://127.0.0.1:{port}/{ACCOUNT}", key, second)
    finally:
        process.terminate()
        process.wait(timeout=30)
