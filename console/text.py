"""How builds, times, counts and text from elsewhere become text that is safe to print.

Everybody in the console may call it. It imports neither Textual nor Rich, never parses markup,
and never reads a clock: the present is an argument.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from engine.model.build import OsBuild, kb_text


class Tone(StrEnum):
    """How good or bad a value is; becomes a sign here and a colour in the theme, never a colour alone."""

    NONE = ""
    OK = "ok"
    DUE = "due"
    AT_RISK = "at_risk"
    FAILED = "failed"
    UNKNOWN = "unknown"


# --- signs ------------------------------------------------------------------------------------------

_SIGNS = {
    Tone.NONE: "",
    Tone.OK: "●",
    Tone.DUE: "◐",
    Tone.AT_RISK: "▲",
    Tone.FAILED: "✗",
    Tone.UNKNOWN: "?",
}
_ASCII_SIGNS = {
    Tone.NONE: "",
    Tone.OK: "o",
    Tone.DUE: "~",
    Tone.AT_RISK: "!",
    Tone.FAILED: "x",
    Tone.UNKNOWN: "?",
}
_ASCII = str.maketrans(
    {
        "●": "o",
        "○": ".",
        "◐": "~",
        "▲": "^",
        "▼": "v",
        "△": "^",
        "▽": "v",
        "✗": "x",
        "✓": "+",
        "◆": "*",
        "■": "#",
        "□": "-",
        "█": "#",
        "▓": "=",
        "▒": "=",
        "░": "-",
        "▏": "|",
        "▌": "|",
        "▔": "-",
        "─": "-",
        "━": "=",
        "│": "|",
        "┃": "|",
        "├": "+",
        "└": "+",
        "┌": "+",
        "┐": "+",
        "┘": "+",
        "╭": "+",
        "╮": "+",
        "╰": "+",
        "╯": "+",
        "┤": "+",
        "┬": "+",
        "┴": "+",
        "┼": "+",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "›": ">",
        "‹": "<",
        "…": "~",
        "–": "-",
        "—": "-",
        "·": ".",
        "×": "x",
        "≥": ">",
        "≤": "<",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "ß": "s",
        "\N{NO-BREAK SPACE}": " ",
        "▁": "_",
        "▂": "_",
        "▃": "-",
        "▄": "-",
        "▅": "=",
        "▆": "=",
        "▇": "#",
    }
)

_only_ascii = False


def use_ascii(only_ascii: bool) -> None:
    """Say once, at the start, whether the terminal shows nothing but ASCII; every text then goes without more."""
    global _only_ascii
    _only_ascii = only_ascii
    _clean_cached.cache_clear()


def is_ascii() -> bool:
    """Whether texts are kept to ASCII."""
    return _only_ascii


def sign(severity: Tone) -> str:
    """One cell that tells the severity without colour; "" for none."""
    return (_ASCII_SIGNS if _only_ascii else _SIGNS)[severity]


def to_ascii(text: str) -> str:
    """Our own signs as their ASCII kin, letters without their accents, anything else as "?"; keeps the length in
    cells for our signs and for Latin letters."""
    plain = unicodedata.normalize("NFKD", text.translate(_ASCII))
    return "".join(
        char if char.isascii() else "?" for char in plain if unicodedata.category(char) not in ("Mn", "Me", "Mc")
    )


# --- hostile text -----------------------------------------------------------------------------------

MARK = "\N{REPLACEMENT CHARACTER}"
"""Stands where something was removed."""
_MAX_COMBINING = 2
_UNSEEN = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f\u180b\u180c\u180d\u180f")
"""Characters that show as nothing although Unicode counts them as letters, marks or symbols."""


_DISPUTED = (
    (0xFE00, 0xFE0F),
    (0xE0100, 0xE01EF),  # variation selectors change the width of what is before them
    (0x2630, 0x2637),
    (0x268A, 0x268F),
    (0x4DC0, 0x4DFF),
    (0x1D300, 0x1D376),  # grew from one cell to two with Unicode 16
    (0xD7B0, 0xD7FF),
)
"""Characters whose width differs between terminals."""


def clean(text: object) -> str:
    """Text from a device, a file or a feed as one line that cannot move, colour or hide anything.

    Control, format (bidirectional, zero-width), surrogate, private and unassigned characters, pictographs whose width
    terminals disagree on, and piles of combining marks become one `MARK` for each run; white space becomes a blank.
    """
    raw = text if isinstance(text, str) else str(text)
    if raw.isascii() and raw.isprintable():
        return raw
    return _clean_cached(raw)


def safe(text: object) -> str:
    """Like `clean`, for files: with all its letters, whatever the terminal shows."""
    raw = text if isinstance(text, str) else str(text)
    return raw if raw.isascii() and raw.isprintable() else _without_hostile(raw)


@lru_cache(maxsize=4096)
def _clean_cached(raw: str) -> str:
    cleaned = _without_hostile(raw)
    return to_ascii(cleaned) if _only_ascii else cleaned


def _without_hostile(raw: str) -> str:
    kept: list[str] = []
    combining = 0
    for char in raw:
        if char in "\t\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029":
            safe = " "
        elif _is_hostile(char):
            safe = MARK
        elif unicodedata.category(char) in ("Mn", "Me"):
            combining += 1
            if not kept or combining > _MAX_COMBINING + 1:
                safe = MARK
            else:
                kept.append(char if combining <= _MAX_COMBINING else MARK)
                continue
        else:
            safe = char
        if safe == MARK and kept and kept[-1] == MARK:
            continue
        combining = 0
        kept.append(safe)
    return "".join(kept)


@lru_cache(maxsize=4096)
def _is_hostile(char: str) -> bool:
    if char in _UNSEEN:
        return True
    category = unicodedata.category(char)
    if category in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return True
    point = ord(char)
    if any(low <= point <= high for low, high in _DISPUTED):
        return True
    return category in ("So", "Sk") and (point >= 0x1F000 or unicodedata.east_asian_width(char) in "WF")


def clean_lines(text: object) -> list[str]:
    """Like `clean`, but line by line; for texts that may have several."""
    raw = text if isinstance(text, str) else str(text)
    return [clean(line) for line in raw.splitlines()] or [""]


# --- widths -----------------------------------------------------------------------------------------


def cells(text: str) -> int:
    """How many terminal cells a cleaned text takes."""
    if text.isascii():
        return len(text)
    return sum(_char_cells(char) for char in text)


def _char_cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Mc", "Cf", "Cc") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clip(text: str, width: int) -> str:
    """At most `width` cells of a cleaned text, with an ellipsis where something was cut."""
    if width <= 0:
        return ""
    if (len(text) <= width and text.isascii()) or cells(text) <= width:
        return text
    room = width - 1
    used = 0
    for index, char in enumerate(text):
        used += _char_cells(char)
        if used > room:
            return text[:index] + ("~" if _only_ascii else "…")
    return text


def fit(text: str, width: int, align: str = "left") -> str:
    """Exactly `width` cells: clipped or padded; `align` is ``left`` or ``right``."""
    short = clip(text, width)
    blanks = " " * (width - cells(short))
    return blanks + short if align == "right" else short + blanks


# --- numbers ----------------------------------------------------------------------------------------

NOTHING = "–"
"""Stands where there is no value; clean() turns it into ASCII where needed."""


def count(number: int) -> str:
    """``12,345``."""
    return f"{number:,}"


def plural(number: int, noun: str, many: str = "") -> str:
    """``1 device``, ``12,345 devices``."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def share(part: int, whole: int) -> str:
    """A share in whole per cent that never rounds up to 100 or down to 0: ``<1 %``, ``>99 %``."""
    if whole <= 0:
        return NOTHING
    percent = round(100 * part / whole)
    if percent == 0 and part > 0:
        return "<1 %"
    if percent == 100 and part < whole:
        return ">99 %"
    return f"{percent} %"


