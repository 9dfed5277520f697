"""Registration: all the records of an apply in one write, or none of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import manifests
import pytest

from provisioner.errors import UpstreamError
from provisioner.manifest import Manifest
from provisioner.register import Applied, check_registrable, deregister, register, registered
from stacks.errors import ComponentExistsError, ComponentInUseError
from stacks.state import ArtifactStoreRecord, StackRecord, State, StateFile

ROLE = "arn:aws:iam::123456789012:role/demo"


def applied(manifest: Manifest, **changed: Any) -> Applied:
    """An apply of ``manifest``, with outputs as Terraform gives them."""
    outputs = {
        "account": "123456789012",
        "artifact_stores": {
            store.name: {"bucket": f"b-{store.name}", "path": f"s3://b-{store.name}"}
            for store in manifest.artifact_stores
        },
        "connectors": {connector.name: {"role_arn": ROLE} for connector in manifest.connectors},
    }
    first = Applied(manifest, "/m/stack.yaml", "0" * 64, outputs, "/w", "terraform on PATH")
    return replace(first, **changed)


@pytest.fixture
def state_file(tmp_path: Path) -> StateFile:
    """A state file that is not there yet."""
    return StateFile(tmp_path / "state.json")


def test_what_an_apply_registers(state_file: StateFile) -> None:
    manifest = manifests.everything()

    state = register(state_file, applied(manifest))

    store = state.artifact_store("prod_store")
    assert (store.flavor, store.path, store.connector) == ("s3", "s3://b-prod_store", "prod_connector")
    assert store.config == {"client_kwargs": {"region_name": "eu-west-1"}}
    assert store.deployment == "demo"
    connector = state.connector("prod_connector")
    assert connector.auth_method == "iam-role"
    assert connector.config == {
        "region": "eu-west-1",
        "access": "read-only",
        "session_seconds": 7200,
        "role_arn": ROLE,
        "external_id": "acme-ml",
    }
    assert connector.resource_id is None  # it serves two stores
    assert state.active_stack == "demo"
    assert state.stack("demo").artifact_store == "prod_store"
    deployment = state.deployment("demo")
    assert (deployment.account, deployment.manifest_sha256) == ("123456789012", "0" * 64)
    assert deployment.artifact_stores == ("prod_store", "adopted")
    assert state.problems() == []
    assert state_file.read() == state


def test_registering_the_same_again_writes_nothing(state_file: StateFile) -> None:
    first = register(state_file, applied(manifests.aws()))

    assert register(state_file, applied(manifests.aws())) == first


def test_a_later_apply_replaces_what_the_earlier_one_registered(state_file: StateFile) -> None:
    register(state_file, applied(manifests.aws(artifact_stores=[{"name": "old"}, {"name": "kept"}])))

    state = register(state_file, applied(manifests.aws(artifact_stores=[{"name": "kept"}])))

    assert list(state.artifact_stores) == ["kept"]
    assert list(state.connectors) == ["kept_connector"]


def test_an_output_that_is_missing_leaves_the_file_as_it_was(state_file: StateFile) -> None:
    before = register(state_file, applied(manifests.aws()))
    wider = manifests.aws(artifact_stores=[{"name": "main"}, {"name": "second"}])

    with pytest.raises(UpstreamError, match=r"Terraform gave no output artifact_stores\.second\.path"):
        register(state_file, applied(wider, outputs=applied(manifests.aws()).outputs))

    assert state_file.read() == before


def test_a_name_that_is_taken_is_refused_before_terraform_runs() -> None:
    taken = State().with_artifact_store(ArtifactStoreRecord("main", "local", "/by/hand"))

    with pytest.raises(ComponentExistsError, match="'main' is already registered"):
        check_registrable(taken, manifests.manifest())
    check_registrable(taken, manifests.manifest(artifact_stores=[{"name": "other"}]))


def test_its_own_names_are_not_taken() -> None:
    manifest = manifests.aws()

    check_registrable(registered(State(), applied(manifest)), manifest)


def test_what_somebody_else_uses_is_not_deregistered(state_file: StateFile) -> None:
    register(state_file, applied(manifests.manifest()))
    state_file.update(lambda state: state.with_stack(StackRecord("theirs", "main")))

    with pytest.raises(ComponentInUseError, match="theirs"):
        deregister(state_file, "demo")


def test_deregistering_leaves_nothing_and_can_be_repeated(state_file: StateFile) -> None:
    register(state_file, applied(manifests.aws()))

    state = deregister(state_file, "demo")

    assert [*state.artifact_stores, *state.connectors, *state.stacks, *state.deployments] == []
    assert state.active_stack is None
    assert deregister(state_file, "demo") == state
