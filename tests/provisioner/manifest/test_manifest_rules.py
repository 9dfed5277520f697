"""The rules between fields: by provider, by service, and between stores and connectors."""

from __future__ import annotations

import pytest
from manifest_samples import FIVE_LINES, LOCAL, ProblemsOf

from provisioner.manifest import parse_manifest

_MINIO = FIVE_LINES + "endpoint_url: http://localhost:9000\ncompatibility: minio\n"
_CEPH = FIVE_LINES + "endpoint_url: http://localhost:7480\ncompatibility: ceph\n"


def _connector(fields: str) -> str:
    return f"connectors:\n  - {{name: prod_store_connector, {fields}}}\n"


@pytest.mark.parametrize(
    "field", ["region: here", "account: x", "endpoint_url: http://host", "compatibility: aws"]
)
def test_local_has_no_cloud_fields(field: str, problems_of: ProblemsOf) -> None:
    assert problems_of(LOCAL + field + "\n") == [
        f"stack.yaml:7:1: {field.split(':', maxsplit=1)[0]}: not for provider local"
    ]


@pytest.mark.parametrize(
    "field",
    [
        "prefix: a",
        "versioning: true",
        "encryption: {}",
        "lifecycle: {}",
        "connector: c",
        "storage_account: a",
    ],
)
def test_local_stores_have_no_cloud_fields(field: str, problems_of: ProblemsOf) -> None:
    [problem] = problems_of(LOCAL + f"    {field}\n")
    assert problem.startswith(
        f"stack.yaml:7:5: artifact_stores[0].{field.split(':', maxsplit=1)[0]}: not for provider local"
    )


def test_local_has_no_connectors(problems_of: ProblemsOf) -> None:
    [problem] = problems_of(LOCAL + "connectors:\n  - name: c\n")
    assert problem == "stack.yaml:8:5: connectors[0]: not for provider local, which has no connectors"


def test_null_means_not_said() -> None:
    assert parse_manifest(LOCAL + "region: null\naccount:\n").region is None


@pytest.mark.parametrize("compatibility", ["ceph", "minio"])
def test_another_service_needs_its_address(compatibility: str, problems_of: ProblemsOf) -> None:
    problems = problems_of(FIVE_LINES + f"compatibility: {compatibility}\n")
    assert (
        f"stack.yaml:1:1: endpoint_url: required field is missing: compatibility {compatibility} "
        in problems[0]
    )


def test_compatibility_is_one_of_the_known(problems_of: ProblemsOf) -> None:
    [problem] = problems_of(FIVE_LINES + "compatibility: garage\n")
    assert problem == 'stack.yaml:7:16: compatibility: found "garage"; allowed: aws, ceph, minio'


def test_minio_has_no_roles(problems_of: ProblemsOf) -> None:
    [problem] = problems_of(_MINIO)
    assert problem.startswith(
        "stack.yaml:6:5: artifact_stores[0]: the default connector prod_store_connector cannot"
    )
    assert "allowed: auth_method secret-key with an authentication_secret, or implicit" in problem


def test_minio_with_a_secret_uses_it() -> None:
    manifest = parse_manifest(_MINIO + _connector("authentication_secret: minio_key"))
    assert manifest.connectors[0].auth_method == "secret-key"


def test_minio_with_the_credentials_of_its_surroundings() -> None:
    assert (
        parse_manifest(_MINIO + _connector("auth_method: implicit")).connectors[0].auth_method == "implicit"
    )


@pytest.mark.parametrize("fields", ["auth_method: iam-role", "access: read-only"])
def test_minio_refuses_roles_by_name(fields: str, problems_of: ProblemsOf) -> None:
    [problem] = problems_of(_MINIO + _connector(fields))
    assert "connectors[0]" in problem
    assert "minio has no IAM roles" in problem


def test_minio_takes_no_key_of_a_customer(problems_of: ProblemsOf) -> None:
    text = _MINIO.replace("store\n", "store\n    encryption: {kms_key: alias/ml}\n")
    [problem] = problems_of(text + _connector("auth_method: implicit"))
    assert "encryption.kms_key: not for compatibility minio" in problem


def test_ceph_needs_to_be_told_whom_to_trust(problems_of: ProblemsOf) -> None:
    [default] = problems_of(_CEPH)
    assert "ceph cannot say who applies; required: trusted_principals" in default
    [named] = problems_of(_CEPH + _connector("auth_method: iam-role"))
    assert named.startswith("stack.yaml:10:5: connectors[0].trusted_principals: ceph cannot say who applies")
    assert problems_of(_CEPH + _connector('trusted_principals: ["arn:aws:iam:::user/me"]')) == []
    assert problems_of(_CEPH + _connector('trusted_principals: ["arn:aws:iam::acme:user/me"]')) == []


