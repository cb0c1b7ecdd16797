"""What is measured of each release and each part of the fleet, as columns of the compliance report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from console import text
from console.reports import cells
from console.reports.model import ReportCell, ReportHead, ReportTable, Row
from console.text import Tone
from engine.model.build import Platform
from engine.model.records.reports import Mark, MarkCount, ReleaseCompliance, SliceCompliance

GOAL = 0.95
"""The share that a release is to reach in the end."""
_POOR = 0.8
_SHARES = (0.5, 0.9, 0.95)
_NAMES = {"ring": "in no ring", "site": "not told", "platform": "unknown"}

MEASURES = (
    ReportHead("devices", "Devices", is_number=True),
    *(
        head
        for mark in Mark
        for head in (
            ReportHead(f"{mark}.protected", f"In {mark.short}", is_number=True),
            ReportHead(f"{mark}.share", "Share", is_number=True),
        )
    ),
    ReportHead("protected_now", "Now", is_number=True),
    ReportHead("share_now", "Share", is_number=True),
    *(ReportHead(f"hours_to.{share:.0%}", f"To {round(100 * share)} %", is_number=True) for share in _SHARES),
)


def severity_of(share: float | None) -> Tone:
    """How a share that is final is to be taken."""
    if share is None:
        return Tone.NONE
    if share >= GOAL:
        return Tone.OK
    return Tone.AT_RISK if share >= _POOR else Tone.FAILED


def severity_now(of: SliceCompliance) -> Tone:
    """A rollout that is under way is not judged yet."""
    severity = severity_of(of.share_now)
    return Tone.DUE if severity is not Tone.OK and of.mark(Mark.THREE_WEEKS).running else severity


def measures(of: SliceCompliance) -> Row:
    """The cells under `MEASURES`."""
    reached = dict(of.hours_to)
    return (
        cells.count(of.devices),
        *(
            cell
            for mark in Mark
            for cell in (
                cells.count(of.mark(mark).protected),
                cells.ratio(of.mark(mark).share, _running(of.mark(mark))),
            )
        ),
        cells.count(of.protected_now),
        cells.ratio(of.share_now, severity_now(of)),
        *(cells.hours(reached.get(share)) for share in _SHARES),
    )


def present_note(slices: Iterable[SliceCompliance]) -> str:
    """What the present shares are of, where that is not the devices of the release; "" where it is."""
    now = [each.devices_now for each in slices if each.devices_now != each.devices]
    return f"Now counts the {text.plural(now[0], 'device')} that are in the fleet now." if now else ""


def _running(count: MarkCount) -> Tone:
    return Tone.DUE if count.running else Tone.NONE


def slices_table(releases: Sequence[ReleaseCompliance]) -> ReportTable:
    """Every month by platform, ring and site: for programs, too long to read."""
    heads = tuple(ReportHead(name, name.capitalize(), dimension=name) for name in ("month", "platform", "ring", "site"))
    return ReportTable(
        "slices", "Every month by platform, ring and site", (*heads, *MEASURES), tuple(_all(releases)), is_data=True
    )


def _all(releases: Iterable[ReleaseCompliance]) -> Iterator[Row]:
    for each in releases:
        for place, slices in enumerate((each.platforms, each.rings, each.sites)):
            what = ("platform", "ring", "site")[place]
            for one in slices:
                names = [ReportCell("", None), ReportCell("", None), ReportCell("", None)]
                names[place] = slice_name(one.name, what)
                yield (cells.month(each.month), *names, *measures(one))


def slice_table(
    id: str, title: str, what: str, slices: Sequence[SliceCompliance], about: tuple[tuple[str, str], ...]
) -> ReportTable:
    """One month by ring, platform or site."""
    return ReportTable(
        id,
        title,
        (ReportHead(what, what.capitalize(), dimension=what), *MEASURES),
        tuple((slice_name(each.name, what), *measures(each)) for each in slices),
        source=f"releases.0.{id}",
        empty="None.",
        about=about,
    )


def slice_name(name: str, what: str) -> ReportCell:
    """A ring, a site, or a platform by its label."""
    if not name:
        return ReportCell(_NAMES[what], None)
    if what == "platform" and name in list(Platform):
        return ReportCell(Platform(name).label, name)
    return ReportCell(name, name)
