"""Why devices are not ready, counted: the same as a full recount, and as what the filter finds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from engine import open_engine
from engine.model.records.fleet import DeviceQuery
from engine.rules.readiness import reason_words


def test_reasons_agree_with_a_recount(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        counted: Counter[tuple[str, ...]] = Counter()
        for row in engine.reads.devices.reasons():
            counted[tuple(reason_words(reason) for reason in row.reasons)] += row.devices
        recounted = Counter(row.reasons for row in engine.reads.devices.each(DeviceQuery("-readiness:ready")))
        assert counted == recounted
        assert sum(counted.values()) > 0


def test_reasons_come_the_commonest_first_and_agree_with_the_filter(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        rows = engine.reads.devices.reasons()
        assert [row.devices for row in rows] == sorted((row.devices for row in rows), reverse=True)
        with_vbs_off = sum(row.devices for row in rows if "vbs" in row.reasons)
        assert with_vbs_off == engine.reads.devices.total(DeviceQuery("reason:vbs"))
