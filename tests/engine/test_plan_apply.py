"""Who can be given a hotpatch by hand: the same devices as the rollout offers it to."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import DeviceState, Release, ReleaseKind, Verdict
from engine.rules.plans.apply import ReleaseFacts, obstacle_to_apply
from engine.rules.plans.candidates import Candidate
from engine.rules.rollout.offers import offered_in, takes

P = Platform.WIN11_24H2


def facts(kind: ReleaseKind) -> ReleaseFacts:
    at = datetime(2026, 5, 12, 17, tzinfo=UTC)
    build, x64 = OsBuild(26100, 8390), (Architecture.X64,)
    release = Release(5089466, P, kind, "2026-05", at, build, x64, kind.restart_required, "test")
    return ReleaseFacts(release.kb, {P: release}, {}, frozenset({1}), {1: "Test"}, lambda _: "")


def device(verdict: Verdict, state: DeviceState, *, held: bool) -> Candidate:
    build = OsBuild(26100, 8246)
    return Candidate(1, "PC-1", 1, P, Architecture.X64, build, verdict, ("vbs",), state, held, False, None)


@pytest.mark.parametrize("kind", [ReleaseKind.HOTPATCH, ReleaseKind.OOB_HOTPATCH])
def test_a_hotpatch_goes_by_hand_to_those_whom_the_rollout_offers_it(kind: ReleaseKind) -> None:
    for verdict, state, held in product(Verdict, DeviceState, (False, True)):
        offered = takes(kind, verdict, held_off=held) and state in offered_in(kind)
        found = obstacle_to_apply(device(verdict, state, held=held), facts(kind))
        assert (found is None) == offered, (verdict, state, held, found)


@pytest.mark.parametrize("kind", [ReleaseKind.BASELINE, ReleaseKind.LCU, ReleaseKind.OOB_LCU, ReleaseKind.COMPANION])
def test_anything_else_goes_by_hand_to_any_device_below_it(kind: ReleaseKind) -> None:
    for verdict, state, held in product(Verdict, DeviceState, (False, True)):
        assert obstacle_to_apply(device(verdict, state, held=held), facts(kind)) is None


def test_what_keeps_a_hotpatch_away_is_told_the_hold_first() -> None:
    why = {
        (held, verdict): found.why
        for held, verdict in product((False, True), Verdict)
        if (found := obstacle_to_apply(device(verdict, DeviceState.IDLE, held=held), facts(ReleaseKind.HOTPATCH)))
    }
    assert {words for (held, _), words in why.items() if held} == {"It is held off hotpatches."}
    assert why[False, Verdict.NOT_READY].startswith("It is not ready: ")
    assert why[False, Verdict.UNKNOWN].startswith("Its readiness is unknown: ")
