"""What each field of a manifest allows, what an error says, and what is filled in."""

from __future__ import annotations

import hashlib

import pytest
from manifest_samples import EVERYTHING, FIVE_LINES, LOCAL, ProblemsOf
from pydantic import ValidationError

from provisioner.catalog import PROVIDERS
from provisioner.errors import ManifestError
from provisioner.manifest import generated_bucket, parse_manifest


def test_five_lines_are_a_whole_manifest() -> None:
    manifest = parse_manifest(FIVE_LINES)
    [store], [connector] = manifest.artifact_stores, manifest.connectors
    assert (manifest.compatibility, manifest.state.backend, manifest.stack.activate) == ("aws", "local", True)
    assert (store.versioning, store.existing, store.protect, store.prefix) == (True, False, True, None)
    assert (store.lifecycle.noncurrent_days, store.lifecycle.abort_multipart_days) == (90, 7)
    assert store.lifecycle.archive_after_days is None
    assert (connector.name, connector.auth_method, connector.access) == (
        "prod_store_connector",
        "iam-role",
        "read-write",
    )
    assert store.connector == connector.name
    assert manifest.stack.artifact_store == "prod_store"


def test_everything_can_be_said(problems_of: ProblemsOf) -> None:
    assert problems_of(EVERYTHING) == []
    manifest = parse_manifest(EVERYTHING)
    assert [connector.name for connector in manifest.connectors] == ["prod_connector"]
    assert manifest.store("prod_store") is manifest.artifact_stores[0]
    assert manifest.connector("prod_connector") is manifest.connectors[0]
    assert manifest.store("another") is None
    assert manifest.connector("another") is None


def test_a_local_stack_has_no_connectors() -> None:
    manifest = parse_manifest(LOCAL)
    assert (manifest.connectors, manifest.artifact_stores[0].connector, manifest.compatibility) == (
        (),
        None,
        None,
    )
    assert manifest.artifact_stores[0].bucket == "data/artifacts"


def test_a_loaded_manifest_cannot_be_changed() -> None:
    manifest = parse_manifest(FIVE_LINES)
    with pytest.raises(ValidationError, match="frozen"):
        manifest.artifact_stores[0].versioning = False


def test_a_store_takes_its_default_connector_along_when_it_is_renamed() -> None:
    manifest = parse_manifest(FIVE_LINES + "    renamed_from: old_store\n")
    assert manifest.connectors[0].renamed_from == "old_store_connector"


