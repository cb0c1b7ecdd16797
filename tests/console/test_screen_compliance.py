"""The compliance screen: what it says, where it leads, how it looks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from console.screens.compliance import ComplianceScreen
from console.widgets.lead_list import LeadList
from engine import open_engine
from engine.model.errors import StateUnusable
from tests.console.driver import Desk, desk
from tests.console.pictures import SIZES, same_picture

LARGE = (160, 45)


def panel(d: Desk, name: str) -> LeadList:
    return d.screen.query_one(f"#{name}", LeadList)


def lines(d: Desk, name: str) -> list[str]:
    return [" ".join(lead.content.plain.split()) for lead in panel(d, name).leads]


async def open_it(d: Desk) -> None:
    panel(d, "compliance").focus()
    await d.press("g", "enter")
    assert isinstance(d.screen, ComplianceScreen)
    await d.idle()


@pytest.mark.parametrize("size", SIZES)
async def test_it_says_what_the_engine_says(demo_state: Path, size: tuple[int, int]) -> None:
    async with desk(demo_state, start="overview", size=size) as d:
        await open_it(d)
        with open_engine(demo_state) as engine:
            found = engine.reads.evidence.compliance_report()
        assert d.title_line().startswith(" Compliance › May 2026")
        months = lines(d, "releases")[1:]
        assert [line[:8] for line in months[:8]] == [
            *("May 2026", "Apr 2026", "Mar 2026", "Feb 2026", "Jan 2026", "Dec 2025", "Nov 2025", "Oct 2025")
        ]
        assert months[0].startswith("May 2026 500 <1 % ◐ <1 % ◐ <1 % ◐ <1 %")
        assert "still running" in months[-1]
        assert lines(d, "slices")[1].startswith("W11 24H2 265")
        shown = [line.split()[1] for line in lines(d, "offenders")[:10]]
        assert shown == [each.device_name for each in found.offenders[:10]]
        assert "all 499 unprotected devices" in lines(d, "offenders")[-1]
        assert len(lines(d, "drift")) == sum(1 for each in found.drift if each.behind)
        assert lines(d, "published")[0] == "Microsoft's own IT: 81 % in 24 h here 1 % in Apr 2026"
        assert all(len(line) <= size[0] for line in d.lines())


async def test_enter_chooses_a_month_and_its_curve(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=LARGE) as d:
        await open_it(d)
        await d.press("j", "enter")
        assert d.title_line().startswith(" Compliance › Apr 2026")
        assert d.shows("Protected after the release of Apr 2026", "KB5083769")
        assert lines(d, "slices")[1].startswith("W11 24H2 265 95 %")
        await d.press("escape")
        assert d.title_line().startswith(" Overview")


async def test_a_device_and_a_drift_lead_to_the_list(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=LARGE) as d:
        await open_it(d)
        panel(d, "offenders").focus()
        await d.press("g", "enter")
        assert d.title_line().startswith(" Devices")
        assert d.cursor().name == "BER-SRV-SQL02"
        await d.show("overview")
        await open_it(d)
        panel(d, "drift").focus()
        await d.press("g", "enter")
        assert d.title_line().startswith(" Devices › ring:First platform:win11-25h2 track:behind")


async def test_escape_goes_back_to_the_months_then_to_the_overview_and_its_key_does_too(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=LARGE) as d:
        await open_it(d)
        await d.press("tab", "escape")
        assert cast(LeadList, d.app.focused).id == "releases"
        await d.press("escape")
        assert d.title_line().startswith(" Overview")
        await open_it(d)
        await d.press("1")
        assert d.title_line().startswith(" Overview")


async def test_the_palette_knows_it(demo_state: Path) -> None:
    async with desk(demo_state, start="devices") as d:
        await d.press("ctrl+p", *"compliance over")
        await d.idle()
        await d.press("enter")
        await d.idle()
        assert isinstance(d.screen, ComplianceScreen)
        await d.press("escape")
        assert d.title_line().startswith(" Devices")


async def test_it_follows_the_fleet(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=LARGE) as d:
        await open_it(d)
        assert lines(d, "releases")[1].startswith("May 2026 500 <1 % ◐ <1 %")
        await d.change(lambda engine: engine.demo and engine.demo.step(timedelta(days=1)))
        await d.until(lambda: "14 May" in d.title_line())
        await d.idle()
        assert lines(d, "releases")[1].startswith("May 2026 500")
        assert lines(d, "releases")[1].startswith("May 2026 500 <1 % <1 % ◐")


async def test_an_empty_fleet_and_a_failed_read_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "empty.db"
    open_engine(path, create=True).close()
    async with desk(path, start="overview") as d:
        d.app.show_compliance()
        await d.idle()
        assert d.shows("hotpatch import FILE")
    from engine.reads.evidence import EvidenceReads

    def fails(*_: object, **__: object) -> None:
        raise StateUnusable("The file is busy.", "", "Try again.")

    monkeypatch.setattr(EvidenceReads, "compliance_report", fails)
    async with desk(path, start="overview") as d:
        d.app.show_compliance()
        await d.idle()
        assert d.shows("The file is busy.", "Try again.")


@pytest.mark.parametrize("size", SIZES)
def test_picture(demo_state: Path, snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    keys = ("tab", "tab", "tab", "enter", "j", "enter")
    assert same_picture(snap_compare, demo_state, "overview", size, keys)
