"""Requests to tenants, and what tenants keep of rings, as JSON. Pure; every key is relied on by scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.cli.documents.values import Document, iso
from engine.model.build import kb_text
from engine.model.records.fleet import TenantSide

if TYPE_CHECKING:
    from engine.model.tenants import Receipt, Request


def request(each: Request) -> Document:
    """Exactly what is sent: method, path with its version, body."""
    return {
        "provider": each.provider,
        "wish": str(each.wish),
        "method": each.method,
        "path": each.address,
        "body": each.body,
        "why": each.why,
        "kb": kb_text(each.kb) if each.kb is not None else None,
        "rings": list(each.rings),
    }


def receipt(each: Receipt) -> Document:
    """A request with what became of it."""
    return {
        "id": each.id,
        **request(each.request),
        "state": str(each.state),
        "asked_by": each.asked_by,
        "asked": iso(each.asked_at),
        "attempts": each.attempts,
        "sent": iso(each.sent_at),
        "answered": iso(each.answered_at),
        "confirmed": iso(each.confirmed_at),
        "next": iso(each.next_at),
        "status": each.status,
        "request_id": each.request_id or None,
        "said": each.said or None,
    }


def tenant_side(each: TenantSide | None) -> Document | None:
    """What a tenant keeps of a ring; null for a ring of ours."""
    if each is None:
        return None
    return {
        "provider": each.provider,
        "kind": each.kind,
        "told": iso(each.told_at),
        "gone": iso(each.gone_at),
        "paused": each.paused,
        "pause_expires": iso(each.pause_expires_at),
        "hotpatch": each.hotpatch,
        "deferral_days": each.deferral_days,
        "deadline_days": each.deadline_days,
        "grace_days": each.grace_days,
        "policies": list(each.policies),
        "also_reaches": list(each.also),
        "changed": each.changed or None,
        "changed_at": iso(each.changed_at),
        "requested": [{"what": why, "since": iso(since)} for why, since in each.asked],
    }
