"""Two sets of attributes side by side: what counts as a difference, and how it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provisioner.live.compare import Document, Tags, differences
from provisioner.live.noted import Resource
from provisioner.summary import AttributeChange
from provisioner.terraform.stream import MASKED

STATEMENT = {
    "Sid": "DenyPlainHttp",
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
POLICY = {"Version": "2012-10-17", "Statement": [STATEMENT]}


def compared(found: Any, noted: Any, *sensitive: str) -> tuple[AttributeChange, ...]:
    resource = Resource("a.b", "a", {"it": noted}, frozenset(sensitive))
    return differences(resource, {"it": found})


@pytest.mark.parametrize(
    "said_otherwise",
    [
        {**POLICY, "Statement": STATEMENT},
        {**POLICY, "Statement": [{**STATEMENT, "Action": ["s3:*"]}]},
        {**POLICY, "Statement": [{**STATEMENT, "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b"]}]},
        dict(reversed(POLICY.items())),
    ],
)
def test_a_policy_that_says_the_same_is_the_same(said_otherwise: dict[str, Any]) -> None:
    assert compared(Document(json.dumps(said_otherwise)), json.dumps(POLICY)) == ()


def test_of_a_policy_the_smallest_part_that_differs_is_told() -> None:
    wider = {**POLICY, "Statement": [{**STATEMENT, "Effect": "Allow"}]}
    assert compared(Document(json.dumps(wider)), json.dumps(POLICY)) == (
        AttributeChange("it.Statement.0.Effect", "Allow", "Deny"),
    )
    gone = {key: value for key, value in STATEMENT.items() if key != "Condition"}
    assert compared(Document(json.dumps({**POLICY, "Statement": [gone]})), json.dumps(POLICY)) == (
        AttributeChange("it.Statement.0.Condition", None, STATEMENT["Condition"]),
    )


def test_a_statement_more_is_a_difference() -> None:
    more = {**POLICY, "Statement": [STATEMENT, {**STATEMENT, "Sid": "Two"}]}
    [change] = compared(Document(json.dumps(more)), json.dumps(POLICY))
    assert change.path == "it.Statement"


def test_what_is_no_json_is_compared_as_text() -> None:
    assert compared(Document("not json"), json.dumps(POLICY)) == (
        AttributeChange("it", "not json", json.dumps(POLICY)),
    )


@pytest.mark.parametrize(
    ("found", "noted", "told"),
    [
        ("", None, []),
        ([], None, []),
        (False, True, [("it", False, True)]),
        (None, True, [("it", None, True)]),
        (7, 90, [("it", 7, 90)]),
        ("x", "", [("it", "x", None)]),
        ({"a": "1"}, {"a": "1", "not looked at": "x"}, []),
        (Tags({"a": "1"}), {"a": "1"}, []),
        (
            Tags({"a": "2", "b": "x"}),
            {"a": "1", "c": "y"},
            [("it.a", "2", "1"), ("it.b", "x", None), ("it.c", None, "y")],
        ),
        ([{"days": 1}], [{"days": 1, "date": None, "more": 3}], []),
        ([{"days": 1}], [], [("it.0.days", 1, None)]),
        ([], [{"days": 1}], [("it.0", None, {"days": 1})]),
    ],
)
def test_values(found: Any, noted: Any, told: list[tuple[str, Any, Any]]) -> None:
    assert [(item.path, item.before, item.after) for item in compared(found, noted)] == told


def test_what_is_sensitive_is_masked() -> None:
    assert compared("canary", "other", "it") == (AttributeChange("it", MASKED, MASKED),)
