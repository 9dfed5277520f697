"""The stand-in provider itself, under real Terraform: what a module's tests may conclude from it.

The provider here is a stand-in: the official schema of hashicorp/google 6.50.0, and a server that keeps what
it is given.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from standin.api import SERVER
from standin.keeper import Keeper, keeping
from standin.mirror import Mirror
from terraform_rig import Terraform, TerraformError, terraform_in

_ROOT = """
terraform {
  required_providers {
    google = {
      source = "hashicorp/google"
    }
  }
}

provider "google" {
  project = "project-one"
}

variable "location" {
  type    = string
  default = "EU"
}

variable "days" {
  type    = number
  default = 30
}

variable "labels" {
  type    = map(string)
  default = {}
}

resource "google_storage_bucket" "this" {
  name     = "bucket-one"
  location = var.location
  labels   = var.labels

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.days
    }
  }
}

resource "google_service_account" "this" {
  account_id = "account-one"
}

resource "google_service_account_key" "this" {
  service_account_id = google_service_account.this.name
}

resource "google_storage_bucket_iam_member" "this" {
  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = google_service_account.this.member
}

output "self_link" {
  value = google_storage_bucket.this.self_link
}
"""

_HANDLERS = """
from standin.resources import Resource
from standin.values import UNKNOWN


class Bucket(Resource):
    volatile = frozenset({"updated"})
    computed_blocks = frozenset({"soft_delete_policy"})

    def computed(self, api, planned):
        policy = {"retention_duration_seconds": 604800, "effective_time": "now"}
        return {"self_link": "https://made.up/" + planned["name"], "soft_delete_policy": [policy]}

    def validate(self, config):
        return ["names have three letters at least"] if config["name"] == "no" else []


class Account(Resource):
    def known(self, api, planned):
        email = f"{planned['account_id']}@{api.config['project']}.example"
        return {"email": email, "member": f"serviceAccount:{email}", "name": f"accounts/{email}"}

    def identity(self, planned):
        return planned["account_id"]


class Broken(Resource):
    def create(self, api, planned):
        return {**super().create(api, planned), "role_id": "another"}


