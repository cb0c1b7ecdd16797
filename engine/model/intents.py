"""The changes one can ask for, as values: what `Engine.plan` takes and `Engine.carry_out` does.

Both fronts make them; nothing here decides anything.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct, field

from engine.model.model import Gate

if TYPE_CHECKING:
    from engine.model.tenants import Request


class Target(Struct, frozen=True):
    """Which devices: by name, by id, by ring, or all that a filter matches. Empty parts do not narrow."""

    names: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    rings: tuple[str, ...] = ()
    filter: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.names or self.ids or self.rings or self.filter.strip())


class StopKind(StrEnum):
    """Pause: nothing new is offered. Halt: nothing new starts either, and what waits is held back."""

    PAUSE = "pause"
    HALT = "halt"


class Scope(Struct, frozen=True):
    """What a pause or halt covers: a release, a ring, both together, or with neither everything."""

    kb: int | None = None
    ring: str | None = None


class Role(StrEnum):
    """What a person may do; each contains the one before."""

    VIEWER = "viewer"
    HELP_DESK = "help-desk"
    OPERATOR = "operator"
    APPROVER = "approver"


class Change(Struct, frozen=True):
    """What every intent tells of itself; `Intent` names the kinds that there are."""

    verb: ClassVar[str]
    """The audit's word for it. Kept records, reports and scripts know it: it stays."""
    does: ClassVar[str]
    """What it does, in the words that follow "Cannot": ``approve releases``."""
    needs: ClassVar[Role]
    """The least role that may ask for it."""
    is_driven: ClassVar[bool] = False
    """Whether what it sets going moves only while something drives the work."""

    @property
    def audit_verb(self) -> str:
        """The verb that is recorded for this one."""
        return self.verb

    @property
    def audit_kb(self) -> int | None:
        """The release that is recorded; None where it names none itself."""
        kb: int | None = getattr(self, "kb", None)
        return kb

    @property
    def audit_rings(self) -> tuple[str, ...]:
        """The rings that are recorded: those that it names."""
        target: Target | None = getattr(self, "target", None)
        return target.rings if target is not None else ()

    @property
    def audit_reason(self) -> str:
        """Why, in the words of the one who asks; "" where the intent takes none."""
        reason: str = getattr(self, "reason", "")
        return reason


class Approve(Change, frozen=True):
    """Let a release go to rings."""

    verb = "approve"
    does = "approve releases"
    needs = Role.APPROVER
    is_driven = True

    kb: int
    rings: tuple[str, ...]
    """Names; empty means every ring."""
    reason: str
    not_before: datetime | None = None
    expires_at: datetime | None = None

    @property
    def audit_rings(self) -> tuple[str, ...]:
        return self.rings


class Withdraw(Change, frozen=True):
    """Take an approval back; what has not started does not start."""

    verb = "withdraw"
    does = "withdraw approvals"
    needs = Role.APPROVER

    approval_id: int
    reason: str


class Apply(Change, frozen=True):
    """Bring a release to devices now, ahead of the rollout."""

    verb = "apply"
    does = "apply releases"
    needs = Role.OPERATOR
    is_driven = True

    kb: int
    target: Target
    reason: str = ""


class After(StrEnum):
    """What follows an uninstall (DESIGN: there is no automatic rollback)."""

    LCU = "lcu"
    """That month's LCU, with its restart; the device is protected again and off the hotpatch track."""
    STAY = "stay"
    """Stay on the baseline until the next one; the hotpatch's CVEs are open until then."""


class Uninstall(Change, frozen=True):
    """Remove a hotpatch from devices; each restarts."""

    verb = "uninstall"
    does = "uninstall hotpatches"
    needs = Role.OPERATOR
    is_driven = True

    kb: int
    target: Target
    reason: str
    after: After = After.STAY


class Retry(Change, frozen=True):
    """Try failed installs again."""

    verb = "retry"
    does = "retry installs"
    needs = Role.HELP_DESK
    is_driven = True

    target: Target
    kb: int | None = None
    reason: str = ""


class Stop(Change, frozen=True):
    """Pause or halt a scope."""

    verb = "stop"
    does = "pause or halt"
    needs = Role.OPERATOR

    kind: StopKind
    scope: Scope
    reason: str

    @property
    def audit_verb(self) -> str:
        return str(self.kind)

    @property
    def audit_kb(self) -> int | None:
        return self.scope.kb

    @property
    def audit_rings(self) -> tuple[str, ...]:
        return (self.scope.ring,) if self.scope.ring else ()


class Resume(Change, frozen=True):
    """Lift the pauses and halts of a scope."""

    verb = "resume"
    does = "resume"
    needs = Role.OPERATOR
    is_driven = True

    scope: Scope
    reason: str = ""

    @property
    def audit_kb(self) -> int | None:
        return self.scope.kb

    @property
    def audit_rings(self) -> tuple[str, ...]:
        return (self.scope.ring,) if self.scope.ring else ()


