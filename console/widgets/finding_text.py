"""One scanner finding in words: verdict, why, proof, what to do; and the line of verdicts above the list. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from console.columns.findings import verdict_cell, verdict_severity
from console.text import NOTHING, Tone, build, count, date, kb, moment_long, sign
from console.widgets.drawing import MUTED, STYLES, Part, cell, line
from console.widgets.paragraphs import BLANK, Para, field, para, title
from engine.rules.findings import VERDICT_WORDS, FindingVerdict, Proof, Reconciled, next_step, reason, scanner_name

_SHORT = {
    FindingVerdict.TRUE: "open",
    FindingVerdict.FALSE_POSITIVE: "false",
    FindingVerdict.FIXED_SINCE: "fixed",
    FindingVerdict.UNKNOWN_DEVICE: "unknown",
    FindingVerdict.NOT_SERVICING: "other",
}


def verdict_line(counts: Mapping[FindingVerdict, int], chosen: FindingVerdict | None, width: int) -> Content:
    """``all 2,984   ✗ still open 867   ● false positive 1,856``, the chosen one bright; short where it is narrow."""
    for words in (VERDICT_WORDS, _SHORT):
        parts = [_tab("all", Tone.NONE, sum(counts.values()), chosen is None)]
        parts += [
            _tab(words[verdict], verdict_severity(verdict), counts.get(verdict, 0), chosen is verdict)
            for verdict in FindingVerdict
        ]
        shown = Content("   ").join(parts)
        if shown.cell_length <= width:
            return shown
    return Content("  ").join(parts).truncate(max(width, 0), ellipsis=True)


def _tab(words: str, severity: Tone, number: int, is_chosen: bool) -> Content:
    mark = sign(severity) if number else ""
    shown = f"{f'{mark} ' if mark else ''}{words} {count(number)}"
    if is_chosen:
        return line((shown, "$key bold underline"))
    return line((shown, STYLES[severity] if number else MUTED))


def finding_paras(row: Reconciled) -> Sequence[Para]:
    """Everything about one finding."""
    judgement = row.judgement
    step = next_step(judgement)
    paras: list[Para] = [
        title(row.cve or row.title or "no CVE", "  ", cell(verdict_cell(judgement.verdict))),
        para(reason(judgement)),
        *([para(("Next: ", "bold"), step)] if step else []),
        BLANK,
        field("device", row.device or NOTHING, *_as_host(row)),
        field("build", build(judgement.device_build)),
    ]
    if judgement.proof is not None:
        paras += [BLANK, title("Proof"), *_proof(judgement.proof)]
        if judgement.next_baseline_at is not None:
            paras.append(field("until", f"the next baseline, {date(judgement.next_baseline_at)}"))
    paras += [
        BLANK,
        title("Finding"),
        field("scanner", f"{scanner_name(row.scanner)}, {row.finding_id or NOTHING}"),
        field("title", row.title or NOTHING),
        *([field("severity", row.severity)] if row.severity else []),
        field("scanned", moment_long(row.scanned_at)),
        field("from", f"{row.file}, line {row.line}"),
    ]
    return paras


def _as_host(row: Reconciled) -> tuple[Part, ...]:
    """The host as the scanner writes it, where that is another name."""
    return () if row.host.casefold() == row.device.casefold() else ((f"  named {row.host}", MUTED),)


def _proof(proof: Proof) -> list[Para]:
    rows = [field("KB", _with_build(proof.kb, build(proof.build) if proof.build else ""))]
    if proof.fixed_by != proof.kb:
        rows.append(field("fixed by", kb(proof.fixed_by)))
    if proof.baseline_kb is not None:
        rows.append(field("baseline", kb(proof.baseline_kb)))
    if proof.twin_kb is not None:
        rows.append(field("twin", _with_build(proof.twin_kb, build(proof.twin_build) if proof.twin_build else "")))
    rows.append(field("installed" if proof.evidence.is_exact else "there by", moment_long(proof.at)))
    install = f" {proof.install_id}" if proof.install_id is not None else ""
    rows.append(field("evidence", f"{proof.evidence.replace('-', ' ')}{install}"))
    return rows


def _with_build(number: int, shown: str) -> str:
    return f"{kb(number)}  {shown}" if shown else kb(number)
