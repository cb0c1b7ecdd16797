"""What the stages of a pull have in common: one page at a time, kept links that have gone stale, parts that fail.

`lists` and `batches` use it. Pure but for the one page it fetches.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, cast

from msgspec import Struct
from msgspec.structs import replace

from engine.model.errors import Denied, Gone, NotOffered, ProviderError
from engine.providers.graph.answers import AnswerUnusable, GraphError
from engine.providers.graph.client import Page
from engine.rules.tenants.inventory import Cursor, Pull, PullStage
from engine.store import Store

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient

NOT_FOR_US = (Denied, NotOffered, Gone)
"""What ends a stage without the pull: the tenant will not tell this, however often it is asked."""
MOST_RESTARTS = 3
_STALE = frozenset({400, 404, 410})
"""Statuses with which a kept link is refused when the service has forgotten it."""


class PullWork(Struct, frozen=True):
    """What a step works on."""

    store: Store
    client: GraphClient
    pull: Pull
    now: datetime
    waited: bool = False
    """The caller has sat out what the stage waits for, whatever the clock says."""

    @property
    def provider(self) -> str:
        return self.pull.provider

    @contextmanager
    def keeping(self, pull: Pull) -> Iterator[None]:
        """Keeps what was read together with how far the pull has come, or neither.

        Raises:
            LeaseHeld: another process has taken the pull over.
        """
        with self.store.transaction():
            self.store.tenant_pulls.move(pull, self.now)
            yield


async def one_page(pages: AsyncIterator[Page]) -> Page:
    """The first page; the walk ends with it."""
    async with aclosing(cast("AsyncGenerator[Page]", pages)) as walk:
        async for page in walk:
            return page
    return Page((), "")


def is_stale_link(error: ProviderError, cursor: Cursor) -> bool:
    """Whether the service has refused a link that was kept, so that the list must be walked anew."""
    return bool(cursor.next_link) and isinstance(error, GraphError) and error.status in _STALE


def behind_page(cursor: Cursor, page: Page) -> Cursor:
    """The cursor behind a page.

    Raises:
        AnswerUnusable: the pages go in a circle.
    """
    followed = cursor.followed(page.next_link)
    if followed is None:
        raise AnswerUnusable("The list does not end.", "Its pages lead back to one that came before.")
    return followed


def from_the_top(pull: Pull) -> Pull:
    """The stage, or the group within it, from its beginning."""
    anew = Cursor(group=pull.cursor.group, restarts=pull.cursor.restarts + 1)
    return replace(pull, cursor=anew)


def may_restart(pull: Pull) -> bool:
    return pull.cursor.restarts < MOST_RESTARTS


def without_stage(pull: Pull, error: ProviderError, then: PullStage | None = None) -> Pull:
    """The pull behind a stage that the tenant will not tell; the report says so."""
    noted = replace(pull, tally=pull.tally.with_fault(pull.stage, words_of(error)))
    return noted.at_next() if then is None else noted.at(then)


def words_of(error: ProviderError) -> str:
    return " ".join(part for part in (error.what, error.why) if part)
