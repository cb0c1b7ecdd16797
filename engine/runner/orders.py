"""Hands due installs to their providers and writes down, step by step, what they report; the runner calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from engine.fleet.upkeep import assess_devices
from engine.model.build import OsBuild, Platform
from engine.model.errors import ProviderError
from engine.model.model import InstallAction, InstallState, Release
from engine.providers.base import InstallReport, Order, Provider
from engine.rules.rollout.installs import IllegalStep, check_step
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.devices import facts_of
from engine.store.installs import NewInstall
from engine.store.values import time_of

BATCH = 500
"""Installs a transaction: short enough that an operator's change never waits long for the file."""
_LOST_PATIENCE = timedelta(hours=1)


class _Due(Struct, frozen=True):
    """An order together with what the runner writes back with."""

    order: Order
    ring_id: int | None
    requested_by: str
    follow_up_kb: int | None
    provider: str


class Orders:
    """The installs that are due, and their providers."""

    def __init__(self, store: Store, providers: Mapping[str, Provider]) -> None:
        self._store = store
        self._providers = providers

    async def do_due(self, now: datetime) -> int:
        """Ask the providers about what is due and write down what they tell."""
        due = self._due(now)
        did = 0
        for name in dict.fromkeys(each.provider for each in due):
            mine = [each for each in due if each.provider == name]
            reports = await self._ask(name, mine, now)
            with self._store.transaction():
                did += self._write_back(mine, reports, now)
                self._store.state.count_change()
        return did

    def _due(self, now: datetime) -> list[_Due]:
        situation = Situation(self._store, now)
        releases = {(release.kb, release.platform): release for release in self._store.releases.releases()}
        windows = {ring.id: ring.window for ring in situation.rings}
        found = []
        for row in self._store.installs.due(now, BATCH):
            facts = facts_of(row)
            release = releases[row["kb"], Platform(row["release_platform"])]
            action = InstallAction(row["action"])
            order = Order(
                install_id=row["install_id"],
                device_id=row["device_id"],
                device=facts,
                release=release,
                action=action,
                attempt=row["attempt"],
                by_hand=bool(row["by_hand"]),
                requested_at=time_of(row["requested_at"]),
                state=InstallState(row["install_state"]),
                stage=row["stage"],
                window=windows.get(row["ring_id"]),
                result_build=release.build if action is InstallAction.APPLY else _baseline(situation, release),
            )
            found.append(_Due(order, row["install_ring_id"], row["requested_by"], row["follow_up_kb"], row["provider"]))
        return found

    async def _ask(self, name: str, due: Sequence[_Due], now: datetime) -> Sequence[InstallReport]:
        provider = self._providers.get(name)
        if provider is None:
            return ()
        try:
            return await provider.report([each.order for each in due], now)
        except ProviderError:
            # Nothing is lost: the installs stay due, and the next turn asks again.
            return ()

    def _write_back(self, due: Sequence[_Due], reports: Sequence[InstallReport], now: datetime) -> int:
        told: dict[int, list[InstallReport]] = {}
        for report in reports:
            told.setdefault(report.install_id, []).append(report)
        did = 0
        touched: list[int] = []
        changed: list[int] = []
        for each in due:
            steps = told.get(each.order.install_id, [])
            if not steps:
                self._store.installs.look_again(each.order.install_id, now + _LOST_PATIENCE)
                continue
            did += self._take_steps(each, steps, now)
            touched.append(each.order.device_id)
            if any(step.build is not None or step.state.is_final for step in steps):
                changed.append(each.order.device_id)
        self._store.installs.note_failures([each.order.install_id for each in due], now)
        self._store.installs.refresh_device_states(touched)
        assess_devices(self._store, Situation(self._store, now), changed)
        return did

    def _take_steps(self, due: _Due, steps: Sequence[InstallReport], now: datetime) -> int:
        order = due.order
        state = order.state
        for step in steps:
            try:
                check_step(state, step.state)
            except IllegalStep as error:
                self._fail(order, f"the provider's report made no sense: {error.what}", now)
                return 1
            state = step.state
            self._store.installs.record_step(
                order.install_id,
                state=step.state,
                stage=step.stage,
                progress=step.progress,
                at=step.at,
                next_at=step.next_at or now + _LOST_PATIENCE,
                error_code=step.error_code,
                build_after=step.build,
                restarted=step.boot_at is not None,
            )
            self._store.devices.set_after_step(
                order.device_id,
                build=step.build,
                boot_at=step.boot_at,
                restart_pending=_restart_pending(step),
                seen_at=step.at,
            )
        if state in (InstallState.SUCCEEDED, InstallState.UNINSTALLED):
            self._finish(due, steps[-1].at)
        return len(steps)

    def _finish(self, due: _Due, at: datetime) -> None:
        order = due.order
        self._store.installs.close_failures(order.device_id)
        if order.action is InstallAction.APPLY and order.release.kind.is_baseline:
            self._store.rollout.lift_baseline_hold(order.device_id, at)
        if order.action is InstallAction.UNINSTALL and due.follow_up_kb is not None:
            self._store.installs.queue(
                [
                    NewInstall(
                        device_id=order.device_id,
                        ring_id=due.ring_id,
                        kb=due.follow_up_kb,
                        platform=order.release.platform,
                        action=InstallAction.APPLY,
                        attempt=1,
                        by_hand=False,
                        requested_at=at,
                        requested_by=due.requested_by,
                        build_before=order.result_build,
                        follow_up_kb=None,
                        reason=f"follows the uninstall of {order.release.name}",
                    )
                ]
            )

    def _fail(self, order: Order, stage: str, now: datetime) -> None:
        self._store.installs.record_step(
            order.install_id,
            state=InstallState.FAILED,
            stage=stage,
            progress=0,
            at=now,
            next_at=None,
            error_code=None,
            build_after=None,
            restarted=False,
        )


def _restart_pending(step: InstallReport) -> bool | None:
    if step.state is InstallState.RESTART_PENDING:
        return True
    return False if step.boot_at is not None else None


def _baseline(situation: Situation, release: Release) -> OsBuild | None:
    """The build of the baseline that a hotpatch sits on: where an uninstall leads back to."""
    found = [
        each.build
        for each in situation.releases
        if each.platform is release.platform and each.kind.is_baseline and each.released_at <= release.released_at
    ]
    return found[-1] if found else None