class SetRing(Change, frozen=True):
    """Change a ring's rules; None leaves a rule as it is."""

    verb = "set-ring"
    does = "change rings"
    needs = Role.OPERATOR

    name: str
    deferral_days: int | None = None
    deadline_days: int | None = None
    grace_days: int | None = None
    max_in_flight: int | None = None
    gate: Gate | None = None
    max_share_in_flight: float | None = None
    waves: tuple[float, ...] | None = None
    """Rising shares, the last 1.0; ``(1.0,)`` is one wave."""
    wave_soak_hours: int | None = None
    window: str | None = None
    """As `engine.rules.rollout.windows` reads it; "" takes the window away."""
    members: str | None = None
    """A filter; "" leaves membership to hands and imports."""
    reason: str = ""
    hotpatch: bool | None = None
    """Whether a tenant lets the ring's devices take hotpatches; for rings of a tenant only."""
    widen: bool = False
    """Switch hotpatches also for other rings that the tenant's policy reaches."""

    @property
    def audit_rings(self) -> tuple[str, ...]:
        return (self.name,)


class Assign(Change, frozen=True):
    """Put devices into a ring."""

    verb = "assign"
    does = "move devices between rings"
    needs = Role.OPERATOR

    target: Target
    ring: str
    reason: str = ""

    @property
    def audit_rings(self) -> tuple[str, ...]:
        return (self.ring,)


class Countersign(Change, frozen=True):
    """The second person's signature under an approval, where policy asks for one."""

    verb = "countersign"
    does = "sign approvals"
    needs = Role.APPROVER
    is_driven = True

    approval_id: int
    reason: str = ""


class Recover(Change, frozen=True):
    """Lead every device back from a bad hotpatch, those too that finish installing it or come back later."""

    verb = "recover"
    does = "begin a recovery"
    needs = Role.OPERATOR
    is_driven = True

    kb: int
    reason: str
    target: Target = field(default_factory=Target)
    """Empty: every device that has it."""
    then: After = After.LCU


class SetHold(Change, frozen=True):
    """A safeguard hold: withhold one release, from all devices or from those that a filter matches;
    or every release from the devices that a filter matches."""

    verb = "hold"
    does = "hold releases back"
    needs = Role.OPERATOR

    kb: int | None
    filter: str
    reason: str


class LiftHold(Change, frozen=True):
    """End a safeguard hold."""

    verb = "lift-hold"
    does = "lift safeguard holds"
    needs = Role.OPERATOR

    hold_id: int
    reason: str = ""


class SetPolicy(Change, frozen=True):
    """Change the rules for approvals and for keeping history; None leaves a rule as it is."""

    verb = "set-policy"
    does = "change the rules for approvals"
    needs = Role.APPROVER

    second_person: bool | None = None
    confirmed_only: bool | None = None
    """Forbid approving releases that no Microsoft document confirms yet."""
    auto_approve: tuple[str, ...] | None = None
    """Rings for which a new release is approved by itself."""
    reason: str = ""
    keep_months: int | None = None
    """How long finished history is kept; 0 is for ever."""

    @property
    def audit_rings(self) -> tuple[str, ...]:
        return self.auto_approve or ()


class Exclude(Change, frozen=True):
    """Keep releases from devices for a reason, until a time where one is given."""

    verb = "exclude"
    does = "exclude devices"
    needs = Role.OPERATOR

    target: Target
    reason: str
    kb: int | None = None
    """None: every release, baselines included."""
    until: datetime | None = None


class Readmit(Change, frozen=True):
    """End the exclusion of devices; the undo of `Exclude`."""

    verb = "readmit"
    does = "readmit devices"
    needs = Role.OPERATOR

    target: Target
    reason: str = ""
    kb: int | None = None
    """None: whatever they are excluded from."""


class TakeBack(Change, frozen=True):
    """Cancel what was asked for by hand and has not started on its devices; the undo of `Retry` and `Apply`."""

    verb = "take-back"
    does = "take installs back"
    needs = Role.HELP_DESK

    target: Target
    kb: int | None = None
    reason: str = ""


class Escalate(Change, frozen=True):
    """Give failed devices an owner and a due time: a group of failures, devices, or both together."""

    verb = "escalate"
    does = "escalate failures"
    needs = Role.HELP_DESK

    owner: str
    group: str = ""
    """A failure group's key or code, ``network/0x8024402C``."""
    target: Target = field(default_factory=Target)
    due_at: datetime | None = None
    """None: by the group's service level."""
    reason: str = ""


class EscalationEnd(StrEnum):
    """How an escalation ended."""

    DONE = "done"
    TAKEN_BACK = "taken-back"
    """It was not meant; it does not count as an action."""


