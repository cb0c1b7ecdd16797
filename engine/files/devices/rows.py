"""Turns one stated row into device facts or into a reason why not; both readers end here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from engine.files.devices.columns import EMAIL, MANUFACTURER, OPERATING_SYSTEM
from engine.files.devices.record import stated
from engine.files.moments import DateOrder, read_moment
from engine.model.build import OsBuild, Platform
from engine.model.facts import FACTS
from engine.model.model import DeviceFacts, FormFactor
from engine.rules.readiness.values import EditionClass, edition_class

_SERVER_REVISIONS_FROM = 30_000
"""Since January 2026 build 26100 of Server 2025 carries revisions above 32000; clients stay below (MSRC)."""
_TIMES = tuple(each.name for each in reversed(FACTS) if each.shape is datetime)
"""The check-in first."""


class ImportedRow(Struct, frozen=True):
    """A row that states a device."""

    line: int
    external_id: str
    """What tells devices apart: the file's id, else the name without case."""
    facts: DeviceFacts
    ring: str | None
    unknown_columns: tuple[str, ...]
    """Columns of the row that are not read."""


class BadRow(Struct, frozen=True):
    """A row that states none."""

    line: int
    field: str
    """The column, "" where the whole row is meant."""
    reason: str


class SkippedRow(Struct, frozen=True):
    """A row about something that is no Windows device, such as a telephone in Intune's list."""

    line: int
    name: str
    reason: str


Row = ImportedRow | BadRow | SkippedRow


class DeviceRowReader:
    """Makes rows of one file: knows its form, its order of dates, and which devices it has named already."""

    def __init__(self, *, intune: bool, told_at: datetime, provider: str, dates: DateOrder) -> None:
        self._intune = intune
        self._told_at = told_at
        self._provider = provider
        self.dates = dates
        self._seen: set[int] = set()

    def read(self, line: int, cells: Mapping[str, Any], unknown: tuple[str, ...], *, has_last_seen: bool) -> Row:
        """One row. `cells` goes by our column names; `has_last_seen` says whether the file tells check-ins at all."""
        if self._intune and (skipped := _not_windows(line, cells)):
            return skipped
        try:
            told = stated(cells)
            id, ring = told.pop("id"), told.pop("ring")
            facts = self._facts(told, cells, has_last_seen=has_last_seen)
        except ValidationError as error:
            return _bad(line, error)
        except _WrongTime as error:
            return BadRow(line, error.field, str(error))
        identity = id or facts.name.casefold()
        # Hashes, not names: a million of them fit in 60 MB, and two devices share one in 10**12 files.
        if (mark := hash(identity)) in self._seen:
            which = f"id {id}" if id else f"name {facts.name}"
            return BadRow(line, "id" if id else "name", f"the {which} stands earlier in this file")
        self._seen.add(mark)
        return ImportedRow(line, identity, facts, ring or None, unknown)

    def _facts(self, told: dict[str, Any], cells: Mapping[str, Any], *, has_last_seen: bool) -> DeviceFacts:
        """What a row states, with what follows from it where it is silent."""
        if not cells.get("platform"):
            told["platform"] = _platform_by_build(told, intune=self._intune)
        if not cells.get("form"):
            told["form"] = _form_of(told["model"], told["platform"])
        for time in _TIMES:
            told[time] = self._moment(time, told[time])
        if not has_last_seen:
            told["last_seen_at"] = self._told_at
        if self._intune:
            told["user"] = told["user"] or _text(cells.get(EMAIL))
            told["model"] = _model(told["model"], _text(cells.get(MANUFACTURER)))
        return DeviceFacts(**told, provider=self._provider)

    def _moment(self, field: str, text: str) -> datetime | None:
        if not text:
            return None
        try:
            return read_moment(text, self.dates)
        except ValueError as error:
            raise _WrongTime(field, str(error)) from None


class _WrongTime(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def _not_windows(line: int, cells: Mapping[str, Any]) -> SkippedRow | None:
    system = _text(cells.get(OPERATING_SYSTEM))
    if not system or system.casefold().startswith("windows"):
        return None
    return SkippedRow(line, _text(cells.get("name"))[:60], f"{system[:40]!r} is not Windows")


def _platform_by_build(told: Mapping[str, Any], *, intune: bool) -> Platform | None:
    """The platform that build and edition prove; Intune manages clients only."""
    build: OsBuild | None = told["build"]
    if build is None:
        return None
    if build.number == Platform.WIN11_25H2.build_number:
        return Platform.WIN11_25H2
    if build.number == Platform.SERVER_2022.build_number:
        return Platform.SERVER_2022
    if build.number != Platform.WIN11_24H2.build_number:
        return None
    kind = edition_class(told["edition"])
    if intune or kind in (EditionClass.ENTERPRISE, EditionClass.PRO, EditionClass.LTSC, EditionClass.HOME):
        return Platform.WIN11_24H2
    server = told["form"] is FormFactor.SERVER or kind in (EditionClass.AZURE, EditionClass.SERVER)
    return Platform.SERVER_2025 if server or build.revision >= _SERVER_REVISIONS_FROM else None


def _form_of(model: str, platform: Platform | None) -> FormFactor:
    if model.casefold().startswith("cloud pc"):
        return FormFactor.CLOUD_PC
    return FormFactor.SERVER if platform is not None and platform.is_server else FormFactor.UNKNOWN


def _model(model: str, manufacturer: str) -> str:
    """Intune gives maker and model apart; a model that names its maker, or a Cloud PC, stays as it is."""
    maker = manufacturer.split()[0] if manufacturer.split() else ""
    if not model or not maker or maker.casefold() in model.casefold() or model.casefold().startswith("cloud pc"):
        return model
    return f"{maker} {model}"[:300]


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) and value.isprintable() else ""


_REASONS = {
    "missing": "is missing",
    "string_too_short": "is empty",
    "string_too_long": "is too long: at most {max_length} characters",
    "string_pattern_mismatch": "holds a control character",
    "string_unicode": "holds characters that are no text",
    "string_type": "must be a text",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def _bad(line: int, error: ValidationError) -> BadRow:
    first = error.errors(include_url=False, include_input=False)[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    context = first.get("ctx", {})
    if first["type"] == "value_error":
        return BadRow(line, field, str(context["error"]))
    words = _REASONS.get(first["type"])
    return BadRow(line, field, f"{field} {words.format(**context)}" if words else str(first["msg"]))
