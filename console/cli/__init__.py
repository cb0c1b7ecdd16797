"""The commands of `hotpatch`: each parses, asks the engine and prints; without one, the console starts.

Modules of commands are loaded when their command is called, and the console only when it is shown.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from console.cli import diagnostics, output
from console.cli.session import ConsoleCall, Session, package_version, session_of, shared_options
from engine.model.errors import BadInput, StateMissing, nearest

SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "See": {
        "status": ("console.cli.overview:status", "the fleet at a glance, and what needs attention"),
        "devices": ("console.cli.fleet:devices", "devices that a filter matches"),
        "device": ("console.cli.helpdesk:device", "one device in plain words; or a ticket about it"),
        "readiness": ("console.cli.fleet:readiness", "where devices are lost on the way to hotpatches"),
        "views": ("console.cli.fleet:views", "saved filters"),
        "rings": ("console.cli.rings:rings", "progress and gates; rings set, overdue, conflicts"),
        "forecast": ("console.cli.approving:forecast", "what happens if a release is approved now"),
        "approvals": ("console.cli.approving:approvals", "who let what go where, and why"),
        "releases": ("console.cli.releases:releases", "Microsoft's releases, newest first"),
        "release": ("console.cli.releases:release", "one release: fixes, twin, what it leaves open"),
        "calendar": ("console.cli.releases:calendar", "the year by platform: baselines, hotpatches, restarts"),
        "failures": ("console.cli.failures:failures", "failed installs by cause, with the next step"),
        "escalations": ("console.cli.failure_work:escalations", "who has which failures, and until when"),
        "requests": ("console.cli.tenants:requests", "what tenants were asked for, and what they answered"),
        "recovery": ("console.cli.recovering:recovery", "how far recoveries are; who needs hands"),
        "holds": ("console.cli.recovering:holds", "what is withheld from which devices"),
        "runbook": ("console.cli.failures:runbook", "the checklist for a cause of failures"),
        "activity": ("console.cli.overview:activity", "what is under way, and who did what, when and why"),
        "reconcile": ("console.cli.reconciling:reconcile", "which findings of a scanner are wrong, with the proof"),
        "report": ("console.cli.reporting:report", "compliance, readiness, cost, activity as a page or CSV"),
    },
    "Decide": {
        "approve": ("console.cli.approving:approve", "let a release go to rings"),
        "countersign": ("console.cli.approving:countersign", "sign as the second person"),
        "withdraw": ("console.cli.approving:withdraw", "take an approval back"),
        "policy": ("console.cli.approving:policy", "the rules for approvals; policy set changes them"),
        "pause": ("console.cli.stopping:pause", "offer nothing new for now"),
        "resume": ("console.cli.stopping:resume", "lift pauses and halts"),
        "halt": ("console.cli.stopping:halt", "stop, and call off what waits"),
        "hold": ("console.cli.recovering:hold", "withhold a release from devices"),
        "unhold": ("console.cli.recovering:unhold", "end such a hold"),
        "exclude": ("console.cli.recovering:exclude", "keep releases from devices"),
        "readmit": ("console.cli.recovering:readmit", "let them back in"),
        "known-problem": ("console.cli.failure_work:known_problem", "what is behind failures; mark, hold, lift"),
        "assign": ("console.cli.changes:assign", "put devices into a ring"),
    },
    "Do": {
        "apply": ("console.cli.changes:apply", "bring an approved release to devices now"),
        "uninstall": ("console.cli.changes:uninstall", "remove a hotpatch from devices"),
        "retry": ("console.cli.changes:retry", "try failed installs again"),
        "take-back": ("console.cli.failure_work:take_back", "cancel what has not started"),
        "recover": ("console.cli.recovering:recover", "lead every device back from a bad hotpatch"),
        "escalate": ("console.cli.failure_work:escalate", "give failures an owner and a due time"),
        "end-escalation": ("console.cli.failure_work:end_escalation", "close that"),
        "sync": ("console.cli.tenants:sync", "ask a tenant's devices to check in"),
        "expedite": ("console.cli.tenants:expedite", "an emergency: a tenant forces a release and a restart"),
        "run": ("console.cli.driving:run", "drive the work without a screen"),
        "clock": ("console.cli.demo:clock", "a demo's clock: show, pause, speed, step"),
    },
    "Look after": {
        "demo": ("console.cli.demo:demo", "a sample fleet where nothing can break"),
        "catalog": ("console.cli.upkeep:catalog", "import or sync Microsoft's documents"),
        "import": ("console.cli.importing:import_devices", "devices from CSV, JSON or Intune's export"),
        "provider": ("console.cli.providers:provider", "connect Microsoft Graph, sign in, check what works"),
        "audit": ("console.cli.auditing:audit", "the record of every decision: verify, export"),
        "backup": ("console.cli.safekeeping:backup", "copy the state while others work on it"),
        "restore": ("console.cli.safekeeping:restore", "make a backup the state again"),
        "prune": ("console.cli.safekeeping:prune", "delete history older than policy keeps it"),
        "doctor": ("console.cli.upkeep:doctor", "check the program and its state file"),
    },
}
"""Section → command → where it is defined, and what the list of commands says of it."""

_PLACES = {name: place for section in SECTIONS.values() for name, (place, _) in section.items()}


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, words) for name, (_, words) in commands.items()])


def unknown_command(wanted: str, known: Sequence[str]) -> str:
    """The message for a command that does not exist, with the nearest ones."""
    near = nearest(wanted, known)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return f"There is no command {wanted!r}.{hint}"


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    output.raw(f"hotpatch-console {package_version()}\n")
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

    A command that changes something shows its plan and asks, where a person sits at the terminal. In a script it goes
    on unasked, unless it restarts devices more than 1,000 times: that needs --yes. --dry-run only shows the plan.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but attention is needed, 4 refused by policy.
    """
    if context.invoked_subcommand is not None:
        return None
    return start_console(session)


