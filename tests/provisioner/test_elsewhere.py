"""A service at another address than before: where what exists is not to be found, nothing is planned."""

from __future__ import annotations

import manifests
import pytest

from provisioner.elsewhere import refuse_elsewhere
from provisioner.errors import SafetyError
from provisioner.manifest import Manifest
from provisioner.terraform.stream import Change, StreamResult, decode
from stacks.state import ArtifactStoreRecord, State

BUCKET, ROLE = "module.store_main.aws_s3_bucket.this[0]", "module.connector_main_connector.aws_iam_role.this"
HELD = frozenset({BUCKET, ROLE})
OLD, NEW = "http://old.example:9000", "http://new.example:9000"


def at(address: str | None) -> Manifest:
    """The manifest with another address."""
    return manifests.aws(endpoint_url=address)


def registered(address: str | None) -> State:
    """What a runner knows that has not applied it itself."""
    config = {"client_kwargs": {"region_name": "eu-west-1", "endpoint_url": address}}
    ours = ArtifactStoreRecord("main", "s3", "s3://acme", config=config, deployment="demo")
    other = ArtifactStoreRecord("other", "s3", "s3://other", config={}, deployment="another")
    return State(artifact_stores={"main": ours, "other": other})


def plan(**actions: str) -> StreamResult:
    """A plan that does this to the bucket and the role."""
    found = {"bucket": (BUCKET, "aws_s3_bucket"), "role": (ROLE, "aws_iam_role")}
    return StreamResult(planned=[Change(*found[name], action) for name, action in actions.items()])


def vanished(*addresses: str) -> StreamResult:
    """A plan that has not found something, as Terraform tells of it."""
    return decode(
        f'{{"type": "resource_drift", "change": {{"action": "delete", "resource": {{"addr": "{address}", '
        f'"resource_type": "x"}}}}}}'
        for address in addresses
    )


@pytest.mark.parametrize("known", ["applied here", "applied elsewhere"])
@pytest.mark.parametrize("found", [plan(bucket="create", role="create"), vanished(ROLE, BUCKET)])
def test_what_would_be_made_anew_at_another_address_is_refused(known: str, found: StreamResult) -> None:
    applied, state = (at(OLD), State()) if known == "applied here" else (None, registered(OLD))

    with pytest.raises(SafetyError) as refused:
        refuse_elsewhere(at(NEW), applied, state, HELD, found, destroy=False)

    assert refused.value.message.startswith(
        f"demo was applied at {OLD}, and 2 of its resources are not at {NEW}, such as {ROLE}"
    )
    assert "put `endpoint_url` back" in (refused.value.hint or "")
    refuse_elsewhere(at(OLD), applied, state, HELD, found, destroy=False)  # repaired where it was


def test_a_destroy_that_would_forget_something_is_refused() -> None:
    for found in (plan(), plan(bucket="delete")):
        with pytest.raises(SafetyError):
            refuse_elsewhere(at(NEW), at(OLD), State(), HELD, found, destroy=True)
    refuse_elsewhere(at(NEW), at(OLD), State(), HELD, plan(bucket="delete", role="delete"), destroy=True)


def test_from_a_service_to_the_cloud_itself_and_back_is_another_address_as_well() -> None:
    for there, here, words in (
        (OLD, None, "are not at the cloud itself"),
        (None, NEW, "at the cloud itself, and"),
    ):
        with pytest.raises(SafetyError, match=words):
            refuse_elsewhere(at(here), at(there), State(), HELD, plan(bucket="create"), destroy=False)


def test_a_service_that_has_moved_with_all_that_is_in_it_goes_on() -> None:
    for found in (plan(), plan(bucket="update", role="noop")):
        refuse_elsewhere(at(NEW), at(OLD), State(), HELD, found, destroy=False)


def test_where_nothing_is_held_or_known_nothing_can_be_forgotten() -> None:
    made = plan(bucket="create", role="create")

    refuse_elsewhere(at(NEW), at(OLD), State(), (), made, destroy=False)
    refuse_elsewhere(at(NEW), None, State(), HELD, made, destroy=False)
    refuse_elsewhere(at(None), None, registered(None), HELD, made, destroy=False)
