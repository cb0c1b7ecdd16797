"""Whether a failed install may be tried again now, and if not, when or after what. Pure.

Plans and the rollout call it. The rule comes from the error knowledge; waits and limits are this project's judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from engine.model.causes import WAITS, RetryWorth
from engine.rules.failures.errorcodes import explain

RETRY_LIMITS: Mapping[RetryWorth, int] = {RetryWorth.YES: 5, RetryWorth.AFTER_FIX: 3, RetryWorth.NO: 1}
"""Attempts in all, the first included, after which a person must look at the device."""

_LONGEST_WAIT = timedelta(days=1)


class RetryDecision(Struct, frozen=True):
    """The answer to "may it be tried again now?"."""

    allowed: bool
    not_before: datetime | None
    """The earliest time for it; None where time alone changes nothing."""
    why: str
    """One or two sentences for people; contains no time of day."""
    needs: str = ""
    """What must be done first: ``the repair``, ``the restart``; "" for nothing."""


def retry_decision(
    code: int, attempts: int, last_failed_at: datetime, now: datetime, *, repaired: bool = False
) -> RetryDecision:
    """Judge one failed install by its code, the attempts made so far, and the last failure.

    The wait doubles with every attempt, up to a day. `repaired` is what a person says who retries by hand; the
    rollout, which cannot know, leaves it False and so never repeats what is sure to fail again.
    A failure that a device dates into the future counts as of now.
    """
    knowledge = explain(code)
    made = max(1, attempts)
    limit = RETRY_LIMITS[knowledge.retry]
    if knowledge.retry is RetryWorth.NO:
        return RetryDecision(False, None, f"It would end the same. {knowledge.remedy}")
    if made >= limit:
        return RetryDecision(False, None, f"It failed {made} times, {limit} is the limit. Escalate it.")
    if knowledge.retry is RetryWorth.AFTER_FIX and not repaired:
        return RetryDecision(
            False, None, f"It fails again before {knowledge.retry_after}. {knowledge.remedy}", knowledge.retry_after
        )
    failed_at = min(last_failed_at, now)
    not_before = failed_at + min(_LONGEST_WAIT, WAITS[knowledge.retry_after] * 2 ** min(made - 1, 10))
    if now < not_before:
        return RetryDecision(False, not_before, f"It failed {_times(made)}; the next try has to wait.")
    return RetryDecision(True, not_before, f"Try {made + 1} of {limit}.")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
