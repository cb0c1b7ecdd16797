"""What the state file knows of itself: change number, remembered settings, the lease."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
import uuid


class StateStore:
    """Small values; every setter runs inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def change_number(self) -> int:
        return int(self._db.execute("SELECT number FROM change").fetchone()[0])

    def data_version(self) -> int:
        """Moves when another connection has committed; costs microseconds."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def count_change(self) -> int:
        """One more change; called once a transaction that changes what a screen may show."""
        self._db.execute("UPDATE change SET number = number + 1")
        return self.change_number()

    def count_beyond(self, number: int) -> int:
        """Like `count_change`, and beyond a number that others may have seen in this place before."""
        self._db.execute("UPDATE change SET number = max(number, ?) + 1", (number,))
        return self.change_number()

    def setting(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, name: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


class Lease:
    """The right to drive work, held by one process at a time.

        free ── take ──► held ── renew (every turn) ──► held ── give back ──► free
                           └── holder dead, or not renewed for 15 s ──► taken over by the next

    It goes by the machine's clock, not by the demo's, because it is about processes.
    """

    SECONDS = 15

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.host = socket.gethostname()
        self.token = f"{self.host}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    def take(self) -> bool:
        """Take or renew it; False when a living process holds it. Call inside a transaction."""
        now = int(time.time())
        row = self._db.execute("SELECT holder, host, pid, expires_at FROM lease").fetchone()
        others = row is not None and row["holder"] != self.token and row["expires_at"] > now
        if others and self.lives(row["host"], row["pid"]):
            return False
        self._db.execute(
            "INSERT INTO lease (id, holder, host, pid, taken_at, expires_at) VALUES (1, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, host = excluded.host, pid = excluded.pid, "
            "expires_at = excluded.expires_at, "
            "taken_at = CASE WHEN holder = excluded.holder THEN taken_at ELSE excluded.taken_at END",
            (self.token, self.host, os.getpid(), now, now + self.SECONDS),
        )
        return True

    def give_back(self) -> None:
        self._db.execute("DELETE FROM lease WHERE holder = ?", (self.token,))

    def clear(self) -> None:
        """Forget whoever held it when a copy was made."""
        self._db.execute("DELETE FROM lease")

    def holder(self) -> str:
        """``host, process 4711`` of whoever drives the work, "" for nobody."""
        row = self._db.execute("SELECT holder, host, pid, expires_at FROM lease").fetchone()
        if row is None or row["expires_at"] <= int(time.time()) or not self.lives(row["host"], row["pid"]):
            return ""
        return f"{row['host']}, process {row['pid']}"

    def lives(self, host: str, pid: int) -> bool:
        """Whether a process still runs. Only this machine's can be asked; another's counts as alive."""
        if host != self.host:
            return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
