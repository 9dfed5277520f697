"""Bundles as files: whole or refused, signed or not, and what differs from how things are."""

from __future__ import annotations

import dataclasses
import io
import json
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provisioner.bundle import Bundle, Record, parse_bundle, read_bundle
from provisioner.bundle.archive import MEMBERS, pack
from provisioner.bundle.plan_file import read_plan_file
from provisioner.bundle.present import Present, differences, locked_providers
from provisioner.bundle.record import ManifestInputs, StateIdentity, as_bytes, digest
from provisioner.bundle.repository import revision_of
from provisioner.bundle.signing import new_key, read_public_key
from provisioner.errors import InputError, StalePlanError

AWS = "registry.terraform.io/hashicorp/aws"
LOCK = f'provider "{AWS}" {{\n  version     = "5.100.0"\n  hashes = ["h1:x"]\n}}\n'.encode()
PLAN, SUMMARY = b"the plan", as_bytes({"format": 1})
RECORD: dict[str, Any] = {
    "format": 1,
    "product": "0.1.0",
    "planned_at": "2026-01-01T00:00:00+00:00",
    "stack": "demo",
    "operation": "apply",
    "account": "123456789012",
    "engine": {"program": "terraform", "version": "1.11.4", "kind": "binary"},
    "providers": {AWS: "5.100.0"},
    "manifest": {
        "path": "stacks/demo.yaml",
        "sources": [{"path": "demo.yaml", "sha256": "1" * 64}, {"path": "../base.yaml", "sha256": "2" * 64}],
        "overrides": [],
    },
    "rendering": {"main.tf": "3" * 64, "modules/aws/artifact-store/outputs.tf": "4" * 64},
    "revision": {"commit": "a" * 40, "tree": "b" * 40, "dirty": []},
    "state": {"lineage": "one", "serial": 7},
    "changes": [],
    "files": {
        "plan.tfplan": digest(PLAN),
        "terraform.lock.hcl": digest(LOCK),
        "summary.json": digest(SUMMARY),
    },
}


def sample() -> Bundle:
    """A bundle whose plan is no plan: its form is all that matters here."""
    record = Record.model_validate(RECORD)
    return Bundle("x.bundle", record, record.to_bytes(), PLAN, LOCK, {"format": 1}, SUMMARY)


def members(bundle: Bundle) -> dict[str, bytes]:
    """What is in the file."""
    with tarfile.open(fileobj=io.BytesIO(bundle.to_bytes())) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]


def present(**changes: Any) -> Present:
    """How things are, by default as they were."""
    record = Record.model_validate(RECORD)
    same = Present(
        stack=record.stack,
        manifest=record.manifest,
        rendering=record.rendering,
        engine_version=record.engine.version,
        lock=LOCK,
        revision=record.revision,
        state=record.state,
    )
    return dataclasses.replace(same, **changes)


# --- the file -----------------------------------------------------------------------------------------


def test_the_same_content_is_the_same_bytes_for_this_user_alone(tmp_path: Path) -> None:
    sample().write(tmp_path / "x.bundle")

    assert (tmp_path / "x.bundle").read_bytes() == sample().to_bytes()
    assert stat.S_IMODE((tmp_path / "x.bundle").stat().st_mode) == 0o600
    with tarfile.open(tmp_path / "x.bundle") as archive:
        assert {(entry.mode, entry.mtime, entry.uid, entry.uname) for entry in archive} == {(0o600, 0, 0, "")}
    found = read_bundle(tmp_path / "x.bundle")
    assert (found.record, found.plan, found.lock) == (sample().record, PLAN, LOCK)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("plan.tfplan", "its plan file was changed"),
        ("terraform.lock.hcl", "its provider lock file was changed"),
        ("summary.json", "its summary was changed"),
        ("record.json", "its record was changed"),
    ],
)
def test_every_part_is_held_to_the_record(member: str, said: str) -> None:
    inside = members(sample())
    inside[member] = inside[member].replace(b"a", b"b", 1) + b" "

    with pytest.raises(StalePlanError, match=said):
        parse_bundle(pack(inside), "x.bundle")


@pytest.mark.parametrize("member", [name for name in MEMBERS if name != "signature.json"])
def test_a_part_that_is_missing_is_missed(member: str) -> None:
    inside = members(sample())
    del inside[member]

    with pytest.raises((StalePlanError, InputError)):
        parse_bundle(pack(inside), "x.bundle")


