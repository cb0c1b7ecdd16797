"""Columns of the release list."""

from __future__ import annotations

from console import text
from console.columns.column import Cell, Column, number_cell
from console.text import NOTHING, Tone
from engine.model.model import ReleaseKind
from engine.model.records.fleet import ReleaseRow

_CVE_SEVERITIES = {"Critical": Tone.FAILED, "Important": Tone.AT_RISK}


def kind_cell(kind: ReleaseKind) -> Cell:
    """``hotpatch``, ``unplanned baseline``; only the unplanned stands out."""
    known = {
        ReleaseKind.OOB_HOTPATCH: "OOB hotpatch",
        ReleaseKind.LCU: "LCU",
        ReleaseKind.OOB_LCU: "OOB LCU",
    }
    severity = Tone.AT_RISK if kind is ReleaseKind.UNPLANNED_BASELINE else Tone.NONE
    return Cell(known.get(kind, text.words(kind)), severity)


def _approved_cell(row: ReleaseRow) -> Cell:
    return Cell(", ".join(row.approved_rings)) if row.approved_rings else Cell("not approved")


RELEASES: tuple[Column[ReleaseRow], ...] = (
    Column("kb", "KB", 9, lambda row, _: Cell(row.release.name), sort="kb", order=lambda row: (row.release.kb,)),
    Column(
        "platform",
        "Platform",
        8,
        lambda row, _: Cell(text.platform_short(row.release.platform)),
        sort="platform",
        order=lambda row: (row.release.platform.value, row.release.released_at),
    ),
    Column("kind", "Kind", 20, lambda row, _: kind_cell(row.release.kind), sort="kind"),
    Column(
        "month",
        "Month",
        8,
        lambda row, _: Cell(text.month(row.release.month)),
        from_width=150,
        sort="month",
        order=lambda row: (row.release.month, row.release.released_at),
    ),
    Column(
        "released",
        "Released",
        11,
        lambda row, _: Cell(text.date(row.release.released_at)),
        sort="released",
        order=lambda row: (row.release.released_at, row.release.kb),
    ),
    Column("build", "Build", 11, lambda row, _: Cell(text.build(row.release.build)), from_width=90),
    Column(
        "restart",
        "Restart",
        9,
        lambda row, _: Cell("restart", Tone.DUE) if row.release.restart_required else Cell("none"),
        from_width=100,
    ),
    Column(
        "cves", "CVEs", 4, lambda row, _: number_cell(row.cves), "right", sort="cves", order=lambda row: (row.cves,)
    ),
    Column(
        "worst",
        "Worst",
        11,
        lambda row, _: Cell(row.worst or NOTHING, _CVE_SEVERITIES.get(row.worst, Tone.NONE)),
        from_width=124,
    ),
    Column(
        "exploited",
        "Exploited",
        9,
        lambda row, _: number_cell(row.exploited, Tone.FAILED),
        "right",
        from_width=112,
        sort="exploited",
        order=lambda row: (row.exploited,),
    ),
    Column("approved", "Approved for", 14, lambda row, _: _approved_cell(row), grow=1),
    Column(
        "installed",
        "Installed",
        9,
        lambda row, _: number_cell(row.installed),
        "right",
        from_width=138,
        sort="installed",
        order=lambda row: (row.installed,),
    ),
    Column(
        "active",
        "Active",
        6,
        lambda row, _: number_cell(row.active),
        "right",
        from_width=138,
        sort="active",
        order=lambda row: (row.active,),
    ),
    Column(
        "failed",
        "Failed",
        7,
        lambda row, _: number_cell(row.failed, Tone.FAILED),
        "right",
        from_width=138,
        sort="failed",
        order=lambda row: (row.failed,),
    ),
)
