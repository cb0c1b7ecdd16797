"""How hard to press the service: how many requests at once, when a request may be repeated, and after what wait.

`client` asks it around each attempt. The decisions are pure; only `Pace` keeps anything, and it contacts nobody.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct

_UNCERTAIN = frozenset({408, 500, 502, 503, 504})
_SLOW_DOWN = frozenset({429, 509})


class Limits(Struct, frozen=True):
    """Bounds of one client. Times in seconds, sizes in bytes."""

    attempts: int = 8
    """How often one request is sent at the most."""
    first_wait: float = 1.0
    """The longest first wait when the service names none; it doubles from there."""
    longest_wait: float = 180.0
    """A single wait beyond this is not sat out: the caller learns when to come back."""
    total_wait: float = 600.0
    """All waits of one request together."""
    connect_seconds: float = 15.0
    silence_seconds: float = 120.0
    """Without a byte from the service for so long, the answer is lost."""
    answer_seconds: float = 300.0
    """A whole answer takes no longer, however steadily it drips."""
    concurrency: int = 4
    """Requests at once in the beginning."""
    most_at_once: int = 16
    answer_bytes: int = 64 << 20
    pages: int = 100_000


class Lost(Struct, frozen=True):
    """An attempt without an answer."""

    reason: str
    sent: bool
    """The request may have reached the service. False: certainly not."""
    hopeless: bool = False
    """Trying again cannot help, as with a certificate that is not trusted."""


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or as an HTTP date; None without a usable one."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    if said.isascii() and said.replace(".", "", 1).isdigit() and len(said) <= 12:
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def backoff(attempt: int, limits: Limits, rng: random.Random) -> float:
    """A wait between nothing and a bound that doubles with each attempt: full jitter, so that clients drift apart."""
    return rng.uniform(0.0, min(limits.longest_wait, limits.first_wait * 2.0 ** min(attempt, 30)))


def may_repeat(status: int, repeatable: bool) -> bool:
    """Whether a request with this answer may be sent again.

    429 and 424 say that nothing was done. After a fault of the service the outcome is unknown: only what does no harm
    when done twice is repeated.
    """
    return status in _SLOW_DOWN or status == 424 or (repeatable and status in _UNCERTAIN)


def is_throttled(status: int) -> bool:
    return status in _SLOW_DOWN


def outcome_unknown(status: int) -> bool:
    """Whether the service may have carried a request out although it answered so."""
    return status in _UNCERTAIN


def wait_for(asked: float | None, *, attempt: int, waited: float, limits: Limits, rng: random.Random) -> float | None:
    """The seconds to wait before the next attempt; None when there is none any more.

    `asked` is what the service asked for, `attempt` counts from 1, `waited` is what this request has waited so far.
    """
    if attempt >= limits.attempts:
        return None
    # Zero is answered with a short wait of our own: a service in trouble is not asked in a tight loop.
    wait = asked if asked else backoff(attempt - 1, limits, rng)
    if wait > limits.longest_wait or waited + wait > limits.total_wait:
        return None
    return wait


class Pace:
    """How many requests may run at once: halved by a refusal, grown by one for each full round that went well.

    It also keeps the moment before which nothing is sent, as a `Retry-After` concerns all requests of the client.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = max(1, limits.most_at_once)
        self._allowed = float(min(max(1, limits.concurrency), self._most))
        self._running = 0
        self._round = 0
        self._free = asyncio.Condition()
        self.quiet_until: datetime | None = None

    @property
    def allowed(self) -> int:
        """Requests at once, now."""
        return int(self._allowed)

    @property
    def round(self) -> int:
        """Requests of one round that are refused count as one refusal."""
        return self._round

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """Wait for a free place; yields the round, which `refused` wants back."""
        async with self._free:
            await self._free.wait_for(lambda: self._running < self.allowed)
            self._running += 1
        try:
            yield self._round
        finally:
            self._running -= 1
            async with self._free:
                self._free.notify_all()

    def went_well(self, headers: Mapping[str, str]) -> None:
        """An answer came; `x-ms-throttle-limit-percentage` (0.8 to 1.8 of the limit) holds growth or takes back."""
        used = _share(headers.get("x-ms-throttle-limit-percentage", ""))
        if used >= 1.0:
            self._allowed = max(1.0, self._allowed - 1.0)
        elif used < 0.8:
            self._allowed = min(float(self._most), self._allowed + 1.0 / max(1.0, self._allowed))

    def refused(self, round_: int, until: datetime | None) -> None:
        """The service said 429. Those that were under way together count as one refusal."""
        if until is not None and (self.quiet_until is None or until > self.quiet_until):
            self.quiet_until = until
        if round_ == self._round:
            self._round += 1
            self._allowed = max(1.0, self._allowed / 2)

    def quiet_for(self, now: datetime) -> float:
        """Seconds in which nothing should be sent."""
        if self.quiet_until is None:
            return 0.0
        left = (self.quiet_until - now).total_seconds()
        if left <= 0:
            self.quiet_until = None
        return max(0.0, left)


def _share(said: str) -> float:
    try:
        share = float(said)
    except ValueError:
        return 0.0
    return share if 0.0 <= share < 100.0 else 0.0
