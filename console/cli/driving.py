"""Commands that let things happen: the runner without a screen, the demo and its clock."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, output
from console.cli.changing import utc_moment
from console.cli.overview import attention_code
from console.cli.session import Command, Session, session_of
from engine.model.errors import Refused

if TYPE_CHECKING:
    from engine import Engine

LOOK_EVERY = 0.5
"""Seconds between two turns of a running demo."""
RENEW_EVERY = 5.0
"""Seconds between two turns where little is due: often enough to keep the lease."""
_LONGEST_TICK = 2.0


class _Stopped(BaseException):
    """The runner was asked to end."""


# --- run --------------------------------------------------------------------------------------------


@click.command(cls=Command)
@click.option("--until-idle", is_flag=True, help="End when nothing is due without a person; a demo's clock leaps.")
@click.option("--for", "seconds", type=click.FloatRange(0, 10**9), metavar="SECONDS", help="End after so long.")
@click.option("--until", type=utc_moment, metavar="TIME", help="End then; a demo's clock leaps there.")
@session_of
def run(session: Session, until_idle: bool, seconds: float | None, until: datetime | None) -> int:
    """Drive the work without a screen: open rings, order installs, write back what devices report.

    Without an option it goes on until it is ended, as a service does; SIGTERM and ctrl+c end it between two steps and
    free the work for others. Ends with 3 when a gate fails or something is paused or halted.
    """
    if session.read_only:
        raise Refused("Nothing is driven.", "--read-only refuses every change.", "Leave it out.")
    if session.dry_run:
        raise Refused("Nothing is driven.", "It cannot be tried with --dry-run.", "See ahead: hotpatch forecast KB")
    with session.engine(asks=False) as engine:
        driver = _Driver(engine, None if seconds is None else time.monotonic() + seconds)
        with driver.listening():
            steps = driver.drive(until_idle=until_idle, until=until)
        attention = engine.reads.attention()
        if session.as_json:
            output.document(
                {
                    "steps": steps,
                    "now": engine.now(),
                    "ended_early": driver.stopped,
                    "active": len(engine.reads.rollout.active(100_000)),
                    "attention": attention,
                }
            )
        else:
            output.line(f"{text.plural(steps, 'step')} done; it is {text.moment_long(engine.now())}.")
    return attention_code(attention)


class _Driver:
    """One run of the runner, which can be ended from outside between two steps."""

    def __init__(self, engine: Engine, ends_at: float | None) -> None:
        self._engine = engine
        self._ends_at = ends_at
        self._wake: Callable[[], object] = lambda: None
        self._told_at = 0.0
        self._steps = 0
        self.stopped = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the run instead of the process."""

        def stop(_: int, __: FrameType | None) -> None:
            self.stopped = True
            self._wake()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def drive(self, *, until_idle: bool, until: datetime | None) -> int:
        """Drive to the end that was asked for; returns how many steps were done."""
        try:
            asyncio.run(self._drive(until_idle, until))
        except (_Stopped, asyncio.CancelledError):
            pass
        finally:
            diagnostics.progress_line("")
            self._engine.give_back_lease()
        return self._steps

    async def _drive(self, until_idle: bool, until: datetime | None) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is not None:
            # A signal can come while the loop sleeps: it is woken, and the work ends where it waits.
            self._wake = lambda: loop.call_soon_threadsafe(task.cancel)
            if self._ends_at is not None:
                loop.call_at(loop.time() + max(self._ends_at - time.monotonic(), 0), task.cancel)
        demo = self._engine.demo
        if until_idle or (demo is not None and until is not None):
            await self._engine.run_until_idle(until=until, progress=self._note)
            if demo is not None and until is not None and not until_idle:
                demo.step_to(until)
                self._steps += (await self._engine.run_due()).did
        else:
            await self._serve(until)

    async def _serve(self, until: datetime | None) -> None:
        """Turn after turn; waits while another process drives."""
        last = time.monotonic()
        waits = False
        while until is None or self._engine.now() < until:
            turn = await self._engine.run_due()
            if not turn.driving and not waits:
                diagnostics.note(f"{self._engine.info().driver or 'Another process'} drives the work; waiting for it.")
            waits = not turn.driving
            self._note(self._engine.now(), self._steps + turn.did)
            now = time.monotonic()
            if self._engine.demo is not None and turn.driving:
                self._engine.demo.tick(min(now - last, _LONGEST_TICK))
            last = now
            busy = turn.did and turn.driving
            await asyncio.sleep(0 if busy else LOOK_EVERY if self._engine.demo is not None else RENEW_EVERY)

    def _note(self, now: datetime, steps: int) -> None:
        self._steps = steps
        is_late = self._ends_at is not None and time.monotonic() >= self._ends_at
        if self.stopped or is_late:
            raise _Stopped
        if time.monotonic() - self._told_at > 0.2:
            self._told_at = time.monotonic()
            diagnostics.progress_line(f"{text.moment_long(now)}  {text.plural(steps, 'step')}")
