"""The two clients of an Azure store: Azure's own, and obstore for the bytes."""

from __future__ import annotations

import random
import weakref
from typing import Any

from stacks.credentials import AzureCredentials, CachedCredentials
from stacks.errors import MissingExtraError
from stacks.stores import fast
from stacks.stores.azure_auth import LiveToken

RETRIES = 6


def make_container(
    url: str,
    container: str,
    now: AzureCredentials,
    credentials: CachedCredentials[AzureCredentials],
    part_size: int,
) -> Any:
    """The container, through azure-storage-blob.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
        from azure.core.pipeline.transport import RequestsTransport
        from azure.storage.blob import ContainerClient, ExponentialRetry
        from requests import Session
        from requests.adapters import HTTPAdapter
    except ImportError as error:
        raise MissingExtraError(
            "the Azure artifact store needs azure-storage-blob",
            hint="pip install 'stack-provisioner[azure]'",
            extra="azure",
        ) from error

    class Patience(ExponentialRetry):
        def get_backoff_time(self, settings: dict[str, Any]) -> float:
            """Seconds: the SDK's own 15 are long for a service that only hiccuped."""
            return float(random.uniform(0.1, 0.2) * 2 ** settings["count"])  # noqa: S311 - no secret

    signer: Any = LiveToken(credentials)
    if now.account_key:
        signer = AzureNamedKeyCredential(account_name(url), now.account_key)
    elif now.sas_token:
        signer = AzureSasCredential(now.sas_token)
    session = Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=64))
    client = ContainerClient(
        url,
        container,
        credential=signer,
        transport=RequestsTransport(
            session=session,
            session_owner=False,
            connection_timeout=fast.CONNECT_TIMEOUT,  # of no use as the client's own: the transport decides
            read_timeout=fast.READ_TIMEOUT,
        ),
        retry_policy=Patience(retry_total=RETRIES),
        max_single_put_size=part_size,
        max_single_get_size=64 * 1024 * 1024,  # our readers ask for what they want in one request
    )
    weakref.finalize(client, session.close)
    return client


def make_fast(
    obstore: Any, url: str, container: str, credentials: CachedCredentials[AzureCredentials]
) -> Any:
    """The container through obstore; nothing of the environment is left to it."""

    def provide() -> dict[str, Any]:
        now = credentials()
        kinds = {"access_key": now.account_key, "sas_token": now.sas_token, "token": now.token}
        kind = next(name for name, value in kinds.items() if value)
        return {kind: kinds[kind], "expires_at": now.expires_at}

    return obstore.store.AzureStore(
        container,
        config={
            "account_name": account_name(url),
            "endpoint": url,
            "skip_signature": False,
            "use_emulator": False,
            "use_fabric_endpoint": False,
        },
        credential_provider=provide,
        **fast.options(url),
    )


def account_name(url: str) -> str:
    """The account that a URL names: its first label, or for emulators the first part of the path."""
    rest = url.partition("://")[2]
    host, _, path = rest.partition("/")
    return path.partition("/")[0] or host.partition(".")[0]
