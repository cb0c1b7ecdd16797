"""What is said of a cause, a code and one failed install, and how runbooks are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from console.columns import failure_lines
from console.widgets.failure_text import cause_text, group_text, install_text
from console.widgets.paragraphs import lay_out, unwrapped
from console.widgets.runbook_text import runbook_text
from engine import open_engine
from engine.rules.failures import Escalation, FailureGroupView, KnownProblem, RetryDecision
from engine.rules.failures.errorcodes import explain
from engine.rules.failures.runbooks import Runbook, runbook

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
CODE = 0x800F0922


def views_of(path: Path) -> tuple[FailureGroupView, ...]:
    with open_engine(path) as engine:
        return engine.reads.failures.views()


def test_a_group_in_full(demo_state: Path) -> None:
    text = unwrapped(group_text(views_of(demo_state)[0], NOW))
    for part in (
        "✗ 11 devices failed",
        "in common  10 of 11 are Latitude 7450",
        "to do      Find the installer",
        "retry      ◐ after the repair   4 may be tried now, 7 not: It failed 3 times",
        "due        ✗ overdue   to put it right by",
        "11 of 11 devices overdue",
        "releases   KB5083769",
        "and 6 more",
    ):
        assert part in text


def test_an_unknown_code_says_that_its_cause_is_a_guess(demo_state: Path) -> None:
    view = views_of(demo_state)[0]
    unknown = replace(view, group=replace(view.group, known=False, symbol=""))
    assert "? not in the table of codes" in unwrapped(group_text(unknown, NOW))


def test_owners_and_known_problems_are_told(demo_state: Path) -> None:
    given = Escalation(1, CODE, "desktop team", "image is broken", NOW + timedelta(days=1), "mia", NOW, 11, 11)
    problem = KnownProblem(1, "Driver 5186 blocks it", CODE, 5083769, "", "Update it first.", True, 1, "mia", NOW)
    view = replace(views_of(demo_state)[0], escalations=(given,), known_problems=(problem,), excluded=2)
    text = unwrapped(group_text(view, NOW))
    assert "given to   ◐ desktop team   by 14 May 09:00   11 devices, image is broken" in text
    assert "known      ▲ Driver 5186 blocks it   Update it first.   the release is withheld for it" in text
    assert "excluded   2 devices of these" in text
    late = unwrapped(group_text(view, NOW + timedelta(days=2)))
    assert "given to   ✗ desktop team" in late


def test_a_cause_in_full_names_its_codes(demo_state: Path) -> None:
    text = unwrapped(cause_text(failure_lines(views_of(demo_state))[0], NOW))
    assert text.startswith("Component store  ✗ 13 devices failed  3 codes")
    assert "0x80073712 ERROR_SXS_COMPONENT_STORE_CORRUPT  1 device" in text


def test_one_install_says_whether_it_may_be_tried_again(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        row = engine.reads.failures.open("error:0x800F0922")[0]
    yes = unwrapped(install_text(row, explain(CODE), RetryDecision(True, NOW, "Try 2 of 3."), NOW))
    no = unwrapped(install_text(row, explain(CODE), RetryDecision(False, None, "It failed 3 times."), NOW))
    assert "retry      ● may be tried now   Try 2 of 3." in yes
    assert "retry      ▲ not now   It failed 3 times." in no
    assert row.model in yes
    assert row.driver in yes


def test_text_of_a_device_cannot_break_out(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        row = engine.reads.failures.open()[0]
    nasty = replace(row, device_name="[red]PC\x1b]52;c;x\x07", model="[@click=app.quit]m[/]", driver="\u202edriver")
    paras = install_text(nasty, explain(CODE), RetryDecision(True, NOW, ""), NOW + timedelta(hours=1))
    text = lay_out(paras, 78)
    assert "[red]PC" in text.plain
    assert not set(text.plain) & {"\x1b", "\x07", "\u202e"}
    assert all("click" not in str(span.style) for span in text.spans)


def test_runbooks_keep_steps_and_commands_apart() -> None:
    plain = [each.plain for each in runbook_text(runbook("component-store"))]
    assert plain[0] == "Component store: Windows' own parts are damaged"
    assert "1. Is there damage, and can it be repaired?" in plain
    assert any(line.strip() == "Dism /Online /Cleanup-Image /CheckHealth" for line in plain)
    joined = next(line for line in plain if line.startswith("3. "))
    assert joined.endswith("a share of the same build.")


def test_a_runbook_of_the_organisation_says_so_and_is_only_text() -> None:
    own = Runbook("network", "Ours", "# Ours\n\n[@click=app.quit]call[/] **the desk**\n\n- `ping x`\n", "own.md")
    paras = runbook_text(own)
    plain = [each.plain for each in paras]
    assert plain[0] == "Your organisation's runbook"
    assert "[@click=app.quit]call[/] the desk" in plain
    assert "- ping x" in plain


def test_wrapped_lines_stand_under_their_text(demo_state: Path) -> None:
    lines = lay_out(group_text(views_of(demo_state)[0], NOW), 60).plain.splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith("in common"))
    assert lines[begin + 1].startswith(" " * 11)
    assert max(len(line) for line in lines) <= 60