def start_console(session: Session, path: Path | None = None) -> int:
    """Show the console on the state file, until the person quits; where there is none, how to come by one.

    Raises:
        StateUnusable: the state file cannot be opened.
        BadInput: there is no terminal to show it on.
    """
    if session.as_json or session.plain:
        option = "--json" if session.as_json else "--plain"
        raise BadInput(
            f"{option} needs a command.", "The console is a screen.", f"For example: hotpatch status {option}"
        )
    if not session.colour:
        os.environ["NO_COLOR"] = "1"
    gc.disable()  # until the first screen stands: starting makes hundreds of thousands of objects that stay
    from console.app import run_console

    path = session.path() if path is None else path
    try:
        return run_console(ConsoleCall(session, session.read_only, session.role), path, session.settings)
    except StateMissing:
        if session.read_only:
            raise
    finally:
        gc.enable()
    return _begin(session, path)


def _begin(session: Session, path: Path) -> int:
    """Show the first screen, and go the way that was chosen there."""
    from console import ways
    from console.first_start import choose_beginning

    begun = choose_beginning(path, session.settings)
    if begun is None:
        return diagnostics.ExitCode.DONE
    if begun.way is ways.TENANT:
        diagnostics.note(f"Connect one with these options; then sign in, and import: {ways.command(begun.way)}")
    words = ["import", "--", begun.file] if begun.way is ways.FILE else list(begun.way.words)
    code = hotpatch.main(args=words, prog_name="hotpatch", standalone_mode=False, obj=session)
    if begun.way is ways.FILE and path.exists():
        return start_console(session, path)
    return code if isinstance(code, int) else diagnostics.ExitCode.DONE


def run(arguments: Sequence[str]) -> int:
    """One call of `hotpatch`, to its exit code."""
    session = Session()

    def work() -> int | None:
        code = hotpatch.main(args=list(arguments), prog_name="hotpatch", standalone_mode=False, obj=session)
        return code if isinstance(code, int) else None

    return diagnostics.guarded(work, debug=lambda: session.debug, named=lambda: session.db)
