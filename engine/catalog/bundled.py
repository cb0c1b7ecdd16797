"""The catalog as a file: `data/catalog.json`, and the releases beyond MSRC in their own file.

Called by the catalog build, by `load_bundled`, and by whoever exports a catalog. The format groups fixes by KB,
platform and architecture so that the file stays readable; nothing of Microsoft's text but CVE titles is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from msgspec.structs import replace

from data import packaged
from engine.catalog.calendar import MonthFact, patch_tuesday_moment, release_moment
from engine.catalog.catalog import Catalog, Fix, KnownDocument
from engine.model.build import Architecture, OsBuild, Platform, kb_text, parse_kb
from engine.model.clock import from_text, to_text
from engine.model.errors import BadInput
from engine.model.model import Cve, Release, ReleaseKind, Severity

CATALOG_FILE = "catalog.json"
BEYOND_FILE = "releases_beyond_msrc.json"
_FORMAT = 1


def load_bundled() -> Catalog:
    """The catalog that travels with the program: Microsoft's documents, and second-hand rows where they say nothing.

    Raises:
        BadInput: the packaged file is damaged.
    """
    return with_releases(from_json(packaged(CATALOG_FILE), CATALOG_FILE), load_beyond())


def load_beyond() -> tuple[Release, ...]:
    """The releases that no MSRC document lists: without a CVE, or after the last document.

    Raises:
        BadInput: the packaged file is damaged.
    """
    return tuple(
        _beyond(row, Platform(name), build)
        for row in _beyond_rows()
        if row["kb"] is not None
        for name, build in row["builds"].items()
    )


@cache
def load_month_facts() -> tuple[MonthFact, ...]:
    """Months of which the kind is known but not the KB (October 2026); for the calendar only.

    Raises:
        BadInput: the packaged file is damaged.
    """
    return tuple(
        MonthFact(
            platform=Platform(name),
            month=row["released"][:7],
            kind=ReleaseKind(row["kind"]),
            released_on=date.fromisoformat(row["released"]),
            build=OsBuild.parse(build) if build else None,
            source=_sources(row),
        )
        for row in _beyond_rows()
        if row["kb"] is None
        for name, build in row["builds"].items()
    )


def with_releases(catalog: Catalog, releases: tuple[Release, ...]) -> Catalog:
    """The catalog with releases added that it does not know yet; what it knows stays."""
    known = {(release.kb, release.platform) for release in catalog.releases}
    added = [release for release in releases if (release.kb, release.platform) not in known]
    ordered = sorted([*catalog.releases, *added], key=lambda r: (r.released_at, r.platform, r.kb))
    return replace(catalog, releases=tuple(ordered))


def to_json(catalog: Catalog) -> str:
    """The catalog as a JSON text that is the same for the same catalog, byte for byte."""
    fixes: dict[tuple[int, str, str], dict[str, list[str]]] = {}
    strangers: dict[tuple[int, str], str] = {}
    for fix in catalog.fixes:
        months = fixes.setdefault((fix.kb, fix.platform.value, fix.architecture.value), {})
        months.setdefault(fix.filed, []).append(fix.cve)
        if fix.build is not None:
            strangers[fix.kb, fix.platform.value] = str(fix.build)
    parts = {
        "format": [json.dumps(_FORMAT)],
        "documents": [
            json.dumps(
                {"month": d.month, "revision": d.revision, "revised_at": to_text(d.revised_at)}
                | ({"etag": d.etag} if d.etag else {})
            )
            for d in catalog.documents.values()
        ],
        "releases": [json.dumps(_release_row(release)) for release in catalog.releases],
        "cves": [
            json.dumps([c.id, c.title, c.severity.value, c.cvss, c.exploited, c.disclosed])
            for c in catalog.cves.values()
        ],
        "fixes": [
            json.dumps([kb_text(kb), platform, architecture, {m: sorted(names) for m, names in sorted(months.items())}])
            for (kb, platform, architecture), months in sorted(fixes.items())
        ],
        "unplaced": [json.dumps([kb_text(kb), platform, build]) for (kb, platform), build in sorted(strangers.items())],
    }
    lines = []
    for name, rows in parts.items():
        if name == "format":
            lines.append(f'  "{name}": {rows[0]}')
        else:
            inner = ",\n".join(f"    {row}" for row in rows)
            lines.append(f'  "{name}": [\n{inner}\n  ]' if rows else f'  "{name}": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_json(text: str, name: str = "") -> Catalog:
    """The catalog that `to_json` wrote.

    Raises:
        BadInput: not a catalog file of this format.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}, this program reads format {_FORMAT}")
        builds = {(parse_kb(kb), platform): OsBuild.parse(build) for kb, platform, build in content["unplaced"]}
        return Catalog(
            releases=tuple(_release(row) for row in content["releases"]),
            cves={
                row[0]: Cve(row[0], row[1], Severity(row[2]), row[3], bool(row[4]), bool(row[5]))
                for row in content["cves"]
            },
            fixes=tuple(_fixes(content["fixes"], builds)),
            documents={
                row["month"]: KnownDocument(
                    row["month"], row["revision"], from_text(row["revised_at"]), row.get("etag", "")
                )
                for row in content["documents"]
            },
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BadInput(
            "this is not a catalog file.", f"{error}.", "Build it again with `make catalog`.", file=name
        ) from error


def _beyond_rows() -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = json.loads(packaged(BEYOND_FILE))["releases"]
    except (ValueError, KeyError) as error:
        raise BadInput("the packaged release list is damaged.", f"{error}.", file=BEYOND_FILE) from error
    return rows


def _beyond(row: Mapping[str, Any], platform: Platform, build: str | None) -> Release:
    kind = ReleaseKind(row["kind"])
    released = str(row["released"])
    is_month = len(released) == len("2026-05")  # the day was not found
    return Release(
        kb=parse_kb(row["kb"]),
        platform=platform,
        kind=kind,
        month=released[:7],
        released_at=patch_tuesday_moment(released) if is_month else release_moment(date.fromisoformat(released)),
        build=OsBuild.parse(build) if build else None,
        architectures=platform.architectures,
        restart_required=bool(row.get("restart", kind.restart_required)),
        source=_sources(row),
        provisional=True,
    )


def _sources(row: Mapping[str, Any]) -> str:
    """Where each field of a row comes from, as one text."""
    named = dict(row["sources"])
    general = named.pop("all", "")
    return "; ".join([*([general] if general else []), *(f"{field}: {text}" for field, text in named.items())])


def _release_row(release: Release) -> dict[str, object]:
    row: dict[str, object] = {
        "kb": release.name,
        "platform": release.platform.value,
        "kind": release.kind.value,
        "month": release.month,
        "released_at": to_text(release.released_at),
        "build": str(release.build) if release.build is not None else None,
        "architectures": [architecture.value for architecture in release.architectures],
        "source": release.source,
    }
    if release.restart_required is not release.kind.restart_required:
        row["restart"] = release.restart_required
    return row | ({"provisional": True} if release.provisional else {})


def _release(row: Mapping[str, Any]) -> Release:
    kind = ReleaseKind(row["kind"])
    return Release(
        kb=parse_kb(row["kb"]),
        platform=Platform(row["platform"]),
        kind=kind,
        month=row["month"],
        released_at=from_text(row["released_at"]),
        build=OsBuild.parse(row["build"]) if row["build"] else None,
        architectures=tuple(Architecture(name) for name in row["architectures"]),
        restart_required=bool(row.get("restart", kind.restart_required)),
        source=row["source"],
        provisional=bool(row.get("provisional", False)),
    )


def _fixes(rows: list[Any], builds: Mapping[tuple[int, str], OsBuild]) -> list[Fix]:
    fixes: list[Fix] = []
    for kb, platform_name, architecture_name, months in rows:
        number, platform, architecture = parse_kb(kb), Platform(platform_name), Architecture(architecture_name)
        build = builds.get((number, platform_name))
        for month, cves in months.items():
            fixes.extend(Fix(number, platform, architecture, cve, month, build) for cve in cves)
    return sorted(fixes, key=lambda fix: (fix.kb, fix.platform, fix.architecture, fix.cve))
