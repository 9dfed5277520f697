"""The rules that only a plan can break."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provisioner.manifest import ArtifactStore, Connector, Manifest
from provisioner.manifest.tree import Loc
from provisioner.policy.granted import AWS_ACTIONS, GRANTING, KNOWN, ROLES
from provisioner.policy.models import Rule, Rules
from provisioner.policy.verdict import Verdict
from provisioner.summary import Summary, split_address


def broken_by_plan(
    manifest: Manifest, rules: Rules, summary: Summary, details: Mapping[str, Any] | None
) -> Iterator[Verdict]:
    """Everything that a plan would do against the rules; ``details`` is what ``show -json`` says of it."""
    if rules.data_destroyed is not None:
        for danger in summary.dangers:
            if danger.kind == "data":
                yield Verdict(
                    "data_destroyed",
                    rules.data_destroyed,
                    place_of(manifest, danger.component),
                    f"{danger.component}: {danger.text}",
                    danger.component,
                )
    if rules.wider_permissions is not None and details is not None:
        for item in details.get("resource_changes", ()):
            for wrong in _too_wide(item):
                _, component, _ = split_address(item["address"])
                yield _wide(manifest, rules.wider_permissions, component, item["address"], wrong)


def place_of(manifest: Manifest, component: str) -> Loc:
    """The field of the manifest that a component of the plan stands in."""
    groups: Mapping[str, Sequence[ArtifactStore | Connector]] = {
        "artifact_stores": manifest.artifact_stores,
        "connectors": manifest.connectors,
    }
    for group, parts in groups.items():
        for index, part in enumerate(parts):
            if part.name == component:
                return (group, index)
    # A connector that is made by default is not written down: its store is.
    for index, store in enumerate(manifest.artifact_stores):
        if store.connector == component:
            return ("artifact_stores", index)
    return ("artifact_stores",)


def _wide(manifest: Manifest, rule: Rule, component: str, address: str, wrong: str) -> Verdict:
    message = f"{address}: {wrong}, which is not among what the modules grant"
    return Verdict("wider_permissions", rule, place_of(manifest, component), message, component, address)


def _too_wide(item: Mapping[str, Any]) -> Iterator[str]:
    kind, after = item["type"], item["change"].get("after")
    if not isinstance(after, Mapping):
        return
    if kind in {"aws_iam_role_policy", "aws_iam_policy_document"}:
        # The others are the policies of buckets, which take away and give nothing.
        yield from sorted(_wrong_actions(after, for_role=split_address(item["address"])[0] == "connector"))
    elif kind in ROLES:
        role = after.get("role") or after.get("role_definition_name")
        if isinstance(role, str) and role not in ROLES[kind]:
            yield f"the role {role}"
        scope = str(after.get("scope") or "")
        if role not in {None, "Storage Blob Delegator"} and scope and kind == "azurerm_role_assignment":
            yield from _wide_scope(str(role), scope)
    elif item["mode"] == "managed" and kind not in KNOWN and any(word in kind for word in GRANTING):
        yield f"a resource of type {kind}"


def _wide_scope(role: str, scope: str) -> Iterator[str]:
    if role.startswith("Storage Blob") and "/containers/" not in scope:
        yield f"the role {role} on {scope}"


def _wrong_actions(after: Mapping[str, Any], *, for_role: bool) -> set[str]:
    wrong: set[str] = set()
    for effect, actions, resources in _statements(after):
        if effect == "Deny" or not for_role:
            continue
        wrong |= {f"the action {action}" for action in actions if action not in AWS_ACTIONS}
        wrong |= {"every resource (*)" for resource in resources if resource == "*"}
    return wrong


def _statements(after: Mapping[str, Any]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Effect, actions and resources of a policy: as a document's own blocks, or as JSON."""
    for block in after.get("statement") or ():
        if any(principal for principal in block.get("principals") or ()):
            continue  # whom a role trusts, not what it may do
        effect = block.get("effect") or "Allow"
        yield effect, _list(block.get("actions")), _list(block.get("resources"))
        if effect == "Allow" and block.get("not_actions"):
            yield effect, ["*"], []
    try:
        document = json.loads(after.get("policy") or "{}")
    except ValueError:
        return
    for block in _list(document.get("Statement")):
        yield block.get("Effect", "Allow"), _list(block.get("Action", "*")), _list(block.get("Resource"))


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
