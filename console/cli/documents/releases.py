"""Releases, coverage, calendar and catalog changes as JSON. Pure; every key is relied on by scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from console.cli.documents.values import Document, build_text, day, iso, optional_kb
from engine.model.build import Architecture
from engine.model.model import Cve, Release
from engine.model.records.fleet import ReleaseRow

if TYPE_CHECKING:
    from engine.catalog import Changes, Coverage, Gap
    from engine.catalog.calendar import MonthPlan, RestartCount

_ORDER = tuple(Architecture)


def architectures_of(release: Release) -> list[str]:
    return [str(each) for each in _ORDER if each in release.architectures]


def release_row(row: ReleaseRow) -> Document:
    release = row.release
    return {
        "kb": release.name,
        "platform": release.platform,
        "month": release.month,
        "released": iso(release.released_at),
        "kind": release.kind,
        "build": build_text(release.build),
        "architectures": architectures_of(release),
        "restart_required": release.restart_required,
        "cves": row.cves,
        "worst": row.worst or None,
        "exploited": row.exploited,
        "approved_rings": list(row.approved_rings),
        "installed": row.installed,
        "active": row.active,
        "failed": row.failed,
        "provisional": release.provisional,
        "source": release.source,
    }


def cve(each: Cve) -> Document:
    return {
        "cve": each.id,
        "title": each.title,
        "severity": each.severity,
        "cvss": each.cvss,
        "exploited": each.exploited,
        "disclosed": each.disclosed,
    }


def named_release(release: Release | None) -> Document | None:
    if release is None:
        return None
    return {
        "kb": release.name,
        "build": build_text(release.build),
        "kind": release.kind,
        "released": iso(release.released_at),
        "restart_required": release.restart_required,
    }


def gap(each: Gap) -> Document:
    return cve(each.cve) | {"closed_by": [release.name for release in each.closed_by]}


def coverage(row: ReleaseRow, found: Coverage, by_architecture: Mapping[str, Coverage]) -> Document:
    """One platform of ``release KB``."""
    return release_row(row) | {
        "fixes": [cve(each) for each in found.fixes],
        "twin": named_release(found.twin),
        "twin_fixes": len(found.twin_fixes),
        "baseline": named_release(found.baseline),
        "chain": [each.name for each in found.chain],
        "not_covered": [gap(each) for each in found.not_covered],
        "still_open": [gap(each) for each in found.still_open],
        "by_architecture": {
            name: {
                "fixes": [each.id for each in own.fixes],
                "not_covered": [each.cve.id for each in own.not_covered],
                "still_open": [each.cve.id for each in own.still_open],
            }
            for name, own in by_architecture.items()
        },
    }


def month_plan(plan: MonthPlan) -> Document:
    return {
        "month": plan.month,
        "kind": plan.kind,
        "planned": plan.planned,
        "published": plan.published,
        "forecast": plan.is_forecast,
        "state": plan.state,
        "patch_tuesday": day(plan.patch_tuesday),
        "kb": optional_kb(plan.kb),
        "build": build_text(plan.build),
        "restart": plan.restart,
        "lcu": named_release(plan.lcu),
        "out_of_band": [named_release(each) for each in plan.out_of_band],
        "provisional": plan.provisional,
        "source": plan.source,
    }


def catalog_changes(changes: Changes) -> Document:
    """What an import or a sync brought."""
    return {
        "new": [_new_release(each) for each in changes.new],
        "revised": [_new_release(each.after) for each in changes.revised],
        "new_fixes": changes.new_fixes,
        "new_cves": list(changes.new_cves),
        "revised_cves": list(changes.revised_cves),
        "documents": {
            "new": list(changes.new_documents),
            "revised": list(changes.revised_documents),
            "unchanged": list(changes.unchanged_documents),
        },
        "faults": [{"kind": each.kind, "subject": each.subject, "message": each.message} for each in changes.faults],
    }


def _new_release(release: Release) -> Document:
    return {"kb": release.name, "platform": release.platform, "month": release.month, "kind": release.kind}


def restart_count(count: RestartCount) -> Document:
    return {
        "so_far": count.so_far,
        "expected": count.expected,
        "ordinary_so_far": count.ordinary_so_far,
        "ordinary": count.ordinary,
    }
