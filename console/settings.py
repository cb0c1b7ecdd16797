"""The configuration file as documented types: read by the entry points, given to the engine and the application.

TOML in the XDG configuration folder. A key that is not known, or a value that does not fit, is refused with the file,
the key and the nearest name that exists. Never holds a secret.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from console.service_levels import SlaSettings, SlaTimes
from engine.model.errors import BadInput, nearest
from engine.model.intents import Role

if TYPE_CHECKING:
    from engine.rules.evidence.rates import Rate
    from engine.rules.failures import SlaTargets

_LONGEST_PULL_HOURS = 24 * 365
_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
ThemeName = Literal["dark", "light", "contrast", "ansi"]


@dataclass(frozen=True, slots=True)
class RoleSettings:
    """Who may do what. Roles stop mistakes, not attackers: whoever can write the state file can do anything."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic reads it from here

    default: Role = Role.APPROVER
    """The role of everybody who is not named below."""
    users: Mapping[str, Role] = field(default_factory=dict)
    """Operating-system user name → role; goes before groups."""
    groups: Mapping[str, Role] = field(default_factory=dict)
    """Operating-system group → role; the highest of a user's groups counts."""


@dataclass(frozen=True, slots=True)
class RateSettings:
    """What something costs your organisation, from one day to another; goes before the program's own rate."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic reads it from here

    low: float
    """The amount, or the lower end of a band."""
    high: float | None = None
    """The upper end of a band; left away, the amount is exact."""
    currency: str = "USD"
    """Three letters: ``EUR``."""
    since: date | None = None
    """The first day it holds for; left away, from the beginning."""
    until: date | None = None
    """The last day it holds for; left away, without an end."""
    source: str = "your configuration"
    """Where the figure comes from; printed beside every amount."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and self.low >= 0):
            raise ValueError("low must be 0 or more")
        if self.high is not None and not (math.isfinite(self.high) and self.high >= self.low):
            raise ValueError("high must not be below low")
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isalpha()):
            raise ValueError("a currency is three letters, like USD or EUR")
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError("until lies before since")


