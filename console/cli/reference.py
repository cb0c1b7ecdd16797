"""The commands as Markdown, for the documents: what `hotpatch --help` knows, in tables that a test compares.

``python -m console.cli.reference`` prints them.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from console.cli import SECTIONS, hotpatch, output
from console.cli.diagnostics import ExitCode

_ENDINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "wrong usage, or the name of something that does not exist",
    ExitCode.ATTENTION: "done, but attention is needed: a gate fails, a check found something",
    ExitCode.REFUSED: "refused by policy: not approved, read-only, wrong role",
    ExitCode.INTERRUPTED: "interrupted with ctrl+c",
}


def command_rows() -> Iterator[tuple[str, str, str]]:
    """Every command as (section, usage, meaning), in the order of the help."""
    top = click.Context(hotpatch, info_name="hotpatch")
    for section, names in SECTIONS.items():
        for name in names:
            command = hotpatch.get_command(top, name)
            if command is not None:
                yield from _rows(section, command, click.Context(command, info_name=name, parent=top))


def _rows(section: str, command: click.Command, context: click.Context) -> Iterator[tuple[str, str, str]]:
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield section, _usage(command, context), _meaning(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _rows(section, below, click.Context(below, info_name=name, parent=context))


def _usage(command: click.Command, context: click.Context) -> str:
    words = [context.command_path]
    for param in command.params:
        if isinstance(param, click.Argument):
            words.append(_value_name(param))
        elif isinstance(param, click.Option) and not param.hidden:
            words.append(_option(param))
    return " ".join(words)


def _value_name(param: click.Parameter) -> str:
    return param.metavar or (param.name or "").upper()


def _option(param: click.Option) -> str:
    value = "" if param.is_flag else f" {_value_name(param)}"
    shown = f"{param.opts[0]}{value}{'...' if param.multiple else ''}"
    return shown if param.required else f"[{shown}]"


def _meaning(command: click.Command) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split())


def commands_markdown() -> str:
    """The table of all commands."""
    lines = ["| command | what it does |", "|---|---|"]
    lines += [f"| `{usage.replace('|', chr(92) + '|')}` | {meaning} |" for _, usage, meaning in command_rows()]
    return "\n".join(lines)


def options_markdown() -> str:
    """The options that every command takes, before or after its name."""
    context = click.Context(hotpatch, info_name="hotpatch")
    lines = ["| option | meaning |", "|---|---|"]
    for param in hotpatch.get_params(context):
        if isinstance(param, click.Option):
            # click keeps the help option of whoever asked first, by the names that held there.
            opts = hotpatch.context_settings["help_option_names"] if "--help" in param.opts else param.opts
            names = ", ".join(f"`{name}`" for name in opts)
            value = "" if param.is_flag else f" `{_value_name(param)}`"
            lines.append(f"| {names}{value} | {param.help or ''} |")
    return "\n".join(lines)


def exit_codes_markdown() -> str:
    """The exit codes."""
    return "\n".join(["| code | meaning |", "|---|---|", *(f"| {code} | {_ENDINGS[code]} |" for code in ExitCode)])


def permissions_markdown() -> str:
    """What the console asks for in a tenant of Microsoft Graph, and why."""
    from engine.providers.graph.permissions import permissions

    lines = ["| permission | for | why | without it |", "|---|---|---|---|"]
    for each in permissions():
        use = "writing" if each.writes else "reading"
        lines.append(f"| `{each.name}` | {use}{'' if each.needed else ', optional'} | {each.why} | {each.without} |")
    return "\n".join(lines)


if __name__ == "__main__":
    output.raw("\n\n".join((commands_markdown(), options_markdown(), exit_codes_markdown())) + "\n")