def test_all_problems_are_told_at_once_in_their_order(problems_of: ProblemsOf) -> None:
    text = """\
version: 2
name: ML_prod
provider: aws
regoin: eu-west-1
tags: {team: [ml]}
artifact_stores:
  - name: prod_store
    bucket: No_Bucket
    bucket_nmae: x
    lifecycle: {noncurrent_days: 0}
  - bucket: other
  - prod_store
stack: {artifact_store: prod_store, activate: perhaps}
"""
    letters = "2 to 30 characters, a-z, 0-9 and '-', starting with a letter"
    bucket = (
        "an S3 bucket name has 3 to 63 characters, only a-z, 0-9, '-' and '.', and starts and ends with a"
    )
    assert problems_of(text) == [
        "stack.yaml:1:1: region: required field is missing: provider aws needs it",
        'stack.yaml:1:10: version: found "2"; allowed: 1',
        f'stack.yaml:2:7: name: found "ML_prod"; allowed: {letters}',
        'stack.yaml:4:1: regoin: unknown field (did you mean "region"?)',
        "stack.yaml:5:14: tags.team: found a list; allowed: text",
        f'stack.yaml:8:13: artifact_stores[0].bucket: found "No_Bucket"; allowed: {bucket} letter or digit',
        'stack.yaml:9:5: artifact_stores[0].bucket_nmae: unknown field (did you mean "bucket"?)',
        'stack.yaml:10:34: artifact_stores[0].lifecycle.noncurrent_days: found "0"; allowed: 1 or more',
        "stack.yaml:11:5: artifact_stores[1].name: required field is missing, for example `name: prod_store`",
        'stack.yaml:12:5: artifact_stores[2]: found "prod_store"; allowed: a mapping',
        'stack.yaml:13:47: stack.activate: found "perhaps"; allowed: true or false',
    ]


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("name: ml-prod", "name: m", 'name: found "m"; allowed: 2 to 30 characters'),
        ("name: ml-prod", "name: " + "m" * 31, "allowed: 2 to 30 characters"),
        ("name: ml-prod", 'name: "ml-prod\\n"', "U+000A LINE FEED"),
        ("name: ml-prod", "name: m\u217c-prod", "U+217C SMALL ROMAN NUMERAL FIFTY, which looks like"),
        ("name: ml-prod", "name: ml-\u0440rod", 'U+0440 CYRILLIC SMALL LETTER ER, which looks like "p"'),
        ("name: ml-prod", "name: ml\u2010prod", 'U+2010 HYPHEN, which looks like "-"'),
        ("name: ml-prod", "name: ml-prod\uff11", 'U+FF11 FULLWIDTH DIGIT ONE, which looks like "1"'),
        (
            "provider: aws",
            "provider: asw",
            f'provider: found "asw"; available: {", ".join(sorted(PROVIDERS))}',
        ),
        (
            "provider: aws",
            "provider: gce",
            f'provider: found "gce"; available: {", ".join(sorted(PROVIDERS))}',
        ),
        (
            "region: eu-west-1",
            "region: Ireland",
            'region: found "Ireland"; allowed: an AWS region looks like',
        ),
        (
            "version: 1",
            'version: "1"',
            'version: found the text "1"; allowed: a whole number, without quotes',
        ),
        ("version: 1\n", "", "version: required field is missing, for example `version: 1`"),
        ("name: prod_store", "name: prod.store", "artifact_stores[0].name: found"),
        ("name: prod_store", "name: " + "s" * 41, "artifact_stores[0].name: found"),
        (
            "artifact_stores:\n  - name: prod_store",
            "artifact_stores: []",
            "found a list of 0; allowed: 1 to 200",
        ),
        (
            "artifact_stores:\n  - name: prod_store",
            "artifact_stores: {a: b}",
            "found a mapping; allowed: a list",
        ),
    ],
)
def test_what_the_first_lines_refuse(old: str, new: str, wrong: str, problems_of: ProblemsOf) -> None:
    problems = problems_of(FIVE_LINES.replace(old, new))
    assert len(problems) == 1, problems
    assert wrong in problems[0]


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("bucket", "xn--bucket", "reserved by AWS"),
        ("bucket", "192.168.5.4", "must not look like an IP address"),
        ("bucket", "a..b", "no two dots in a row"),
        ("bucket", "ab", "3 to 63 characters"),
        ("bucket", "${terraform.workspace}", "3 to 63 characters"),
        ("bucket", "acm\u0435", 'character 4 is U+0435 CYRILLIC SMALL LETTER IE, which looks like "e"'),
        ("prefix", "/artifacts", "without '/' at either end"),
        ("prefix", "artifacts/", "without '/' at either end"),
        ("prefix", "a//b", "joined by single '/'"),
        ("prefix", "a/../b", "no part of a prefix may be '.' or '..'"),
        ("prefix", "./a", "no part of a prefix may be '.' or '..'"),
        ("prefix", "a*", "letters, digits and"),
        ("prefix", "a?b", "letters, digits and"),
        ("prefix", "'${file(\"/etc/passwd\")}'", "letters, digits and"),
        ("prefix", "a" * 513, "at most 512 characters"),
        ("profile", "lax", "baseline"),
        ("profile", "basline", 'allowed: baseline, strict (did you mean "baseline"?)'),
        ("storage_class", "nearline", 'found "nearline"; allowed: standard'),
        ("storage_account", "acmeml", "not for provider aws"),
        ("encryption", "{kms_key: my key}", "1 to 2,048 visible ASCII characters"),
        ("encryption", "{kms_key: my-key}", "a KMS key is alias/NAME"),
        ("encryption", "{kms_key: 'arn:aws:kms:eu-west-1:*:key/*'}", "a KMS key is alias/NAME"),
        ("encryption", "{kms_kye: alias/ml}", 'unknown field (did you mean "kms_key"?)'),
        ("lifecycle", "{noncurrent_days: 40000}", "36500 or less"),
        ("lifecycle", "{noncurrent_days: -1}", "1 or more"),
        ("secret_access_key", "AKIA", "a manifest holds no secrets"),
    ],
)
def test_what_a_store_refuses(field: str, value: str, wrong: str, problems_of: ProblemsOf) -> None:
    problems = problems_of(FIVE_LINES + f"    {field}: {value}\n")
    assert len(problems) == 1, problems
    assert wrong in problems[0]
    assert problems[0].startswith("stack.yaml:7:")
    assert f"artifact_stores[0].{field}" in problems[0]


