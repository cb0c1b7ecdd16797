"""The bundled sample fleet as a file: JSON lines, a header and then a device a line.

`python -m engine.providers.simulated` writes it, a demo reads it. Facts that say nothing are left out; installs are
arrays in the order of `INSTALL_COLUMNS`. Whatever is read is checked, line by line as it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from data import packaged
from engine.model.build import OsBuild, Platform
from engine.model.errors import BadInput
from engine.model.facts import FACTS
from engine.model.model import DeviceFacts, InstallAction, InstallState
from engine.model.sample import PastInstall, SampleDevice

FILE_NAME = "sample_fleet.jsonl"
FORMAT = "hotpatch-console sample fleet"
VERSION = 1
INSTALL_COLUMNS = (
    "kb action state attempt requested_at started_after finished_after error_code build_before build_after "
    "restarted requested_by open_failure reason"
).split()
"""`requested_at` in seconds since 1970 UTC, the two after it in seconds from there; builds as revisions; action, state,
`requested_by` and `reason` as positions in the header's list of texts."""

T = TypeVar("T")
D = TypeVar("D")


def dump_fleet(devices: Iterable[SampleDevice], *, seed: int, size: int, now: datetime) -> Iterator[str]:
    """The lines of a fleet's file, each with its line feed. The fleet is held in memory: it is meant to be small."""
    held = list(devices)
    texts = _texts(each for device in held for each in device.history)
    header = {"format": FORMAT, "version": VERSION, "seed": seed, "size": size, "now": int(now.timestamp())}
    yield _line({**header, "installs": INSTALL_COLUMNS, "texts": list(texts)})
    for device in held:
        kept = {name: _plain(value) for name, value in _facts(device.facts) if value not in _SAYS_NOTHING}
        kept["ring"] = device.ring
        if device.external_id != device.facts.name:
            kept["external_id"] = device.external_id
        kept["history"] = [_install(each, texts) for each in device.history]
        yield _line(kept)


def load_bundled_fleet() -> Iterator[SampleDevice]:
    """The default fleet that travels with the program.

    Raises:
        BadInput: the packaged file is damaged.
    """
    yield from load_fleet(packaged(FILE_NAME).splitlines(), FILE_NAME)


def load_fleet(lines: Iterable[str], name: str) -> Iterator[SampleDevice]:
    """Read a fleet's file one device at a time; `name` is the file's, for messages.

    Raises:
        BadInput: a line is not what it should be; the message names line and field.
    """
    texts: Sequence[str] | None = None
    for number, text in enumerate(lines, 1):
        line = _Line(name, number, text)
        if texts is None:
            texts = line.header_texts()
        else:
            yield line.device(texts)
    if texts is None:
        raise BadInput("The file is empty.", "", "Write it anew with: make sample-fleet", file=name)


_SAYS_NOTHING = (None, "", "unknown")


def _facts(facts: DeviceFacts) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(facts, name)) for name, _, _ in _FACTS)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return int(value.timestamp())
    return str(value) if isinstance(value, OsBuild) else value


def _texts(installs: Iterable[PastInstall]) -> Mapping[str, int]:
    """Each text that installs repeat, with its position."""
    found: dict[str, int] = {}
    for install in installs:
        for text in (install.action, install.state, install.requested_by, install.reason):
            found.setdefault(str(text), len(found))
    return found


def _install(install: PastInstall, texts: Mapping[str, int]) -> list[object]:
    requested_at = int(install.requested_at.timestamp())
    return [
        install.kb,
        texts[install.action],
        texts[install.state],
        install.attempt,
        requested_at,
        int(install.started_at.timestamp()) - requested_at,
        int(install.finished_at.timestamp()) - requested_at,
        None if install.error_code is None else f"0x{install.error_code:08X}",
        None if install.build_before is None else install.build_before.revision,
        None if install.build_after is None else install.build_after.revision,
        int(install.restarted),
        texts[install.requested_by],
        int(install.open_failure),
        texts[install.reason],
    ]


