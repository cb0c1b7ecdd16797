"""Walks the pages of a list by the links that the service gives, word for word.

`client` alone calls it. A link that leaves the service, or comes a second time, ends the walk with an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from engine.providers.graph.answers import AnswerUnusable
from engine.providers.graph.odata import NEXT_LINK


class Page(Struct, frozen=True):
    """Some items of a list."""

    items: tuple[Mapping[str, Any], ...]
    next_link: str
    """Where the next page is; "" on the last one. May be kept: `GraphClient.pages(start=...)` goes on from it."""


async def walk(
    fetch: Callable[[str], Awaitable[Mapping[str, Any]]], url: str, checked: Callable[[str], str], *, most: int
) -> AsyncIterator[Page]:
    """The page at `url` and all that follow it, at most `most`.

    Raises:
        AnswerUnusable: no list, a link that leads elsewhere or in a circle, or too many pages.
    """
    seen: set[bytes] = set()
    while url:
        seen.add(_mark(url))
        if len(seen) > most:
            raise AnswerUnusable("The list does not end.", f"More than {most:,} pages came.")
        page = page_of(await fetch(checked(url)))
        if page.next_link:
            checked(page.next_link)
            if _mark(page.next_link) in seen:
                raise AnswerUnusable("The list does not end.", "A page names one that came before as the next.")
        yield page
        url = page.next_link


def page_of(answer: Mapping[str, Any]) -> Page:
    """What stands in one answer of a list; null stands for an empty one.

    Raises:
        AnswerUnusable: it is no list of objects.
    """
    value, link = answer.get("value"), answer.get(NEXT_LINK)
    items = [] if value is None else value
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise AnswerUnusable("The answer holds no list.", "Its member 'value' is not a list of objects.")
    if link is not None and not isinstance(link, str):
        raise AnswerUnusable("The answer's link to the next page is not a text.")
    return Page(tuple(items), link or "")


def _mark(url: str) -> bytes:
    return blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).digest()
