"""The one way to Microsoft Graph: lists, single objects, reading POSTs, changes, batches, files.

Every reader and writer under `engine.providers.graph` goes through it. It knows no database, decides nothing about
the fleet, and sends a token to the configured address alone.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from engine.providers.graph.addresses import Addresses
from engine.providers.graph.answers import Answer, AnswerUnusable, Said, WritesOff
from engine.providers.graph.batching import Part, PartAnswer, run_batches
from engine.providers.graph.calling import Call, Caller, RenewsTokens, utc_now
from engine.providers.graph.pacing import Limits, Pace
from engine.providers.graph.paging import Page, walk

if TYPE_CHECKING:
    import httpx

    from engine.providers.graph.addresses import Service
    from engine.providers.graph.tokens import TokenSource

__all__ = ["BETA", "V1", "Answer", "GraphClient", "Limits", "Page", "Part", "PartAnswer", "RenewsTokens"]

BETA = "beta"
V1 = "v1.0"


class GraphClient:
    """One tenant's service. Close it, or use it with `async with`; tasks of one event loop may share it.

    `writes=False` refuses every change before anything is sent. `transport`, `sleep`, `rng` and `now` are for tests.
    """

    def __init__(
        self,
        config: Service,
        tokens: TokenSource,
        *,
        writes: bool,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
        now: Callable[[], datetime] = utc_now,
        limits: Limits | None = None,
    ) -> None:
        self.writes = writes
        self._addresses = Addresses(config)
        self._caller = Caller(
            self._addresses, tokens, limits or Limits(), transport=transport, sleep=sleep, rng=rng, now=now
        )

    async def __aenter__(self) -> GraphClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._caller.aclose()

    async def rest(self, seconds: float) -> None:
        """Wait as politely as between attempts."""
        await self._caller.rest(max(seconds, 0.0))

    @property
    def pace(self) -> Pace:
        """How many requests run at once, and until when the service wants quiet."""
        return self._caller.pace

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        version: str = BETA,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """One object, or the first page of a list.

        Raises:
            ProviderError: one of `answers`.
        """
        return await self._object(self._addresses.of(path, params, version), headers)

    def pages(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        version: str = BETA,
        headers: Mapping[str, str] | None = None,
        start: str = "",
    ) -> AsyncIterator[Page]:
        """Every page of a list. `start`: a `Page.next_link` kept from an earlier run, to go on from there.

        Raises:
            ProviderError: one of `answers`; a kept link that the service does not know any more is 400 or 410.
        """
        first = start or self._addresses.of(path, params, version)
        return walk(
            lambda url: self._object(url, headers), first, self._addresses.checked, most=self._caller.limits.pages
        )

    async def ask(
        self, path: str, body: Mapping[str, Any], *, version: str = BETA, headers: Mapping[str, str] | None = None
    ) -> Any:
        """A POST that only reads, as reports are asked for; the JSON value, also where it came as octet-stream.

        Raises:
            ProviderError: one of `answers`.
        """
        url = self._addresses.of(path, None, version)
        answer = await self._caller.call(Call("POST", url, body, headers, repeatable=True))
        return answer.body

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str = BETA,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        """A change. `repeatable`: doing it twice does no harm, so it may be sent again when an answer was lost;
        left out, PUT and DELETE are and POST and PATCH are not.

        Raises:
            WritesOff: the provider is read only; nothing was sent.
            ProviderError: one of `answers`; `GraphError.outcome_unknown` says when to read back first.
        """
        verb = method.upper()
        if not self.writes:
            raise WritesOff(verb, path)
        url = self._addresses.of(path, None, version)
        return await self._caller.call(Call(verb, url, body, headers, write=True, repeatable=repeatable))

    def batch(self, parts: Iterable[Part], *, version: str = BETA) -> AsyncIterator[PartAnswer]:
        """Many small requests, 20 in one; answers come in any order, each with its own status or error.

        `parts` is read as it is needed, so it may be endless. Parts that were throttled or met a fault are sent again
        one by one.

        Raises:
            WritesOff: a part would change something and the provider is read only; nothing of its batch was sent.
            ProviderError: a whole batch failed, or signing in did; the answers until then have been given.
        """
        return run_batches(self._caller, parts, version, writes=self.writes)

    async def download(self, url: str, target: IO[bytes], limit: int) -> int:
        """Fetch a file that the service named, without the token; its length in bytes.

        Attempts that break off begin anew, so `target` must be able to seek and truncate.

        Raises:
            AnswerUnusable: the address is neither https nor on this machine together with the service;
                or the file is longer than `limit` bytes.
            ProviderError: one of `answers`; an address that has expired is 403 or 404.
        """
        return await self._caller.download(url, target, limit)

    async def _object(self, url: str, headers: Mapping[str, str] | None) -> Mapping[str, Any]:
        answer = await self._caller.call(Call("GET", url, headers=headers))
        if isinstance(answer.body, Mapping):
            return answer.body
        said = Said(answer.status, request_id=answer.request_id, client_request_id=answer.client_request_id)
        raise AnswerUnusable(f"The answer to {Call('GET', url).place} is no object.", said.in_words(), said=said)
