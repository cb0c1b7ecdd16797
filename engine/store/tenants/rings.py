"""Keeps what tenants have told of rings, policies, catalogs and approvals, and which ring here shows which there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from engine.model.tenants import (
    ApprovalRule,
    BoundRing,
    CatalogItem,
    PolicyKind,
    Reach,
    RingKind,
    TenantApproval,
    TenantPolicy,
    TenantRing,
)
from engine.store.providers import STEERED
from engine.store.values import moment, placeholders, seconds, time_of


class ToldRow(Struct, frozen=True):
    """When a tenant's rings were read last, and what could not be."""

    read_at: datetime
    untold: tuple[str, ...]
    approvals_of: frozenset[str]


class TenantRingStore:
    """The tenants' part of the rollout. Every setter runs inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- rings --------------------------------------------------------------------------------------

    def bound(self, provider: str | None = None) -> tuple[BoundRing, ...]:
        """Rings that are a tenant's, gone ones too, in the order of the rings here."""
        rows = self._db.execute(
            "SELECT t.* FROM tenant_ring t JOIN ring r ON r.id = t.ring_id WHERE ? IS NULL OR t.provider = ? "
            "ORDER BY r.position",
            (provider, provider),
        )
        return tuple(_bound(row) for row in rows)

    def bind(self, ring_id: int, provider: str, ring: TenantRing, told_at: datetime) -> None:
        self._db.execute(
            "INSERT INTO tenant_ring (ring_id, provider, key, body, told_at) VALUES (?, ?, ?, ?, ?)",
            (ring_id, provider, ring.key, to_text(ring), seconds(told_at)),
        )

    def tell(self, ring_id: int, ring: TenantRing, told_at: datetime) -> None:
        """The tenant has told of it again."""
        self._db.execute(
            "UPDATE tenant_ring SET body = ?, told_at = ?, gone_at = NULL WHERE ring_id = ?",
            (to_text(ring), seconds(told_at), ring_id),
        )

    def note_change(self, ring_id: int, words: str, at: datetime) -> None:
        """What the tenant changed by itself."""
        self._db.execute(
            "UPDATE tenant_ring SET changed = ?, changed_at = ? WHERE ring_id = ?", (words, seconds(at), ring_id)
        )

    def mark_gone(self, ring_id: int, at: datetime) -> None:
        self._db.execute(
            "UPDATE tenant_ring SET gone_at = ? WHERE ring_id = ? AND gone_at IS NULL", (seconds(at), ring_id)
        )

    def unbind(self, provider: str) -> None:
        """Forget all that a tenant has told; its rings here become ordinary ones."""
        for table in ("tenant_ring", "tenant_policy", "tenant_item", "tenant_approval", "tenant_told"):
            self._db.execute(f"DELETE FROM {table} WHERE provider = ?", (provider,))

    def give_way(self, names: Iterable[str]) -> list[str]:
        """Remove rings of these names that nothing here knows of: no device, no decision. Returns the removed names."""
        wanted = list(names)
        rows = self._db.execute(
            f"DELETE FROM ring WHERE name IN ({placeholders(len(wanted))}) "
            "AND NOT EXISTS (SELECT 1 FROM device d WHERE d.ring_id = ring.id) "
            "AND NOT EXISTS (SELECT 1 FROM tenant_ring t WHERE t.ring_id = ring.id) "
            "AND NOT EXISTS (SELECT 1 FROM ring_opening o WHERE o.ring_id = ring.id) "
            "AND NOT EXISTS (SELECT 1 FROM install i WHERE i.ring_id = ring.id) "
            "AND NOT EXISTS (SELECT 1 FROM stop s WHERE s.ring_id = ring.id) "
            "AND NOT EXISTS (SELECT 1 FROM approval a, json_each(a.rings) n WHERE n.value = ring.name COLLATE NOCASE) "
            "RETURNING name",
            wanted,
        ).fetchall()
        return [str(row[0]) for row in rows]

    def overlaps(self, provider: str) -> frozenset[tuple[str, str]]:
        """Pairs of groups that share devices, both ways round, as far as members were read."""
        rows = self._db.execute(
            "SELECT DISTINCT a.group_id, b.group_id FROM tenant_member a JOIN tenant_member b "
            "ON b.provider = a.provider AND b.kind = a.kind AND b.member_id = a.member_id AND b.group_id <> a.group_id "
            "WHERE a.provider = ? AND a.kind = 'device'",
            (provider,),
        )
        return frozenset((row[0], row[1]) for row in rows)

    # --- policies, catalogs, approvals --------------------------------------------------------------

    def policies(self, provider: str) -> tuple[TenantPolicy, ...]:
        rows = self._db.execute("SELECT body FROM tenant_policy WHERE provider = ? ORDER BY key", (provider,))
        return tuple(policy_from_text(row[0]) for row in rows)

    def items(self, provider: str) -> tuple[CatalogItem, ...]:
        rows = self._db.execute("SELECT body FROM tenant_item WHERE provider = ? ORDER BY kind, key", (provider,))
        return tuple(item_from_text(row[0]) for row in rows)

    def approvals(self, provider: str) -> tuple[TenantApproval, ...]:
        rows = self._db.execute(
            "SELECT policy, item, status, approval FROM tenant_approval WHERE provider = ? ORDER BY policy, item",
            (provider,),
        )
        return tuple(TenantApproval(row["policy"], row["item"], row["status"], row["approval"]) for row in rows)

    def told(self, provider: str) -> ToldRow | None:
        """When its rings were read last; None before the first time."""
        row = self._db.execute("SELECT * FROM tenant_told WHERE provider = ?", (provider,)).fetchone()
        if row is None:
            return None
        untold, approvals_of = json.loads(row["untold"]), json.loads(row["approvals_of"])
        return ToldRow(time_of(row["read_at"]), tuple(untold), frozenset(approvals_of))

    def save_policies(self, provider: str, policies: Iterable[TenantPolicy]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO tenant_policy VALUES (?, ?, ?)",
            [(provider, each.key, to_text(each)) for each in policies],
        )

    def save_items(self, provider: str, items: Iterable[CatalogItem]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO tenant_item VALUES (?, ?, ?, ?)",
            [(provider, each.kind, each.id, to_text(each)) for each in items],
        )

    def save_approvals(self, provider: str, approvals: Iterable[TenantApproval], at: datetime) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO tenant_approval VALUES (?, ?, ?, ?, ?, ?)",
            [(provider, each.policy, each.item_id, each.status, each.approval_id, seconds(at)) for each in approvals],
        )

    def forget_policies(self, provider: str, keep: Iterable[str]) -> None:
        """Policies that the tenant does not have any more, and what they approved."""
        kept = json.dumps(list(keep))
        for table, column in (("tenant_policy", "key"), ("tenant_approval", "policy")):
            self._db.execute(
                f"DELETE FROM {table} WHERE provider = ? AND {column} NOT IN (SELECT value FROM json_each(?))",
                (provider, kept),
            )

    def forget_approvals(self, provider: str, policies: Iterable[str]) -> None:
        """What these policies approved, before it is told anew."""
        self._db.execute(
            "DELETE FROM tenant_approval WHERE provider = ? AND policy IN (SELECT value FROM json_each(?))",
            (provider, json.dumps(list(policies))),
        )

    def forget_items(self, provider: str, kinds: Iterable[str]) -> None:
        """A catalog, before it is told anew."""
        self._db.execute(
            "DELETE FROM tenant_item WHERE provider = ? AND kind IN (SELECT value FROM json_each(?))",
            (provider, json.dumps(list(kinds))),
        )

    def note_told(self, provider: str, read_at: datetime, untold: Iterable[str], approvals_of: Iterable[str]) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO tenant_told VALUES (?, ?, ?, ?)",
            (provider, seconds(read_at), json.dumps(list(untold)), json.dumps(sorted(approvals_of))),
        )

    # --- devices ------------------------------------------------------------------------------------

    def addresses(self, device_ids: Iterable[int]) -> list[tuple[int, str, str, str]]:
        """Id, name, provider and the provider's own id of those devices that a tenant leads."""
        rows = self._db.execute(
            "SELECT d.id, d.name, d.provider, d.external_id FROM device d "
            f"WHERE d.id IN (SELECT value FROM json_each(?)) AND {STEERED} ORDER BY d.id",
            (json.dumps(list(device_ids)),),
        )
        return [(row["id"], row["name"], row["provider"], row["external_id"]) for row in rows]

    def steered_in(self, ring_ids: Iterable[int], provider: str) -> int:
        """How many devices of a tenant are in these rings."""
        row = self._db.execute(
            "SELECT count(*) FROM device WHERE provider = ? AND ring_id IN (SELECT value FROM json_each(?))",
            (provider, json.dumps(list(ring_ids))),
        ).fetchone()
        return int(row[0])


