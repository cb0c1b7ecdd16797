"""What the tests of compliance and cost share: small fleets with histories made by hand, and a naive second route.

The second route reads raw rows and thinks in plain Python about one device at a time; it shares no code with the first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.catalog import load_bundled
from engine.model.build import OsBuild, Platform
from engine.model.model import DeviceFacts, FormFactor, Release, ReleaseKind
from engine.rules.rollout.presets import preset
from engine.store import Store
from engine.store.devices import FACT_COLUMNS, fact_values

HOURS = {"within_24h": 24, "within_5d": 120, "within_3w": 504}


@dataclass(frozen=True, slots=True)
class Past:
    """One thing that happened to a device."""

    at: datetime
    how: str
    """``apply``, ``uninstall``, ``fail`` or ``seen``."""
    build: OsBuild | None
    kb: int = 0
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """A device with all that happened to it."""

    platform: Platform
    ring: int | None
    past: tuple[Past, ...]
    build: OsBuild | None
    site: str = "Lab"
    cores: int | None = None
    arc: bool = False


def fill(store: Store, machines: Iterable[Machine]) -> None:
    """Write a fleet with its past into an empty state."""
    columns = ", ".join([*FACT_COLUMNS, "ring_id"])
    marks = ", ".join("?" * (len(FACT_COLUMNS) + 1))
    write = store.connection.execute
    for number, machine in enumerate(machines, 1):
        facts = DeviceFacts(
            name=f"PC-{number:04d}",
            platform=machine.platform,
            architecture=None,
            build=machine.build,
            form=FormFactor.UNKNOWN,
            site=machine.site,
            cores=machine.cores,
            last_seen_at=max((each.at for each in machine.past), default=None),
        )
        write(f"INSERT INTO device ({columns}) VALUES ({marks})", (*fact_values(f"x{number}", facts), machine.ring))
        for each in machine.past:
            at = int(each.at.timestamp())
            build = each.build.as_int() if each.build is not None else None
            if each.how == "seen":
                write("INSERT OR REPLACE INTO build_seen VALUES (?, ?, ?)", (number, at, build))
                continue
            state = {"apply": "succeeded", "uninstall": "uninstalled", "fail": "failed"}[each.how]
            write(
                "INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, "
                "by_hand, requested_at, requested_by, finished_at, build_after, restarted, reason) "
                "VALUES (?, ?, ?, ?, ?, ?, '', 100, 1, 0, ?, 'engine', ?, ?, ?, '')",
                (
                    number,
                    machine.ring,
                    each.kb,
                    machine.platform,
                    "uninstall" if each.how == "uninstall" else "apply",
                    state,
                    at - 600,
                    at,
                    build,
                    int(each.restarted),
                ),
            )


def catalog_only(store: Store) -> None:
    """The real catalog and the preset rings, and no device."""
    with store.transaction():
        store.releases.replace(load_bundled())
        for ring in preset():
            store.rollout.save_ring(ring)


# --- the second route -------------------------------------------------------------------------------


class NaiveRoute:
    """Compliance from raw rows, one device and one instant at a time."""

    def __init__(self, db: sqlite3.Connection, now: datetime) -> None:
        self._now = int(now.timestamp())
        self._releases = [
            Release(
                kb=row["kb"],
                platform=Platform(row["platform"]),
                kind=ReleaseKind(row["kind"]),
                month=row["month"],
                released_at=datetime.fromtimestamp(row["released_at"], UTC),
                build=OsBuild.from_int(row["build"]) if row["build"] is not None else None,
                architectures=(),
                restart_required=False,
                source="",
            )
            for row in db.execute("SELECT * FROM release WHERE released_at <= ?", (self._now,))
        ]
        rings = {row["id"]: row["name"] for row in db.execute("SELECT id, name FROM ring")}
        self.devices = [
            (row["id"], Platform(row["platform"]), rings.get(row["ring_id"], ""), row["build"], row["site"])
            for row in db.execute("SELECT * FROM device WHERE platform IS NOT NULL")
        ]
        self._past: dict[int, list[tuple[int, int | None]]] = {}
        self._seen: dict[int, int] = {}
        begins: list[int] = []
        for row in db.execute("SELECT * FROM install WHERE state IN ('succeeded', 'uninstalled')"):
            if row["finished_at"] <= self._now:
                self._past.setdefault(row["device_id"], []).append((row["finished_at"], row["build_after"]))
                begins += [row["finished_at"]] if row["state"] == "succeeded" else []
        for row in db.execute("SELECT * FROM build_seen"):
            if row["at"] <= self._now:
                self._past.setdefault(row["device_id"], []).append((row["at"], row["build"]))
            self._seen[row["device_id"]] = min(row["at"], self._seen.get(row["device_id"], row["at"]))
        audit = [row[0] for row in db.execute("SELECT at FROM audit ORDER BY seq LIMIT 1")]
        self.begin = min([*audit, *begins], default=min(self._seen.values(), default=None))

    def months(self) -> list[str]:
        """The months that a report shows, newest first."""
        since = self._now if self.begin is None else self.begin
        found = {
            release.month
            for release in self._releases
            if self._main(release.platform, release.month) is not None
            and min(self._released(p, release.month) for p in Platform if self._main(p, release.month)) + 504 * 3_600
            > since
        }
        return sorted(found, reverse=True)

    def counts(
        self, month: str, hours: int, platform: Platform | None = None, ring: str | None = None
    ) -> tuple[int, int]:
        """(Protected so many hours after the release, or now if that is earlier; devices that count)."""
        protected = devices = 0
        for device, its_platform, its_ring, build, _ in self.devices:
            main = self._main(its_platform, month)
            if main is None or (platform is not None and platform is not its_platform):
                continue
            if ring is not None and ring != its_ring:
                continue
            released = int(main.released_at.timestamp())
            if not self._was_there(device, released):
                continue
            devices += 1
            at = min(released + hours * 3_600, self._now)
            running = build if at == self._now else self._build_at(device, at)
            protected += self._is_protected(its_platform, running, month)
        return protected, devices

    def _was_there(self, device: int, released: int) -> bool:
        if device not in self._seen:
            return True
        first = max(self._seen[device], self.begin or 0)
        return first <= min(released + 504 * 3_600, self._now) or first <= released

    def _build_at(self, device: int, at: int) -> int | None:
        before = [each for each in self._past.get(device, []) if each[0] <= at]
        return max(before, key=lambda each: (each[0], each[1] or -1))[1] if before else None

    def _main(self, platform: Platform, month: str) -> Release | None:
        mine = [each for each in self._releases if each.platform is platform and each.month == month]
        for kinds in (
            (ReleaseKind.HOTPATCH,),
            (ReleaseKind.BASELINE, ReleaseKind.UNPLANNED_BASELINE, ReleaseKind.LCU),
        ):
            found = [each for each in mine if each.kind in kinds]
            if found:
                return found[0]
        return None

    def _released(self, platform: Platform, month: str) -> int:
        main = self._main(platform, month)
        assert main is not None
        return int(main.released_at.timestamp())

    def _is_protected(self, device_platform: Platform, value: int | None, month: str) -> bool:
        if value is None:
            return False
        build = OsBuild.from_int(value)
        family = [p for p in Platform if p.is_server is device_platform.is_server and p.build_number == build.number]
        if not family or self._main(family[0], month) is None:
            # Not a release of that month on the platform it was on: what it had later still counts.
            return bool(family) and any(
                later > month and self._is_protected(family[0], value, later)
                for later in {each.month for each in self._releases if each.platform is family[0]}
                if self._main(family[0], later) is not None
            )
        mine = [each for each in self._releases if each.platform is family[0]]
        since = self._released(family[0], month)
        hotpatches = [each for each in mine if each.kind.is_hotpatch and each.build == build]
        if hotpatches:
            return any(int(each.released_at.timestamp()) >= since for each in hotpatches)
        lcu = [
            each.build
            for each in mine
            if each.month == month and (each.kind.is_baseline or each.kind is ReleaseKind.LCU) and each.build
        ]
        return bool(lcu) and (build.number, build.revision) >= (lcu[0].number, lcu[0].revision)


def hours_after(release: Release, hours: float) -> datetime:
    return release.released_at + timedelta(seconds=int(hours * 3_600))


def release_named(releases: Sequence[Release], platform: Platform, month: str, *, hotpatch: bool) -> Release:
    """The hotpatch, or the baseline or LCU, of a month."""
    for each in releases:
        right_kind = (
            each.kind is ReleaseKind.HOTPATCH if hotpatch else each.kind.is_baseline or each.kind is ReleaseKind.LCU
        )
        if each.platform is platform and each.month == month and right_kind:
            return each
    raise LookupError(f"{platform} has no such release in {month}")
