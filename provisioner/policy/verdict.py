"""What a rule says of one place of a manifest, before it is known in which line that stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from provisioner.manifest.tree import Loc
from provisioner.policy.models import Rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """A broken rule: its name, the rule, the field of the manifest that is about it, and the sentence.

    ``component`` is the store or connector, ``address`` the resource of the plan, where there is one.
    """

    name: str
    rule: Rule
    loc: Loc
    message: str
    component: str = ""
    address: str | None = None
    level: str | None = None
    """Another level than the rule's."""

    def exempt(self, stack: str) -> bool:
        """Whether the rule is not for this stack, or not for this component of it."""
        named = (stack, f"{stack}/{self.component}") if self.component else (stack,)
        return any(matches(name, self.rule.exempt) for name in named)


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns fits: ``*`` is any text, ``?`` one character."""
    return any(fnmatchcase(text, pattern) for pattern in patterns)