def test_a_guard_that_cannot_be_held_is_refused(problems_of: ProblemsOf) -> None:
    problems = problems_of(_CEPH + 'account: "123456789012"\n' + _connector("auth_method: implicit"))
    [problem] = problems
    assert problem.startswith("stack.yaml:9:1: account: ceph cannot say whose credentials are in use")


def test_regions_of_other_services_are_their_own() -> None:
    text = FIVE_LINES.replace("eu-west-1", "default") + "endpoint_url: http://localhost:9000\n"
    assert parse_manifest(text).region == "default"


@pytest.mark.parametrize("method", ["secret-key", "implicit"])
@pytest.mark.parametrize(
    "field", ["trusted_principals: []", "external_id: acme", "session_seconds: 900", "access: read-only"]
)
def test_without_an_identity_nothing_can_be_said_of_it(
    method: str, field: str, problems_of: ProblemsOf
) -> None:
    secret = ", authentication_secret: s" if method == "secret-key" else ""
    [problem] = problems_of(FIVE_LINES + _connector(f"auth_method: {method}{secret}, {field}"))
    assert f"connectors[0].{field.split(':', maxsplit=1)[0]}: not with auth_method {method}" in problem


def test_a_secret_where_it_is_needed_and_only_there(problems_of: ProblemsOf) -> None:
    [missing] = problems_of(FIVE_LINES + _connector("auth_method: secret-key"))
    assert "connectors[0].authentication_secret: required field is missing" in missing
    [needless] = problems_of(FIVE_LINES + _connector("auth_method: implicit, authentication_secret: s"))
    assert "connectors[0].authentication_secret: not with auth_method implicit" in needless
    assert problems_of(FIVE_LINES + _connector("auth_method: iam-role, authentication_secret: s")) == []


def test_names_are_unique_and_references_lead_somewhere(problems_of: ProblemsOf) -> None:
    text = (
        FIVE_LINES
        + "    connector: lost\n"
        + "  - name: prod_store\n"
        + "connectors:\n  - name: one\n  - name: one\n"
        + "stack: {artifact_store: nowhere}\n"
    )
    problems = problems_of(text)
    assert 'stack.yaml:7:16: artifact_stores[0].connector: found "lost"; allowed: one, one' in problems
    assert any(
        'artifact_stores[1].name: found "prod_store" again, first at artifact_stores[0]' in p
        for p in problems
    )
    assert any('connectors[1].name: found "one" again' in problem for problem in problems)
    assert any('connectors[0]: no artifact store uses "one"' in problem for problem in problems)
    assert any(
        'stack.artifact_store: found "nowhere"; allowed: prod_store' in problem for problem in problems
    )


def test_stores_may_share_a_connector() -> None:
    text = FIVE_LINES + "    connector: c\n  - {name: other, connector: c}\nconnectors: [{name: c}]\n"
    manifest = parse_manifest(text)
    assert [store.connector for store in manifest.artifact_stores] == ["c", "c"]
    assert [connector.name for connector in manifest.connectors] == ["c"]


def test_a_connector_by_the_default_name_is_the_default_one() -> None:
    manifest = parse_manifest(FIVE_LINES + _connector("access: read-only"))
    assert [(c.name, c.access) for c in manifest.connectors] == [("prod_store_connector", "read-only")]


@pytest.mark.parametrize(
    ("one", "other", "wrong"),
    [
        ("", "", "overlaps with artifact_stores[0]"),
        ("prefix: a, ", "", "overlaps with artifact_stores[0]"),
        ("prefix: a, ", "prefix: a/b, existing: true, ", "overlaps with artifact_stores[0]"),
        ("prefix: a, ", "prefix: a, existing: true, ", "overlaps with artifact_stores[0]"),
        ("prefix: a, ", "prefix: b, ", "artifact_stores[0] creates this bucket already"),
        ("prefix: a, ", "prefix: ab, existing: true, ", None),
        ("prefix: a, existing: true, ", "prefix: b, existing: true, ", None),
    ],
)
def test_two_stores_in_one_bucket(one: str, other: str, wrong: str | None, problems_of: ProblemsOf) -> None:
    head = FIVE_LINES[: FIVE_LINES.index("artifact_stores")]
    stores = (
        f"artifact_stores:\n  - {{{one}name: one, bucket: acme}}\n  - {{{other}name: two, bucket: acme}}\n"
    )
    problems = problems_of(head + stores)
    if wrong is None:
        assert problems == []
    else:
        assert len(problems) == 1
        assert "artifact_stores[1].bucket: " in problems[0]
        assert wrong in problems[0]


