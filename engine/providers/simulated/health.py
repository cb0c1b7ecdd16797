"""How a simulated device fares after patching: crashes, restarts, overheads. Pure; the provider passes it on.

Daily life has its own few crashes, so that an anomaly has to stand out from them. Judges nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.providers.base import HealthSignals
from engine.providers.simulated.draws import between, share, words
from engine.providers.simulated.faults import Faults

_DAY = 24.0
_CRASH_SHARE, _RESTART_SHARE, _SERVICE_SHARE = 0.012, 0.004, 0.02
"""Devices with one such event in an ordinary day."""


def health(
    external_id: str, kb: int | None, installed_at: datetime | None, now: datetime, *, seed: int, faults: Faults
) -> HealthSignals:
    """The last 24 hours of a device whose latest release is `kb`; None where no release of interest is on it."""
    daily = words(f"{seed}/day/{external_id}/{now.date()}")
    crashes = int(share(daily[0]) < _CRASH_SHARE)
    restarts = int(share(daily[1]) < _RESTART_SHARE)
    failures = int(share(daily[2]) < _SERVICE_SHARE)
    cpu, memory = (share(daily[3]) - 0.5) * 0.02, (share(daily[4]) - 0.5) * 0.016
    if kb is not None and installed_at is not None and kb in faults.crashing_kbs:
        hours = min((now - installed_at) / timedelta(hours=1), _DAY)
        own = words(f"{seed}/suffers/{external_id}/{kb}")
        onset = 1 + share(own[1]) * 4
        if share(own[0]) < faults.crashing_share and hours > onset:
            suffered = hours / _DAY
            crashes += 1 + int(between(3, 8, own[2]) * suffered)
            restarts += int(between(2, 5, own[3]) * suffered + 0.5)
            failures += int(between(2, 6, own[4]) * suffered + 0.5)
            cpu += 0.04 + share(own[5]) * 0.08
            memory += 0.03 + share(own[6]) * 0.07
    return HealthSignals(crashes, restarts, failures, round(cpu, 4), round(memory, 4))