def _bound(row: sqlite3.Row) -> BoundRing:
    return BoundRing(
        ring_id=row["ring_id"],
        provider=row["provider"],
        ring=ring_from_text(row["body"]),
        told_at=time_of(row["told_at"]),
        gone_at=moment(row["gone_at"]),
        changed=row["changed"],
        changed_at=moment(row["changed_at"]),
    )


def to_text(thing: TenantRing | TenantPolicy | CatalogItem) -> str:
    """Any of the three; times as ISO texts. The same thing always gives the same text."""
    return json.dumps(asdict(thing), default=_plain, sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, Struct):
        return asdict(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"not kept: {type(value).__name__}")


def ring_from_text(text: str) -> TenantRing:
    kept = _kept(text)
    return TenantRing(
        **{
            **kept,
            "kind": RingKind(kept["kind"]),
            "policy_kind": PolicyKind(kept["policy_kind"]),
            "reach": _reach(kept["reach"]),
            "policies": tuple(kept["policies"]),
            "pause_expires_at": _moment(kept["pause_expires_at"]),
            "modified_at": _moment(kept["modified_at"]),
        }
    )


def policy_from_text(text: str) -> TenantPolicy:
    kept = _kept(text)
    return TenantPolicy(
        **{
            **kept,
            "kind": PolicyKind(kept["kind"]),
            "reach": _reach(kept["reach"]),
            "rules": tuple(ApprovalRule(**each) for each in kept["rules"]),
            "modified_at": _moment(kept["modified_at"]),
        }
    )


def item_from_text(text: str) -> CatalogItem:
    kept = _kept(text)
    return CatalogItem(
        **{
            **kept,
            "kind": PolicyKind(kept["kind"]),
            "kbs": tuple(kept["kbs"]),
            "released_at": _moment(kept["released_at"]),
        }
    )


def _kept(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def _reach(kept: dict[str, Any]) -> Reach:
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
    return Reach(**plain)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
