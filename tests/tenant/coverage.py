"""Says at the end of a test run how much of the contract was asked for, and what was not; gathers from all workers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tenant.contract import CONTRACT, contract, covered_operations

_FROM_WORKERS: set[str] = set()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it has seen."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["covered_operations"] = sorted(covered_operations())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _FROM_WORKERS.update(getattr(node, "workeroutput", {}).get("covered_operations", ()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line, and with -v the operations that nothing asked for."""
    covered = _FROM_WORKERS | covered_operations()
    known = contract() if covered and CONTRACT.is_file() else None
    if known is None:
        return
    terminalreporter.write_line(f"contract: {len(covered)} of {len(known.operations)} operations asked for")
    if terminalreporter.verbosity > 0:
        for operation in sorted(known.operations - covered):
            terminalreporter.write_line(f"  not asked for: {operation}")
