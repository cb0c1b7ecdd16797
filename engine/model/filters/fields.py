"""The fields of a filter, each declared once: parser, suggestions, help and the SQL compiler read them here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from msgspec import Struct, field

from engine.model.build import Architecture, Platform
from engine.model.model import (
    STALE_REASON,
    CheckId,
    ChpeState,
    DeviceState,
    FormFactor,
    Management,
    PolicyState,
    Subscription,
    Track,
    VbsState,
    Verdict,
)


class FieldKind(Enum):
    """How a field's values are written and compared."""

    TEXT = auto()
    """``:`` contains, ``=`` is exactly, ``*`` stands for any characters."""
    NAME = auto()
    """A whole name, whatever its case."""
    CHOICE = auto()
    BUILD = auto()
    MOMENT = auto()
    KB = auto()
    CODE = auto()


class Field(Struct, frozen=True):
    """One field of the filter language."""

    name: str
    kind: FieldKind
    help: str
    example: str
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """For a choice every value; for the others words with a meaning of their own."""
    value_aliases: Mapping[str, str] = field(default_factory=dict)


_YES_NO = ("yes", "no", "unknown")
_TRUTH = {"true": "yes", "false": "no", "1": "yes", "0": "no"}
_REASONS = (
    *(check.value for check in CheckId),
    *(f"{check}?" for check in CheckId),
    STALE_REASON,
)

