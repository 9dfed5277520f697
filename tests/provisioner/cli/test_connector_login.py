"""`provision service-connector login`: the clouds' own programs, set up without a credential in a file."""

from __future__ import annotations

import configparser
import stat
import sys
from pathlib import Path

import pytest
from commands import CommandLine
from google_services import ACCOUNT, running_google

SHOWS = (sys.executable, "-c", "import os; print(os.environ['CLOUDSDK_AUTH_ACCESS_TOKEN'])")


def held(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text())
    return {name: dict(parser[name]) for name in parser.sections()}


def test_gcloud_impersonates_the_same_service_account(provision: CommandLine) -> None:
    provision(
        f"service-connector register g -t gcp --auth-method impersonation --target_principal={ACCOUNT} "
        "--project_id=acme --resource-id gs://bucket"
    )
    for _ in range(2):  # the second time in the place of the first
        done = provision("service-connector login g --profile stacks --format json").json
    path = Path(done["file"])
    assert path.name == "config_stacks"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert held(path) == {"core": {"project": "acme"}, "auth": {"impersonate_service_account": ACCOUNT}}
    assert "gcloud --configuration stacks" in provision("service-connector login g --profile stacks").out


def test_a_configuration_of_gcloud_s_own_is_left_alone(provision: CommandLine) -> None:
    provision("service-connector register g -t gcp --auth-method implicit --project_id=acme")
    provision.environment(CLOUDSDK_CONFIG=str(provision.folder / "gcloud"))
    path = provision.folder / "gcloud" / "configurations" / "config_team"
    path.parent.mkdir(parents=True)
    path.write_text("[core]\nproject = theirs\n")
    assert "choose another name" in provision("service-connector login g --profile team", expect=6).err
    assert path.read_text() == "[core]\nproject = theirs\n"
    assert "cannot be the name" in provision("service-connector login g --profile ../x", expect=3).err


def test_az_uses_its_own_login_on_the_connector_s_account(provision: CommandLine) -> None:
    provision("service-connector register a -t azure --auth-method implicit --account_name=acmestore")
    config = provision.folder / "az" / "config"
    config.parent.mkdir()
    config.write_text("[cloud]\nname = AzureCloud\n")
    provision.environment(AZURE_CONFIG_DIR=str(config.parent))
    for _ in range(2):
        assert "Wrote the account acmestore" in provision("service-connector login a").out
    assert held(config) == {
        "cloud": {"name": "AzureCloud"},
        "storage": {"account": "acmestore", "auth_mode": "login"},
    }
    provision("service-connector register b -t azure --auth-method implicit --account_name=another")
    refused = provision("service-connector login b", expect=6).err
    assert "has account = acmestore for az storage already" in refused


def test_az_is_told_of_an_account_once_the_connector_names_it(provision: CommandLine) -> None:
    provision("service-connector register a -t azure --auth-method implicit")
    provision.environment(AZURE_CONFIG_DIR=str(provision.folder / "az"))

    refused = provision("service-connector login a", expect=3).err

    assert "service connector 'a' does not say which storage account it is for" in refused
    command = refused.partition("next: provision ")[2].strip()
    provision(command.replace("NAME", "acmestore"))
    assert "Wrote the account acmestore" in provision("service-connector login a").out


def test_a_field_that_is_missing_is_an_error_of_the_line(provision: CommandLine) -> None:
    """Nobody is asked: what the connector says decides it."""
    provision("service-connector register a -t azure --auth-method implicit")
    provision("service-connector register g -t gcp --auth-method oauth2-token --token=ya29.x")

    assert "update a --account_name=NAME" in provision("service-connector verify a", expect=3).err
    assert "update g --project_id=PROJECT" in provision("service-connector verify g", expect=3).err


def test_a_key_is_written_nowhere_but_a_command_gets_a_token(provision: CommandLine) -> None:
    with running_google() as google:
        google.objects = {"data": {}}
        fields = " ".join(f"--{name}={url}" for name, url in google.endpoints().items())
        provision(
            f"service-connector register g -t gcp --auth-method service-account {fields} "
            "--resource-id gs://data",
            f"--service_account_json={google.service_account_json()}",
        )
        refused = provision("service-connector login g", expect=3).err
        assert "provision service-connector login g -- gcloud storage ls" in refused
        done = provision.process("service-connector", "login", "g", "--", *SHOWS)
        token = done.out.strip()
        assert google.tokens[token].boundary  # short-lived, and for the bucket alone
        assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(("code", "expected"), [("raise SystemExit(7)", 7), ("", 0)])
def test_the_exit_code_is_the_command_s(provision: CommandLine, code: str, expected: int) -> None:
    with running_google() as google:
        token = google.issue()
        provision("service-connector register g -t gcp --auth-method oauth2-token", f"--token={token}")
        line = ("service-connector", "login", "g", "--", sys.executable, "-c", code)
        assert provision.process(*line).code == expected


def test_mistakes_of_a_command(provision: CommandLine) -> None:
    provision("service-connector register g -t gcp --auth-method oauth2-token --token=ya29.x")
    assert "cannot be run" in provision("service-connector login g -- no-such-program", expect=3).err
    both = provision("service-connector login g --profile p -- env", expect=3).err
    assert "--profile is for a login without a command" in both
