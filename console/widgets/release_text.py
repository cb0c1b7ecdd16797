"""One release on one platform in words: what it fixes, its twin, what stays open, who approved it, its CVEs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from console.columns import Cell, kind_cell
from console.text import NOTHING, Tone, build, count, fit, kb, moment, moment_long, month, plural
from console.widgets.drawing import MUTED, Part, cell, line, severity_text
from console.widgets.paragraphs import BLANK, Para, field, hung, para, title
from engine.catalog import Coverage, Gap
from engine.model.model import Approval, Cve, Release
from engine.model.model import Severity as Rating
from engine.model.records.fleet import ReleaseRow

_CVES_SHOWN = 40
_RATING_WIDTH = 11
_RATINGS = {Rating.CRITICAL: Tone.FAILED, Rating.IMPORTANT: Tone.AT_RISK}


def release_facts(
    row: ReleaseRow, coverage: Coverage, approvals: Sequence[Approval], now: datetime, *, waits: bool = False
) -> list[Para]:
    """What the release is and does, and who let it go where; `waits` when the rollout waits for its approval."""
    release = row.release
    architectures = ", ".join(release.architectures)
    return [
        title(
            release.name,
            f"  {kind_cell(release.kind).text} of {month(release.month)}",
            (f"  {release.platform.label}", MUTED),
        ),
        _standing(row),
        field("released", moment_long(release.released_at)),
        field("build", build(release.build), (f"   {architectures}", MUTED)),
        field("fixes", *_fixes(row, coverage)),
        *_chain(coverage),
        *_gaps(coverage),
        *_approvals(row, approvals, now, waits=waits),
        *_source(release),
    ]


def _standing(row: ReleaseRow) -> Para:
    """Restart or none, and what the fleet has made of it."""
    restart = (
        severity_text(Tone.DUE, "restart") if row.release.restart_required else severity_text(Tone.OK, "no restart")
    )
    parts: list[Part] = [restart, f"   {count(row.installed)} installed"]
    if row.active:
        parts += ["   ", severity_text(Tone.DUE, f"{count(row.active)} active")]
    if row.failed:
        parts += ["   ", severity_text(Tone.FAILED, f"{count(row.failed)} failed")]
    return para(*parts)


def _fixes(row: ReleaseRow, coverage: Coverage) -> list[Part]:
    if not coverage.fixes:
        return [("no CVE that Microsoft names", MUTED)]
    parts: list[Part] = [plural(len(coverage.fixes), "CVE")]
    for rating in Rating:
        number = sum(1 for each in coverage.fixes if each.severity is rating)
        if number:
            parts += ["  ", severity_text(_RATINGS.get(rating, Tone.NONE), f"{count(number)} {rating.value}")]
    exploited = severity_text(Tone.FAILED, f"{count(row.exploited)} exploited") if row.exploited else "none exploited"
    return [*parts, "  ", exploited]


def _chain(coverage: Coverage) -> Iterable[Para]:
    if coverage.chain and coverage.baseline is not None:
        chain = " → ".join(each.name for each in (coverage.baseline, *coverage.chain))
        yield field("sits on", chain, (f"   baseline of {month(coverage.baseline.month)} first", MUTED))
    if coverage.twin is not None:
        twin = coverage.twin
        said = f"   {kind_cell(twin.kind).text} with a restart, fixes {count(len(coverage.twin_fixes))}"
        yield field("twin", f"{twin.name}  {build(twin.build)}", (said, MUTED))


def _gaps(coverage: Coverage) -> Iterable[Para]:
    """What stays open on the hotpatch track against the twin, and what is open on both."""
    if coverage.twin is not None and not coverage.not_covered:
        yield field("open", severity_text(Tone.OK, "nothing that its twin closes"))
    if coverage.not_covered:
        number = plural(len(coverage.not_covered), "CVE")
        yield field("open", severity_text(Tone.AT_RISK, f"{number} that its twin closes"))
        yield from map(_gap, coverage.not_covered)
    if coverage.still_open:
        number = plural(len(coverage.still_open), "CVE")
        yield field("open", severity_text(Tone.AT_RISK, f"{number} of its month that only a later release closes"))
        yield from map(_gap, coverage.still_open)


def _gap(gap: Gap) -> Para:
    closed = ", ".join(each.name for each in gap.closed_by) or "nothing yet"
    return _cve(gap.cve, (f"   closed by {closed}", MUTED), indent="  ")


def _approvals(row: ReleaseRow, approvals: Sequence[Approval], now: datetime, *, waits: bool) -> Iterable[Para]:
    yield BLANK
    if waits:
        yield title("Approvals", "  ", severity_text(Tone.DUE, "waits for approval: a"))
    elif approvals:
        yield title("Approvals", (f"  in force for {', '.join(row.approved_rings) or 'no ring'}", MUTED))
    else:
        yield title("Approvals", ("  none", MUTED))
    for each in approvals:
        yield hung(
            line(severity_text(*_approval_state(each, now)), "  "),
            ", ".join(each.rings),
            (f"  by {each.approved_by}, {moment(each.approved_at, now)}", MUTED),
            f"  {each.reason}",
        )
        if each.withdrawn_at is not None:
            yield hung("  ", (f"withdrawn by {each.withdrawn_by}, {moment(each.withdrawn_at, now)}", MUTED))


def _approval_state(approval: Approval, now: datetime) -> tuple[Tone, str]:
    if approval.withdrawn_at is not None:
        return Tone.UNKNOWN, "withdrawn"
    if approval.expires_at is not None and approval.expires_at <= now:
        return Tone.UNKNOWN, f"expired {moment(approval.expires_at, now)}"
    if approval.not_before is not None and approval.not_before > now:
        return Tone.DUE, f"begins {moment(approval.not_before, now)}"
    return Tone.OK, "approved"


def _source(release: Release) -> Iterable[Para]:
    if release.provisional:
        yield BLANK
        yield para(severity_text(Tone.UNKNOWN, f"no Microsoft document confirms it; from {release.source}"))


def release_cves(coverage: Coverage) -> list[Para]:
    """The most severe CVEs that it fixes."""
    cves = coverage.fixes
    if not cves:
        return []
    shown = cves[:_CVES_SHOWN]
    worst = f"the {len(shown)} worst of {count(len(cves))}" if len(shown) < len(cves) else count(len(cves))
    return [title(f"CVEs it fixes: {worst}"), *(_cve(each) for each in shown)]


def _cve(cve: Cve, *more: Part, indent: str = "") -> Para:
    score = f"{cve.cvss:.1f}" if cve.cvss is not None else NOTHING
    flags: list[Part] = []
    if cve.exploited:
        flags = [severity_text(Tone.FAILED, "exploited"), "  "]
    elif cve.disclosed:
        flags = [severity_text(Tone.AT_RISK, "disclosed"), "  "]
    rating = cell(Cell(cve.severity.value, _RATINGS.get(cve.severity, Tone.NONE)), _RATING_WIDTH)
    head = line(indent, fit(cve.id, 15), rating, fit(score, 4, "right"), "  ")
    return hung(head, *flags, cve.title.removesuffix(" Vulnerability"), *more)


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
