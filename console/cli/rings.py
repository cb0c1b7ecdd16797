"""Commands about rings: progress and gates, their rules, who is late, and whom several rings claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from console import columns, data_ages, text
from console.cli import diagnostics, documents, output
from console.cli.changing import change, kb_number
from console.cli.diagnostics import ExitCode
from console.cli.session import ChangeCommand, Command, FactsGroup, Session, session_of
from console.cli.work_lists import LATE, RING_CONFLICTS
from engine.model.errors import BadInput
from engine.model.intents import SetRing
from engine.model.model import Gate, Ring
from engine.model.records.fleet import RingProgress, RingRow, Urgency
from engine.rules.rollout.windows import window_text

if TYPE_CHECKING:
    from engine import Engine
    from engine.model.records.rollout import HealthRow, LateDevice

_ALL = 10_000_000
"""More devices than a ring can have: counts are whole."""
_SAMPLE = 20
"""Names that stand beside a count."""


@click.group(cls=FactsGroup, invoke_without_command=True)
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release.")
@session_of
@click.pass_context
def rings(context: click.Context, session: Session, kb: int | None) -> int | None:
    """How far releases have come, ring by ring, and what each gate says.

    Without --release: the current release of each platform and whatever is approved. Ends with 3 when a gate fails
    or something is halted.
    """
    if context.invoked_subcommand is not None:
        return None
    with session.engine() as engine:
        rows = engine.reads.rollout.rings()
        progress = engine.reads.rollout.ring_progress(kb)
        late, health = _late(engine, progress), _health(engine, progress)
        if session.as_json:
            output.document(_documents(rows, progress, late, health, documents.as_of(engine.reads.tenants.ages())))
        else:
            now, style = engine.now(), session.style
            output.table(columns.RINGS, rows, now, style)
            output.line()
            output.table(columns.RING_PROGRESS, progress, now, style)
            for words in filter(None, (_own_rules(row.ring) for row in rows)):
                output.line(words)
            for words in (each for row in rows for each in tenant_lines(row, now)):
                output.line(words)
            tenants = (row.tenant.provider for row in rows if row.tenant is not None)
            diagnostics.notes(data_ages.notes(engine.reads.tenants.ages(), tenants, now))
            diagnostics.notes(_notes(engine, late, health))
        urgent = [each for each in engine.reads.attention() if each.urgency is Urgency.NOW and each.screen == "rings"]
    if not session.as_json:
        diagnostics.notes(f"Now: {each.text}." for each in urgent)
    return ExitCode.ATTENTION if urgent else ExitCode.DONE


def _own_rules(ring: Ring) -> str:
    """The rules for which the table has no column, where a ring has any; "" where not."""
    parts = []
    if len(ring.waves) > 1:
        waves = ", ".join(f"{share:.4g}" for share in (100 * each for each in ring.waves))
        parts.append(f"waves of {waves} %, each watched for {ring.wave_soak_hours} h")
    if ring.max_share_in_flight:
        parts.append(f"at most {100 * ring.max_share_in_flight:.4g} % at once")
    if ring.window is not None:
        parts.append(f"restarts {window_text(ring.window)}")
    if ring.members:
        parts.append(f"members {ring.members}")
    if not ring.gate.judge_health:
        parts.append("health is not judged")
    return f"Ring {ring.name}: {'; '.join(parts)}." if parts else ""


def tenant_lines(row: RingRow, now: datetime) -> list[str]:
    """What a tenant keeps of a ring, what it changed by itself, and what it was asked for."""
    side = row.tenant
    if side is None:
        return []
    if side.gone_at is not None:
        return [
            f"Ring {row.ring.name}: {side.provider} does not have it any more, since {text.moment(side.gone_at, now)}."
        ]
    parts = [f"{side.provider}'s {side.kind}"]
    named = (("deferral", side.deferral_days), ("deadline", side.deadline_days), ("grace", side.grace_days))
    parts += [f"{name} {days} d" for name, days in named if days is not None]
    if side.paused:
        until = f" until {text.moment(side.pause_expires_at, now)}" if side.pause_expires_at else ""
        parts.append(f"paused there{until}")
    parts.append(
        {True: "hotpatches allowed", False: "hotpatches not allowed", None: "hotpatches not told"}[side.hotpatch]
    )
    if side.policies:
        also = f", which reaches {', '.join(side.also)} too" if side.also else ""
        parts.append(f"policy {', '.join(side.policies)}{also}")
    lines = [f"Ring {row.ring.name}: {'; '.join(parts)}. Read {text.until(side.told_at, now)}."]
    lines += [f"  Requested {text.until(since, now)}: {why}." for why, since in side.asked]
    if side.changed and side.changed_at is not None:
        lines.append(f"  Changed there, seen {text.until(side.changed_at, now)}: {side.changed}.")
    return lines


def _documents(
    rows: Sequence[RingRow],
    progress: Sequence[RingProgress],
    late: Sequence[LateDevice],
    wellness: Sequence[HealthRow],
    as_of: documents.Document,
) -> list[documents.Document]:
    """One object for each release and ring, in ring order; a ring that no release is about stands alone."""
    overdue: dict[tuple[int, str], list[str]] = {}
    for device in late:
        overdue.setdefault((device.kb, device.ring), []).append(device.device_name)
    well = {(each.kb, each.ring): each for each in wellness}
    told = {
        row.ring.id: documents.document(row) | {"as_of": as_of.get(row.tenant.provider) if row.tenant else None}
        for row in rows
    }
    found = []
    for each in progress:
        names, health = overdue.get((each.kb, each.ring.name), []), well.get((each.kb, each.ring.name))
        extra = {"overdue": len(names), "overdue_sample": names[:_SAMPLE], "health": health}
        found.append(told[each.ring.id] | documents.document(each) | extra)
    named = {each.ring.id for each in progress}
    return found + [told[row.ring.id] for row in rows if row.ring.id not in named]


def _late(engine: Engine, progress: Sequence[RingProgress]) -> tuple[LateDevice, ...]:
    """Devices past their deadline; releases that no ring has opened for have none."""
    kbs = dict.fromkeys(each.kb for each in progress if each.opened_at is not None)
    return tuple(each for kb in kbs for each in engine.reads.rollout.late_devices(kb, limit=_ALL))


def _health(engine: Engine, progress: Sequence[RingProgress]) -> tuple[HealthRow, ...]:
    kbs = dict.fromkeys(each.kb for each in progress if each.opened_at is not None)
    return tuple(row for kb in kbs for row in engine.reads.rollout.health(kb))


def _notes(engine: Engine, late: Sequence[LateDevice], health: Sequence[HealthRow]) -> list[str]:
    """What the tables have no column for."""
    found = [f"Health of ring {row.ring} with {text.kb(row.kb)}: {words}" for row in health for words in row.anomalies]
    if late:
        found.append(f"{text.plural(len(late), 'device')} past the deadline. Who, and why: hotpatch rings overdue")
    conflicts = len(engine.reads.rollout.ring_conflicts(_ALL))
    if conflicts:
        found.append(f"Claimed by other rings too: {text.plural(conflicts, 'device')}. See: hotpatch rings conflicts")
    return found


@rings.command("overdue", cls=Command)
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release.")
@click.option("--all", "every", is_flag=True, help="Those too whose deadline is still to come.")
@session_of
def overdue(session: Session, kb: int | None, every: bool) -> int:
    """Devices that have not got a release by the deadline of their ring, and why.

    Ends with 3 when there are any past it.
    """
    with session.engine() as engine:
        progress = engine.reads.rollout.ring_progress(kb)
        kbs = dict.fromkeys(each.kb for each in progress if each.opened_at is not None)
        rows = [
            row for one in kbs for row in engine.reads.rollout.late_devices(one, overdue_only=not every, limit=_ALL)
        ]
        if session.as_json:
            output.document(rows)
        elif rows:
            output.table(LATE, rows, engine.now(), session.style)
        else:
            diagnostics.note("No device is late." if kbs else "No ring has opened for a release.")
    return ExitCode.ATTENTION if any(each.lateness == "overdue" for each in rows) else ExitCode.DONE


@rings.command("conflicts", cls=Command)
@session_of
def conflicts(session: Session) -> int:
    """Devices that the filters of several rings match, or that were placed by hand elsewhere than where they match.

    Each is in one ring all the same: where it was placed by hand, else the first that claims it.
    """
    with session.engine() as engine:
        rows = engine.reads.rollout.ring_conflicts(_ALL)
        if session.as_json:
            output.document(rows)
        elif rows:
            output.table(RING_CONFLICTS, rows, engine.now(), session.style)
        else:
            diagnostics.note("No device is claimed by more than one ring.")
    return ExitCode.DONE


# --- rules ------------------------------------------------------------------------------------------


def share(words: str) -> float:
    """A share, ``25%`` or ``0.25``, as 0.0 to 1.0, for click.

    Raises:
        BadInput: it is none.
    """
    plain = words.strip()
    try:
        found = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0.0 <= found <= 1.0:
        raise BadInput(f"{words!r} is no share.", "", "Write it like 25% or 0.25.")
    return found


def wave_shares(words: str) -> tuple[float, ...]:
    """Rising shares, ``1%,10%,50%,100%``, for click; ``none`` is one wave.

    Raises:
        BadInput: one of them is no share.
    """
    if words.strip().casefold() in ("", "none"):
        return (1.0,)
    return tuple(share(each) for each in words.split(","))


def percent(words: str) -> float:
    """A share in per cent, ``90`` or ``90%``, as 0.0 to 1.0, for click.

    Raises:
        BadInput: it is none.
    """
    return share(words.strip().removesuffix("%") + "%")


_GATE_RULES = Gate.__struct_fields__


@rings.command("set", cls=ChangeCommand)
@click.argument("name", metavar="NAME")
@click.option("--deferral", "deferral_days", type=int, metavar="DAYS", help="Days after release before it is offered.")
@click.option("--deadline", "deadline_days", type=int, metavar="DAYS", help="Days until it must be installed.")
@click.option("--grace", "grace_days", type=int, metavar="DAYS", help="Days for devices that come back.")
@click.option("--max-in-flight", type=int, metavar="N", help="Installs at once; 0 is no limit.")
@click.option("--max-share-in-flight", type=share, metavar="SHARE", help="The same as a share, 25%; 0 is no limit.")
@click.option("--waves", type=wave_shares, metavar="SHARES", help="Rising to all: 1%,10%,50%,100%; none is one wave.")
@click.option("--wave-soak-hours", type=int, metavar="HOURS", help="Hours that a wave is watched before the next.")
@click.option("--window", metavar="TEXT", help="Restarts happen then: 'sat,sun 22:00-04:00 Europe/Berlin'; or none.")
@click.option("--members", metavar="FILTER", help="Its devices; '' leaves them to assign and import.")
@click.option(
    "--min-installed", "min_installed_share", type=percent, metavar="PERCENT", help="Gate: least share installed."
)
@click.option("--max-failed", "max_failed_share", type=percent, metavar="PERCENT", help="Gate: largest share failed.")
@click.option("--min-sample", type=click.IntRange(0), metavar="N", help="Gate: installs before failures are judged.")
@click.option("--soak", "soak_hours", type=click.IntRange(0), metavar="HOURS", help="Gate: hours to wait after that.")
@click.option("--health/--no-health", "judge_health", default=None, help="Gate: whether patched devices must be well.")
@click.option("--hotpatch", type=click.Choice(["on", "off"]), metavar="on|off", help="A tenant's ring: hotpatches.")
@click.option("--widen", is_flag=True, help="Hotpatches for all rings that the tenant's policy reaches.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def set_ring(session: Session, /, name: str, reason: str, hotpatch: str | None, **rules: Any) -> int:
    """Change a ring's rules; a ring that has opened stays open, its gate and limits count at once.

    What a tenant keeps of a ring is asked of the tenant, and changes here when the tenant has changed it.
    """
    gate = {rule: rules.pop(rule) for rule in _GATE_RULES}
    given = {rule: value for rule, value in gate.items() if value is not None}
    changed = _changed_gate(session, name, given) if given else None
    allowed = None if hotpatch is None else hotpatch == "on"
    return change(session, SetRing(name, gate=changed, reason=reason, hotpatch=allowed, **rules))


def _changed_gate(session: Session, name: str, given: Mapping[str, Any]) -> Gate | None:
    """The ring's gate with what was given; None for a ring that does not exist, which the plan then says."""
    with session.engine() as engine:
        found = [
            row.ring for row in engine.reads.rollout.rings() if row.ring.name.casefold() == name.strip().casefold()
        ]
    return replace(found[0].gate, **given) if found else None
