"""Keeps how far each pull of a tenant has come, and which process pulls. `engine.tenants.pull` alone calls it.

    free ── claim ──► claimed ── move (every step) ──► claimed ── release ──► free
                         └── process dead, or claim not renewed in time ──► claimed by the next

A step is kept only while its process still has the claim.
"""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import datetime

from engine.model.errors import EngineError, LeaseHeld, SignInNeeded
from engine.rules.tenants.inventory import (
    Cursor,
    Freshness,
    Pull,
    PullStage,
    PullTally,
    cursor_from_text,
    cursor_to_text,
    tally_from_text,
    tally_to_text,
)
from engine.store.state import Lease
from engine.store.values import epoch, moment, seconds, time_of


class PullStore:
    """One row a tenant. Writers run inside the caller's transaction."""

    CLAIM_SECONDS = 900
    """A step waits for as long as the service asks, which can be minutes; a dead process is noticed at once."""

    def __init__(self, connection: sqlite3.Connection, lease: Lease) -> None:
        self._db = connection
        self._lease = lease

    def last(self, provider: str) -> Pull | None:
        """The pull under way, or the last one; None where nothing was ever pulled."""
        row = self._row(provider)
        return None if row is None else _pull(row)

    def moved_at(self, provider: str) -> datetime | None:
        """When the last step was kept."""
        row = self._row(provider)
        return None if row is None else time_of(row["moved_at"])

    def begin(self, provider: str, now: datetime) -> Pull:
        """A new pull from the first stage on; what the one before has read stays as a cache."""
        row = self._row(provider)
        number = 1 if row is None else row["number"] + 1
        pull = Pull(provider, number, PullStage.DEVICES, Cursor(), PullTally(), now.replace(microsecond=0))
        self._db.execute(
            "INSERT INTO tenant_pull (provider, number, stage, cursor, tally, begun_at, moved_at) "
            "VALUES (?, ?, ?, '', '', ?, ?) ON CONFLICT (provider) DO UPDATE SET number = excluded.number, "
            "stage = excluded.stage, cursor = '', tally = '', picture = '', begun_at = excluded.begun_at, "
            "moved_at = excluded.moved_at",
            (provider, number, pull.stage, seconds(now), seconds(now)),
        )
        return pull

    def move(self, pull: Pull, now: datetime) -> None:
        """Keep how far the pull has come; call it in the transaction that keeps what was read.

        Raises:
            LeaseHeld: another process has taken the pull over in the meantime; nothing of the step may be kept.
        """
        changed = self._db.execute(
            "UPDATE tenant_pull SET stage = ?, cursor = ?, tally = ?, moved_at = ?, claimed_until = ?, "
            "problem = '', problem_kind = '', problem_at = NULL WHERE provider = ? AND number = ? AND holder = ?",
            (
                pull.stage,
                cursor_to_text(pull.cursor),
                tally_to_text(pull.tally),
                seconds(now),
                _machine_time() + self.CLAIM_SECONDS,
                pull.provider,
                pull.number,
                self._lease.token,
            ),
        ).rowcount
        if not changed:
            raise LeaseHeld(
                f"Another process pulls from {pull.provider}.",
                "It took the pull over, as this one had not moved for long.",
                "Let it go on; what this process had read before is kept.",
            )

    def finish(self, pull: Pull, now: datetime, oldest_at: datetime | None) -> None:
        """The pull has been taken over."""
        self.move(pull.at(PullStage.DONE), now)
        self._db.execute(
            "UPDATE tenant_pull SET tally = ?, faults = ?, picture = '', finished_at = ?, oldest_at = ? "
            "WHERE provider = ?",
            (
                tally_to_text(pull.tally),
                json.dumps(pull.tally.faults or {}),
                seconds(now),
                epoch(oldest_at),
                pull.provider,
            ),
        )

    def note_problem(self, provider: str, error: EngineError, now: datetime) -> None:
        """What keeps the pull from going on; the next step that is kept clears it."""
        words = " ".join(part for part in (error.what, error.why) if part)[:600]
        self._db.execute(
            "UPDATE tenant_pull SET problem = ?, problem_kind = ?, problem_at = ? WHERE provider = ?",
            (words, "sign-in" if isinstance(error, SignInNeeded) else "pull", seconds(now), provider),
        )

    # --- who pulls ----------------------------------------------------------------------------------

    def claim(self, provider: str) -> str:
        """Take or renew the right to pull; "" when it is ours, else who has it: ``host, process 4711``.

        Call it inside a transaction, after `begin`.
        """
        now = _machine_time()
        row = self._row(provider)
        others = row is not None and row["holder"] not in ("", self._lease.token) and row["claimed_until"] > now
        if row is not None and others and self._lease.lives(row["host"], row["pid"]):
            return f"{row['host']}, process {row['pid']}"
        self._db.execute(
            "UPDATE tenant_pull SET holder = ?, host = ?, pid = ?, claimed_until = ? WHERE provider = ?",
            (self._lease.token, self._lease.host, os.getpid(), now + self.CLAIM_SECONDS, provider),
        )
        return ""

    def release(self, provider: str) -> None:
        self._db.execute(
            "UPDATE tenant_pull SET holder = '', claimed_until = 0 WHERE provider = ? AND holder = ?",
            (provider, self._lease.token),
        )

    # --- what goes with it --------------------------------------------------------------------------

    def picture(self, provider: str) -> str:
        """The tenant's rings and policies as this pull has read them; "" before that."""
        row = self._row(provider)
        return "" if row is None else str(row["picture"])

    def keep_picture(self, provider: str, picture: str) -> None:
        self._db.execute("UPDATE tenant_pull SET picture = ? WHERE provider = ?", (picture, provider))

    def read_whole(self, provider: str, *, policies: bool | None = None, enrolment: bool | None = None) -> None:
        """Whether silence means "in none": every policy with all its groups was read, or the whole list of assets."""
        for column, value in (("policies_read", policies), ("enrolment_read", enrolment)):
            if value is not None:
                self._db.execute(f"UPDATE tenant_pull SET {column} = ? WHERE provider = ?", (int(value), provider))

    def freshness(self, provider: str) -> Freshness | None:
        """How old what is known of a tenant is; None where nothing was ever pulled."""
        row = self._row(provider)
        if row is None:
            return None
        return Freshness(
            provider=row["provider"],
            finished_at=moment(row["finished_at"]),
            oldest_fact_at=moment(row["oldest_at"]),
            stage=PullStage(row["stage"]),
            begun_at=time_of(row["begun_at"]),
            tally=tally_from_text(row["tally"]),
            moved_at=time_of(row["moved_at"]),
            problem=row["problem"],
            needs_sign_in=row["problem_kind"] == "sign-in",
            problem_at=moment(row["problem_at"]),
            is_claimed=bool(row["holder"]) and row["claimed_until"] > _machine_time(),
        )

    def _row(self, provider: str) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._db.execute(
            "SELECT * FROM tenant_pull WHERE provider = ?", (provider,)
        ).fetchone()
        return found


def _pull(row: sqlite3.Row) -> Pull:
    return Pull(
        provider=row["provider"],
        number=row["number"],
        stage=PullStage(row["stage"]),
        cursor=cursor_from_text(row["cursor"]),
        tally=tally_from_text(row["tally"]),
        begun_at=time_of(row["begun_at"]),
    )


def _machine_time() -> int:
    """The machine's clock, not the engine's: a claim is about processes."""
    import time

    return int(time.time())
