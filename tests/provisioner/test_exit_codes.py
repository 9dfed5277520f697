"""The exit codes are a contract: each error of ours and of the runtime has its own."""

from __future__ import annotations

import inspect
import json
import signal
from pathlib import Path

import click
import pytest

import stacks.errors
from provisioner import errors
from provisioner.cli import cli
from provisioner.cli.run import run

CONTRACT = {
    "ProvisionError": 1,
    "InputError": 3,
    "ManifestError": 3,
    "CredentialsError": 4,
    "UpstreamError": 5,
    "TerraformNotFoundError": 5,
    "TerraformError": 5,
    "SafetyError": 6,
    "WrongAccountError": 6,
    "ProtectedError": 6,
    "NotEmptyError": 6,
    "LockedError": 6,
    "StalePlanError": 6,
    "PolicyDeniedError": 6,
    "UnfinishedRunError": 6,
    "DamagedStateError": 6,
    "InterruptedRunError": 130,
}


def raising(error: BaseException) -> click.Command:
    """A command that ends with this error."""

    def fail() -> None:
        raise error

    return click.Command("fail", callback=fail)


def test_every_error_has_its_code() -> None:
    ours = {
        name: kind.exit_code
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.ProvisionError)
    }

    assert ours == CONTRACT


@pytest.mark.parametrize("name", [name for name in CONTRACT if name != "ManifestError"])
def test_an_error_is_a_sentence_a_next_step_and_its_code(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(raising(getattr(errors, name)("it broke", hint="mend it")), [], "provision")

    assert code == CONTRACT[name]
    assert capsys.readouterr() == ("", "error: it broke\n  next: mend it\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (stacks.errors.CredentialsExpiredError("x"), 4),
        (stacks.errors.SecretLockedError("x"), 4),
        (stacks.errors.SecretReadOnlyError("x"), 3),
        (stacks.errors.ConnectorConfigError("x"), 3),
        (stacks.errors.ConnectorError("x"), 5),
        (stacks.errors.UnknownComponentError("x"), 3),
        (stacks.errors.ComponentExistsError("x"), 3),
        (stacks.errors.ComponentInUseError("x"), 6),
        (stacks.errors.DamagedStateError("x"), 6),
        (stacks.errors.InvalidNameError("x"), 3),
        (stacks.errors.StoreNetworkError("x"), 5),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("x"), 3),
        (BrokenPipeError(), 0),
        (ZeroDivisionError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_errors_of_others_have_theirs(
    error: BaseException, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(error), [], "provision") == code


def test_what_nobody_expected_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    run(raising(ZeroDivisionError("by zero")), [], "provision")

    said = capsys.readouterr().err
    assert "unexpected ZeroDivisionError: by zero" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["plan"],
        ["plan", "no-such-file.yaml"],
        ["apply", "stack.yaml", "--lock-timeout", "-1"],
        ["plan", "stack.yaml", "--format", "xml"],
        ["output", "no-such-stack"],
        ["status", "no-such-stack"],
        ["recover", "no-such-stack"],
        ["recover", "../../etc"],
        ["destroy", "no-such-stack"],
        ["drift", ".."],
        ["init", ".", "--provider", "floppy"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_3(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stack.yaml").write_text("version: 1\n")

    assert run(cli, arguments, "provision") == 3

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")


def test_a_manifest_tells_all_its_problems_with_their_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stack.yaml"
    path.write_text("version: 1\nname: Demo\nprovider: local\nartifact_stores:\n  - nmae: x\n")

    assert run(cli, ["validate", str(path), "--format", "json"], "provision") == 3

    told = json.loads(capsys.readouterr().out)
    assert told["valid"] is False
    assert {problem["path"] for problem in told["problems"]} >= {"name", "artifact_stores[0].nmae"}
    assert {"file", "line", "column", "path", "message"} == set(told["problems"][0])


def test_a_rendering_that_is_out_of_date_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "stack.yaml", tmp_path / "out"
    path.write_text("version: 1\nname: demo\nprovider: local\nartifact_stores:\n  - name: main\n")

    assert run(cli, ["render", str(path), "-o", str(out), "--check"], "provision") == 2
    assert not out.exists()
    assert run(cli, ["render", str(path), "-o", str(out)], "provision") == 0
    assert run(cli, ["render", str(path), "-o", str(out), "--check"], "provision") == 0
    (out / "main.tf").write_text("")
    assert run(cli, ["render", str(path), "-o", str(out), "--check"], "provision") == 2
    assert "out of date: " in capsys.readouterr().out


def test_nothing_applied_is_a_status_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli, ["status", "--format", "json"], "provision") == 0

    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"state_file", "active_stack", "stacks"}
    assert told["stacks"] == []


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_ends_a_command_in_order_and_means_afterwards_what_it_meant(stop: signal.Signals) -> None:
    """A pool that forks after a command was run in its process ends its workers with SIGTERM."""
    ended: list[str] = []

    def stopped() -> None:
        try:
            signal.raise_signal(stop)
        finally:
            ended.append("in order")

    assert run(click.Command("stopped", callback=stopped), [], "provision") == 130
    assert ended == ["in order"]
    assert signal.getsignal(stop) is signal.SIG_DFL
