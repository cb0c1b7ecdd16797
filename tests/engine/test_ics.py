"""The calendar as a file: accepted by calendar programs, updated and not doubled when imported again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

from icalendar import Calendar, Event
from msgspec.structs import replace

from engine.catalog import Catalog, load_bundled, load_month_facts
from engine.catalog.calendar import MonthPlan, year_plan
from engine.catalog.ics import calendar_ics
from engine.model.build import Platform

DEMO = datetime(2026, 5, 13, 9, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 21, tzinfo=UTC)


@cache
def bundled() -> Catalog:
    return load_bundled()


def plans(now: datetime, platform: Platform = Platform.WIN11_24H2) -> tuple[MonthPlan, ...]:
    return year_plan(platform, 2026, bundled().releases, now, load_month_facts())


def events(content: bytes) -> dict[str, Event]:
    found = [event for event in Calendar.from_ical(content).walk("VEVENT") if isinstance(event, Event)]
    by_id = {str(event["uid"]): event for event in found}
    assert len(by_id) == len(found)
    return by_id


def test_every_month_and_out_of_band_release_is_an_all_day_event() -> None:
    content = calendar_ics(plans(DEMO), DEMO)
    assert content.startswith(b"BEGIN:VCALENDAR\r\n")
    assert b"PRODID" in content
    assert b"VERSION:2.0" in content
    assert max(len(line) for line in content.split(b"\r\n")) <= 75
    found = events(content)
    may = found["win11-24h2-2026-05@hotpatch-console"]
    assert str(may["summary"]) == "Hotpatch, no restart: Windows 11 24H2 KB5089466"
    assert (may.start, may.end) == (date(2026, 5, 12), date(2026, 5, 13))
    assert str(may["status"]) == "CONFIRMED"
    assert "KB5089549" in str(may["description"])
    assert "win11-24h2-KB5084597@hotpatch-console" in found
    assert len(found) == 12 + 5


def test_a_forecast_is_tentative_and_becomes_a_fact_under_the_same_id() -> None:
    before = events(calendar_ics(plans(DEMO), DEMO))["win11-24h2-2026-06@hotpatch-console"]
    after = events(calendar_ics(plans(NOVEMBER), NOVEMBER))["win11-24h2-2026-06@hotpatch-console"]
    assert str(before["summary"]) == "Planned: Hotpatch, no restart: Windows 11 24H2"
    assert str(before["status"]) == "TENTATIVE"
    assert str(after["summary"]) == "Unplanned baseline, restart: Windows 11 24H2 KB5094126"
    assert str(after["status"]) == "CONFIRMED"
    assert "had planned: hotpatch" in str(after["description"])
    assert (before.decoded("sequence"), after.decoded("sequence")) == (0, 2)
    assert (before.decoded("dtstamp"), after.decoded("dtstamp")) == (DEMO, NOVEMBER)


def test_platforms_do_not_share_ids_and_second_hand_facts_say_so() -> None:
    both = (*plans(NOVEMBER), *plans(NOVEMBER, Platform.WIN11_25H2))
    found = events(calendar_ics(both, NOVEMBER))
    assert "win11-25h2-2026-08@hotpatch-console" in found
    assert "Second-hand" in str(found["win11-24h2-2026-08@hotpatch-console"]["description"])


def test_the_same_plans_make_the_same_file() -> None:
    assert calendar_ics(plans(DEMO), DEMO) == calendar_ics(plans(DEMO), DEMO)
    later = events(calendar_ics(plans(DEMO), DEMO + timedelta(hours=1)))
    assert set(later) == set(events(calendar_ics(plans(DEMO), DEMO)))


def test_hostile_text_from_a_source_stays_text() -> None:
    plan = replace(plans(DEMO)[4], source="x\x1b[2J\r\nBEGIN:VALARM\r\nACTION:AUDIO, a; b\u202e")
    content = calendar_ics([plan], DEMO)
    assert b"\x1b" not in content
    assert b"\r\nBEGIN:VALARM" not in content
    (event,) = events(content).values()
    assert not list(event.walk("VALARM"))
    assert "\u202e" not in str(event["description"])
