from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.audit import GENESIS, AuditEntry, AuditRecord, Head, canonical, chain, chained, verify

BEGIN = datetime(2026, 5, 13, 9, tzinfo=UTC)


def entries(count: int, words: str = "no.") -> list[AuditEntry]:
    return [
        AuditEntry(
            BEGIN + timedelta(minutes=n), "mia", "jump01", "approve", f"{words} {n} ü", kb=5089466 if n % 2 else None
        )
        for n in range(1, count + 1)
    ]


def records(count: int) -> list[AuditRecord]:
    return list(chained(entries(count)))


def head_of(found: list[AuditRecord]) -> Head:
    return Head(found[-1].seq, found[-1].hash) if found else Head(0, GENESIS)


@given(st.integers(0, 12))
def test_an_untouched_chain_holds(count: int) -> None:
    found = records(count)
    check = verify(found, kept=head_of(found) if found else None, outside=head_of(found))
    assert check.holds
    assert (check.records, check.head) == (count, head_of(found))


@given(st.data())
def test_one_changed_character_is_found_where_it_is(data: st.DataObject) -> None:
    found = records(6)
    at = data.draw(st.integers(0, 5))
    body = found[at].body
    place = data.draw(st.integers(0, len(body) - 1))
    other = "0" if body[place] != "0" else "1"
    changed = replace(found[at], body=body[:place] + other + body[place + 1 :])
    check = verify([*found[:at], changed, *found[at + 1 :]], kept=head_of(found))
    assert check.broken is not None
    assert check.broken.seq == at + 1
    assert check.records == at


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 0),
        ("at", None),
        ("at", "2026"),
        ("actor", "eve"),
        ("actor", b"mia"),
        ("action", "halt"),
        ("kb", 1),
        ("kb", None),
    ],
)
def test_a_column_beside_the_text_that_says_something_else_is_found(column: str, value: object) -> None:
    found = records(3)
    changed = replace(found[0], **{column: value})  # type: ignore[arg-type]
    broken = verify([changed, *found[1:]]).broken
    assert broken is not None
    assert broken.seq == 1
    assert column in broken.why


def test_a_missing_a_swapped_and_a_cut_off_record_are_found() -> None:
    found = records(5)
    for gone in range(1, 6):
        broken = verify([each for each in found if each.seq != gone], kept=head_of(found)).broken
        assert broken is not None
        assert broken.seq == gone
    swapped = verify([found[0], found[2], found[1], *found[3:]], kept=head_of(found)).broken
    assert swapped is not None
    assert swapped.seq == 2
    cut = verify(found[:-1], kept=head_of(found)).broken
    assert cut is not None
    assert "ends at record 4" in cut.why


def test_a_body_swapped_under_the_same_number_is_found() -> None:
    found = records(4)
    second, third = found[1], found[2]
    found[1] = replace(second, body=third.body)
    found[2] = replace(third, body=second.body)
    broken = verify(found).broken
    assert broken is not None
    assert broken.seq == 2


def test_a_record_put_in_between_is_found() -> None:
    found = records(4)
    broken = verify([*found[:2], found[1], *found[2:]]).broken
    assert broken is not None
    assert "stands after" in broken.why


def test_a_chain_written_anew_holds_in_itself_and_is_found_by_the_copy_from_elsewhere() -> None:
    true, forged = records(5), list(chained(entries(5, "nothing happened")))
    assert verify(forged, kept=head_of(forged)).holds
    for known in true:
        broken = verify(forged, kept=head_of(forged), outside=Head(known.seq, known.hash)).broken
        assert broken is not None
        assert broken.seq == known.seq
        assert "kept elsewhere" in broken.why


def test_an_end_cut_off_together_with_the_kept_head_is_found_by_the_copy_from_elsewhere() -> None:
    found = records(5)
    outside = head_of(found)
    cut = found[:-2]
    assert verify(cut, kept=head_of(cut)).holds
    broken = verify(cut, kept=head_of(cut), outside=outside).broken
    assert broken is not None
    assert broken.seq == 4
    assert "record 5 was kept elsewhere" in broken.why


def test_a_copy_from_elsewhere_still_proves_when_records_have_been_added() -> None:
    found = records(5)
    early = Head(2, found[1].hash)
    assert verify(found, outside=early).holds
    assert not verify(found, outside=Head(2, "0" * 64)).holds


def test_a_part_holds_by_what_it_begins_with() -> None:
    found = records(5)
    start = Head(2, found[1].hash)
    assert verify(found[2:], start=start, outside=start).holds
    wrong = verify(found[2:], start=Head(2, GENESIS)).broken
    assert wrong is not None
    assert wrong.seq == 3
    earlier = verify(found[2:], start=start, outside=Head(1, found[0].hash)).broken
    assert earlier is not None
    assert "not in it" in earlier.why


@pytest.mark.parametrize("body", ["", "[]", "7", '{"seq":1}', '{"seq":1,"at":"yesterday"}', "[" * 100_000])
def test_a_forged_text_that_is_no_record_is_told_and_breaks_nothing(body: str) -> None:
    forged = AuditRecord(1, 0, "mia", "approve", None, body, GENESIS, chain(GENESIS, body))
    broken = verify([forged]).broken
    assert broken is not None
    assert broken.seq == 1


def test_a_time_without_a_zone_cannot_be_recorded() -> None:
    with pytest.raises(ValueError, match="zone"):
        canonical(1, AuditEntry(datetime(2026, 5, 13), "mia", "", "approve", ""))  # noqa: DTZ001 - that is the point


def test_the_text_is_one_line_of_ascii() -> None:
    body = canonical(1, AuditEntry(BEGIN, "mïa\n", "", "approve", "\x1b[2J\u202e\ud800"))
    assert body.isascii()
    assert body.isprintable()
    assert json.loads(body)["actor"] == "mïa\n"
