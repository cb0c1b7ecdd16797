"""What is true and what happens: the engine under both fronts of Hotpatch Console.

``from engine import open_engine`` is the door; the names are resolved on first use so that importing is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.engine import Engine, open_engine
    from engine.fleet.demo import prepare_demo

__all__ = ["Engine", "open_engine", "prepare_demo"]


def __getattr__(name: str) -> Any:
    if name in ("Engine", "open_engine"):
        from engine import engine

        return getattr(engine, name)
    if name == "prepare_demo":
        from engine.fleet.demo import prepare_demo

        return prepare_demo
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
