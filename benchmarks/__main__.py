"""All comparisons, one after the other: `make bench`, or one: `python -m benchmarks engine`."""

from __future__ import annotations

import importlib
import sys

NAMES = ("startup", "engine", "fleet", "drift", "stores", "stores_clouds", "pipelines")


def main() -> None:
    """Run the named ones, or all."""
    for name in sys.argv[1:] or NAMES:
        if name not in NAMES:
            sys.exit(f"no benchmark named {name!r}; there are: {', '.join(NAMES)}")
        importlib.import_module(f"benchmarks.{name}").main()
        print()


if __name__ == "__main__":
    main()
