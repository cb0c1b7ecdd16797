"""Columns of reconciled scanner findings: the list on screen and in commands, and the exception list for security."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from console import text
from console.columns.column import Cell, Column
from console.text import NOTHING, Tone
from engine.model.build import OsBuild, kb_text
from engine.rules.findings import VERDICT_WORDS, FindingVerdict, Proof, Reconciled, Why, next_step, reason, scanner_name

_SEVERITIES = {
    FindingVerdict.TRUE: Tone.FAILED,
    FindingVerdict.FALSE_POSITIVE: Tone.OK,
    FindingVerdict.FIXED_SINCE: Tone.DUE,
    FindingVerdict.UNKNOWN_DEVICE: Tone.UNKNOWN,
    FindingVerdict.NOT_SERVICING: Tone.NONE,
}
_SHORT = {
    FindingVerdict.FIXED_SINCE: "fixed since",
    FindingVerdict.NOT_SERVICING: "not servicing",
}
_WHY = {
    Why.HOTPATCH: "hotpatch",
    Why.BASELINE: "baseline",
    Why.COMPANION: "standalone KB",
    Why.CUMULATIVE: "LCU",
    Why.INSTALLED_SINCE: "installed since",
    Why.SEEN_SINCE: "seen since",
    Why.INSTALL_FAILED: "install failed",
    Why.RESTART_PENDING: "restart pending",
    Why.BEHIND: "behind",
    Why.COMPANION_MISSING: "standalone KB missing",
    Why.NOT_COVERED: "not in the hotpatch",
    Why.NOT_PUBLISHED: "nothing published",
    Why.NOT_PROVEN: "not proven",
    Why.NO_SUCH_DEVICE: "no such device",
    Why.SEVERAL_DEVICES: "several devices",
    Why.ONLY_AN_ADDRESS: "only an address",
    Why.NO_CVE: "no CVE",
    Why.OTHER_SOFTWARE: "other software",
    Why.NOT_IN_CATALOG: "not in the catalog",
    Why.NOT_FOR_PLATFORM: "other platform",
}


def verdict_severity(verdict: FindingVerdict) -> Tone:
    """How bad a verdict is."""
    return _SEVERITIES[verdict]


def verdict_cell(verdict: FindingVerdict) -> Cell:
    """``✗ still open``, ``● false positive``."""
    return Cell(_SHORT.get(verdict, VERDICT_WORDS[verdict]), _SEVERITIES[verdict])


def why_words(why: Why) -> str:
    """The reason in two or three words."""
    return _WHY[why]


def _kb(row: Reconciled) -> Cell:
    """What closed it, or what would."""
    judgement = row.judgement
    kb = judgement.proof.kb if judgement.proof is not None else judgement.next_kb
    return Cell(text.kb(kb))


def _since(row: Reconciled) -> Cell:
    proof = row.judgement.proof
    return Cell(text.date(proof.at) if proof is not None and proof.at is not None else NOTHING)


FINDINGS: tuple[Column[Reconciled], ...] = (
    Column("verdict", "Verdict", 16, lambda row, _: verdict_cell(row.judgement.verdict)),
    Column("device", "Device", 14, lambda row, _: Cell(row.device or row.host), grow=2),
    Column("cve", "CVE", 15, lambda row, _: Cell(row.cve or NOTHING)),
    Column("kb", "KB", 9, lambda row, _: _kb(row)),
    Column("why", "Why", 15, lambda row, _: Cell(why_words(row.judgement.why)), grow=1),
    Column("since", "Since", 11, lambda row, _: _since(row), from_width=100),
    Column("build", "Build", 11, lambda row, _: Cell(text.build(row.judgement.device_build)), from_width=100),
    Column("scanned", "Scanned", 11, lambda row, _: Cell(text.date(row.scanned_at)), from_width=118),
    Column("id", "Finding", 9, lambda row, _: Cell(row.finding_id or NOTHING), from_width=128),
    Column("title", "Title", 20, lambda row, _: Cell(row.title or NOTHING), from_width=142, grow=3),
)


class ExceptionRow(Struct, frozen=True):
    """One line of an exception list: a finding, and the audit's head when the list was made."""

    finding: Reconciled
    audit_head: str

    @property
    def proof(self) -> Proof | None:
        return self.finding.judgement.proof


def _iso(at: datetime | None) -> Cell:
    return Cell("" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _kb_name(kb: int | None) -> Cell:
    return Cell("" if kb is None else kb_text(kb))


def _build(build: OsBuild | None) -> Cell:
    return Cell("" if build is None else str(build))


def _evidence(row: ExceptionRow) -> Cell:
    proof = row.proof
    if proof is None:
        return Cell("")
    return Cell(f"{proof.evidence} {proof.install_id}" if proof.install_id is not None else str(proof.evidence))


def _expires(row: ExceptionRow) -> Cell:
    """The next baseline, and only for what is an exception at all."""
    judgement = row.finding.judgement
    at = judgement.next_baseline_at if judgement.proof is not None else None
    return Cell("" if at is None else f"{at:%Y-%m-%d}")


EXCEPTIONS: tuple[Column[ExceptionRow], ...] = (
    Column("scanner", "scanner", 10, lambda row, _: Cell(scanner_name(row.finding.scanner))),
    Column("finding_id", "finding id", 10, lambda row, _: Cell(row.finding.finding_id)),
    Column("host", "host", 15, lambda row, _: Cell(row.finding.host)),
    Column("device", "device", 15, lambda row, _: Cell(row.finding.device)),
    Column("cve", "CVE", 15, lambda row, _: Cell(row.finding.cve)),
    Column("verdict", "verdict", 16, lambda row, _: Cell(str(row.finding.judgement.verdict))),
    Column("reason", "reason", 40, lambda row, _: Cell(reason(row.finding.judgement))),
    Column("kb", "KB", 9, lambda row, _: _kb_name(row.proof.kb if row.proof else None)),
    Column("build", "build", 11, lambda row, _: _build(row.proof.build if row.proof else None)),
    Column("twin_kb", "twin KB", 9, lambda row, _: _kb_name(row.proof.twin_kb if row.proof else None)),
    Column("twin_build", "twin build", 11, lambda row, _: _build(row.proof.twin_build if row.proof else None)),
    Column("installed_at", "installed at", 20, lambda row, _: _iso(row.proof.at if row.proof else None)),
    Column("evidence", "evidence", 20, lambda row, _: _evidence(row)),
    Column("audit_head", "audit head", 20, lambda row, _: Cell(row.audit_head)),
    Column("made_at", "made at", 20, lambda _, now: _iso(now)),
    Column("expires", "expires", 10, lambda row, _: _expires(row)),
    Column("why", "why", 20, lambda row, _: Cell(str(row.finding.judgement.why))),
    Column("fixed_by", "fixed by", 9, lambda row, _: _kb_name(row.proof.fixed_by if row.proof else None)),
    Column("device_build", "device build", 11, lambda row, _: _build(row.finding.judgement.device_build)),
    Column("next_kb", "next KB", 9, lambda row, _: _kb_name(row.finding.judgement.next_kb)),
    Column("next_step", "next step", 30, lambda row, _: Cell(next_step(row.finding.judgement))),
    Column("scanned_at", "scanned at", 20, lambda row, _: _iso(row.finding.scanned_at)),
    Column("title", "title", 30, lambda row, _: Cell(row.finding.title)),
    Column("file", "file", 20, lambda row, _: Cell(row.finding.file)),
    Column("line", "line", 7, lambda row, _: Cell(str(row.finding.line))),
)
"""In this order for ever: whoever reads an exception list by columns relies on it. New ones come at the end."""
