"""Writes months to an .ics file that calendar programs take in; importing it again updates their events.

Called by the calendar screen, off the event loop. The file is complete or not there at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.files import write_whole
from engine.model.errors import BadInput

if TYPE_CHECKING:
    from engine.catalog.calendar import MonthPlan


def write_ics(path: Path, plans: Iterable[MonthPlan], now: datetime, *, state: Path) -> None:
    """Write the months.

    Raises:
        BadInput: the name does not end in .ics, or as `write_whole`.
    """
    from engine.catalog.ics import calendar_ics

    if path.suffix.lower() != ".ics":
        raise BadInput("This kind of file is not known.", "", "Let its name end in .ics.", file=str(path))
    write_whole(path, [calendar_ics(plans, now).decode()], state=state)
