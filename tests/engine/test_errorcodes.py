"""Error knowledge: every spelling of a code, every code an answer, and a table that keeps its promises."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.causes import WAITS, Cause, RetryWorth
from engine.model.errors import BadInput
from engine.rules.failures import errorcodes
from engine.rules.failures.errorcodes import code_text, explain, known_codes, parse_code
from engine.rules.failures.facilities import origin_of, twin_of
from tests.conftest import SHARED

CODES = st.integers(min_value=0, max_value=2**32 - 1)


@pytest.mark.parametrize(
    "text",
    [
        "0x80070643",
        "0X80070643",
        "80070643",
        "-2147023293",
        "\u22122147023293",
        "2147944003",
        " 0x80070643\n",
        "(0x80070643).",
        "0xFFFFFFFF80070643",
        "ffffffff80070643",
    ],
)
def test_one_code_in_every_spelling(text: str) -> None:
    assert parse_code(text) == 0x80070643


@pytest.mark.parametrize(("text", "code"), [("-2147483648", 2**31), ("4294967295", 2**32 - 1), ("0", 0)])
def test_the_outermost_numbers_of_32_bits_are_codes(text: str, code: int) -> None:
    assert parse_code(text) == code


@pytest.mark.parametrize("text", ["-2147483649", "4294967296"])
def test_a_number_beyond_32_bits_is_no_code(text: str) -> None:
    with pytest.raises(BadInput, match="does not fit into 32 bits"):
        parse_code(text)


@given(CODES)
@settings(max_examples=200)
def test_every_number_survives_every_spelling(code: int) -> None:
    signed = code - 2**32 if code >= 2**31 else code
    for text in (code_text(code), code_text(code).lower(), f"{code:08x}", f"{code:08X}", hex(code)):
        assert parse_code(text) == code
    assert code_text(signed) == code_text(code)
    for decimal in (str(code), str(signed)):
        if len(decimal) != 8:
            assert parse_code(decimal) == code


@given(st.text(max_size=24))
@settings(max_examples=300)
def test_any_text_is_a_code_or_bad_input(text: str) -> None:
    try:
        assert 0 <= parse_code(text) < 2**32
    except BadInput as error:
        assert error.field == "code"
        assert "0x80070643" in error.instead


@pytest.mark.parametrize(
    "text", ["", "0x", "error", "deadbee", "cafe", "0x1FFFFFFFF", "4294967296", "-2147483649", "8007_0643", "1.5", "٣"]
)
def test_what_is_no_code_says_how_to_write_one(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_code(text)
    assert "-2147023293" in str(caught.value)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(BadInput) as caught:
        parse_code("x" * 5000)
    assert len(str(caught.value)) < 250


@given(CODES)
@settings(max_examples=300)
def test_every_code_has_an_answer(code: int) -> None:
    knowledge = explain(code)
    assert knowledge.code == code
    assert knowledge.text == code_text(code)
    assert knowledge.meaning
    assert knowledge.remedy
    assert knowledge.facility
    assert knowledge.source
    assert (knowledge.retry is RetryWorth.NO) is (knowledge.retry_after == "")
    assert knowledge == explain(code - 2**32)


@pytest.mark.parametrize(
    ("code", "symbol", "cause"),
    [
        (0x80070643, "ERROR_INSTALL_FAILURE", Cause.UNKNOWN),
        (0x80072EE6, "WININET_E_UNRECOGNIZED_SCHEME", Cause.POLICY),
        (0x80072EE7, "WININET_E_NAME_NOT_RESOLVED", Cause.NETWORK),
        (0x800705B4, "ERROR_TIMEOUT", Cause.SERVICE),
        (0x80070BC2, "ERROR_SUCCESS_REBOOT_REQUIRED", Cause.RESTART_PENDING),
        (0x80240439, "WU_E_PT_INVALID_FORMAT", Cause.SERVICE),
        (0x800F0983, "PSFX_E_MATCHING_COMPONENT_DIRECTORY_MISSING", Cause.COMPONENT_STORE),
        (0x800F0988, "PSFX_E_INVALID_DELTA_COMBINATION", Cause.COMPONENT_STORE),
        (0x800F0991, "PSFX_E_MISSING_PAYLOAD_FILE", Cause.COMPONENT_STORE),
        (0xC00000BB, "STATUS_NOT_SUPPORTED", Cause.HOTPATCH_PREREQUISITE),
        (0x800F0823, "CBS_E_NEW_SERVICING_STACK_REQUIRED", Cause.SERVICING_STACK),
        (0x800F081E, "CBS_E_NOT_APPLICABLE", Cause.NOT_APPLICABLE),
        (0x80D03805, "DO_E_BLOCKED_BY_NO_NETWORK", Cause.NETWORK),
    ],
)
def test_codes_of_the_field(code: int, symbol: str, cause: Cause) -> None:
    knowledge = explain(code)
    assert (knowledge.symbol, knowledge.cause, knowledge.known) == (symbol, cause, True)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (0x8024401D, Cause.SERVICE),
        (0x8024401F, Cause.SERVICE),
        (0x80244022, Cause.SERVICE),
        (0x80244007, Cause.SERVICE),
        (0x80244010, Cause.SERVICE),
        (0x80244016, Cause.NETWORK),
        (0x80244017, Cause.NETWORK),
        (0x80244018, Cause.NETWORK),
        (0x80244019, Cause.NETWORK),
        (0x8024401B, Cause.NETWORK),
        (0x8024401C, Cause.NETWORK),
        (0x80244021, Cause.NETWORK),
        (0x80244023, Cause.NETWORK),
    ],
)
def test_http_answers_are_split_by_who_can_help(code: int, cause: Cause) -> None:
    assert explain(code).cause is cause


@pytest.mark.parametrize(
    ("spelling", "same_as"),
    [
        ("3010", 0x80070BC2),
        ("1641", 0x80070669),
        ("112", 0x80070070),
        ("0xD00000BB", 0xC00000BB),
        ("0xC0070005", 0x80070005),
        ("0xC0000034", 0x80070002),
        ("0xD000003A", 0x80070003),
    ],
)
def test_the_same_error_in_another_dress(spelling: str, same_as: int) -> None:
    code = parse_code(spelling)
    found, twin = explain(code), explain(same_as)
    assert found.known
    assert found.code == code
    assert (found.symbol, found.meaning, found.cause, found.retry) == (
        twin.symbol,
        twin.meaning,
        twin.cause,
        twin.retry,
    )


@pytest.mark.parametrize(
    ("code", "facility", "cause"),
    [
        (0x80244ABC, "Windows Update, protocol", Cause.NETWORK),
        (0x80240450, "Windows Update, protocol", Cause.NETWORK),
        (0x80248ABC, "Windows Update, data store", Cause.SERVICE),
        (0x800F0899, "servicing (CBS)", Cause.SERVICING_STACK),
        (0x800F09A0, "servicing, delta files (PSFX)", Cause.COMPONENT_STORE),
        (0x800F0203, "driver setup (SetupAPI)", Cause.DRIVER_OR_FILTER),
        (0x80D02FFF, "Delivery Optimization", Cause.NETWORK),
        (0x80072F0C, "Win32, internet", Cause.NETWORK),
        (0x80070027, "Win32", Cause.DISK_SPACE),
        (0x800736D0, "Win32, side-by-side components", Cause.COMPONENT_STORE),
        (0x800B0112, "certificates", Cause.SIGNATURE),
        (0xC1900101, "Windows Setup", Cause.UNKNOWN),
        (0xC000BEEF, "Windows kernel (NTSTATUS)", Cause.UNKNOWN),
        (0x87D00664, "Configuration Manager", Cause.SERVICE),
        (0x85550001, "facility 0x555", Cause.UNKNOWN),
    ],
)
def test_an_unknown_code_tells_its_facility_and_a_likely_cause(code: int, facility: str, cause: Cause) -> None:
    knowledge = explain(code)
    assert not knowledge.known
    assert knowledge.symbol == ""
    assert (knowledge.facility, knowledge.cause) == (facility, cause)
    assert facility in knowledge.meaning
    assert set(knowledge.judgement) == {"meaning", "remedy", "cause"}


@pytest.mark.parametrize(
    ("code", "facility"),
    [
        (0x800F07FF, "driver setup (SetupAPI)"),
        (0x800F0800, "servicing (CBS)"),
        (0x800F097F, "servicing (CBS)"),
        (0x800F0980, "servicing, delta files (PSFX)"),
        (0x800F09FF, "servicing, delta files (PSFX)"),
        (0x800F0A00, "servicing (CBS)"),
        (0x80070000 | 8999, "Win32"),
        (0x80070000 | 9000, "Win32, DNS"),
        (0x80070000 | 9999, "Win32, DNS"),
        (0x80070000 | 10000, "Win32"),
        (0x8007FFFF, "Win32"),
    ],
)
def test_a_range_of_codes_holds_its_first_and_its_last(code: int, facility: str) -> None:
    assert origin_of(code).facility == facility


@pytest.mark.parametrize(("code", "twin"), [(0, None), (1, 0x80070001), (0xFFFF, 0x8007FFFF), (0x10000, None)])
def test_a_plain_number_of_16_bits_is_a_win32_code(code: int, twin: int | None) -> None:
    assert twin_of(code) == twin


def test_no_code_at_all_is_said_to_be_none() -> None:
    knowledge = explain(0)
    assert "no error code" in knowledge.meaning
    assert knowledge.cause is Cause.UNKNOWN


@given(CODES)
@settings(max_examples=300)
def test_twins_end_and_never_circle(code: int) -> None:
    seen = {code}
    twin = twin_of(code)
    while twin is not None:
        assert 0 <= twin < 2**32
        assert twin not in seen
        seen.add(twin)
        twin = twin_of(twin)
    assert origin_of(code).facility


def test_retry_is_told_in_words() -> None:
    assert explain(0x80072EE2).retry_text == "yes, after an hour"
    assert explain(0x80070070).retry_text == "after the clean-up"
    assert explain(0x800F081E).retry_text == "no"


def test_every_cause_has_advice_that_goes_with_its_retry() -> None:
    assert Cause.COMPONENT_STORE.label == "Component store"
    assert len({cause.label for cause in Cause}) == len(Cause) == 13
    for cause in Cause:
        advice = cause.advice
        assert advice.remedy.endswith(".")
        assert (advice.retry_after in WAITS) is (advice.retry is not RetryWorth.NO)


def test_the_table_is_complete_and_well_written() -> None:
    table = known_codes()
    assert len(table) >= 300
    assert {entry.cause for entry in table.values()} == set(Cause)
    for code, entry in table.items():
        assert entry.code == code
        assert entry.known
        for sentence in (entry.meaning, entry.remedy):
            assert sentence[0].isupper() or sentence[0].isdigit() or sentence.startswith("x64"), entry.text
            assert sentence.endswith("."), entry.text
            assert sentence.isascii(), entry.text
            assert len(sentence) <= 180, entry.text
        assert entry.source
        assert set(entry.judgement) <= {"symbol", "meaning", "remedy", "cause"}
    written = json.loads((files("data") / "error_codes.json").read_text(encoding="utf-8"))["codes"]
    assert [row["code"] for row in written] == [entry.text for entry in sorted(table.values(), key=lambda e: e.code)]
    assert all(set(row) == {*errorcodes._FIELDS, "judgement"} for row in written)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        known_codes()[1] = explain(1)  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cause": "weather"}, "codes[0]"),
        ({"retry": "maybe"}, "codes[0]"),
        ({"retry_after": "some day"}, "codes[0].retry_after"),
        ({"retry": "no"}, "codes[0].retry_after"),
        ({"remedy": None}, "codes[0].remedy"),
        ({"judgement": ["guess"]}, "codes[0].judgement"),
        ({"code": "0xNONSENSE"}, "codes[0].code"),
    ],
)
def test_a_damaged_table_says_where(change: dict[str, object], field: str) -> None:
    row = json.loads((files("data") / "error_codes.json").read_text(encoding="utf-8"))["codes"][4] | change
    with pytest.raises(BadInput) as caught:
        errorcodes._entry(errorcodes._code(row, "codes[0]"), row, "codes[0]")
    assert caught.value.file == "data/error_codes.json"
    assert caught.value.field == field


def test_importing_reads_nothing() -> None:
    program = (
        "import sys, engine.rules.failures.errorcodes as e; assert e._rows.cache_info().currsize == 0;"
        "assert not {'json', 'pydantic', 'importlib.resources', 'httpx'} & set(sys.modules), 'heavy';"
        "e.explain(5); assert e._rows.cache_info().currsize == 1"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).resolve().parents[2])


@pytest.mark.shared
def test_every_fact_is_taken_up_in_other_words() -> None:
    facts = json.loads((SHARED / "facts" / "error_codes.json").read_text(encoding="utf-8"))
    assert len(facts) == 234
    foreign = {fact[name].lower() for fact in facts for name in ("meaning", "remedy")}
    for fact in facts:
        entry = known_codes()[int(fact["code"], 16)]
        assert entry.symbol == fact["symbol"]
        assert set(fact["unsourced"]) <= set(entry.judgement)
    for entry in known_codes().values():
        assert entry.meaning.lower() not in foreign, entry.text
        assert entry.remedy.lower() not in foreign, entry.text
