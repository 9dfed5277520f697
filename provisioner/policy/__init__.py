"""What a repository asks of every stack in it, beyond what a manifest may say at all."""

from provisioner.policy.judge import judge_manifest, judge_plan, refuse_denied
from provisioner.policy.load import Policy, find_policy, load_policy, policy_for
from provisioner.policy.models import json_schema

__all__ = [
    "Policy",
    "find_policy",
    "json_schema",
    "judge_manifest",
    "judge_plan",
    "load_policy",
    "policy_for",
    "refuse_denied",
]
