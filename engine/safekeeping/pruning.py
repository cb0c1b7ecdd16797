"""Deletes history that is older than the policy's period and that nothing needs any more, in small transactions.

The runner calls it each turn, `hotpatch prune` until it is done. A pass is kept in the state file: killed, the next
turn of any process goes on with it. Begin and end stand in the audit, with counts; the audit itself is never touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from engine.evidence.closing import close_next
from engine.model.audit import AuditEntry
from engine.model.errors import Refused
from engine.model.intents import Actor, Role
from engine.model.model import ReleaseKind
from engine.rules.plans.permissions import may_take_in
from engine.rules.retention import FOREVER, PRUNED_BEFORE, kept_from, period_words
from engine.rules.rollout.approvals import SETTING, policy_from_text
from engine.situation.audit import ACTOR
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.history import HistoryKind

EVERY = timedelta(days=1)
_PASS = "pruning"
_PRUNED_AT = "pruned-at"
_WIDTH = 5_000
"""Installs, or devices, that one look covers: a tenth of a second in a large fleet."""
_LOOKS = 5
"""Looks that find nothing in one transaction."""


class Pass(Struct, frozen=True):
    """How far one pass over the history is."""

    before: datetime
    months: int
    kind: HistoryKind = HistoryKind.INSTALLS
    after: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """`HistoryKind` → rows deleted, or found by a dry run."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def to_text(self) -> str:
        told = {"months": self.months, "kind": self.kind, "after": self.after, "counts": self.counts}
        return json.dumps({"before": self.before.isoformat(), **told})


def pass_from_text(text: str | None) -> Pass | None:
    if not text:
        return None
    kept = json.loads(text)
    before = datetime.fromisoformat(kept["before"])
    return Pass(before, kept["months"], HistoryKind(kept["kind"]), kept["after"], kept["counts"])


class Pruned(Struct, frozen=True):
    """What deleting old history did, or would do."""

    kept_from: datetime
    counts: dict[str, int]
    reusable_bytes: int
    """Free space inside the file."""
    done: bool
    """False for a dry run."""


