"""`provision service-connector list-types` and `describe-type`: what kinds of connectors there are."""

from __future__ import annotations

from typing import NoReturn

import click

from provisioner.cli.components import answer, details, form_option, table
from provisioner.errors import InputError


@click.command("list-types")
@form_option
def list_types(form: str) -> int:
    """The types of connectors."""
    from stacks.connectors import connector_types

    found = [
        {
            "name": one.name,
            "title": one.title,
            "auth_methods": [method.name for method in one.auth_methods],
            "resource_types": list(one.resource_types),
            "integration": one.extra,
        }
        for one in connector_types()
    ]
    rows = [
        (str(one["name"]), ", ".join(one["auth_methods"]), ", ".join(one["resource_types"])) for one in found
    ]
    return answer(form, found, table(("type", "auth methods", "resource types"), rows, "There is no type."))


@click.command("describe-type")
@click.argument("kind", metavar="TYPE")
@form_option
def describe_type(kind: str, form: str) -> int:
    """The auth methods of a type, their fields, and what a store receives from each."""
    from stacks.connectors import connector_type

    found = connector_type(kind)
    methods = [
        {
            "name": one.name,
            "description": one.says,
            "required": sorted(one.required),
            "optional": sorted(one.optional),
            "secret": sorted(one.secrets),
            "scoped": one.scoped,
            "temporary": one.temporary,
        }
        for one in found.auth_methods
    ]
    data = {
        "name": found.name,
        "title": found.title,
        "resource_types": list(found.resource_types),
        "schemes": sorted(found.schemes),
        "integration": found.extra,
        "auth_methods": methods,
    }
    lines = [f"{found.name}: {found.title}; grants {', '.join(found.resource_types)}"]
    for method in methods:
        shown = {key: value for key, value in method.items() if key not in {"name", "description"}}
        lines += ["", f"{method['name']}: {method['description']}"]
        lines += [f"  {line}" for line in details(shown).splitlines()]
    return answer(form, data, "\n".join(lines))


def refuse_to_choose(kind: str) -> NoReturn:
    """There is no method to take unasked: raises InputError that names them."""
    from stacks.connectors import connector_type

    methods = ", ".join(method.name for method in connector_type(kind).auth_methods)
    raise InputError(
        "it was not said how the connector authenticates",
        hint=f"give --auto-configure, or --auth-method with one of: {methods}",
    )
