"""Error knowledge: from the number of a failed install to what it means and what to do.

Triage, plans and both fronts ask it. The table is data/error_codes.json, read once and only when first asked.
It never leaves a code without an answer: what the table lacks is read from the code's facility.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from data import packaged
from engine.model.causes import WAITS, Cause, RetryWorth
from engine.model.errors import BadInput
from engine.rules.failures.facilities import origin_of, twin_of

_FILE = "error_codes.json"
_PLACE = f"data/{_FILE}"
_SPAN = 1 << 32
_HEX = re.compile(r"(?:0x)?(?:f{8})?(?P<digits>[0-9a-f]{8})|0x(?P<short>[0-9a-f]{1,7})", re.IGNORECASE)
_DECIMAL = re.compile(r"-?[0-9]{1,10}")
_FIELDS = ("code", "symbol", "meaning", "remedy", "cause", "retry", "retry_after", "source")
_SOURCE_OF_ORIGIN = "[MS-ERREF] Windows Error Codes, read from the facility in the code"


class ErrorKnowledge(Struct, frozen=True):
    """What is known about one error code."""

    code: int
    """As an unsigned 32-bit number."""
    symbol: str
    """``WU_E_NO_CONNECTION``; "" where none is known."""
    meaning: str
    remedy: str
    cause: Cause
    retry: RetryWorth
    retry_after: str
    """What a retry waits for, in words (a key of `causes.WAITS`); "" where a retry is of no use."""
    source: str
    """Title of the page that the code was read in."""
    judgement: tuple[str, ...]
    """Fields that are this project's reading, not the source's; `retry` and `retry_after` always are."""
    facility: str
    """Who raises codes of this kind: ``Windows Update, download``."""
    known: bool
    """False where the table lacks the code and all but the facility is a guess."""

    @property
    def text(self) -> str:
        """The code as people write it: ``0x80070643``."""
        return code_text(self.code)

    @property
    def retry_text(self) -> str:
        """``yes, after an hour``, ``after the repair`` or ``no``."""
        if self.retry is RetryWorth.NO:
            return "no"
        return f"{'yes, ' if self.retry is RetryWorth.YES else ''}after {self.retry_after}"


def code_text(code: int) -> str:
    """``0x80070643`` for 0x80070643 or for the signed -2147023293."""
    return f"0x{code % _SPAN:08X}"


def parse_code(text: str) -> int:
    """The unsigned 32-bit number of a code written as hex, signed decimal or unsigned decimal.

    Hex of eight digits needs no ``0x``, so ``80070643`` is hex: no error code is a decimal of eight digits.
    Hex that was extended to 64 bits with its sign, ``FFFFFFFF80070643``, is taken too.

    Raises:
        BadInput: the text is none of these, or does not fit into 32 bits.
    """
    bare = text.strip().strip("\"'()[].,;:").strip().replace("\u2212", "-")
    if found := _HEX.fullmatch(bare):
        number = int(found["digits"] or found["short"], 16)
    elif _DECIMAL.fullmatch(bare):
        number = int(bare)
    else:
        raise _not_a_code(text, "")
    if not -(_SPAN >> 1) <= number < _SPAN:
        raise _not_a_code(text, "It does not fit into 32 bits.")
    return number % _SPAN


def explain(code: int) -> ErrorKnowledge:
    """What is known about a code, signed or unsigned; every number gets an answer.

    Raises:
        BadInput: the program's own table is damaged.
    """
    number = code % _SPAN
    rows, reading = _rows(), number
    while reading not in rows and (twin := twin_of(reading)) is not None:
        reading = twin
    if reading in rows:
        return replace(_known(reading), code=number)
    return _from_origin(number, reading)


def _from_origin(code: int, reading: int) -> ErrorKnowledge:
    """The guess for a code that the table lacks; `reading` is the form that says most about its origin."""
    origin = origin_of(reading)
    advice = origin.cause.advice
    meaning = (
        "The device reported no error code."
        if code == 0
        else f"No description is at hand; {origin.facility} raised it."
    )
    return ErrorKnowledge(
        code=code,
        symbol="",
        meaning=meaning,
        remedy=advice.remedy,
        cause=origin.cause,
        retry=advice.retry,
        retry_after=advice.retry_after,
        source=_SOURCE_OF_ORIGIN,
        judgement=("meaning", "remedy", "cause"),
        facility=origin.facility,
        known=False,
    )


@functools.cache
def known_codes() -> Mapping[int, ErrorKnowledge]:
    """The whole table by unsigned code, in the order of the file.

    Raises:
        BadInput: the file is damaged; says where.
    """
    return MappingProxyType({code: _known(code) for code in _rows()})


@functools.cache
def _known(code: int) -> ErrorKnowledge:
    """One entry of the table, read when it is asked for: a fleet fails with ten codes of three hundred."""
    place, row = _rows()[code]
    return _entry(code, row, place)


@functools.cache
def _rows() -> Mapping[int, tuple[str, Mapping[str, Any]]]:
    """The table as it stands in the file, by unsigned code; each with its place."""
    import json

    try:
        rows = json.loads(packaged(_FILE))["codes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(f"{error}", "") from None
    found: dict[int, tuple[str, Mapping[str, Any]]] = {}
    for position, row in enumerate(rows):
        place = f"codes[{position}]"
        code = _code(row, place)
        if code in found:
            raise _damaged(f"{code_text(code)} stands there twice.", place)
        found[code] = place, row
    return found


def _code(row: object, place: str) -> int:
    if not isinstance(row, dict):
        raise _damaged("An entry must be an object.", place)
    try:
        return parse_code(row["code"])
    except KeyError:
        raise _damaged("The code is missing.", f"{place}.code") from None
    except BadInput as error:
        raise _damaged(error.what, f"{place}.code") from None


def _entry(code: int, row: Mapping[str, Any], place: str) -> ErrorKnowledge:
    for name in _FIELDS:
        if not isinstance(row.get(name), str):
            raise _damaged("The text is missing.", f"{place}.{name}")
    judgement = row.get("judgement")
    if not isinstance(judgement, list) or not set(judgement) <= set(_FIELDS):
        raise _damaged("Names of fields are expected.", f"{place}.judgement")
    try:
        cause, retry = Cause(row["cause"]), RetryWorth(row["retry"])
    except ValueError as error:
        raise _damaged(f"{error}.", place) from None
    if (row["retry_after"] in WAITS) is (retry is RetryWorth.NO):
        raise _damaged(f"{row['retry_after']!r} does not go with retry {retry}.", f"{place}.retry_after")
    return ErrorKnowledge(
        code=code,
        symbol=row["symbol"],
        meaning=row["meaning"],
        remedy=row["remedy"],
        cause=cause,
        retry=retry,
        retry_after=row["retry_after"],
        source=row["source"],
        judgement=tuple(judgement),
        facility=origin_of(code).facility,
        known=True,
    )


def _damaged(why: str, field: str) -> BadInput:
    return BadInput("The table of error codes is damaged.", why, "Install the program again.", file=_PLACE, field=field)


def _not_a_code(text: str, why: str) -> BadInput:
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    return BadInput(
        f"{shown!r} is not an error code.", why, "Write it like 0x80070643, -2147023293 or 2147944003.", field="code"
    )