@pytest.mark.parametrize("prefix", ["a", "artifacts/2024", "a=b/c@d", "(a)'b'", "...", "a.b-c_d!e,f+g"])
def test_prefixes_that_are_taken(prefix: str) -> None:
    assert parse_manifest(FIVE_LINES + f'    prefix: "{prefix}"\n').artifact_stores[0].prefix == prefix


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com#repo:acme/ml:environment:prod",
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB#system:serviceaccount:ml:job",
    ],
)
def test_workloads_that_are_trusted(principal: str) -> None:
    text = FIVE_LINES + "connectors:\n  - name: prod_store_connector\n"
    (connector,) = parse_manifest(f"{text}    trusted_principals: ['{principal}']\n").connectors
    assert connector.trusted_principals == (principal,)


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("trusted_principals", '["*"]', "a wildcard would trust whoever fits it"),
        ("trusted_principals", '["arn:aws:iam::123456789012:role/*"]', "a wildcard"),
        ("trusted_principals", '["123456789012"]', "a principal is an ARN"),
        ("trusted_principals", '["arn:aws:iam::1:root"]', "a principal is an ARN"),
        ("trusted_principals", "arn:aws:iam::123456789012:root", "allowed: a list"),
        ("trusted_principals", '["arn:aws:iam::123456789012:oidc-provider/a.example"]', "ISSUER#SUBJECT"),
        ("trusted_principals", '["arn:aws:iam::123456789012:oidc-provider/a.example#*"]', "a wildcard"),
        ("trusted_principals", '["arn:aws:sts::123456789012:oidc-provider/a.example#b"]', "ISSUER#SUBJECT"),
        ("external_id", "a", "an external id has 2 to 1,224 characters"),
        ("external_id", "'{{ x }}'", "1 to 2,048 visible ASCII characters, without spaces"),
        ("external_id", "'{{x.y}}'", "an external id has"),
        ("session_seconds", "899", "900 or more"),
        ("session_seconds", "43201", "43200 or less"),
        ("access", "readonly", 'allowed: read-write, read-only (did you mean "read-only"?)'),
        ("auth_method", "iam-user", 'found "iam-user"; allowed: iam-role, implicit, secret-key'),
    ],
)
def test_what_a_connector_refuses(field: str, value: str, wrong: str, problems_of: ProblemsOf) -> None:
    text = FIVE_LINES + f"connectors:\n  - name: prod_store_connector\n    {field}: {value}\n"
    problems = problems_of(text)
    assert len(problems) == 1, problems
    assert wrong in problems[0]
    assert f"connectors[0].{field}" in problems[0]


@pytest.mark.parametrize("secret", ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "{{my_secret.key}}"])
def test_a_secret_by_mistake_is_not_repeated(secret: str, problems_of: ProblemsOf) -> None:
    connector = f'connectors:\n  - {{name: prod_store_connector, authentication_secret: "{secret}"}}\n'
    [problem] = problems_of(FIVE_LINES + connector)
    assert secret not in problem
    assert "the name of a secret" in problem


