"""The update service's catalogue: quality updates with their revisions, one of them a hotpatch."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from engine.providers.graph.client import GraphClient
from engine.providers.graph.odata import segment
from tests.tenant.routing import Asked, Reply, Route, listed, one, route
from tests.tenant.state import TenantState

_ROOT = "/admin/windows/updates/catalog/entries"
_QUALITY = "#microsoft.graph.windowsUpdates.qualityUpdateCatalogEntry"
_EXPANDED = "microsoft.graph.windowsUpdates.qualityUpdateCatalogEntry/productRevisions"
_VERSIONS = {26100: "24H2", 26200: "25H2"}

_RELEASES = (
    # month, letter, day, classification, [(KB, build, revision, is a hotpatch)]
    ("2026.06", "B", "2026-06-09", "security", [(5094126, 26100, 8655, False), (5094126, 26200, 8655, False)]),
    (
        "2026.05",
        "B",
        "2026-05-12",
        "security",
        [
            (5089466, 26100, 8390, True),
            (5089549, 26100, 8457, False),
            (5089466, 26200, 8390, True),
            (5089549, 26200, 8457, False),
        ],
    ),
    ("2026.04", "B", "2026-04-14", "security", [(5083769, 26100, 8246, False), (5083769, 26200, 8246, False)]),
    ("2026.04", "D", "2026-04-28", "nonSecurity", [(5083631, 26100, 8328, False)]),
)


def entry_id(short_name: str) -> str:
    """The catalogue's id of an entry: 64 hexadecimal digits."""
    return sha256(short_name.encode()).hexdigest()


def entries() -> list[Mapping[str, Any]]:
    """All entries with their revisions; lists leave those out unless they are asked for."""
    return [_entry(*release) for release in _RELEASES] + [_feature_update()]


def _entry(
    month: str, letter: str, day: str, classification: str, revisions: list[tuple[int, int, int, bool]]
) -> Mapping[str, Any]:
    short_name = f"{month} {letter}"
    return {
        "@odata.type": _QUALITY,
        "id": entry_id(short_name),
        "displayName": f"{day} - {short_name} Update for Windows 11 and later",
        "deployableUntilDateTime": None,
        "releaseDateTime": f"{day}T00:00:00Z",
        "isExpeditable": classification == "security",
        "qualityUpdateClassification": classification,
        "qualityUpdateCadence": "monthly",
        "catalogName": f"{month.replace('.', '-')} Cumulative Update for Windows 11 and later",
        "shortName": short_name,
        "cveSeverityInformation": None,
        "productRevisions": [_revision(day, *each) for each in revisions],
    }


def _revision(day: str, kb: int, build: int, revision: int, is_hotpatch: bool) -> Mapping[str, Any]:
    version = _VERSIONS[build]
    return {
        "id": f"10.0.{build}.{revision}",
        "displayName": f"Windows 11, version {version}, build {build}.{revision}",
        "releaseDateTime": f"{day}T00:00:00Z",
        "isHotpatchUpdate": is_hotpatch,
        "version": version,
        "product": "Windows 11",
        "osBuild": {"majorVersion": 10, "minorVersion": 0, "buildNumber": build, "updateBuildRevision": revision},
        "knowledgeBaseArticle": {"id": f"KB{kb}", "url": f"https://support.microsoft.com/help/{kb}"},
    }


def _feature_update() -> Mapping[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.windowsUpdates.featureUpdateCatalogEntry",
        "id": entry_id("25H2"),
        "displayName": "Windows 11, version 25H2",
        "deployableUntilDateTime": None,
        "releaseDateTime": "2025-09-30T00:00:00Z",
        "version": "Windows 11, version 25H2",
    }


def _as_asked(row: Mapping[str, Any], asked: Asked) -> Mapping[str, Any]:
    if asked.options.get("$expand") == _EXPANDED:
        return row
    return {name: value for name, value in row.items() if name != "productRevisions"}


def _all(asked: Asked, state: TenantState) -> Reply:
    rows = [*entries(), *state.tables["catalogue"].values()]
    return listed(asked, state, rows, adapt=_as_asked)


def _single(asked: Asked, state: TenantState) -> Reply:
    rows = {row["id"]: row for row in (*entries(), *state.tables["catalogue"].values())}
    found = rows.get(asked.names["id"])
    return one(_as_asked(found, asked) if found else None, asked)


ROUTES: tuple[Route, ...] = (
    route("GET", "beta", _ROOT, _all),
    route("GET", "beta", f"{_ROOT}/{{id}}", _single),
)
OPERATIONS = frozenset(
    {
        "beta.get.admin.windows.updates.catalog.entries",
        "beta.get.admin.windows.updates.catalog.entries.by_catalogEntry",
    }
)


async def drive(client: GraphClient) -> None:
    """Each operation once."""
    quality = {"$filter": f"isof('{_QUALITY.removeprefix('#')}')", "$expand": _EXPANDED}
    found = await client.get(_ROOT, {**quality, "$orderby": "releaseDateTime desc", "$top": "2"})
    assert [row["shortName"] for row in found["value"]] == ["2026.06 B", "2026.05 B"]
    await client.get(f"{_ROOT}/{segment(found['value'][0]['id'])}")
