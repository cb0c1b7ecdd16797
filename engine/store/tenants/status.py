"""Shows on devices what a tenant has accepted, and resolves it from what the tenant has told since; set by set.

`engine.tenants.status` calls it and decides. These installs are nobody's order: they have no next time, and no runner
ever drives them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.model.build import OsBuild, Platform
from engine.model.model import AT_ITS_SCAN, FINAL, REQUESTED_STAGE, Release
from engine.store.excluded import excluded_from, meant_for
from engine.store.filter_sql import SqlCondition
from engine.store.installs import STATE_OF_DEVICE, InstallStore
from engine.store.values import among, moment, placeholders, seconds

REQUESTED = f"{REQUESTED_STAGE}{AT_ITS_SCAN}"
"""What an install that a tenant has accepted says of itself until the device is heard of."""
_OPEN = "i.state = 'offered' AND i.next_at IS NULL"
_SEEN_AT = (
    "ifnull((SELECT min(b.at) FROM build_seen b WHERE b.device_id = d.id AND b.build = d.build), "
    "ifnull(d.last_seen_at, :now))"
)


class ShownApproval(Struct, frozen=True):
    """An approval that is shown on the devices of a ring."""

    kb: int
    ring_id: int
    approval_id: int


class Ringed(Struct, frozen=True):
    """One release for one ring as it is shown on its devices."""

    release: Release
    ring_id: int
    provider: str
    opened_at: datetime
    approved_by: str
    withheld: SqlCondition


class TenantStatusStore:
    """Installs of tenants' devices. Writers run inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- what is shown ------------------------------------------------------------------------------

    def shown(self, provider: str) -> frozenset[ShownApproval]:
        rows = self._db.execute("SELECT kb, ring_id, approval_id FROM tenant_shown WHERE provider = ?", (provider,))
        return frozenset(ShownApproval(*row) for row in rows)

    def keep_shown(self, provider: str, shown: Iterable[ShownApproval]) -> None:
        """These in place of those before."""
        self._db.execute("DELETE FROM tenant_shown WHERE provider = ?", (provider,))
        self._db.executemany(
            "INSERT OR REPLACE INTO tenant_shown (kb, ring_id, provider, approval_id) VALUES (?, ?, ?, ?)",
            ((each.kb, each.ring_id, provider, each.approval_id) for each in shown),
        )

    def builds_told_failed(self, provider: str, platform: Platform) -> tuple[OsBuild, ...]:
        """The builds of devices of which reports tell a failure."""
        rows = self._db.execute(
            "SELECT DISTINCT d.build FROM tenant_outcome o JOIN device d ON d.provider = o.provider "
            "AND d.external_id = o.intune_id WHERE o.provider = ? AND o.course = 'failed' AND d.platform = ? "
            "AND d.build IS NOT NULL",
            (provider, platform),
        )
        return tuple(OsBuild.from_int(row[0]) for row in rows)

    def builds(self, provider: str, ring_id: int, platform: Platform) -> tuple[OsBuild, ...]:
        """The builds that devices of a ring have."""
        rows = self._db.execute(
            "SELECT DISTINCT build FROM device WHERE platform = ? AND ring_id = ? AND provider = ? "
            "AND build IS NOT NULL",
            (platform, ring_id, provider),
        )
        return tuple(OsBuild.from_int(row[0]) for row in rows)

    def show(self, ringed: Ringed, lacking: Sequence[OsBuild], now: datetime) -> int:
        """One install for each device of the ring with one of these builds that is to take the release."""
        release = ringed.release
        wanted = _wanted(ringed, now)
        return self._db.execute(
            "INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, by_hand, "
            "requested_at, requested_by, build_before, reason) "
            "SELECT d.id, d.ring_id, ?, ?, 'apply', 'offered', ?, 0, 1, 0, ?, ?, d.build, ? FROM device d "
            "WHERE d.platform = ? AND d.ring_id = ? AND d.provider = ? "
            f"AND d.build IN (SELECT value FROM json_each(?)) AND {wanted.where} "
            f"AND d.architecture IN ({placeholders(len(release.architectures))}) AND ifnull(d.stale_at, 0) > ? "
            "AND NOT EXISTS (SELECT 1 FROM install f WHERE f.device_id = d.id AND f.open_failure = 1 AND f.kb = ? "
            "AND f.action = 'apply') ORDER BY d.id ON CONFLICT DO NOTHING",
            (
                release.kb,
                release.platform,
                REQUESTED,
                seconds(ringed.opened_at),
                ringed.approved_by,
                f"by {ringed.provider}'s policy, approved by {ringed.approved_by}",
                release.platform,
                ringed.ring_id,
                ringed.provider,
                json.dumps([each.as_int() for each in lacking]),
                *wanted.params,
                *release.architectures,
                seconds(now),
                release.kb,
            ),
        ).rowcount

    # --- what became of it --------------------------------------------------------------------------

    def open_releases(self, provider: str) -> tuple[tuple[int, Platform], ...]:
        """KB and platform of what is shown as requested, or as failed, on devices of a tenant."""
        rows = self._db.execute(
            "SELECT DISTINCT i.kb, i.platform FROM install i JOIN device d ON d.id = i.device_id "
            f"WHERE {_OPEN} AND d.provider = ? UNION SELECT DISTINCT i.kb, i.platform FROM install i "
            "JOIN device d ON d.id = i.device_id WHERE i.open_failure = 1 AND i.action = 'apply' AND d.provider = ? "
            "ORDER BY 1, 2",
            (provider, provider),
        )
        return tuple((row[0], Platform(row[1])) for row in rows)

    def builds_of_open(self, provider: str, kb: int, platform: Platform) -> tuple[OsBuild, ...]:
        """The builds that those devices have now."""
        rows = self._db.execute(
            "SELECT DISTINCT d.build FROM install i JOIN device d ON d.id = i.device_id WHERE i.kb = ? "
            f"AND i.platform = ? AND d.provider = ? AND d.build IS NOT NULL AND (({_OPEN}) OR i.open_failure = 1)",
            (kb, platform, provider),
        )
        return tuple(OsBuild.from_int(row[0]) for row in rows)

    def arrived(
        self, provider: str, kb: int, platform: Platform, build: OsBuild, words: str, now: datetime, *, restarted: bool
    ) -> int:
        """What was requested for devices that have this build now has succeeded; `words` say what was seen."""
        values = {
            "provider": provider,
            "kb": kb,
            "platform": platform,
            "build": build.as_int(),
            "words": words,
            "restarted": int(restarted),
            "now": seconds(now),
        }
        # What had failed and came there all the same: the device tried again by itself.
        again = self._db.execute(
            "INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, by_hand, "
            "requested_at, requested_by, finished_at, build_before, build_after, restarted, reason) "
            f"SELECT i.device_id, i.ring_id, i.kb, i.platform, i.action, 'succeeded', {_STAGE}, 100, i.attempt + 1, 0, "
            f"i.requested_at, i.requested_by, max(i.requested_at, {_SEEN_AT}), i.build_before, d.build, :restarted, "
            "i.reason FROM install i JOIN device d ON d.id = i.device_id WHERE i.open_failure = 1 AND i.kb = :kb "
            "AND i.action = 'apply' AND i.platform = :platform AND d.provider = :provider AND d.build = :build "
            f"AND NOT EXISTS (SELECT 1 FROM install o WHERE o.device_id = d.id AND o.kb = i.kb AND {_OPEN_O})",
            values,
        ).rowcount
        self._db.execute(
            "UPDATE install AS i SET open_failure = 0 FROM device d WHERE d.id = i.device_id AND i.open_failure = 1 "
            "AND i.kb = :kb AND i.action = 'apply' AND i.platform = :platform AND d.provider = :provider "
            "AND d.build = :build",
            values,
        )
        done = self._db.execute(
            f"UPDATE install AS i SET state = 'succeeded', stage = {_STAGE}, progress = 100, build_after = d.build, "
            f"restarted = :restarted, finished_at = max(i.requested_at, {_SEEN_AT}) FROM device d "
            f"WHERE d.id = i.device_id AND {_OPEN} AND i.kb = :kb AND i.platform = :platform "
            "AND d.provider = :provider AND d.build = :build",
            values,
        ).rowcount
        return again + done

    def cancel(self, provider: str, kb: int, platform: Platform, words: str, now: datetime) -> int:
        """Everything that is requested of a release is over."""
        return self._cancel("1", (), provider, kb, platform, words, now)

    def cancel_other_rings(
        self, provider: str, kb: int, platform: Platform, rings: Iterable[int], words: str, now: datetime
    ) -> int:
        """What is requested for devices that are in none of these rings, or run another version by now, is over."""
        where = "(d.platform IS NOT i.platform OR ifnull(d.ring_id, -1) NOT IN (SELECT value FROM json_each(?)))"
        return self._cancel(where, (json.dumps(list(rings)),), provider, kb, platform, words, now)

    def cancel_unwanted(self, ringed: Ringed, words: str, now: datetime) -> int:
        """What is requested for devices of the ring that are not to take the release any more is over."""
        wanted = _wanted(ringed, now)
        release = ringed.release
        return self._cancel(
            f"d.ring_id = ? AND NOT ({wanted.where})",
            (ringed.ring_id, *wanted.params),
            ringed.provider,
            release.kb,
            release.platform,
            words,
            now,
        )

    def _cancel(
        self, where: str, params: Sequence[Any], provider: str, kb: int, platform: Platform, words: str, now: datetime
    ) -> int:
        return self._db.execute(
            "UPDATE install AS i SET state = 'cancelled', stage = ?, finished_at = ? FROM device d "
            f"WHERE d.id = i.device_id AND {_OPEN} AND i.kb = ? AND i.platform = ? AND d.provider = ? AND {where}",
            (words, seconds(now), kb, platform, provider, *params),
        ).rowcount

    def fail(self, provider: str, release: Release, now: datetime) -> int:
        """What reports tell as failed since it was requested has failed, with the code and the words told."""
        rows = self._db.execute(
            "SELECT i.id, o.code, o.words, o.at FROM install i JOIN device d ON d.id = i.device_id "
            "JOIN tenant_outcome o ON o.provider = d.provider AND o.intune_id = d.external_id AND o.course = 'failed' "
            f"WHERE {_OPEN} AND i.kb = ? AND i.platform = ? AND d.provider = ? AND (o.kb IS NULL OR o.kb = i.kb) "
            "AND (o.released IS NULL OR o.released = ?) AND (o.at IS NULL OR o.at >= i.requested_at) "
            "ORDER BY i.id, o.code IS NOT NULL, o.at, o.id DESC",
            (release.kb, release.platform, provider, release.released_at.date().isoformat()),
        )
        # Of several for one install the last one stands: with a code before without, the newest.
        told = {row[0]: row[1:] for row in rows}
        self._db.executemany(
            "UPDATE install SET state = 'failed', stage = ?, error_code = ?, open_failure = 1, finished_at = ? "
            "WHERE id = ?",
            ((words, code, at or seconds(now), install_id) for install_id, (code, words, at) in told.items()),
        )
        InstallStore(self._db).note_failures(list(told), now)
        return len(told)

    def fail_unasked(self, provider: str, release: Release, lacking: Sequence[OsBuild], now: datetime) -> int:
        """Failures that reports tell of a release that nobody asked for from here: a tenant's own rules approve too.

        Without a KB in the report it is the release that the device is to take. One that stands already, or that
        something later is known of, is not told again.
        """
        who = meant_for(release)
        rows = self._db.execute(
            "SELECT d.id, d.ring_id, d.build, o.code, o.words, ifnull(o.at, :now) AS at FROM tenant_outcome o "
            "JOIN device d ON d.provider = o.provider AND d.external_id = o.intune_id WHERE o.provider = :provider "
            "AND o.course = 'failed' AND d.platform = :platform AND d.build IN (SELECT value FROM json_each(:builds)) "
            f"AND (o.kb = :kb OR (o.kb IS NULL AND {who})) AND (o.released IS NULL OR o.released = :day) "
            "AND ifnull(o.at, :now) >= :released AND NOT EXISTS (SELECT 1 FROM install f WHERE f.device_id = d.id "
            f"AND f.action = 'apply' AND (f.open_failure = 1 OR f.state NOT IN {among(FINAL)} "
            "OR (f.kb = :kb AND f.finished_at >= ifnull(o.at, 0)))) "
            "ORDER BY d.id, o.code IS NOT NULL, o.at, o.id DESC",
            {
                "provider": provider,
                "kb": release.kb,
                "platform": release.platform,
                "builds": json.dumps([each.as_int() for each in lacking]),
                "day": release.released_at.date().isoformat(),
                "released": seconds(release.released_at),
                "now": seconds(now),
            },
        )
        # As in `fail`: of several for one device the last one stands.
        told = {row["id"]: row for row in rows}
        made = [
            self._db.execute(
                "INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, "
                "by_hand, requested_at, requested_by, finished_at, error_code, open_failure, build_before, reason) "
                "VALUES (?, ?, ?, ?, 'apply', 'failed', ?, 0, 1, 0, ?, ?, ?, ?, 1, ?, ?)",
                (
                    *(row["id"], row["ring_id"], release.kb, release.platform, row["words"], row["at"], provider),
                    *(row["at"], row["code"], row["build"], f"told by {provider}; not asked for from here"),
                ),
            ).lastrowid
            for row in told.values()
        ]
        InstallStore(self._db).note_failures([each for each in made if each is not None], now)
        return len(made)

    def tell(self, provider: str, kb: int, platform: Platform, held_back: Mapping[int, str]) -> int:
        """What devices say in their stage while they are waited for; `held_back`: ring → why nothing is offered."""
        return self._db.execute(
            "UPDATE install AS i SET stage = n.stage, ring_id = n.ring_id FROM (SELECT i.id, d.ring_id, "
            f"CASE WHEN h.value IS NOT NULL THEN '{REQUESTED_STAGE}not offered now: ' || h.value "
            "WHEN o.words IS NOT NULL THEN :requested || '; ' || :provider || ' says: ' || o.words "
            "|| ifnull(' (' || date(o.at, 'unixepoch') || ')', '') ELSE :requested END AS stage "
            "FROM install i JOIN device d ON d.id = i.device_id LEFT JOIN json_each(:held_back) h "
            "ON h.key = CAST(d.ring_id AS TEXT) LEFT JOIN tenant_outcome o "
            "ON o.id = (SELECT s.id FROM tenant_outcome s WHERE s.provider = d.provider "
            "AND s.intune_id = d.external_id AND s.source <> 'error' AND s.course <> 'failed' "
            "AND (s.kb IS NULL OR s.kb = i.kb) AND (s.at IS NULL OR s.at >= i.requested_at) "
            "ORDER BY s.at DESC, s.id DESC LIMIT 1) "
            f"WHERE {_OPEN} AND i.kb = :kb AND i.platform = :platform AND d.provider = :provider) n "
            "WHERE i.id = n.id AND (i.stage IS NOT n.stage OR i.ring_id IS NOT n.ring_id)",
            {
                "requested": REQUESTED,
                "provider": provider,
                "kb": kb,
                "platform": platform,
                "held_back": json.dumps({str(ring_id): words for ring_id, words in held_back.items()}),
            },
        ).rowcount

    def let_go(self, provider: str, now: datetime) -> int:
        """The provider is removed: nothing is requested of anybody any more."""
        return self._db.execute(
            "UPDATE install AS i SET state = 'cancelled', stage = 'the tenant was removed from the console', "
            f"finished_at = ? FROM device d WHERE d.id = i.device_id AND {_OPEN} AND d.provider = ?",
            (seconds(now), provider),
        ).rowcount

    def refresh_devices(self, provider: str) -> int:
        """Work out the state of a tenant's devices anew where it is another one now."""
        return self._db.execute(
            f"UPDATE device AS d SET state = {STATE_OF_DEVICE} WHERE d.provider = ? "
            f"AND d.state IS NOT {STATE_OF_DEVICE}",
            (provider,),
        ).rowcount

    # --- asking -------------------------------------------------------------------------------------

    def open_counts(self, provider: str) -> int:
        """How many devices of a tenant are waited for."""
        return int(
            self._db.execute(
                f"SELECT count(*) FROM install i JOIN device d ON d.id = i.device_id WHERE {_OPEN} AND d.provider = ?",
                (provider,),
            ).fetchone()[0]
        )

    def oldest_open(self, provider: str) -> datetime | None:
        """Since when the first of them is waited for."""
        row = self._db.execute(
            f"SELECT min(i.requested_at) FROM install i JOIN device d ON d.id = i.device_id WHERE {_OPEN} "
            "AND d.provider = ?",
            (provider,),
        ).fetchone()
        return moment(row[0])


_OPEN_O = "o.state = 'offered' AND o.next_at IS NULL"
_STAGE = f":words || ' seen ' || date({_SEEN_AT}, 'unixepoch')"


def _wanted(ringed: Ringed, now: datetime) -> SqlCondition:
    """Which devices (alias ``d``) a release is meant for: by its kind, and neither excluded nor held back."""
    release = ringed.release
    excluded = excluded_from(release, now)
    where = f"{meant_for(release)} AND NOT {excluded.where} AND NOT {ringed.withheld.where}"
    return SqlCondition(where, (*excluded.params, *ringed.withheld.params))
