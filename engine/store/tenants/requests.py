"""The outbox: requests to tenants, written with the decision and sent afterwards.

A provider's requests are sent one at a time in their order, so that a later one never overtakes an earlier one. Who
sends holds a claim by the machine's clock; a claim that runs out is taken over, and what may have been sent is read
back before it is sent again.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from engine.model.tenants import Receipt, Request, RequestState, Wish
from engine.store.values import among, epoch, moment, seconds, time_of

_FAMILIES: Mapping[Wish, tuple[Wish, ...]] = {
    **dict.fromkeys((Wish.PAUSE, Wish.RESUME), (Wish.PAUSE, Wish.RESUME)),
    **dict.fromkeys((Wish.APPROVE, Wish.SUSPEND), (Wish.APPROVE, Wish.SUSPEND)),
    **dict.fromkeys((Wish.HOTPATCH_ON, Wish.HOTPATCH_OFF), (Wish.HOTPATCH_ON, Wish.HOTPATCH_OFF)),
}
"""Wishes that undo each other."""
CLAIM_SECONDS = 180
"""Longer than one request with all its attempts takes."""
_OPEN = f"state IN {among([each for each in RequestState if each.is_open])}"


class TenantRequestStore:
    """The requests of the state file. Every setter runs inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._token = uuid.uuid4().hex

    def add(
        self, requests: Iterable[Request], ring_ids: dict[tuple[str, str], int], by: str, at: datetime
    ) -> tuple[int, ...]:
        """Write requests to be sent; `ring_ids` is (provider, ring key) → ring here. Returns their numbers."""
        added = []
        for each in requests:
            cursor = self._db.execute(
                "INSERT INTO tenant_request (provider, wish, method, version, path, body, why, kb, ring_key, ring_id, "
                "device_id, rings, policy, item, asked_by, asked_at, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
                (
                    each.provider,
                    each.wish,
                    each.method,
                    each.version,
                    each.path,
                    json.dumps(each.body),
                    each.why,
                    each.kb,
                    each.ring_key,
                    ring_ids.get((each.provider, each.ring_key)),
                    each.device_id,
                    json.dumps(list(each.rings)),
                    each.policy,
                    each.item_id,
                    by,
                    seconds(at),
                ),
            )
            added.append(int(cursor.lastrowid or 0))
        return tuple(added)

    # --- reading ------------------------------------------------------------------------------------

    def all(self, limit: int, provider: str | None = None) -> tuple[Receipt, ...]:
        """The latest first."""
        rows = self._db.execute(
            "SELECT * FROM tenant_request WHERE ? IS NULL OR provider = ? ORDER BY id DESC LIMIT ?",
            (provider, provider, limit),
        )
        return tuple(_receipt(row) for row in rows)

    def these(self, ids: Sequence[int]) -> tuple[Receipt, ...]:
        """Requests by their numbers."""
        rows = self._db.execute(
            "SELECT * FROM tenant_request WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (json.dumps(list(ids)),),
        )
        return tuple(_receipt(row) for row in rows)

    def open(self, provider: str | None = None) -> tuple[Receipt, ...]:
        """What is still to be sent, oldest first."""
        rows = self._db.execute(
            f"SELECT * FROM tenant_request WHERE {_OPEN} AND (? IS NULL OR provider = ?) ORDER BY id",
            (provider, provider),
        )
        return tuple(_receipt(row) for row in rows)

    def on_the_way(self, provider: str) -> tuple[Receipt, ...]:
        """What is to be sent and what the tenant has accepted but does not show yet, oldest first."""
        rows = self._db.execute(
            f"SELECT * FROM tenant_request WHERE provider = ? AND {_OPEN} UNION ALL "
            "SELECT * FROM tenant_request WHERE provider = ? AND state = 'accepted' AND next_at IS NOT NULL "
            "ORDER BY id",
            (provider, provider),
        )
        return tuple(_receipt(row) for row in rows)

    def providers_due(self, now: datetime) -> tuple[str, ...]:
        """Providers whose first open request may be sent now, or that have something to be read back."""
        rows = self._db.execute(
            f"SELECT provider FROM tenant_request r WHERE {_OPEN} "
            f"AND id = (SELECT min(id) FROM tenant_request f WHERE f.provider = r.provider AND f.{_OPEN}) "
            "AND ((state = 'waiting' AND ifnull(next_at, 0) <= ?) OR (state = 'sending' AND claimed_until < ?)) "
            "UNION SELECT provider FROM tenant_request WHERE state = 'accepted' AND next_at <= ? ORDER BY 1",
            (seconds(now), int(time.time()), seconds(now)),
        )
        return tuple(row[0] for row in rows)

    def next_at(self, now: datetime) -> datetime | None:
        """When a provider's first open request may be sent; None when none waits for a provider that may write."""
        row = self._db.execute(
            "SELECT min(CASE state WHEN 'waiting' THEN ifnull(next_at, ?1) ELSE ?1 + claimed_until - ?2 + 1 END) "
            f"FROM tenant_request r WHERE {_OPEN} "
            "AND provider IN (SELECT name FROM provider WHERE writes = 1) "
            f"AND id = (SELECT min(id) FROM tenant_request f WHERE f.provider = r.provider AND f.{_OPEN})",
            (seconds(now), int(time.time())),
        ).fetchone()
        return moment(row[0])

    def refused_since(self, at: datetime) -> tuple[Receipt, ...]:
        """Requests that the tenant refused and nobody has asked again since, the latest first."""
        rows = self._db.execute(
            "SELECT * FROM tenant_request r WHERE state = 'refused' AND answered_at >= ? AND NOT EXISTS ("
            "SELECT 1 FROM tenant_request l WHERE l.id > r.id AND l.provider = r.provider AND l.path = r.path) "
            "ORDER BY id DESC",
            (seconds(at),),
        )
        return tuple(_receipt(row) for row in rows)

    def before(self, receipt: Receipt) -> Receipt | None:
        """The request of the same wish just before this one, which brought the id that this one needs."""
        row = self._db.execute(
            "SELECT * FROM tenant_request WHERE id < ? AND provider = ? AND wish = ? ORDER BY id DESC LIMIT 1",
            (receipt.id, receipt.request.provider, receipt.request.wish),
        ).fetchone()
        return None if row is None else _receipt(row)

    # --- sending ------------------------------------------------------------------------------------

    def claim(self, provider: str, now: datetime) -> tuple[Receipt, bool] | None:
        """Take the provider's first open request for sending; None when it must wait or another process has it.

        The second value says that it may have been sent before: by a process that ended over it.
        """
        row = self._db.execute(
            f"SELECT * FROM tenant_request WHERE provider = ? AND {_OPEN} ORDER BY id LIMIT 1", (provider,)
        ).fetchone()
        if row is None:
            return None
        machine = int(time.time())
        if row["state"] == "sending" and row["claimed_until"] >= machine:
            return None
        if row["state"] == "waiting" and (row["next_at"] or 0) > seconds(now):
            return None
        self._db.execute(
            "UPDATE tenant_request SET state = 'sending', claim = ?, claimed_until = ?, attempts = attempts + 1, "
            "sent_at = ? WHERE id = ?",
            (self._token, machine + CLAIM_SECONDS, seconds(now), row["id"]),
        )
        claimed = self._db.execute("SELECT * FROM tenant_request WHERE id = ?", (row["id"],)).fetchone()
        return _receipt(claimed), row["state"] == "sending" or row["uncertain"] == 1

    def renew(self, request_id: int) -> bool:
        """Hold the claim longer; False when another process has taken it over."""
        cursor = self._db.execute(
            "UPDATE tenant_request SET claimed_until = ? WHERE id = ? AND state = 'sending' AND claim = ?",
            (int(time.time()) + CLAIM_SECONDS, request_id, self._token),
        )
        return cursor.rowcount == 1

    def wait(self, request_id: int, next_at: datetime, said: str, *, uncertain: bool) -> None:
        """It could not be sent, or no answer came: again later."""
        self._db.execute(
            "UPDATE tenant_request SET state = 'waiting', claimed_until = NULL, next_at = ?, said = ?, uncertain = ? "
            "WHERE id = ? AND state = 'sending' AND claim = ?",
            (seconds(next_at), said, int(uncertain), request_id, self._token),
        )

    def answer(
        self,
        request_id: int,
        state: RequestState,
        at: datetime,
        *,
        status: int | None,
        request_id_told: str,
        said: str,
        created: str = "",
        look_at: datetime | None = None,
    ) -> bool:
        """The service has answered; False when another process has taken the request over meanwhile."""
        confirmed = state is RequestState.CONFIRMED
        cursor = self._db.execute(
            "UPDATE tenant_request SET state = ?, claimed_until = NULL, answered_at = ?, status = ?, request_id = ?, "
            "said = ?, created = ?, next_at = ?, confirmed_at = ? WHERE id = ? AND state = 'sending' AND claim = ?",
            (
                state,
                seconds(at),
                status,
                request_id_told,
                said,
                created,
                epoch(look_at),
                seconds(at) if confirmed else None,
                request_id,
                self._token,
            ),
        )
        return cursor.rowcount == 1

    def supersede(self, receipt: Receipt) -> None:
        """What an earlier request asked of the same thing will never show any more: nobody looks for it."""
        request = receipt.request
        family = _FAMILIES.get(request.wish, (request.wish,))
        self._db.execute(
            "UPDATE tenant_request SET next_at = NULL WHERE state = 'accepted' AND id < ? AND provider = ? "
            "AND wish IN (SELECT value FROM json_each(?)) AND policy = ? AND item = ? AND (item <> '' OR path = ?)",
            (receipt.id, request.provider, json.dumps(family), request.policy, request.item_id, request.path),
        )

    def unconfirmed(self, provider: str, now: datetime, limit: int) -> tuple[Receipt, ...]:
        """What the tenant has accepted and is to be read back by now."""
        rows = self._db.execute(
            "SELECT * FROM tenant_request WHERE state = 'accepted' AND provider = ? AND next_at <= ? "
            "ORDER BY id LIMIT ?",
            (provider, seconds(now), limit),
        )
        return tuple(_receipt(row) for row in rows)

    def confirm(self, request_id: int, at: datetime) -> None:
        """Reading back shows it."""
        self._db.execute(
            "UPDATE tenant_request SET state = 'confirmed', confirmed_at = ?, next_at = NULL "
            "WHERE id = ? AND state = 'accepted'",
            (seconds(at), request_id),
        )

    def look_again(self, request_id: int, next_at: datetime | None) -> None:
        """Reading back does not show it yet; None gives up looking."""
        self._db.execute(
            "UPDATE tenant_request SET looks = looks + 1, next_at = ? WHERE id = ? AND state = 'accepted'",
            (epoch(next_at), request_id),
        )

    def drop(self, provider: str) -> int:
        """Forget what is still to be sent to a provider that is removed, and look for nothing there any more;
        returns how many."""
        self._db.execute(
            "UPDATE tenant_request SET next_at = NULL WHERE provider = ? AND state = 'accepted'", (provider,)
        )
        cursor = self._db.execute(f"DELETE FROM tenant_request WHERE provider = ? AND {_OPEN}", (provider,))
        return cursor.rowcount


def _receipt(row: sqlite3.Row) -> Receipt:
    return Receipt(
        id=row["id"],
        request=Request(
            provider=row["provider"],
            wish=Wish(row["wish"]),
            method=row["method"],
            version=row["version"],
            path=row["path"],
            body=json.loads(row["body"]),
            why=row["why"],
            kb=row["kb"],
            ring_key=row["ring_key"],
            device_id=row["device_id"],
            rings=tuple(json.loads(row["rings"])),
            policy=row["policy"],
            item_id=row["item"],
        ),
        asked_by=row["asked_by"],
        asked_at=time_of(row["asked_at"]),
        state=RequestState(row["state"]),
        attempts=row["attempts"],
        ring_id=row["ring_id"],
        next_at=moment(row["next_at"]),
        sent_at=moment(row["sent_at"]),
        answered_at=moment(row["answered_at"]),
        status=row["status"],
        request_id=row["request_id"],
        said=row["said"],
        confirmed_at=moment(row["confirmed_at"]),
        created=row["created"],
        looks=row["looks"],
    )
