"""The triggers that keep, with every write, what an overview judges: failures, reasons, and builds over time.

`open_case` has a row an open failure with its times. `reason_count` sums the devices that are not ready, `build_count`
the builds that devices run, `build_flow` by how many the devices with a build changed in each hour. A change of a build
is a row of the view `build_change`: an install that ended well or was undone, or a build that was seen. Devices are
told apart by platform, and by the hour in which they were first seen (0: nothing is on record), because a month does
not count those that came after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.store.schema.script import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

_OPEN_CASES = """
    SELECT l.id, l.device_id, l.ring_id, l.kb, l.platform, l.action, l.code, f.finished_at,
        ifnull(f.detected_at, f.finished_at),
        (SELECT min(e.requested_at) FROM install e WHERE e.device_id = l.device_id AND e.id > f.id AND e.kb = l.kb
            AND e.action = l.action AND e.state <> 'cancelled' AND e.requested_by <> 'engine')
    FROM (
        SELECT i.id, i.device_id, d.ring_id, i.kb, i.platform, i.action, ifnull(i.error_code, 0) AS code,
            (SELECT min(e.id) FROM install e WHERE e.device_id = i.device_id AND e.kb = i.kb AND e.action = i.action
                AND e.state = 'failed' AND e.id > ifnull((SELECT max(s.id) FROM install s
                    WHERE s.device_id = i.device_id AND s.id < i.id AND s.state IN ('succeeded', 'uninstalled')), 0)
            ) AS first_id
        FROM install i JOIN device d ON d.id = i.device_id WHERE i.open_failure = 1 AND ({where})
    ) l JOIN install f ON f.id = l.first_id
"""
"""The latest attempt, and the first one that failed since the device's last success, with what a person did after."""

_CHANGE_OF_INSTALL = "ifnull({row}.build_after, CASE {row}.state WHEN 'succeeded' THEN -{row}.kb ELSE 0 END)"
"""The build that an install left; minus its KB where it was not told, 0 for nothing known."""
_IS_CHANGE = "({row}.state IN ('succeeded', 'uninstalled') AND {row}.finished_at IS NOT NULL)"
_FIRST = "ifnull((SELECT (min(b.at) + 3599) / 3600 FROM build_seen b WHERE b.device_id = {device}), 0)"
_ADD_FLOW = "ON CONFLICT (build, hour, platform, first_hour) DO UPDATE SET devices = devices + excluded.devices"
_ADD_COUNT = "ON CONFLICT (platform, first_hour, build) DO UPDATE SET devices = devices + excluded.devices"


def create_tables(db: Database) -> None:
    """The tables and the view, empty."""
    run_script(
        db,
        f"""
        CREATE TABLE open_case (
            install_id INTEGER PRIMARY KEY, device_id INTEGER NOT NULL, ring_id INTEGER, kb INTEGER NOT NULL,
            platform TEXT NOT NULL, action TEXT NOT NULL, code INTEGER NOT NULL,
            failed_at INTEGER, detected_at INTEGER, retried_at INTEGER
        );
        CREATE INDEX open_case_of_device ON open_case (device_id);
        CREATE TABLE build_count (
            platform TEXT NOT NULL, first_hour INTEGER NOT NULL, build INTEGER NOT NULL, devices INTEGER NOT NULL,
            PRIMARY KEY (platform, first_hour, build)
        ) WITHOUT ROWID;
        CREATE TABLE build_flow (
            build INTEGER NOT NULL, hour INTEGER NOT NULL, platform TEXT NOT NULL, first_hour INTEGER NOT NULL,
            devices INTEGER NOT NULL, PRIMARY KEY (build, hour, platform, first_hour)
        ) WITHOUT ROWID;
        CREATE TABLE reason_count (
            verdict TEXT NOT NULL, reasons TEXT NOT NULL, devices INTEGER NOT NULL, PRIMARY KEY (verdict, reasons)
        ) WITHOUT ROWID;
        CREATE VIEW build_change AS
            SELECT device_id, finished_at AS at, {_CHANGE_OF_INSTALL.format(row="install")} AS build, id AS install_id
                FROM install WHERE {_IS_CHANGE.format(row="install")}
            UNION ALL SELECT device_id, at, build, 0 FROM build_seen;
        """,
    )