def _line(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


class _Line:
    """One line of the file, and how to complain about it."""

    def __init__(self, file: str, line: int, text: str) -> None:
        self._file = file
        self._number = line
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise self._bad("", "The line is not JSON.", f"{error.msg}.") from None
        if not isinstance(value, dict):
            raise self._bad("", "The line is not a JSON object.")
        self._fields: Mapping[str, Any] = value

    def header_texts(self) -> Sequence[str]:
        """Check the header, and return its list of texts."""
        if self._fields.get("format") != FORMAT or self._fields.get("version") != VERSION:
            raise self._bad("format", "This is not a sample fleet of this version.")
        if self._fields.get("installs") != INSTALL_COLUMNS:
            raise self._bad("installs", "The columns of installs are not the expected ones.")
        return self._read("texts", lambda value: [_checked(str, each) for each in _checked(list, value)], [])

    def device(self, texts: Sequence[str]) -> SampleDevice:
        name = self._text("name", needed=True)
        told: dict[str, Any] = {
            field: self._read(field, read, default) for field, read, default in _FACTS if field != "name"
        }
        facts = DeviceFacts(name=name, **told)
        platform = facts.platform
        history = self._read("history", lambda value: _checked(list, value), [])
        if history and platform is None:
            raise self._bad("platform", "Installs without a platform.")
        return SampleDevice(
            self._text("external_id") or name,
            facts,
            self._text("ring"),
            tuple(self._past(row, platform, texts) for row in history if platform is not None),
        )

    def _past(self, row: object, platform: Platform, texts: Sequence[str]) -> PastInstall:
        try:
            values = _checked(list, row)
            requested_at = _moment(values[4])
            return PastInstall(
                kb=_whole(values[0]),
                platform=platform,
                action=InstallAction(texts[_whole(values[1])]),
                state=InstallState(texts[_whole(values[2])]),
                attempt=_whole(values[3]),
                requested_at=requested_at,
                started_at=requested_at + timedelta(seconds=_whole(values[5])),
                finished_at=requested_at + timedelta(seconds=_whole(values[6])),
                error_code=None if values[7] is None else int(_checked(str, values[7]), 16),
                build_before=_revision(platform, values[8]),
                build_after=_revision(platform, values[9]),
                restarted=bool(_whole(values[10])),
                requested_by=texts[_whole(values[11])],
                open_failure=bool(_whole(values[12])),
                reason=texts[_whole(values[13])],
            )
        except (ValueError, IndexError, OverflowError) as error:
            raise self._bad("history", "An install cannot be read.", f"{error}.") from None

    def _text(self, field: str, *, needed: bool = False) -> str:
        found = self._read(field, lambda value: _checked(str, value), "")
        if needed and not found:
            raise self._bad(field, "The field is missing.")
        return found

    def _read(self, field: str, read: Callable[[Any], T], default: D) -> T | D:
        value = self._fields.get(field)
        if value is None:
            return default
        try:
            return read(value)
        except (ValueError, OverflowError) as error:
            raise self._bad(field, "The value cannot be used.", f"{error}.") from None

    def _bad(self, field: str, what: str, why: str = "") -> BadInput:
        return BadInput(
            what, why, "Write it anew with: make sample-fleet", file=self._file, line=self._number, field=field
        )


def _checked(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} is not {_KIND_WORDS[kind]}")
    return value


_KIND_WORDS: Mapping[type, str] = {str: "a text", bool: "true or false", list: "a list", int: "a whole number"}


def _whole(value: object) -> int:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return _checked(int, value)


def _moment(value: object) -> datetime:
    return datetime.fromtimestamp(_whole(value), UTC)


_READERS: Mapping[type, Callable[[Any], object]] = {
    str: lambda value: _checked(str, value),
    bool: lambda value: _checked(bool, value),
    int: _whole,
    OsBuild: lambda value: OsBuild.parse(_checked(str, value)),
    datetime: _moment,
}


_FACTS = tuple((each.name, _READERS.get(each.kind, each.kind), each.not_told) for each in FACTS if each.in_lists)
"""Each fact of a file with what reads it, by its type, and what stands for it where the file is silent."""


def _revision(platform: Platform, value: object) -> OsBuild | None:
    return None if value is None else OsBuild(platform.build_number, _whole(value))
