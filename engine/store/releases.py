"""Keeps the catalog: releases for every read, vulnerabilities and fixes for coverage only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from engine.catalog import Catalog, Fix, KnownDocument
from engine.catalog.closing import Closings
from engine.model.build import Architecture, Platform
from engine.model.model import Cve, Release, ReleaseKind, Severity
from engine.store.values import build_number, os_build, seconds, time_of

_VERSION = "catalog-version"


class _Known(Struct, frozen=True):
    """What was known at one time, kept while nothing changes it."""

    version: int
    since: datetime | None
    until: datetime | None
    closings: Closings

    def holds(self, version: int, now: datetime) -> bool:
        """Whether it is what is known now as well."""
        return (
            self.version == version
            and (self.since is None or self.since <= now)
            and (self.until is None or now < self.until)
        )


class ReleaseStore:
    """Releases, CVEs and fixes. Reading releases alone is cheap; `catalog` loads everything."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._read: tuple[int, tuple[Release, ...]] | None = None
        self._known: _Known | None = None

    def replace(self, catalog: Catalog) -> None:
        """Store this catalog. What merge decided to keep is in it already, so nothing known is lost."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (_VERSION, str(self._version() + 1)))
        self._db.executemany(
            "INSERT OR REPLACE INTO release VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    release.kb,
                    release.platform,
                    release.kind,
                    release.month,
                    seconds(release.released_at),
                    build_number(release.build),
                    ",".join(release.architectures),
                    int(release.restart_required),
                    release.source,
                    int(release.provisional),
                )
                for release in catalog.releases
            ),
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO cve VALUES (?, ?, ?, ?, ?, ?)",
            (
                (cve.id, cve.title, cve.severity, cve.cvss, int(cve.exploited), int(cve.disclosed))
                for cve in catalog.cves.values()
            ),
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO fix VALUES (?, ?, ?, ?, ?, ?)",
            (
                (fix.kb, fix.platform, fix.architecture, fix.cve, fix.filed, build_number(fix.build))
                for fix in catalog.fixes
            ),
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?)",
            ((each.month, each.revision, seconds(each.revised_at), each.etag) for each in catalog.documents.values()),
        )

    def releases(self) -> tuple[Release, ...]:
        """Every release that is kept, oldest first, published or not; read again only when the catalog has changed."""
        version = self._version()
        if self._read is None or self._read[0] != version:
            rows = self._db.execute("SELECT * FROM release ORDER BY released_at, kb, platform")
            self._read = version, tuple(_release(row) for row in rows)
        return self._read[1]

    def _version(self) -> int:
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (_VERSION,)).fetchone()
        return 0 if row is None else int(row[0])

    def catalog(self) -> Catalog:
        """Everything that is kept, with vulnerabilities and fixes."""
        cves: Mapping[str, Cve] = {
            row["id"]: Cve(
                row["id"],
                row["title"],
                Severity(row["severity"]),
                row["cvss"],
                bool(row["exploited"]),
                bool(row["disclosed"]),
            )
            for row in self._db.execute("SELECT * FROM cve")
        }
        fixes = tuple(
            Fix(
                row["kb"],
                Platform(row["platform"]),
                Architecture(row["architecture"]),
                row["cve"],
                row["filed"],
                os_build(row["build"]),
            )
            for row in self._db.execute("SELECT * FROM fix")
        )
        documents = {
            row["month"]: KnownDocument(row["month"], row["revision"], time_of(row["revised_at"]), row["etag"])
            for row in self._db.execute("SELECT * FROM document")
        }
        return Catalog(self.releases(), cves, fixes, documents)

    def known_at(self, now: datetime) -> Catalog:
        """What was published by now; read again only when the catalog or the day has changed, whoever changed it."""
        return self.closings(now).catalog

    def closings(self, now: datetime) -> Closings:
        """The same, ready to be asked what is closed on a device."""
        version = self._version()
        if self._known is None or not self._known.holds(version, now):
            catalog = self.catalog()
            since, until = catalog.unchanged_around(now)
            self._known = _Known(version, since, until, Closings(catalog.known_at(now)))
        return self._known.closings

    def cve_summary(self, until_month: str, kb: int | None = None) -> dict[tuple[int, str], tuple[int, str, int]]:
        """For each (KB, platform): how many CVEs filed by `until_month`, the worst severity, how many exploited.

        `kb` asks for that one alone.
        """
        which = "" if kb is None else "AND f.kb = ? "
        rows = self._db.execute(
            "SELECT f.kb, f.platform, count(DISTINCT f.cve) AS cves, "
            "min(CASE c.severity WHEN 'Critical' THEN 1 WHEN 'Important' THEN 2 WHEN 'Moderate' THEN 3 "
            "WHEN 'Low' THEN 4 ELSE 5 END) AS worst, "
            "count(DISTINCT CASE WHEN c.exploited THEN f.cve END) AS exploited "
            f"FROM fix f JOIN cve c ON c.id = f.cve WHERE f.filed <= ? {which}GROUP BY f.kb, f.platform",
            (until_month,) if kb is None else (until_month, kb),
        )
        names = ("Critical", "Important", "Moderate", "Low", "Unrated")
        return {(row["kb"], row["platform"]): (row["cves"], names[row["worst"] - 1], row["exploited"]) for row in rows}

    def is_empty(self) -> bool:
        return self._db.execute("SELECT 1 FROM release LIMIT 1").fetchone() is None


def _release(row: sqlite3.Row) -> Release:
    return Release(
        kb=row["kb"],
        platform=Platform(row["platform"]),
        kind=ReleaseKind(row["kind"]),
        month=row["month"],
        released_at=time_of(row["released_at"]),
        build=os_build(row["build"]),
        architectures=tuple(Architecture(name) for name in row["architectures"].split(",") if name),
        restart_required=bool(row["restart_required"]),
        source=row["source"],
        provisional=bool(row["provisional"]),
    )


def newest_first(releases: Iterable[Release]) -> tuple[Release, ...]:
    """For lists: newest on top, platforms in their own order within a day."""
    order = list(Platform)
    return tuple(sorted(releases, key=lambda r: (-r.released_at.timestamp(), order.index(r.platform), r.kb)))
