"""What the devices screen and the overview ask of the engine: the full fleet against a thousand devices."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

from engine import Engine, open_engine
from engine.model.records.fleet import Anchor, AnchorKind, DeviceQuery
from engine.store.walk import SORT_KEYS
from tests.bench.fleets import SMALL
from tests.bench.table import Aim, Line, Section, at_most, duration
from tests.bench.timing import Pair, compare, timed

ROWS = 60
"""What the table asks for at 80x24."""
_MOST = 1.2
_SEARCH_SECONDS = 0.150
_TOTALS_SECONDS = 0.001
_MIDDLE = "m"
_NOWHERE = "qzxqzx"
_SURNAME = "meyer"
_FAILED_IN_BROAD = "ring:broad state:failed"

Question = Callable[[Engine], object]


def measure(full: Path, small: Path, *, quick: bool) -> Section:
    """The section on reading."""
    with open_engine(full, read_only=True) as engine, open_engine(small, read_only=True) as base:
        return Section(f"Reading, against {SMALL:,} devices", tuple(_lines(engine, base, quick=quick)))


def _lines(engine: Engine, base: Engine, *, quick: bool) -> list[Line]:
    often, seldom = (15, 3) if quick else (61, 9)

    def time_of(question: Question, repetitions: int) -> Pair:
        return compare(timed(lambda: question(engine)), timed(lambda: question(base)), repetitions)

    def line(what: str, question: Question, repetitions: int, *aims: Callable[[Pair], Aim]) -> Line:
        pair = time_of(question, repetitions)
        return _line(what, pair, *(aim(pair) for aim in aims))

    failed, surname, nowhere = DeviceQuery(_FAILED_IN_BROAD), DeviceQuery(_SURNAME), DeviceQuery(_NOWHERE)
    return [
        line(f"devices: first {ROWS} rows", _rows(AnchorKind.TOP), often, _grows_little),
        line("cursor or page down, in mid-list", _rows(AnchorKind.AFTER), often, _grows_little),
        line("cursor or page up, in mid-list", _rows(AnchorKind.BEFORE), often, _grows_little),
        line("to the end", _rows(AnchorKind.END), often, _grows_little),
        _slowest_order(time_of, often),
        line(f"filter `{failed.filter}`: first rows", _rows(AnchorKind.TOP, failed), often),
        line(f"filter `{failed.filter}`: count", lambda each: each.reads.devices.total(failed), often),
        line(f"search `{surname.filter}`: first rows", _rows(AnchorKind.TOP, surname), seldom, _quick_search),
        line(
            f"search `{surname.filter}`: count", lambda each: each.reads.devices.total(surname), seldom, _quick_search
        ),
        line("search without a match, the worst case", _rows(AnchorKind.TOP, nowhere), seldom, _quick_search),
        line(
            "fleet totals by ring, platform, readiness, state",
            lambda each: each.reads.devices.counts(),
            often,
            _at_once,
        ),
        line("overview: what waits for a person, asked first", _attention_afresh, max(seldom // 3, 1)),
        line("overview: what waits for a person, asked again", lambda each: each.reads.attention(), seldom),
        line("overview: progress of the rings", lambda each: each.reads.rollout.ring_progress(), often),
        line("one device by name, with its history", _device_by("name"), often),
        line("one device by serial number", _device_by("serial"), often),
        line(
            "one device by a part of its name, without a match",
            lambda each: each.reads.devices.search(_NOWHERE),
            seldom,
        ),
    ]


def _rows(kind: AnchorKind, query: DeviceQuery | None = None) -> Question:
    wanted = query or DeviceQuery()

    def ask(engine: Engine) -> object:
        device_id = _middle(engine) if kind in (AnchorKind.AFTER, AnchorKind.BEFORE) else 0
        return engine.reads.devices.page(wanted, Anchor(kind, device_id), ROWS)

    return ask


_middles: dict[str, int] = {}


def _middle(engine: Engine) -> int:
    """A device in the middle of the list, looked up once."""
    path = str(engine.reads.store.path)
    if path not in _middles:
        page = engine.reads.devices.page(DeviceQuery(), Anchor(AnchorKind.NAME, name=_MIDDLE), 1)
        _middles[path] = page.rows[0].id
    return _middles[path]


def _attention_afresh(engine: Engine) -> object:
    """As a command or a console that has just been started asks: nothing is kept from an earlier answer."""
    with open_engine(engine.reads.store.path, read_only=True) as fresh:
        return fresh.reads.attention()


def _device_by(fact: str) -> Question:
    def ask(engine: Engine) -> object:
        return engine.reads.devices.find(getattr(engine.reads.devices.detail(_middle(engine)).facts, fact))

    return ask


def _slowest_order(time_of: Callable[[Question, int], Pair], repetitions: int) -> Line:
    """Every other order in both directions; the one that is slowest at full size is told."""
    measured: list[tuple[Pair, str]] = []
    for sort, down in product(SORT_KEYS, (False, True)):
        if sort != "name":
            pair = time_of(_rows(AnchorKind.TOP, DeviceQuery("", sort, down)), repetitions)
            measured.append((pair, f"{sort}, {'descending' if down else 'ascending'}"))
    pair, name = max(measured, key=lambda each: each[0].full)
    return _line(f"first rows in another order: the slowest of {len(measured)} ({name})", pair, _grows_little(pair))


def _line(what: str, pair: Pair, *aims: Aim) -> Line:
    return Line(what, duration(pair.full), duration(pair.base), pair.ratio, aims)


def _grows_little(pair: Pair) -> Aim:
    return Aim(f"ratio ≤ {_MOST}", pair.ratio <= _MOST)


def _quick_search(pair: Pair) -> Aim:
    return at_most(_SEARCH_SECONDS * 1_000, pair.full * 1_000, "ms")


def _at_once(pair: Pair) -> Aim:
    return at_most(_TOTALS_SECONDS * 1_000, pair.full * 1_000, "ms")
