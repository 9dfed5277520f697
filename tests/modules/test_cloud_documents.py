"""What the tests' own clouds are held to refuses what Google and Microsoft do not know, and says so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google_documents import Documents, find_method
from microsoft_models import Published
from small_server import Answer, Asked
from unfit import UnfitError

_APIS = ("storage.v1", "iam.v1", "iamcredentials.v1", "sts.v1", "cloudkms.v1", "secretmanager.v1")
_PROJECT = {"project": "acme"}
_POLICY = "/v1/projects/acme/serviceAccounts/me%40acme.iam.gserviceaccount.com"


def _asked(verb: str, path: str, body: Any = None, kind: str = "application/json", **query: str) -> Asked:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return Asked(verb, path, query, {"content-type": kind}, content)


def _told(asked: Asked, answer: Any = None) -> str:
    """What is wrong with a request and its answer; nothing if it is answered."""
    documents = Documents(_APIS, ("/token",))
    answered = documents.held(asked, lambda _asked: Answer(200, answer))
    if answered.status == 200:
        documents.settle()
        return ""
    assert answered.status == 400
    with pytest.raises(UnfitError) as unfit:
        documents.settle()
    documents.settle()  # said once
    return str(unfit.value)


@pytest.mark.parametrize(
    ("verb", "path", "method"),
    [
        ("POST", "/storage/v1/b", "storage.buckets.insert"),
        ("GET", "/storage/v1/b/data/o/a%2Fb", "storage.objects.get"),
        ("GET", "/download/storage/v1/b/data/o/a%2Fb", "storage.objects.get"),
        ("POST", "/upload/storage/v1/b/data/o", "storage.objects.insert"),
        ("POST", f"{_POLICY}:getIamPolicy", "iam.projects.serviceAccounts.getIamPolicy"),
        ("GET", _POLICY, "iam.projects.serviceAccounts.get"),
        ("GET", f"{_POLICY}:getIamPolicy", None),  # IAM takes POST, and the colon is no part of a name
        ("GET", "/storage/v1/b/data/o/a/b", None),
        ("DELETE", "/storage/v1/b", None),
    ],
)
def test_a_method_is_found_by_its_verb_and_path(verb: str, path: str, method: str | None) -> None:
    found = find_method(_APIS, verb, path)
    assert (found.id if found else None) == method


@pytest.mark.parametrize(
    "asked",
    [
        _asked("POST", "/storage/v1/b", {"name": "data", "labels": {"a": "b"}}, **_PROJECT),
        _asked(
            "POST", "/storage/v1/b", {"name": "data", "encryption": None}, **_PROJECT, prettyPrint="false"
        ),
        _asked("PATCH", "/storage/v1/b/data", {"labels": {"a": None}}),
        _asked("PATCH", "/storage/v1/b/data", {"softDeletePolicy": {"retentionDurationSeconds": "604800"}}),
        _asked("GET", "/storage/v1/b/data/o", versions="True", maxResults="10"),
        _asked("POST", "/upload/storage/v1/b/data/o", b"\0bytes", uploadType="media", name="a"),
        _asked("POST", "/token", b"grant_type=anything"),
    ],
    ids=lambda asked: f"{asked.method} {asked.path} {asked.body[:40]!r}",
)
def test_what_google_takes_is_taken(asked: Asked) -> None:
    assert _told(asked, {}) == ""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            _asked("POST", "/storage/v1/b", {"name": "data", "colour": "red"}, **_PROJECT),
            "'colour' was unexpected",
        ),
        (_asked("POST", "/storage/v1/b", {"name": 7}, **_PROJECT), "$.name: 7"),
        (_asked("POST", "/storage/v1/b", {"location": "EU"}, **_PROJECT), "'name' is a required property"),
        (_asked("POST", "/storage/v1/b", {"name": "Data"}, **_PROJECT), "'Data' does not match"),
        (_asked("POST", "/storage/v1/b", {"name": "data"}), "needs the parameter 'project'"),
        (_asked("POST", "/storage/v1/b", {"name": "data"}, **_PROJECT, loud="1"), "no parameter 'loud'"),
        (_asked("POST", "/storage/v1/b", {"name": "data"}, **_PROJECT, projection="all"), "cannot be 'all'"),
        (_asked("POST", "/storage/v1/b", b"{", **_PROJECT), "is no JSON"),
        (_asked("POST", "/storage/v1/b", **_PROJECT), "needs a body"),
        (_asked("GET", "/storage/v1/b/data", {"name": "data"}), "takes no body"),
        (_asked("PUT", "/storage/v1/b", {"name": "data"}, **_PROJECT), "no document has PUT"),
        (_asked("GET", "/storage/v1/b/data/o", maxResults="many"), "cannot be 'many'"),
        (_asked("PATCH", "/storage/v1/b/data", {"versioning": {"enabled": "yes"}}), "$.versioning.enabled"),
        (
            _asked("PATCH", "/storage/v1/b/data", {"lifecycle": {"rule": [{"action": {"type": "Delete"}}]}}),
            "'condition' is a required property",
        ),
        (_asked("POST", f"{_POLICY}:setIamPolicy", {"policy": {"bindings": [{"role": "x"}]}}), "'members'"),
        (_asked("POST", "/v1/projects/acme/secrets", {"replication": {}, "ttl": "1h"}, secretId="a"), "'1h'"),
        (
            _asked("POST", "/v1/token", b"grant_type=x&colour=red", "application/x-www-form-urlencoded"),
            "'colour' was unexpected",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_google_does_not_know_is_refused_and_told(asked: Asked, said: str) -> None:
    assert said in _told(asked, {})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"name": "data", "metageneration": "1"}, ""),
        ({"name": "data", "colour": "red"}, "'colour' was unexpected"),
        ({"metageneration": 1}, "1 is not of type 'string'"),  # 64-bit numbers are answered as text
        ({"timeCreated": "yesterday"}, "'yesterday' does not match"),
        ({"encryption": None}, "None is not of type 'object'"),
        (b'{"colour": "red"}', "'colour' was unexpected"),
    ],
)
def test_answers_are_held_to_the_documents_too(answer: Any, said: str) -> None:
    told = _told(_asked("GET", "/storage/v1/b/data"), answer)
    assert said in told
    assert bool(told) == bool(said)


# --- Microsoft ---------------------------------------------------------------------------------------------

_GROUP = "/subscriptions/1/resourceGroups/ml"
_GRANT = f"{_GROUP}/providers/Microsoft.Authorization/roleAssignments/1"
_PRINCIPAL = "99999999-0000-0000-0000-000000000000"
_ROLE = f"/providers/Microsoft.Authorization/roleDefinitions/{_PRINCIPAL}"
_ACCOUNT = f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/acme"


@pytest.mark.parametrize(
    ("verb", "path", "body", "answer", "said"),
    [
        ("PUT", _GROUP, {"location": "eu", "tags": {}}, {"location": "eu", "id": _GROUP}, ""),
        ("PUT", _GROUP, {"tags": {}}, {}, "lacks location"),
        ("PUT", _GROUP, {"location": "eu", "colour": "red"}, {}, "resourceGroups.colour is not known"),
        ("PUT", _GRANT, {"properties": {"principalId": _PRINCIPAL, "roleDefinitionId": _ROLE}}, {}, ""),
        ("PUT", _GRANT, {"properties": {"principalId": _PRINCIPAL}}, {}, "lacks properties.roleDefinitionId"),
        ("PUT", _GRANT, {"properties": {"principal": _PRINCIPAL}}, {}, "properties.principal is not known"),
        (
            "PUT",
            _GRANT,
            {"properties": {"principalId": "me", "roleDefinitionId": _ROLE}},
            {},
            "'me' does not",
        ),
        (
            "PUT",
            _GRANT,
            {"properties": {"principalId": 7, "roleDefinitionId": _ROLE}},
            {},
            "principalId is 7",
        ),
        ("PUT", _ACCOUNT, {"location": "eu", "kind": "StorageV2"}, {}, "lacks sku"),
        ("GET", _GROUP, {}, {"location": "eu", "colour": "red"}, "resourceGroups.colour is not known"),
        ("GET", _GROUP, {"location": "eu"}, {"location": "eu"}, "takes no body"),
        ("GET", f"{_GROUP}/providers/Microsoft.Colour/colours/red", {}, {}, "no model"),
        (
            "POST",
            f"{_ACCOUNT}/listKeys",
            {},
            {"keys": [{"keyName": "key1", "permissions": "All"}]},
            "is 'All'",
        ),
        ("POST", f"{_ACCOUNT}/regenerateKey", {}, {"keys": []}, "lacks keyName"),
        ("GET", f"{_GROUP}/resources", {}, {"value": [{"id": "1", "colour": "red"}]}, "colour is not known"),
    ],
)
def test_bodies_are_held_to_microsofts_models(
    verb: str, path: str, body: Any, answer: Any, said: str
) -> None:
    published = Published()
    answered = published.held(_asked(verb, path, body), body, lambda: Answer(200, answer))
    if not said:
        assert answered == Answer(200, answer)
        published.settle()
        return
    assert answered.status == 400
    with pytest.raises(UnfitError) as unfit:
        published.settle()
    assert said in str(unfit.value)
