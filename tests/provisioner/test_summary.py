"""Plans in words: what changes, masked where it is sensitive, and what is granted."""

from __future__ import annotations

import json
from typing import Any

import manifests
import pytest

from provisioner.summary import UNKNOWN, AttributeChange, Summary, summarise
from provisioner.terraform.session import PlanOutcome
from provisioner.terraform.stream import MASKED, Change, StreamResult

BUCKET = "module.store_main.aws_s3_bucket.this[0]"


def summary(*changes: Change, details: dict[str, Any] | None = None, **facts: Any) -> Summary:
    """The summary of a plan with these changes."""
    outcome = PlanOutcome(bool(changes), StreamResult(planned=list(changes)))
    return summarise(manifests.aws(), "123456789012", outcome, details, **facts)


def attributes(before: Any, after: Any, **more: Any) -> tuple[AttributeChange, ...]:
    """What a summary says of the attributes of an updated bucket."""
    change = {"before": before, "after": after, **more}
    details = {"resource_changes": [{"address": BUCKET, "change": change}]}
    return summary(Change(BUCKET, "aws_s3_bucket", "update"), details=details).changes[0].attributes


def test_a_resource_is_named_by_the_part_of_the_manifest_it_belongs_to() -> None:
    made = summary(
        Change(BUCKET, "aws_s3_bucket", "create"),
        Change("module.connector_main_connector.aws_iam_role.this", "aws_iam_role", "replace"),
        Change("data.aws_caller_identity.current", "aws_caller_identity", "read"),
        names={BUCKET: "demo-main-0123456789"},
    )

    bucket, role = made.changes
    assert (bucket.kind, bucket.component, bucket.resource) == (
        "artifact store",
        "main",
        "aws_s3_bucket.this[0]",
    )
    assert bucket.identifier == "demo-main-0123456789"
    assert (role.kind, role.component) == ("connector", "main_connector")
    assert made.to_json()["counts"] == {"add": 1, "change": 0, "destroy": 0, "replace": 1}


def test_only_what_differs_is_told_each_by_its_path() -> None:
    assert attributes(
        {"bucket": "b", "tags": {"a": "1", "b": "2"}, "tags_all": {"a": "1"}, "rule": [{"days": 1}]},
        {
            "bucket": "b",
            "tags": {"a": "1", "b": "3"},
            "tags_all": {"a": "2"},
            "rule": [{"days": 1}, {"days": 7}],
        },
    ) == (AttributeChange("rule.1.days", None, 7), AttributeChange("tags.b", "2", "3"))


def test_what_only_the_apply_will_tell_is_said_to_be_that() -> None:
    assert attributes({"arn": "old"}, {}, after_unknown={"arn": True}) == (
        AttributeChange("arn", "old", UNKNOWN),
    )


def test_policies_are_compared_as_the_documents_they_are() -> None:
    before, after = ({"Statement": [{"Action": ["s3:GetObject"], "Sid": sid}]} for sid in "ab")

    assert attributes({"policy": json.dumps(before)}, {"policy": json.dumps(after)}) == (
        AttributeChange("policy.Statement.0.Sid", "a", "b"),
    )
    assert attributes({"policy": "{broken"}, {"policy": "{}"}) == (
        AttributeChange("policy", "{broken", "{}"),
    )


SENSITIVE: list[tuple[Any, Any, Any]] = [
    ({"token": "canary"}, {"token": "canary2"}, {"token": True}),
    (
        {"nested": {"token": "canary", "open": 1}},
        {"nested": {"token": "canary2", "open": 1}},
        {"nested": {"token": True}},
    ),
    ({"list": [{"token": "canary"}]}, {"list": [{"token": "canary2"}]}, {"list": [{"token": True}]}),
    ({"nested": None}, {"nested": {"token": "canary"}}, {"nested": {"token": True}}),
    ({"nested": {"token": "canary"}}, {"nested": None}, {"nested": {"token": True}}),
    ({"list": []}, {"list": [{"token": "canary"}]}, {"list": [{"token": True}]}),
    ({"list": None}, {"list": ["canary"]}, {"list": [True]}),
    ({"odd": "text"}, {"odd": {"token": "canary"}}, {"odd": {"token": True}}),
    ({"whole": {"token": "canary"}}, {"whole": {"token": "canary2"}}, {"whole": True}),
    ({"policy": '{"token": "canary"}'}, {"policy": '{"token": "canary2"}'}, {"policy": True}),
]


@pytest.mark.parametrize(("before", "after", "mask"), SENSITIVE)
@pytest.mark.parametrize("side", ["before_sensitive", "after_sensitive"])
def test_sensitive_values_are_masked(before: Any, after: Any, mask: Any, side: str) -> None:
    told = attributes(before, after, **{side: mask})

    assert "canary" not in repr(told)
    assert MASKED in repr(told)


def test_what_drifted_is_no_change_that_is_planned() -> None:
    drift = summary(Change(BUCKET, "aws_s3_bucket", "create"), operation="drift", deviations=["main: open"])

    assert drift.changes == ()
    assert [change.resource for change in drift.drift] == ["aws_s3_bucket.this[0]"]
    assert drift.drifted
    assert drift.to_json()["drifted"] is True
    assert drift.to_json()["format"] == 1
    assert not summary(operation="drift").drifted


def test_outputs_alone_are_a_change_of_what_is_registered() -> None:
    assert summarise(manifests.aws(), None, PlanOutcome(True, StreamResult()), None).outputs_change


def test_the_permissions_are_said_in_words() -> None:
    made = summarise(
        manifests.everything(),
        None,
        PlanOutcome(True, StreamResult(planned=[Change(BUCKET, "aws_s3_bucket", "create")])),
        None,
    )

    (grant,) = made.grants
    assert grant == (
        "prod_connector: arn:aws:iam::123456789012:role/ci may with the agreed external id list and read "
        "objects, read old versions in prod_store below artifacts/v1/, adopted, and nothing else"
    )
