"""Why a device has not got a release, in words. Pure.

Forecasts and lists of late devices ask about one release: that it is not meant for the device comes before what goes
on. The compliance report asks about protection by whatever leads to it, and has it the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from engine.model.model import STALE_REASON, DeviceState, Verdict
from engine.rules.readiness import reason_words

UNDER_WAY_WORDS: Mapping[DeviceState, str] = {
    DeviceState.QUEUED: "waiting for its next scan",
    DeviceState.INSTALLING: "installing",
    DeviceState.UNINSTALLING: "being uninstalled",
    DeviceState.RESTART_PENDING: "restart pending",
}
"""What a device that something goes on with waits for."""
NOT_OFFERED = "not offered yet"


class Lacking(Protocol):
    """A device without a release."""

    @property
    def held(self) -> bool: ...

    @property
    def stale(self) -> bool: ...

    @property
    def verdict(self) -> Verdict: ...

    @property
    def reasons(self) -> tuple[str, ...]: ...

    @property
    def state(self) -> DeviceState: ...


def why_missing(device: Lacking, *, is_hotpatch: bool) -> str:
    """Why a device has not got a release; the same words group devices in a forecast."""
    if device.held:
        return "held off releases"
    if device.stale or STALE_REASON in device.reasons:
        return "not heard from"
    if is_hotpatch and device.verdict is Verdict.NOT_READY:
        return f"not ready: {', '.join(reason_words(each) for each in device.reasons)}; takes the LCU"
    if is_hotpatch and device.verdict is Verdict.UNKNOWN:
        return "readiness unknown; takes the LCU"
    if device.state is DeviceState.FAILED:
        return "an install failed"
    return UNDER_WAY_WORDS.get(device.state, NOT_OFFERED)