def test_one_directory_does_not_lie_in_another(problems_of: ProblemsOf) -> None:
    [problem] = problems_of(LOCAL + "  - {name: inner, bucket: data/artifacts/inner}\n")
    assert "artifact_stores[1].bucket: found a place that overlaps with artifact_stores[0]" in problem
    assert problems_of(LOCAL + "  - {name: beside, bucket: data/artifacts2}\n") == []


def test_adopting_needs_a_name_and_changes_nothing(problems_of: ProblemsOf) -> None:
    [missing] = problems_of(FIVE_LINES + "    existing: true\n")
    assert missing.startswith("stack.yaml:6:5: artifact_stores[0].bucket: required field is missing")
    for field in ("versioning: true", "lifecycle: {}"):
        [problem] = problems_of(FIVE_LINES + f"    existing: true\n    bucket: acme\n    {field}\n")
        assert "not with existing: true, which leaves the bucket as it is" in problem


def test_renames_lead_from_a_name_that_is_gone(problems_of: ProblemsOf) -> None:
    still = FIVE_LINES + "  - {name: new, renamed_from: prod_store}\n"
    assert (
        'artifact_stores[1].renamed_from: found "prod_store", which is still a name' in problems_of(still)[0]
    )
    twice = FIVE_LINES + "    renamed_from: old\n  - {name: new, renamed_from: old}\n"
    assert 'found "old", which artifact_stores[0] was named already' in problems_of(twice)[0]


def test_each_backend_takes_its_own_fields(problems_of: ProblemsOf) -> None:
    for state in (
        "{backend: s3, bucket: acme-state, key: a/b, region: eu-central-1}",
        "{backend: s3, bucket: acme-state, endpoint_url: 'http://localhost:9000'}",
        "{backend: gcs, bucket: acme-state, prefix: a/b}",
        "{backend: azurerm, storage_account: 1acme, container: tf-state, key: a}",
    ):
        assert problems_of(FIVE_LINES + f"state: {state}\n") == [], state
    [problem] = problems_of(FIVE_LINES + "state: {bucket: acme}\n")
    assert problem == "stack.yaml:7:9: state.bucket: not for the local backend"
    missing, other = problems_of(FIVE_LINES + "state: {backend: gcs, key: a}\n")
    assert missing.endswith("state.bucket: required field is missing: the gcs backend needs it")
    assert other.endswith("state.key: not for the gcs backend; it takes bucket, prefix, endpoint_url")


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ("{backend: s3, bucket: Acme}", 'state.bucket: found "Acme"; allowed: an S3 bucket name'),
        ("{backend: gcs, bucket: goog-state}", "bucket names that start with goog belong to Google"),
        (
            "{backend: azurerm, storage_account: a-b, container: tf}",
            'found "a-b"; allowed: a storage account',
        ),
        ("{backend: azurerm, storage_account: acme, container: a--b}", 'found "a--b"; allowed: a container'),
        ("{backend: s3, bucket: acme, key: /a}", "state.key: "),
        ("{backend: s3, bucket: acme, key: '${file(1)}'}", "state.key: "),
        ("{backend: http}", "state.backend: "),
    ],
)
def test_names_of_backends_are_checked(problems_of: ProblemsOf, state: str, problem: str) -> None:
    assert problem in "\n".join(problems_of(FIVE_LINES + f"state: {state}\n"))


def test_strict_needs_a_second_region_and_all_that_it_stands_on(problems_of: ProblemsOf) -> None:
    strict = FIVE_LINES + "    profile: strict\n"
    [missing] = problems_of(strict)
    assert "artifact_stores[0].replica_region: required field is missing" in missing
    assert problems_of(strict + "    replica_region: eu-central-1\n") == []
    [same] = problems_of(strict + "    replica_region: eu-west-1\n")
    assert "has to lie in another region" in same
    [unversioned] = problems_of(strict + "    replica_region: eu-central-1\n    versioning: false\n")
    assert "it needs versioning: true" in unversioned
    [alone] = problems_of(FIVE_LINES + "    replica_region: eu-central-1\n")
    assert "only with profile: strict" in alone
    service = "endpoint_url: http://localhost:9000\ncompatibility: minio\n"
    told = problems_of(strict + "    replica_region: eu-central-1\n" + service)
    assert any("strict is not for compatibility minio" in problem for problem in told)
    local = FIVE_LINES.replace("provider: aws\nregion: eu-west-1", "provider: local")
    assert any(
        "not for provider local" in problem for problem in problems_of(local + "    replica_region: x\n")
    )


def test_the_s3_backend_has_to_know_its_region(problems_of: ProblemsOf) -> None:
    local = FIVE_LINES.replace("provider: aws\nregion: eu-west-1", "provider: local")
    [problem] = problems_of(local + "state: {backend: s3, bucket: acme}\n")
    assert "state.region: required field is missing" in problem
    assert problems_of(local + "state: {backend: s3, bucket: acme, region: eu-west-1}\n") == []
