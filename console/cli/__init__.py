"""The commands of `hotpatch`: each parses, asks the engine and prints; without one, the console starts.

Modules of commands are loaded when their command is called, and the console only when it is shown.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from console.cli import diagnostics, output
from console.cli.session import ConsoleCall, Session, session_of, shared_options
from engine.errors import BadInput

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "See": {
        "status": "console.cli.overview:status",
        "devices": "console.cli.fleet:devices",
        "device": "console.cli.fleet:device",
        "readiness": "console.cli.fleet:readiness",
        "views": "console.cli.fleet:views",
        "rings": "console.cli.rollout:rings",
        "approvals": "console.cli.rollout:approvals",
        "releases": "console.cli.releases:releases",
        "release": "console.cli.releases:release",
        "calendar": "console.cli.releases:calendar",
        "failures": "console.cli.failures:failures",
        "runbook": "console.cli.failures:runbook",
        "activity": "console.cli.overview:activity",
    },
    "Decide": {
        "approve": "console.cli.rollout:approve",
        "withdraw": "console.cli.rollout:withdraw",
        "pause": "console.cli.rollout:pause",
        "resume": "console.cli.rollout:resume",
        "halt": "console.cli.rollout:halt",
        "assign": "console.cli.changes:assign",
    },
    "Do": {
        "apply": "console.cli.changes:apply",
        "uninstall": "console.cli.changes:uninstall",
        "retry": "console.cli.changes:retry",
        "run": "console.cli.driving:run",
        "clock": "console.cli.demo:clock",
    },
    "Look after": {
        "demo": "console.cli.demo:demo",
        "catalog": "console.cli.upkeep:catalog",
        "audit": "console.cli.upkeep:audit",
        "doctor": "console.cli.upkeep:doctor",
    },
}
"""Section → command → where it is defined."""

_PLACES = {name: place for section in SECTIONS.values() for name, place in section.items()}


class Hotpatch(click.Group):
    """The group; finds a command by its place and names near ones when it does not exist."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._shared = shared_options()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *self._shared]

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        return list(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's shape
        place = _PLACES.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found = getattr(importlib.import_module(module), name)
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        wanted = args[0]
        if not wanted.startswith("-") and wanted not in _PLACES:
            raise click.UsageError(unknown_command(wanted, list(_PLACES)), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            rows = []
            for name in commands:
                command = self.get_command(ctx, name)
                if command is not None:
                    rows.append((name, command.get_short_help_str(80)))
            with formatter.section(title):
                formatter.write_dl(rows)


def unknown_command(wanted: str, known: Sequence[str]) -> str:
    """The message for a command that does not exist, with the nearest ones."""
    from engine.nearest import nearest

    near = nearest(wanted, known)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return f"There is no command {wanted!r}.{hint}"


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    from importlib.metadata import version

    output.raw(f"hotpatch-console {version('hotpatch-console')}\n")
    context.exit()


@click.group(
    cls=Hotpatch,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
@session_of
@click.pass_context
def hotpatch(context: click.Context, session: Session) -> int | None:
    """Windows hotpatching across a fleet: readiness, rings, calendar, failed installs.

    Without a command the console starts. Every command that prints facts takes --json.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but attention is needed, 4 refused by policy.
    """
    if context.invoked_subcommand is not None:
        return None
    return start_console(session)


def start_console(session: Session, path: Path | None = None) -> int:
    """Show the console on the state file, until the person quits.

    Raises:
        StateUnusable: the state file cannot be opened.
        Refused: there is no terminal to show it on.
    """
    if session.as_json or session.plain:
        option = "--json" if session.as_json else "--plain"
        raise BadInput(
            f"{option} needs a command.", "The console is a screen.", f"For example: hotpatch status {option}"
        )
    if not session.colour:
        os.environ["NO_COLOR"] = "1"
    from console.app import run_console

    call = ConsoleCall(session, session.read_only, session.role)
    return run_console(call, session.path() if path is None else path, session.settings)


def run(arguments: Sequence[str]) -> int:
    """One call of `hotpatch`, to its exit code."""
    session = Session()

    def work() -> int | None:
        code = hotpatch.main(args=list(arguments), prog_name="hotpatch", standalone_mode=False, obj=session)
        return code if isinstance(code, int) else None

    return diagnostics.guarded(work, debug=lambda: session.debug)
