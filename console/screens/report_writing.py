"""Asks for a file and writes a report to it in the background: from the palette, and with key `e` on the overview.

Periods and filters are the command's: here a report is about the whole fleet, over its usual period.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from console.dialogs.ask import AskDialog
from console.dialogs.choose import Choice, ChooseDialog
from console.reports.making import ENDINGS, KINDS, ReportRequest, own_rates
from console.text import share
from engine.model.errors import BadInput, EngineError

if TYPE_CHECKING:
    from console.screens.base import ConsoleScreen
    from engine import Engine

HINT = "For a period or some devices: hotpatch report --help"


async def choose_and_write(screen: ConsoleScreen) -> None:
    """Which report, then `write_report`; for dialog workers."""
    choices = [Choice(kind, kind.capitalize(), words) for kind, words in KINDS.items()]
    kind = await screen.app.push_screen_wait(ChooseDialog("Write a report", choices))
    if kind is not None:
        await write_report(screen, kind)


async def write_report(screen: ConsoleScreen, kind: str) -> None:
    """Ask for the file and write it while the console goes on; for dialog workers."""
    shell = screen.shell
    name = await screen.app.push_screen_wait(
        AskDialog(
            f"Report: {kind}",
            "File, its name ending in .html, .md or .csv:",
            value=f"{kind}-{shell.present():%Y-%m-%d}.html",
            hint=HINT,
            check=partial(_what_is_wrong, state=Path(shell.info.path) if shell.info is not None else None),
        )
    )
    if name is None:
        return
    path = Path(name).expanduser()
    screen.app.run_worker(_write(screen, kind, path), group="report", exclusive=False)


async def _write(screen: ConsoleScreen, kind: str, path: Path) -> None:
    shell = screen.shell
    request = ReportRequest(kind, rates=own_rates(shell.settings))
    tell = shell.background.tell
    try:
        await shell.background.fetch(partial(_make_and_write, request=request, path=path, tell=tell), long=True)
    except EngineError as error:
        shell.say_error(error)
    else:
        shell.say(f"Wrote the {kind} report to {path.name}.")


def _make_and_write(engine: Engine, *, request: ReportRequest, path: Path, tell: Callable[[str], None]) -> None:
    """On the background's thread for long questions."""
    from console.files import write_whole
    from console.reports.csv import BYTE_ORDER_MARK
    from console.reports.making import lines, make

    def progress(what: str, done: int, whole: int) -> None:
        tell(f"report: {what} {share(done, whole)}" if whole else f"report: {what}")

    format = ENDINGS[path.suffix.lower()]
    try:
        pieces = lines(make(engine, request, progress).report, format)
        write_whole(path, [BYTE_ORDER_MARK, *pieces] if format == "csv" else pieces, state=Path(engine.info().path))
    finally:
        tell("")


def _what_is_wrong(name: str, state: Path | None) -> str:
    """Why a report cannot be written to this file, "" when it can."""
    from console.files import check_target

    path = Path(name).expanduser()
    if path.suffix.lower() not in ENDINGS:
        return f"Let its name end in {', '.join(ENDINGS)}."
    try:
        check_target(path, state=state)
    except BadInput as error:
        return " ".join(part for part in (error.what, error.why) if part)
    return ""
