"""The provider of demos and tests: devices that exist only as scripts. The runner calls it like any other.

It keeps nothing: what it tells follows from the order, the seed and the time, so a process that is killed and the
one that takes over tell the same life.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from engine.model.model import DeviceFacts, InstallState
from engine.model.sample import SampleDevice
from engine.providers.base import Capabilities, CheckIn, HealthSignals, InstallReport, Order
from engine.providers.simulated.faults import Faults
from engine.providers.simulated.health import health
from engine.providers.simulated.presence import check_in_at
from engine.providers.simulated.sample import DEMO_SEED
from engine.providers.simulated.script import script

_ORDER_OF_STATES = (
    InstallState.QUEUED,
    InstallState.OFFERED,
    InstallState.DOWNLOADING,
    InstallState.INSTALLING,
    InstallState.UNINSTALLING,
    InstallState.RESTART_PENDING,
    InstallState.VERIFYING,
)
_RANK = {state: rank for rank, state in enumerate(_ORDER_OF_STATES)}
_MOVING = (InstallState.DOWNLOADING, InstallState.INSTALLING, InstallState.UNINSTALLING, InstallState.VERIFYING)
"""States in which progress grows between two steps."""


class SimulatedProvider:
    """Carries out orders on devices that are only simulated."""

    def __init__(
        self,
        seed: int = DEMO_SEED,
        faults: Faults | None = None,
        fleet: Callable[[], Iterable[SampleDevice]] | None = None,
    ) -> None:
        self._seed = seed
        self._faults = faults or Faults()
        self._fleet = fleet

    @property
    def name(self) -> str:
        return "simulated"

    def capabilities(self) -> Capabilities:
        return Capabilities(
            install_now=True,
            uninstall_device=True,
            reports_progress=True,
            reports_health=True,
            note="Simulated devices: nothing happens outside this program.",
        )

    async def devices(self, since: datetime | None) -> AsyncIterator[CheckIn]:
        """The fleet as it was made, for `since` None; afterwards nothing, because reports tell all that changes."""
        if since is None and self._fleet is not None:
            for device in self._fleet():
                yield CheckIn(device.external_id, device.facts)

    async def report(self, orders: Sequence[Order], now: datetime) -> Sequence[InstallReport]:
        """Every step up to `now` that the orders do not know yet, in the order of time."""
        found = [step for order in orders for step in self._news(order, now)]
        return sorted(found, key=lambda step: step.at)

    def health(
        self, external_id: str, facts: DeviceFacts, kb: int | None, installed_at: datetime | None, now: datetime
    ) -> HealthSignals | None:
        """How a device fared in the last 24 hours, given the release it runs; None when it has not been heard of."""
        seen_at = facts.last_seen_at
        if seen_at is None or (now - check_in_at(external_id, seen_at, now)).days > 1:
            return None
        return health(external_id, kb, installed_at, now, seed=self._seed, faults=self._faults)

    def _news(self, order: Order, now: datetime) -> Sequence[InstallReport]:
        life = script(order, self._seed, self._faults)
        known = _position(life, order)
        news = [step for step in life[known + 1 :] if step.at <= now]
        return news or [_present(life, known, order, now)]


def _position(life: Sequence[InstallReport], order: Order) -> int:
    """The step that the order knows last, -1 for none.

    Facts can change under an install and with them its script; then the order stands after the last step that is not
    beyond its state, from where every later step is legal.
    """
    for index, step in enumerate(life):
        if step.state is order.state and step.stage == order.stage:
            return index
    if order.state is InstallState.QUEUED:
        return -1
    rank = _RANK.get(order.state, len(_RANK))
    return max((index for index, step in enumerate(life[:-1]) if _RANK[step.state] <= rank), default=-1)


def _present(life: Sequence[InstallReport], known: int, order: Order, now: datetime) -> InstallReport:
    """The state that the order knows, with what has moved inside it and when the next step comes."""
    if known + 1 >= len(life):
        return replace(life[-1], at=now)
    later = life[known + 1]
    if known < 0:
        return InstallReport(order.install_id, now, order.state, order.stage, 0, later.at)
    step = life[known]
    progress = step.progress
    span = (later.at - step.at).total_seconds()
    if step.state in _MOVING and span > 0:
        # The next step's progress is reached by that step only.
        room = max(later.progress - step.progress - 1, 0)
        progress += int(room * min(max((now - step.at).total_seconds() / span, 0.0), 1.0))
    return InstallReport(order.install_id, now, order.state, order.stage, progress, later.at)
