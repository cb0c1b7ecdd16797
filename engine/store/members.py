"""Keeps ring membership by filter: who is placed by hand, who moves, and whom two rings claim."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from engine.model.model import Ring
from engine.model.records.rollout import RingConflict
from engine.store.filter_sql import SqlCondition, compile_text
from engine.store.providers import STEERED


class MemberStore:
    """Membership in the state file. A device has one ring column, so it is in one ring at most."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def pin(self, device_ids: Iterable[int]) -> None:
        """These devices were placed by hand: no filter moves them."""
        self._db.executemany("INSERT OR IGNORE INTO ring_pin VALUES (?)", ((each,) for each in device_ids))

    def joining(self, ring: Ring, before: Sequence[Ring], now: datetime) -> dict[int | None, int]:
        """Ring id → how many of its devices the filter of `ring` would take over."""
        claim = _claim(ring, before, now)
        rows = self._db.execute(
            f"SELECT d.ring_id, count(*) FROM device d WHERE d.ring_id IS NOT ? AND {claim.where} GROUP BY 1",
            (ring.id, *claim.params),
        )
        return {row[0]: row[1] for row in rows}

    def follow(self, rings: Sequence[Ring], now: datetime) -> dict[str, int]:
        """Move devices to the first ring whose filter they match; returns ring → how many came."""
        moved: dict[str, int] = {}
        for index, ring in enumerate(rings):
            if not ring.members:
                continue
            claim = _claim(ring, rings[:index], now)
            count = self._db.execute(
                f"UPDATE device AS d SET ring_id = ? WHERE d.ring_id IS NOT ? AND {claim.where}",
                (ring.id, ring.id, *claim.params),
            ).rowcount
            if count:
                moved[ring.name] = count
        return moved

    def conflicts(self, rings: Sequence[Ring], now: datetime, limit: int) -> tuple[RingConflict, ...]:
        """Devices that several rings claim, or that stand by hand elsewhere than where they match."""
        claims = [(ring, compile_text(ring.members, now)) for ring in rings if ring.members]
        if not claims:
            return ()
        columns = ", ".join(f"ifnull(({claim.where}), 0) AS claim_{index}" for index, (_, claim) in enumerate(claims))
        total = " + ".join(f"claim_{index}" for index in range(len(claims)))
        in_own = " OR ".join(f"(claim_{index} AND ring_id = {ring.id:d})" for index, (ring, _) in enumerate(claims))
        rows = self._db.execute(
            f"SELECT * FROM (SELECT d.id, d.name, d.ring_id, {_PINNED} AS pinned, {columns} FROM device d) "
            f"WHERE {total} > 1 OR ({total} = 1 AND pinned AND NOT ({in_own})) ORDER BY name LIMIT ?",
            (*(value for _, claim in claims for value in claim.params), limit),
        )
        names = {ring.id: ring.name for ring in rings}
        return tuple(
            RingConflict(
                device_id=row["id"],
                device_name=row["name"],
                ring=names.get(row["ring_id"], ""),
                claimed_by=tuple(ring.name for index, (ring, _) in enumerate(claims) if row[f"claim_{index}"]),
                by_hand=bool(row["pinned"]),
            )
            for row in rows
        )


_PINNED = "EXISTS (SELECT 1 FROM ring_pin p WHERE p.device_id = d.id)"


def _claim(ring: Ring, before: Sequence[Ring], now: datetime) -> SqlCondition:
    """Devices that match the ring's filter and that of no ring before it, and are placed neither by hand nor by a
    tenant's groups."""
    own = compile_text(ring.members, now)
    where, params = [f"ifnull(({own.where}), 0)", f"NOT {_PINNED}", f"NOT {STEERED}"], list(own.params)
    for each in before:
        if each.members:
            earlier = compile_text(each.members, now)
            where.append(f"NOT ifnull(({earlier.where}), 0)")
            params += earlier.params
    return SqlCondition(" AND ".join(where), tuple(params))
