"""The fast client beside an SDK: what its failures mean, and which credentials it shows."""

from __future__ import annotations

import inspect
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stacks.credentials import AzureCredentials, CachedCredentials, GcpToken
from stacks.errors import ObjectChangedError, StoreNetworkError, StorePermissionError, StoreServiceError
from stacks.stores import sdk_errors
from stacks.stores.azure import AzureArtifactStore
from stacks.stores.azure_listing import parse_page, sign
from stacks.stores.fast import FastClient, FastFailure
from stacks.stores.gcp import GCPArtifactStore

PLACE = sdk_errors.Place("mine", "box", "bucket", "read", "gs://box/x", "Grant it.")


def test_every_error_of_the_fast_client_has_a_translation() -> None:
    import obstore.exceptions as foreign

    kinds = [kind for _, kind in inspect.getmembers(foreign, inspect.isclass)]
    assert len(kinds) > 8
    for kind in kinds:
        failure = FastFailure(kind("Generic GCS error: something\n\nDebug source:\n" + "x" * 5000))
        found = sdk_errors.translate(failure, PLACE)
        assert found is not None, kind
        assert "mine" in str(found)
        assert len(str(found)) < 600


@pytest.mark.parametrize(
    ("text", "status", "code", "kind"),
    [
        (
            "Server returned non-2xx status code: 403 Forbidden: <Error><Code>AuthorizationFailure</Code>",
            403,
            "AuthorizationFailure",
            StorePermissionError,
        ),
        ("Server returned non-2xx status code: 503 Service Unavailable: ", 503, "", StoreServiceError),
        ("Server returned non-2xx status code: 412 Precondition Failed", 412, "", ObjectChangedError),
        ("Bulk delete request failed for key x: gone. (code: 500)", 500, "", StoreServiceError),
        ("Error performing GET in 5s - HTTP error: error sending request", 0, "", StoreNetworkError),
    ],
)
def test_what_a_message_says(text: str, status: int, code: str, kind: type[Exception]) -> None:
    failure = FastFailure(RuntimeError(text))
    assert (failure.status_code, failure.error_code) == (status, code)
    assert failure.in_doubt is (status in {0, 500, 503})
    assert isinstance(sdk_errors.translate(failure, PLACE), kind)


def test_what_was_never_sent_is_not_in_doubt() -> None:
    """A conditional write may then be sent again, by the SDK, which also knows more of certificates."""
    nowhere = AzureArtifactStore(
        "az://box", account_url=f"http://127.0.0.1:{free_port()}/acme", account_key="a2V5"
    )
    with pytest.raises(FastFailure) as caught:
        nowhere._fast.run(lambda obstore, store: obstore.put(store, "x", b"1", mode="create"))
    assert caught.value.status_code == 0
    assert not caught.value.in_doubt


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_mistake_of_ours_is_not_taken_for_a_failure_of_the_client() -> None:
    client = FastClient(lambda obstore: object(), CachedCredentials(lambda: GcpToken("x")), extra="gcp")
    with pytest.raises(TypeError):
        client.run(lambda obstore, store: len(store))


@pytest.mark.parametrize("key", ["a//b", "/a", "a/", "a/../b", "./a", "tab\t", "line\n", "\x7f"])
def test_what_the_fast_client_would_change_or_refuse_it_does_not_get(key: str) -> None:
    client = FastClient(lambda obstore: object(), CachedCredentials(lambda: GcpToken("x")), extra="gcp")
    assert not client.takes(key)
    assert client.takes("a/..b/c.../100%/ü~")


# ---- what a service sees --------------------------------------------------------------------------------


class Seen(BaseHTTPRequestHandler):
    authorizations: list[str] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        self.authorizations.append(self.headers.get("Authorization") or self.path.partition("?")[2])
        body = b"<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"
        if "/storage/v1/" in self.path:
            body = b"{}"
        elif "comp=list" not in self.path:
            body = b"content"
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("x-goog-generation", "7")
        self.send_header("Last-Modified", "Sat, 21 Nov 2026 06:17:20 GMT")
        self.send_header("Content-Length", str(len(body)))
        if self.headers.get("Range"):
            self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body)

    def send_response(self, code: int, message: str | None = None) -> None:
        super().send_response(206 if self.headers.get("Range") else code, message)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def service() -> Iterator[str]:
    Seen.authorizations.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Seen) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_token_goes_with_every_request(service: str) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    azure = AzureArtifactStore(
        "az://box",
        account_url=f"{service}/acme",
        credentials=lambda: AzureCredentials(token="t1", expires_at=until),
    )
    gcs = GCPArtifactStore("gs://box", endpoint_url=service, credentials=lambda: GcpToken("t1", until))
    assert gcs.isdir(gcs.path)
    for store in (azure, gcs):  # Azure's SDK, which is there for the rest, sends tokens over TLS only
        assert store.read_many([f"{store.path}/file"]) == [b"content"]
    assert Seen.authorizations == ["Bearer t1"] * 3


def test_a_signature_goes_in_the_address(service: str) -> None:
    store = AzureArtifactStore("az://box", account_url=f"{service}/acme", sas_token="?sv=2023&sig=a%2Bb%3D")
    assert store.isdir(store.path)
    assert store.read_many([f"{store.path}/file"]) == [b"content"]
    assert len(Seen.authorizations) == 2
    for query in Seen.authorizations:
        assert "sig=a%2Bb%3D" in query


def test_a_request_is_signed_as_the_documents_say() -> None:
    """The text to sign, by hand, for the example of an account ``acme`` whose key is ``key``."""
    import base64
    import hashlib
    import hmac

    headers = {"x-ms-version": "2023-11-03", "x-ms-date": "Sat, 21 Nov 2026 06:17:20 GMT"}
    query = {"restype": "container", "comp": "list", "prefix": "a b/"}
    url = "https://acme.blob.core.windows.net/box?restype=container&comp=list&prefix=a%20b/"
    expected = (
        "GET\n\n\n\n\n\n\n\n\n\n\n\n"
        "x-ms-date:Sat, 21 Nov 2026 06:17:20 GMT\nx-ms-version:2023-11-03\n"
        "/acme/box\ncomp:list\nprefix:a b/\nrestype:container"
    )
    digest = base64.b64encode(hmac.new(b"key", expected.encode(), hashlib.sha256).digest()).decode()
    assert sign("acme", b"key", url, query, headers) == f"SharedKey acme:{digest}"


@pytest.mark.parametrize("body", [b"", b"<html/>", b"<EnumerationResults/>", b"<EnumerationResults><Blobs>"])
def test_what_is_no_page_is_none(body: bytes) -> None:
    assert parse_page(body) is None
