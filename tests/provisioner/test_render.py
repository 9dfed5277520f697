"""Rendering: the same manifest gives the same bytes, and what a user wrote is never HCL."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import manifests
import pytest

from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.manifest import Manifest
from provisioner.render import differing, render, write_rendering

CEPH = {
    "endpoint_url": "https://ceph.example:8443",
    "compatibility": "ceph",
    "connectors": [{"name": "role", "trusted_principals": ["arn:aws:iam:::user/ci"]}],
    "artifact_stores": [{"name": "main", "connector": "role"}],
}
MINIO = {"endpoint_url": "http://minio.example:9000", "compatibility": "minio"}
STATIC = {
    "connectors": [{"name": "keys", "auth_method": "secret-key", "authentication_secret": "keys"}],
    "artifact_stores": [{"name": "main", "connector": "keys"}],
}

SAMPLES: dict[str, Manifest] = {
    "local": manifests.manifest(artifact_stores=[{"name": "main"}, {"name": "b-2", "renamed_from": "b_1"}]),
    "aws": manifests.aws(),
    "aws with everything": manifests.everything(),
    "ceph": manifests.aws(**CEPH),
    "minio": manifests.aws(**MINIO, **STATIC),
}


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Manifest:
    """Each kind of manifest in turn."""
    return SAMPLES[request.param]


def test_terraform_fmt_has_nothing_to_say(sample: Manifest, tmp_path: Path) -> None:
    binary = shutil.which("terraform") or shutil.which("tofu")
    if binary is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    write_rendering(render(sample), tmp_path, private=False)

    done = subprocess.run(
        [binary, "fmt", "-check", "-diff", "-recursive", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("zone", "locale", "user"), [("Asia/Kathmandu", "C", "root"), ("Asia/Tokyo", "tr_TR.UTF-8", "nobody")]
)
def test_the_bytes_are_the_same_wherever_they_are_made(
    sample: Manifest, tmp_path: Path, zone: str, locale: str, user: str
) -> None:
    """On another path, for another user, in another time zone and locale, with other hashes."""
    path = tmp_path / "elsewhere" / "stack.yaml"
    path.parent.mkdir()
    path.write_text(sample.model_dump_json(exclude_defaults=True))
    other = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TZ": zone, "LC_ALL": locale, "LANG": locale}
    other |= {"USER": user, "LOGNAME": user, "PYTHONHASHSEED": str(len(zone))}
    command = [sys.executable, "-m", "provisioner", "render", str(path), "-o", str(tmp_path / "out")]
    subprocess.run(command, cwd=path.parent, env=other, check=True, capture_output=True)

    assert differing(render(sample), tmp_path / "out") == []


def test_nothing_of_this_machine_or_moment_is_in_it(sample: Manifest) -> None:
    text = "".join(render(sample).values())

    for fact in (Path.home(), Path.cwd(), Path(__file__).parents[2], sys.prefix):
        assert str(fact) not in text
    assert not re.search(r"\b20[2-9]\d-\d\d-\d\d\b", text)


def test_what_a_user_wrote_is_data_and_never_hcl() -> None:
    files = render(manifests.everything())
    data = json.loads(files["terraform.tfvars.json"])

    for text in (
        "acme-ml-prod",
        "artifacts/v1",
        "alias/ml",
        "theirs",
        "role/ci",
        "acme-ml",
        "eu-west-1",
        'ml"',
    ):
        assert text not in files["main.tf"]
    assert data["artifact_stores"]["prod_store"]["bucket"] == "acme-ml-prod"
    assert data["connectors"]["prod_connector"]["external_id"] == "acme-ml"
    assert data["tags"] == {"team": "ml"}


@pytest.mark.parametrize("wild", ['${file("/etc/passwd")}', "%{ if true }x%{ endif }", "{{ 7 * 7 }}", 'a"b'])
def test_text_that_looks_like_code_reaches_terraform_as_that_text(wild: str) -> None:
    files = render(manifests.manifest(artifact_stores=[{"name": "main", "bucket": f"/data/{wild}"}]))

    assert json.loads(files["terraform.tfvars.json"])["artifact_stores"]["main"]["bucket"] == f"/data/{wild}"
    assert wild not in files["main.tf"]


def test_a_rename_is_a_move() -> None:
    main = render(manifests.everything())["main.tf"]

    assert "from = module.store_old_store\n  to   = module.store_prod_store" in main
    assert "from = module.connector_old_connector\n  to   = module.connector_prod_connector" in main


def test_the_order_of_stores_in_the_manifest_changes_nothing() -> None:
    stores = [{"name": "b"}, {"name": "a"}]

    assert (
        render(manifests.aws(artifact_stores=stores))["main.tf"]
        == (render(manifests.aws(artifact_stores=stores[::-1]))["main.tf"])
    )


def test_what_a_service_lacks_is_left_out_and_told() -> None:
    assert PROVIDERS["aws"].missing_protections(manifests.aws()) == []
    told = PROVIDERS["aws"].missing_protections(manifests.aws(**MINIO, **STATIC))

    assert [text.split(":")[0] for text in told] == [
        "server-side encryption settings",
        "owner-enforced objects (ACLs stay possible)",
        "the public access block",
        "the policy that denies plain HTTP",
    ]
    main = render(manifests.aws(**MINIO, **STATIC))["main.tf"]
    assert "aws_caller_identity" not in main
    assert 'module "connector_' not in main
    assert "tls_only             = false" in main


# --- onto the disk ------------------------------------------------------------------------------------


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    files = render(manifests.aws())

    assert sorted(write_rendering(files, tmp_path, private=True)) == sorted(files)
    assert write_rendering(files, tmp_path, private=True) == []


def test_what_is_no_longer_rendered_goes_and_terraforms_own_files_stay(tmp_path: Path) -> None:
    write_rendering(render(manifests.aws()), tmp_path, private=True)
    for kept in ("terraform.tfstate", ".terraform.lock.hcl"):
        (tmp_path / kept).write_text("kept")
    stale = tmp_path / "modules" / "aws" / "artifact-store" / "stale.tf"
    stale.write_text("")

    changed = write_rendering(render(manifests.manifest()), tmp_path, private=True)

    assert not stale.exists()
    assert "modules/aws/artifact-store/stale.tf" in changed
    assert (tmp_path / "terraform.tfstate").read_text() == "kept"


def test_modules_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    """`provision render -o .` in a project that has modules of its own."""
    theirs = tmp_path / "modules" / "network" / "main.tf"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("# theirs")

    write_rendering(render(manifests.aws()), tmp_path, private=False)

    assert theirs.read_text() == "# theirs"


@pytest.mark.parametrize("name", ["evil.tf", "override.tf.json", "evil.auto.tfvars", "evil.auto.tfvars.json"])
def test_nothing_but_the_rendering_is_configuration_in_a_workspace(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("evil")
    (tmp_path / "machine.auto.tfvars.json").write_text("{}")

    changed = write_rendering(render(manifests.manifest()), tmp_path, private=True)

    assert name in changed
    assert not (tmp_path / name).exists()
    assert (tmp_path / "machine.auto.tfvars.json").exists()
    (tmp_path / name).write_text("theirs")
    write_rendering(render(manifests.manifest()), tmp_path, private=False)
    assert (tmp_path / name).exists()  # in a folder of the user's, their files are theirs


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (target / "modules").symlink_to(outside)

    for private in (True, False):
        with pytest.raises(InputError, match="leads outside of"):
            write_rendering(render(manifests.manifest()), target, private=private)
    assert list(outside.rglob("*.tf")) == []


def test_a_file_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "target"
    victim.write_text("theirs")
    target.mkdir()
    (target / "main.tf").symlink_to(victim)

    with pytest.raises(InputError, match="leads outside of"):
        write_rendering(render(manifests.manifest()), target, private=False)

    assert victim.read_text() == "theirs"


def test_a_workspace_is_for_this_user_alone(tmp_path: Path) -> None:
    write_rendering(render(manifests.aws()), tmp_path / "root", private=True)

    for path in (tmp_path / "root").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