@pytest.mark.parametrize(
    "url",
    ["ftp://host", "host:9000", "http://me:pw@host", "http://host?x=1", "http://host:70000", "http://h h"],
)
def test_endpoints_that_are_refused(url: str, problems_of: ProblemsOf) -> None:
    [problem] = problems_of(FIVE_LINES + f'endpoint_url: "{url}"\n')
    assert "endpoint_url: found text; allowed: http://HOST[:PORT]" in problem
    assert url not in problem


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:5000", "https://s3.acme.example", "http://[::1]:9000", "http://minio/"]
)
def test_endpoints_that_are_taken(url: str) -> None:
    assert parse_manifest(FIVE_LINES + f"endpoint_url: {url}\n").endpoint_url == url


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        ('{"aws:cost": x}', 'tags["aws:cost"]: found "aws:cost": tags that start with aws: belong to AWS'),
        ('{"AWS:cost": x}', "belong to AWS"),
        ("{stack: x}", "this tag is set by the provisioner itself"),
        ("{team: a&b}", 'tags.team: found "a&b"; allowed: 0 to 256 letters'),
        ("{team: '${file(1)}'}", "allowed: 0 to 256 letters"),
        ("{team: '{{ x }}'}", "allowed: 0 to 256 letters"),
        ("{team: '%{ if true }'}", "allowed: 0 to 256 letters"),
        ("{team: ' ml'}", "no space at either end"),
        ("{team: }", 'tags.team: found null; allowed: text (write "" for an empty one)'),
        (f"{{team: {'v' * 257}}}", "0 to 256"),
        (f"{{{'k' * 129}: v}}", "1 to 128"),
        ("{'': v}", "1 to 128"),
        ("{team: a, Team: b}", 'tags.Team: same tag as "team" but for its case'),
        ("{" + ", ".join(f"k{n}: v" for n in range(48)) + "}", "found 48 tags; allowed: at most 47"),
        ("[a]", "tags: found a list; allowed: a mapping"),
    ],
)
def test_what_tags_refuse(tags: str, wrong: str, problems_of: ProblemsOf) -> None:
    problems = problems_of(FIVE_LINES + f"tags: {tags}\n")
    assert len(problems) == 1, problems
    assert wrong in problems[0]


@pytest.mark.parametrize("bucket", ["~/data", "../data", "/", "a/../b", "a//b", "data/", "./data"])
def test_directories_that_are_refused(bucket: str, problems_of: ProblemsOf) -> None:
    [problem] = problems_of(LOCAL.replace("data/artifacts", bucket))
    assert "artifact_stores[0].bucket" in problem


@pytest.mark.parametrize(
    "bucket", ["/srv/data", "data", '${file("/etc/passwd")}', "{{ x }}", "%{ if }", "Größe 1"]
)
def test_directories_that_are_taken_as_they_are(bucket: str) -> None:
    text = LOCAL.replace("data/artifacts", "'" + bucket + "'")
    assert parse_manifest(text).artifact_stores[0].bucket == bucket


def test_a_generated_bucket_is_short_stable_and_the_accounts_own() -> None:
    name = generated_bucket("ml-prod", "prod_store", "123456789012")
    digest = hashlib.sha256(b"123456789012/ml-prod/prod_store").hexdigest()[:10]
    assert name == f"ml-prod-prod-store-{digest}"
    assert name != generated_bucket("ml-prod", "prod_store", "210987654321")
    longest = generated_bucket("s" * 30, "n" * 40, "123456789012")
    assert len(longest) == 63


def test_the_error_has_every_problem_and_a_next_step() -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest("version: 1\n", file="stack.yaml")
    assert {problem.path for problem in caught.value.problems} == {"name", "provider", "artifact_stores"}
    assert caught.value.exit_code == 3
    assert "provision schema" in (caught.value.hint or "")
