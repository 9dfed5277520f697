"""`provision artifact-store flavor`: what kinds of artifact stores there are, and adding your own."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli.components import answer, details, form_option, importable_from_here, make_client, table
from provisioner.cli.options import yes_option
from provisioner.errors import InputError


@click.group()
def flavor() -> None:
    """The flavors of artifact stores, and your own."""


@flavor.command("list")
@form_option
def list_flavors(form: str) -> int:
    """Every flavor: built-in ones, those of installed packages, your own."""
    found = [
        {"name": one.name, "origin": one.origin, "source": one.source} for one in make_client().list_flavors()
    ]
    rows = [(one["name"], one["origin"], one["source"]) for one in found]
    return answer(form, found, table(("flavor", "origin", "source"), rows, "There is no flavor."))


@flavor.command()
@click.argument("source", metavar="MODULE.CLASS")
@form_option
def register(source: str, form: str) -> int:
    """Register a class of your own as a flavor, under the name in its FLAVOR.

    The module is found as Python finds it, and in the working directory.
    """
    client = make_client()
    with importable_from_here():
        record = client.register_flavor(source)
    data = {"name": record.name, "origin": "custom", "source": record.source}
    use = f"provision artifact-store register NAME -f {record.name}"
    text = f"Registered the flavor {record.name}. Use it: {use}"
    return answer(form, data, text)


@flavor.command()
@click.argument("name")
@form_option
def describe(name: str, form: str) -> int:
    """What a flavor takes: schemes, settings, the keys of its secret."""
    from stacks.stores.registry import canonical, load_class

    client = make_client()
    known = {one.name: one for one in client.list_flavors()}
    found = known.get(canonical(name))
    if found is None:
        raise InputError(
            f"there is no artifact store flavor {name!r}", hint=f"there are: {', '.join(sorted(known))}"
        )
    with importable_from_here():
        cls = load_class(found.source)
    state = client.state
    data: dict[str, Any] = {
        "name": found.name,
        "origin": found.origin,
        "source": found.source,
        "schemes": sorted(cls.SUPPORTED_SCHEMES),
        "settings": sorted(cls.CONFIG),
        "secret_keys": sorted(cls.SECRET_KEYS),
        "artifact_stores": sorted(r.name for r in state.artifact_stores.values() if r.flavor == found.name),
    }
    return answer(form, data, details(data))


@flavor.command()
@click.argument("name")
@yes_option
@form_option
def delete(name: str, yes: bool, form: str) -> int:  # noqa: ARG001 - taken for scripts that say it everywhere
    """Forget a flavor that was registered; refused while a store is of it."""
    make_client().delete_flavor(name)
    return answer(form, {"deleted": name}, f"Deleted the flavor {name}.")
