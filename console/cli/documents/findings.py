"""Reconciled scanner findings as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.cli.documents.values import Document, build_text, code_text, iso, optional_kb
from engine.rules.findings import FindingVerdict, next_step, reason

if TYPE_CHECKING:
    from engine.evidence.scanners import ScanTally
    from engine.rules.findings import Proof, Reconciled


def finding(row: Reconciled) -> Document:
    """One CVE of one row, its verdict and the proof."""
    judgement = row.judgement
    return {
        "verdict": judgement.verdict.value,
        "why": judgement.why.value,
        "reason": reason(judgement),
        "next_step": next_step(judgement) or None,
        "scanner": str(row.scanner),
        "finding_id": row.finding_id or None,
        "host": row.host,
        "device": row.device or None,
        "cve": row.cve or None,
        "title": row.title or None,
        "severity": row.severity or None,
        "scanned_at": iso(row.scanned_at),
        "device_build": build_text(judgement.device_build),
        "proof": _proof(judgement.proof) if judgement.proof is not None else None,
        "next_kb": optional_kb(judgement.next_kb),
        "error_code": code_text(judgement.error_code),
        "expires": iso(judgement.next_baseline_at) if judgement.proof is not None else None,
        "nearest": list(judgement.names),
        "file": row.file,
        "line": row.line,
    }


def _proof(proof: Proof) -> Document:
    return {
        "kb": optional_kb(proof.kb),
        "build": build_text(proof.build),
        "twin_kb": optional_kb(proof.twin_kb),
        "twin_build": build_text(proof.twin_build),
        "fixed_by": optional_kb(proof.fixed_by),
        "baseline_kb": optional_kb(proof.baseline_kb),
        "installed_at": iso(proof.at),
        "evidence": proof.evidence.value,
        "install": proof.install_id,
    }


def reconciliation(tally: ScanTally) -> Document:
    """What came out: counts by verdict and reason, the files, the lines that could not be read."""
    return {
        "total": tally.findings,
        "verdicts": {verdict.value: tally.verdicts[verdict] for verdict in FindingVerdict},
        "reasons": {why.value: number for why, number in tally.reasons.most_common()},
        "files": [
            {
                "file": each.file,
                "form": each.form,
                "scanner": each.scanner,
                "scanned_at": iso(each.scanned_at),
                "scanned_at_source": each.scanned_at_source,
                "rows": each.rows,
                "skipped": each.skipped,
                "bad": each.bad,
            }
            for each in tally.files
        ],
        "bad_lines": tally.bad_count,
        "bad": [
            {"file": each.file, "line": each.line, "field": each.field or None, "reason": each.reason}
            for each in tally.bad
        ],
    }