FIELDS: tuple[Field, ...] = (
    Field("name", FieldKind.TEXT, "the device's name", "name:lon-*", ("device", "host")),
    Field("user", FieldKind.TEXT, 'the primary user\'s sign-in name or full name; "" for none', "user:alice"),
    Field("ring", FieldKind.NAME, "the ring, or none", "ring:broad", values=("none",)),
    Field("readiness", FieldKind.CHOICE, "the verdict", "readiness:not-ready", ("verdict",), tuple(Verdict)),
    Field(
        "reason",
        FieldKind.CHOICE,
        "the check that is not met, with ? the one that is unknown; stale: not seen lately",
        "reason:vbs",
        ("why",),
        _REASONS,
        {"stale": STALE_REASON},
    ),
    Field("state", FieldKind.CHOICE, "what is going on with the device now", "state:failed", (), tuple(DeviceState)),
    Field("track", FieldKind.CHOICE, "where its build stands on the calendar", "track:behind", (), tuple(Track)),
    Field(
        "protected",
        FieldKind.CHOICE,
        "runs the current hotpatch, the current LCU, or something later",
        "protected:no",
        (),
        ("yes", "no"),
        _TRUTH,
    ),
    Field("eligible", FieldKind.CHOICE, "could take hotpatches", "eligible:yes", (), _YES_NO, _TRUTH),
    Field(
        "enrolled", FieldKind.CHOICE, "policy or subscription in place", "enrolled:no", ("enrolment",), _YES_NO, _TRUTH
    ),
    Field(
        "platform",
        FieldKind.CHOICE,
        "the Windows version",
        "platform:win11-24h2",
        ("os",),
        (*Platform, "unknown"),
        {
            "24h2": Platform.WIN11_24H2,
            "25h2": Platform.WIN11_25H2,
            "2025": Platform.SERVER_2025,
            "2022": Platform.SERVER_2022,
        },
    ),
    Field(
        "build",
        FieldKind.BUILD,
        "build and revision; a build number alone means every revision of it",
        "build<26100.8390",
        values=("unknown",),
    ),
    Field(
        "arch",
        FieldKind.CHOICE,
        "the processor",
        "arch:arm64",
        ("architecture", "cpu"),
        (*Architecture, "unknown"),
        {"amd64": Architecture.X64, "arm": Architecture.ARM64},
    ),
    Field("edition", FieldKind.TEXT, 'the Windows edition; "" for not told', "edition:enterprise", ("sku",)),
    Field("licence", FieldKind.TEXT, 'the licence key; "" for not told', "licence:m365-e3", ("license",)),
    Field("management", FieldKind.CHOICE, "what manages it", "management:intune", ("managed",), tuple(Management)),
    Field("policy", FieldKind.CHOICE, "the hotpatch switch of its policy", "policy:block", (), tuple(PolicyState)),
    Field(
        "subscription",
        FieldKind.CHOICE,
        "hotpatch enablement of a server in Azure Arc",
        "subscription:pending",
        (),
        tuple(Subscription),
    ),
    Field(
        "vbs",
        FieldKind.CHOICE,
        "virtualization-based security",
        "vbs:off",
        (),
        tuple(VbsState),
        {"on": VbsState.RUNNING, "2": VbsState.RUNNING, "1": VbsState.NOT_RUNNING, "0": VbsState.OFF},
    ),
    Field(
        "chpe",
        FieldKind.CHOICE,
        "CHPE on Arm64",
        "chpe:enabled",
        (),
        tuple(ChpeState),
        {"on": ChpeState.ENABLED, "off": ChpeState.DISABLED},
    ),
    Field("restart", FieldKind.CHOICE, "a restart is pending", "restart:yes", ("restart-pending",), _YES_NO, _TRUTH),
    Field(
        "seen",
        FieldKind.MOMENT,
        "when it last reported; seen>7d is longer ago than 7 days (never counts), seen<7d within them",
        "seen>7d",
        ("last-seen",),
        ("never", "today", "yesterday"),
    ),
    Field(
        "boot",
        FieldKind.MOMENT,
        "when it last started; boot>30d is longer ago than 30 days",
        "boot>30d",
        ("booted",),
        ("unknown", "today", "yesterday"),
    ),
    Field("kb", FieldKind.KB, "has this release: by its build, or by an install that succeeded", "kb:KB5089466"),
    Field("error", FieldKind.CODE, "has an open failure with this error code", "error:0x800F0922", ("code",)),
    Field("site", FieldKind.TEXT, 'the site; "" for none', 'site:"New York"'),
    Field("form", FieldKind.CHOICE, "laptop, desktop, server or cloud PC", "form:laptop", ("type",), tuple(FormFactor)),
    Field("model", FieldKind.TEXT, "the hardware model", "model:latitude"),
    Field("driver", FieldKind.TEXT, "the driver that matters for failures", "driver:intel"),
    Field("serial", FieldKind.TEXT, "the serial number", "serial=PF3K7Q2"),
    Field("asset", FieldKind.TEXT, "the asset tag", "asset:A-10042", ("asset-tag", "tag")),
    Field("domain", FieldKind.TEXT, "the domain the user belongs to", "domain:contoso"),
    Field("provider", FieldKind.NAME, "the system that reaches the device", "provider:graph"),
)
"""In the order in which help and suggestions show them."""

_BY_NAME = {name: each for each in FIELDS for name in (each.name, *each.aliases)}
FIELD_NAMES: tuple[str, ...] = tuple(each.name for each in FIELDS)
EVERY_NAME: tuple[str, ...] = tuple(_BY_NAME)

SYNTAX: tuple[tuple[str, str], ...] = (
    ("alice lon-0042", "both words, each in the name or the user"),
    ("ring:broad state:failed", "both hold"),
    ("ring:test,first", "any of these"),
    ("-ready   -ring:last   ring!=last", "not so"),
    ('site:"New York"', "quotes around blanks, commas and signs"),
    ("name:lon-*   model:*book   serial=PF3K7Q2", "* is anything, = is exactly"),
    ("build<26100.8390   build:26200", "builds compare as builds"),
    ("seen>7d   seen:today   seen>=2026-05-01", "longer ago than 7 days; on a day (UTC); from a day on"),
)
"""Examples with their meaning, for the help page."""


def field_named(name: str) -> Field | None:
    """The field of this name or alias, whatever its case."""
    return _BY_NAME.get(name.casefold())
