"""The pieces that stores are made of: threads, globs, pages of listings, settings, errors, flavors."""

from __future__ import annotations

import inspect
import pickle
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import stacks.errors
from stacks.credentials import AwsCredentials, AzureCredentials, CachedCredentials, GcpToken
from stacks.errors import (
    CredentialsExpiredError,
    CredentialsWrongError,
    StacksError,
    StoreConfigError,
    UnknownComponentError,
)
from stacks.stores import registry
from stacks.stores.base import BaseArtifactStore
from stacks.stores.local import LocalArtifactStore
from stacks.stores.parallel import batches, run_all
from stacks.stores.s3_errors import read_fault, translate
from stacks.stores.s3_listing import parse_page

# ---- threads --------------------------------------------------------------------------------------------


def test_results_keep_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert run_all(slow_first, range(50), workers=8) == [item * item for item in range(50)]
    assert run_all(slow_first, [], workers=8) == []


def test_the_first_failure_stops_the_rest() -> None:
    begun: list[int] = []

    def fail(item: int) -> None:
        begun.append(item)
        time.sleep(0.001)
        if item == 3:
            raise KeyError(item)

    with pytest.raises(KeyError):
        run_all(fail, range(1000), workers=4)
    assert len(begun) < 50
    assert not [thread for thread in threading.enumerate() if thread.name == "stacks-worker"]


def test_batches() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]


# ---- pages of listings ----------------------------------------------------------------------------------

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2026-11-21T03:17:27.000Z</LastModified>"
    "<ETag>&quot;abc&quot;</ETag><Size>5</Size></Contents>"
)


@pytest.mark.parametrize("space", ["", "\n  "])
@pytest.mark.parametrize("namespace", ["", NAMESPACE])
def test_a_page_however_it_is_laid_out(space: str, namespace: str) -> None:
    """Without white space it is read by patterns, with it as XML: both must find the same."""
    body = (
        f"<ListBucketResult {namespace}><Name>b</Name><EncodingType>url</EncodingType>"
        "<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b==</NextContinuationToken>"
        + ENTRY.format(key="dir%2Fa+b%26%C3%BC%0A")
        + ENTRY.format(key="100%25252F")
        + "<CommonPrefixes><Prefix>dir%2Fsub%2F</Prefix></CommonPrefixes></ListBucketResult>"
    ).replace("><", f">{space}<")
    page = parse_page(body.encode())
    assert [file.key for file in page.files] == ["dir/a b&ü\n", "100%252F"]
    assert page.files[0].size == 5
    assert page.files[0].etag == '"abc"'
    assert page.files[0].modified == datetime(2026, 11, 21, 3, 17, 27, tzinfo=UTC)
    assert page.folders == ["dir/sub/"]
    assert page.next == "a&b=="


def test_a_page_in_another_order_or_without_url_encoding() -> None:
    body = (
        "<ListBucketResult><Contents><Size>7</Size><Key>a%2Fb&amp;c</Key>"
        "<LastModified>2026-11-21T03:17:27Z</LastModified></Contents></ListBucketResult>"
    )
    page = parse_page(body.encode())
    assert [(file.key, file.size, file.etag) for file in page.files] == [("a%2Fb&c", 7, None)]
    assert page.next is None


def test_an_empty_page() -> None:
    assert parse_page(b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>") == ([], [], None)


# ---- errors ---------------------------------------------------------------------------------------------

TREE = [
    kind for _, kind in inspect.getmembers(stacks.errors, inspect.isclass) if issubclass(kind, StacksError)
]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_is_drawn_and_travels_between_processes(kind: type[StacksError]) -> None:
    assert kind.__name__ in str(stacks.errors.__doc__)
    error = pickle.loads(pickle.dumps(kind("what happened", hint="what to do")))
    assert (type(error), str(error), error.hint) == (kind, "what happened", "what to do")
    assert error.__notes__ == ["what to do"]


def test_every_error_of_the_fast_client_has_a_translation() -> None:
    import obstore.exceptions as foreign

    kinds = [kind for _, kind in inspect.getmembers(foreign, inspect.isclass)]
    assert len(kinds) > 8
    for kind in kinds:
        text = "Generic S3 error: something\n\nDebug source:\n" + "x" * 5000
        found = translate(kind(text), bucket="b", store="mine", operation="read", path="s3://b/x")
        assert found is not None, kind
        assert "mine" in str(found)
        assert len(str(found)) < 600


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        (
            "Server returned non-2xx status code: 403 Forbidden: <Error><Code>AccessDenied</Code></Error>",
            403,
            "AccessDenied",
        ),
        ("... Server returned non-2xx status code: 404 Not Found: ", 404, ""),
        ("Error performing GET in 5s - HTTP error: error sending request", 0, ""),
    ],
)
def test_what_a_message_says(text: str, status: int, code: str) -> None:
    fault = read_fault(RuntimeError(text))
    assert (fault.status, fault.code) == (status, code)
    assert fault.network is (status == 0)


# ---- credentials ----------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_credentials_hide_their_secrets() -> None:
    shown = repr(AwsCredentials("AKIA", "hidden", "hidden")) + repr(GcpToken("hidden"))
    shown += repr(AzureCredentials(account_key="hidden")) + repr(AzureCredentials(sas_token="hidden"))
    assert "hidden" not in shown
    assert "AKIA" in shown