def build(value: OsBuild | None) -> str:
    """``26100.8390``."""
    return str(value) if value else NOTHING


def kb(number: int | None) -> str:
    """``KB5089466``."""
    return NOTHING if number is None else kb_text(number)


def error_code(code: int | None) -> str:
    """``0x800F0922``; 0 stands for a failure that was told without a code."""
    return NOTHING if code is None else f"0x{code & 0xFFFFFFFF:08X}" if code else "no code"


def words(value: object) -> str:
    """An enum's value or an identifier as words: ``restart-pending`` → ``restart pending``."""
    return str(value).replace("-", " ").replace("_", " ")


def person(user: str) -> str:
    """A sign-in name without its domain: ``alice.meyer@contoso.com`` and ``CONTOSO\\alice.meyer`` → ``alice.meyer``."""
    return user.rpartition("\\")[2].partition("@")[0] or user


def platform_short(platform: str | None) -> str:
    """``W11 24H2``, ``Srv 2025``: the platform where there is little room."""
    if platform is None:
        return NOTHING
    return str(platform).replace("win11-", "W11 ").replace("server-", "Srv ").replace("h2", "H2")


# --- times ------------------------------------------------------------------------------------------


def moment(at: datetime | None, now: datetime | None = None) -> str:
    """``13 May 09:00`` in UTC; with the year where it is not the present one."""
    if at is None:
        return NOTHING
    at = at.astimezone(UTC)
    year = f" {at.year}" if now is not None and at.year != now.astimezone(UTC).year else ""
    return f"{at.day} {at:%b}{year} {at:%H:%M}"