# --- open failures ----------------------------------------------------------------------------------


def _cases_anew(device: str) -> str:
    return (
        f"DELETE FROM open_case WHERE device_id = {device}; "
        f"INSERT INTO open_case {_OPEN_CASES.format(where=f'i.device_id = {device}')};"
    )


def _case_triggers() -> str:
    known = "EXISTS (SELECT 1 FROM open_case WHERE device_id = {device})"
    # What is under way on a device that failed moves often, and matters only when it ends or is asked for anew.
    watched = "state, open_failure, error_code, detected_at, finished_at, requested_at"
    final = "IN ('succeeded', 'failed', 'uninstalled', 'cancelled')"
    matters = (
        f"new.open_failure <> old.open_failure OR ({known.format(device='new.device_id')} "
        f"AND (new.state {final} OR old.state {final} OR new.requested_at <> old.requested_at))"
    )
    return f"""
        CREATE TRIGGER open_case_insert AFTER INSERT ON install
            WHEN new.open_failure = 1 OR {known.format(device="new.device_id")}
            BEGIN {_cases_anew("new.device_id")} END;
        CREATE TRIGGER open_case_update AFTER UPDATE OF {watched} ON install WHEN {matters}
            BEGIN {_cases_anew("new.device_id")} END;
        CREATE TRIGGER open_case_delete AFTER DELETE ON install WHEN {known.format(device="old.device_id")}
            BEGIN {_cases_anew("old.device_id")} END;
        CREATE TRIGGER open_case_ring AFTER UPDATE OF ring_id ON device WHEN new.ring_id IS NOT old.ring_id
            BEGIN UPDATE open_case SET ring_id = new.ring_id WHERE device_id = new.id; END;
        """


# --- why devices are not ready ----------------------------------------------------------------------


def _reason(row: str, by: int) -> str:
    return (
        f"INSERT INTO reason_count SELECT {row}.verdict, {row}.reasons, {by} WHERE {row}.verdict <> 'ready' "
        "ON CONFLICT (verdict, reasons) DO UPDATE SET devices = devices + excluded.devices;"
    )


def _reason_triggers() -> str:
    return f"""
        CREATE TRIGGER reason_count_insert AFTER INSERT ON device BEGIN {_reason("new", 1)} END;
        CREATE TRIGGER reason_count_delete AFTER DELETE ON device BEGIN {_reason("old", -1)} END;
        CREATE TRIGGER reason_count_update AFTER UPDATE OF verdict, reasons ON device
            WHEN new.verdict <> old.verdict OR new.reasons <> old.reasons
            BEGIN {_reason("old", -1)} {_reason("new", 1)} END;
        """


# --- builds over time -------------------------------------------------------------------------------


def _count(row: str, by: int) -> str:
    """One device more or less with its build."""
    return (
        "INSERT INTO build_count (platform, first_hour, build, devices) "
        f"SELECT {row}.platform, {_FIRST.format(device=f'{row}.id')}, ifnull({row}.build, 0), {by} "
        f"WHERE {row}.platform IS NOT NULL {_ADD_COUNT};"
    )


