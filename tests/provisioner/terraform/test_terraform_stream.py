"""Decoding Terraform's ``-json`` stream, whatever stands in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import Diagnostic
from provisioner.terraform.stream import Change, Progress, StreamResult, decode


def line(kind: str, **fields: Any) -> str:
    """One line of the stream, as Terraform 1.11 writes it."""
    return json.dumps({"@level": "info", "@message": "…", "@module": "terraform.ui", "type": kind, **fields})


def change(address: str, action: str, **fields: Any) -> dict[str, Any]:
    """What a planned change says of a resource."""
    return {"resource": {"addr": address, "resource_type": "aws_s3_bucket"}, "action": action, **fields}


def test_a_plan() -> None:
    result = decode(
        [
            line("version", terraform="1.11.4", ui="1.2"),
            line("planned_change", change=change("a.b", "create")),
            line("planned_change", change=change("c.d", "replace", reason="tainted")),
            line("change_summary", changes={"add": 1, "change": 0, "remove": 0, "operation": "plan"}),
        ]
    )

    assert result.engine == "terraform 1.11.4"
    assert decode([line("version", tofu="1.8.0")]).engine == "tofu 1.8.0"
    assert decode([]).engine is None
    assert result.planned == [
        Change("a.b", "aws_s3_bucket", "create"),
        Change("c.d", "aws_s3_bucket", "replace", "tainted"),
    ]
    assert not result.finished


def test_an_apply_tells_its_progress_and_its_outputs() -> None:
    stream = StreamResult()
    hook = {"resource": {"addr": "a.b"}, "action": "create"}

    assert stream.feed(line("apply_start", hook=hook)) == Progress("a.b", "create", "start", 0.0)
    assert stream.feed(line("apply_complete", hook={**hook, "elapsed_seconds": 2})) == Progress(
        "a.b", "create", "complete", 2.0
    )
    assert not stream.finished
    stream.feed(line("change_summary", changes={"operation": "apply"}))
    assert stream.finished
    outputs = {"path": {"sensitive": False, "value": "s3://b"}, "token": {"sensitive": True, "value": "x"}}
    stream.feed(line("outputs", outputs=outputs))
    assert stream.outputs_seen
    assert stream.outputs == {"path": "s3://b", "token": "(sensitive)"}


def test_the_outputs_of_a_plan_have_no_values_and_are_none() -> None:
    result = decode([line("outputs", outputs={"path": {"sensitive": False, "action": "create"}})])

    assert not result.outputs_seen


def test_an_empty_set_of_outputs_is_one() -> None:
    assert decode([line("outputs", outputs={})]).outputs_seen


def test_errors_are_told_once_and_nothing_with_errors_is_finished() -> None:
    error = line(
        "diagnostic", diagnostic={"severity": "error", "summary": "No", "detail": "x", "address": "a.b"}
    )
    warning = line("diagnostic", diagnostic={"severity": "warning", "summary": "Old"})

    result = decode([warning, error, error, line("change_summary", changes={"operation": "apply"})])

    assert result.errors == (Diagnostic("error", "No", "x", "a.b"),)
    assert not result.finished


@pytest.mark.parametrize(
    "garbage",
    ["panic: runtime error", "{", "[]", "null", "7", '"text"', "{'type': 'x'}", "\x00\x01", "\ufffd"],
)
def test_what_is_no_line_of_the_stream_is_kept_as_text(garbage: str) -> None:
    result = StreamResult()

    assert result.feed(garbage) is None
    assert result.text == [garbage]


@pytest.mark.parametrize(
    "odd",
    [
        "{}",
        '{"type": null}',
        '{"type": ["list"]}',
        '{"type": "of_a_later_version", "change": 1}',
        '{"type": "planned_change"}',
        '{"type": "planned_change", "change": null}',
        '{"type": "planned_change", "change": {"resource": "x"}}',
        '{"type": "apply_start"}',
        '{"type": "apply_start", "hook": {"resource": {}, "elapsed_seconds": "soon"}}',
        '{"type": "change_summary", "changes": []}',
        '{"type": "outputs", "outputs": {"a": 1}}',
        '{"type": "outputs", "outputs": null}',
        '{"type": "diagnostic", "diagnostic": "x"}',
    ],
)
def test_what_does_not_look_as_documented_stops_nothing(odd: str) -> None:
    result = StreamResult()

    result.feed(odd)
    result.feed(line("version", terraform="1.11.4"))

    assert result.version == "1.11.4"


@given(
    st.text()
    | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps)
)
def test_no_line_at_all_stops_the_decoder(text: str) -> None:
    result = StreamResult()

    result.feed(text)

    assert not result.finished
