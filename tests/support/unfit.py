"""What a service of the tests' own noted of requests and answers that its cloud's documents do not know."""

from __future__ import annotations

from dataclasses import dataclass, field


class UnfitError(AssertionError):
    """Something was sent or answered that the documents do not know."""


@dataclass(eq=False)  # so that a comparison with a list is a mistake that types find
class Problems:
    """Noted while a test runs, told when its service ends."""

    found: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Raises :class:`UnfitError` if anything was unfit: no test passes because an error was expected."""
        if self.found:
            told = "\n".join(dict.fromkeys(self.found))
            self.found.clear()
            raise UnfitError(told)
