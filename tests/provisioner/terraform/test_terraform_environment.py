"""What Terraform gets to see of the environment, and where its providers come from."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from provisioner.errors import InputError
from provisioner.terraform.environment import build_environment, cli_configuration


def test_variables_of_terraform_are_dropped_and_named(caplog: pytest.LogCaptureFixture) -> None:
    shell = {
        "PATH": "/bin",
        "AWS_PROFILE": "ml",
        "TF_LOG": "TRACE",
        "TF_VAR_stack": "evil",
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_REATTACH_PROVIDERS": "{}",
        "TF_WORKSPACE": "evil",
        "TF_DATA_DIR": "/evil",
    }

    with caplog.at_level(logging.WARNING):
        environment = build_environment(shell, Path("/w/cli.tfrc"))

    assert {name: value for name, value in environment.items() if name != "GOGC"} == {
        "PATH": "/bin",
        "AWS_PROFILE": "ml",
        "TF_CLI_CONFIG_FILE": "/w/cli.tfrc",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }
    (record,) = caplog.records
    for name in shell:
        assert (name in record.getMessage()) == name.startswith("TF_")
    assert "evil" not in record.getMessage()


def test_the_key_of_the_secret_store_is_withheld(caplog: pytest.LogCaptureFixture) -> None:
    environment = build_environment({"STACKS_SECRET_KEY": "canary", "PATH": "/bin"}, Path("/w/cli.tfrc"))

    assert "canary" not in environment.values()
    assert not caplog.records


def test_without_a_mirror_providers_come_from_the_registry_through_one_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    configuration = cli_configuration({})

    assert configuration.cache == tmp_path / "cache" / "stack-provisioner" / "plugins"
    assert configuration.text == (f'disable_checkpoint = true\nplugin_cache_dir = "{configuration.cache}"\n')


def test_a_mirror_is_the_only_source_and_changes_the_digest(tmp_path: Path) -> None:
    mirror = tmp_path / 'mirror "of" ${us}'
    mirror.mkdir()

    configuration = cli_configuration({"PROVISION_PLUGIN_MIRROR": str(mirror)})

    assert "filesystem_mirror" in configuration.text
    assert f'path = "{tmp_path}/mirror \\"of\\" $${{us}}"' in configuration.text
    assert "direct" not in configuration.text
    assert configuration.digest != cli_configuration({}).digest


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_mirror_that_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    mirror = tmp_path / "mirror"
    if kind == "a file":
        mirror.write_text("")

    with pytest.raises(InputError, match="which is not a folder") as refused:
        cli_configuration({"PROVISION_PLUGIN_MIRROR": str(mirror)})

    assert "registry.terraform.io/" in (refused.value.hint or "")


ENTRA = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        (
            {**ENTRA, "AZURE_CLIENT_SECRET": "s"},
            {"ARM_TENANT_ID": "t", "ARM_CLIENT_ID": "c", "ARM_CLIENT_SECRET": "s"},
        ),
        (
            {**ENTRA, "AZURE_FEDERATED_TOKEN_FILE": "/f"},
            {
                "ARM_TENANT_ID": "t",
                "ARM_CLIENT_ID": "c",
                "ARM_OIDC_TOKEN_FILE_PATH": "/f",
                "ARM_USE_OIDC": "true",
            },
        ),
        (ENTRA, {}),
        ({**ENTRA, "AZURE_CLIENT_SECRET": "s", "ARM_CLIENT_ID": "other"}, {"ARM_CLIENT_ID": "other"}),
    ],
)
def test_an_identity_of_azure_is_told_to_its_providers_by_their_own_names(
    shell: dict[str, str], told: dict[str, str]
) -> None:
    """Else Terraform would act as whoever is logged in, and the checks after it as somebody else."""
    environment = build_environment(shell, Path("/w/cli.tfrc"))

    assert {name: value for name, value in environment.items() if name.startswith("ARM_")} == told
