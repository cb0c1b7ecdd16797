"""Turns one stated row into device facts or into a reason why not; both readers end here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from engine.files.devices.columns import EMAIL, MANUFACTURER, OPERATING_SYSTEM
from engine.files.devices.record import DeviceRecord
from engine.files.moments import DateOrder, read_moment
from engine.model.build import OsBuild, Platform
from engine.model.model import ChpeState, DeviceFacts, FormFactor, Management, PolicyState, Subscription, VbsState
from engine.rules.readiness.values import EditionClass, edition_class

_SERVER_REVISIONS_FROM = 30_000
"""Since January 2026 build 26100 of Server 2025 carries revisions above 32000; clients stay below (MSRC)."""


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
            record = DeviceRecord.model_validate(cells)
            facts = self._facts(record, cells, has_last_seen=has_last_seen)
        except ValidationError as error:
            return _bad(line, error)
        except _WrongTime as error:
            return BadRow(line, error.field, str(error))
        identity = record.id or record.name.casefold()
        # Hashes, not names: a million of them fit in 60 MB, and two devices share one in 10**12 files.
        if (mark := hash(identity)) in self._seen:
            which = f"id {record.id}" if record.id else f"name {record.name}"
            return BadRow(line, "id" if record.id else "name", f"the {which} stands earlier in this file")
        self._seen.add(mark)
        return ImportedRow(line, identity, facts, record.ring or None, unknown)

    def _facts(self, record: DeviceRecord, cells: Mapping[str, Any], *, has_last_seen: bool) -> DeviceFacts:
        platform = record.platform if cells.get("platform") else _platform_by_build(record, intune=self._intune)
        last_seen = self._moment("last_seen_at", record.last_seen_at)
        return DeviceFacts(
            name=record.name,
            platform=platform,
            architecture=record.architecture,
            build=record.build,
            edition=record.edition,
            form=record.form or _form_of(record, platform),
            user=record.user or (_text(cells.get(EMAIL)) if self._intune else ""),
            user_name=record.user_name,
            domain=record.domain,
            serial=record.serial,
            asset_tag=record.asset_tag,
            site=record.site,
            model=_model(record.model, _text(cells.get(MANUFACTURER))) if self._intune else record.model,
            driver=record.driver,
            cores=record.cores,
            licence=record.licence,
            management=record.management or Management.UNKNOWN,
            policy=record.policy or PolicyState.UNKNOWN,
            policy_name=record.policy_name,
            subscription=record.subscription or Subscription.UNKNOWN,
            vbs=record.vbs or VbsState.UNKNOWN,
            chpe=record.chpe or ChpeState.UNKNOWN,
            restart_pending=record.restart_pending,
            boot_at=self._moment("boot_at", record.boot_at),
            last_seen_at=last_seen if has_last_seen else self._told_at,
            provider=self._provider,
        )

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


def _platform_by_build(record: DeviceRecord, *, intune: bool) -> Platform | None:
    """The platform that build and edition prove; Intune manages clients only."""
    build: OsBuild | None = record.build
    if build is None:
        return None
    if build.number == Platform.WIN11_25H2.build_number:
        return Platform.WIN11_25H2
    if build.number == Platform.SERVER_2022.build_number:
        return Platform.SERVER_2022
    if build.number != Platform.WIN11_24H2.build_number:
        return None
    kind = edition_class(record.edition)
    if intune or kind in (EditionClass.ENTERPRISE, EditionClass.PRO, EditionClass.LTSC, EditionClass.HOME):
        return Platform.WIN11_24H2
    server = record.form is FormFactor.SERVER or kind in (EditionClass.AZURE, EditionClass.SERVER)
    return Platform.SERVER_2025 if server or build.revision >= _SERVER_REVISIONS_FROM else None


def _form_of(record: DeviceRecord, platform: Platform | None) -> FormFactor:
    if record.model.casefold().startswith("cloud pc"):
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