def test_no_byte_can_be_changed_or_cut_off_unnoticed() -> None:
    whole = sample().to_bytes()
    for at in range(0, len(whole), 97):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises((StalePlanError, InputError)):
            parse_bundle(changed, "x.bundle")
        with pytest.raises((StalePlanError, InputError)):
            parse_bundle(whole[:at], "x.bundle")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_nothing_but_its_own_files_is_taken(kind: bytes) -> None:
    target = io.BytesIO(sample().to_bytes())
    with tarfile.open(fileobj=target, mode="a") as archive:
        entry = tarfile.TarInfo("signature.json")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)

    with pytest.raises(StalePlanError, match="does not belong in it"):
        parse_bundle(target.getvalue(), "x.bundle")


@pytest.mark.parametrize(("written", "hint"), [(0, "plan again"), (2, "with the version that planned it")])
def test_another_format_is_refused_with_what_to_do(written: int, hint: str) -> None:
    inside = members(sample())
    inside["record.json"] = as_bytes({**RECORD, "format": written})
    inside["record.sha256"] = digest(inside["record.json"]).encode()

    with pytest.raises(StalePlanError, match=f"format {written}") as refused:
        parse_bundle(pack(inside), "x.bundle")
    assert hint in str(refused.value.hint)


@pytest.mark.parametrize("change", [{"serial": 1}, {"stack": 3}, {"rendering": {"main.tf": "short"}}])
def test_a_record_with_other_fields_is_no_record(change: dict[str, Any]) -> None:
    inside = members(sample())
    inside["record.json"] = as_bytes({**RECORD, **change})
    inside["record.sha256"] = digest(inside["record.json"]).encode()

    with pytest.raises(StalePlanError, match="its record does not hold at"):
        parse_bundle(pack(inside), "x.bundle")


def sealed(member: str, content: bytes) -> bytes:
    """A bundle with this content in it, and a record to match."""
    inside = members(sample().signed(new_key()[0]))
    inside[member] = content
    if member in RECORD["files"]:
        files = RECORD["files"] | {member: digest(content)}
        inside["record.json"] = as_bytes({**RECORD, "files": files})
        del inside["signature.json"]
    inside["record.sha256"] = digest(inside["record.json"]).encode()
    return pack(inside)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"9" * 5000, b"\xff", b"null"])
@pytest.mark.parametrize("member", ["record.json", "summary.json", "signature.json"])
def test_json_that_is_none_or_a_bomb_is_refused(member: str, content: bytes) -> None:
    with pytest.raises(StalePlanError, match="cannot be read"):
        parse_bundle(sealed(member, content), "x.bundle")


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"{}", b"record.json"])
def test_what_is_no_bundle_is_called_so(content: bytes) -> None:
    with pytest.raises(InputError, match="is not a bundle"):
        parse_bundle(content, "x.bundle")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 and no more", b"\0" * 4000])
def test_a_plan_file_that_is_none(content: bytes) -> None:
    with pytest.raises(StalePlanError, match="the plan file cannot be read"):
        read_plan_file(content)


# --- signatures ---------------------------------------------------------------------------------------


def test_a_signature_holds_for_its_key_and_its_record_alone() -> None:
    private, public = new_key()
    signed = parse_bundle(sample().signed(private).to_bytes(), "x.bundle")

    signed.refuse_unsigned([new_key()[1], public], required=True)
    with pytest.raises(StalePlanError, match="not a key that is required here"):
        signed.refuse_unsigned([new_key()[1]], required=True)
    with pytest.raises(StalePlanError, match="is not signed"):
        sample().refuse_unsigned([public], required=True)


def test_a_record_cannot_be_changed_under_its_signature() -> None:
    private, _ = new_key()
    inside = members(sample().signed(private))
    inside["record.json"] = as_bytes({**RECORD, "account": "999999999999"})
    inside["record.sha256"] = digest(inside["record.json"]).encode()

    with pytest.raises(StalePlanError, match="the signature is not of this record"):
        parse_bundle(pack(inside), "x.bundle")


def test_naming_the_required_key_is_not_signing_with_it() -> None:
    """The public key in a bundle is what its maker says; it proves nothing."""
    private, _ = new_key()
    _, required = new_key()
    inside = members(sample().signed(private))
    inside["signature.json"] = as_bytes({**json.loads(inside["signature.json"]), "public_key": required})

    with pytest.raises(StalePlanError, match="the signature is not of this record"):
        parse_bundle(pack(inside), "x.bundle")


@pytest.mark.parametrize("change", [{"algorithm": "none"}, {"signature": "!"}, {"public_key": "x"}])
def test_a_signature_that_is_none(change: dict[str, str]) -> None:
    inside = members(sample().signed(new_key()[0]))
    inside["signature.json"] = as_bytes({**json.loads(inside["signature.json"]), **change})

    with pytest.raises(StalePlanError, match="its signature cannot be read"):
        parse_bundle(pack(inside), "x.bundle")


