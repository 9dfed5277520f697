"""A manifest and its plan before the rules: findings with the line of the manifest that each is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from provisioner.errors import PolicyDeniedError
from provisioner.manifest import LoadedManifest
from provisioner.manifest.tree import path_text
from provisioner.policy.load import Policy
from provisioner.policy.planned import broken_by_plan
from provisioner.policy.static import broken_by_manifest
from provisioner.policy.verdict import Verdict
from provisioner.summary import Finding, Summary


def judge_manifest(policy: Policy, loaded: LoadedManifest) -> list[Finding]:
    """What the manifest alone does against the policy."""
    return _findings(policy, loaded, broken_by_manifest(loaded.manifest, policy.asks.rules))


def judge_plan(
    policy: Policy, loaded: LoadedManifest, summary: Summary, details: Mapping[str, Any] | None, folder: Path
) -> list[Finding]:
    """What the manifest and its plan do against the policy; ``folder`` is a private one for Checkov."""
    rules = policy.asks.rules
    verdicts: list[Verdict] = []
    if summary.operation != "destroy":
        verdicts += broken_by_manifest(loaded.manifest, rules)
    verdicts += broken_by_plan(loaded.manifest, rules, summary, details)
    rule = rules.checkov
    creates = bool(summary.changes) and summary.operation != "destroy"
    if rule is not None and rule.level != "off" and details is not None and creates:
        from provisioner.policy.checkov import checked  # a process of some seconds, for those who ask for it

        verdicts += checked(loaded.manifest, rule, details, folder)
    return _findings(policy, loaded, verdicts)


def needs_details(policy: Policy) -> bool:
    """Whether the rules ask for more of a plan than its summary tells."""
    rules = policy.asks.rules
    wide = rules.wider_permissions is not None and rules.wider_permissions.level != "off"
    return wide or (rules.checkov is not None and rules.checkov.level != "off")


def refuse_denied(stack: str, findings: Iterable[Finding]) -> None:
    """Raises :class:`PolicyDeniedError`, with every finding that denies."""
    denied = [finding for finding in findings if finding.level == "deny"]
    if denied:
        lines = "".join(f"\n  {finding}" for finding in denied)
        raise PolicyDeniedError(
            f"the policy does not allow {stack}:{lines}",
            hint="change the manifest; or have the policy changed by whoever owns it",
        )


def _findings(policy: Policy, loaded: LoadedManifest, verdicts: Iterable[Verdict]) -> list[Finding]:
    return list(dict.fromkeys(_told(policy, loaded, verdicts)))


def _told(policy: Policy, loaded: LoadedManifest, verdicts: Iterable[Verdict]) -> Iterator[Finding]:
    for verdict in verdicts:
        level = verdict.level or verdict.rule.level
        if verdict.rule.level == "off" or verdict.exempt(loaded.manifest.name):
            continue
        mark = loaded.place(verdict.loc)
        yield Finding(
            rule=verdict.name,
            level=level,
            message=verdict.message,
            file=mark.file,
            line=mark.line,
            column=mark.column,
            path=path_text(verdict.loc),
            address=verdict.address,
            policy=str(policy.path),
        )