class EndEscalation(Change, frozen=True):
    """Close an escalation; with `TAKEN_BACK` the undo of `Escalate`."""

    verb = "end-escalation"
    does = "end escalations"
    needs = Role.HELP_DESK

    escalation_id: int
    outcome: EscalationEnd = EscalationEnd.DONE
    reason: str = ""


class MarkKnownProblem(Change, frozen=True):
    """Note what is behind a group of failures; with `hold` the release is withheld from further devices."""

    verb = "mark-known-problem"
    does = "mark known problems"
    needs = Role.OPERATOR

    title: str
    group: str = ""
    """A failure group's key or code; "" where the problem has no error code."""
    kb: int | None = None
    """None: the newest release of the group."""
    filter: str = ""
    """The devices that it concerns; "" is every device."""
    hold: bool = False
    note: str = ""
    """What is known, and what helps."""


class HoldForProblem(Change, frozen=True):
    """Turn a known problem into a safeguard hold."""

    verb = "hold-for-problem"
    does = "hold releases back"
    needs = Role.OPERATOR

    problem_id: int
    reason: str = ""


class LiftKnownProblem(Change, frozen=True):
    """A problem is solved, or was none: take the mark away and end its safeguard hold."""

    verb = "lift-known-problem"
    does = "lift known problems"
    needs = Role.OPERATOR

    problem_id: int
    reason: str = ""
    only_hold: bool = False
    """End the hold, keep the mark."""


class Sync(Change, frozen=True):
    """Ask devices of a tenant to check in, so that they learn of changed policies soon."""

    verb = "sync"
    does = "ask devices to check in"
    needs = Role.HELP_DESK

    target: Target
    reason: str = ""


class Expedite(Change, frozen=True):
    """An emergency: a tenant forces a release and a restart on rings, past every deferral."""

    verb = "expedite"
    does = "expedite releases"
    needs = Role.APPROVER

    kb: int
    target: Target
    """Rings only: an expedite goes to groups of the tenant."""
    reason: str
    days: int = 1
    """Days from the install until the restart is forced, 0 to 2."""


class AskAgain(Change, frozen=True):
    """Send a request that a tenant has refused once more, after what it lacked has been put right."""

    verb = "ask-again"
    does = "send requests again"
    needs = Role.OPERATOR

    request_id: int
    reason: str = ""


ApprovalIntent = Approve | Withdraw | Countersign | SetPolicy
InstallIntent = Apply | Uninstall | Retry
StopIntent = Stop | Resume
RingIntent = SetRing | Assign
HoldIntent = SetHold | LiftHold
RecoveryIntent = Recover
FailureIntent = (
    Exclude | Readmit | TakeBack | Escalate | EndEscalation | MarkKnownProblem | HoldForProblem | LiftKnownProblem
)
"""Help for failed installs."""
TenantIntent = Sync | Expedite | AskAgain
"""What only a tenant can do."""
_OfRollout = ApprovalIntent | StopIntent | RingIntent | HoldIntent | RecoveryIntent
Intent = _OfRollout | InstallIntent | FailureIntent | TenantIntent
"""Every kind of change, by families; `engine.changes.families` says which module carries which."""


class Actor(Struct, frozen=True):
    """Who asks, and from where."""

    name: str
    origin: str = ""
    """Host and front, ``jump01 console`` or ``jump01 command``."""


class Refusal(Struct, frozen=True):
    """Why something does not happen, and what would make it possible."""

    what: str
    why: str
    instead: str
    devices: int = 0
    """How many devices it concerns; 0 when it concerns the whole intent."""


MANY_DEVICES = 1_000
"""A plan that touches more than these is confirmed by typing their number."""


class Plan(Struct, frozen=True):
    """The consequences of an intent, computed without changing anything."""

    intent: Intent
    title: str
    """What will happen, as one sentence."""
    steps: tuple[str, ...]
    """What happens in order, in words."""
    devices: int
    """How many devices the change touches."""
    restarts: int
    """How many restarts it causes altogether."""
    sample: tuple[str, ...] = ()
    """The first names, for the dialog."""
    left_out: tuple[Refusal, ...] = ()
    """Devices of the target that the change does not touch, by reason."""
    refusal: Refusal | None = None
    """Set when nothing at all can happen."""
    warnings: tuple[str, ...] = ()
    command: str = ""
    """The same change as a command line."""
    change_number: int = 0
    """The state of the file that the plan was computed on."""
    device_ids: tuple[int, ...] = ()
    requests: tuple[Request, ...] = ()
    """What is sent to tenants, in this order, once the plan has been carried out."""

    @property
    def reaches_far(self) -> bool:
        """Whether a single key is too little to confirm it: it restarts devices, touches many, or several rings."""
        return self.devices > 0 and (self.restarts > 0 or self.devices > MANY_DEVICES or self._names_several_rings)

    @property
    def _names_several_rings(self) -> bool:
        if isinstance(self.intent, Approve):
            return len(self.intent.rings) != 1  # none means all of them
        return len(getattr(self.intent, "target", Target()).rings) > 1
