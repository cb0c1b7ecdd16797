"""How times, builds, codes and records become JSON values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from engine.model.build import OsBuild, kb_text

Document = dict[str, object]


def iso(at: datetime | None) -> str | None:
    """``2026-05-13T09:00:00Z``."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build_text(build: OsBuild | None) -> str | None:
    return None if build is None else str(build)


def optional_kb(kb: int | None) -> str | None:
    return None if kb is None else kb_text(kb)


def code_text(code: int | None) -> str | None:
    """``0x800F0922``."""
    return f"0x{code & 0xFFFFFFFF:08X}" if code else None


def day(value: date) -> str:
    return value.isoformat()


def plain(value: object) -> object:
    """A record as JSON values, field by field, for records whose shape scripts take as it is."""
    if isinstance(value, OsBuild):
        return str(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Struct):
        return {name.removesuffix("_at"): plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [plain(each) for each in value]
    return value
