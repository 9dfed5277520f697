"""The comment on a pull request: what matters first, never more than fits, and nothing in it is markup."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.assets import templates_root
from provisioner.cli.plan_markdown import LIMIT, code, plain, plan_markdown
from provisioner.summary import AttributeChange, Danger, Finding, ResourceChange, Summary

WILD = [
    "`code`",
    "``` fence",
    "<script>alert(1)</script>",
    "<!-- hidden",
    "</details>",
    "@everyone",
    "#1",
    "[x](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "a|b|c",
    "# title",
    "- list",
    "> quote",
    "**bold** _it_ ~~gone~~",
    "&lt;b&gt;",
    "line\nbreak\r\n\n# title",
    "\u202egnp.exe",
    "\\",
    "x" * 5000,
    "",
    " ",
]


def change(resource: str, action: str, *attributes: AttributeChange, **fields: Any) -> ResourceChange:
    """A change to the store."""
    address = f"module.store_main.{resource}"
    return ResourceChange(
        address, "artifact store", "main", resource, action, attributes=attributes, **fields
    )


def summary(**fields: Any) -> Summary:
    """A plan with one change."""
    values: dict[str, Any] = {
        "stack": "demo",
        "provider": "AWS",
        "region": "eu-west-1",
        "account": "123456789012",
        "endpoint_url": None,
        "operation": "apply",
        "changes": (change("aws_s3_bucket.this[0]", "create", identifier="acme"),),
        "drift": (),
        "deviations": (),
        "emptied": (),
        "grants": ("access: arn:aws:iam::123456789012:role/ci may list and read objects in main",),
        "missing_protections": (),
        "outputs_change": False,
    }
    return Summary(**(values | fields))


def finding(level: str) -> Finding:
    """What a policy says."""
    return Finding("tags", level, "the tag team is missing", "stack.yaml", 3, 7, "tags", None, "policy.yaml")


def outside_of_code(text: str) -> str:
    """What is left of the comment when everything in fences and in code spans is taken away."""
    text = re.sub(r"^(`{3,})diff\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", text)


def test_it_says_first_what_matters_first() -> None:
    text = plan_markdown(
        [
            summary(
                dangers=(Danger("data", "main", "it is deleted"), Danger("trust", "access", "is wider")),
                findings=(finding("deny"), finding("warn")),
                missing_protections=("the public access block: not understood by ceph",),
            )
        ]
    )

    order = [
        "## Plan for `demo`: 1 to add, 0 to change, 0 to destroy",
        "AWS · region `eu-west-1` · account `123456789012`",
        "The policy does not allow this",
        "**Data is lost**, `main`: it is deleted",
        "**Wider trust**, `access`: is wider",
        "The policy warns",
        "**Permissions granted**",
        "**Protections that this service does not have**",
        "<details><summary>All changes</summary>",
        "+   aws_s3_bucket.this[0]  acme",
        "</details>",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_what_was_replaced_and_masked_is_told_as_such() -> None:
    attribute = AttributeChange("password", "(sensitive)", "(sensitive)")
    text = plan_markdown([summary(changes=(change("x.y", "replace", attribute), change("x.z", "update")))])

    assert "-   x.y (destroyed and made anew)" in text
    assert "password: (sensitive) → (sensitive)" in text
    assert "!   x.z" in text


def test_nothing_to_do_is_one_sentence() -> None:
    assert "No changes: everything is as the manifest says." in plan_markdown(
        [summary(changes=(), grants=())]
    )
    registered = plan_markdown([summary(changes=(), grants=(), outputs_change=True)])
    assert "Only what is registered changes" in registered


def test_a_destroy_names_what_is_emptied() -> None:
    text = plan_markdown([summary(operation="destroy", emptied=("main",), grants=())])

    assert text.startswith("<!-- stack-provisioner: destroy -->\n## Destroying `demo`")
    assert "**Data is lost**, `main`: deleted with everything in it" in text


def test_the_published_schema_has_every_field_of_a_plan() -> None:
    schema = json.loads((templates_root() / "plan.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    told = [
        summary(
            dangers=(Danger("data", "main", "gone"),),
            findings=(finding("deny"),),
            changes=(change("x.y", "update", AttributeChange("a", None, {"b": [1]})),),
        ).to_json()
    ]
    document = json.loads(json.dumps(told))

    jsonschema.Draft202012Validator(schema).validate(document)

    for name, value in {
        "summary": document[0],
        "change": document[0]["changes"][0],
        "attribute": document[0]["changes"][0]["attributes"][0],
        "danger": document[0]["dangers"][0],
        "finding": document[0]["findings"][0],
    }.items():
        assert set(schema["$defs"][name]["properties"]) == set(value), name
        assert all("description" in field for field in schema["$defs"][name]["properties"].values())


# --- harmless text ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wild", WILD)
def test_a_code_span_is_never_left(wild: str) -> None:
    text = code(wild)

    assert "\n" not in text
    fence = re.match(r"`+", text)
    assert fence is not None
    assert text.endswith(fence[0])
    inside = text[len(fence[0]) : -len(fence[0])]
    assert inside
    assert fence[0] not in re.findall(r"`+", inside)
    assert len(text) < 1000


@pytest.mark.parametrize("wild", WILD)
def test_a_sentence_has_no_markup_in_it(wild: str) -> None:
    text = plain(wild)

    assert "\n" not in text
    assert "<" not in text
    assert not re.search(r"(?<!\\)[`*_\[\]|~]", text)
    assert not re.search(r"[@#]\w", text)
    assert not re.search(r"https?:", text)
    assert "\u202e" not in text


@pytest.mark.parametrize("wild", WILD)
def test_wherever_it_stands_wild_text_stays_text(wild: str) -> None:
    attributes = (AttributeChange(wild, wild, {"x": wild}),)
    text = plan_markdown(
        [
            summary(
                changes=(change("x.y", "update", *attributes, identifier=wild),),
                grants=(wild,),
                deviations=(wild,),
                missing_protections=(wild,),
                endpoint_url=wild,
                dangers=(Danger("data", wild, wild),),
                findings=(dataclasses.replace(finding("deny"), message=wild, file=wild),),
            )
        ]
    )

    bare = outside_of_code(text)
    assert bare.count("<details>") == bare.count("</details>") == 1
    for tag in re.findall(r"</?[a-z!][^>]*>", bare):
        assert tag in {
            "<details>",
            "</details>",
            "<summary>",
            "</summary>",
            "<!-- stack-provisioner: apply -->",
        }
    assert not re.search(r"[@#]\w", bare)
    assert [line for line in bare.splitlines() if line.startswith("#")] == [
        "## Plan for : 0 to add, 1 to change, 0 to destroy"
    ]


# --- its size -----------------------------------------------------------------------------------------


def long_changes(number: int) -> tuple[ResourceChange, ...]:
    """A plan with this many changes."""
    return tuple(change(f"aws_s3_bucket.this[{index}]", "create") for index in range(number))


def test_a_long_plan_is_cut_with_a_pointer() -> None:
    text = plan_markdown([summary(changes=long_changes(5000), dangers=(Danger("data", "main", "gone"),))])

    assert len(text) <= LIMIT
    assert len(text) > LIMIT * 0.9
    assert "The first changes" in text
    assert re.search(r"\*\d+ lines are left out: the bundle of this plan", text)
    assert "**Data is lost**" in text
    assert text.count("<details>") == text.count("</details>") == 1


def test_many_plans_share_the_room_and_none_loses_its_dangers() -> None:
    many = [
        summary(stack=f"stack-{index}", changes=long_changes(1000), dangers=(Danger("data", "main", "gone"),))
        for index in range(20)
    ]
    text = plan_markdown(many)

    assert len(text) <= LIMIT
    assert text.count("**Data is lost**") == 20


def test_more_plans_than_fit_are_counted() -> None:
    text = plan_markdown([summary(stack=f"stack-{index}") for index in range(2000)])

    shown = text.count("## Plan for")
    assert len(text) <= LIMIT
    assert f"*{2000 - shown} more stacks are left out" in text


def test_even_what_matters_is_cut_before_it_is_too_long() -> None:
    text = plan_markdown(
        [summary(grants=("x" * 250,) * 40, stack=f"s{index}") for index in range(3)], limit=9000
    )

    assert len(text) <= 9000
    assert "left out" in text or "Cut here" in text


def test_drift_says_what_is_and_what_was_applied() -> None:
    off = AttributeChange("status", "Suspended", "Enabled")
    drift = (
        change("aws_s3_bucket_versioning.this", "update", off),
        change("aws_s3_bucket_policy.this", "create"),
    )
    text = plan_markdown(
        [summary(operation="drift", changes=(), drift=drift, grants=(), deviations=("main: x",))]
    )

    assert "## Drift of `demo`\n" in text
    assert '!       status: is "Suspended", was applied as "Enabled"' in text
    assert "-   aws_s3_bucket_policy.this is missing" in text
    assert "! main: x" in text
    clean = plan_markdown([summary(operation="drift", changes=(), grants=())])
    assert "No drift: everything is as it was applied." in clean


@given(st.text(max_size=400))
def test_no_text_at_all_leaves_its_place(text: str) -> None:
    sentence, span = plain(text), code(text)

    assert "\n" not in sentence + span
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|~<>]", sentence)
    fence = re.match(r"`+", span)
    assert fence is not None
    assert fence[0] not in re.findall(r"`+", span[len(fence[0]) : -len(fence[0])])