def prune(
    store: Store,
    now: datetime,
    actor: Actor,
    role: Role,
    read_only: bool,
    *,
    dry_run: bool = False,
    compact: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> Pruned:
    """A whole pass at once, or what it would delete.

    Raises:
        Refused: this actor may not, or policy keeps everything.
        StateUnusable: the file cannot be written.
    """
    refusal = None if dry_run else may_take_in("delete history", role, read_only=read_only)
    if refusal is not None:
        raise Refused(refusal.what, refusal.why, refusal.instead)
    months = policy_from_text(store.state.setting(SETTING)).keep_months
    if months == FOREVER:
        raise Refused(
            "No history is deleted.",
            "Policy keeps it for ever.",
            'Set a period: hotpatch policy set --keep-history "13 months"',
        )
    if not dry_run:
        # What is deleted cannot be counted any more, so months that have closed are kept first.
        while close_next(store, now):
            pass
    pruning = Pruning(store, now, actor, months)

    def tell(going: Pass) -> None:
        if on_progress is not None:
            on_progress(going.total)

    last = pruning.preview(tell) if dry_run else pruning.run(tell)
    if compact and not dry_run:
        store.compact()
    return Pruned(
        last.before,
        {str(kind): last.counts.get(kind, 0) for kind in HistoryKind},
        store.history.reusable_bytes(),
        not dry_run,
    )


def mind_history(store: Store, now: datetime) -> int:
    """One small step of a pass, if one is due; 0 when nothing is left to do until tomorrow."""
    months = policy_from_text(store.state.setting(SETTING)).keep_months
    under_way = store.state.setting(_PASS)
    if months == FOREVER and not under_way:
        return 0
    last = store.state.setting(_PRUNED_AT)
    if not under_way and last is not None and timedelta(0) <= now - datetime.fromisoformat(last) < EVERY:
        return 0
    pruning = Pruning(store, now, Actor(ACTOR, store.lease.host), months)
    return 0 if pruning.step() is None else 1


class Pruning:
    """One actor's hand on the pass that goes on, or on a new one."""

    def __init__(self, store: Store, now: datetime, actor: Actor, months: int) -> None:
        self._store = store
        self._now = now
        self._actor = actor
        self._months = months
        self._kept = needed_releases(store, now)

    def step(self) -> Pass | None:
        """Delete a little; how far the pass is now, or None when it has ended."""
        with self._store.transaction():
            going = pass_from_text(self._store.state.setting(_PASS)) or self._new()
            if self._months == FOREVER or going.months != self._months:
                self._end(going, "the period was changed")
                return None
            moved = going
            for _ in range(_LOOKS):
                following = self._look(moved)
                if following is None:
                    self._end(moved, "")
                    return None
                moved = following
                if moved.total > going.total:
                    break
            if going.total == 0 and moved.total:
                self._record("prune-begun", f"Deleting history from before {moved.before:%Y-%m-%d} begins", moved)
            if moved.total:
                self._store.state.set(PRUNED_BEFORE, moved.before.isoformat())
            self._store.state.set(_PASS, moved.to_text())
        return moved

    def run(self, on_progress: Callable[[Pass], None]) -> Pass:
        """Steps until the pass that goes on, or a new one, has ended; what it deleted altogether."""
        last = pass_from_text(self._store.state.setting(_PASS)) or self._new()
        while (following := self.step()) is not None:
            last = following
            on_progress(last)
        return last

    def preview(self, on_progress: Callable[[Pass], None] | None = None) -> Pass:
        """What a whole pass would delete, without deleting it."""
        looking = self._new()
        while (following := self._look(looking, dry=True)) is not None:
            looking = following
            if on_progress is not None:
                on_progress(looking)
        return looking

    def _new(self) -> Pass:
        return Pass(kept_from(self._now, self._months), self._months)

    def _look(self, going: Pass, *, dry: bool = False) -> Pass | None:
        """One stretch further; None behind the last."""
        kinds = list(HistoryKind)
        if going.after < 0:
            place = kinds.index(going.kind) + 1
            return None if place == len(kinds) else replace(going, kind=kinds[place], after=0)
        look = self._store.history.count if dry else self._store.history.delete
        seen = look(going.kind, going.before, self._kept, going.after, _WIDTH)
        counts = {**going.counts, going.kind: going.counts.get(going.kind, 0) + seen.found}
        return replace(going, after=-1 if seen.is_last else seen.upto, counts=counts)

    def _end(self, going: Pass, why: str) -> None:
        if going.total:
            told = ", ".join(f"{count:,} {kind}" for kind, count in going.counts.items() if count)
            summary = f"History from before {going.before:%Y-%m-%d} was deleted: {told}"
            self._record("prune", summary, going, why)
            self._store.state.count_change()
        self._store.state.set(_PASS, "")
        self._store.state.set(_PRUNED_AT, self._now.isoformat())

    def _record(self, action: str, summary: str, going: Pass, why: str = "") -> None:
        details = {"deleted": dict(going.counts), "kept from": going.before.isoformat()}
        reason = f"policy keeps history for {period_words(going.months)}" + (f"; ended early: {why}" if why else "")
        self._store.audit.append(
            AuditEntry(
                at=self._now,
                actor=self._actor.name,
                origin=self._actor.origin,
                action=action,
                summary=summary,
                reason=reason,
                details=details,
            )
        )


def needed_releases(store: Store, now: datetime) -> frozenset[int]:
    """Releases whose installs are all kept.

    What is current on some platform, has failed somewhere and not been put right since, or is being recovered from.
    """
    situation = Situation(store, now)
    current = {
        release.kb
        for level in situation.all_levels().values()
        for release in (level.baseline, *level.hotpatches, *level.cumulative)
        if release is not None
    }
    # A standalone fix closes its vulnerabilities for as long as it is installed, and no build tells that it is.
    standalone = {release.kb for release in situation.releases if release.kind is ReleaseKind.COMPANION}
    recovering = {each.kb for each in store.recovery.all(open_only=True)}
    return frozenset(current | standalone | recovering | store.history.failed_releases())
