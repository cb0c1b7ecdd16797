"""Rings, approvals and plans as JSON. Pure; every key is relied on by scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from console.cli.documents.recovery import health
from console.cli.documents.tenants import receipt, request, tenant_side
from console.cli.documents.values import Document, iso
from engine.model.build import kb_text
from engine.model.intents import Plan, Refusal
from engine.model.model import Approval, Gate
from engine.model.records.fleet import RingProgress, RingRow
from engine.model.records.rollout import HealthRow, LateDevice
from engine.rules.rollout.windows import window_text

if TYPE_CHECKING:
    from engine.changes.changes import Outcome
    from engine.model.tenants import Receipt

_SAMPLE = 20
"""Names that stand beside a count."""


def gate_rule(gate: Gate) -> Document:
    return {
        "min_installed_share": gate.min_installed_share,
        "max_failed_share": gate.max_failed_share,
        "min_sample": gate.min_sample,
        "soak_hours": gate.soak_hours,
        "judge_health": gate.judge_health,
    }


def rings(
    rows: Sequence[RingRow],
    progress: Sequence[RingProgress],
    late: Sequence[LateDevice] = (),
    wellness: Sequence[HealthRow] = (),
    as_of: Document | None = None,
) -> list[Document]:
    """One object for each release and ring, in ring order; a ring that no release is about stands alone."""
    overdue: dict[tuple[int, str], list[str]] = {}
    for device in late:
        overdue.setdefault((device.kb, device.ring), []).append(device.device_name)
    well = {(each.kb, each.ring): health(each) for each in wellness}
    found = []
    for each in progress:
        for row in rows:
            if row.ring.id == each.ring.id:
                key = (each.kb, row.ring.name)
                names = overdue.get(key, [])
                extra = {"overdue": len(names), "overdue_sample": names[:_SAMPLE], "health": well.get(key)}
                found.append(ring(row, each, as_of) | extra)
    named = {each.ring.id for each in progress}
    return found + [ring(row, None, as_of) for row in rows if row.ring.id not in named]


def ring(row: RingRow, progress: RingProgress | None, as_of: Document | None = None) -> Document:
    """A ring towards one release. installed, failed, active, not_ready and pending add up to reachable."""
    rule = row.ring
    found: Document = {
        "ring": rule.name,
        "kb": None if progress is None else kb_text(progress.kb),
        "position": rule.position,
        "devices": row.devices,
        "ready": row.ready,
        "protected": row.protected,
        "deferral_days": rule.deferral_days,
        "deadline_days": rule.deadline_days,
        "grace_days": rule.grace_days,
        "max_in_flight": rule.max_in_flight or None,
        "max_share_in_flight": rule.max_share_in_flight or None,
        "waves": list(rule.waves),
        "wave_soak_hours": rule.wave_soak_hours,
        "window": window_text(rule.window) or None,
        "tenant": tenant_side(row.tenant),
        "as_of": (as_of or {}).get(row.tenant.provider) if row.tenant is not None else None,
        "members": rule.members or None,
        "gate_rule": gate_rule(rule.gate),
    }
    return found if progress is None else found | _progress(progress)


def _progress(row: RingProgress) -> Document:
    return {
        "reachable": row.devices,
        "offered": row.installed + row.failed + row.active,
        "installed": row.installed,
        "failed": row.failed,
        "active": row.active,
        "not_ready": row.not_ready,
        "pending": row.pending,
        "approved": row.approved,
        "opens": iso(row.opens_at),
        "opened": iso(row.opened_at),
        "stopped": row.stopped or None,
        "waits_for": row.waits_for or None,
        "gate": {
            "holds": all(each.holds for each in row.gate),
            "conditions": [
                {"name": each.name, "needed": each.needed, "value": each.value, "holds": each.holds}
                for each in row.gate
            ],
        },
    }


def approval(each: Approval, now: datetime) -> Document:
    return {
        "id": each.id,
        "kb": kb_text(each.kb),
        "rings": list(each.rings),
        "reason": each.reason,
        "approved_by": each.approved_by,
        "approved": iso(each.approved_at),
        "not_before": iso(each.not_before),
        "expires": iso(each.expires_at),
        "withdrawn": iso(each.withdrawn_at),
        "withdrawn_by": each.withdrawn_by or None,
        "needs_second": each.needs_second,
        "seconded_by": each.seconded_by or None,
        "seconded": iso(each.seconded_at),
        "valid": each.is_valid(now),
    }


def refusal(each: Refusal) -> Document:
    return {"what": each.what, "why": each.why, "instead": each.instead, "devices": each.devices}


def plan(each: Plan) -> Document:
    return {
        "title": each.title,
        "steps": list(each.steps),
        "devices": each.devices,
        "restarts": each.restarts,
        "sample": list(each.sample),
        "left_out": [refusal(one) for one in each.left_out],
        "warnings": list(each.warnings),
        "refusal": refusal(each.refusal) if each.refusal else None,
        "requests": [request(one) for one in each.requests],
        "command": each.command,
        "change_number": each.change_number,
    }


def outcome(planned: Plan, done: Outcome | None, receipts: Sequence[Receipt] = ()) -> Document:
    """A change with what came of it; ``done`` is false for a dry run. `receipts`: what tenants answered."""
    return {
        "done": done is not None,
        "plan": plan(planned),
        "change_number": done.change_number if done else None,
        "installs": done.installs if done else 0,
        "requests": [receipt(each) for each in receipts],
    }
