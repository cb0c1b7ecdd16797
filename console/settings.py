"""The configuration file as documented types: read by the entry points, given to the engine and the application.

TOML in the XDG configuration folder. A key that is not known, or a value that does not fit, is refused with the file,
the key and the nearest name that exists. Never holds a secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from engine.errors import BadInput
from engine.intents import Role
from engine.nearest import nearest

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
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
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
        return TypeAdapter(Settings).validate_python(raw)
    except ValidationError as error:
        raise _explain(path, error.errors(include_url=False, include_input=False)[0]) from error


def _explain(path: Path, error: Mapping[str, Any]) -> BadInput:
    """One validation error in words."""
    place = tuple(str(part) for part in error["loc"])
    key = ".".join(place)
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        names = list(_fields_at(place[:-1]))
        close = nearest(place[-1], names)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Known are: {', '.join(names)}."
        return BadInput("This key is not known.", "", hint, file=str(path), field=key)
    allowed = error.get("ctx", {}).get("expected")
    if allowed:
        return BadInput("This value does not fit.", "", f"Use one of {allowed}.", file=str(path), field=key)
    return BadInput("This value does not fit.", f"{error['msg']}.", "", file=str(path), field=key)


def _fields_at(place: tuple[str, ...]) -> Iterable[str]:
    return [each.name for each in fields(RoleSettings if place == ("roles",) else Settings)]


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
    for instance, prefix in ((Settings(), ""), (RoleSettings(), "roles.")):
        docs = _field_docs(type(instance))
        for each in fields(instance):
            if each.name != "roles":
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
