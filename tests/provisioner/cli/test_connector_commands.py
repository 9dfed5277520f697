"""`provision service-connector`, against an AWS that enforces its policies."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from commands import ALL_OF_S3, Aws, CommandLine


def test_auto_configure_takes_the_role_and_says_so(scoped: CommandLine, role: str, aws: Aws) -> None:
    shown = scoped("service-connector describe c --format json").json

    assert shown == {
        "name": "c",
        "type": "aws",
        "auth_method": "iam-role",
        "resource_type": None,
        "resource_id": "s3://team/ours",
        "config": {
            "region": "eu-west-1",
            "endpoint_url": aws.url,
            "role_arn": role,
            "profile_name": "me",
        },
        "authentication_secret": None,
        "artifact_stores": [],
        "managed_by": None,
    }
    assert scoped.client.list_secrets() == []


def test_verify_and_list_resources(scoped: CommandLine) -> None:
    assert scoped("service-connector verify c").out == "c works and reaches s3://team/ours.\n"
    assert scoped("service-connector list-resources --format json").json == [
        {"name": "c", "resources": ["s3://team/ours"]}
    ]
    outside = scoped("service-connector verify c --resource-id s3://other", expect=3)
    assert "s3://other" in outside.err


def test_a_connector_that_does_not_work_is_not_registered(provision: CommandLine, aws: Aws) -> None:
    aws.bucket("team")
    aws.enforce()

    done = provision(
        f"service-connector register c -t aws --auth-method secret-key --endpoint_url={aws.url} "
        "--aws_access_key_id=AKIAWRONG --aws_secret_access_key=wrong --resource-id s3://team --verify",
        expect=4,
    )

    assert "next:" in done.err
    assert provision("service-connector list").out == "No service connector is registered.\n"
    assert provision("secret list").out == "There is no secret.\n"


def test_a_token_for_a_shell_works_for_its_bucket_and_prefix_alone(scoped: CommandLine, aws: Aws) -> None:
    lines = scoped("service-connector token c").out.splitlines()
    printed = dict(line.removeprefix("export ").split("=", 1) for line in lines)

    assert sorted(printed) == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    s3 = boto3.client(
        "s3",
        aws_access_key_id=printed["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=printed["AWS_SECRET_ACCESS_KEY"].strip("'"),
        aws_session_token=printed["AWS_SESSION_TOKEN"].strip("'"),
        endpoint_url=aws.url,
    )
    assert s3.get_object(Bucket="team", Key="ours/a")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket="team", Key="theirs/b")


def test_a_token_as_json_and_for_a_credential_process(scoped: CommandLine) -> None:
    as_json = scoped("service-connector token c --format json --access read-only").json
    process = scoped("service-connector token c --format credential-process").json

    assert sorted(as_json) == [
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "expires_at",
    ]
    assert as_json["expires_at"].endswith("+00:00")
    assert process["Version"] == 1
    assert sorted(process) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]


def test_a_key_that_does_not_end_is_not_printed(provision: CommandLine) -> None:
    provision(
        "service-connector register c -t aws --auth-method secret-key --aws_access_key_id=A "
        "--aws_secret_access_key=canary"
    )

    done = provision("service-connector token c", expect=6)

    assert "hands on a long-lived key" in done.err
    assert "update c --auth-method session-token" in done.err
    assert "canary" not in done.said


def test_a_key_of_variables_goes_into_the_secret_store_and_hands_out_temporary_ones(
    provision: CommandLine, aws: Aws
) -> None:
    aws.bucket("team")
    user = aws.user("ml", *ALL_OF_S3)
    provision.environment(
        AWS_ACCESS_KEY_ID=user.access_key_id,
        AWS_SECRET_ACCESS_KEY=user.secret_access_key,
        AWS_ENDPOINT_URL=aws.url,
        AWS_REGION="eu-west-1",
    )

    done = provision("service-connector register c --type aws --auto-configure")

    assert "took the access key of the environment variables" in done.err
    assert "took the region eu-west-1" in done.err
    assert user.secret_access_key not in done.said
    assert provision.client.describe_connector("c").auth_method == "session-token"
    assert provision("service-connector token c --format json").json["aws_session_token"]
    assert provision("service-connector list-resources c").out.splitlines()[1].split() == ["c", "s3://team"]


@pytest.mark.parametrize(
    ("options", "method", "says"),
    [
        ("", "implicit", "took the profile me, whose credentials stay where they are"),
        ("--auth-method secret-key", "secret-key", "took the access key of the profile me"),
        ("--auth-method iam-role --role_arn=arn:aws:iam::123456789012:role/x", "iam-role", "the profile me"),
    ],
)
def test_a_profile_with_a_key_is_named_and_its_key_taken_only_when_asked_for(
    provision: CommandLine, options: str, method: str, says: str
) -> None:
    provision.profiles("[profile me]\n", "[me]\naws_access_key_id = A\naws_secret_access_key = canary\n")
    provision.environment(AWS_PROFILE="me")

    done = provision(f"service-connector register c -t aws --auto-configure {options}")

    assert says in done.err
    assert provision.client.describe_connector("c").auth_method == method
    assert bool(provision.client.list_secrets()) is (method == "secret-key")


@pytest.mark.parametrize(
    ("environment", "options", "code", "says"),
    [
        ({}, "", 4, "there are no AWS credentials in the environment"),
        ({"AWS_PROFILE": "nobody"}, "", 4, "the profiles are: none"),
        (
            {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s"},
            "--auth-method sts-token",
            4,
            "session-token",
        ),
        (
            {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"},
            "--auth-method secret-key",
            4,
            "has temporary credentials",
        ),
        ({}, "--auth-method nope", 3, "no auth method 'nope'"),
    ],
)
def test_what_cannot_be_configured_says_why(
    provision: CommandLine, environment: dict[str, str], options: str, code: int, says: str
) -> None:
    provision.environment(**environment)

    done = provision(f"service-connector register c -t aws --auto-configure {options}", expect=code)

    assert says in done.err
    assert provision.client.list_connectors() == []


GOOGLE_LOGIN = {
    "type": "authorized_user",
    "client_id": "c",
    "client_secret": "canary-client",
    "refresh_token": "canary-refresh",
}


def google_login(provision: CommandLine) -> str:
    """What `gcloud auth application-default login` leaves, named by its variable."""
    path = provision.folder / "login.json"
    path.write_text(json.dumps(GOOGLE_LOGIN))
    provision.environment(GOOGLE_APPLICATION_CREDENTIALS=str(path), GOOGLE_CLOUD_PROJECT="acme")
    return str(path)


def test_google_s_own_login_is_named_and_stays_where_it_is(provision: CommandLine) -> None:
    path = google_login(provision)

    done = provision("service-connector register g -t gcp --auto-configure --resource-id gs://bucket")

    assert f"took the authorized_user in {path}, which stays where it is" in done.err
    assert "took the project acme" in done.err
    record = provision.client.describe_connector("g")
    assert (record.auth_method, record.config) == ("implicit", {"project_id": "acme"})
    assert provision.client.list_secrets() == []


def test_google_s_own_login_goes_into_the_secret_store_when_asked_for(provision: CommandLine) -> None:
    google_login(provision)

    done = provision("service-connector register g -t gcp --auto-configure --auth-method user-account")

    assert json.loads(provision.client.get_secret("g.service-connector")["user_account_json"]) == GOOGLE_LOGIN
    shown = provision("service-connector describe g").said
    assert "canary" not in done.said + shown + (provision.home / "state.json").read_text()
    other = provision(
        "service-connector register h -t gcp --auto-configure --auth-method service-account", expect=4
    )
    assert "no credentials of the type service_account" in other.err


def test_without_google_credentials_the_login_is_named(provision: CommandLine) -> None:
    provision.environment(NO_GCE_CHECK="true")
    done = provision("service-connector register g -t gcp --auto-configure", expect=4)
    assert "gcloud auth application-default login" in done.err


def test_the_life_of_a_connector(provision: CommandLine) -> None:
    provision(
        "service-connector register c -t aws --auth_method session-token --aws_access_key_id=A "
        "--aws_secret_access_key=s --session-seconds 900"
    )
    provision("artifact-store register s -f s3 --path=s3://bucket --connector c")
    provision(
        "service-connector update c --resource-id s3://bucket --remove session-seconds --region eu-west-1"
    )
    provision("service-connector rename c d")

    shown = provision("service-connector describe d --format json").json
    assert shown["config"]["region"] == "eu-west-1"
    assert "session_seconds" not in shown["config"]
    assert shown["artifact_stores"] == ["s"]
    assert "is used by artifact store s" in provision("service-connector delete d", expect=6).err
    provision("artifact-store disconnect s")
    assert "has no connector" in provision("artifact-store disconnect s", expect=3).err
    assert provision("service-connector delete d").out == "Deleted the service connector d.\n"
    assert provision("secret list").out == "There is no secret.\n"


def test_types_are_described_with_their_methods_and_fields(provision: CommandLine) -> None:
    (aws_type,) = (
        one for one in provision("service-connector list-types --format json").json if one["name"] == "aws"
    )
    assert aws_type["auth_methods"][:2] == ["implicit", "secret-key"]
    assert aws_type["integration"] == "s3"

    described = provision("service-connector describe-type aws --format json").json
    role = next(method for method in described["auth_methods"] if method["name"] == "iam-role")
    assert role["required"] == ["role_arn"]
    assert role["scoped"] is True
    assert "iam-role: " in provision("service-connector describe-type aws").out


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("register c -t aws", "give --auto-configure, or --auth-method with one of: implicit, secret-key"),
        ("register c -t nope --auto-configure", "there is no type of service connector named 'nope'"),
        ("register c -t aws --auth-method iam-role", "iam-role needs role_arn"),
        ("register c -t aws --auth-method implicit --regoin=x", "did you mean 'region'?"),
        (
            "register c -t aws --auth-method implicit --resource-id s3://my_bucket",
            "write --resource-id=s3://my-bucket",
        ),
        ("update c", "nothing to change was given"),
        ("describe c", "there is no service connector named 'c'"),
        ("describe-type nope", "choose one of: aws"),
    ],
)
def test_mistakes_say_what_to_write(provision: CommandLine, line: str, says: str) -> None:
    assert says in provision(f"service-connector {line}", expect=3).err


def test_what_has_no_key_is_not_rotated(scoped: CommandLine) -> None:
    assert "has no static key of its own" in scoped("service-connector rotate c", expect=3).err


def test_json_is_all_that_stands_on_stdout(scoped: CommandLine) -> None:
    done = scoped.process("service-connector", "token", "c", "--format", "credential-process")
    assert json.loads(done.out)["Version"] == 1
    assert done.err == ""
