"""Filters that everybody has under a name; those that an organisation adds stand in its settings."""

from __future__ import annotations

from msgspec import Struct


class View(Struct, frozen=True):
    """A filter under a name."""

    name: str
    title: str
    filter: str


VIEWS: tuple[View, ...] = (
    View("not-ready", "Not ready for hotpatches", "readiness:not-ready"),
    View("behind-baseline", "Behind the current baseline", "track:behind"),
    View("failed", "Failed installs", "state:failed"),
    View("stale", "Not seen for 14 days", "seen>14d"),
    View("restart-pending", "Waiting for a restart", "restart:yes"),
)


def view_named(name: str) -> View | None:
    """The built-in view of this name, whatever its case."""
    return next((view for view in VIEWS if view.name == name.casefold()), None)
