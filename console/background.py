"""The only file of the console that crosses threads: questions, changes and the runner, each on a thread of its own.

Screens ask through it and get messages or awaited values back; no other thread touches a widget. Each thread has its
own engine, so its own SQLite connection. It never blocks the event loop and never interrupts a change.

    ask  ──► "rows" or "totals" thread ──► Answered / ReadFailed to the screen   newer question of a kind wins
    fetch ─► the same or "long", awaited   change ─► writer thread, awaited      never interrupted
    data_version moved ──► FleetChanged, InfoRead to the application             polled by the "rows" thread
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, field
from textual.message import Message
from textual.message_pump import MessagePump

from console.messages import Answered, InfoRead, Progressed, ReadFailed, RunnerTrouble
from console.watch import Watch
from engine.model.errors import EngineError

if TYPE_CHECKING:
    from engine import Engine
    from engine.model.records.fleet import StateInfo

T = TypeVar("T")
Opener = Callable[[], "Engine"]
Question = Callable[["Engine"], T]

POLL_SECONDS = 0.25
"""How often the state file is looked at for changes, and how often a driving console does a turn."""
_LONGEST_TICK = 1.0
"""A demo's clock moves at most so many seconds of life at once; a laptop that slept does not jump."""
_READER_PATIENCE = 0.5
_FIRST_SCREEN_PATIENCE = 2.0
"""How long driving waits for the first screen at most: what it loads would be loaded before the screen is painted."""


class _Task(Struct):
    """One question or change on its way."""

    key: tuple[int, str]
    serial: int
    question: Question[Any]
    done: Callable[[Any], None]
    failed: Callable[[EngineError], None]
    kept: bool = False
    """True for what no newer question replaces."""
    dropped: bool = field(default=False)


