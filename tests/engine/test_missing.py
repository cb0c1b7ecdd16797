"""Why a device has not got a release: forecast, list of late devices and compliance report use the same words.

But for one that installs: scripts of 0.1 know it by two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.model.build import Platform
from engine.model.model import STALE_REASON, UNDER_WAY, DeviceState, Verdict
from engine.rules.evidence.compliance import Laggard, why_unprotected
from engine.rules.evidence.missing import UNDER_WAY_WORDS, why_missing
from engine.store.late import MissingRow

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
SEEN = NOW - timedelta(hours=1)
ALIKE = [each for each in DeviceState if each not in (DeviceState.INSTALLING, DeviceState.FAILED)]


def missing(state: DeviceState, verdict: Verdict = Verdict.READY, *reasons: str, held: bool = False) -> MissingRow:
    return MissingRow(1, "PC-1", "", "Test", verdict, reasons, state, held, False, SEEN, None)


def laggard(state: DeviceState) -> Laggard:
    device = (1, "PC-1", "", "Test", "", Platform.WIN11_24H2, None)
    return Laggard(*device, Verdict.READY, (), state, "", False, SEEN, None, None)


def test_whatever_goes_on_has_its_words() -> None:
    assert UNDER_WAY_WORDS.keys() == UNDER_WAY


@pytest.mark.parametrize("state", ALIKE)
def test_what_goes_on_is_told_alike(state: DeviceState) -> None:
    told = why_missing(missing(state), is_hotpatch=True)
    assert told == why_unprotected(laggard(state), NOW, is_hotpatch=True)
    assert told == UNDER_WAY_WORDS.get(state, "not offered yet")


def test_what_weighs_more_is_told_first() -> None:
    queued, not_ready = DeviceState.QUEUED, Verdict.NOT_READY
    words = [
        why_missing(missing(queued, not_ready, STALE_REASON, held=True), is_hotpatch=True),
        why_missing(missing(queued, not_ready, STALE_REASON), is_hotpatch=True),
        why_missing(missing(queued, not_ready, "vbs"), is_hotpatch=True),
        why_missing(missing(queued, Verdict.UNKNOWN, "vbs?"), is_hotpatch=True),
        why_missing(missing(queued, not_ready, "vbs"), is_hotpatch=False),
        why_missing(missing(DeviceState.FAILED), is_hotpatch=True),
    ]
    assert words == [
        "held off releases",
        "not heard from",
        "not ready: VBS off; takes the LCU",
        "readiness unknown; takes the LCU",
        "waiting for its next scan",
        "an install failed",
    ]
