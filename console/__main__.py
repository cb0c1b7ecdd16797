"""The entry point `hotpatch`; `python -m console` is the same."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one call of `hotpatch` and end the process with its exit code."""
    from console.cli import output, run

    output.prepare()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
