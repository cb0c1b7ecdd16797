"""What can go wrong, in words that both fronts print unchanged, and the names closest to a mistyped one.

EngineError                 something that a person must be told
├── Refused                 policy or state forbids it                     exit code 4
├── BadInput                a file, filter or argument that cannot be used  exit code 2
├── NotFound                no such device, release, ring ...               exit code 2
├── PlanOutdated            the fleet changed after the plan was shown      exit code 1
├── StateUnusable           the state file cannot be opened or is not ours  exit code 1
│   └── StateTooNew         written by a newer version                      exit code 1
├── LeaseHeld               another process drives the work                 exit code 1
└── ProviderError           a system that reaches devices failed            exit code 1
    ├── Throttled           asked to wait
    ├── SignInNeeded        the credentials are missing or expired
    ├── Denied              signed in, but a permission or role is missing
    ├── Gone                what was asked for is not there, or not any more
    ├── NotOffered          the system cannot do this
    └── Unreachable         no connection
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


class EngineError(Exception):
    """An error with three parts: what was wanted, why it did not happen, what would help instead."""

    def __init__(self, what: str, why: str = "", instead: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.instead = instead

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.instead) if part)


class Refused(EngineError):
    """Policy or state forbids the change; `instead` says what would make it possible."""


class BadInput(EngineError):
    """Input that cannot be used, with its place when it came from a file."""

    def __init__(
        self,
        what: str,
        why: str = "",
        instead: str = "",
        *,
        file: str = "",
        line: int | None = None,
        field: str = "",
    ) -> None:
        place = ", ".join(
            part for part in (file, f"line {line}" if line is not None else "", field and f"field {field}") if part
        )
        super().__init__(f"{place}: {what}" if place else what, why, instead)
        self.file = file
        self.line = line
        self.field = field


class NotFound(EngineError):
    """There is no such thing; `nearest` holds names that are close to what was asked."""

    def __init__(self, what: str, nearest: tuple[str, ...] = (), instead: str = "") -> None:
        hint = f"Did you mean {', '.join(nearest)}?" if nearest else ""
        super().__init__(what, "", " ".join(part for part in (hint, instead) if part))
        self.nearest = nearest


class PlanOutdated(EngineError):
    """More devices or more restarts would come of the plan than were shown; plan again."""


class StateUnusable(EngineError):
    """The state file cannot be opened, is damaged, or is not a state file of this program."""


class StateMissing(StateUnusable):
    """There is no state file; nothing was made."""


class StateTooNew(StateUnusable):
    """The state file was written by a newer version of the program."""


class LeaseHeld(EngineError):
    """Another process holds the lease and drives the work."""


class ProviderError(EngineError):
    """A provider could not do or tell something."""


class Throttled(ProviderError):
    """The service asks to wait until `retry_at`."""

    def __init__(self, what: str, why: str = "", instead: str = "", *, retry_at: datetime) -> None:
        super().__init__(what, why, instead)
        self.retry_at = retry_at


class SignInNeeded(ProviderError):
    """The provider's credentials are missing, expired or refused."""


class Denied(ProviderError):
    """The provider's service knows who asks and refuses it: a permission or a role is missing."""


class Gone(ProviderError):
    """The provider's service has no such thing, or not any more."""


class NotOffered(ProviderError):
    """The provider's service cannot do this at all."""


class Unreachable(ProviderError):
    """The provider's service did not answer."""


def nearest(wrong: str, names: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """At most `limit` names that are close to `wrong`, the closest first."""
    from difflib import get_close_matches  # only needed once something is wrong

    known = {name.casefold(): name for name in names}
    return tuple(known[each] for each in get_close_matches(wrong.casefold(), known, limit, 0.6))
