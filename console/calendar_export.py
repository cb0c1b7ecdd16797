"""Writes months to an .ics file that calendar programs take in; importing it again updates their events.

Called by the calendar screen, off the event loop. The file is complete or not there at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.calendar import MonthPlan


def write_ics(path: Path, plans: Iterable[MonthPlan], now: datetime) -> None:
    """Write the months; an older file of that name is replaced.

    Raises:
        BadInput: the name does not end in .ics, or the file cannot be written.
    """
    from engine.ics import calendar_ics

    if path.suffix.lower() != ".ics":
        raise BadInput("This kind of file is not known.", "", "Let its name end in .ics.", file=str(path))
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.write_bytes(calendar_ics(plans, now))
        unfinished.replace(path)
    except OSError as error:
        raise BadInput(
            "The file cannot be written.", f"{error.strerror}.", "Name a file in a folder of yours.", file=str(path)
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
