"""Commands of the demo: the sample fleet itself, and its clock."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.session import DEMO_FILE, Command, FactsGroup, Session, session_of, state_folder
from engine.model.errors import BadInput, LeaseHeld, Refused, StateUnusable

if TYPE_CHECKING:
    from engine import Engine
    from engine.fleet.demo_clock import DemoControl

# --- the demo's clock -------------------------------------------------------------------------------


@click.group(cls=FactsGroup, invoke_without_command=True)
@session_of
@click.pass_context
def clock(context: click.Context, session: Session) -> int | None:
    """The clock of a demo: show it, pause it, let it run faster, step it."""
    if context.invoked_subcommand is not None:
        return None
    with session.engine() as engine:
        _tell_clock(session, engine, _demo(engine))
    return ExitCode.DONE


def _demo(engine: Engine) -> DemoControl:
    if engine.demo is None:
        raise StateUnusable(
            f"{engine.info().path} is no demo.", "A real fleet goes by the machine's clock.", "Make one: hotpatch demo"
        )
    return engine.demo


def _tell_clock(session: Session, engine: Engine, demo: DemoControl) -> None:
    shown = demo.clock()
    if session.as_json:
        output.document({"now": engine.now(), "speed": shown.speed, "paused": shown.paused})
        return
    pace = "paused" if shown.paused else f"{shown.speed:g} times as fast as life"
    output.line(f"{text.moment_long(engine.now())}, {pace}.")


def _set_clock(session: Session, change: Callable[[DemoControl], None]) -> int:
    if session.read_only:
        raise Refused("The clock is not changed.", "--read-only refuses every change.", "Leave it out.")
    with session.engine() as engine:
        demo = _demo(engine)
        if not session.dry_run:
            change(demo)
        _tell_clock(session, engine, demo)
    return ExitCode.DONE


@clock.command(cls=Command)
@session_of
def show(session: Session) -> int:
    """What time it is in the demo, and how fast time passes."""
    with session.engine() as engine:
        _tell_clock(session, engine, _demo(engine))
    return ExitCode.DONE


@clock.command(cls=Command)
@session_of
def pause(session: Session) -> int:
    """Let time stand."""
    return _set_clock(session, lambda demo: demo.pause())


@clock.command(cls=Command)
@session_of
def resume(session: Session) -> int:
    """Let time pass again."""
    return _set_clock(session, lambda demo: demo.resume())


@clock.command(cls=Command)
@click.argument("times", metavar="TIMES", type=click.FloatRange(1, 86_400))
@session_of
def speed(session: Session, times: float) -> int:
    """How many seconds pass in one of life, 1 to 86400."""
    return _set_clock(session, lambda demo: demo.set_speed(times))


@clock.command(cls=Command)
@click.argument("span", metavar="SPAN")
@session_of
def step(session: Session, span: str) -> int:
    """Let time pass at once: 30m, 6h, 1d, 2w. What becomes due is done by: hotpatch run"""
    by = parse_span(span)
    return _set_clock(session, lambda demo: demo.step(by))


_SPAN = re.compile(r"(\d{1,4})\s*([smhdw])", re.IGNORECASE | re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST_SPAN = timedelta(days=366)


def parse_span(words: str) -> timedelta:
    """A span such as ``90m``, ``6h``, ``1d`` or ``2w``, a year at most.

    Raises:
        BadInput: it is none.
    """
    found = _SPAN.fullmatch(words.strip())
    span = timedelta(**{_UNITS[found[2].lower()]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < span <= _LONGEST_SPAN:
        raise BadInput(f"{words!r} is no span of time.", "", "Write it like 30m, 6h, 1d or 2w, a year at most.")
    return span


# --- the demo ---------------------------------------------------------------------------------------

SCENARIOS = ("none", "failing-patch", "bad-patch", "offline-wave", "baseline-month", "oob")
"""The engine's scenarios, named here so that the help needs no engine; a test compares them."""


@click.command(cls=Command)
@click.option("--prepare", is_flag=True, help="Write the state file and end.")
@click.option("--devices", type=click.IntRange(20, 10_000_000), metavar="N", help="How many devices; 500.")
@click.option("--seed", type=click.IntRange(0, 2**62), metavar="N", help="Another fleet, the same each time.")
@click.option("--scenario", metavar="NAME", help=f"What happens: {', '.join(SCENARIOS)}.")
@click.option("--reset", is_flag=True, help="Begin anew, if the file holds a demo.")
@session_of
def demo(
    session: Session, prepare: bool, devices: int | None, seed: int | None, scenario: str | None, reset: bool
) -> int:
    """A sample fleet with real releases, where nothing can break; its clock begins on 13 May 2026.

    Scenarios: failing-patch, the hotpatch of May fails on most devices; bad-patch, it installs and devices crash;
    offline-wave, a third of the fleet goes dark; baseline-month, June 2026 ships a baseline where a hotpatch was
    planned; oob, an out-of-band hotpatch of March 2026 replaces the one under way.

    Without --prepare the console starts on it, and goes on where it was left. Without --db it is demo.db in the XDG
    state folder.
    """
    path = session.db if session.db is not None else state_folder() / DEMO_FILE
    wanted = [name for name, value in (("--devices", devices), ("--seed", seed), ("--scenario", scenario)) if value]
    exists = path.exists()
    if exists and not reset:
        if prepare or wanted:
            raise StateUnusable(
                f"{path} exists already.",
                f"{', '.join(wanted or ['--prepare'])} would make a new demo.",
                "Begin anew with --reset, or name another file.",
            )
        with session.engine(path) as engine:
            _demo(engine)
    else:
        if session.read_only:
            raise Refused("No demo is made.", "--read-only refuses every change.", "Leave it out.")
        _prepare(session, path, devices, seed, scenario or "none", replace=exists)
    if prepare:
        _tell_prepared(session, path)
        return ExitCode.DONE
    from console.cli import start_console

    return start_console(session, path)


def _prepare(
    session: Session, path: Path, devices: int | None, seed: int | None, scenario: str, *, replace: bool
) -> None:
    from engine.fleet.demo import BUNDLED_SIZE, SEED, prepare_demo

    if replace:
        with session.engine(path) as engine:
            _demo(engine)
            driver = engine.info().driver
        if driver:
            raise LeaseHeld(f"{path} is in use.", f"{driver} drives the work in it.", "End it, then begin anew.")
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new") if replace else path
    prepare_demo(
        fresh,
        size=BUNDLED_SIZE if devices is None else devices,
        seed=SEED if seed is None else seed,
        scenario=scenario,
        progress=lambda done, total: diagnostics.progress_line(f"{done:,} of {total:,} devices"),
    )
    diagnostics.progress_line("")
    if replace:
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        fresh.replace(path)


def _tell_prepared(session: Session, path: Path) -> None:
    with session.engine(path) as engine:
        info = engine.info()
        if session.as_json:
            output.document(documents.document(info) | {"devices": info.devices})
        else:
            output.line(f"{path} holds a demo of {text.plural(info.devices, 'device')}.")
            diagnostics.note(f"Look at it: hotpatch --db {path} status")
