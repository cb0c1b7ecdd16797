"""Hostile text, widths, numbers and times."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console import text
from console.reports import cells
from console.text import MARK, Tone
from engine.model.build import OsBuild

NOW = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)

HOSTILE = [
    "\x1b[2J",
    "\x1b]52;c;aGk=\x07",
    "\x9b31m",
    "a\x00b",
    "PC\u202e1234",
    "zero\u200bwidth",
    "joined\u200dup",
    "soft\u00adhyphen",
    "tag\U000e0041",
    "e" + "\u0301" * 40,
    "lone\ud800",
    "flag \U0001f1e9\U0001f1ea",
    "smile \U0001f600",
    "two\nlines\tand tabs",
    "private \ue000",
    "filler\u3164",
]


@pytest.fixture
def only_ascii() -> Iterator[None]:
    text.use_ascii(True)
    yield
    text.use_ascii(False)


@given(st.text(st.characters(codec=None), max_size=60))
def test_cleaned_text_cannot_act(raw: str) -> None:
    shown = text.clean(raw)
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in shown)
    assert "\n" not in shown
    shown.encode("utf-8")
    assert text.clean(shown) == shown


@given(st.text(max_size=40), st.integers(-2, 30))
def test_clipped_text_fits_and_says_that_it_was_cut(raw: str, width: int) -> None:
    whole = text.clean(raw)
    cut = text.clip(whole, width)
    assert text.cells(cut) <= max(width, 0)
    assert cut == whole or not cut or cut.endswith("…")


@given(st.text(max_size=40), st.integers(0, 30), st.sampled_from(["left", "right"]))
def test_fitted_text_is_exactly_as_wide(raw: str, width: int, align: str) -> None:
    assert text.cells(text.fit(text.clean(raw), width, align)) == width


@pytest.mark.parametrize("raw", HOSTILE)
def test_hostile_text_is_marked_or_flattened(raw: str) -> None:
    shown = text.clean(raw)
    assert MARK in shown or shown == "two lines and tabs"
    assert "\x1b" not in shown


def test_a_run_of_hostile_characters_is_one_mark() -> None:
    assert text.clean("a\x00\x01\u202eb") == f"a{MARK}b"


def test_names_of_people_stay_as_they_are() -> None:
    for name in ("Müller", "Łukasz", "Nguyễn", "山田太郎", "Ελένη", "O’Brien", "محمد"):
        assert text.clean(name) == name


@given(st.text(max_size=30))
def test_widths_are_those_that_the_screen_reckons_with(raw: str) -> None:
    shown = text.clean(raw)
    assert text.cells(shown) == cell_len(shown)


def test_wide_letters_take_two_cells() -> None:
    assert text.cells("山田") == 4
    assert text.clip("山田太郎", 5) == "山田…"


@given(st.text(max_size=40))
def test_ascii_is_ascii(raw: str) -> None:
    text.use_ascii(True)
    try:
        assert text.clean(raw).isascii()
    finally:
        text.use_ascii(False)


def test_signs_tell_severities_apart_with_and_without_unicode(only_ascii: None) -> None:
    plain = [text.sign(each) for each in Tone if each]
    assert len(set(plain)) == len(plain) == 5
    assert all(sign.isascii() and len(sign) == 1 for sign in plain)
    text.use_ascii(False)
    signs = [text.sign(each) for each in Tone if each]
    assert len(set(signs)) == 5
    assert all(text.cells(sign) == 1 for sign in signs)


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 10, "0 %"), (10, 10, "100 %"), (1, 1000, "<1 %"), (999, 1000, ">99 %"), (1, 3, "33 %"), (0, 0, "–")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, shown: str) -> None:
    assert text.share(part, whole) == shown


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (timedelta(seconds=40), "40 s"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=5), "5 d"),
        (timedelta(weeks=9), "9 wk"),
        (timedelta(days=800), "2 y"),
    ],
)
def test_durations(span: timedelta, shown: str) -> None:
    assert text.duration(span) == shown


def test_ages_and_times_to_come() -> None:
    assert text.age(NOW - timedelta(days=3), NOW) == "3 d"
    assert text.age(NOW, NOW) == "now"
    assert text.age(None, NOW) == text.NOTHING
    assert text.until(NOW + timedelta(hours=5), NOW) == "in 5 h"
    assert text.until(NOW - timedelta(hours=5), NOW) == "5 h ago"


def test_the_year_is_told_where_it_is_another() -> None:
    assert text.moment(NOW, NOW) == "13 May 09:00"
    assert text.moment(NOW.replace(year=2025), NOW) == "13 May 2025 09:00"
    assert text.moment_long(NOW) == "Wed 13 May 2026 09:00 UTC"


def test_codes_and_people() -> None:
    assert text.error_code(0x800F0922) == "0x800F0922"
    assert text.error_code(-2146498270) == "0x800F0922"
    assert text.person("alice.meyer@contoso.com") == "alice.meyer"
    assert text.person("CONTOSO\\alice.meyer") == "alice.meyer"
    assert text.words("restart-pending") == "restart pending"
    assert text.plural(1, "device") == "1 device"
    assert text.plural(12345, "device") == "12,345 devices"


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0 h"), (23, "23 h"), (71, "71 h"), (72, "3.0 d"), (235, "9.8 d"), (504, "21.0 d")]
)
def test_the_time_that_protection_took_is_not_cut_to_whole_days(value: int, shown: str) -> None:
    assert text.hours(value) == cells.hours(value).text == shown


# --- each limit, on either side of it -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("e\u0301\u0301", "e\u0301\u0301"),
        ("e\u0301\u0301\u0301", f"e\u0301\u0301{MARK}"),
        ("e\u0301\u0301\u0301\u0301x", f"e\u0301\u0301{MARK}x"),
        ("e\u0301\u0301o\u0301\u0301", "e\u0301\u0301o\u0301\u0301"),
        ("\u0301a", f"{MARK}a"),
    ],
)
def test_a_letter_keeps_two_marks_of_its_own(raw: str, shown: str) -> None:
    assert text.clean(raw) == shown


@pytest.mark.parametrize(
    "point",
    [
        *(0xFE00, 0xFE0F, 0xE0100, 0xE01EF, 0x2630, 0x2637, 0x268A, 0x268F),
        *(0x4DC0, 0x4DFF, 0x1D300, 0x1D356, 0xD7B0, 0xD7FF, 0x1F000, 0x231A),
    ],
)
def test_what_terminals_draw_in_different_widths_is_marked(point: int) -> None:
    assert text.clean(f"a{chr(point)}b") == text.safe(f"a{chr(point)}b") == f"a{MARK}b"


def test_signs_of_one_cell_are_no_pictographs() -> None:
    for sign in ("●", "▲", "☯", "№"):
        assert text.clean(sign) == sign


def test_white_space_of_every_kind_is_a_blank() -> None:
    assert text.clean("a\tb\x85c\u2028d\x1ce") == "a b c d e"


def test_anything_can_be_cleaned() -> None:
    assert (text.clean(12), text.safe(12), text.clean(None)) == ("12", "12", "None")
    assert text.clean_lines(7) == ["7"]
    assert text.clean_lines("") == [""]
    assert text.clean_lines("one\ntwo\x1b") == ["one", f"two{MARK}"]


def test_files_keep_letters_that_the_terminal_cannot_show_but_nothing_that_acts(only_ascii: None) -> None:
    assert (text.clean("Müller 山"), text.safe("Müller 山")) == ("Muller ?", "Müller 山")
    assert (text.safe("a\x1bb"), text.safe("a\U0001f600b")) == (f"a{MARK}b", f"a{MARK}b")


def test_marks_and_jamo_within_a_syllable_take_no_cell() -> None:
    assert [text.cells(each) for each in ("e\u0301", "\u1160", "\u11ff", "\u1100\u1161", "")] == [1, 0, 0, 2, 0]


@pytest.mark.parametrize(
    ("raw", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abc", 2, "a…"),
        ("äbc", 3, "äbc"),
        ("äbc", 2, "ä…"),
        ("a", 1, "a"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
        ("山田", 4, "山田"),
        ("山田", 3, "山…"),
    ],
)
def test_a_text_that_just_fits_is_not_clipped(raw: str, width: int, shown: str) -> None:
    assert text.clip(raw, width) == shown


def test_text_stands_left_or_right_and_is_cut_with_the_sign_of_the_terminal(only_ascii: None) -> None:
    assert (text.fit("ab", 4), text.fit("ab", 4, "right"), text.fit("ab", 2)) == ("ab  ", "  ab", "ab")
    assert (text.clip("abc", 2), text.sign(Tone.OK)) == ("a~", "o")
    text.use_ascii(False)
    assert (text.clip("abc", 2), text.sign(Tone.OK)) == ("a…", "●")


def test_what_is_not_known_is_shown_as_nothing() -> None:
    shown = [
        *(text.build(None), text.kb(None), text.error_code(None), text.platform_short(None)),
        *(text.moment(None), text.moment_long(None), text.date(None), text.age(None, NOW), text.until(None, NOW)),
    ]
    assert set(shown) == {text.NOTHING}


def test_names_of_builds_updates_and_platforms() -> None:
    assert text.build(OsBuild(26100, 8390)) == "26100.8390"
    assert text.kb(5089466) == "KB5089466"
    assert text.error_code(0) == "no code"
    assert [text.platform_short(each) for each in ("win11-24h2", "server-2025")] == ["W11 24H2", "Srv 2025"]
    assert (text.date(NOW), text.month("2026-05"), text.month("soon")) == ("13 May 2026", "May 2026", "soon")
    assert (text.share(1, 1), text.share(0, 1)) == ("100 %", "0 %")


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (timedelta(seconds=89), "89 s"),
        (timedelta(seconds=90), "1 min"),
        (timedelta(minutes=90) - timedelta(seconds=1), "89 min"),
        (timedelta(minutes=90), "1 h"),
        (timedelta(hours=36) - timedelta(seconds=1), "35 h"),
        (timedelta(hours=36), "1 d"),
        (timedelta(days=21) - timedelta(seconds=1), "20 d"),
        (timedelta(days=21), "3 wk"),
        (timedelta(days=730) - timedelta(seconds=1), "104 wk"),
        (timedelta(days=730), "2 y"),
        (timedelta(days=-5), "5 d"),
    ],
)
def test_a_duration_takes_the_next_unit_at_its_limit(span: timedelta, shown: str) -> None:
    assert text.duration(span) == shown


def test_within_a_minute_it_is_now_and_from_a_minute_on_it_is_told_in_which_direction() -> None:
    minute, moment = timedelta(minutes=1), timedelta(seconds=59)
    when = [NOW - minute, NOW - moment, NOW + moment, NOW + minute]
    assert [text.age(each, NOW) for each in when] == ["60 s", "now", "now", "in 60 s"]
    assert [text.until(each, NOW) for each in when] == ["60 s ago", "now", "now", "in 60 s"]
