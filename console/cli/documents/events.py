"""Work under way, the audit and the state of things as JSON. Pure; every key is relied on by scripts."""

from __future__ import annotations

from collections.abc import Iterable

from console.cli.documents.values import Document, iso, optional_kb
from engine.model.build import kb_text
from engine.model.records.fleet import ActiveInstall, Attention, AuditRow, Compliance, DataAge, StateInfo


def active(each: ActiveInstall) -> Document:
    return {
        "device": each.device_name,
        "ring": each.ring or None,
        "kb": kb_text(each.kb),
        "action": each.action,
        "state": each.state,
        "stage": each.stage,
        "progress": each.progress,
        "requested": iso(each.requested_at),
        "requested_by": each.requested_by,
        "next": iso(each.next_at),
    }


def audit(row: AuditRow) -> Document:
    return {
        "seq": row.seq,
        "at": iso(row.at),
        "actor": row.actor,
        "origin": row.origin,
        "action": row.action,
        "summary": row.summary,
        "reason": row.reason,
        "kb": optional_kb(row.kb),
        "rings": list(row.rings),
        "devices": row.devices,
        "details": dict(row.details),
        "hash": row.hash,
    }


def compliance(row: Compliance) -> Document:
    return {
        "month": row.month,
        "platform": row.platform,
        "released": iso(row.released_at),
        "devices": row.devices,
        "protected": row.protected,
        "within_24h": row.within_24h,
        "within_5d": row.within_5d,
        "within_3w": row.within_3w,
    }


def attention(each: Attention) -> Document:
    return {"urgency": each.urgency, "text": each.text, "screen": each.screen, "filter": each.filter or None}


def as_of(ages: Iterable[DataAge]) -> Document:
    """By tenant, when what is shown of it was pulled; null for one that never was."""
    return {each.provider: iso(each.pulled_at) for each in ages}


def state_info(info: StateInfo) -> Document:
    return {
        "state_file": info.path,
        "now": iso(info.now),
        "change_number": info.change_number,
        "actor": info.actor,
        "role": info.role,
        "read_only": info.read_only,
        "driver": info.driver or None,
        "as_of": as_of(info.tenants),
        "demo": None
        if info.demo is None
        else {"speed": info.demo.speed, "paused": info.demo.paused, "scenario": info.scenario},
    }
