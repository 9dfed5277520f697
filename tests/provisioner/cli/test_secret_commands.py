"""`provision secret`, and that no secret is seen anywhere but in the store."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest
from commands import CommandLine

CANARY = "canary-5b21-do-not-show"
KEYS = f"--aws_access_key_id=AKIA --aws_secret_access_key={CANARY}"


def test_the_life_of_a_secret(provision: CommandLine) -> None:
    assert (
        provision("secret create s3 --token=a --other=b").out == "Created the secret s3 with other, token.\n"
    )
    assert json.loads(provision("secret list --format json").out) == [
        {"name": "s3", "keys": ["other", "token"], "used_by": []}
    ]
    provision("secret update s3 --token=c --remove other")
    provision("secret rename s3 renamed")
    assert dict(provision.client.get_secret("renamed")) == {"token": "c"}
    assert provision("secret get renamed").out == "token: ********\n"
    assert "there is no terminal to ask on" in provision("secret delete renamed", expect=3).err
    assert provision("secret delete renamed -y --format json").json == {"deleted": "renamed"}
    assert provision("secret list").out == "There is no secret.\n"


def test_a_secret_of_the_environment_is_not_changed_here(provision: CommandLine) -> None:
    provision.environment(STACKS_SECRET__S3__TOKEN=CANARY)

    for line in ("create s3 --token=x", "update s3 --token=x", "delete s3 -y"):
        done = provision(f"secret {line}", expect=3)
        assert "error: secret 's3' comes from the environment variables STACKS_SECRET__S3__…" in done.err
        assert CANARY not in done.said


def test_a_value_comes_from_a_file_or_standard_input_without_a_warning(provision: CommandLine) -> None:
    (provision.folder / "key").write_text(f"{CANARY}\n")

    done = provision("secret create s3 --token=@key --password=@-", stdin="typed\n")

    assert dict(provision.client.get_secret("s3")) == {"token": CANARY, "password": "typed"}
    assert done.err == ""


def test_a_secret_on_the_command_line_is_taken_with_a_warning(provision: CommandLine) -> None:
    done = provision(f"secret create s3 {KEYS}")

    assert "stays in the shell's history" in done.err
    assert "--aws_secret_access_key=@FILE" in done.err
    assert CANARY not in done.said


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("connection_sting", "connection_string"),
        ("aws_acess_key_id", "aws_access_key_id"),
        ("aws_secret_acces_key", "aws_secret_access_key"),
        ("sas_tokn", "sas_token"),
        ("client_secrt", "client_secret"),
    ],
)
def test_a_key_one_slip_away_from_a_known_one_is_told(provision: CommandLine, key: str, meant: str) -> None:
    done = provision(f"secret create s --{key}=x", expect=3)

    assert f"--{key} looks misspelt" in done.err
    assert f"write --{meant}=…" in done.err
    provision(f"secret create s --any-keys --{key}=x")


@pytest.mark.parametrize(
    "key", ["token", "tokens", "key1", "api_key", "wandb-api-key", "client_ids", "PASSWORD"]
)
def test_other_keys_are_taken_as_they_are(provision: CommandLine, key: str) -> None:
    provision(f"secret create s --{key}=x")
    assert list(provision.client.get_secret("s")) == [key]


def test_what_is_used_is_neither_renamed_nor_deleted(provision: CommandLine) -> None:
    provision(f"secret create s3 {KEYS}")
    provision("artifact-store register mine -f s3 --path=s3://bucket --authentication_secret=s3")

    for command in ("secret delete s3 -y", "secret rename s3 other"):
        assert "secret 's3' is used by artifact store mine" in provision(command, expect=6).err
    assert provision("secret get s3 --format json").json["used_by"] == ["artifact store mine"]


def test_mistakes(provision: CommandLine) -> None:
    provision("secret create s3 --token=a")

    assert "a secret named 's3' is there already" in provision("secret create s3 --token=b", expect=3).err
    assert "has no values" in provision("secret create other", expect=3).err
    assert "--token is empty" in provision("secret create other --token=", expect=3).err
    assert "there is no secret named 's4'" in provision("secret get s4", expect=3).err
    assert "has no key nope" in provision("secret update s3 --remove nope", expect=3).err
    assert "nothing to change" in provision("secret update s3", expect=3).err


def test_no_secret_is_seen_anywhere(provision: CommandLine, caplog: pytest.LogCaptureFixture) -> None:
    """By every way in; then in outputs, errors, logs and files."""
    caplog.set_level(logging.DEBUG)
    nested = json.dumps({"aws_access_key_id": "AKIA", "aws_secret_access_key": CANARY})
    said = [
        provision(f"secret create s3 {KEYS}").said,
        provision(
            "artifact-store register keys -f s3 --path s3://bucket --key=AKIA", f"--secret={CANARY}"
        ).said,
        provision(
            "artifact-store register nested -f s3 --path s3://bucket", f"--client_kwargs={nested}"
        ).said,
        provision(f"service-connector register c --type aws --auth-method secret-key {KEYS}").said,
        provision(f"service-connector update c --aws_secret_access_key={CANARY}").said,
        provision("artifact-store update keys", f"--secret={CANARY}").said,
        # What fails, with the secret in hand:
        provision(f"service-connector register c --type aws --auth-method secret-key {KEYS}", expect=3).said,
        provision(f"service-connector register d --type aws --auth-method iam-role {KEYS}", expect=3).said,
        provision(
            "artifact-store register keys -f s3 --path s3://bucket", f"--secret={CANARY}", expect=3
        ).said,
        provision(
            "artifact-store register x -f s3 --path s3://bucket", f"--client_kwargs={nested[:-1]}", expect=3
        ).said,
        provision(
            "artifact-store register x -f nope --path s3://bucket", f"--secret={CANARY}", expect=3
        ).said,
        provision("secret create", CANARY, f"token={CANARY}", "--token=x", expect=3).said,
        provision(f"--debug secret create s3 {KEYS}", expect=3).said,
        provision("service-connector token c", expect=6).said,
        # What shows:
        provision("stack register s -a keys --set").said,
    ]
    shows = (
        "artifact-store list",
        "artifact-store describe keys",
        "artifact-store describe nested",
        "service-connector list",
        "service-connector describe c",
        "secret list",
        "secret get s3",
        "secret get c.service-connector",
        "secret get nested.artifact-store",
    )
    said += [provision(f"{show} --format {form}").said for show in shows for form in ("text", "json")]
    said.append(provision("stack export s").said)

    assert CANARY not in "\n".join(said)
    assert CANARY not in caplog.text
    files = [path for path in provision.folder.rglob("*") if path.is_file()]
    assert len(files) >= 3  # the state, the secrets, the key
    for path in files:
        assert CANARY.encode() not in path.read_bytes(), path


def test_a_secret_reaches_no_other_process(provision: CommandLine) -> None:
    """The audit hook of the interpreter sees every process that is started: none is."""
    log = provision.folder / "started"
    (provision.folder / "sitecustomize.py").write_text(
        "import sys\n"
        "def spy(event, args):\n"
        "    if event in ('subprocess.Popen', 'os.exec', 'os.fork', 'os.posix_spawn', 'os.system'):\n"
        f"        open({str(log)!r}, 'a').write(repr(args))\n"
        "sys.addaudithook(spy)\n"
    )
    environment = {"PYTHONPATH": str(provision.folder)}

    done = provision.process("secret", "create", "s3", f"--token={CANARY}", **environment)
    used = provision.process(
        "artifact-store", "register", "x", "-f", "s3", "--path=s3://bucket", f"--secret={CANARY}", "--key=a",
        **environment,
    )  # fmt: skip

    assert (done.code, used.code) == (0, 0), done.said + used.said
    assert not log.exists()
    subprocess.run(
        [sys.executable, "-c", "import os; os.system('true')"], check=True, env={**os.environ, **environment}
    )
    assert log.exists()