def test_credentials_that_are_none() -> None:
    for make in (
        lambda: AwsCredentials("", "x"),
        lambda: AwsCredentials("x", ""),
        lambda: AwsCredentials("x", "y", expires_at=datetime(2026, 1, 1)),  # noqa: DTZ001 - refused
        lambda: GcpToken(""),
        AzureCredentials,
        lambda: AzureCredentials(token="a", sas_token="b"),
    ):
        with pytest.raises(CredentialsWrongError):
            make()


def test_the_zone_of_an_expiry_does_not_matter() -> None:
    east = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert AwsCredentials("a", "b", expires_at=east).expires_at == datetime(2026, 1, 1, 7, tzinfo=UTC)


def test_credentials_are_asked_for_when_it_is_time() -> None:
    clock, asked = Clock(), []

    def provider() -> AwsCredentials:
        asked.append(clock.now)
        return AwsCredentials(f"id-{len(asked)}", "s", expires_at=clock.now + timedelta(hours=1))

    cached = CachedCredentials(provider, clock=clock)
    first = cached()
    clock.now += timedelta(minutes=54)
    assert cached() is first
    clock.now += timedelta(minutes=2)
    assert cached().access_key_id == "id-2"
    second = cached()
    assert cached.renew(first) is second  # someone else has renewed them already
    assert cached.renew(second).access_key_id == "id-3"


def test_the_old_ones_serve_while_new_ones_are_not_to_be_had() -> None:
    clock = Clock()
    answers = [AwsCredentials("old", "s", expires_at=clock.now + timedelta(minutes=20))]

    def provider() -> AwsCredentials:
        if not answers:
            raise ConnectionError("the issuer does not answer")
        return answers.pop()

    cached = CachedCredentials(provider, clock=clock)
    cached()
    clock.now += timedelta(minutes=18)
    assert cached().access_key_id == "old"
    clock.now += timedelta(minutes=3)
    with pytest.raises(ConnectionError):
        cached()


def test_credentials_that_come_expired_are_refused() -> None:
    clock = Clock()
    cached = CachedCredentials(lambda: AwsCredentials("a", "b", expires_at=clock.now), clock=clock)
    with pytest.raises(CredentialsExpiredError, match="2026-01-01"):
        cached()


def test_many_threads_ask_once() -> None:
    asked: list[int] = []

    def provider() -> AwsCredentials:
        asked.append(1)
        time.sleep(0.05)
        return AwsCredentials("a", "b")

    cached = CachedCredentials(provider)
    run_all(lambda _: cached(), range(20), workers=20)
    assert len(asked) == 1


# ---- flavors --------------------------------------------------------------------------------------------


def test_built_in_flavors_load() -> None:
    for flavor in registry.flavors():
        assert registry.canonical(flavor.name) == registry.store_class(flavor.name).FLAVOR


def test_a_custom_flavor_by_its_class() -> None:
    custom = {"mine": "stacks.stores.local.LocalArtifactStore"}
    assert registry.store_class("mine", custom) is LocalArtifactStore
    assert [flavor.origin for flavor in registry.flavors(custom) if flavor.name == "mine"] == ["custom"]


def test_a_custom_flavor_does_not_replace_a_built_in_one() -> None:
    found = registry.store_class("s3", {"s3": "stacks.stores.local.LocalArtifactStore"})
    assert found.FLAVOR == "s3"


def test_an_entry_point_brings_a_flavor(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("packaged", "stacks.stores.local:LocalArtifactStore", registry.ENTRY_POINTS)
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [point] if group == registry.ENTRY_POINTS else []
    )
    assert registry.store_class("packaged") is LocalArtifactStore
    assert [flavor.origin for flavor in registry.flavors() if flavor.name == "packaged"] == ["entry point"]


def test_an_unknown_flavor_lists_the_known_ones() -> None:
    with pytest.raises(UnknownComponentError) as caught:
        registry.store_class("ftp")
    assert "local" in str(caught.value.hint)
    assert "s3" in str(caught.value.hint)


@pytest.mark.parametrize(
    "source",
    [
        "nowhere.Class",
        "stacks.stores.local.Missing",
        "json.JSONDecoder",
        "plain",
        "",
        "stacks.stores.base.BaseArtifactStore",
    ],
)
def test_what_is_no_flavor(source: str) -> None:
    with pytest.raises(StoreConfigError, match=r"artifact store|loaded|define"):
        registry.load_class(source)


def test_a_flavor_that_lacks_a_method_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    class Half(BaseArtifactStore):
        FLAVOR = "half"
        SUPPORTED_SCHEMES = {"half://"}  # noqa: RUF012 # type: ignore[assignment] # as the seeds declare it

    module = types.ModuleType("half_flavor")
    module.Half = Half  # type: ignore[attr-defined] # made here
    monkeypatch.setitem(sys.modules, "half_flavor", module)
    assert frozenset({"half://"}) == Half.SUPPORTED_SCHEMES
    with pytest.raises(StoreConfigError, match="walk"):
        registry.load_class("half_flavor.Half")


def test_permission_errors_name_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stacks.errors import StorePermissionError

    store = LocalArtifactStore(tmp_path, name="mine")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("stacks.stores.local.os.scandir", refuse)
    with pytest.raises(StorePermissionError, match="mine") as caught:
        store.listdir(tmp_path)
    assert (caught.value.store, caught.value.operation, caught.value.path) == (
        "mine",
        "listdir",
        str(tmp_path),
    )
    assert isinstance(caught.value, PermissionError)
