"""What a plan would cost, by Terraform's state and the cloud alone, and what is refused for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import boto3
import manifests
import pytest

from provisioner import guards
from provisioner.errors import NotEmptyError, ProtectedError
from provisioner.losses import Loss, losses
from provisioner.manifest import dump_manifest, load_manifest
from provisioner.terraform.locate import Executable
from provisioner.terraform.runner import ignore_event
from provisioner.terraform.session import PlanOutcome, Session
from provisioner.terraform.stream import Change, StreamResult
from provisioner.verify.base import Places, connect
from provisioner.work import Work, snapshot
from provisioner.workspace import Workspace
from stacks.state import State, StateFile

moto = pytest.importorskip("moto", reason="the emulator comes with the dev extra: moto[server]")

STRICT = {"name": "main", "bucket": "acme", "profile": "strict", "replica_region": "eu-central-1"}
HELD = {
    "module.store_main": {
        "aws_s3_bucket.this": "acme",
        "aws_s3_bucket.logs": "acme-logs",
        "aws_kms_key.this": "",
    },
    "module.replica_main": {"aws_s3_bucket.this": "acme-replica", "aws_kms_key.this": ""},
}


@pytest.fixture(autouse=True)
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The account, with the buckets of a strict store."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with moto.mock_aws():
        client = boto3.client("s3", region_name="eu-west-1")
        for name in ("acme", "acme-logs", "acme-replica"):
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


@pytest.fixture
def stack(workspace: Workspace, fake_terraform: Executable, tmp_path: Path) -> Stack:
    """A stack that Terraform's state holds all of."""
    resources = [
        {
            "mode": "managed",
            "module": module,
            "type": address.split(".")[0],
            "name": address.split(".")[1],
            "instances": [{"attributes": {"bucket": bucket}}],
        }
        for module, held in HELD.items()
        for address, bucket in held.items()
    ]
    workspace.state.write_text(json.dumps({"lineage": "a", "serial": 1, "resources": resources}))
    return Stack(workspace, fake_terraform, tmp_path)


class Stack:
    """At work on it: with the manifest that was applied, if that is known, and the one at hand."""

    def __init__(self, workspace: Workspace, executable: Executable, folder: Path) -> None:
        self.workspace, self.executable, self.folder = workspace, executable, folder

    def applied(self, *stores: dict[str, Any]) -> None:
        text = dump_manifest(snapshot(manifests.loaded(self.folder, **_aws(stores))))
        self.workspace.write_applied_manifest(text)

    def work(self, *stores: dict[str, Any]) -> Work:
        loaded = manifests.loaded(self.folder, **_aws(stores))
        account: Future[str | None] = Future()
        account.set_result("123456789012")
        return Work(
            load_manifest(loaded.path),
            StateFile.locate(environ={"STACKS_STATE": str(self.folder / "state.json")}),
            State(),
            Session(self.workspace, self.executable, on_event=ignore_event),
            connect(loaded.manifest, Places(self.folder, self.folder)),
            account,
            lambda _text: None,
        )


def _aws(stores: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {"provider": "aws", "region": "eu-west-1", "artifact_stores": list(stores)}


def _plan(*addresses: str) -> PlanOutcome:
    stream = StreamResult()
    stream.planned = [Change(address, address.split(".")[2], "delete") for address in addresses]
    return PlanOutcome(changes=True, stream=stream)


def test_what_a_plan_costs_is_named_by_the_state(stack: Stack) -> None:
    """Not by what an apply answered: after a destroy that ended in the middle there are no answers."""
    plan = _plan(
        "module.store_main.aws_s3_bucket.this[0]",
        "module.store_main.aws_s3_bucket.logs[0]",
        "module.store_main.aws_s3_bucket_versioning.this[0]",
        "module.replica_main.aws_s3_bucket.this",
        "module.connector_main.aws_iam_role.this",
    )
    assert losses(stack.work({"name": "other"}), plan) == [
        Loss("main", "main", "acme", beside=False, deleted=True),
        Loss("main", "main", "acme-logs", beside=True, deleted=True),
        Loss("main", "main", "acme-replica", beside=True, deleted=True),
    ]


def test_who_takes_a_key_takes_what_it_encrypts(stack: Stack) -> None:
    plan = _plan("module.store_main.aws_kms_key.this[0]", "module.replica_main.aws_kms_key.this")
    assert losses(stack.work(STRICT), plan) == [
        Loss("main", "main", "acme", beside=False, deleted=False),
        Loss("main", "main", "acme-replica", beside=True, deleted=False),
    ]


def test_copies_are_not_lost_by_leaving_the_profile_strict(stack: Stack, s3: Any) -> None:
    """The bucket stays with its key from elsewhere; logs and copies would go, and the key of the copies."""
    given = {**STRICT, "encryption": {"kms_key": "alias/ml"}}
    stack.applied(given)
    work = stack.work({"name": "main", "bucket": "acme", "encryption": {"kms_key": "alias/ml"}})
    plan = _plan(
        "module.store_main.aws_s3_bucket.logs[0]",
        "module.replica_main.aws_kms_key.this",
        "module.replica_main.aws_s3_bucket.this",
    )
    guards.refuse_data_loss(work, losses(work, plan))

    s3.put_object(Bucket="acme-replica", Key="model", Body=b"weights")
    with pytest.raises(NotEmptyError, match=r"main \(acme-replica\) still holds 1 object"):
        guards.refuse_data_loss(work, losses(work, plan))


def test_a_bucket_is_looked_into_when_nothing_is_known_of_the_last_apply(stack: Stack, s3: Any) -> None:
    """As after a first apply that ended in the middle."""
    s3.put_object(Bucket="acme", Key="model", Body=b"weights")
    work = stack.work({"name": "other"})
    with pytest.raises(NotEmptyError):
        guards.refuse_data_loss(work, losses(work, _plan("module.store_main.aws_s3_bucket.this[0]")))


def test_a_bucket_that_another_store_adopts_ends_with_the_one_that_made_it(stack: Stack) -> None:
    main = {"name": "main", "bucket": "acme", "prefix": "a"}
    second = {"name": "second", "bucket": "acme", "prefix": "b", "existing": True}
    stack.applied(main, second)
    plan = _plan("module.store_main.aws_s3_bucket.this[0]")

    work = stack.work(main, second)
    guards.refuse_unknown_destroy(work, losses(work, plan))

    key = {"encryption": {"kms_key": "alias/ml"}}
    work = stack.work({**main, "protect": False, **key}, second)
    stack.applied({**main, "protect": False}, second)
    guards.refuse_data_loss(work, losses(work, _plan("module.store_main.aws_kms_key.this[0]")))

    work = stack.work(second)
    with pytest.raises(ProtectedError, match="`existing: true` for second, but this stack has made"):
        guards.refuse_unknown_destroy(work, losses(work, plan))
