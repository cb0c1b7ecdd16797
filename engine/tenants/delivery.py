"""Delivers the outbox: sends what waits for tenants, keeps what they answer, and reads back whether they show it.

Commands call it after a change, and the runner each turn. Killed anywhere, the next delivery goes on: what may have
been sent before is read back before it is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from msgspec import Struct

from engine.model.errors import EngineError
from engine.model.tenants import Receipt, RequestState
from engine.situation.audit import record
from engine.store import Store

if TYPE_CHECKING:
    from engine.providers.base import Provider
    from engine.providers.graph.client import GraphClient
    from engine.providers.graph.requests import GraphReply, ReadBack

_AGAIN = (1, 2, 5, 10, 20, 30)
"""Minutes until a request that could not be sent is tried again, by the number of attempts; then every half hour."""
_LOOK = (0, 1, 5, 15, 60, 240, 720)
"""Minutes between looks whether the tenant shows what it has accepted; then nobody looks any more."""
_READ_BACK = 50


@runtime_checkable
class _Tenant(Protocol):
    """A provider that requests can be sent to."""

    writes: bool

    def open(self) -> AbstractAsyncContextManager[GraphClient]: ...


class Delivered(Struct, frozen=True):
    """What one delivery did."""

    did: int
    """Requests that were answered or read back."""
    next_at: datetime | None
    """When there will be more to do; None when nothing is open."""


class Delivery:
    """Sends the requests of one store."""

    def __init__(self, store: Store, providers: Mapping[str, Provider]) -> None:
        self._store = store
        self._providers = providers

    async def deliver(self, now: datetime, most: int = 600) -> Delivered:
        """Send what is due, to each tenant in the order of its requests and `most` at a time."""
        did = 0
        for name in self._store.tenant_requests.providers_due(now):
            did += await self._deliver_to(name, now, most)
        return Delivered(did, self.next_at(now))

    def next_at(self, now: datetime) -> datetime | None:
        """When something is to be sent, or read back."""
        return self._store.tenant_requests.next_at(now)

    async def _deliver_to(self, name: str, now: datetime, most: int) -> int:
        provider = self._providers.get(name)
        if not isinstance(provider, _Tenant) or not provider.writes:
            # A provider that was closed for writing meanwhile: what waits is sent when it is open again.
            return 0
        did = 0
        try:
            async with provider.open() as client:
                while did < most and (done := await self._next(name, client, now)) is not None:
                    did += 1
                    if not done:
                        break
                did += await self._read_back(name, client, now)
        except EngineError as error:
            return did + self._put_off(name, error, now)
        self._show(name, now)
        return did

    def _show(self, name: str, now: datetime) -> None:
        """What the tenant has accepted is shown on its devices; after a kill here the runner or the next pull does."""
        from engine.tenants.status import show

        with self._store.transaction():
            show(self._store, name, now)

    async def _next(self, name: str, client: GraphClient, now: datetime) -> bool | None:
        """Send the provider's next request; False when nothing else can be sent now, None when nothing waits."""
        from engine.providers.graph.requests import CREATED, makes_something, send_request

        with self._store.transaction():
            claimed = self._store.tenant_requests.claim(name, now)
        if claimed is None:
            return None
        receipt, uncertain = claimed
        needed = ""
        if CREATED in receipt.request.path:
            before = self._store.tenant_requests.before(receipt)
            if before is None or not before.created:
                words = "The request before it, which it builds on, was not done."
                self._keep(receipt, RequestState.REFUSED, now, said=words)
                return True
            needed = before.created
        if uncertain:
            done = await self._was_done_before(receipt, client, now)
            if done is not None:
                return done
        reply = await send_request(client, receipt.request, needed)
        if reply.status == 409 and makes_something(receipt.request):
            # Somebody else was quicker: what is there may be what was wanted.
            done = await self._was_done_before(receipt, client, now)
            if done is not None:
                return done
        if not self._take(receipt, reply, now):
            return False
        # Before the next one is sent: what that one changes would hide whether this one was done.
        for taken in self._store.tenant_requests.these([receipt.id]):
            if taken.state is RequestState.ACCEPTED:
                await self._look(taken, client, now)
        return True

    async def _was_done_before(self, receipt: Receipt, client: GraphClient, now: datetime) -> bool | None:
        """True when the tenant shows it already, None when it does not, False when it cannot be asked now."""
        from engine.providers.graph.requests import is_shown

        try:
            shown = await is_shown(client, receipt.request, "")
        except EngineError as error:
            self._wait(receipt, now, words_of(error), uncertain=True)
            return False
        if not shown.is_there:
            return None
        self._keep(receipt, RequestState.CONFIRMED, now, said="The tenant shows it already.", shown=shown)
        return True

    def _take(self, receipt: Receipt, reply: GraphReply, now: datetime) -> bool:
        from engine.providers.graph.requests import RequestAnswer

        match reply.told:
            case RequestAnswer.DONE:
                self._keep(receipt, RequestState.ACCEPTED, now, reply=reply)
            case RequestAnswer.REFUSED:
                self._keep(receipt, RequestState.REFUSED, now, reply=reply)
            case RequestAnswer.LATER | RequestAnswer.UNCERTAIN:
                uncertain = reply.told is RequestAnswer.UNCERTAIN
                self._wait(receipt, now, reply.said, uncertain=uncertain, not_before=reply.retry_at)
        return not reply.stops

    def _keep(
        self,
        receipt: Receipt,
        state: RequestState,
        now: datetime,
        *,
        reply: GraphReply | None = None,
        said: str = "",
        shown: ReadBack | None = None,
    ) -> None:
        """Write the answer down; a refusal has an audit record of its own."""
        created = (reply.created if reply else "") or (shown.id if shown else "")
        with self._store.transaction():
            kept = self._store.tenant_requests.answer(
                receipt.id,
                state,
                now,
                status=reply.status if reply else None,
                request_id_told=reply.request_id if reply else "",
                said=reply.said if reply else said,
                created=created,
                look_at=now if state is RequestState.ACCEPTED else None,
            )
            if not kept:
                return
            if state is not RequestState.REFUSED:
                self._store.tenant_requests.supersede(receipt)
            if shown is not None:
                self._note_done(receipt, now, shown)
            if state is RequestState.REFUSED:
                request = receipt.request
                record(
                    self._store,
                    now,
                    "request-refused",
                    f"{request.provider} refused: {request.why}",
                    kb=request.kb,
                    rings=request.rings,
                    reason=reply.said if reply else said,
                    details={"request": receipt.id, "status": reply.status if reply else None},
                )
            self._store.state.count_change()

    def _wait(
        self, receipt: Receipt, now: datetime, said: str, *, uncertain: bool, not_before: datetime | None = None
    ) -> None:
        again = now + timedelta(minutes=_AGAIN[min(receipt.attempts, len(_AGAIN)) - 1])
        with self._store.transaction():
            next_at = max(again, not_before) if not_before is not None else again
            self._store.tenant_requests.wait(receipt.id, next_at, said, uncertain=uncertain)
            self._store.state.count_change()

    def _put_off(self, name: str, error: EngineError, now: datetime) -> int:
        """The tenant could not be reached at all: everything for it waits."""
        with self._store.transaction():
            claimed = self._store.tenant_requests.claim(name, now)
        if claimed is not None:
            self._wait(claimed[0], now, words_of(error), uncertain=claimed[1])
        return 0

    # --- reading back -------------------------------------------------------------------------------

    async def _read_back(self, name: str, client: GraphClient, now: datetime) -> int:
        did = 0
        for receipt in self._store.tenant_requests.unconfirmed(name, now, _READ_BACK):
            shown = await self._look(receipt, client, now)
            if shown is None:
                break
            did += shown
        return did

    async def _look(self, receipt: Receipt, client: GraphClient, now: datetime) -> bool | None:
        """Whether the tenant shows what it has accepted; None when it could not be asked."""
        from engine.providers.graph.requests import is_shown

        requests = self._store.tenant_requests
        try:
            shown = await is_shown(client, receipt.request, receipt.created)
        except EngineError:
            with self._store.transaction():
                requests.look_again(receipt.id, now + timedelta(minutes=_LOOK[1]))
            return None
        with self._store.transaction():
            if shown.is_there:
                requests.confirm(receipt.id, now)
                self._note_done(receipt, now, shown)
            elif shown.is_there is None:
                # The service does not tell: that it took the request is all that can be known.
                requests.look_again(receipt.id, None)
                self._note_done(receipt, now, shown)
            else:
                looks = receipt.looks + 1
                next_at = now + timedelta(minutes=_LOOK[looks]) if looks < len(_LOOK) else None
                requests.look_again(receipt.id, next_at)
            self._store.state.count_change()
        return bool(shown.is_there)

    def _note_done(self, receipt: Receipt, now: datetime, shown: ReadBack) -> None:
        """What we know of the tenant moves on, before the next pull tells it."""
        from engine.situation.tenants import Tenancies
        from engine.tenants.rings import note_done

        told = Tenancies(self._store).told(receipt.request.provider)
        done = told.after(receipt.request, shown.id or receipt.created)
        note_done(self._store, told, done.paused_until(receipt.request.ring_key, shown.pause_expires_at), now)


def words_of(error: EngineError) -> str:
    """What went wrong, as the outbox keeps it."""
    return " ".join(part for part in (error.what, error.why) if part)