@dataclass(frozen=True, slots=True)
class RatesSettings:
    """Rates of the cost report. Each is a list: ``[[rates.server_restart]]``, one table a span of days."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic reads it from here

    server_restart: tuple[RateSettings, ...] = ()
    """The restart of a server for an update: low, high, currency, since, until, source."""
    client_restart: tuple[RateSettings, ...] = ()
    """The restart of a client; without one, restarts of clients are counted and not priced."""
    arc_core_month: tuple[RateSettings, ...] = ()
    """Hotpatching through Azure Arc, for a core and month."""

    def __post_init__(self) -> None:
        found = {each.currency.upper() for each in (*self.server_restart, *self.client_restart, *self.arc_core_month)}
        if len(found) > 1:
            raise ValueError(f"rates in {' and '.join(sorted(found))} cannot be added up; use one currency")


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """The systems that reach devices."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic reads it from here

    pull_hours: float = 4.0
    """Pull a tenant anew when what is known of it is so old, while a console or ``hotpatch run`` drives. 0: never."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.pull_hours) and 0 <= self.pull_hours <= _LONGEST_PULL_HOURS):
            raise ValueError(f"pull_hours is from 0 to {_LONGEST_PULL_HOURS}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the console."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic reads it from here

    db: str = ""
    """State file to open when neither --db nor $HOTPATCH_DB names one."""
    actor: str = ""
    """Name that commands record instead of the operating-system user; for service accounts."""
    theme: ThemeName = "dark"
    """dark, light, contrast (blue and orange) or ansi (the terminal's own sixteen colours)."""
    mouse: bool = True
    """Whether the console uses the mouse; off leaves it to the terminal, for selecting text."""
    signs: Literal["auto", "unicode", "ascii"] = "auto"
    """Which signs to draw: auto looks at the terminal."""
    animation: Literal["none", "basic", "full"] = "none"
    """How much moves; none is kind to slow connections."""
    drive: bool = True
    """Whether an open console drives the work when no other process does."""
    roles: RoleSettings = field(default_factory=RoleSettings)
    """Who may do what."""
    views: Mapping[str, str] = field(default_factory=dict)
    """Saved filters by name: ``lab = "site:Lab -ready"``."""
    keys: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Your own keys by verb, in place of those it comes with: ``approve = "A"``, ``find = ["f", "ctrl+f"]``."""
    sla: SlaSettings = field(default_factory=SlaSettings)
    """By when failures must be noticed, acted on and put right."""
    rates: RatesSettings = field(default_factory=RatesSettings)
    """What restarts and subscriptions cost your organisation."""
    providers: ProviderSettings = field(default_factory=ProviderSettings)
    """How often tenants are pulled."""

    @property
    def own_keys(self) -> Mapping[str, tuple[str, ...]]:
        """Verb → its keys in this configuration, by Textual's names.

        Raises:
            BadKey: a verb or key is not known, or a key is used twice.
        """
        if not self.keys:
            return {}
        from console.keymap import own_keys
        from console.verbs import VERBS

        return own_keys(VERBS, self.keys)

    @property
    def sla_targets(self) -> SlaTargets | None:
        """The service levels of this configuration, as the engine takes them; None for those it comes with."""
        return None if self.sla == SlaSettings() else self.sla.targets()

    @property
    def pull_every(self) -> timedelta | None:
        """How old what is known of a tenant may grow; None for however old."""
        return timedelta(hours=self.providers.pull_hours) if self.providers.pull_hours else None

    @property
    def own_rates(self) -> tuple[Rate, ...]:
        """The rates of this configuration, as the cost report takes them."""
        from engine.rules.evidence.rates import own_rate

        return tuple(
            own_rate(name.replace("_", "-"), each.low, each.high, each.currency, each.since, each.until, each.source)
            for name in ("server_restart", "client_restart", "arc_core_month")
            for each in getattr(self.rates, name)
        )


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """``$HOTPATCH_CONFIG``, else ``hotpatch/config.toml`` in the XDG configuration folder."""
    named = environment.get("HOTPATCH_CONFIG")
    if named:
        return Path(named)
    base = environment.get("XDG_CONFIG_HOME") or ""
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".config"
    return folder / "hotpatch" / "config.toml"


def load_settings(path: Path | None = None) -> Settings:
    """The settings in a file; the defaults where there is none.

    Raises:
        BadInput: the file cannot be read, is no TOML, or holds an unknown key or a value that does not fit.
    """
    path = path or config_path()
    if not path.exists():
        return Settings()
    import tomllib

    # Most people have no such file, and checking one costs more than the console's first picture.
    from pydantic import TypeAdapter, ValidationError

    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise BadInput(
            "The configuration cannot be read.",
            f"{error.strerror}.",
            "Make it readable, or move it away.",
            file=str(path),
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput("This is not TOML.", f"{error}.", "Write lines like: theme = 'light'", file=str(path)) from error
    try:
        settings = TypeAdapter(Settings).validate_python(raw)
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)
        # A key that is not known explains the one that is missing.
        first = next((each for each in told if each["type"] in _UNKNOWN_KEY), told[0])
        raise _explain(path, text, first) from error
    _check_keys(settings, path, text)
    return settings


def _check_keys(settings: Settings, path: Path, text: str) -> None:
    if not settings.keys:
        return
    from console.keymap import BadKey

    try:
        assert settings.own_keys is not None
    except BadKey as bad:
        at = _line_of(text, ("keys", bad.verb))
        raise BadInput(bad.what, bad.why, bad.instead, file=str(path), line=at, field=f"keys.{bad.verb}") from bad


def _explain(path: Path, text: str, error: Mapping[str, Any]) -> BadInput:
    """One validation error in words."""
    place = tuple(str(part) for part in error["loc"])
    if place[:1] == ("keys",):
        place = place[:2]  # which of the two ways of writing it was tried is no part of the key
    key = ".".join(place)
    at = _line_of(text, place)
    if error["type"] in _UNKNOWN_KEY:
        names = list(_fields_at(place[:-1]))
        close = nearest(place[-1], names)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Known are: {', '.join(names)}."
        return BadInput("This key is not known.", "", hint, file=str(path), line=at, field=key)
    if error["type"] == "tuple_type" and place[:1] == ("rates",):
        hint = f"Begin each of its tables with [[{key}]]."
        at = at or _line_of(text, (*place, ""))  # a single table of its name
        return BadInput("This is no list of tables.", "", hint, file=str(path), line=at, field=key)
    allowed = error.get("ctx", {}).get("expected")
    if allowed:
        return BadInput("This value does not fit.", "", f"Use one of {allowed}.", file=str(path), line=at, field=key)
    why = str(error["msg"]).removeprefix("Value error, ")
    return BadInput("This value does not fit.", f"{why[:1].upper()}{why[1:]}.", "", file=str(path), line=at, field=key)


def _line_of(text: str, place: Sequence[str]) -> int | None:
    """The line of a key, or of the table that it stands in; None where it is written another way."""
    numbers = [index for index, part in enumerate(place) if part.isdigit()]
    table = place[: numbers[0]] if numbers else place[:-1]
    wanted, header = (int(place[numbers[0]]) if numbers else 0), None if table else 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split("#")[0].strip()
        if bare.startswith("["):
            if header is not None:
                break
            if bare.strip("[] ").replace(" ", "") == ".".join(table):
                header, wanted = (number, wanted) if wanted == 0 else (None, wanted - 1)
        elif header is not None and bare.partition("=")[0].strip(" \"'") == place[-1]:
            return number
    return header or None


def _fields_at(place: tuple[str, ...]) -> Iterable[str]:
    tables: Mapping[tuple[str, ...], type[Any]] = {
        ("roles",): RoleSettings,
        ("rates",): RatesSettings,
        ("sla",): SlaSettings,
    }
    # A single rate stands in a list: rates, server_restart, 0.
    single = {"rates": RateSettings, "sla": SlaTimes} if len(place) > 1 else {}
    table = single.get(place[0]) if place and place[0] in single else tables.get(place, Settings)
    assert table is not None
    return [each.name for each in fields(table)]


def role_of(settings: Settings, user: str, groups: Iterable[str]) -> Role:
    """The role of a user of the operating system."""
    if user in settings.roles.users:
        return settings.roles.users[user]
    ranked = list(Role)
    mine = [settings.roles.groups[group] for group in groups if group in settings.roles.groups]
    return max(mine, key=ranked.index) if mine else settings.roles.default


def this_users_groups() -> tuple[str, ...]:
    """The names of the groups that the present process belongs to."""
    try:
        import grp
    except ImportError:  # no such thing on this operating system
        return ()
    names = []
    for number in {os.getgid(), *os.getgroups()}:
        try:
            names.append(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return tuple(sorted(names))


def settings_table() -> list[tuple[str, str, str]]:
    """Every setting as (key, default, meaning), for the documents."""
    rows = []
    for instance, prefix in (
        (Settings(), ""),
        (RoleSettings(), "roles."),
        (RatesSettings(), "rates."),
        (SlaSettings(), "sla."),
        (ProviderSettings(), "providers."),
    ):
        docs = _field_docs(type(instance))
        for each in fields(instance):
            if each.name not in ("roles", "rates", "sla", "providers"):
                rows.append((prefix + each.name, str(getattr(instance, each.name)), docs.get(each.name, "")))
    return rows


def _field_docs(model: type[Any]) -> dict[str, str]:
    """The docstring under each field, read from the source."""
    import ast
    import inspect
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(tree, ast.ClassDef)
    docs: dict[str, str] = {}
    name = ""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            docs[name] = " ".join(str(node.value.value).split())
            name = ""
    return docs
