"""Devices, readiness and totals as JSON. Pure; every key is relied on by scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from console.cli.documents.releases import cve
from console.cli.documents.values import Document, build_text, code_text, iso, optional_kb
from engine.model.build import kb_text
from engine.model.model import Cve, Install, Verdict
from engine.model.records.fleet import Count, DeviceDetail, DeviceRow

if TYPE_CHECKING:
    from engine.rules.readiness import Readiness


def device_row(row: DeviceRow, as_of: Document | None = None) -> Document:
    """`as_of`: by tenant, when what it tells was pulled."""
    return {
        "name": row.name,
        "platform": row.platform,
        "architecture": row.architecture,
        "build": build_text(row.build),
        "ring": row.ring or None,
        "readiness": row.verdict,
        "reasons": list(row.reasons),
        "state": row.state,
        "track": row.track,
        "protected": row.protected,
        "user": row.user,
        "site": row.site,
        "model": row.model,
        "form": row.form,
        "last_seen": iso(row.last_seen_at),
        "tenant": row.tenant or None,
        "as_of": (as_of or {}).get(row.tenant),
    }


def readiness(found: Readiness) -> Document:
    return {
        "verdict": found.verdict,
        "eligible": found.eligible,
        "enrolled": found.enrolled,
        "reasons": list(found.reasons),
        "checks": [
            {
                "check": each.check,
                "title": each.title,
                "result": each.result,
                "found": each.found,
                "needed": each.needed,
                "fix": each.fix,
                "source": each.source,
                "observed_at": iso(each.observed_at),
            }
            for each in found.checks
        ],
    }


def device(detail: DeviceDetail, found: Readiness, open_cves: Iterable[Cve]) -> Document:
    facts = detail.facts
    cves = [cve(each) for each in open_cves]
    return {
        "name": facts.name,
        "platform": facts.platform,
        "architecture": facts.architecture,
        "build": build_text(facts.build),
        "edition": facts.edition or None,
        "ring": detail.ring or None,
        "state": detail.state,
        "track": detail.track,
        "protected": detail.protected,
        "readiness": readiness(found),
        "user": facts.user,
        "user_name": facts.user_name,
        "domain": facts.domain,
        "site": facts.site,
        "form": facts.form,
        "model": facts.model,
        "serial": facts.serial,
        "asset_tag": facts.asset_tag,
        "driver": facts.driver,
        "cores": facts.cores,
        "licence": facts.licence or None,
        "management": facts.management,
        "policy": facts.policy,
        "policy_name": facts.policy_name,
        "subscription": facts.subscription,
        "vbs": facts.vbs,
        "chpe": facts.chpe,
        "restart_pending": facts.restart_pending,
        "booted": iso(facts.boot_at),
        "last_seen": iso(facts.last_seen_at),
        "provider": facts.provider,
        "holds": list(detail.holds),
        "open_cves": cves,
        "installs": [install(each) for each in detail.installs],
    }


def install(each: Install) -> Document:
    return {
        "id": each.id,
        "kb": kb_text(each.kb),
        "action": each.action,
        "state": each.state,
        "stage": each.stage,
        "progress": each.progress,
        "attempt": each.attempt,
        "requested": iso(each.requested_at),
        "requested_by": each.requested_by,
        "started": iso(each.started_at),
        "finished": iso(each.finished_at),
        "next": iso(each.next_at),
        "error": code_text(each.error_code),
        "build_before": build_text(each.build_before),
        "build_after": build_text(each.build_after),
        "restarted": each.restarted,
        "follow_up": optional_kb(each.follow_up_kb),
        "reason": each.reason,
    }


class FleetSums(Struct, frozen=True):
    """Sums over the kept totals."""

    devices: int
    protected: int
    funnel: dict[str, int]
    verdicts: dict[str, int]
    platforms: dict[str, int]
    states: dict[str, int]
    tracks: dict[str, int]


def totals(counts: Iterable[Count]) -> FleetSums:
    """The kept totals as the funnel, and by word."""
    rows = list(counts)

    def total(chosen: Iterable[Count]) -> int:
        return sum(each.devices for each in chosen)

    def by(word_of: Callable[[Count], object]) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in rows:
            word = str(word_of(each) or "unknown")
            found[word] = found.get(word, 0) + each.devices
        return dict(sorted(found.items()))

    return FleetSums(
        devices=total(rows),
        protected=total(each for each in rows if each.protected),
        funnel={
            "devices": total(rows),
            "eligible": total(each for each in rows if each.eligible),
            "enrolled": total(each for each in rows if each.eligible and each.enrolled),
            "ready": total(each for each in rows if each.verdict is Verdict.READY),
        },
        verdicts={str(verdict): total(each for each in rows if each.verdict is verdict) for verdict in Verdict},
        platforms=by(lambda each: each.platform),
        states=by(lambda each: each.state),
        tracks=by(lambda each: each.track),
    )
