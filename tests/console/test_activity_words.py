"""Activity without a screen: what a filter matches, and a record or an install in words."""

from __future__ import annotations

import json

import pytest

from console import activity_filter
from console.columns import ACTIVE
from console.screens.activity import filter_mistake, suggestions
from console.widgets.activity_text import audit_record, audit_text, command_of, install_text
from console.widgets.paragraphs import unwrapped
from engine.model.errors import BadInput
from tests.console.activity_records import NOW, active, audit


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", (True, True)),
        ("lon-lt", (True, False)),
        ("kb5089466", (True, True)),
        ("kb:5089466 ring:fast", (True, False)),
        ("KB:KB5089466", (True, True)),
        ("by:maria", (True, True)),
        ("who:keller action:approve", (False, True)),
        ("state:drain", (True, False)),
        ("why:CHG0042118", (False, True)),
        ('why:"change chg"', (False, True)),
        ("device:ber-dt-0003", (False, True)),
        ("-device:lon", (False, True)),
        ("at:2026-05-13", (True, True)),
        ("-", (True, True)),
        ("-lon", (False, True)),
    ],
)
def test_what_a_filter_matches(text: str, matches: tuple[bool, bool]) -> None:
    found = activity_filter.parse(text)
    assert (activity_filter.matches(found, active()), activity_filter.matches(found, audit())) == matches


def test_wrong_filters() -> None:
    with pytest.raises(BadInput, match="colour"):
        activity_filter.parse("colour:red")
    assert "says nothing yet" in filter_mistake("ring:")
    assert filter_mistake("ring:fast") == ""


def test_suggestions_are_fields() -> None:
    assert [each.text for each in suggestions("ring:fast -de")] == ["ring:fast -device:"]
    assert [each.label for each in suggestions("a")] == ["action:", "at:"]
    assert suggestions("ring:f") == ()
    assert suggestions("") == ()


def test_the_record_in_words() -> None:
    text = unwrapped(audit_text(audit()))
    for part in ("Wed 13 May 2026 09:00 UTC", "jump01 console", "restarts   none", "2 devices: They are not ready."):
        assert part in text
    assert "1. Ring Test: at once; 4 devices." in text
    assert "record 12  0123456789abcdef" in text
    assert command_of(audit(details={})) == ""
    assert json.loads(json.dumps(audit_record(audit())))["kb"] == "KB5089466"


def test_strange_details_are_shown_as_they_are() -> None:
    odd = {"steps": "none", "left_out": [3], "gate": ["a", "b"], "before": {"deferral_days": 1}, "empty": [], "n": 0}
    text = unwrapped(audit_text(audit(details=odd, kb=None, rings=(), devices=0)))
    assert "gate       a, b" in text
    assert "Before\ndeferral days  1" in text
    assert "empty" not in text


def test_an_install_in_words() -> None:
    text = unwrapped(install_text(active(), NOW))
    for part in ("LON-LT-0042", "drain old calls", "━━━━━━━━━━━━━━────── 74%", "maria.keller", "in 2 min"):
        assert part in text


def test_text_from_data_cannot_colour_or_break_the_screen() -> None:
    hostile = "[red]x[/] \x1b[2J\u202e\nnext"
    for paras in (
        audit_text(audit(summary=hostile, reason=hostile, details={"command": hostile, hostile: hostile})),
        install_text(active(device_name=hostile, stage=hostile), NOW),
    ):
        for each in paras:
            assert not {"\x1b", "\u202e", "\n"} & set(each.plain)


def test_every_column_of_the_work_says_something() -> None:
    for column in ACTIVE:
        assert column.cell(active(), NOW).text
