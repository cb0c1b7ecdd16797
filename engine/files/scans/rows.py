"""Turns one row of an export into a finding, or says what is wrong with it; CSV and JSON both end here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from engine.files.lines import is_foreign
from engine.files.moments import AmbiguousDate, DateOrder, read_moment
from engine.files.scans.finding import BadLine, ScanFinding, SkippedLine
from engine.files.scans.layouts import Places

ScannedLine = ScanFinding | BadLine | SkippedLine

_CVE = re.compile(r"CVE-\d{4}-\d{4,7}(?!\d)", re.IGNORECASE)
_WINDOWS = re.compile(r"\bwindows\b|\bmicrosoft\b|\bkb ?\d{6,8}\b|(?:^|[\s,])5\d{6}(?=$|[\s,])", re.IGNORECASE)
_BESIDE_WINDOWS = re.compile(
    r"(?<!\w)(?:edge|office|excel|word|outlook|exchange|sharepoint|onedrive|teams|visual studio|sql server|\.net)\b",
    re.IGNORECASE,
)
"""Products of Microsoft that Windows servicing does not bring."""
_WINDOWS_ITSELF = re.compile(r"windows_(?:10|11|server)(?:_|$)|kb ?\d{6,8}\b.*\bwindows\b", re.IGNORECASE)
"""Defender's name of the software, or the title of a check for one cumulative update. Titles that speak of a month's
updates say nothing: those list what is fixed in any Windows."""
_NOTHING = frozenset({"", "-", "'-", "n/a", "na", "none", "null", "unknown"})
_CLOSED_STATES = frozenset({"fixed", "resolved"})
_LONGEST_HOST = 255
_LONGEST_TEXT = 300
_KNOWN_CHECKS = 20_000


class ScanRowReader:
    """Makes findings of the rows of one layout. `columns` names what it wants of a row, in its order."""

    def __init__(self, places: Places, dates: DateOrder) -> None:
        layout = places.layout
        self._scanner = layout.scanner
        self._dates = dates
        self.columns: list[str] = []
        self._host = self._slots(places, layout.host)
        self._finding_id = self._slots(places, layout.finding_id)
        self._cve = self._slots(places, layout.cve)
        self._title = self._slots(places, layout.title)
        self._severity = self._slots(places, layout.severity)
        self._seen_at = self._slots(places, layout.seen_at)
        self._state = self._slots(places, layout.state)
        self._device_key = self._slots(places, layout.device_key)
        self._vendor = self._slots(places, layout.vendor)
        self._software = self._slots(places, layout.software)
        self._version = self._slots(places, layout.version)
        self._evidence = self._slots(places, layout.evidence)
        self._is_other: dict[str, bool] = {}

    def _slots(self, places: Places, columns: Sequence[str]) -> tuple[int, ...]:
        headers = places.headers(columns)
        start = len(self.columns)
        self.columns += headers
        return tuple(range(start, start + len(headers)))

    def read(self, line: int, cells: Sequence[str]) -> ScannedLine:
        """One row; `cells` are those of `columns`.

        Raises:
            AmbiguousDate: 5/6/2026, and nothing shows which is the month.
        """
        if _first(cells, self._state).casefold() in _CLOSED_STATES:
            return SkippedLine(line)
        told = _first(cells, self._cve)
        cves = cves_in(told)
        if not cves and "cve" in told.casefold():
            return BadLine(line, self._name(self._cve), f"{_short(told)} is no CVE; write it like CVE-2026-20952")
        if not cves and self._software:
            return SkippedLine(line)  # Defender lists software without a vulnerability too
        hosts = self._hosts(cells)
        if not hosts:
            return BadLine(line, self._name(self._host), "no host is named; export with a DNS name, NetBIOS name or IP")
        if any(len(host) > _LONGEST_HOST for host in hosts):
            return BadLine(line, self._name(self._host), f"a host's name has at most {_LONGEST_HOST} characters")
        seen = _first(cells, self._seen_at)
        try:
            seen_at = moment_of(seen, self._dates) if seen else None
        except AmbiguousDate:
            raise
        except ValueError as error:
            return BadLine(line, self._name(self._seen_at), plain(str(error)))
        title = _text(_first(cells, self._title))
        return ScanFinding(
            line=line,
            scanner=self._scanner,
            finding_id=_text(_first(cells, self._finding_id)) or (cves[0] if cves else ""),
            hosts=hosts,
            device_key=_text(_first(cells, self._device_key)),
            cves=cves,
            title=title,
            severity=_text(_first(cells, self._severity)),
            other_software=self._other_software(cells, title),
            seen_at=seen_at,
            about_windows=self._about_windows(cells, title),
        )

    def _name(self, slots: tuple[int, ...]) -> str:
        return self.columns[slots[0]] if slots else ""

    def _hosts(self, cells: Sequence[str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for slot in self._host:
            host = cells[slot].strip().lstrip("'").split(",", 1)[0].strip().rstrip(".")
            if host.casefold() not in _NOTHING:
                found[plain(host)] = None
        return tuple(found)

    def _about_windows(self, cells: Sequence[str], title: str) -> bool:
        """Whether it is surely about Windows, and about nothing beside it."""
        said = _first(cells, self._software) if self._software else title
        return _WINDOWS_ITSELF.match(said) is not None and (
            bool(self._software) or _BESIDE_WINDOWS.search(title) is None
        )

    def _other_software(self, cells: Sequence[str], title: str) -> str:
        """The software where it is surely not Windows."""
        if self._software:
            name = _first(cells, self._software)
            if not name or name.casefold().startswith("windows"):
                return ""
            parts = (_first(cells, self._vendor), name, _first(cells, self._version))
            return _text(" ".join(part.replace("_", " ") for part in parts if part))
        key = f"{_first(cells, self._finding_id)}\n{title}"
        is_other = self._is_other.get(key)
        if is_other is None:
            if len(self._is_other) >= _KNOWN_CHECKS:
                self._is_other.clear()
            is_other = self._is_other[key] = _is_other_software(title, [cells[slot] for slot in self._evidence])
        return title if is_other else ""


def text_of(value: Any) -> str:
    """A JSON value as a cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(each for each in value if isinstance(each, str))
    return str(value) if isinstance(value, int | float) else ""


