"""Records of the engine as JSON: every key that scripts rely on stands in this package, and nowhere else.

Pure. Times are ISO 8601 in UTC, builds and KBs as people write them, unknown values null.
"""

from __future__ import annotations

from console.cli.documents.devices import Totals, device, device_row, install, readiness, totals
from console.cli.documents.events import active, attention, audit, compliance, state_info
from console.cli.documents.failures import answer, escalation, failure_case, failure_group, known_problem
from console.cli.documents.recovery import (
    forecast,
    health,
    hold,
    late_device,
    policy,
    recovery,
    ring_conflict,
)
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
    "answer",
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
    "escalation",
    "failure_case",
    "failure_group",
    "forecast",
    "health",
    "hold",
    "install",
    "iso",
    "known_problem",
    "late_device",
    "month_plan",
    "named_release",
    "outcome",
    "plan",
    "policy",
    "readiness",
    "recovery",
    "refusal",
    "release_row",
    "restart_count",
    "ring",
    "ring_conflict",
    "rings",
    "state_info",
    "totals",
]
