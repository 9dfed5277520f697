"""`provision artifact-store`: the table of its commands."""

from __future__ import annotations

import click

from provisioner.cli.lazy import LazyGroup

_HERE = "provisioner.cli"


@click.group(
    name="artifact-store",
    cls=LazyGroup,
    commands_by_path={
        "deploy": (f"{_HERE}.store_deploy:deploy", "Make a store with Terraform, and register it."),
        "destroy": (f"{_HERE}.store_deploy:destroy", "Tear down a store that `deploy` made."),
        "register": (f"{_HERE}.store_change:register", "Register a store that exists."),
        "connect": (f"{_HERE}.store_change:connect", "Let a store authenticate through a connector."),
        "disconnect": (f"{_HERE}.store_change:disconnect", "Let a store authenticate without its connector."),
        "list": (f"{_HERE}.store_records:list_stores", "All artifact stores."),
        "describe": (f"{_HERE}.store_records:describe", "One artifact store, by default the active one."),
        "update": (f"{_HERE}.store_change:update", "Change the configuration of a store."),
        "remove-attribute": (f"{_HERE}.store_change:remove_attribute", "Take fields out of a configuration."),
        "rename": (f"{_HERE}.store_records:rename", "Give a store another name."),
        "delete": (f"{_HERE}.store_records:delete", "Forget a store; its data stays."),
        "copy": (f"{_HERE}.store_records:copy", "Register the same place under a second name."),
        "migrate": (f"{_HERE}.store_data:migrate", "Copy all data to another store, verified by digest."),
        "verify": (f"{_HERE}.store_data:verify", "Try a store out: write, read, list, delete."),
        "flavor": (f"{_HERE}.store_flavors:flavor", "The flavors of artifact stores, and your own."),
    },
)
def artifact_store() -> None:
    """Deploy, register and manage artifact stores."""
