"""The commands `provider ...`: connect a tenant, sign in, see what works, decide whether it may be written to."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console import data_ages, text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.session import ChangeCommand, Command, Session, session_of
from console.columns import Cell, Column
from console.text import Tone
from engine.model.errors import Refused

if TYPE_CHECKING:
    from engine import Engine
    from engine.model.records.fleet import ProviderStanding
    from engine.providers.graph.steps import CheckStep
    from engine.tenants.desk import ProviderFacts

_CLOUDS = ("global", "usgov", "dod", "china")
_WAYS = ("device-code", "certificate", "secret-env", "managed-identity", "token-env")


@click.group()
def provider() -> None:
    """The systems that reach devices: connect Microsoft Graph, sign in, check what works."""


# --- add and remove ---------------------------------------------------------------------------------


@provider.command(cls=ChangeCommand)
@click.argument("kind", type=click.Choice(["graph"]), metavar="graph")
@click.option("--name", required=True, metavar="NAME", help="What you call it: corp.")
@click.option("--tenant", "tenant_id", default="", metavar="ID", help="Number or domain of the tenant.")
@click.option("--client-id", default="", metavar="ID", help="Number of the app registration.")
@click.option("--sign-in", type=click.Choice(_WAYS), help="How; else it follows from what is given.")
@click.option("--cert", type=click.Path(path_type=Path), metavar="FILE", help="PEM file with certificate and key.")
@click.option("--secret-env", default="", metavar="VARIABLE", help="Environment variable that holds the app's secret.")
@click.option("--token-env", default="", metavar="VARIABLE", help="Environment variable that holds a ready token.")
@click.option("--cloud", type=click.Choice(_CLOUDS), default="global", show_default=True, help="Microsoft's cloud.")
@click.option("--base-url", default="", metavar="URL", help="Where Graph answers, instead of the cloud's address.")
@click.option("--authority", default="", metavar="URL", help="Where sign-in answers, instead of the cloud's address.")
@click.option("--resource", default="", metavar="URL", help="What tokens are for, instead of the cloud's Graph.")
@click.option("--memory-cache", is_flag=True, help="Keep no sign-in on disk: each program signs in anew.")
@click.option("--scope", "scopes", multiple=True, metavar="NAME", help="Ask for these permissions only; repeatable.")
@click.option("--write-scope", "write_scopes", multiple=True, metavar="NAME", help="The same for writing; repeatable.")
@click.option("--writes/--no-writes", default=None, help="Whether the tenant may be changed; see below.")
@session_of
def add(
    session: Session,
    /,
    kind: str,  # noqa: ARG001 - there is one kind as yet
    name: str,
    cert: Path | None,
    cloud: str,
    sign_in: str | None,
    scopes: tuple[str, ...],
    writes: bool | None,
    **given: Any,
) -> int:
    """Connect a tenant of Microsoft Graph under a name. Nothing is sent; next: hotpatch provider login NAME.

    No secret is given here or kept: only the names of variables and files. Writing is off until it is switched on with
    `hotpatch provider writes NAME on`; only for a ready token, whose maker chose its permissions, it is on at once when
    an approver adds it without --no-writes.
    """
    from engine.providers.graph.config import Cloud, SignInWay, made_from

    _check_may_write(session, "The provider is not added.")
    config = made_from(
        cloud=Cloud(cloud),
        sign_in=None if sign_in is None else SignInWay(sign_in),
        certificate="" if cert is None else str(cert.expanduser().absolute()),
        read_scopes=scopes,
        **given,
    )
    with session.engine(create=not session.dry_run) as engine:
        facts = engine.provider_desk().add(name, config, engine.now(), writes=writes, dry_run=session.dry_run)
    if session.as_json:
        output.document({"done": not session.dry_run, **documents.document(facts)})
        return ExitCode.DONE
    verb = "would be added" if session.dry_run else "added"
    output.line(
        f"Provider {facts.name} {verb}: {facts.config['base_url']}, by {config.sign_in}", Tone.OK, session.style
    )
    output.line(_writes_words(facts))
    output.line(facts.capabilities.note)
    if not session.dry_run:
        next_step = "login" if config.sign_in.is_interactive else "check"
        diagnostics.note(f"Next: hotpatch provider {next_step} {facts.name}")
    return ExitCode.DONE


@provider.command(cls=ChangeCommand)
@click.argument("name", metavar="NAME")
@click.option("--remove-devices", is_flag=True, help="Remove its devices and their history, too.")
@session_of
def remove(session: Session, name: str, remove_devices: bool) -> int:
    """Forget a provider and its sign-in. Its devices stay as they were last told, unless --remove-devices."""
    _check_may_write(session, "The provider is not removed.")
    with session.engine() as engine:
        desk, now = engine.provider_desk(), engine.now()
        would = desk.remove(name, now, remove_devices=remove_devices, dry_run=True)
        fate = "removed as well" if remove_devices else "kept"
        if not session.dry_run and would.removed_devices and not session.yes and diagnostics.can_ask():
            question = f"Remove {name} and {text.plural(would.removed_devices, 'device')} with their history? [y/N]"
            if diagnostics.ask(question).casefold() not in ("y", "yes"):
                diagnostics.note("Nothing was changed.")
                return ExitCode.FAILED
        done = would if session.dry_run else desk.remove(name, now, remove_devices=remove_devices)
    if session.as_json:
        output.document(
            {
                "done": not session.dry_run,
                "name": name,
                "devices": done.devices,
                "removed_devices": done.removed_devices,
                "was_signed_in": done.was_signed_in,
                "dropped_requests": done.dropped_requests,
            }
        )
    else:
        verb = "would be removed" if session.dry_run else "removed"
        devices = f"{text.plural(done.devices, 'device')} {'would be ' if session.dry_run else ''}{fate}"
        output.line(f"Provider {name} {verb}; {devices}.", Tone.OK, session.style)
        if done.dropped_requests:
            never = f"{text.plural(done.dropped_requests, 'request')} had not reached it and will not be sent."
            output.line(never, Tone.AT_RISK, session.style)
    return ExitCode.DONE


@provider.command(cls=ChangeCommand)
@click.argument("name", metavar="NAME")
@click.argument("switch", type=click.Choice(["on", "off"]), metavar="on|off")
@session_of
def writes(session: Session, name: str, switch: str) -> int:
    """Let what is approved or paused here happen in the tenant, or keep it here. Switching on needs an approver."""
    _check_may_write(session, "Writing is not switched.")
    with session.engine() as engine:
        desk = engine.provider_desk()
        changed = desk.switch_writes(name, engine.now(), on=switch == "on", dry_run=session.dry_run)
        delegated = desk.graph(name).config.sign_in.is_delegated
    if session.as_json:
        done = {"done": False} if session.dry_run else {}  # what really switched is told as ever
        output.document(done | {"name": name, "writes": switch == "on", "changed": changed})
    else:
        verb = "is already" if not changed else "would be switched" if session.dry_run else "is"
        output.line(f"Writing to {name} {verb} {switch}.", Tone.OK, session.style)
        if switch == "on" and delegated and not session.dry_run:
            diagnostics.note(f"Sign in again, for the permissions that writing needs: hotpatch provider login {name}")
    return ExitCode.DONE


# --- see --------------------------------------------------------------------------------------------

_COLUMNS: tuple[Column[Any], ...] = (
    Column("name", "Provider", 10, lambda row, _: Cell(row.name, Tone.FAILED if row.trouble else Tone.NONE)),
    Column("kind", "Kind", 6, lambda row, _: Cell(row.kind)),
    Column("writes", "Writing", 7, lambda row, _: Cell("on" if row.writes else "off")),
    Column("devices", "Devices", 8, lambda row, _: Cell(text.count(row.devices)), align="right"),
    Column("sign_in", "Sign-in", 16, lambda row, _: Cell(str(row.config.get("sign_in", "")))),
    Column("address", "Address", 20, lambda row, _: Cell(str(row.config.get("base_url", ""))), grow=1),
    Column("tenant", "Tenant", 20, lambda row, _: Cell(str(row.config.get("tenant_id", ""))), grow=1),
)


@provider.command("list", cls=Command)
@session_of
def list_providers(session: Session) -> int:
    """The providers of this state file, and what can be done through each."""
    with session.engine() as engine:
        rows, now = engine.provider_desk().providers(), engine.now()
        standings = {each.name: each for each in engine.reads.tenants.providers()}
    if session.as_json:
        output.document([documents.document(row) | {"standing": standings.get(row.name)} for row in rows])
    elif rows:
        output.table(_COLUMNS, rows, now, session.style)
        diagnostics.notes(f"{row.name}: {row.capabilities.note}" for row in rows if row.capabilities.note)
        diagnostics.notes(f"{row.name}: {row.trouble}" for row in rows if row.trouble)
        for each in standings.values():
            diagnostics.notes(_standing_notes(each, now))
    else:
        diagnostics.note("There is no provider. Connect one: hotpatch provider add graph --name corp")
    return ExitCode.DONE


def _standing_notes(each: ProviderStanding, now: datetime) -> Iterator[str]:
    """How old what is known of a tenant is, what waits for it, and what keeps it from being asked."""
    yield f"{each.name}: as of {data_ages.as_of_words(each.age, now)}."
    if each.waiting:
        since = text.moment(each.waiting_since, now)
        devices = text.plural(each.waiting, "device")
        yield f"{each.name}: requested on {devices}, the first {since}; each acts by itself."
    if each.requests_open or each.requests_refused:
        waiting, refused = text.count(each.requests_open), text.count(each.requests_refused)
        yield f"{each.name}: requests to be sent {waiting}, refused {refused}. See: hotpatch requests"
    if each.pulling:
        yield f"{each.name}: a pull {'goes on' if each.is_pulled_now else 'was broken off'} at {each.pulling}."
    if each.problem:
        yield f"{each.name}: {each.problem}"


_RESULTS = {
    "ok": Tone.OK,
    "denied": Tone.FAILED,
    "failed": Tone.FAILED,
    "skipped": Tone.UNKNOWN,
    "note": Tone.NONE,
}
_STEPS: tuple[Column[Any], ...] = (
    Column("step", "Step", 22, lambda row, _: Cell(row.title)),
    Column("state", "Result", 9, lambda row, _: Cell(row.state, _RESULTS[row.state])),
    Column("found", "Found", 30, lambda row, _: Cell(row.found), grow=2),
    Column("fix", "To do", 30, lambda row, _: Cell(row.fix), grow=1),
)


@provider.command(cls=Command)
@click.argument("name", metavar="NAME")
@session_of
def check(session: Session, name: str) -> int:
    """Look step by step at what works in a tenant, what permission or role is missing, and who can grant it.

    Changes nothing. Ends with 3 when something is missing.
    """
    as_lines = not session.as_json and not session.plain and output.is_terminal()
    with session.engine() as engine:
        steps = asyncio.run(_steps(session, engine, name, as_lines))
        now = engine.now()
    ill = any(step.state.needs_attention for step in steps)
    if session.as_json:
        output.document({"provider": name, "ok": not ill, "steps": steps})
    elif not as_lines:
        output.table(_STEPS, steps, now, session.style)
    return ExitCode.ATTENTION if ill else ExitCode.DONE


async def _steps(session: Session, engine: Engine, name: str, as_lines: bool) -> list[CheckStep]:
    found: list[CheckStep] = []
    async for step in engine.provider_desk().check(name):
        if as_lines:  # as they come: a tenant may take its time
            _tell(session, step, found[-1].fix if found else "")
        found.append(step)
    return found


def _tell(session: Session, step: CheckStep, said_before: str) -> None:
    """One step for a person at a terminal; what is to be done is not said twice in a row."""
    width = max(40, output.terminal_width() - 2)
    first, *more = textwrap.wrap(f"{step.title}: {step.found}", width, break_on_hyphens=False) or [step.title]
    output.line(first, _RESULTS[step.state], session.style)
    fix = "the same" if step.fix == said_before else step.fix
    more += textwrap.wrap(f"To do: {fix}", width - 2, break_on_hyphens=False) if step.fix else []
    for words in more:
        output.line(f"    {words}" if words.startswith("To do:") else f"      {words}")
    output.flush()


# --- sign in and out --------------------------------------------------------------------------------


@provider.command(cls=Command)
@click.argument("name", metavar="NAME")
@session_of
def login(session: Session, name: str) -> int:
    """Sign in to a tenant; by a code that you type into a browser anywhere, where a person signs in.

    Asks for the permissions to read, and for those to write only where writing is switched on.
    """
    _check_is_meant(session, "Nobody is signed in.")
    with session.engine() as engine:
        done = engine.provider_desk().sign_in(name, diagnostics.show_code, engine.now())
    if session.as_json:
        output.document(
            {
                "name": name,
                "account": done.account or None,
                "sign_in": done.way.value,
                "kept_in": done.kept_in or None,
                "for_writing": done.for_writing,
            }
        )
        return ExitCode.DONE
    who = f" as {done.account}" if done.account else ""
    what = "to read and to write" if done.for_writing else "to read"
    output.line(f"Signed in to {name}{who}, {what}.", Tone.OK, session.style)
    output.line(f"Kept in {done.kept_in}" if done.kept_in else "Nothing is kept on disk.")
    return ExitCode.DONE


@provider.command(cls=Command)
@click.argument("name", metavar="NAME")
@session_of
def logout(session: Session, name: str) -> int:
    """Delete the sign-in that is kept on this machine."""
    _check_is_meant(session, "Nobody is signed out.")
    with session.engine() as engine:
        was = engine.provider_desk().sign_out(name, engine.now())
    if session.as_json:
        output.document({"name": name, "was_signed_in": was})
    else:
        words = f"Signed out of {name}." if was else f"No sign-in to {name} was kept."
        output.line(words, Tone.OK, session.style)
    return ExitCode.DONE


# --- how --------------------------------------------------------------------------------------------


def _check_may_write(session: Session, what: str) -> None:
    if session.read_only:
        raise Refused(what, "--read-only refuses every change.", "Leave it out.")


def _writes_words(row: ProviderFacts) -> str:
    if row.writes:
        return f"Writing is on: what is decided here happens there. Off: hotpatch provider writes {row.name} off"
    return f"Writing is off: nothing is changed there. On: hotpatch provider writes {row.name} on"


def _check_is_meant(session: Session, what: str) -> None:
    if session.dry_run:
        raise Refused(what, "It cannot be tried with --dry-run.", "Leave it out.")
