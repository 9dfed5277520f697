"""The walk through the documents that our users come from: every command line in them, one by one.

``tests/data/seeds`` has the lines word for word, with where they stand. Each is run as it stands, ``zenml``
read as ``provision`` and ``<PLACEHOLDER>`` filled in, and must do what the text around it says. Where a line
is wrong, the error must say what to write instead, and the line written so must work. What has no counterpart
yet says so, and skips.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from commands import Aws, CommandLine, aws, aws_server, provision

from provisioner.cli import cli
from stacks import save_artifact
from stacks.connectors import connector_types
from stacks.stores.registry import canonical, flavors

__all__ = ["aws", "aws_server", "provision"]

DATA = Path(__file__).parent / "data" / "seeds"
ROLE = "arn:aws:iam::123456789012:role/artifacts"
NO_CANARY = "canary-3f9a"

Check = Callable[[CommandLine], None]


@dataclass(frozen=True)
class Line:
    """What is expected of one line."""

    setup: tuple[str, ...] = ()
    fill: Mapping[str, str] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    """What the error must say, where the line is wrong: then it exits 3."""
    mended: tuple[tuple[str, str], ...] = ()
    """What the error tells to change; the line written so must work."""
    prepare: Check | None = None
    """What a program has done before."""
    needs: str = ""
    """What must exist, as ``flavor gcp``."""
    check: Check | None = None


def store(name: str, flavor: str, path: str, **fields: object) -> Check:
    """There is a store of that name, flavor and place."""

    def check(provision: CommandLine) -> None:
        record = provision.client.describe_artifact_store(name)
        assert (record.name, record.flavor, record.path) == (name, flavor, path)
        for key, value in fields.items():
            assert getattr(record, key) == value

    return check


def stack(name: str, artifact_store: str, *, active: bool) -> Check:
    """There is a stack of that name on that store, active or not."""

    def check(provision: CommandLine) -> None:
        assert provision.client.describe_stack(name).artifact_store == artifact_store
        assert (provision.client.state.active_stack == name) is active

    return check


def secret_is_kept(name: str, **values: str) -> Check:
    """The secret holds these values, and no file of ours shows them."""

    def check(provision: CommandLine) -> None:
        assert dict(provision.client.get_secret(name)) == values
        for file in provision.home.rglob("*"):
            content = file.read_bytes() if file.is_file() else b""
            assert not any(value.encode() in content for value in values.values())

    return check


def connector(name: str, kind: str, auth_method: str, **config: object) -> Check:
    """There is a connector of that kind, with this in its configuration."""

    def check(provision: CommandLine) -> None:
        record = provision.client.describe_connector(name)
        assert (record.type, record.auth_method) == (kind, auth_method)
        assert {key: record.config.get(key) for key in config} == config

    return check


def an_artifact_is_made(provision: CommandLine) -> None:
    """One from before the last 15 minutes, and one of now."""
    save_artifact("old", "old_model")
    record = next((provision.folder / "store").glob(".records/artifacts/old_model/1.json"))
    long_ago = (datetime.now(UTC) - timedelta(minutes=20)).isoformat()
    record.write_text(json.dumps({**json.loads(record.read_text()), "created": long_ago}))
    save_artifact({"weights": [0.1]}, "my_model")


def flavor_is_there(provision: CommandLine) -> None:
    provision("artifact-store register mine -f memo --path memo://things")
    assert provision.client.get_artifact_store("mine").path == "memo://things"


S3 = "artifact-store register {} -f s3 --path=s3://a-bucket"
LOCAL = "artifact-store register {} -f local --path={}"
CONNECTOR = (
    "service-connector register aws_connector --type aws --auth-method secret-key "
    "--aws_access_key_id=a --aws_secret_access_key=b"
)
KEY = "{{aws_connector.service-connector.aws_secret_access_key}}"
ELLIPSIS = ("'...' is no argument", "leave '...' away")
WITHOUT_ELLIPSIS = ((" ...", ""),)

WALK: Mapping[str, Mapping[int, Line]] = {
    "000_b040d97cc04d05f5": {
        36: Line(says=("s3 is installed already",)),
        40: Line(says=("boto3>=", "obstore>=")),
        49: Line(check=store("cloud_artifact_store", "s3", "s3://bucket-name")),
        61: Line(says=("gcp is installed already",)),
        65: Line(says=("google-cloud-storage>=",)),
        74: Line(needs="flavor gcp", check=store("cloud_artifact_store", "gcp", "gs://bucket-name")),
        86: Line(says=("azure is installed already",)),
        90: Line(says=("azure-storage-blob>=",)),
        99: Line(needs="flavor azure", check=store("cloud_artifact_store", "azure", "az://container-name")),
        136: Line(
            fill={"AWS_PROFILE": "team"},
            says=(f"took the role {ROLE} of the profile team", "took the region eu-west-1"),
            check=connector(
                "cloud_connector", "aws", "iam-role", role_arn=ROLE, profile_name="me", region="eu-west-1"
            ),
        ),
        144: Line(
            needs="connector gcp",
            fill={"PATH_TO_SERVICE_ACCOUNT_JSON": "key.json", "PROJECT_ID": "acme"},
            check=connector("cloud_connector", "gcp", "service-account", project_id="acme"),
        ),
        152: Line(
            needs="connector azure",
            fill={"TENANT_ID": "t", "CLIENT_ID": "c", "CLIENT_SECRET": NO_CANARY},
            says=("warning: --client_secret: a secret on the command line",),
            check=connector("cloud_connector", "azure", "service-principal", tenant_id="t"),
        ),
        160: Line(
            setup=(
                S3.format("cloud_artifact_store"),
                f"service-connector register cloud_connector -t aws --auth-method iam-role --role_arn={ROLE}",
            ),
            check=store("cloud_artifact_store", "s3", "s3://a-bucket", connector="cloud_connector"),
        ),
        172: Line(
            setup=(S3.format("cloud_artifact_store"),),
            check=stack("local_with_remote_storage", "cloud_artifact_store", active=False),
        ),
        186: Line(
            setup=(S3.format("s"), "stack register local_with_remote_storage -a s"),
            check=stack("local_with_remote_storage", "s", active=True),
        ),
        203: Line(
            setup=(LOCAL.format("s", "store"), "stack register local_with_remote_storage -a s --set"),
            prepare=an_artifact_is_made,
            says=("NAME", "my_model  1"),
        ),
    },
    "001_fc40c2c7337a4367": {
        45: Line(says=("s3 is installed already",)),
        59: Line(check=store("s3_store", "s3", "s3://bucket-name")),
        62: Line(
            setup=(S3.format("s3_store"),),
            wrong=ELLIPSIS,
            mended=WITHOUT_ELLIPSIS,
            check=stack("custom_stack", "s3_store", active=True),
        ),
        75: Line(wrong=("region: required field is missing",)),  # and with one: tests/e2e
        175: Line(
            says=("aws_secret_access_key holds a placeholder", "stays in the shell's history", "=@FILE"),
            check=secret_is_kept(
                "s3_secret",
                aws_access_key_id="<YOUR_S3_ACCESS_KEY_ID>",
                aws_secret_access_key="<YOUR_S3_SECRET_KEY>",
            ),
        ),
        180: Line(
            setup=("secret create s3_secret --aws_access_key_id=a --aws_secret_access_key=b",),
            check=store("s3_store", "s3", "s3://your-bucket", authentication_secret="s3_secret"),
        ),
        185: Line(
            setup=(S3.format("s3_store"),),
            wrong=ELLIPSIS,
            mended=WITHOUT_ELLIPSIS,
            check=stack("custom_stack", "s3_store", active=True),
        ),
        # Three things are wrong here, and each is told once the one before is mended: the name of the bucket,
        # the backslash before the last option (a shell takes that option for a command), the JSON.
        211: Line(
            setup=("secret create s3_secret --aws_access_key_id=a --aws_secret_access_key=b",),
            wrong=("'minio_bucket' cannot be the name of a bucket", "write --path=s3://minio-bucket"),
            mended=(
                ("minio_bucket", "minio-bucket"),
                ("s3_secret\n", "s3_secret \\\n"),
                ('"endpoint_url:', '"endpoint_url":'),
            ),
            check=store(
                "minio_store",
                "s3",
                "s3://minio-bucket",
                config={
                    "client_kwargs": {
                        "endpoint_url": "http://minio.cluster.local:9000",
                        "region_name": "us-east-1",
                    }
                },
            ),
        ),
    },
    "002_34a8d0cb6bb30d6f": {
        29: Line(check=store("local_store", "local", "/path/to/artifacts")),
        44: Line(says=("s3 is installed already",)),
        46: Line(check=store("s3_store", "s3", "s3://my-bucket/zenml-artifacts")),
        67: Line(says=("gcp is installed already",)),
        69: Line(needs="flavor gcs", check=store("gcs_store", "gcp", "gs://my-bucket/zenml-artifacts")),
        90: Line(says=("azure is installed already",)),
        92: Line(
            needs="flavor azure", check=store("azure_store", "azure", "az://my-container/zenml-artifacts")
        ),
        100: Line(
            needs="flavor azure",
            check=store(
                "azure_store",
                "azure",
                "az://my-container/zenml-artifacts",
                config={"account_name": "mystorageaccount"},
            ),
        ),
        154: Line(check=store("new_store", "s3", "s3://new-bucket")),
        155: Line(
            setup=(S3.format("old_store"), "stack register now -a old_store --set"),
            check=stack("migrated", "old_store", active=False),
        ),
        156: Line(
            setup=(S3.format("old_store"), S3.format("new_store"), "stack register migrated -a old_store"),
            check=stack("migrated", "new_store", active=False),
        ),
        167: Line(
            fill={"key": "AKIATEST", "secret": NO_CANARY},
            says=("warning: --aws_access_key_id, --aws_secret_access_key: a secret on the command line",),
            check=connector("aws_connector", "aws", "secret-key", aws_secret_access_key=KEY),
        ),
        173: Line(
            setup=(CONNECTOR,),
            check=store("s3_store", "s3", "s3://my-bucket", connector="aws_connector"),
        ),
    },
    "003_7fd5c1ca27f61166": {
        43: Line(says=("azure is installed already",)),
        57: Line(needs="flavor azure", check=store("az_store", "azure", "az://container-name")),
        60: Line(
            setup=(S3.format("az_store"),),
            wrong=ELLIPSIS,
            mended=WITHOUT_ELLIPSIS,
            check=stack("custom_stack", "az_store", active=True),
        ),
        157: Line(
            needs="flavor azure",
            check=store("az_store", "azure", "az://your-container", authentication_secret="az_secret"),
        ),
        162: Line(wrong=("there is no secrets manager to register", "leave this line out")),
        166: Line(
            setup=(S3.format("az_store"),),
            wrong=("a stack has no secrets manager", "leave `-x secrets_manager` away"),
            mended=((" -x secrets_manager", ""), *WITHOUT_ELLIPSIS),
            check=stack("custom_stack", "az_store", active=True),
        ),
        169: Line(
            wrong=(
                "--connection_sting looks misspelt",
                "connection_string",
                "write: provision secret create az_secret --connection_string=@FILE",
                "without -s azure",
            ),
            mended=(
                ("secrets-manager secret register", "secret create"),
                (" -s azure", ""),
                ("connection_sting", "connection_string"),
            ),
            check=secret_is_kept("az_secret", connection_string="your-Azure-connection-string"),
        ),
    },
    "004_0ab202bf142a529c": {
        158: Line(says=("local", "s3")),
        174: Line(
            fill={"THE-SOURCE-PATH-OF-YOUR-ARTIFACT-STORE": "flavor_for_tests.MemoArtifactStore"},
            says=("Registered the flavor memo",),
            check=flavor_is_there,
        ),
    },
}


def lines(document: str) -> dict[int, str]:
    """The command lines of one document, by where they stand in it."""
    text = (DATA / f"{document}.txt").read_text()
    found = re.findall(r"^(\d+): (.*?)(?=\n\n|\n*\Z)", text, re.MULTILINE | re.DOTALL)
    return {int(number): line for number, line in found}


ALL = [(document, number) for document, expected in WALK.items() for number in expected]


def test_every_line_of_every_document_is_walked() -> None:
    assert {path.stem for path in DATA.glob("*.txt")} == set(WALK)
    for document, expected in WALK.items():
        assert lines(document).keys() == expected.keys()


@pytest.mark.parametrize(("document", "number"), ALL, ids=[f"{doc[:3]}-{number}" for doc, number in ALL])
def test_the_line_does_what_the_text_says(document: str, number: int, provision: CommandLine) -> None:
    expected, text = WALK[document][number], lines(document)[number]
    skip_unless_there(expected.needs)
    provision.profiles(
        f"[profile team]\nrole_arn = {ROLE}\nsource_profile = me\nregion = eu-west-1\n[profile me]\n",
        "[me]\naws_access_key_id = AKIAME\naws_secret_access_key = mine\n",
    )
    (provision.folder / "key.json").write_text('{"type": "service_account", "private_key": "canary-key"}')
    for command in expected.setup:
        provision(command)
    if expected.prepare is not None:
        expected.prepare(provision)
    for name, value in expected.fill.items():
        text = text.replace(f"<{name}>", value)

    done = run(provision, text, 3 if expected.wrong else 0)

    for words in (*expected.says, *expected.wrong):
        assert words in done
    assert NO_CANARY not in done
    if expected.mended:
        for old, new in expected.mended:
            assert old in text
            text = text.replace(old, new)
        run(provision, text, 0)
    if expected.check is not None:
        expected.check(provision)


def test_the_last_line_about_minio_is_told_step_by_step(provision: CommandLine) -> None:
    provision("secret create s3_secret --aws_access_key_id=a --aws_secret_access_key=b")
    text = lines("001_fc40c2c7337a4367")[211].replace("minio_bucket", "minio-bucket")

    joined = run(provision, text.replace("s3_secret\n", "s3_secret \\\n"), 3)

    assert "--client_kwargs is not valid JSON: at character 17" in joined
    assert 'write "endpoint_url": instead of "endpoint_url:' in joined
    assert provision.client.list_artifact_stores() == []


def test_a_store_through_the_connector_of_the_document_reads_and_writes(
    provision: CommandLine, aws: Aws
) -> None:
    aws.bucket("my-bucket")
    user = aws.user("ml", "s3:*")
    aws.enforce()
    document = lines("002_34a8d0cb6bb30d6f")
    key = document[167].replace("<key>", user.access_key_id).replace("<secret>", user.secret_access_key)
    run(provision, f"{key} --endpoint_url={aws.url}", 0)
    run(provision, document[173], 0)

    assert provision("artifact-store verify s3_store").out == "s3_store works: write, read, list, delete.\n"
    with provision.client.get_artifact_store("s3_store").open("s3://my-bucket/a.txt", "w") as file:
        file.write("hello")
    aws.relax()
    assert aws.client("s3").get_object(Bucket="my-bucket", Key="a.txt")["Body"].read() == b"hello"


def run(provision: CommandLine, text: str, expect: int) -> str:
    """Runs one command line as a shell would, up to the first line that no backslash carries on."""
    first = re.sub(r"\$\(date -v-(\d+)M '\+([^']+)'\)", _date, re.split(r"(?<!\\)\n", text)[0])
    words = shlex.split(first.replace("\\\n", " "))
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        provision.environment(**{name: value})
    assert words.pop(0) == "zenml"
    return provision("", *words, expect=expect).said


def _date(found: re.Match[str]) -> str:
    """What ``date -v-15M '+…'`` prints on the systems that have it: the local time of 15 minutes ago."""
    return f"{datetime.now() - timedelta(minutes=int(found[1])):{found[2]}}"  # noqa: DTZ005 - local, as date's


def skip_unless_there(need: str) -> None:
    """Skips, saying what the line waits for."""
    kind, _, name = need.partition(" ")
    there = {
        "flavor": {flavor.name for flavor in flavors()},
        "connector": {known.name for known in connector_types()},
        "command": set(cli.list_commands(click.Context(cli))),
    }
    if need and canonical(name) not in there[kind]:
        pytest.skip(f"there is no {kind} {name} yet")


def test_flavors_of_the_working_directory_are_found(provision: CommandLine) -> None:
    source = Path(sys.modules["aws"].__file__ or "").with_name("flavor_for_tests.py").read_text()
    (provision.folder / "my_own_flavor.py").write_text(source)

    done = provision.process("artifact-store", "flavor", "register", "my_own_flavor.MemoArtifactStore")
    used = provision.process("artifact-store", "register", "mine", "-f", "memo", "--path", "memo://x")

    assert (done.code, used.code) == (0, 0), done.said + used.said
