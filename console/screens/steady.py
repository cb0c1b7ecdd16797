"""Screens that show what goes on: while a question is being answered, every further wish for it becomes one more.

Asking anew would interrupt the question under way; with changes coming faster than answers, none would ever arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from console.screens.base import ConsoleScreen
from engine.model.errors import EngineError

if TYPE_CHECKING:
    from engine import Engine

T = TypeVar("T")


class SteadyScreen(ConsoleScreen):
    """A screen that asks one question of a kind at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._under_way: set[str] = set()
        self._wanted: dict[str, Callable[[], None]] = {}

    @property
    def is_asking(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._under_way)

    def ask_steadily(
        self, kind: str, question: Callable[[Engine], T], then: Callable[[T], None], *, slow: bool = False
    ) -> None:
        """Like `ask`, but an answer that is on its way is waited for; then the newest wish is asked."""
        if kind in self._under_way:
            self._wanted[kind] = partial(self.ask_steadily, kind, question, then, slow=slow)
            return
        self._under_way.add(kind)

        def answered(value: T) -> None:
            self._ended(kind)
            then(value)

        self.ask(kind, question, answered, slow=slow)

    def _ended(self, kind: str) -> None:
        self._under_way.discard(kind)
        wanted: Callable[[], Any] | None = self._wanted.pop(kind, None)
        if wanted is not None:
            wanted()

    def read_failed(self, kind: str, error: EngineError) -> None:
        self._under_way.discard(kind)
        self._wanted.pop(kind, None)
        super().read_failed(kind, error)
