"""Adds what documents say to what is known; tells what changed and what the documents seem to have lost.

Called by catalog builds, imports and sync. Never removes a release, a fix or a rating that is known: a document
that lists less than before is reported, not obeyed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from engine.catalog.catalog import Catalog, Fix, KnownDocument
from engine.catalog.kinds import KindEvidence, decide
from engine.catalog.msrc.document import FixRow, MonthDocument, Package
from engine.model.build import Architecture, OsBuild, Platform, kb_text
from engine.model.model import Cve, Release, ReleaseKind, Severity


class Fault(Struct, frozen=True):
    """Something that a document, a file or the index got wrong. Nothing that is known suffered from it."""

    kind: str
    """A `engine.catalog.msrc.FaultKind` value."""
    subject: str
    """The month, file or address it concerns."""
    message: str


class Revision(Struct, frozen=True):
    """A release that is told differently now."""

    before: Release
    after: Release


class Changes(Struct, frozen=True):
    """What a merge, an import or a sync changed."""

    new: tuple[Release, ...] = ()
    revised: tuple[Revision, ...] = ()
    new_fixes: int = 0
    new_cves: tuple[str, ...] = ()
    revised_cves: tuple[str, ...] = ()
    new_documents: tuple[str, ...] = ()
    revised_documents: tuple[str, ...] = ()
    unchanged_documents: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether what is known of releases and CVEs stayed as it was."""
        return not (self.new or self.revised or self.new_fixes or self.new_cves or self.revised_cves)

    def with_faults(self, faults: Iterable[Fault]) -> Changes:
        return replace(self, faults=(*self.faults, *faults))


def merge(known: Catalog, document: MonthDocument) -> tuple[Catalog, Changes]:
    """Add one document to what is known."""
    return merge_all(known, (document,))


def merge_all(known: Catalog, documents: Iterable[MonthDocument]) -> tuple[Catalog, Changes]:
    """Add documents to what is known; the result does not depend on their order."""
    added = sorted(documents, key=lambda document: (document.month, document.revised_at, document.revision))
    evidence = _evidence_of(known)
    for document in added:
        for row in document.rows:
            _note(evidence, row, document.month)
    verdicts = decide(evidence.values())
    fixes = _fixes(known, added, verdicts.slips, verdicts.releases)
    cves = _cves(known, added)
    merged = Catalog(verdicts.releases, cves, fixes, _documents(known, added))
    return merged, _changes(known, merged, added)


def _evidence_of(known: Catalog) -> dict[tuple[int, Platform], KindEvidence]:
    evidence: dict[tuple[int, Platform], KindEvidence] = {}
    for release in known.releases:
        item = evidence[release.kb, release.platform] = KindEvidence(release.kb, release.platform, known=release)
        item.architectures.update(release.architectures)
        item.packages[_package_of(release.kind)] += 1
    for fix in known.fixes:
        key = (fix.kb, fix.platform)
        found = evidence.get(key)
        if found is None:
            found = evidence[key] = KindEvidence(fix.kb, fix.platform)
        found.cves.setdefault(fix.filed, set()).add(fix.cve)
        found.architectures.add(fix.architecture)
        if fix.build is not None:
            found.builds[fix.build] += 1
    for (kb, platform), item in evidence.items():
        if item.known is not None and item.known.build is not None and item.cves:
            # One vote for each filed fix: a slip in a later document never outvotes what is known.
            item.builds[item.known.build] += len(known.fixes_of(kb, platform))
    return evidence


def _package_of(kind: ReleaseKind) -> Package:
    if kind.is_hotpatch:
        return Package.HOTPATCH
    return Package.STANDALONE if kind is ReleaseKind.COMPANION else Package.UPDATE


def _note(evidence: dict[tuple[int, Platform], KindEvidence], row: FixRow, month: str) -> None:
    key = (row.kb, row.platform)
    item = evidence.get(key)
    if item is None:
        item = evidence[key] = KindEvidence(row.kb, row.platform)
    item.cves.setdefault(month, set()).add(row.cve)
    item.packages[row.package] += 1
    item.architectures.add(row.architecture)
    if row.build is not None:
        item.builds[row.build] += 1
    if row.dated is not None:
        item.dated = row.dated if item.dated is None else min(item.dated, row.dated)