def moment_long(at: datetime | None) -> str:
    """``Wed 13 May 2026 09:00 UTC``."""
    if at is None:
        return NOTHING
    at = at.astimezone(UTC)
    return f"{at:%a} {at.day} {at:%b %Y %H:%M} UTC"


def date(at: datetime | None) -> str:
    """``13 May 2026``."""
    if at is None:
        return NOTHING
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y}"


def month(text: str) -> str:
    """``May 2026`` for ``2026-05``; anything else as it is."""
    try:
        return f"{datetime.fromisoformat(f'{text}-01'):%b %Y}"
    except ValueError:
        return text


def hours(value: float) -> str:
    """How long after a release: ``14 h``, ``3.5 d``; the same on screens and in reports."""
    return f"{value:.0f} h" if value < 72 else f"{value / 24:.1f} d"


def duration(span: timedelta) -> str:
    """A length of time in its largest fitting unit: ``40 s``, ``12 min``, ``3 h``, ``5 d``, ``3 wk``, ``2 y``."""
    seconds = int(abs(span.total_seconds()))
    for limit, size, unit in (
        (90, 1, "s"),
        (90 * 60, 60, "min"),
        (36 * 3600, 3600, "h"),
        (21 * 86400, 86400, "d"),
        (730 * 86400, 7 * 86400, "wk"),
    ):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // (365 * 86400)} y"


def age(at: datetime | None, now: datetime) -> str:
    """How long ago: ``3 d``; ``now`` within a minute; a time to come reads ``in 3 d``."""
    if at is None:
        return NOTHING
    span = now - at
    if abs(span) < timedelta(minutes=1):
        return "now"
    return duration(span) if span > timedelta(0) else f"in {duration(span)}"


def until(at: datetime | None, now: datetime) -> str:
    """How long still: ``in 3 d``, ``now``, or ``3 d ago``."""
    if at is None:
        return NOTHING
    span = at - now
    if abs(span) < timedelta(minutes=1):
        return "now"
    return f"in {duration(span)}" if span > timedelta(0) else f"{duration(span)} ago"
