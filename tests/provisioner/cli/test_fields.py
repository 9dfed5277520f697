"""`--key=value`: names, files, JSON and references, and what is said where a value cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.cli.fields import parse
from provisioner.errors import InputError

CANARY = "canary-77e0"


def refused(*arguments: str, plain: bool = False) -> str:
    """What the user reads of an error: message and next step."""
    with pytest.raises(InputError) as caught:
        parse(arguments, plain=plain).name()
    return f"{caught.value} | {caught.value.hint}"


def test_both_ways_to_write_an_option_and_both_ways_to_spell_it() -> None:
    read = parse(["mine", "--client-kwargs", '{"verify": false}', "--account_name=acme"])

    assert read.name() == "mine"
    assert read.fields == {"client_kwargs": {"verify": False}, "account_name": "acme"}


def test_a_value_is_json_only_where_it_is_a_structure() -> None:
    read = parse(["--a=true", "--b=7", "--c=[1, 2]", "--d={{s3.key}}", "--e=a=b", "--f="])

    assert read.fields == {"a": "true", "b": "7", "c": [1, 2], "d": "{{s3.key}}", "e": "a=b", "f": ""}


def test_a_file_is_loaded_and_a_doubled_sign_is_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kwargs.json").write_text('{"region_name": "eu-west-1"}\n')

    read = parse(["--client_kwargs=@kwargs.json", "--sign=@@home"])

    assert read.fields == {"client_kwargs": {"region_name": "eu-west-1"}, "sign": "@home"}
    assert read.typed == {"sign"}
    assert "nowhere.json cannot be read: No such file" in refused("--x=@nowhere.json")


def test_the_keys_of_a_secret_stay_as_they_are_and_its_json_is_text() -> None:
    read = parse(["--api-key={a}", '--service_account_json={"type": "x"}'], plain=True)

    assert read.fields == {"api-key": "{a}", "service_account_json": '{"type": "x"}'}


def test_the_json_of_a_service_account_is_one_secret() -> None:
    assert parse(['--service_account_json={"a": 1}']).fields == {"service_account_json": '{"a": 1}'}


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (
            '{"endpoint_url:"http://x:9000", "region_name":"r"}',
            'write "endpoint_url": instead of "endpoint_url:',
        ),
        ("{endpoint_url:http://x}", "put single quotes around the whole value"),
        ("{'verify': 'x'}", "JSON has double quotes inside"),
        ('{"verify": False}', "JSON writes true, false and null in small letters"),
        ('{"a": "b",}', "take away the comma"),
        ('{"a": {"b": 1}', "add }"),
        ('{"a" "b"}', 'write it like this: --client_kwargs=\'{"name": "value"}\''),
    ],
)
def test_broken_json_is_told_with_what_to_write(value: str, fix: str) -> None:
    said = refused("mine", f"--client_kwargs={value}")

    assert "--client_kwargs is not valid JSON: at character" in said
    assert fix in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "NAME is missing"),
        (["a", "..."], "'...' is no argument"),
        (["a", f"aws_secret_access_key={CANARY}"], "write it with two dashes: --aws_secret_access_key=VALUE"),
        (["a", CANARY], "there is one argument too many"),
        (["a", "--token"], "--token has no value | write it as --token=VALUE"),
        (["a", "--token", "--other=1"], "--token has no value"),
        (["a", "--x=1", "--x=2"], "--x is given twice"),
        (["a", f"-{CANARY}"], "is not an option of this command"),
        (["a", f"--proxy=http://me:{CANARY}@host"], "a URL with a password in it"),
        (["a", f'--client_kwargs={{"aws_secret_access_key": "{CANARY}"'], "the end is missing: add }"),
    ],
)
def test_mistakes_are_told_and_no_value_is_repeated(arguments: list[str], said: str) -> None:
    told = refused(*arguments)

    assert said in told
    assert CANARY not in told


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=5), st.booleans())
def test_whatever_is_typed_is_read_or_refused_with_a_reason(arguments: list[str], plain: bool) -> None:
    hint: str | None = "none is needed"
    try:
        parse([argument for argument in arguments if "@" not in argument], plain=plain)
    except InputError as error:
        hint = error.hint
    assert hint
