"""The tenant's two catalogs of quality updates: which id stands for which KBs.

`rings` calls it at each pull. Source: Microsoft Graph beta, "windowsQualityUpdateCatalogItem", "catalogEntry".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.model.tenants import CatalogItem, PolicyKind
from engine.providers.graph.devices import moment, plain
from engine.providers.graph.odata import truth, type_name

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient

_ITEMS = "/deviceManagement/windowsUpdateCatalogItems"
_ITEMS_QUERY = {"$filter": "isof('microsoft.graph.windowsQualityUpdateCatalogItem')"}
_ENTRY = "microsoft.graph.windowsUpdates.qualityUpdateCatalogEntry"
_ENTRIES = "/admin/windows/updates/catalog/entries"
_ENTRIES_QUERY = {
    "$filter": f"isof('{_ENTRY}')",
    "$expand": f"{_ENTRY}/productRevisions",
    "$orderby": "releaseDateTime desc",
}
_MOST = 1_000
"""Items that are kept of a catalog: quality updates of more than ten years."""


async def read_items(client: GraphClient) -> tuple[CatalogItem, ...]:
    """Intune's catalog, which quality-update policies go by.

    Raises:
        ProviderError: one of `answers`.
    """
    return await _read(client, _ITEMS, _ITEMS_QUERY, PolicyKind.QUALITY, "windowsQualityUpdateCatalogItem")


async def read_entries(client: GraphClient) -> tuple[CatalogItem, ...]:
    """The update service's own catalog, which the newer policies go by.

    Raises:
        ProviderError: one of `answers`.
    """
    return await _read(client, _ENTRIES, _ENTRIES_QUERY, PolicyKind.UPDATES, "windowsUpdates.qualityUpdateCatalogEntry")


async def _read(
    client: GraphClient, path: str, query: Mapping[str, str], kind: PolicyKind, wanted: str
) -> tuple[CatalogItem, ...]:
    found: dict[str, CatalogItem] = {}
    async for page in client.pages(path, query):
        for each in page.items:
            # The filter is asked for; a service that does not know it lists features and drivers as well.
            if type_name(each) in ("", wanted) and (item := catalog_item(each, kind)) is not None:
                found[item.id] = item
        if len(found) >= _MOST:
            break
    return tuple(found.values())


def catalog_item(item: Mapping[str, Any], kind: PolicyKind) -> CatalogItem | None:
    """One entry of either catalog; None for one without an id."""
    name = item.get("id")
    if not isinstance(name, str) or not name:
        return None
    revisions = item.get("productRevisions")
    kbs = [_kb(item.get("kbArticleId"))]
    for each in revisions if isinstance(revisions, list) else ():
        article = each.get("knowledgeBaseArticle") if isinstance(each, Mapping) else None
        if isinstance(article, Mapping):
            kbs.append(_kb(article.get("articleId")) or _kb(article.get("id")))
    return CatalogItem(
        id=name,
        kind=kind,
        kbs=_once(kbs),
        name=plain(item.get("shortName")) or plain(item.get("displayName")),
        released_at=moment(item.get("releaseDateTime")),
        expeditable=truth(item.get("isExpeditable")),
    )


_KB = re.compile(r"(?:KB)?\s*(\d{6,8})", re.IGNORECASE)


def _kb(value: object) -> int:
    """``KB5044384`` or ``5044384`` as a number; 0 for what is neither."""
    found = _KB.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(found[1]) if found else 0


def _once(kbs: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(each for each in kbs if each))
