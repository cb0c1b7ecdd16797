from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audit import GENESIS, AuditEntry, canonical, chain, verify

BEGIN = datetime(2026, 5, 13, 9, tzinfo=UTC)


def records(count: int) -> list[tuple[int, str, str, str]]:
    found, previous = [], GENESIS
    for seq in range(1, count + 1):
        body = canonical(seq, AuditEntry(BEGIN + timedelta(minutes=seq), "mia", "jump01", "approve", f"no. {seq} ü"))
        digest = chain(previous, body)
        found.append((seq, body, previous, digest))
        previous = digest
    return found


@given(st.integers(0, 12))
def test_an_untouched_chain_holds(count: int) -> None:
    chained = records(count)
    head = (count, chained[-1][3]) if chained else None
    assert verify(chained, head) is None


@given(st.data())
def test_one_changed_character_is_found_where_it_is(data: st.DataObject) -> None:
    chained = records(6)
    at = data.draw(st.integers(0, 5))
    seq, body, previous, digest = chained[at]
    place = data.draw(st.integers(0, len(body) - 1))
    other = "0" if body[place] != "0" else "1"
    chained[at] = (seq, body[:place] + other + body[place + 1 :], previous, digest)
    broken = verify(chained, (6, records(6)[-1][3]))
    assert broken is not None
    assert broken.seq == seq


def test_a_missing_a_swapped_and_a_cut_off_record_are_found() -> None:
    chained = records(5)
    head = (5, chained[-1][3])
    missing = verify([each for each in chained if each[0] != 3], head)
    assert missing is not None
    assert missing.seq == 3
    swapped = verify([chained[0], chained[2], chained[1], *chained[3:]], head)
    assert swapped is not None
    assert swapped.seq == 2
    cut = verify(chained[:-1], head)
    assert cut is not None
    assert "ends at record 4" in cut.why


def test_a_body_swapped_under_the_same_number_is_found() -> None:
    chained = records(4)
    second, third = chained[1], chained[2]
    chained[1] = (2, third[1], second[2], second[3])
    chained[2] = (3, second[1], third[2], third[3])
    broken = verify(chained)
    assert broken is not None
    assert broken.seq == 2


def test_a_time_without_a_zone_cannot_be_recorded() -> None:
    with pytest.raises(ValueError, match="zone"):
        canonical(1, AuditEntry(datetime(2026, 5, 13), "mia", "", "approve", ""))  # noqa: DTZ001 - that is the point
