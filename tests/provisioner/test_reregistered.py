"""What is registered with other settings while nothing in the cloud changes: found, shown, and only once."""

from __future__ import annotations

import json
from typing import Any

import manifests
from test_register import applied

from provisioner.cli.html import plan_page
from provisioner.cli.plan_markdown import plan_markdown
from provisioner.cli.show import plan_text
from provisioner.manifest import Manifest
from provisioner.register import Reregistered, registered, reregistered
from provisioner.summary import Summary, summarise
from provisioner.terraform.session import PlanOutcome
from provisioner.terraform.stream import Change, StreamResult
from stacks.state import State, StateFile


def store(**fields: Any) -> Manifest:
    """A stack on AWS with one store."""
    return manifests.aws(artifact_stores=[{"name": "main", **fields}])


def differing(before: Manifest, after: Manifest) -> list[Reregistered]:
    """What an apply of ``after`` would register in another way than that of ``before`` has."""
    return [*reregistered(registered(State(), applied(before)), after, applied(after).outputs)]


def summary(after: Manifest, *changes: Change) -> Summary:
    """The plan of ``after``, where a plain store is registered."""
    outcome = PlanOutcome(bool(changes), StreamResult(planned=list(changes)))
    return summarise(after, "123456789012", outcome, None, reregistered=differing(store(), after))


def test_another_storage_class_is_a_change_of_the_registered_store() -> None:
    (found,) = differing(store(), store(storage_class="glacier_ir"))

    assert (found.kind, found.name) == ("artifact store", "main")
    assert found.after["config"]["s3_additional_kwargs"] == {"StorageClass": "GLACIER_IR"}
    (back,) = differing(store(storage_class="glacier_ir"), store())
    assert "s3_additional_kwargs" not in back.after["config"]


def test_the_same_manifest_changes_nothing(tmp_path: Any) -> None:
    """Also when it was read back from the file, where a tuple has become a list."""
    manifest = manifests.everything()
    file = StateFile(tmp_path / "state.json")
    file.update(lambda state: registered(state, applied(manifest)))

    assert [*reregistered(file.read(), manifest, applied(manifest).outputs)] == []


def test_settings_of_connectors_and_of_the_stack_are_told_too() -> None:
    stores = [{"name": "main", "connector": "c"}, {"name": "second", "connector": "c"}]
    connector = {"name": "c", "session_seconds": 900}
    before = manifests.aws(artifact_stores=stores, connectors=[{"name": "c"}])
    after = manifests.aws(artifact_stores=stores, connectors=[connector], stack={"artifact_store": "second"})

    assert [(found.kind, found.name) for found in differing(before, after)] == [
        ("connector", "c"),
        ("stack", "demo"),
    ]


def test_what_is_not_there_yet_or_is_somebody_elses_is_not_told() -> None:
    after = manifests.aws(artifact_stores=[{"name": "main"}, {"name": "new", "storage_class": "glacier_ir"}])
    state = registered(State(), applied(store()))

    assert [*reregistered(state, after, applied(store()).outputs)] == []
    assert [*reregistered(State(), store(storage_class="glacier_ir"), {})] == []


def test_the_plan_shows_it_as_a_change_of_the_store() -> None:
    said = plan_text(summary(store(storage_class="standard_ia")))

    assert "Only what is registered changes; nothing in the cloud does." in said
    assert "  artifact store main\n    ~ what is registered\n" in said
    assert 'config.s3_additional_kwargs.StorageClass: null → "STANDARD_IA"' in said


def test_it_stands_beside_what_changes_in_the_cloud_and_is_not_counted_there() -> None:
    change = Change("module.store_main.aws_s3_bucket.this[0]", "aws_s3_bucket", "create")
    made = summary(store(storage_class="standard_ia"), change)
    said = plan_text(made)

    assert "    ~ what is registered\n" in said
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in said
    assert "Only what is registered" not in said
    (told,) = json.loads(json.dumps(made.to_json()))["registered"]
    assert (told["component"], told["action"]) == ("main", "update")


def test_pull_requests_and_pages_show_it_too() -> None:
    manifest = store(storage_class="standard_ia")
    comment = plan_markdown([summary(manifest)])
    page = plan_page([(manifest, summary(manifest))])

    assert "Only what is registered changes; nothing in the cloud does." in comment
    assert 'config.s3_additional_kwargs.StorageClass: null → "STANDARD_IA"' in comment
    assert "Only what is registered changes." in page
    assert "config.s3_additional_kwargs.StorageClass" in page