class Background:
    """Asks, changes and drives on behalf of the screens. Made once for an application."""

    def __init__(
        self,
        opener: Opener,
        *,
        driving: bool = False,
        poll_seconds: float = POLL_SECONDS,
        first: Engine | None = None,
    ) -> None:
        """`first` is an engine that is open already and that nobody else uses: the first thread takes it."""
        self._opener = opener
        self._first = first
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._busy = 0
        self._serial = 0
        self._newest: dict[tuple[int, str], int] = {}
        self._app: MessagePump | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rows = _Worker("rows", self, watching=True)
        self._totals = _Worker("totals", self)
        self._long = _Worker("long", self)
        self._writer = _Worker("writer", self)
        self._runner = _Runner(self) if driving else None
        self._closed = False
        self._settled = threading.Event()
        self.info: StateInfo | None = None
        """What was last read of the state file itself; there before the first answer is."""

    # --- for the application ------------------------------------------------------------------------

    def start(self, app: MessagePump) -> None:
        """Begin; FleetChanged and InfoRead go to `app`. Called on the event loop."""
        self._app = app
        self._loop = asyncio.get_running_loop()
        for worker in (self._rows, self._totals, self._long, self._writer):
            worker.start()
        if self._runner is not None:
            self._runner.start()

    @property
    def busy(self) -> int:
        """Questions and changes that are not answered yet."""
        return self._busy

    @property
    def driving(self) -> bool:
        """Whether this console drives the work; another process may hold the lease instead."""
        return self._runner is not None and self._runner.drives

    def hold(self) -> None:
        """Count as busy until `release`: for what is asked a little later."""
        self._raise_busy(None)

    def release(self) -> None:
        """The end of `hold`."""
        self._lower_busy()

    def engine(self) -> Engine:
        """An engine for a thread of its own.

        Raises:
            StateUnusable: the state file cannot be opened.
        """
        with self._lock:
            first, self._first = self._first, None
        return first or self._opener()

    def threads(self) -> tuple[threading.Thread, ...]:
        """The threads that it runs; for tests of ending."""
        threads = (self._rows, self._totals, self._long, self._writer, self._runner)
        return tuple(each for each in threads if each is not None)

    async def idle(self) -> None:
        """Wait until nothing is asked and nothing is being changed."""
        while self._busy:
            await asyncio.sleep(0.002)

    async def close(self) -> None:
        """Stop: reads are interrupted, the one change that runs is finished, the lease is given back."""
        if self._closed or self._app is None:
            return
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for reader in (self._rows, self._totals, self._long):
            reader.stop(interrupt=True)
        self._writer.stop(interrupt=False)
        if self._runner is not None:
            self._runner.stop()
            self._runner.join()
        self._writer.join()
        for reader in (self._rows, self._totals, self._long):
            reader.join(_READER_PATIENCE)

    # --- for screens --------------------------------------------------------------------------------

    def ask(
        self, to: MessagePump, kind: str, question: Question[T], then: Callable[[T], None], *, slow: bool = False
    ) -> int:
        """Ask on a thread; `to` gets Answered (with `then`) or ReadFailed. Returns the question's serial number.

        A newer question of the same `to` and `kind` takes the place of an older one: that is interrupted, and its
        answer dropped. `slow` questions (totals, exports) do not hold up the others.
        """
        key = (id(to), kind)
        serial = self._raise_busy(key)

        def done(value: T) -> None:
            self._post(to, Answered(kind, serial, value, then))

        def failed(error: EngineError) -> None:
            self._post(to, ReadFailed(kind, serial, error))

        (self._totals if slow else self._rows).put(_Task(key, serial, question, done, failed))
        return serial

    def is_newest(self, to: MessagePump, kind: str, serial: int) -> bool:
        """Whether no newer question of this kind has been asked since."""
        return self._newest.get((id(to), kind)) == serial

    async def fetch(self, question: Question[T], *, slow: bool = False, long: bool = False) -> T:
        """Ask and wait for the answer; for dialogs, which run in workers. `long` is for what may take minutes.

        Raises:
            EngineError: as the question does.
        """
        return await self._await(self._long if long else self._totals if slow else self._rows, question)

    def tell(self, words: str) -> None:
        """From within a long question: what it is at, for the title line; "" at its end.

        Raises:
            EngineError: the console is ending, and so must the question.
        """
        if self._closed:
            raise EngineError("The console is ending.")
        self._post_to_app(Progressed(words))

    async def change(self, change: Question[T]) -> T:
        """Change something on the writer's thread and wait until it is done; never interrupted.

        Raises:
            EngineError: as the change does.
        """
        return await self._await(self._writer, change)

    async def _await(self, worker: _Worker, question: Question[T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        serial = self._raise_busy(None)

        def settle(action: Callable[[Any], None], value: Any) -> None:
            if not future.done():
                action(value)

        def tell(action: Callable[[Any], None], value: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(settle, action, value)

        task = _Task(
            (id(future), ""),
            serial,
            question,
            lambda value: tell(future.set_result, value),
            lambda error: tell(future.set_exception, error),
            kept=True,
        )
        worker.put(task)
        return await future

    # --- shared with the threads --------------------------------------------------------------------

    def _raise_busy(self, key: tuple[int, str] | None) -> int:
        with self._lock:
            self._serial += 1
            self._busy += 1
            if key is not None:
                self._newest[key] = self._serial
            return self._serial

    def _lower_busy(self) -> None:
        with self._lock:
            self._busy -= 1
            if not self._busy:
                self._settled.set()

    def _is_wanted(self, task: _Task) -> bool:
        return task.kept or self._newest.get(task.key) == task.serial

    def _post(self, to: MessagePump, message: Message) -> None:
        with contextlib.suppress(RuntimeError):  # the application has ended meanwhile
            to.post_message(message)

    def _post_to_app(self, message: Message) -> None:
        if isinstance(message, InfoRead):
            self.info = message.info
        if self._app is not None:
            self._post(self._app, message)


def _as_engine_error(error: Exception) -> EngineError:
    """The border between the engine and the screen: anything else than an EngineError becomes one, without values."""
    if isinstance(error, EngineError):
        return error
    wrapped = EngineError(
        "Something went wrong inside the program.",
        f"{type(error).__name__} in the background.",
        "Try again; if it stays, report it with what you did.",
    )
    wrapped.__cause__ = error
    return wrapped


class _Worker(threading.Thread):
    """A thread with an engine of its own that answers one task after the other."""

    def __init__(self, name: str, owner: Background, *, watching: bool = False) -> None:
        super().__init__(name=f"hotpatch-{name}", daemon=True)
        self._owner = owner
        self._watch = Watch(owner._post_to_app) if watching else None
        self._wake = threading.Condition()
        self._waiting: list[_Task] = []
        self._running: _Task | None = None
        self._engine: Engine | None = None
        self._stopping = False

    def put(self, task: _Task) -> None:
        """Take a task; one of the same kind that waits is dropped, one that runs is interrupted."""
        with self._wake:
            if self._stopping:
                self._owner._lower_busy()
                return
            for each in self._waiting:
                if each.key == task.key and not each.kept:
                    self._waiting.remove(each)
                    self._owner._lower_busy()
                    break
            self._waiting.append(task)
            self._interrupt_locked(task.key)
            self._wake.notify()

    def _interrupt_locked(self, key: tuple[int, str] | None) -> None:
        running = self._running
        if running is not None and self._engine is not None and (key is None or running.key == key):
            self._engine.interrupt()

    def stop(self, *, interrupt: bool) -> None:
        """End after the running task; with `interrupt` end that too, and drop what waits."""
        with self._wake:
            self._stopping = True
            if interrupt:
                for _ in self._waiting:
                    self._owner._lower_busy()
                self._waiting.clear()
                self._interrupt_locked(None)
            self._wake.notify()

    def run(self) -> None:
        try:
            while (task := self._next()) is not None:
                self._answer(task)
        finally:
            if self._engine is not None:
                self._engine.close()

    def _next(self) -> _Task | None:
        while True:
            with self._wake:
                if not self._waiting and not self._stopping:
                    self._wake.wait(self._owner._poll_seconds if self._watch else None)
                if self._waiting:
                    self._running = self._waiting.pop(0)
                    return self._running
                if self._stopping:
                    return None
            if self._watch is not None:
                self._look()

    def _look(self) -> None:
        assert self._watch is not None
        try:
            self._watch.look(self._open())
        except Exception as error:  # noqa: BLE001 - the border of the background thread
            self._owner._post_to_app(ReadFailed("watch", 0, _as_engine_error(error)))

    def _open(self) -> Engine:
        if self._engine is None:
            self._engine = self._owner.engine()
            if self._watch is not None:
                self._watch.begin(self._engine)
                self._look()
        return self._engine

    def _answer(self, task: _Task) -> None:
        wanted = self._owner._is_wanted
        try:
            value = task.question(self._open()) if wanted(task) else None
        except Exception as error:  # noqa: BLE001 - the border of the background thread
            if wanted(task):
                task.failed(_as_engine_error(error))
        else:
            if wanted(task):
                task.done(value)
        finally:
            with self._wake:
                self._running = None
            self._owner._lower_busy()
        if self._watch is not None and self._watch.is_due(self._owner._poll_seconds):
            self._look()


class _Runner(threading.Thread):
    """The thread that drives the work: a turn of the engine's runner, and the demo's clock, several times a second."""

    def __init__(self, owner: Background) -> None:
        super().__init__(name="hotpatch-runner", daemon=True)
        self._owner = owner
        self._ending = threading.Event()
        self._in_trouble = False
        self.drives = True
        """Whether it holds the lease; taken for granted until the first turn tells."""

    def stop(self) -> None:
        self._ending.set()
        self._owner._settled.set()

    def run(self) -> None:
        self._owner._settled.wait(_FIRST_SCREEN_PATIENCE)
        try:
            engine = self._owner.engine()
        except Exception as error:  # noqa: BLE001 - the border of the background thread
            self.drives = False
            self._owner._post_to_app(RunnerTrouble(_as_engine_error(error)))
            return
        try:
            asyncio.run(self._drive(engine))
        finally:
            engine.close()

    async def _drive(self, engine: Engine) -> None:
        driving = False
        last = time.monotonic()
        wait = POLL_SECONDS
        while not self._ending.is_set():
            now = time.monotonic()
            try:
                if driving and engine.demo is not None:
                    engine.demo.tick(min(now - last, _LONGEST_TICK))
                last = now
                self.drives = driving = (await engine.run_due()).driving
            except Exception as error:  # noqa: BLE001 - the border of the background thread
                wait = min(wait * 2, 30.0)
                self._tell(_as_engine_error(error))
            else:
                wait = POLL_SECONDS
                self._tell(None)
            await asyncio.to_thread(self._ending.wait, wait)
        if driving:
            engine.give_back_lease()

    def _tell(self, error: EngineError | None) -> None:
        if (error is not None) != self._in_trouble or error is not None:
            self._in_trouble = error is not None
            self._owner._post_to_app(RunnerTrouble(error))
