"""The real program on a pseudo-terminal: start, bytes and time of keys, memory; beside it an empty application."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.checkouts import Checkout
from tests.bench.fleets import SMALL, Fleet
from tests.bench.frames import shows_facts
from tests.bench.pseudo_terminal import COLUMNS, LINES, Burst, PseudoTerminal
from tests.bench.table import Line, Section, at_most, duration

_DEVICES_KEY, _DOWN, _PAGE_DOWN, _END = b"2", b"j", b"\x1b[6~", b"G"
_STEPS, _PAGES = 10, 6
_STEP_BYTES, _PAGE_BYTES = 350, 3_000


@dataclass(slots=True)
class Runs:
    """What several runs of one program have shown."""

    starts: list[float] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)
    first_megabytes: list[float] = field(default_factory=list)
    """With the overview whole, before any key."""
    megabytes: list[float] = field(default_factory=list)
    """After the devices were walked through; of the empty application, just at rest."""
    opened: list[Burst] = field(default_factory=list)
    steps: list[Burst] = field(default_factory=list)
    scrolls: list[Burst] = field(default_factory=list)
    pages: list[Burst] = field(default_factory=list)
    ends: list[Burst] = field(default_factory=list)


def measure(full: Fleet, small: Fleet, checkout: Checkout, variables: Mapping[str, str], *, quick: bool) -> Section:
    """The section on the terminal. The three programs take turns."""
    empty, base, here = Runs(), Runs(), Runs()
    for _ in range(1 if quick else 3):
        _watch_empty(empty, checkout, variables)
        _use(base, checkout.hotpatch("--db", small.path), variables)
        _use(here, checkout.hotpatch("--db", full.path), variables)
    for _ in range(2):
        _watch_empty(empty, checkout, variables)
        for runs, fleet in ((base, small), (here, full)):
            with PseudoTerminal(checkout.hotpatch("--db", fleet.path), variables) as terminal:
                runs.starts.append(terminal.started(shows_facts).seconds)
    return Section(f"Console at {COLUMNS}x{LINES}, through a pseudo-terminal", tuple(_lines(empty, base, here)))


def _watch_empty(runs: Runs, checkout: Checkout, variables: Mapping[str, str]) -> None:
    with PseudoTerminal([checkout.python, "-m", "tests.bench.empty_app"], variables) as terminal:
        runs.starts.append(terminal.started().seconds)
        terminal.rest()
        runs.megabytes.append(terminal.resident_megabytes())


def _use(runs: Runs, command: Sequence[str], variables: Mapping[str, str]) -> None:
    with PseudoTerminal(command, variables) as terminal:
        start = terminal.started(shows_facts).seconds
        runs.starts.append(start)
        runs.rests.append(max(terminal.rest(), start))
        runs.first_megabytes.append(terminal.resident_megabytes())
        runs.opened.append(terminal.press(_DEVICES_KEY))
        terminal.rest()
        runs.steps += [terminal.press(_DOWN) for _ in range(_STEPS)]
        terminal.press(_DOWN * (LINES - _STEPS))
        terminal.rest()
        runs.scrolls += [terminal.press(_DOWN) for _ in range(_PAGES)]
        runs.pages += [terminal.press(_PAGE_DOWN) for _ in range(_PAGES)]
        runs.ends.append(terminal.press(_END))
        terminal.rest()
        runs.megabytes.append(terminal.resident_megabytes())


def _lines(empty: Runs, base: Runs, here: Runs) -> Iterable[Line]:
    size = f"{SMALL:,} devices"
    toolkit = "empty Textual application"
    yield _bursts("cursor step", here.steps, base.steps, _STEP_BYTES)
    yield _bursts("cursor step that scrolls", here.scrolls, base.scrolls, _PAGE_BYTES)
    yield _bursts("page", here.pages, base.pages, _PAGE_BYTES)
    yield _bursts("to the end", here.ends, base.ends)
    yield _bursts("from the overview to the devices", here.opened, base.opened)
    yield _times("start to the first full screen", here.starts, base.starts, size)
    yield _times("start to the first full screen", here.starts, empty.starts, toolkit)
    yield _times(f"start to the first full screen with {size}", base.starts, empty.starts, toolkit)
    yield _times("start until the last part of the overview is there", here.rests, base.rests, size)
    at_rest = "resident memory at rest"
    yield _memory(f"{at_rest}, the overview shown", here.first_megabytes, base.first_megabytes, size)
    yield _memory(at_rest, here.megabytes, base.megabytes, size)
    yield _memory(at_rest, here.megabytes, empty.megabytes, toolkit)


def _bursts(what: str, here: list[Burst], base: list[Burst], most_bytes: int | None = None) -> Line:
    size, time = _median(here, lambda each: each.size), _median(here, lambda each: each.seconds)
    size_before, time_before = _median(base, lambda each: each.size), _median(base, lambda each: each.seconds)
    return Line(
        what,
        f"{size:,.0f} bytes, {duration(time)}",
        f"{size_before:,.0f} bytes, {duration(time_before)} ({SMALL:,} devices)",
        time / time_before if time_before else None,
        () if most_bytes is None else (at_most(most_bytes, size, "bytes"),),
    )


def _times(what: str, here: list[float], base: list[float], base_name: str) -> Line:
    time, before = statistics.median(here), statistics.median(base)
    return Line(what, duration(time), f"{duration(before)} ({base_name})", time / before)


def _memory(what: str, here: list[float], base: list[float], base_name: str) -> Line:
    now, before = statistics.median(here), statistics.median(base)
    return Line(what, f"{now:.0f} MB", f"{before:.0f} MB ({base_name})", now / before if before else None)


def _median(bursts: list[Burst], value: Callable[[Burst], float]) -> float:
    return statistics.median(value(each) for each in bursts)
