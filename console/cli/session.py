"""What one call of `hotpatch` was asked to be: state file, actor, output; and the options that say so.

The group and every command share these options, before or after the command's name. Opens the engine, decides nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from console.cli.output import Style
from engine.model.errors import BadInput
from engine.model.intents import Actor, Role

if TYPE_CHECKING:
    from console.settings import Settings
    from engine import Engine

FLEET_FILE = "fleet.db"
DEMO_FILE = "demo.db"
_LONGEST_NAME = 80


class Session(Struct):
    """The shared options of one call."""

    db: Path | None = None
    actor_name: str = ""
    read_only: bool = False
    yes: bool = False
    dry_run: bool = False
    as_json: bool = False
    plain: bool = False
    colour: bool = True
    debug: bool = False
    _settings: Settings | None = None

    @property
    def style(self) -> Style:
        return Style(plain=self.plain, colour=self.colour)

    @property
    def settings(self) -> Settings | None:
        """The configuration file's settings; None where there is no such file, which spares loading its types.

        Raises:
            BadInput: the file cannot be used.
        """
        if self._settings is None and configuration_file().exists():
            from console.settings import load_settings

            self._settings = load_settings()
        return self._settings

    def path(self, otherwise: str = FLEET_FILE) -> Path:
        """The state file: --db, else $HOTPATCH_DB, else the settings', else that file in the XDG state folder."""
        if self.db is not None:
            return self.db
        named = os.environ.get("HOTPATCH_DB", "")
        if not named and otherwise == FLEET_FILE and self.settings is not None:
            named = self.settings.db
        return Path(named).expanduser() if named else state_folder() / otherwise

    @property
    def role(self) -> Role:
        """The role of the operating-system user by the settings; whatever --actor says."""
        if self.settings is None:
            return Role.APPROVER
        from console.settings import role_of, this_users_groups

        return role_of(self.settings, system_user(), this_users_groups())

    def actor(self, front: str = "command") -> Actor:
        """Who asks: --actor, else the operating-system user; where from names the user in any case."""
        user = system_user()
        origin = f"{socket.gethostname()} {front}"
        name = self.actor_name or (self.settings.actor if self.settings is not None else "")
        return Actor(user, origin) if name in ("", user) else Actor(name, f"{origin} of {user}")

    @contextmanager
    def engine(self, path: Path | None = None, *, create: bool = False, asks: bool = True) -> Iterator[Engine]:
        """The engine on the state file, closed at the end. Makes the file only where `create` says so.

        `asks`: a person may be asked to sign in on the spot.

        Raises:
            StateUnusable: the file cannot be opened; the message says why.
        """
        from console.cli import diagnostics
        from engine import open_engine
        from engine.rules.tenants.inventory import PULL_EVERY

        told = diagnostics.requests_told() if self.debug else nullcontext()
        with (
            told,
            open_engine(
                path or self.path(),
                actor=self.actor(),
                role=self.role,
                read_only=self.read_only,
                create=create,
                on_code=diagnostics.show_code if asks and diagnostics.can_ask() else None,
                targets=self.settings.sla_targets if self.settings is not None else None,
                pull_every=self.settings.pull_every if self.settings is not None else PULL_EVERY,
            ) as engine,
        ):
            yield engine


class ConsoleCall(Struct):
    """How the console was called, as `console.app` takes it."""

    session: Session
    read_only: bool
    role: Role

    def actor(self, front: str = "console") -> Actor:
        return self.session.actor(front)


def state_folder() -> Path:
    """The folder for state files where none is named."""
    from platformdirs import user_state_path

    return user_state_path("hotpatch", appauthor=False)


def configuration_file() -> Path:
    """Where `console.settings` looks for the configuration, told without loading its types."""
    named = os.environ.get("HOTPATCH_CONFIG", "")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".config"
    return folder / "hotpatch" / "config.toml"


def system_user() -> str:
    """The operating-system user; a number where it has no name, as in some containers."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def package_version() -> str:
    """The version of the installed program."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("hotpatch-console")
    except PackageNotFoundError:
        return "(not installed)"


# --- options ----------------------------------------------------------------------------------------


def _sets(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback that keeps an option's value in the session, if it was given."""

    def keep(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None and value is not False:
            setattr(context.ensure_object(Session), name, value)

    return keep


def _keep_actor(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    name = value.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadInput(
            "--actor must be a name.", "", f"Give 1 to {_LONGEST_NAME} printable characters: --actor alice.meyer"
        )
    context.ensure_object(Session).actor_name = name


def _keep_db(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    if not value.strip() or "\x00" in value:
        raise BadInput("--db must name a file.", "", "For example: --db fleet.db")
    context.ensure_object(Session).db = Path(value).expanduser()


def _no_colour(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).colour = False


def _flag(name: str, sets: str, words: str, *, hidden: bool) -> click.Option:
    return click.Option(
        [name], is_flag=True, default=False, help=words, expose_value=False, callback=_sets(sets), hidden=hidden
    )


def shared_options(*, shown: frozenset[str] | None = None) -> list[click.Parameter]:
    """The shared options; `shown` names those that a command's own help lists, None lists all."""

    def hidden(name: str) -> bool:
        return shown is not None and name not in shown

    return [
        click.Option(
            ["--db"],
            metavar="PATH",
            help="State file; else $HOTPATCH_DB, else fleet.db in the XDG state folder.",
            expose_value=False,
            callback=_keep_db,
            hidden=hidden("--db"),
        ),
        _flag("--json", "as_json", "Print one JSON document.", hidden=hidden("--json")),
        _flag("--plain", "plain", "Print plain lines, words separated by tabs.", hidden=hidden("--plain")),
        click.Option(
            ["--no-color", "--no-colour"],
            is_flag=True,
            default=False,
            help="Print without colours; $NO_COLOR does the same.",
            expose_value=False,
            callback=_no_colour,
            hidden=hidden("--no-color"),
        ),
        click.Option(
            ["--actor"],
            metavar="NAME",
            help="Record this name instead of the system user's.",
            expose_value=False,
            callback=_keep_actor,
            hidden=hidden("--actor"),
        ),
        _flag("--read-only", "read_only", "Refuse every change.", hidden=hidden("--read-only")),
        _flag("--yes", "yes", "Do not ask before a change.", hidden=hidden("--yes")),
        _flag("--dry-run", "dry_run", "Show what a change would do, and do nothing.", hidden=hidden("--dry-run")),
        _flag(
            "--debug",
            "debug",
            "Tell each request to a tenant, and where something unexpected went wrong.",
            hidden=hidden("--debug"),
        ),
    ]


FACTS = frozenset({"--json"})
CHANGES = frozenset({"--json", "--yes", "--dry-run"})


class Command(click.Command):
    """A command that takes the shared options after its name as well."""

    shown = FACTS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._shared = shared_options(shown=self.shown)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *self._shared]


class ChangeCommand(Command):
    """A command that changes something: its help names --yes and --dry-run."""

    shown = CHANGES


class FactsGroup(click.Group, Command):
    """A command that prints by itself and has commands below it, as `rings` and `rings set`."""


session_of = click.make_pass_decorator(Session, ensure=True)
