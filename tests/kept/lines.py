"""The command lines that are asked of each kept state. Every command stands here, or in `UNASKED` with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

UNASKED = {
    "catalog sync": "asks Microsoft",
    "provider login": "asks Microsoft",
    "provider logout": "touches a token cache outside the state",
    "provider check": "its proofs are ages by the machine's own clock; tests of their own play it",
    "provider writes": "0.1 carries it out in spite of --dry-run; it stands in a script",
    "demo": "makes a state; it does not read one",
    "audit script": "prints a file of the package; the state has no part in it",
    "clock pause": "stands in the scripts",
    "clock resume": "stands in the scripts",
    "clock speed": "stands in the scripts",
    "clock step": "stands in the scripts",
    "run": "stands in the scripts",
    "forecast": "takes long; one state is asked",
}

FACTS = """
status
devices
devices "ring:broad -ready" --sort build --limit 5
devices --view behind-baseline
device {device}
device {device} --ticket
device {other}
readiness
views
rings
rings --release {kb}
rings conflicts
rings overdue
rings overdue --release {kb} --all
approvals
approvals {kb}
releases
releases --platform win11-24h2 --all
release {kb}
release KB5089549
calendar
calendar --platform server-2025 --year 2026
failures
failures platform:win11-24h2
escalations
escalations --all
requests
requests --last 2 --bodies
recovery
recovery {kb}
holds
runbook
runbook component-store
activity
activity --limit 2
reconcile scan.csv
reconcile scan.csv --only true
report compliance
report readiness --filter ring:broad
report cost
report activity
policy
known-problem
clock
clock show
provider list
audit verify
audit export
doctor
""".strip().splitlines()

CHANGES = """
rings set {ring} --deferral 2 --deadline 4 --reason "slower"
requests again 1
approve {kb} --ring {ring} --reason "tested"
approve KB5089549 --all-rings --reason "tested"
countersign 1
withdraw 1 --reason "not now"
policy set --second-person --confirmed-only
pause --all --reason "freeze"
pause --release {kb} --reason "freeze"
resume --all
halt --release {kb} --reason "bad"
hold {kb} --filter site:Berlin --reason "driver"
unhold 1
exclude --device {device} --reason "on stage"
readmit --device {device}
known-problem mark --title "audio" --release {kb} --hold
known-problem hold 1
known-problem lift 1
assign --to {ring} --device {device}
apply {kb} --device {device} --reason "now"
uninstall {kb} --ring {ring} --reason "bad"
retry --filter state:failed
take-back --ring {ring}
recover {kb} --reason "bad"
escalate --owner alice --filter state:failed
end-escalation 1
sync --device {device}
expedite {kb} --ring {ring} --reason "in the wild"
import devices.csv
provider add graph --name other --token-env OTHER_TOKEN
provider remove corp
catalog import none.xml
backup copy.db
restore none.db
prune
""".strip().splitlines()


def lines(**words: str) -> Iterator[str]:
    """The questions, then each change as ``--dry-run``."""
    yield from (each.format(**words) for each in FACTS)
    yield from (f"{each.format(**words)} --dry-run" for each in CHANGES)


def commands() -> Iterator[str]:
    """Every command of the program that does something by itself, as its words: ``audit verify``."""
    from console.cli import hotpatch

    def below(command: click.Command, words: tuple[str, ...]) -> Iterator[str]:
        if words and (not isinstance(command, click.Group) or command.invoke_without_command):
            yield " ".join(words)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from below(found, (*words, name))

    return below(hotpatch, ())


def command_of(line: str, known: Iterable[str]) -> str:
    """The command that a line calls: the longest that it begins with."""
    return max((each for each in known if f"{line} ".startswith(f"{each} ")), key=len, default="")