def test_keys_in_every_usual_form() -> None:
    key = Ed25519PrivateKey.generate()
    encoding, private, public = (
        serialization.Encoding,
        serialization.PrivateFormat,
        serialization.PublicFormat,
    )
    plain = serialization.NoEncryption()
    forms = [
        key.private_bytes(encoding.PEM, private.PKCS8, plain),
        key.private_bytes(encoding.PEM, private.OpenSSH, plain),
    ]
    written = {
        read_public_key(key.public_key().public_bytes(*form).decode())
        for form in ((encoding.PEM, public.SubjectPublicKeyInfo), (encoding.OpenSSH, public.OpenSSH))
    }

    assert len(written) == 1
    for form in forms:
        assert {sample().signed(form).signature.public_key} == written  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["", "ed25519:", "ed25519:AAAA", "ssh-rsa AAAA", "-----BEGIN PUBLIC KEY-----"]
)
def test_what_is_no_public_key(text: str) -> None:
    with pytest.raises(InputError, match="not a public Ed25519 key"):
        read_public_key(text)


def test_a_key_of_another_kind_does_not_sign() -> None:
    key = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    for wrong in (key, b"", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"):
        with pytest.raises(InputError, match="not a private Ed25519 key"):
            sample().signed(wrong)


# --- what differs -------------------------------------------------------------------------------------


def found(*, any_commit: bool = False, **changes: Any) -> list[str]:
    """What differs from the record when these are otherwise."""
    record = Record.model_validate(RECORD)
    return differences(record, LOCK, present(**changes), any_commit=any_commit)


def test_nothing_differs_when_nothing_has_changed() -> None:
    assert found() == []
    assert found(lock=None) == []  # a machine that never ran this stack takes the bundle's


def test_everything_that_differs_is_named_at_once() -> None:
    other = ManifestInputs.model_validate(
        {
            "path": "demo.yaml",
            "sources": [{"path": "demo.yaml", "sha256": "9" * 64}, {"path": "new.yaml", "sha256": "9" * 64}],
            "overrides": ["region=eu-west-1"],
        }
    )

    assert found(
        stack="other",
        manifest=other,
        rendering={"main.tf": "9" * 64},
        lock=LOCK.replace(b"5.100.0", b"6.0.0"),
        engine_version="1.12.0",
        revision=None,
        state=StateIdentity(lineage="one", serial=8),
    ) == [
        "the stack: the bundle is for demo, the manifest is of other",
        "the manifest: demo.yaml is not the file that was reviewed",
        "what the manifest extends: ../base.yaml is gone",
        "what the manifest extends: new.yaml is new",
        "--set: reviewed with none, now with region=eu-west-1",
        "the modules: modules/aws/artifact-store/outputs.tf differ; reviewed with version 0.1.0",
        "the rendering: main.tf differ",
        f"the provider {AWS}: reviewed with 5.100.0, here is 6.0.0",
        "Terraform: reviewed with 1.11.4, here is 1.12.0",
        "the commit: reviewed at aaaaaaaaaaaa, here no commit can be told",
        "the state's serial: reviewed was 7, here is 8",
    ]


def test_the_manifest_may_lie_elsewhere_under_another_name() -> None:
    moved = RECORD["manifest"] | {"path": "elsewhere/other.yaml"}
    moved["sources"] = [
        {"path": "other.yaml", "sha256": "1" * 64},
        {"path": "../base.yaml", "sha256": "2" * 64},
    ]

    assert found(manifest=ManifestInputs.model_validate(moved)) == []


def test_a_lock_file_names_its_providers() -> None:
    assert locked_providers(LOCK) == {AWS: "5.100.0"}
    assert locked_providers(None) == {}


# --- git ----------------------------------------------------------------------------------------------


def test_a_revision_tells_which_inputs_are_not_committed(tmp_path: Path) -> None:
    def git(*argv: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *identity, "-C", str(tmp_path), *argv], check=True, capture_output=True)

    manifest = tmp_path / "a b.yaml"
    manifest.write_text("x")
    assert revision_of(tmp_path, [manifest]) is None
    git("init", "-q")
    assert revision_of(tmp_path, [manifest]) is None  # no commit yet
    git("add", ".")
    git("commit", "-qm", "one")
    clean = revision_of(tmp_path, [manifest])
    (tmp_path / "other.txt").write_text("not an input")
    manifest.write_text("y")
    dirty = revision_of(tmp_path, [manifest])

    assert clean is not None
    assert dirty is not None
    assert (clean.dirty, dirty.dirty) == ([], ["a b.yaml"])
    assert clean.commit == dirty.commit
    assert revision_of(tmp_path, [manifest], {"PATH": "", "GIT_DIR": "/nowhere"}) is None
