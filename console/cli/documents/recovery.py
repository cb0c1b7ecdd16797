"""Forecasts, recoveries, holds, deadlines, health and the rules for approvals as JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.cli.documents.values import Document, code_text, iso, optional_kb
from engine.model.build import kb_text
from engine.model.records.rollout import Forecast, HandsRow, HealthRow, LateDevice, RecoveryProgress, RingConflict

if TYPE_CHECKING:
    from engine.rules.plans.holds import Hold
    from engine.rules.rollout.approvals import ApprovalPolicy


def forecast(found: Forecast) -> Document:
    return {
        "kb": kb_text(found.kb),
        "made": iso(found.made_at),
        "until": iso(found.until),
        "rings": [
            {
                "ring": each.ring,
                "opens": iso(each.opens_at),
                "waits_for": each.waits_for or None,
                "share_installed": iso(each.installed_at),
                "deadline": iso(each.deadline_at),
                "devices": each.devices,
                "installed": each.installed,
                "restarts": each.restarts,
                "misses": each.misses,
            }
            for each in found.rings
        ],
        "compliance": [
            {
                "mark": each.name,
                "at": iso(each.at),
                "protected": each.protected,
                "devices": each.devices,
                "share": round(each.share, 4),
            }
            for each in found.milestones
        ],
        "target_reached": iso(found.target_reached_at),
        "restarts": found.restarts,
        "misses": [{"why": each.why, "devices": each.devices, "sample": list(each.names)} for each in found.misses],
        "sampled": found.sampled,
        "fleet": found.fleet,
        "is_sample": found.is_sample,
        "notes": list(found.notes),
    }


def recovery(each: RecoveryProgress) -> Document:
    """waiting, uninstalling, restart_pending, getting_lcu, done and needs_hands add up to devices."""
    return {
        "id": each.id,
        "kb": kb_text(each.kb),
        "then": each.then,
        "reason": each.reason,
        "begun_by": each.begun_by,
        "begun": iso(each.begun_at),
        "ended": iso(each.ended_at),
        "devices": each.devices,
        "waiting": each.waiting,
        "uninstalling": each.uninstalling,
        "restart_pending": each.restart_pending,
        "getting_lcu": each.protecting,
        "done": each.done,
        "needs_hands": each.needs_hands,
        "restarts_done": each.restarts_done,
        "restarts_left": each.restarts_left,
        "hands": [_hands(one) for one in each.hands],
    }


def _hands(each: HandsRow) -> Document:
    return {
        "device": each.device_name,
        "ring": each.ring or None,
        "why": each.why,
        "error": code_text(each.error_code),
    }


def hold(each: Hold) -> Document:
    return {
        "id": each.id,
        "kb": optional_kb(each.kb),
        "filter": each.filter or None,
        "reason": each.reason,
        "held_by": each.held_by,
        "held": iso(each.held_at),
    }


def late_device(each: LateDevice) -> Document:
    return {
        "device": each.device_name,
        "user": each.user,
        "ring": each.ring or None,
        "kb": kb_text(each.kb),
        "lateness": each.lateness,
        "deadline": iso(each.deadline_at),
        "why": each.why,
        "restart_pending_since": iso(each.restart_pending_since),
    }


def ring_conflict(each: RingConflict) -> Document:
    return {
        "device": each.device_name,
        "ring": each.ring or None,
        "claimed_by": list(each.claimed_by),
        "by_hand": each.by_hand,
    }


def health(row: HealthRow) -> Document:
    return {
        "at": iso(row.at),
        "patched": row.patched,
        "not_patched": row.control,
        "anomalies": list(row.anomalies),
        "crashed": list(row.names),
    }


def policy(found: ApprovalPolicy) -> Document:
    return {
        "second_person": found.second_person,
        "confirmed_only": found.confirmed_only,
        "auto_approve": list(found.auto_approve),
        "keep_history_months": found.keep_months or None,
    }
