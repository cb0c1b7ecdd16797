"""The entry point `hotpatch`; `python -m console` is the same."""

from __future__ import annotations

import gc
import sys

_YOUNG = 50_000
"""Objects made before cycles are looked for: with Python's 700, starting looks a hundred times and finds nothing."""


def main() -> None:
    """Run one call of `hotpatch` and end the process with its exit code."""
    gc.set_threshold(_YOUNG)
    from console.cli import output, run

    output.prepare()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