RESOURCES = {
    "google_storage_bucket": Bucket,
    "google_service_account": Account,
    "google_project_iam_custom_role": Broken,
}
"""

_BUCKET = "/google_storage_bucket/bucket-one"


@pytest.fixture(scope="module")
def keeper() -> Iterator[Keeper]:
    with keeping() as server:
        yield server


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, terraform: Path, keeper: Keeper) -> Terraform:
    base = tmp_path_factory.mktemp("standin")
    handlers = base / "handlers_of_the_test.py"
    handlers.write_text(_HANDLERS)
    mirror = Mirror(base / "mirror")
    mirror.stand_in("google", "6.50.0", handlers=handlers)
    assert mirror.ran == {"google": "hashicorp/google 6.50.0: a stand-in"}
    folder = base / "root"
    folder.mkdir()
    (folder / "main.tf").write_text(_ROOT)
    rig = terraform_in(folder, terraform, mirror.folder)
    rig = replace(rig, environment={**rig.environment, SERVER: keeper.url})
    rig.init()
    return rig


@pytest.fixture(autouse=True)
def nothing_there(root: Terraform, keeper: Keeper) -> None:
    """Every test begins with an empty world, an empty state and the same configuration."""
    keeper.things.clear()
    keeper.asked.clear()
    for name in ("terraform.tfstate", "terraform.tfvars.json", "extra.tf"):
        (root.folder / name).unlink(missing_ok=True)


def _changes(root: Terraform) -> dict[str, list[str]]:
    changes = {
        change["address"]: change["change"]["actions"] for change in root.shown_plan()["resource_changes"]
    }
    return {address.split(".")[0]: actions for address, actions in changes.items() if actions != ["no-op"]}


def _planned(root: Terraform, kind: str) -> dict[str, Any]:
    (change,) = [item["change"] for item in root.shown_plan()["resource_changes"] if item["type"] == kind]
    return dict(change)


def test_what_is_applied_is_there_and_needs_no_second_apply(root: Terraform, keeper: Keeper) -> None:
    assert root.plan()
    account = _planned(root, "google_service_account")
    assert account["after"]["member"] == "serviceAccount:account-one@project-one.example"
    assert account["after_unknown"]["unique_id"] is True
    bucket = _planned(root, "google_storage_bucket")
    assert bucket["after"]["storage_class"] == "STANDARD", "a default of the overlay"
    assert bucket["after_unknown"]["soft_delete_policy"] is True
    root.apply()
    assert keeper.things[_BUCKET]["lifecycle_rule"][0]["condition"][0]["age"] == 30
    assert root.output("self_link") == "https://made.up/bucket-one"
    assert not root.plan()


def test_secrets_are_marked(root: Terraform) -> None:
    root.plan()
    key = _planned(root, "google_service_account_key")
    assert key["after_sensitive"].get("private_key") is True


def test_a_change_is_an_update(root: Terraform, keeper: Keeper) -> None:
    root.plan()
    root.apply()
    root.variables({"days": 7, "labels": {"team": "ml"}})
    assert root.plan()
    assert _changes(root) == {"google_storage_bucket": ["update"]}
    assert _planned(root, "google_storage_bucket")["after_unknown"]["updated"] is True
    root.apply()
    assert keeper.things[_BUCKET]["labels"] == {"team": "ml"}
    assert not root.plan()


def test_a_change_of_what_is_fixed_makes_a_new_one(root: Terraform, keeper: Keeper) -> None:
    root.plan()
    root.apply()
    root.variables({"location": "US"})
    assert root.plan()
    assert _changes(root)["google_storage_bucket"] == ["delete", "create"]
    keeper.asked.clear()
    root.apply()
    assert keeper.methods()[:2] == ["DELETE", "PUT"]
    assert not root.plan()


def test_what_was_changed_behind_its_back_is_drift(root: Terraform, keeper: Keeper) -> None:
    root.plan()
    root.apply()
    keeper.things[_BUCKET]["labels"] = {"by": "hand"}
    assert root.plan()
    (drift,) = root.shown_plan()["resource_drift"]
    assert drift["change"]["after"]["labels"] == {"by": "hand"}


def test_what_has_vanished_is_made_again(root: Terraform, keeper: Keeper) -> None:
    root.plan()
    root.apply()
    del keeper.things[_BUCKET]
    assert root.plan()
    assert _changes(root)["google_storage_bucket"] == ["create"]
    root.apply()
    assert _BUCKET in keeper.things


def test_what_exists_can_be_imported(root: Terraform, keeper: Keeper) -> None:
    root.plan()
    root.apply()
    (root.folder / "terraform.tfstate").unlink()
    root.run("import", "-input=false", "-no-color", "google_storage_bucket.this", "bucket-one")
    root.plan()
    assert "google_storage_bucket" not in _changes(root)


def test_destroy_leaves_nothing(root: Terraform, keeper: Keeper) -> None:
    root.plan()
    root.apply()
    root.destroy()
    assert keeper.things == {}


def test_the_service_s_refusal_is_terraform_s_error(root: Terraform, keeper: Keeper) -> None:
    keeper.things[_BUCKET] = {"of": "somebody else"}
    root.plan()
    with pytest.raises(TerraformError, match="409"):
        root.apply()


def test_a_handler_s_own_checks_and_broken_promises_are_errors(root: Terraform) -> None:
    extra = root.folder / "extra.tf"
    extra.write_text('resource "google_storage_bucket" "bad" {\n  name = "no"\n  location = "EU"\n}\n')
    with pytest.raises(TerraformError, match="three letters"):
        root.run("validate", "-no-color")
    extra.write_text(
        'resource "google_project_iam_custom_role" "x" {\n'
        '  role_id = "one"\n  title = "t"\n  permissions = ["a.b.c"]\n}\n'
    )
    root.plan()
    with pytest.raises(TerraformError, match="role_id was planned as 'one'"):
        root.apply()


def test_schema_alone_serves_validate_and_mocked_tests(root: Terraform, keeper: Keeper) -> None:
    tests = root.folder / "tests"
    tests.mkdir()
    (tests / "one.tftest.hcl").write_text(
        'mock_provider "google" {}\n\nrun "plans" {\n  command = plan\n  assert {\n'
        '    condition     = google_storage_bucket.this.name == "bucket-one"\n'
        '    error_message = "another name"\n  }\n}\n'
    )
    began = time.monotonic()
    root.run("validate", "-no-color")
    assert time.monotonic() - began < 5, "a start of the stand-in takes a fraction of a second"
    root.run("test", "-no-color")
    (root.folder / "extra.tf").write_text('resource "google_storage_bucket" "b" {\n  nmae = "no"\n}\n')
    with pytest.raises(TerraformError, match="nmae"):
        root.run("validate", "-no-color")
    assert keeper.asked == []


def test_a_real_provider_goes_before_a_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROVISION_PLUGIN_MIRROR", raising=False)
    found = tmp_path / "found"
    there = Mirror(found)
    there.stand_in("google", "8.7.0")  # takes the real one's place: only the layout tells
    mirror = Mirror(tmp_path / "mirror")
    assert mirror.real_or_stand_in("google", "6.50.0", mirrors=(None, found))
    assert mirror.ran == {"google": "hashicorp/google 8.7.0: the real one"}
    assert mirror.is_real("google")
    assert not mirror.real_or_stand_in("random", "3.7.2", mirrors=(found,))
    assert mirror.ran["random"] == "hashicorp/random 3.7.2: a stand-in"
