"""What the overview says, from records alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.overview_sums import (
    block_standing,
    causes,
    commonest_reasons,
    funnel,
    release_blocks,
    restarts,
    ring_standing,
    windows,
)
from console.text import Tone
from engine.catalog.calendar import MonthPlan, MonthState
from engine.model.build import OsBuild, Platform
from engine.model.filters import parse
from engine.model.model import DeviceState, Gate, ReleaseKind, Ring, Track, Verdict
from engine.model.records.fleet import Compliance, Count, GateCondition, ReasonCount, RingBefore, RingProgress
from engine.rules.failures import FailedInstall, cause_standings, group_failures

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
W11, W11_25, SERVER = Platform.WIN11_24H2, Platform.WIN11_25H2, Platform.SERVER_2025


def count(devices: int, **changes: Any) -> Count:
    facts: dict[str, Any] = {
        "ring": "Fast",
        "platform": W11,
        "verdict": Verdict.READY,
        "state": DeviceState.IDLE,
        "eligible": True,
        "enrolled": True,
        "track": Track.HOTPATCH,
        "protected": True,
        "devices": devices,
    }
    return Count(**{**facts, **changes})


def progress(name: str = "Test", position: int = 1, **changes: Any) -> RingProgress:
    facts: dict[str, Any] = {
        "ring": Ring(position, name, position, 1, 2, 1, 0, Gate()),
        "kb": 5089466,
        "devices": 10,
        "installed": 0,
        "failed": 0,
        "active": 0,
        "not_ready": 2,
        "pending": 8,
        "approved": True,
        "opens_at": NOW - timedelta(hours=1),
        "opened_at": NOW,
        "stopped": "",
        "waits_for": "",
        "gate": (GateCondition("failed", "at most 10%", "0% (0 of 0)", True),),
    }
    return RingProgress(**{**facts, **changes})


def plan(platform: Platform, month: str, published: ReleaseKind | None, kb: int | None = None) -> MonthPlan:
    planned = ReleaseKind.BASELINE if month[-2:] in ("01", "04", "07", "10") else ReleaseKind.HOTPATCH
    return MonthPlan(
        platform=platform,
        month=month,
        planned=planned,
        published=published,
        patch_tuesday=date(2026, int(month[-2:]), 12),
        state=MonthState.PUBLISHED if published else MonthState.FORECAST,
        restart=not (published or planned).is_hotpatch,
        kb=kb,
        build=OsBuild(26100, 1),
        lcu=None,
        out_of_band=(),
        provisional=False,
        source="a test",
    )


# --- funnel -----------------------------------------------------------------------------------------


def test_each_step_of_the_funnel_is_a_part_of_the_one_before() -> None:
    steps = funnel(
        [
            count(70),
            count(10, verdict=Verdict.NOT_READY),
            count(5, enrolled=False, verdict=Verdict.NOT_READY),
            count(3, enrolled=None, verdict=Verdict.UNKNOWN),
            count(8, eligible=False, verdict=Verdict.NOT_READY),
            count(4, eligible=None, verdict=Verdict.UNKNOWN),
        ]
    )
    assert [(step.name, step.devices, step.lost) for step in steps] == [
        ("devices", 100, 0),
        ("eligible", 88, 12),
        ("enrolled", 80, 8),
        ("ready", 70, 10),
    ]


def test_the_filters_of_the_funnel_are_filters() -> None:
    for step in funnel([count(1)]):
        parse(step.filter)


def test_no_devices_make_an_empty_funnel() -> None:
    assert [step.devices for step in funnel([])] == [0, 0, 0, 0]


def test_a_device_with_two_reasons_counts_at_each() -> None:
    found = commonest_reasons(
        [ReasonCount(("vbs",), 20), ReasonCount(("vbs", "baseline"), 5), ReasonCount(("stale?",), 7)]
    )
    assert [(each.words, each.devices, each.is_unknown) for each in found] == [
        ("VBS off", 25, False),
        ("not seen lately", 7, True),
        ("behind baseline", 5, False),
    ]
    for each in found:
        parse(each.filter)


# --- rings ------------------------------------------------------------------------------------------


def test_releases_come_with_kind_and_platforms_the_largest_first() -> None:
    blocks = release_blocks(
        [progress(kb=1, devices=3), progress(kb=2, devices=9), progress("First", 2, kb=2, devices=8)],
        [
            plan(W11, "2026-05", ReleaseKind.HOTPATCH, 2),
            plan(W11_25, "2026-05", ReleaseKind.HOTPATCH, 2),
            plan(SERVER, "2026-05", ReleaseKind.UNPLANNED_BASELINE, 1),
        ],
    )
    assert [(block.kb, block.kind, block.platforms, block.devices) for block in blocks] == [
        (2, ReleaseKind.HOTPATCH, (W11, W11_25), 17),
        (1, ReleaseKind.UNPLANNED_BASELINE, (SERVER,), 3),
    ]


@given(st.lists(st.tuples(*[st.integers(0, 1000)] * 5), min_size=1, max_size=6))
def test_the_amounts_of_a_release_add_up(rings: list[tuple[int, int, int, int, int]]) -> None:
    rows = [
        progress(
            f"R{place}",
            place,
            devices=sum(amounts),
            **dict(zip(("installed", "active", "failed", "pending", "not_ready"), amounts, strict=True)),
        )
        for place, amounts in enumerate(rings)
    ]
    (block,) = release_blocks(rows, [])
    assert sum(block.amounts()) == block.devices


@pytest.mark.parametrize(
    ("changes", "severity", "short"),
    [
        ({"devices": 0}, Tone.NONE, "no devices"),
        ({"stopped": "paused by maria: tickets"}, Tone.AT_RISK, "paused"),
        ({"approved": False, "opened_at": None, "waits_for": "approval"}, Tone.NONE, "not approved"),
        ({"opened_at": None, "opens_at": NOW + timedelta(days=5)}, Tone.DUE, "opens 18 May"),
        ({"opened_at": None, "behind": RingBefore("First")}, Tone.DUE, "after First"),
        ({"opened_at": None, "behind": RingBefore("gate: 2", "installed 20%")}, Tone.DUE, "gate of gate: 2"),
        ({"opened_at": None, "waits_for": "corp to take the approval"}, Tone.DUE, "corp to take the approval"),
        ({"opened_at": None}, Tone.DUE, "opens now"),
        (
            {"failed": 5, "gate": (GateCondition("failed", "at most 10%", "50% (5 of 10)", False),)},
            Tone.FAILED,
            "gate fails",
        ),
        ({"gate": (GateCondition("soak", "24 h", "3 h", False),), "failed": 1}, Tone.DUE, "under way"),
        ({"pending": 0}, Tone.OK, "done"),
        ({"pending": 0, "failed": 2}, Tone.AT_RISK, "done"),
    ],
)
def test_where_a_ring_stands(changes: dict[str, Any], severity: Tone, short: str) -> None:
    standing = ring_standing(progress(**changes), NOW)
    assert (standing.severity, standing.short) == (severity, short)
    assert standing.long


def test_a_release_says_the_worst_of_its_rings() -> None:
    fails = progress("Fast", 3, gate=(GateCondition("failed", "at most 10%", "50% (5 of 10)", False),))
    (block,) = release_blocks([progress(), fails], [])
    standing = block_standing(block, NOW)
    assert standing.severity is Tone.FAILED
    assert standing.long.startswith("Fast: gate fails")


def test_a_release_says_how_many_rings_are_open() -> None:
    waits = progress("Broad", 4, opened_at=None, opens_at=NOW + timedelta(days=2))
    (block,) = release_blocks([progress(), waits, progress("Last", 5, devices=0, opened_at=None)], [])
    assert block_standing(block, NOW).short == "1 of 2 open"
    (nobody,) = release_blocks([progress(approved=False, opened_at=None)], [])
    assert block_standing(nobody, NOW).short == "not approved"
    (done,) = release_blocks([progress(pending=0)], [])
    assert block_standing(done, NOW).severity is Tone.OK


# --- compliance, restarts, causes -------------------------------------------------------------------


def test_windows_know_when_they_end() -> None:
    released = datetime(2026, 5, 12, 17, tzinfo=UTC)
    found = windows(Compliance("2026-05", None, released, 100, 40, 10, 30, 40))
    assert [(each.name, each.within, each.is_running(NOW)) for each in found] == [
        ("24 h", 10, True),
        ("5 d", 30, True),
        ("3 wk", 40, True),
    ]
    later = released + timedelta(days=6)
    assert [each.is_running(later) for each in found] == [False, False, True]


def test_a_published_restart_goes_before_the_planned_ones() -> None:
    at = datetime(2026, 7, 14, 17, tzinfo=UTC)
    found = restarts(
        {
            W11: [
                plan(W11, "2026-05", ReleaseKind.HOTPATCH, 1),
                plan(W11, "2026-06", ReleaseKind.UNPLANNED_BASELINE, 2),
                plan(W11, "2026-07", None),
            ],
            SERVER: [plan(SERVER, "2026-06", ReleaseKind.HOTPATCH, 3)],
        },
        {W11: at, SERVER: at},
    )
    assert [(each.kb, each.kind, each.platforms, each.is_planned) for each in found] == [
        (2, ReleaseKind.UNPLANNED_BASELINE, (W11,), False),
        (None, ReleaseKind.BASELINE, (W11, SERVER), True),
    ]


def test_a_restart_of_an_earlier_month_is_over() -> None:
    plans = [plan(W11, "2026-04", ReleaseKind.BASELINE, 1), plan(W11, "2026-05", ReleaseKind.HOTPATCH, 2)]
    assert restarts({W11: plans}, {}) == ()


def test_causes_count_devices_once_and_lead_to_all_their_codes() -> None:
    def failed(number: int, device: int, code: int) -> FailedInstall:
        return FailedInstall(number, device, f"PC-{device}", 1, code, NOW, 1, {})

    groups = group_failures(
        [failed(1, 1, 0x80073712), failed(2, 1, 0x800F0831), failed(3, 2, 0x80073712), failed(4, 3, 0x8024402C)], None
    )
    found = causes(cause_standings(groups))
    assert [(each.cause, each.devices) for each in found] == [("Component store", 2), ("Network", 1)]
    assert found[0].filter == "error:0x80073712,0x800F0831"
    parse(found[0].filter)
    assert found[0].remedy
    assert causes([]) == ()
