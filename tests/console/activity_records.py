"""An install under way and a decision, as tests of activity want them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.model.model import InstallAction, InstallState
from engine.model.records.fleet import ActiveInstall, AuditRow

CLIENT = 5089466
NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)


def active(**changes: Any) -> ActiveInstall:
    facts: dict[str, Any] = {
        "install_id": 1,
        "device_id": 7,
        "device_name": "LON-LT-0042",
        "ring": "Fast",
        "kb": CLIENT,
        "action": InstallAction.APPLY,
        "state": InstallState.INSTALLING,
        "stage": "drain old calls",
        "progress": 74,
        "requested_at": NOW - timedelta(hours=1),
        "requested_by": "maria.keller",
        "next_at": NOW + timedelta(minutes=2),
    }
    return ActiveInstall(**{**facts, **changes})


def audit(**changes: Any) -> AuditRow:
    facts: dict[str, Any] = {
        "seq": 12,
        "at": NOW,
        "actor": "maria.keller",
        "origin": "jump01 console",
        "action": "approve",
        "summary": "Approve KB5089466 for ring Test",
        "reason": "change CHG0042118",
        "kb": CLIENT,
        "rings": ("Test",),
        "devices": 4,
        "details": {
            "steps": ["Ring Test: at once; 4 devices."],
            "restarts": 0,
            "installs": 0,
            "sample": ["BER-DT-0003"],
            "left_out": [{"devices": 2, "why": "They are not ready."}],
            "command": "hotpatch approve KB5089466 --ring Test --reason 'change CHG0042118'",
        },
        "hash": "0123456789abcdef" * 4,
    }
    return AuditRow(**{**facts, **changes})
