"""The readiness and activity reports as JSON, and where a report comes from. Pure; scripts rely on every key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from console.cli.documents.values import Document, build_text, day, iso, optional_kb

if TYPE_CHECKING:
    from console.reports.model import ReportOrigin
    from engine.model.records.fleet import AuditRow, DeviceRow
    from engine.rules.evidence.activity import ActivityReport
    from engine.rules.readiness.summary import ReadinessReport, VerdictCount

_DECIMALS = 6


def origin(found: ReportOrigin) -> Document:
    """Who made a report, when, and from which state."""
    return {
        "made": iso(found.made_at),
        "made_by": found.made_by,
        "state_file": found.state,
        "change_number": found.change_number,
        "demo": found.is_demo,
        "facts": list(found.freshness),
        "program": found.program,
    }


def readiness_report(found: ReadinessReport) -> Document:
    return {
        "made": iso(found.made_at),
        "filter": found.filter or None,
        "total": _verdicts(found.total),
        "rings": [_verdicts(each) for each in found.rings],
        "platforms": [_verdicts(each) for each in found.platforms],
        "sites": [_verdicts(each) for each in found.sites],
        "other_sites": found.other_sites,
        "reasons": [
            {
                "id": each.id,
                "reason": each.words,
                "devices": each.devices,
                "only": each.only,
                "share": _share(each.devices, found.total.devices),
                "unknown": each.is_unknown,
                "stage": each.stage or None,
                "fix": each.fix or None,
                "source": each.source or None,
            }
            for each in found.reasons
        ],
        "next_releases": [
            {
                "platform": each.platform,
                "month": each.month,
                "at": iso(each.at),
                "kind": each.kind,
                "devices": each.devices,
                "restarts": each.restarts,
                "share": _share(each.restarts, each.devices),
            }
            for each in found.next_releases
        ],
        "restarts": found.restarts,
        "without_platform": found.without_platform,
        "restarting": [_restarting(each) for each in found.restarting],
    }


def _verdicts(each: VerdictCount) -> Document:
    return {
        "name": each.name or None,
        "devices": each.devices,
        "eligible": each.eligible,
        "enrolled": each.enrolled,
        "ready": each.ready,
        "ready_share": _share(each.ready, each.devices),
        "not_ready": each.not_ready,
        "unknown": each.unknown,
    }


def _restarting(row: DeviceRow) -> Document:
    return {
        "name": row.name,
        "user": row.user or None,
        "ring": row.ring or None,
        "site": row.site or None,
        "platform": row.platform,
        "build": build_text(row.build),
        "readiness": row.verdict,
        "reasons": "; ".join(row.reasons) or None,
        "last_seen": iso(row.last_seen_at),
    }


def activity_report(found: ActivityReport) -> Document:
    chain = found.chain
    return {
        "made": iso(found.made_at),
        "since": iso(found.since),
        "until": iso(found.until),
        "filter": found.filter or None,
        "records": found.records,
        "by_people": found.by_people,
        "without_reason": found.without_reason,
        "installed": found.installed,
        "failed": found.failed,
        "opened": found.opened,
        "closed": found.closed,
        "open_failures": found.open_failures,
        "by_month": found.by_month,
        "over_time": [
            {
                "begins": f"{each.begins:%Y-%m}" if found.by_month else day(each.begins),
                "decisions": each.decisions,
                "installed": each.installed,
                "uninstalled": each.uninstalled,
                "failed": each.failed,
                "opened": each.opened,
                "closed": each.closed,
            }
            for each in found.eventful
        ],
        "actors": [
            {
                "actor": each.actor,
                "records": each.records,
                "approvals": each.approvals,
                "stops": each.stops,
                "recoveries": each.recoveries,
                "first": iso(each.first_at),
                "last": iso(each.last_at),
            }
            for each in found.actors
        ],
        "actions": [
            {
                "action": each.action,
                "records": each.records,
                "by_people": each.by_people,
                "devices": each.devices,
            }
            for each in found.actions
        ],
        "decisions": {str(each.kind): [_decision(row) for row in each.rows] for each in found.lists},
        "chain": {
            "holds": chain.broken is None,
            "records": chain.records,
            "head": chain.head,
            "hash": chain.head_hash or None,
            "broken": None if chain.broken is None else {"seq": chain.broken.seq, "why": chain.broken.why},
        },
    }


def _decision(row: AuditRow) -> Mapping[str, object]:
    return {
        "seq": row.seq,
        "at": iso(row.at),
        "actor": row.actor,
        "action": row.action,
        "summary": row.summary,
        "reason": row.reason or None,
        "kb": optional_kb(row.kb),
        "rings": ", ".join(row.rings) or None,
        "devices": row.devices,
        "origin": row.origin or None,
        "hash": row.hash,
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, _DECIMALS) if whole > 0 else None
