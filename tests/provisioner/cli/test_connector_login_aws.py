"""`provision service-connector login` for AWS: a profile that asks the connector each time."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from commands import ALL_OF_S3, Aws, CommandLine
from world import Done

from stacks.credentials import AwsCredentials
from stacks.state import StateFile

KEY_FIELDS = ("access_key_id", "secret_access_key")


def test_login_lets_the_sdks_of_aws_use_the_connector(scoped: CommandLine, aws: Aws) -> None:
    config = Path(os.environ["AWS_CONFIG_FILE"])
    before = config.read_text()

    for _ in range(2):  # the second time in the place of the first
        assert "Wrote the profile stacks" in scoped("service-connector login c --profile stacks").out

    written = config.read_text()
    assert written.startswith(before)
    assert written.count("[profile stacks]") == 1
    script = (
        "import boto3; s3 = boto3.Session(profile_name='stacks').client('s3')\n"
        "print(s3.get_object(Bucket='team', Key='ours/a')['Body'].read())"
    )
    # Asked from another folder, and without the variables that the connector was registered with.
    environment = {
        key: value for key, value in os.environ.items() if key not in {"AWS_PROFILE", "STACKS_STATE"}
    }
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd="/", env=environment, check=False
    )
    assert done.stdout == "b'x'\n", done.stderr


@pytest.fixture
def unnamed(aws: Aws, provision: CommandLine, role: str) -> CommandLine:
    """A connector `c` that assumes the role with what the environment has: no profile is named."""
    held = Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).read_text()
    provision.profiles("", f"{held}{held.replace('[me]', '[default]')}")
    provision(
        f"service-connector register c -t aws --auth-method iam-role --role_arn={role} --region=eu-west-1 "
        f"--endpoint_url={aws.url} --resource-id s3://team/ours"
    )
    return provision


def test_the_profile_of_a_login_may_be_the_one_in_force(unnamed: CommandLine) -> None:
    """Its connector takes the environment's credentials: not those of that profile, which would ask it."""
    unnamed("service-connector login c --profile stacks")
    unnamed.environment(AWS_PROFILE="stacks")
    script = "import boto3\nprint(boto3.client('s3').get_object(Bucket='team', Key='ours/a')['Body'].read())"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.stdout == "b'x'\n", done.stderr
    unnamed("service-connector login c --profile stacks")
    unnamed("service-connector login c --", sys.executable, "-c", script)
    assert os.environ["AWS_PROFILE"] == "stacks"


def test_the_default_profile_is_not_written_over_what_the_connector_asks_with(unnamed: CommandLine) -> None:
    refused = unnamed("service-connector login c --profile default", expect=3)

    assert "takes its own credentials from the default profile" in refused.err
    assert "Wrote the profile c" in unnamed(shlex.join(hinted(refused))).out
    unnamed("service-connector update c --profile_name=me")
    assert "Wrote the profile default" in unnamed("service-connector login c --profile default").out


def test_login_leaves_the_profiles_of_others_alone(scoped: CommandLine) -> None:
    done = scoped("service-connector login c --profile team", expect=6)

    assert "has a profile [profile team] already" in done.err
    assert "--profile NAME" in done.err


def hinted(done: Done) -> tuple[str, ...]:
    """The command that a refusal names, as the words behind `provision`."""
    words = shlex.split(done.err.partition("next: ")[2].partition(": ")[2].strip())
    return tuple(words[words.index("provision") + 1 :])


@pytest.fixture
def key(aws: Aws, provision: CommandLine) -> AwsCredentials:
    """The long-lived key of the user `ml`."""
    aws.bucket("team", "ours/a")
    return aws.user("ml", *ALL_OF_S3)


def test_login_refuses_a_key_that_does_not_end_and_names_what_helps(
    provision: CommandLine, aws: Aws, key: AwsCredentials
) -> None:
    provision(
        f"service-connector register c -t aws --auth-method secret-key --endpoint_url={aws.url} "
        f"--aws_access_key_id={key.access_key_id} --aws_secret_access_key={key.secret_access_key}"
    )
    aws.enforce()

    refused = provision("service-connector login c", expect=6)

    assert "hands on a long-lived key" in refused.err
    assert refused.err == provision("service-connector token c", expect=6).err
    assert not Path(os.environ["AWS_CONFIG_FILE"]).exists()
    provision(shlex.join(hinted(refused)))
    assert "Wrote the profile c" in provision("service-connector login c").out
    assert provision("service-connector token c --format credential-process").json["SessionToken"]


@pytest.mark.parametrize("profile", [None, "me"])
def test_a_key_of_the_environment_is_made_temporary_by_another_connector(
    provision: CommandLine, aws: Aws, key: AwsCredentials, profile: str | None
) -> None:
    if profile is None:
        provision.environment(
            AWS_ACCESS_KEY_ID=key.access_key_id, AWS_SECRET_ACCESS_KEY=key.secret_access_key
        )
    else:
        held = f"aws_access_key_id={key.access_key_id}\naws_secret_access_key={key.secret_access_key}\n"
        provision.profiles("", f"[me]\n{held}")
    named = f" --profile_name={profile}" if profile else ""
    provision(
        f"service-connector register c -t aws --auth-method implicit --endpoint_url={aws.url} "
        f"--region=eu-west-1 --resource-id s3://team/ours{named}"
    )

    refused = provision("service-connector login c", expect=6)

    assert refused.err == provision("service-connector token c", expect=6).err
    assert ("env AWS_PROFILE=me provision" in refused.err) is (profile is not None)
    provision.environment(**({"AWS_PROFILE": profile} if profile else {}))
    provision(shlex.join(hinted(refused)))
    assert "Wrote the profile c_temporary" in provision("service-connector login c_temporary").out
    assert provision("service-connector token c_temporary --format credential-process").json["SessionToken"]


def test_a_key_of_a_connector_that_a_manifest_manages_likewise(
    provision: CommandLine, aws: Aws, key: AwsCredentials
) -> None:
    provision("secret create k", *(f"--aws_{name}={getattr(key, name)}" for name in KEY_FIELDS))
    provision(
        f"service-connector register c -t aws --auth-method secret-key --endpoint_url={aws.url} "
        "--authentication-secret k --resource-id s3://team"
    )
    managed = replace(provision.client.describe_connector("c"), deployment="demo")
    StateFile.locate().update(lambda state: replace(state, connectors={"c": managed}))

    refused = provision("service-connector login c", expect=6)

    provision(shlex.join(hinted(refused)))
    assert "Wrote the profile c_temporary" in provision("service-connector login c_temporary").out


def test_login_is_for_what_the_connector_names_itself(
    provision: CommandLine, aws: Aws, key: AwsCredentials
) -> None:
    provision(
        f"service-connector register c -t aws --auth-method federation-token --endpoint_url={aws.url} "
        f"--aws_access_key_id={key.access_key_id} --aws_secret_access_key={key.secret_access_key}"
    )

    refused = provision("service-connector login c", expect=3)

    assert "a federation token is for one bucket" in refused.err
    provision(shlex.join(hinted(refused)).replace("s3://BUCKET", "s3://team"))
    assert "Wrote the profile c" in provision("service-connector login c").out
