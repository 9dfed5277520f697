"""A module's HCL held against a provider's official schema, without Terraform and without the provider.

Reported: unknown and missing arguments and blocks, arguments that only the provider may set, literals and
variables of another type, too few or too many blocks, deprecated arguments, references to attributes that do
not exist, and outputs that show a sensitive one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from module_hcl import Block

# What Terraform itself understands in every resource.
_META_ARGUMENTS = frozenset({"count", "for_each", "depends_on", "provider"})
_META_BLOCKS = frozenset({"lifecycle", "provisioner", "connection"})
# Terraform's own resource: it has no provider whose schema could be held.
_BUILT_IN = frozenset({"terraform_data"})
_REFERENCE = re.compile(
    r"(?<![\w.])(?P<data>data\.)?(?P<type>[a-z]+_[a-z0-9_]+)\.(?P<name>[a-z0-9_]+)"
    r"(?:\[[^\]]*\])?\.(?P<attribute>[a-z0-9_]+)"
)


class Schemas:
    """The resource and data types of one ``terraform providers schema -json``."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._kinds: dict[str, dict[str, Any]] = {"resource": {}, "data": {}}
        for provider in document["provider_schemas"].values():
            self._kinds["resource"].update(provider["resource_schemas"])
            self._kinds["data"].update(provider.get("data_source_schemas", {}))

    def types(self, kind: str) -> set[str]:
        """The types of that kind that the schemas know."""
        return set(self._kinds[kind])

    def block(self, kind: str, type_name: str) -> dict[str, Any] | None:
        """The schema of one type, or None when it is unknown."""
        found = self._kinds[kind].get(type_name)
        return found["block"] if found else None


def types_in_use(module: Block) -> set[tuple[str, str]]:
    """The ``("resource" | "data", type)`` pairs of a module, Terraform's own left out."""
    return {
        (block.type, block.labels[0])
        for block in module.blocks
        if block.type in ("resource", "data") and block.labels[0] not in _BUILT_IN
    }


def trimmed(document: Mapping[str, Any], used: set[tuple[str, str]]) -> dict[str, Any]:
    """The part of a ``terraform providers schema -json`` that is about ``used``, without its prose."""
    return {
        "format_version": document["format_version"],
        "provider_schemas": {
            name: {
                f"{key}_schemas": {
                    type_name: _without_prose(schema)
                    for type_name, schema in provider[f"{key}_schemas"].items()
                    if (kind, type_name) in used
                }
                for key, kind in (("data_source", "data"), ("resource", "resource"))
            }
            for name, provider in document["provider_schemas"].items()
        },
    }


def _without_prose(schema: Any) -> Any:
    """``description`` is prose where it is text; where it is an object, it is an argument of that name."""
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_prose(value)
        for key, value in schema.items()
        if not (key in ("description", "description_kind") and isinstance(value, str))
    }


def problems(module: Block, schemas: Schemas) -> list[str]:
    """Everything in ``module`` that the schemas do not allow; empty when there is nothing."""
    variables = {block.labels[0]: block.arguments.get("type", "any") for block in module.all("variable")}
    found: list[str] = []
    for block in module.blocks:
        if block.type in ("resource", "data") and block.labels[0] not in _BUILT_IN:
            schema = schemas.block(block.type, block.labels[0])
            where = ".".join((block.type, *block.labels))
            if schema is None:
                found.append(f"{where}: no such type")
            else:
                found.extend(_block_problems(block, schema, where, variables, outermost=True))
        found.extend(_reference_problems(block, schemas))
    return found


def _block_problems(
    block: Block,
    schema: Mapping[str, Any],
    where: str,
    variables: Mapping[str, str],
    *,
    outermost: bool = False,
) -> Iterator[str]:
    attributes = schema.get("attributes", {})
    for name, expression in block.arguments.items():
        if outermost and name in _META_ARGUMENTS:
            continue
        if name not in attributes:
            yield f"{where}.{name}: no such argument"
        else:
            yield from _argument_problems(attributes[name], expression, f"{where}.{name}", variables)
    for name, attribute in attributes.items():
        if attribute.get("required") and name not in block.arguments:
            yield f"{where}.{name}: required, and missing"
    yield from _nested_problems(block, schema.get("block_types", {}), where, variables, outermost=outermost)


def _nested_problems(
    block: Block,
    known: Mapping[str, Any],
    where: str,
    variables: Mapping[str, str],
    *,
    outermost: bool,
) -> Iterator[str]:
    static: dict[str, int] = {}
    dynamic: set[str] = set()
    for inner in block.blocks:
        if outermost and inner.type in _META_BLOCKS:
            continue
        name, content = inner.type, inner
        if inner.type == "dynamic":
            name, content = inner.labels[0], next(inner.all("content"))
            dynamic.add(name)
        else:
            static[name] = static.get(name, 0) + 1
        if name not in known:
            yield f"{where}.{name}: no such block"
        else:
            yield from _block_problems(content, known[name]["block"], f"{where}.{name}", variables)
    for name, nested in known.items():
        count = static.get(name, 0)
        if count < nested.get("min_items", 0) and name not in dynamic:
            yield f"{where}.{name}: at least {nested['min_items']} needed, {count} written"
        if nested.get("max_items") and count > nested["max_items"]:
            yield f"{where}.{name}: at most {nested['max_items']} allowed, {count} written"


def _argument_problems(
    attribute: Mapping[str, Any], expression: str, where: str, variables: Mapping[str, str]
) -> Iterator[str]:
    if not (attribute.get("required") or attribute.get("optional")):
        yield f"{where}: only the provider sets this"
    if attribute.get("deprecated"):
        yield f"{where}: deprecated"
    written, wanted = _kind_written(expression, variables), _kind_wanted(attribute["type"])
    if written is not None and written != wanted:
        yield f"{where}: {wanted} wanted, {written} written"


def _kind_wanted(type_spec: Any) -> str:
    kind = type_spec if isinstance(type_spec, str) else str(type_spec[0])
    return {"set": "list", "map": "object"}.get(kind, kind)


def _kind_written(expression: str, variables: Mapping[str, str]) -> str | None:
    """What kind of value a literal or a plain variable is; None for what only Terraform can tell."""
    kinds = (("string", r'".*"'), ("bool", r"true|false"), ("number", r"-?\d+(\.\d+)?"))
    for kind, pattern in kinds:
        if re.fullmatch(pattern, expression):
            return kind
    if expression.startswith("[") and expression.endswith("]"):
        return "list"
    if expression.startswith("{") and expression.endswith("}"):
        return "object"
    variable = re.fullmatch(r"var\.(\w+)", expression)
    if variable:
        declared = variables.get(variable[1], "any").split("(")[0]
        return {"set": "list", "map": "object", "any": None}.get(declared, declared)
    return None


def _reference_problems(block: Block, schemas: Schemas) -> Iterator[str]:
    where = ".".join((block.type, *block.labels))
    for expression in block.expressions():
        for match in _REFERENCE.finditer(expression):
            kind = "data" if match["data"] else "resource"
            schema = schemas.block(kind, match["type"])
            if schema is None or match["type"] in _BUILT_IN:
                continue
            attribute = schema.get("attributes", {}).get(match["attribute"])
            if attribute is None and match["attribute"] not in schema.get("block_types", {}):
                yield f"{where}: {match[0]}: no such attribute"
            elif attribute and attribute.get("sensitive") and block.type == "output":
                yield f"{where}: {match[0]}: sensitive, and not for an output"
