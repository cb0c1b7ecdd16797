"""A table of scanner findings, page by page in the order of the files; nothing in it can be marked or sorted."""

from __future__ import annotations

from console.columns.findings import FINDINGS
from console.widgets.fleet_table import FleetTable
from engine.rules.findings import Reconciled


class FindingTable(FleetTable[Reconciled]):
    """Findings by their number in the file that holds them."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(FINDINGS, lambda row: row.number, noun="findings", id=id)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action not in ("mark", "range", "sort_next", "sort_reverse")
