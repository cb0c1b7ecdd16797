"""One request to Graph with all its attempts: signed, paced, repeated where that does no harm, failures typed.

`client` and `batching` call it. It sends a token to the configured address alone, and none into an error or a log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, Protocol, runtime_checkable
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from engine.model.errors import SignInNeeded
from engine.providers.graph import pacing
from engine.providers.graph.addresses import Addresses, shown, shown_path
from engine.providers.graph.answers import (
    Answer,
    AnswerUnusable,
    GraphError,
    GraphUnreachable,
    Said,
    error_of,
    plain,
    read_error,
    throttled,
    without,
)
from engine.providers.graph.challenges import claims_in
from engine.providers.graph.pacing import Limits, Lost, Pace
from engine.providers.graph.tokens import KnowsRemedy
from engine.providers.graph.wire import AttemptLost, Raw, TooLong, Wire

if TYPE_CHECKING:
    import httpx

    from engine.providers.graph.tokens import TokenSource

_LOG = logging.getLogger("hotpatch.graph")
_HARMLESS_TWICE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_LONGEST_ASKED = 30 * 86400.0
_REDIRECTS = 3


def utc_now() -> datetime:
    return datetime.now(UTC)


@runtime_checkable
class RenewsTokens(Protocol):
    """A token source that can give another token in place of one that the service refused before its time."""

    async def renewed(self, *, write: bool = False) -> str: ...


class Call(Struct, frozen=True):
    """One request, whole, whatever number of attempts it takes."""

    method: str
    url: str
    body: Any = None
    headers: Mapping[str, str] | None = None
    write: bool = False
    """It changes something: signed with the token for changes."""
    repeatable: bool | None = None
    """Doing it twice does no harm; None: as its method promises (PATCH and POST promise nothing)."""

    @property
    def place(self) -> str:
        """Method and path for people."""
        return f"{self.method} {shown_path(self.url)}"

    @property
    def logged(self) -> str:
        """Method, path and query for logs: without values of the query that might be secret."""
        return f"{self.method} {shown(self.url)}"

    @property
    def is_repeatable(self) -> bool:
        return self.method in _HARMLESS_TWICE if self.repeatable is None else self.repeatable


class Caller:
    """Carries out calls; shared by all who use one client."""

    def __init__(
        self,
        addresses: Addresses,
        tokens: TokenSource,
        limits: Limits,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.limits = limits
        self.pace = Pace(limits)
        self.addresses = addresses
        self._tokens = tokens
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._now = now
        self._wire = Wire(limits, transport)
        self._secrets: tuple[str, ...] = ()

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def call(self, call: Call) -> Answer:
        """Send a request until it has an answer, an error that stays, or no attempts left.

        Raises:
            ProviderError: one of `answers`, or what the token source raises.
        """
        url = self.addresses.checked(call.url)
        content = _content(call.body)
        token = await self._token(call.write, "", renew=False)
        attempt, waited, signed, redirects, uncertain = 0, 0.0, 0, 0, False
        while True:
            attempt += 1
            own = str(uuid.uuid4())
            raw = await self._attempt(call, url, content, token, own)
            if isinstance(raw, Raw):
                if raw.status < 300:
                    return self._answer(call.place, raw, own)
                if raw.status < 400 and call.method == "GET" and redirects < _REDIRECTS and "location" in raw.headers:
                    redirects, attempt = redirects + 1, attempt - 1
                    url = self.addresses.checked(urljoin(url, raw.headers["location"]))
                    continue
                if signed < 2 and (fresh := await self._other_token(call.write, raw, token)):
                    signed, attempt, token = signed + 1, attempt - 1, fresh
                    continue
            uncertain = uncertain or _is_uncertain(raw)
            wait = self._wait_before_again(raw, attempt, waited, repeatable=call.is_repeatable)
            if wait is None:
                error = self._failure(call.place, raw, own)
                error.outcome_unknown = call.write and uncertain
                raise error
            waited += wait
            if not self._is_gated(raw):
                await self._sleep(wait)

    async def download(self, url: str, target: IO[bytes], limit: int) -> int:
        """Fetch a file from an address that carries its own key; no token goes with it. See `GraphClient.download`."""
        self.addresses.checked_file(url)
        place = f"the download from {urlsplit(url).hostname}"
        begin, attempt, waited = target.tell(), 0, 0.0
        while True:
            attempt += 1
            target.seek(begin)
            target.truncate()
            raw = await self._fetched(url, target, limit, place)
            if isinstance(raw, Raw) and raw.status == 200:
                return target.tell() - begin
            wait = self._wait_before_again(raw, attempt, waited, repeatable=True)
            if wait is None:
                raise self._failure(place, raw, "")
            waited += wait
            await self._sleep(wait)

    async def rest(self, seconds: float) -> None:
        """Wait for something that the service works on."""
        await self._sleep(seconds)

    async def throttled_part(self, parts: Sequence[Mapping[str, str]]) -> None:
        """Parts of a batch with these headers were refused with 429: all slows down, and waits as the longest says."""
        answers = [Raw(429, headers, b"") for headers in parts]
        longest = max(answers, key=lambda raw: self._asked(raw) or 0.0)
        self._heed(longest, self.pace.round)
        if not self._is_gated(longest):
            await self._sleep(pacing.backoff(0, self.limits, self._rng))

    def said(self, status: int, headers: Mapping[str, str], body: object, own: str) -> Said:
        """What an answer says about its failure, with every token that was sent taken out."""
        return read_error(status, headers, body, (headers.get("request-id", ""), own), self._secrets)

    # --- one attempt ------------------------------------------------------------------------------

    async def _attempt(self, call: Call, url: str, content: bytes | None, token: str, own: str) -> Raw | Lost:
        sent = {
            "Accept": "application/json",
            **(call.headers or {}),
            "Authorization": f"Bearer {token}",
            "client-request-id": own,
            "return-client-request-id": "true",
        }
        if content is not None:
            sent["Content-Type"] = "application/json"
        async with self.pace.turn() as round_:
            quiet = min(self.pace.quiet_for(self._now()), self.limits.longest_wait)
            if quiet:
                await self._sleep(quiet)
            begun = monotonic()
            outcome: Raw | Lost
            try:
                outcome = await self._wire.request(call.method, url, sent, content)
            except AttemptLost as lost:
                outcome = lost.lost
            except TooLong:
                most = self.limits.answer_bytes
                raise AnswerUnusable(f"The answer to {call.place} is too long.", f"More than {most:,} bytes.") from None
            self._heed(outcome, round_)
        self._note(call.logged, outcome, own, monotonic() - begun)
        return outcome

    async def _fetched(self, url: str, target: IO[bytes], limit: int, place: str) -> Raw | Lost:
        begun = monotonic()
        outcome: Raw | Lost
        try:
            outcome = await self._wire.fetch(url, target, limit)
        except AttemptLost as lost:
            outcome = lost.lost
        except TooLong:
            raise AnswerUnusable(f"What came by {place} is too long.", f"More than {limit:,} bytes.") from None
        self._note(f"GET {shown(url)}", outcome, "", monotonic() - begun)
        return outcome

    async def _token(self, write: bool, claims: str, *, renew: bool) -> str:
        if renew and not claims and isinstance(self._tokens, RenewsTokens):
            token = await self._tokens.renewed(write=write)
        else:
            token = await self._tokens.token(write=write, claims=claims)
        if token not in self._secrets:
            self._secrets = (*self._secrets[-7:], token)
        return token

    async def _other_token(self, write: bool, raw: Raw, refused: str) -> str:
        """Another token in place of one that was refused, as the service demands it; "" when there is none."""
        claims = claims_in(raw.headers.get("www-authenticate", ""))
        if raw.status != 401 and not (raw.status == 403 and claims):
            return ""
        fresh = await self._token(write, claims, renew=True)
        return "" if fresh == refused else fresh

    # --- what follows from an attempt -------------------------------------------------------------

    def _heed(self, outcome: Raw | Lost, round_: int) -> None:
        """Tell the pace how it went."""
        if isinstance(outcome, Lost):
            return
        if not pacing.is_throttled(outcome.status):
            self.pace.went_well(outcome.headers)
            return
        asked = self._asked(outcome)
        sat_out = asked is not None and asked <= self.limits.longest_wait
        self.pace.refused(round_, self._now() + timedelta(seconds=asked) if asked and sat_out else None)

    def _asked(self, raw: Raw) -> float | None:
        asked = pacing.retry_after(raw.headers, self._now())
        return asked if asked is None else min(asked, _LONGEST_ASKED)

    def _is_gated(self, raw: Raw | Lost) -> bool:
        """The wait is sat out by all requests together, before the next one is sent."""
        return isinstance(raw, Raw) and pacing.is_throttled(raw.status) and bool(self._asked(raw))

    def _wait_before_again(self, raw: Raw | Lost, attempt: int, waited: float, *, repeatable: bool) -> float | None:
        asked = None
        if isinstance(raw, Lost):
            if raw.hopeless or (raw.sent and not repeatable):
                return None
        elif pacing.may_repeat(raw.status, repeatable):
            asked = self._asked(raw)
        else:
            return None
        return pacing.wait_for(asked, attempt=attempt, waited=waited, limits=self.limits, rng=self._rng)

    def _failure(self, place: str, raw: Raw | Lost, own: str) -> GraphError:
        if isinstance(raw, Lost):
            return GraphUnreachable(
                f"Microsoft Graph gave no answer to {place}.",
                f"{raw.reason[0].upper()}{raw.reason[1:]}.",
                "Look at the network and the proxy (HTTPS_PROXY), then try again.",
                said=Said(client_request_id=own),
            )
        said = self.said(raw.status, raw.headers, raw.body, own)
        if pacing.is_throttled(raw.status):
            return throttled(place, said, self._now() + timedelta(seconds=self._asked(raw) or self.limits.longest_wait))
        error = error_of(place, said)
        if isinstance(error, SignInNeeded) and isinstance(self._tokens, KnowsRemedy):
            error.instead = self._tokens.remedy
        return error

    def _answer(self, place: str, raw: Raw, own: str) -> Answer:
        """The result; a body that is no JSON, as a proxy's page, is an error although its status says otherwise."""
        request_id = self._request_id(raw)
        if not raw.body.strip():
            return Answer(raw.status, None, raw.headers, request_id, own)
        try:
            return Answer(raw.status, json.loads(raw.body), raw.headers, request_id, own)
        except (ValueError, RecursionError):
            said = self.said(raw.status, raw.headers, raw.body[:20_000], own)
            raise AnswerUnusable(f"The answer to {place} is no JSON.", said.in_words(), said=said) from None

    def _note(self, place: str, outcome: Raw | Lost, own: str, seconds: float) -> None:
        """One line for `--debug`: never a header, a body, or a value of a query that may be secret."""
        if not _LOG.isEnabledFor(logging.DEBUG):
            return
        if isinstance(outcome, Lost):
            result, request_id = outcome.reason, ""
        else:
            result, request_id = str(outcome.status), self._request_id(outcome)
        _LOG.debug("%s -> %s in %.3f s, request-id %s, client-request-id %s", place, result, seconds, request_id, own)

    def _request_id(self, raw: Raw) -> str:
        return plain(without(raw.headers.get("request-id", ""), self._secrets), 80)


def _content(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body, separators=(",", ":")).encode()


def _is_uncertain(raw: Raw | Lost) -> bool:
    return raw.sent if isinstance(raw, Lost) else pacing.outcome_unknown(raw.status)
