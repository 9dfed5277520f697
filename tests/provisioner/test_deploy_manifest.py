"""The manifest that `artifact-store deploy` writes from a few options."""

from __future__ import annotations

import re

import pytest

from provisioner.deploy import random_name, stack_name, store_manifest
from provisioner.errors import InputError
from provisioner.manifest import dump_manifest, parse_manifest


def test_the_least() -> None:
    assert store_manifest("scratch", "local", {}) == {
        "version": 1,
        "name": "scratch",
        "provider": "local",
        "artifact_stores": [{"name": "scratch", "protect": False}],
    }


def test_each_option_goes_where_it_belongs() -> None:
    made = store_manifest(
        "ml_store",
        "s3",
        {"region": "eu-west-1", "path": "s3://acme-ml/a/b", "versioning": "true", "access": "read-only"},
    )

    assert made == {
        "version": 1,
        "name": "ml-store",
        "provider": "aws",
        "region": "eu-west-1",
        "artifact_stores": [
            {
                "name": "ml_store",
                "bucket": "acme-ml",
                "prefix": "a/b",
                "versioning": "true",
                "protect": False,
                "connector": "ml_store_connector",
            }
        ],
        "connectors": [{"name": "ml_store_connector", "access": "read-only"}],
    }


def test_what_it_makes_is_a_manifest() -> None:
    made = parse_manifest(dump_manifest(store_manifest("ml_store", "s3", {"region": "eu-west-1"})))

    assert made.artifact_stores[0].connector == "ml_store_connector"


def test_a_flavor_or_a_path_that_cannot_be_deployed() -> None:
    with pytest.raises(InputError, match="'floppy' cannot be deployed") as refused:
        store_manifest("x", "floppy", {})
    assert "local" in (refused.value.hint or "")
    for path in ("acme", "gs://acme", "s3:///prefix"):
        with pytest.raises(InputError, match="is not of the form s3://"):
            store_manifest("x", "s3", {"path": path})


def test_a_random_name_can_be_read_and_used() -> None:
    name = random_name()

    assert re.fullmatch(r"[a-z]+_[a-z]+_[0-9a-f]{4}", name)
    assert re.fullmatch(r"[a-z][a-z0-9-]{1,29}", stack_name(name))
    parse_manifest(dump_manifest(store_manifest(name, "local", {})))


@pytest.mark.parametrize("name", ["x", "a" * 29 + "_" + "b" * 10])
def test_a_short_or_a_long_name_still_makes_a_stack(name: str) -> None:
    made = parse_manifest(dump_manifest(store_manifest(name, "local", {})))

    assert 2 <= len(made.name) <= 30
