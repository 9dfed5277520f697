"""The `provision` command: parsing, printing, exit codes. Commands are loaded when they are used."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import click

from provisioner import __version__
from provisioner.cli.lazy import LazyGroup

# One line each, so that `--help` loads no command at all.
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("provisioner.cli.scaffold:init", "Scaffold a manifest and a place for the state."),
    "validate": ("provisioner.cli.manifests:validate", "Check manifests without cloud access."),
    "schema": ("provisioner.cli.manifests:schema", "Print the manifest's JSON Schema."),
    "render": ("provisioner.cli.manifests:render", "Write the Terraform root of a manifest."),
    "plan": ("provisioner.cli.plan:plan", "Show what an apply would change."),
    "apply": ("provisioner.cli.apply:apply", "Plan, confirm, apply, register, verify."),
    "destroy": ("provisioner.cli.destroy:destroy", "Tear down, then deregister."),
    "drift": ("provisioner.cli.drift:drift", "Does the cloud still match what was applied?"),
    "import": ("provisioner.cli.adopt:import_", "Adopt a bucket that is already there, as it is."),
    "status": ("provisioner.cli.status:status", "What is applied, from the state file alone."),
    "output": ("provisioner.cli.status:output", "The Terraform outputs of a stack."),
    "recover": (
        "provisioner.cli.recover:recover",
        "After a crash: what is known, and what to do about it.",
    ),
    "graph": ("provisioner.cli.graph:graph", "The stack as a picture: Mermaid or SVG."),
    "doctor": ("provisioner.cli.doctor:doctor", "Check this machine: engine, mirror, credentials, state."),
    "bundle": ("provisioner.cli.bundle:bundle", "Saved plans: sign, look into and verify them."),
    "artifact-store": ("provisioner.cli.artifact_store:artifact_store", "Artifact stores and their flavors."),
    "service-connector": (
        "provisioner.cli.service_connector:service_connector",
        "Short-lived credentials for stores and programs.",
    ),
    "stack": ("provisioner.cli.stack:stack", "What a pipeline runs on: a store and an orchestrator."),
    "secret": ("provisioner.cli.secret:secret", "Secrets, which everything else only refers to."),
    "artifact": ("provisioner.cli.artifact:artifact", "What steps have made, and where it comes from."),
    "pipeline": ("provisioner.cli.pipeline:pipeline", "The runs of pipelines, and how they went."),
    "integration": ("provisioner.cli.integration:integration", "The packages that a flavor needs."),
    "completion": ("provisioner.cli.completion:completion", "Let the shell complete commands and names."),
    "secrets-manager": ("provisioner.cli.retired:secrets_manager", ""),
}


@click.group(
    cls=LazyGroup, commands_by_path=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="provision")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Shared object storage for machine-learning teams, from one reviewed file."""
    context.obj = {"debug": debug}


def main() -> None:
    """The console script `provision`."""
    from provisioner.cli.run import run

    sys.exit(run(cli, sys.argv[1:], "provision"))


def artifact_store_main() -> None:
    """The console script `artifact-store`: the same as `provision artifact-store`."""
    from provisioner.cli.run import run

    if "_ARTIFACT_STORE_COMPLETE" in os.environ:  # the shell knows it by this name, and so must its answer
        from provisioner.cli.artifact_store import artifact_store

        sys.exit(run(artifact_store, sys.argv[1:], "artifact-store"))
    sys.exit(run(cli, ["artifact-store", *sys.argv[1:]], "provision"))
