"""What `hotpatch doctor` looks at. Each check says what it found and what would help; none raises."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from console import text
from console.cli.session import Session, configuration_file, package_version, system_user
from engine.model.errors import EngineError

if TYPE_CHECKING:
    from engine import Engine

_OLDEST_PYTHON = (3, 11)
_LEAST_WIDTH, _LEAST_HEIGHT = 80, 24


class Result(StrEnum):
    """How a check ended."""

    OK = "ok"
    ATTENTION = "attention"
    NOTE = "note"
    """Worth knowing, nothing to do."""


class DoctorCheck(Struct, frozen=True):
    """One check."""

    check: str
    result: Result
    found: str
    fix: str = ""


def examine(session: Session) -> tuple[DoctorCheck, ...]:
    """Every check, in the order in which one would look."""
    return (
        _python(),
        _terminal(),
        *_guarded("settings", lambda: _settings(session)),
        *_guarded("state file", lambda: _state(session)),
    )


def _guarded(check: str, work: Callable[[], Iterator[DoctorCheck]]) -> list[DoctorCheck]:
    """The findings of a check; what it cannot do is a finding as well."""
    found: list[DoctorCheck] = []
    try:
        found.extend(work())
    except EngineError as error:
        found.append(
            DoctorCheck(check, Result.ATTENTION, " ".join(filter(None, (error.what, error.why))), error.instead)
        )
    return found


def _python() -> DoctorCheck:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return DoctorCheck("python", Result.ATTENTION, version, "Use Python 3.11 or later.")
    return DoctorCheck("python", Result.OK, f"{version}, hotpatch-console {package_version()}")


def _terminal() -> DoctorCheck:
    name = os.environ.get("TERM", "")
    if sys.stdout is None or not sys.stdout.isatty():
        return DoctorCheck("terminal", Result.NOTE, "none; the output goes to a file or a pipe")
    size = os.get_terminal_size(sys.stdout.fileno())
    encoding = (sys.stdout.encoding or "").lower()
    found = f"{name or 'TERM is not set'}, {size.columns}x{size.lines}, {encoding}"
    if name in ("", "dumb"):
        return DoctorCheck("terminal", Result.ATTENTION, found, "The console needs a real terminal; commands do not.")
    if size.columns < _LEAST_WIDTH or size.lines < _LEAST_HEIGHT:
        return DoctorCheck("terminal", Result.ATTENTION, found, f"Make it {_LEAST_WIDTH}x{_LEAST_HEIGHT} or larger.")
    if "utf" not in encoding:
        return DoctorCheck("terminal", Result.NOTE, f"{found}; signs are drawn in ASCII")
    return DoctorCheck("terminal", Result.OK, found)


def _settings(session: Session) -> Iterator[DoctorCheck]:
    path = configuration_file()
    exists = path.exists()
    role = session.role  # reads the file, and raises what is wrong with it
    where = str(path) if exists else f"no file {path}; everything is as it comes"
    yield DoctorCheck("settings", Result.OK, where)
    yield DoctorCheck("role", Result.OK, f"{system_user()} is {role}")
    yield from _runbooks(path.parent / "runbooks")


def _runbooks(folder: Path) -> Iterator[DoctorCheck]:
    if not folder.exists():
        return
    from engine.rules.failures import runbooks

    troubles = runbooks.problems(folder)
    if not troubles:
        yield DoctorCheck("runbooks", Result.OK, f"{len(list(folder.glob('*.md')))} of your own")
    for each in troubles:
        yield DoctorCheck("runbooks", Result.ATTENTION, f"{each.what} {each.why}", each.instead)


def _state(session: Session) -> Iterator[DoctorCheck]:
    path = session.path()
    with session.engine() as engine:
        info = engine.info()
        size = path.stat().st_size / 1_000_000
        kind = "demo" if info.demo is not None else "fleet"
        yield DoctorCheck(
            "state file", Result.OK, f"{path}, {kind}, {text.plural(info.devices, 'device')}, {size:.1f} MB"
        )
        if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
            yield DoctorCheck("permission", Result.ATTENTION, "read only", "Give yourself the right to write it.")
        yield _lease(engine, info.driver)
        yield _audit(engine)
        yield _backup(engine, info.now)
        yield _catalog(engine, info.now)


def _lease(engine: Engine, driver: str) -> DoctorCheck:
    waiting = len(engine.reads.rollout.active(1))
    if driver:
        return DoctorCheck("work", Result.OK, f"driven by {driver}")
    if waiting:
        return DoctorCheck(
            "work", Result.ATTENTION, "installs wait and nobody drives them", "Open the console, or: hotpatch run"
        )
    return DoctorCheck("work", Result.NOTE, "nobody drives it, and nothing waits")


def _audit(engine: Engine) -> DoctorCheck:
    check = engine.reads.activity.audit_check()
    if check.broken is not None:
        fix = "Compare with a backup; somebody wrote to the file by other means."
        return DoctorCheck("audit", Result.ATTENTION, check.broken.why, fix)
    return DoctorCheck("audit", Result.OK, f"holds, {text.plural(check.records, 'record')}; the last is {check.head}")


def _backup(engine: Engine, now: datetime) -> DoctorCheck:
    made_at = engine.reads.activity.last_backup()
    if made_at is None:
        return DoctorCheck("backup", Result.NOTE, "none was made yet", "Make one: hotpatch backup FILE")
    return DoctorCheck("backup", Result.OK, f"the last was made {text.until(made_at, now)}")


def _catalog(engine: Engine, now: datetime) -> DoctorCheck:
    from engine.catalog.calendar import last_document_month

    newest = max((row.release.month for row in engine.reads.releases.all()), default="")
    expected = last_document_month(now)
    if not newest:
        return DoctorCheck("catalog", Result.ATTENTION, "no releases", "Fetch them: hotpatch catalog sync")
    if newest < expected:
        found = f"its newest month is {newest}, {expected} is out"
        return DoctorCheck("catalog", Result.ATTENTION, found, "Bring it up to date: hotpatch catalog sync")
    return DoctorCheck("catalog", Result.OK, f"up to {newest}")
