"""The rules of the records: unique names, existing references, nothing removed while it is used."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stacks.errors import (
    ComponentExistsError,
    ComponentInUseError,
    InvalidNameError,
    InvalidValueError,
    UnknownComponentError,
)
from stacks.state import (
    ArtifactStoreRecord,
    ConnectorRecord,
    DeploymentRecord,
    FlavorRecord,
    StackRecord,
    State,
)

STORE = ArtifactStoreRecord("prod_store", "s3", "s3://bucket", connector="prod_connector")
CONNECTOR = ConnectorRecord("prod_connector", "aws", "iam-role", "s3-bucket", "bucket")
STACK = StackRecord("ml-prod", "prod_store")
DEPLOYMENT = DeploymentRecord(
    name="ml-prod",
    provider="aws",
    region="eu-west-1",
    account="123456789012",
    manifest="/home/me/stack.yaml",
    manifest_sha256="0" * 64,
    workspace="/home/me/.stacks/workspaces/ml-prod",
    applied_at=datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
    engine="terraform 1.9.8",
)


@pytest.fixture
def registered() -> State:
    return State().with_connector(CONNECTOR).with_artifact_store(STORE).with_stack(STACK, activate=True)


@pytest.fixture
def deployed() -> State:
    return State().with_deployment(
        DEPLOYMENT, artifact_stores=[STORE], connectors=[CONNECTOR], stack=STACK, activate=True
    )


def test_a_change_returns_a_new_state_and_leaves_the_old_one(registered: State) -> None:
    changed = registered.with_artifact_store(ArtifactStoreRecord("other", "local", "/data"))
    assert set(changed.artifact_stores) == {"prod_store", "other"}
    assert set(registered.artifact_stores) == {"prod_store"}


def test_a_name_is_registered_once(registered: State) -> None:
    with pytest.raises(ComponentExistsError, match=r"artifact store named 'prod_store'") as caught:
        registered.with_artifact_store(STORE)
    assert (caught.value.kind, caught.value.name) == ("artifact store", "prod_store")
    moved = registered.with_artifact_store(replace(STORE, path="s3://moved"), replacing=True)
    assert moved.artifact_store("prod_store").path == "s3://moved"


def test_references_must_exist(registered: State) -> None:
    with pytest.raises(UnknownComponentError, match=r"no service connector named 'nope'"):
        registered.with_artifact_store(ArtifactStoreRecord("x", "s3", "s3://x", connector="nope"))
    with pytest.raises(UnknownComponentError, match=r"no artifact store named 'nope'"):
        registered.with_stack(StackRecord("x", "nope"))
    with pytest.raises(UnknownComponentError, match=r"no stack named 'nope'"):
        registered.with_active_stack("nope")


def test_an_unknown_name_suggests_the_nearest_one(registered: State) -> None:
    with pytest.raises(UnknownComponentError) as caught:
        registered.artifact_store("prod_stor")
    assert caught.value.hint == "did you mean 'prod_store'?"
    with pytest.raises(UnknownComponentError) as caught:
        registered.artifact_store("xyz")
    assert caught.value.hint == "registered are: prod_store"


def test_what_is_used_is_not_removed(registered: State) -> None:
    with pytest.raises(ComponentInUseError, match=r"'prod_store' is used by stack ml-prod") as caught:
        registered.without_artifact_store("prod_store")
    assert caught.value.users == ("ml-prod",)
    with pytest.raises(ComponentInUseError, match=r"'prod_connector' is used by artifact store prod_store"):
        registered.without_connector("prod_connector")
    emptied = registered.without_stack("ml-prod").without_artifact_store("prod_store")
    assert emptied.without_connector("prod_connector") == State()


def test_removing_the_active_stack_leaves_none_active(registered: State) -> None:
    assert registered.active_stack == "ml-prod"
    assert registered.without_stack("ml-prod").active_stack is None


def test_a_rename_reaches_every_reference(registered: State) -> None:
    renamed = (
        registered.with_connector_renamed("prod_connector", "c2")
        .with_artifact_store_renamed("prod_store", "s2")
        .with_stack_renamed("ml-prod", "k2")
    )
    assert renamed.artifact_store("s2").connector == "c2"
    assert renamed.stack("k2").artifact_store == "s2"
    assert renamed.active_stack == "k2"
    assert renamed.problems() == []


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "\uff41", "a\n", "a" * 101, "\x1b[31mred"])
def test_names_are_plain_ascii(name: str) -> None:
    with pytest.raises(InvalidNameError):
        State().with_artifact_store(ArtifactStoreRecord(name, "local", "/data"))


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"secret": "canary"}, "secret"),
        ({"client_kwargs": {"aws_secret_access_key": "canary"}}, "client_kwargs.aws_secret_access_key"),
        ({"s3_additional_kwargs": {"SSECustomerKey": "canary"}}, "s3_additional_kwargs.SSECustomerKey"),
        ({"token": {"nested": "canary"}}, "token"),
    ],
)
def test_a_plain_secret_never_enters(config: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidValueError, match=field) as caught:
        State().with_artifact_store(ArtifactStoreRecord("x", "s3", "s3://x", config))
    assert "canary" not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def test_a_reference_to_a_secret_is_welcome() -> None:
    record = ArtifactStoreRecord("x", "s3", "s3://x", {"secret": "{{ mine.secret }}", "key": "{{mine.key}}"})
    assert State().with_artifact_store(record).artifact_store("x") == record


def test_flavors_stay_while_a_store_is_of_them() -> None:
    state = State().with_flavor(FlavorRecord("mine", "pkg.module.Store"))
    used = state.with_artifact_store(ArtifactStoreRecord("x", "mine", "mine://x"))
    with pytest.raises(ComponentInUseError):
        used.without_flavor("mine")
    assert state.without_flavor("mine") == State()


def test_a_deployment_registers_everything_at_once_as_its_own(deployed: State) -> None:
    assert deployed.artifact_store("prod_store").deployment == "ml-prod"
    assert deployed.connector("prod_connector").deployment == "ml-prod"
    assert deployed.stack("ml-prod").deployment == "ml-prod"
    assert deployed.active_stack == "ml-prod"
    recorded = deployed.deployment("ml-prod")
    assert (recorded.artifact_stores, recorded.connectors) == (("prod_store",), ("prod_connector",))
    assert recorded.stack == "ml-prod"


def test_the_next_apply_replaces_what_the_last_one_registered(deployed: State) -> None:
    second = ArtifactStoreRecord("second", "s3", "s3://second")
    stack = StackRecord("ml-prod", "second")
    state = deployed.with_deployment(DEPLOYMENT, artifact_stores=[second], stack=stack)
    assert set(state.artifact_stores) == {"second"}
    assert not state.connectors
    assert state.active_stack == "ml-prod"
    assert state.problems() == []


def test_a_deployment_does_not_take_over_what_somebody_else_registered() -> None:
    state = State().with_artifact_store(ArtifactStoreRecord("prod_store", "local", "/data"))
    with pytest.raises(ComponentExistsError):
        state.with_deployment(DEPLOYMENT, artifact_stores=[replace(STORE, connector=None)])


def test_a_deployment_goes_with_all_it_manages(deployed: State) -> None:
    assert deployed.without_deployment("ml-prod") == State()


def test_a_deployment_stays_while_others_use_its_stores(deployed: State) -> None:
    borrowed = deployed.with_stack(StackRecord("mine", "prod_store"))
    with pytest.raises(ComponentInUseError, match=r"used by stack mine"):
        borrowed.without_deployment("ml-prod")
    with pytest.raises(ComponentInUseError):
        borrowed.with_deployment(DEPLOYMENT)
    lent = deployed.with_artifact_store(ArtifactStoreRecord("x", "s3", "s3://x", connector="prod_connector"))
    with pytest.raises(ComponentInUseError, match=r"used by artifact store x"):
        lent.without_deployment("ml-prod")
