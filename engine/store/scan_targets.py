"""Finds the devices that a scanner means, with what reconciliation asks of them. Reads by index, never writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from ipaddress import ip_address

from engine.model.build import Architecture, Platform
from engine.model.model import DONE
from engine.rules.findings.device import Failure, InstallStep, Seen, TargetDevice
from engine.store.search import names_near
from engine.store.values import among, moment, os_build, placeholders, time_of

_LAST = chr(0x10FFFF)
_NETBIOS_LENGTH = 15
"""What is longer is cut off in a NetBIOS name (Learn, "Naming conventions in Active Directory")."""
_MOST = 20
_COLUMNS = "id, name, name_key, domain"


class ScanTargets:
    """The devices of the state file as scanners name them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._providers: list[str] | None = None

    def find(self, hosts: Sequence[str], device_key: str) -> tuple[tuple[int, str], ...]:
        """The devices that a host's names may mean, as (id, name): none, the one, or several that cannot be told apart.

        The first name that is known decides. A DNS name means a device of that whole name, else the device of the
        short name; a NetBIOS name of 15 letters may be the beginning of a longer one.
        """
        for host in hosts:
            if is_address(host):
                continue
            rows = self._named(host.casefold())
            if len(rows) > 1:
                rows = _of_domain(rows, host) or rows
            if rows:
                return tuple((row["id"], row["name"]) for row in rows)
        return self._by_key(device_key) if device_key else ()

    def near(self, host: str) -> tuple[str, ...]:
        """Names that are like a host's, for "did you mean"."""
        return names_near(self._db, host.split(".", 1)[0])

    def read(self, device_id: int) -> TargetDevice | None:
        """A device with its history; None when it has gone meanwhile."""
        row = self._db.execute(
            "SELECT id, name, domain, platform, architecture, build, restart_pending, last_seen_at "
            "FROM device WHERE id = ?",
            (device_id,),
        ).fetchone()
        if row is None:
            return None
        steps, failures = self._installs(device_id)
        return TargetDevice(
            id=row["id"],
            name=row["name"],
            domain=row["domain"],
            platform=None if row["platform"] is None else Platform(row["platform"]),
            architecture=None if row["architecture"] is None else Architecture(row["architecture"]),
            build=os_build(row["build"]),
            restart_pending=bool(row["restart_pending"]),
            last_seen_at=moment(row["last_seen_at"]),
            steps=steps,
            seen=self._seen(device_id),
            failures=failures,
        )

    def _installs(self, device_id: int) -> tuple[tuple[InstallStep, ...], tuple[Failure, ...]]:
        steps: list[InstallStep] = []
        failures: list[Failure] = []
        for row in self._db.execute(
            # Begun by nobody: a tenant's device did it by itself. When it did is not known, only the build was seen.
            "SELECT id, kb, action, state, requested_at, finished_at, build_before, build_after, error_code, "
            "open_failure FROM install WHERE device_id = ? AND finished_at IS NOT NULL "
            f"AND (state IN {among(DONE)} AND started_at IS NOT NULL OR open_failure = 1) "
            "ORDER BY finished_at, id",
            (device_id,),
        ):
            if row["open_failure"]:
                failures.append(Failure(row["kb"], row["error_code"], time_of(row["finished_at"])))
            else:
                steps.append(
                    InstallStep(
                        id=row["id"],
                        kb=row["kb"],
                        is_uninstall=row["action"] == "uninstall",
                        requested_at=time_of(row["requested_at"]),
                        finished_at=time_of(row["finished_at"]),
                        build_before=os_build(row["build_before"]),
                        build_after=os_build(row["build_after"]),
                    )
                )
        return tuple(steps), tuple(reversed(failures))

    def _seen(self, device_id: int) -> tuple[Seen, ...]:
        rows = self._db.execute("SELECT at, build FROM build_seen WHERE device_id = ? ORDER BY at", (device_id,))
        return tuple(Seen(time_of(row["at"]), build) for row in rows if (build := os_build(row["build"])) is not None)

    def _named(self, name: str) -> list[sqlite3.Row]:
        rows = self._where("name_key = ?", name)
        short, dot, _ = name.partition(".")
        if not rows and dot:
            rows = self._where("name_key = ?", short)
        elif not rows:
            rows = self._where("name_key >= ? AND name_key < ?", f"{short}.", f"{short}/")
        if not rows and not dot and len(name) == _NETBIOS_LENGTH:
            found = self._where("name_key >= ? AND name_key < ?", name, name + _LAST)
            rows = [row for row in found if row["name_key"].partition(".")[0][:_NETBIOS_LENGTH] == name]
        return rows

    def _by_key(self, key: str) -> tuple[tuple[int, str], ...]:
        if self._providers is None:
            self._providers = [row[0] for row in self._db.execute("SELECT DISTINCT provider FROM device")]
        rows = self._where(
            f"provider IN ({placeholders(len(self._providers))}) AND external_id = ?", *self._providers, key
        )
        return tuple((row["id"], row["name"]) for row in rows)

    def _where(self, condition: str, *params: str) -> list[sqlite3.Row]:
        return self._db.execute(
            f"SELECT {_COLUMNS} FROM device WHERE {condition} ORDER BY name_key, id LIMIT {_MOST}", params
        ).fetchall()


def is_address(host: str) -> bool:
    """Whether a host is given as an IP address."""
    if not host[:1].isdigit() and ":" not in host:
        return False
    try:
        ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return True


def _of_domain(rows: Sequence[sqlite3.Row], host: str) -> list[sqlite3.Row]:
    """Those whose domain is that of the host's DNS name."""
    suffix = host.casefold().partition(".")[2]
    if not suffix:
        return []
    return [row for row in rows if row["domain"].casefold() in (suffix, suffix.partition(".")[0])]
