"""Records of the engine as JSON: every key that scripts rely on stands in this package, and nowhere else.

Pure. Times are ISO 8601 in UTC, builds and KBs as people write them, unknown values null.
"""

from __future__ import annotations

from console.cli.documents.devices import FleetSums, device, device_row, install, readiness, totals
from console.cli.documents.events import active, as_of, attention, audit, compliance, state_info
from console.cli.documents.evidence import compliance_report, cost_report
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
from console.cli.documents.summaries import activity_report, origin, readiness_report
from console.cli.documents.tenants import receipt, request, tenant_side
from console.cli.documents.values import Document, iso, plain

__all__ = [
    "Document",
    "FleetSums",
    "active",
    "activity_report",
    "answer",
    "approval",
    "architectures_of",
    "as_of",
    "attention",
    "audit",
    "catalog_changes",
    "compliance",
    "compliance_report",
    "cost_report",
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
    "origin",
    "outcome",
    "plain",
    "plan",
    "policy",
    "readiness",
    "readiness_report",
    "receipt",
    "recovery",
    "refusal",
    "release_row",
    "request",
    "restart_count",
    "ring",
    "ring_conflict",
    "rings",
    "state_info",
    "tenant_side",
    "totals",
]