@lru_cache(maxsize=8_192)
def cves_in(text: str) -> tuple[str, ...]:
    """The CVEs that a cell names, in capitals, each once."""
    return tuple(dict.fromkeys(found.upper() for found in _CVE.findall(text)))


@lru_cache(maxsize=8_192)
def moment_of(text: str, order: DateOrder) -> datetime | None:
    """A written time; scanners repeat the same one for each finding of a host."""
    return read_moment(text.lstrip("'"), order)


def plain(text: str) -> str:
    """The text with what is not of the file's encoding replaced."""
    return text.encode("utf-8", "replace").decode("utf-8") if is_foreign(text) else text


def _first(cells: Sequence[str], slots: tuple[int, ...]) -> str:
    for slot in slots:
        cell = cells[slot].strip()
        if cell and cell.casefold() not in _NOTHING:
            return cell
    return ""


def _text(text: str) -> str:
    return plain(text)[:_LONGEST_TEXT]


def _is_other_software(title: str, evidence: Sequence[str]) -> bool:
    """Whether a check is surely not about Windows: it says something, and nothing of it speaks of Windows."""
    said = " ".join(each for each in evidence if each.strip())
    if not said.strip():
        return False
    if "windows" not in title.casefold() and _BESIDE_WINDOWS.search(title):
        return True
    return _WINDOWS.search(said) is None


def _short(text: str) -> str:
    shown = plain(" ".join(text.split()))
    return repr(shown if len(shown) <= 40 else shown[:39] + "…")