def _flow(device: str, at: str, build: str, itself: str, by: int) -> str:
    """One change of a device appears, or with `by` -1 is gone, between the one before it and the one after it."""
    others = f"FROM build_change c WHERE c.device_id = {device} AND NOT ({itself}) AND (c.at, c.build)"
    before = f"(SELECT c.build {others} <= ({at}, {build}) ORDER BY c.at DESC, c.build DESC LIMIT 1)"
    after = f"(SELECT c.at {others} > ({at}, {build}) ORDER BY c.at, c.build LIMIT 1)"
    return f"""
        INSERT INTO build_flow (build, hour, platform, first_hour, devices)
        SELECT CASE WHEN s.part IN (0, 3) THEN {build} ELSE n.before END,
            (CASE WHEN s.part < 2 THEN {at} ELSE n.after END + 3599) / 3600,
            d.platform, {_FIRST.format(device=device)}, CASE WHEN s.part IN (0, 2) THEN {by} ELSE {-by} END
        FROM device d, (SELECT {before} AS before, {after} AS after LIMIT 1) n,
            (SELECT 0 AS part UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) s
        WHERE d.id = {device} AND d.platform IS NOT NULL
            AND (s.part IN (0, 3) OR n.before IS NOT NULL) AND (s.part < 2 OR n.after IS NOT NULL) {_ADD_FLOW};
        """


def _all_flows(device: str, platform: str, first: str, by: int, itself: str = "0", only: str = "1") -> str:
    """Every change of a device counted under a platform and a first hour, or taken away from there."""
    changes = f"FROM build_change c WHERE c.device_id = {device} AND NOT ({itself})"
    return f"""
        INSERT INTO build_flow (build, hour, platform, first_hour, devices)
        SELECT build, hour, {platform}, {first}, by FROM (
            SELECT c.build, (c.at + 3599) / 3600 AS hour, {by} AS by {changes}
            UNION ALL SELECT lag(c.build) OVER (ORDER BY c.at, c.build), (c.at + 3599) / 3600, {-by} {changes}
        ) WHERE build IS NOT NULL AND {platform} IS NOT NULL AND ({only}) {_ADD_FLOW};
        """


def _first_moves(device: str, at: str, itself: str, direction: int) -> str:
    """A first sighting has come or gone: what is known of the device counts under another first hour."""
    rest = f"(SELECT min(b.at) FROM build_seen b WHERE b.device_id = {device} AND NOT ({itself}))"
    without = f"ifnull(({rest} + 3599) / 3600, 0)"
    within = f"({at} + 3599) / 3600"
    old, new = (without, within) if direction > 0 else (within, without)
    is_first = f"{at} < ifnull({rest}, 9e15)"
    platform = f"(SELECT platform FROM device WHERE id = {device})"
    own = itself.replace("b.", "c.")
    counts = "".join(
        "INSERT INTO build_count (platform, first_hour, build, devices) "
        f"SELECT d.platform, {first}, ifnull(d.build, 0), {by} FROM device d "
        f"WHERE d.id = {device} AND d.platform IS NOT NULL AND {is_first} {_ADD_COUNT};"
        for first, by in ((old, -1), (new, 1))
    )
    return (
        counts
        + _all_flows(device, platform, old, -1, f"c.install_id = 0 AND ({own})", is_first)
        + _all_flows(device, platform, new, 1, f"c.install_id = 0 AND ({own})", is_first)
    )


