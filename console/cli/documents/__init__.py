"""Records of the engine as JSON: every key that scripts rely on stands in this package, and nowhere else.

Pure. Times are ISO 8601 in UTC, builds and KBs as people write them, unknown values null.
"""

from __future__ import annotations

from console.cli.documents.devices import Totals, device, device_row, install, readiness, totals
from console.cli.documents.events import active, attention, audit, compliance, failure_group, state_info
from console.cli.documents.releases import (
    architectures_of,
    catalog_changes,
    coverage,
    cve,
    month_plan,
    named_release,
    release_row,
    restart_count,
)
from console.cli.documents.rollout import approval, outcome, plan, refusal, ring, rings
from console.cli.documents.values import Document, iso

__all__ = [
    "Document",
    "Totals",
    "active",
    "approval",
    "architectures_of",
    "attention",
    "audit",
    "catalog_changes",
    "compliance",
    "coverage",
    "cve",
    "device",
    "device_row",
    "failure_group",
    "install",
    "iso",
    "month_plan",
    "named_release",
    "outcome",
    "plan",
    "readiness",
    "refusal",
    "release_row",
    "restart_count",
    "ring",
    "rings",
    "state_info",
    "totals",
]
