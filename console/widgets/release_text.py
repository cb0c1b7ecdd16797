"""One release on one platform in words: what it fixes, its twin, what stays open, who approved it, its CVEs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from textual.content import Content

from console.columns import Cell, kind_cell
from console.text import NOTHING, Severity, build, count, fit, kb, moment, moment_long, month, plural
from console.widgets.drawing import MUTED, STRONG, Part, cell, line, lines, pairs, plain, severity_text
from engine.catalog import Coverage, Gap
from engine.model import Approval, Cve, Release
from engine.model import Severity as Rating
from engine.records import ReleaseRow

_NAME = 12
_CVES_SHOWN = 40
_RATING_WIDTH = 11
_RATINGS = {Rating.CRITICAL: Severity.FAILED, Rating.IMPORTANT: Severity.AT_RISK}


def release_facts(
    row: ReleaseRow, coverage: Coverage, approvals: Sequence[Approval], now: datetime, *, waits: bool = False
) -> Content:
    """What the release is and does, and who let it go where; `waits` when the rollout waits for its approval."""
    release = row.release
    rows: list[Content] = [
        line((release.name, STRONG), f"  {kind_cell(release.kind).text} of {month(release.month)}", _for(release)),
        _standing(row),
        pairs([*_identity(release), *_coverage(row, coverage)], _NAME),
        *_gaps(coverage),
        *_approvals(row, approvals, now, waits=waits),
        *_source(release),
    ]
    return lines(rows)


def _for(release: Release) -> Part:
    return (f"  {release.platform.label}", MUTED)


def _standing(row: ReleaseRow) -> Content:
    """Restart or none, and what the fleet has made of it."""
    restart = (
        severity_text(Severity.DUE, "restart")
        if row.release.restart_required
        else severity_text(Severity.OK, "no restart")
    )
    parts: list[Part] = [restart, f"   {count(row.installed)} installed"]
    if row.active:
        parts += ["   ", severity_text(Severity.DUE, f"{count(row.active)} active")]
    if row.failed:
        parts += ["   ", severity_text(Severity.FAILED, f"{count(row.failed)} failed")]
    return line(*parts)


def _identity(release: Release) -> Iterable[tuple[str, Part]]:
    architectures = ", ".join(release.architectures)
    yield "released", moment_long(release.released_at)
    yield "build", line(build(release.build), (f"   {architectures}" if architectures else "", MUTED))


def _coverage(row: ReleaseRow, coverage: Coverage) -> Iterable[tuple[str, Part]]:
    yield "fixes", _fixes(row, coverage)
    if coverage.chain and coverage.baseline is not None:
        chain = " → ".join(each.name for each in (coverage.baseline, *coverage.chain))
        yield "sits on", line(chain, (f"   baseline of {month(coverage.baseline.month)} first", MUTED))
    if coverage.twin is not None:
        twin = coverage.twin
        yield (
            "twin",
            line(
                f"{twin.name}  {build(twin.build)}",
                (f"   {kind_cell(twin.kind).text} with a restart, fixes {count(len(coverage.twin_fixes))}", MUTED),
            ),
        )


def _fixes(row: ReleaseRow, coverage: Coverage) -> Content:
    if not coverage.fixes:
        return plain("no CVE that Microsoft names", MUTED)
    parts: list[Part] = [plural(len(coverage.fixes), "CVE")]
    for rating in Rating:
        number = sum(1 for each in coverage.fixes if each.severity is rating)
        if number:
            parts += ["  ", severity_text(_RATINGS.get(rating, Severity.NONE), f"{count(number)} {rating.value}")]
    exploited = row.exploited
    parts += ["  ", severity_text(Severity.FAILED, f"{count(exploited)} exploited") if exploited else "none exploited"]
    return line(*parts)


def _gaps(coverage: Coverage) -> Iterable[Content]:
    """What stays open on the hotpatch track against the twin, and what is open on both."""
    if coverage.twin is not None and not coverage.not_covered:
        yield severity_text(Severity.OK, "leaves nothing open that its twin closes")
    if coverage.not_covered:
        yield severity_text(
            Severity.AT_RISK, f"leaves {plural(len(coverage.not_covered), 'CVE')} open that its twin closes"
        )
        yield from map(_gap, coverage.not_covered)
    if coverage.still_open:
        yield severity_text(
            Severity.AT_RISK, f"{plural(len(coverage.still_open), 'CVE')} of its month closed only by a later release"
        )
        yield from map(_gap, coverage.still_open)


def _gap(gap: Gap) -> Content:
    closed = ", ".join(each.name for each in gap.closed_by) or "nothing yet"
    return line("  ", _cve(gap.cve), (f"   closed by {closed}", MUTED))


def _approvals(row: ReleaseRow, approvals: Sequence[Approval], now: datetime, *, waits: bool) -> Iterable[Content]:
    yield plain("")
    if waits:
        yield line(("Approvals", STRONG), "  ", severity_text(Severity.DUE, "waits for approval: a"))
    elif not approvals:
        yield line(("Approvals", STRONG), ("  none", MUTED))
    if not approvals:
        return
    yield line(("Approvals", STRONG), (f"  in force for {', '.join(row.approved_rings) or 'no ring'}", MUTED))
    for each in approvals:
        yield line(
            severity_text(*_approval_state(each, now)),
            f"  {', '.join(each.rings)}",
            (f"  by {each.approved_by}, {moment(each.approved_at, now)}", MUTED),
        )
        yield line("  ", each.reason or NOTHING)
        if each.withdrawn_at is not None:
            yield plain(f"  withdrawn by {each.withdrawn_by}, {moment(each.withdrawn_at, now)}", MUTED)


def _approval_state(approval: Approval, now: datetime) -> tuple[Severity, str]:
    if approval.withdrawn_at is not None:
        return Severity.UNKNOWN, "withdrawn"
    if approval.expires_at is not None and approval.expires_at <= now:
        return Severity.UNKNOWN, f"expired {moment(approval.expires_at, now)}"
    if approval.not_before is not None and approval.not_before > now:
        return Severity.DUE, f"begins {moment(approval.not_before, now)}"
    return Severity.OK, "approved"


def _source(release: Release) -> Iterable[Content]:
    if release.provisional:
        yield plain("")
        yield severity_text(Severity.UNKNOWN, f"no Microsoft document confirms it; from {release.source}")


def release_cves(coverage: Coverage) -> Content:
    """The most severe CVEs that it fixes."""
    cves = coverage.fixes
    if not cves:
        return Content("")
    shown = cves[:_CVES_SHOWN]
    worst = f"the {len(shown)} worst of {count(len(cves))}" if len(shown) < len(cves) else count(len(cves))
    title = f"CVEs it fixes: {worst}"
    return lines([plain(title, STRONG), *map(_cve, shown)])


def _cve(cve: Cve) -> Content:
    score = f"{cve.cvss:.1f}" if cve.cvss is not None else NOTHING
    known = [severity_text(Severity.FAILED, "exploited")] if cve.exploited else []
    if cve.disclosed and not cve.exploited:
        known = [severity_text(Severity.AT_RISK, "disclosed")]
    rating = cell(Cell(cve.severity.value, _RATINGS.get(cve.severity, Severity.NONE)), _RATING_WIDTH)
    title = cve.title.removesuffix(" Vulnerability")
    flags = [part for each in known for part in (each, "  ")]
    return line(fit(cve.id, 15), rating, fit(score, 4, "right"), "  ", *flags, title)


def release_words(row: ReleaseRow) -> str:
    """Everything by which a release is found: KB, platform, kind, month, build, ratings, rings."""
    release = row.release
    parts = [
        kb(release.kb),
        release.platform.value,
        release.platform.label,
        kind_cell(release.kind).text,
        release.kind.value,
        release.month,
        month(release.month),
        build(release.build),
        row.worst,
        "exploited" if row.exploited else "",
        "restart" if release.restart_required else "no-restart",
        "approved " + " ".join(row.approved_rings) if row.approved_rings else "unapproved",
    ]
    return " ".join(part for part in parts if part).casefold()


def matches(row: ReleaseRow, wanted: str) -> bool:
    """Whether a release has every word; a word after a minus it must not have."""
    found = release_words(row)
    for word in wanted.casefold().split():
        if word.startswith("-") and len(word) > 1:
            if word[1:] in found:
                return False
        elif word not in found:
            return False
    return True