def _fixes(
    known: Catalog,
    documents: list[MonthDocument],
    slips: Mapping[tuple[int, Platform], int],
    releases: tuple[Release, ...],
) -> tuple[Fix, ...]:
    listed = {(release.kb, release.platform) for release in releases}
    filed: dict[tuple[int, Platform, str, str], tuple[str, OsBuild | None]] = {}
    rows = [
        *((fix.kb, fix.platform, fix.architecture, fix.cve, fix.filed, fix.build) for fix in known.fixes),
        *((r.kb, r.platform, r.architecture, r.cve, d.month, r.build) for d in documents for r in d.rows),
    ]
    for kb, platform, architecture, cve, month, build in rows:
        meant = slips.get((kb, platform), kb)
        key = (meant, platform, architecture.value, cve)
        before = filed.get(key)
        if before is None or month < before[0]:
            filed[key] = (month, None if (meant, platform) in listed else build)
    return tuple(
        Fix(kb, platform, _ARCHITECTURES[architecture], cve, month, build)
        for (kb, platform, architecture, cve), (month, build) in sorted(filed.items())
    )


_ARCHITECTURES = {architecture.value: architecture for architecture in Architecture}


def _cves(known: Catalog, documents: list[MonthDocument]) -> dict[str, Cve]:
    """The newest revision rates a CVE; blanks never replace a rating, and an older document adds only what is new."""
    cves = dict(known.cves)
    for document in documents:
        before = known.documents.get(document.month)
        is_older = before is not None and document.revised_at < before.revised_at
        for name, cve in document.cves.items():
            have = cves.get(name)
            if have is None:
                cves[name] = cve
            elif not is_older:
                cves[name] = Cve(
                    id=name,
                    title=cve.title or have.title,
                    severity=have.severity if cve.severity is Severity.UNRATED else cve.severity,
                    cvss=have.cvss if cve.cvss is None else cve.cvss,
                    exploited=cve.exploited,
                    disclosed=cve.disclosed,
                )
    return dict(sorted(cves.items()))


def _documents(known: Catalog, documents: list[MonthDocument]) -> dict[str, KnownDocument]:
    kept = dict(known.documents)
    for document in documents:
        before = kept.get(document.month)
        if before is None or document.revised_at >= before.revised_at:
            kept[document.month] = KnownDocument(document.month, document.revision, document.revised_at)
    return dict(sorted(kept.items()))


def _changes(known: Catalog, merged: Catalog, documents: list[MonthDocument]) -> Changes:
    before = {(release.kb, release.platform): release for release in known.releases}
    new, revised = [], []
    for release in merged.releases:
        old = before.get((release.kb, release.platform))
        if old is None:
            new.append(release)
        elif old != release:
            revised.append(Revision(old, release))
    states: dict[str, list[str]] = {"new": [], "revised": [], "unchanged": []}
    for document in documents:
        state = known.documents.get(document.month)
        newer = state is not None and document.revised_at > state.revised_at
        states["new" if state is None else "revised" if newer else "unchanged"].append(document.month)
    return Changes(
        new=tuple(new),
        revised=tuple(revised),
        new_fixes=len(merged.fixes) - len(known.fixes),
        new_cves=tuple(name for name in merged.cves if name not in known.cves),
        revised_cves=tuple(n for n, cve in merged.cves.items() if n in known.cves and known.cves[n] != cve),
        new_documents=tuple(states["new"]),
        revised_documents=tuple(states["revised"]),
        unchanged_documents=tuple(states["unchanged"]),
        faults=tuple(_dropped(known, documents)),
    )


def _dropped(known: Catalog, documents: list[MonthDocument]) -> list[Fault]:
    """The KBs that a document listed before and lists no more."""
    faults = []
    for document in documents:
        listed = {(row.kb, row.platform) for row in document.rows}
        dropped: dict[int, set[Platform]] = {}
        for fix in known.fixes:
            if fix.filed == document.month and (fix.kb, fix.platform) not in listed:
                dropped.setdefault(fix.kb, set()).add(fix.platform)
        for kb, platforms in sorted(dropped.items()):
            names = ", ".join(platform.label for platform in Platform if platform in platforms)
            faults.append(
                Fault(
                    "dropped",
                    document.month,
                    f"{document.id} no longer lists {kb_text(kb)} for {names}; what is known of it is kept.",
                )
            )
    return faults
