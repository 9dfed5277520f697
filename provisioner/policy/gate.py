"""The policy at work: what a command that plans, applies or destroys has to pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import PolicyDeniedError
from provisioner.policy.judge import judge_plan, needs_details, refuse_denied
from provisioner.policy.load import Policy, policy_for
from provisioner.summary import Summary
from provisioner.work import Work

if TYPE_CHECKING:
    from provisioner.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Gate:
    """The policy of one stack, if it has one, and the command that is at work on it."""

    work: Work
    policy: Policy | None
    say: Callable[[str], None]

    @classmethod
    def of(
        cls,
        work: Work,
        explicit: Path | None,
        environ: Mapping[str, str],
        say: Callable[[str], None],
    ) -> Gate:
        """The gate of a stack. One that is named, and not its file, has the policy of the file it is from.

        Raises :class:`~provisioner.errors.ManifestError` for the mistakes in a policy.
        """
        path = work.loaded.path
        deployed = work.state.deployments.get(work.manifest.name)
        if path == work.workspace.applied_manifest and deployed is not None:
            path = Path(deployed.manifest)
        return cls(work, policy_for(path.parent, explicit, environ), say)

    def judged(self, summary: Summary) -> Summary:
        """The summary with what the policy has to say of it."""
        if self.policy is None:
            return summary
        details = self.work.details if needs_details(self.policy) and summary.changes else None
        folder = self.work.workspace.path
        return replace(
            summary, findings=tuple(judge_plan(self.policy, self.work.loaded, summary, details, folder))
        )

    def allowed(self, summary: Summary) -> Summary:
        """The same for what is about to be done. Raises :class:`PolicyDeniedError` for what it denies."""
        judged = self.judged(summary)
        refuse_denied(judged.stack, judged.findings)
        for finding in judged.findings:
            self.say(f"warning: {finding}")
        return judged

    def refuse_unsigned(self, bundle: Bundle | None) -> None:
        """Hold an apply, of a bundle or of none, to the signatures that the policy asks for.

        Raises :class:`PolicyDeniedError`, and :class:`~provisioner.errors.StalePlanError` for a bundle.
        """
        if self.policy is None or not self.policy.asks.require_signature:
            return
        if bundle is None:
            raise PolicyDeniedError(
                f"{self.policy.path} asks for signatures: only signed bundles are applied here",
                hint="provision plan --out BUNDLE --sign-with KEY, then: provision apply --plan BUNDLE",
            )
        bundle.refuse_unsigned(self.policy.asks.require_signature, required=True)
