"""Audit records of what the engine decides by itself: rings opened, halts, releases that have appeared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from engine.model.audit import AuditEntry
from engine.store import Store

ACTOR = "engine"


def record(
    store: Store,
    at: datetime,
    action: str,
    summary: str,
    *,
    kb: int | None = None,
    rings: tuple[str, ...] = (),
    devices: int = 0,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    """Append one record; call it inside the transaction of what it tells."""
    store.audit.append(
        AuditEntry(
            at=at,
            actor=ACTOR,
            origin=store.lease.host,
            action=action,
            summary=summary,
            reason=reason,
            kb=kb,
            rings=rings,
            devices=devices,
            details=details or {},
        )
    )