def _build_triggers() -> str:
    def install(row: str, by: int) -> str:
        build = _CHANGE_OF_INSTALL.format(row=row)
        return _flow(f"{row}.device_id", f"{row}.finished_at", build, f"c.install_id = {row}.id", by)

    def seen(row: str, by: int) -> str:
        itself = f"c.install_id = 0 AND c.at = {row}.at"
        return _flow(f"{row}.device_id", f"{row}.at", f"{row}.build", itself, by)

    was, is_now = _IS_CHANGE.format(row="old"), _IS_CHANGE.format(row="new")
    old_build, new_build = _CHANGE_OF_INSTALL.format(row="old"), _CHANGE_OF_INSTALL.format(row="new")
    differs = f"({was} <> {is_now} OR old.finished_at IS NOT new.finished_at OR {old_build} <> {new_build})"
    return f"""
        CREATE TRIGGER build_count_insert AFTER INSERT ON device BEGIN {_count("new", 1)} END;
        CREATE TRIGGER build_count_delete AFTER DELETE ON device BEGIN {_count("old", -1)} END;
        CREATE TRIGGER build_count_update AFTER UPDATE OF platform, build ON device
            WHEN new.platform IS NOT old.platform OR new.build IS NOT old.build
            BEGIN {_count("old", -1)} {_count("new", 1)} END;
        CREATE TRIGGER build_flow_platform AFTER UPDATE OF platform ON device WHEN new.platform IS NOT old.platform
            BEGIN {_all_flows("new.id", "old.platform", _FIRST.format(device="new.id"), -1)}
            {_all_flows("new.id", "new.platform", _FIRST.format(device="new.id"), 1)} END;
        CREATE TRIGGER build_flow_insert AFTER INSERT ON install WHEN {is_now} BEGIN {install("new", 1)} END;
        CREATE TRIGGER build_flow_gone AFTER UPDATE OF state, finished_at, build_after, kb ON install
            WHEN {was} AND {differs} BEGIN {install("old", -1)} END;
        CREATE TRIGGER build_flow_done AFTER UPDATE OF state, finished_at, build_after, kb ON install
            WHEN {is_now} AND {differs} BEGIN {install("new", 1)} END;
        CREATE TRIGGER build_flow_delete AFTER DELETE ON install WHEN {was} BEGIN {install("old", -1)} END;
        CREATE TRIGGER build_flow_seen AFTER INSERT ON build_seen
            BEGIN {_first_moves("new.device_id", "new.at", "b.at = new.at", 1)} {seen("new", 1)} END;
        CREATE TRIGGER build_flow_seen_anew AFTER UPDATE OF build ON build_seen WHEN new.build <> old.build
            BEGIN {seen("old", -1)} {seen("new", 1)} END;
        CREATE TRIGGER build_flow_unseen BEFORE DELETE ON build_seen
            BEGIN {seen("old", -1)} {_first_moves("old.device_id", "old.at", "b.at = old.at", -1)} END;
        """


# --- all of it --------------------------------------------------------------------------------------


def create_keeping_triggers(db: Database) -> None:
    """Keep `open_case`, `reason_count`, `build_count` and `build_flow` with every write."""
    run_script(db, _case_triggers() + _reason_triggers() + _build_triggers())


def drop_keeping_triggers(db: Database) -> None:
    """For a bulk load only, or for a copy that is never judged; then `keep_anew` before the transaction ends."""
    for (name,) in db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND (name GLOB 'open_case_*' "
        "OR name GLOB 'reason_count_*' OR name GLOB 'build_count_*' OR name GLOB 'build_flow_*')"
    ).fetchall():
        db.execute(f"DROP TRIGGER {name}")


def keep_anew(db: Database) -> None:
    """Work all of it out anew, from devices and history themselves."""
    for table in ("open_case", "reason_count", "build_count", "build_flow"):
        db.execute(f"DELETE FROM {table}")
    db.execute(
        "INSERT INTO reason_count SELECT verdict, reasons, count(*) FROM device WHERE verdict <> 'ready' GROUP BY 1, 2"
    )
    db.execute(f"INSERT INTO open_case {_OPEN_CASES.format(where='1')}")
    first = "ifnull((f.at + 3599) / 3600, 0)"
    sightings = "(SELECT device_id, min(at) AS at FROM build_seen GROUP BY device_id) f ON f.device_id = d.id"
    db.execute(
        f"INSERT INTO build_count SELECT d.platform, {first}, ifnull(d.build, 0), count(*) "
        f"FROM device d LEFT JOIN {sightings} WHERE d.platform IS NOT NULL GROUP BY 1, 2, 3"
    )
    db.execute(
        f"""
        INSERT INTO build_flow
        SELECT w.build, w.hour, d.platform, {first}, sum(w.devices) FROM (
            SELECT device_id, build, (at + 3599) / 3600 AS hour, 1 AS devices FROM build_change
            UNION ALL SELECT device_id, lag(build) OVER (PARTITION BY device_id ORDER BY at, build),
                (at + 3599) / 3600, -1 FROM build_change
        ) w JOIN device d ON d.id = w.device_id LEFT JOIN {sightings}
        WHERE w.build IS NOT NULL AND d.platform IS NOT NULL GROUP BY 1, 2, 3, 4
        """
    )
