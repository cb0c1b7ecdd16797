"""`[sla]` of the configuration: what is refused and how, and that commands judge failures by it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.service_levels import span_of
from console.settings import Settings, load_settings, settings_table
from engine import open_engine
from engine.model.errors import BadInput
from engine.model.model import Severity
from engine.rules.failures import DEFAULT_TARGETS
from tests.console.cli_kit import call


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_table_the_usual_levels_hold(tmp_path: Path) -> None:
    assert Settings().sla_targets is None
    assert load_settings(written(tmp_path, "[sla]\n")).sla_targets is None


def test_what_is_not_given_stays_as_it_comes(tmp_path: Path) -> None:
    text = '[sla]\ndue_soon = 0.5\n[sla.critical]\nact = "2h"\nfix = "12H"\n[sla.pace]\n" Test " = 0.25\n'
    targets = load_settings(written(tmp_path, text)).sla_targets
    assert targets is not None
    critical = targets.target(Severity.CRITICAL)
    assert (critical.act, critical.fix) == (timedelta(hours=2), timedelta(hours=12))
    assert critical.detect == DEFAULT_TARGETS.target(Severity.CRITICAL).detect
    assert targets.severities[Severity.LOW] == DEFAULT_TARGETS.severities[Severity.LOW]
    assert targets.target(Severity.CRITICAL, "test").act == timedelta(minutes=30)
    assert targets.target(Severity.CRITICAL, "first").act == timedelta(hours=2)
    assert targets.due_soon_share == 0.5


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ('[sla]\ncritcal = "x"', "sla.critcal", "Did you mean critical?"),
        ('[sla.critical]\nfixx = "1d"', "sla.critical.fixx", "Did you mean fix?"),
        ('[sla.critical]\nfix = "soon"', "sla.critical", "write it like 90m, 4h, 5d or 3w"),
        ('[sla.critical]\nfix = "0d"', "sla.critical", "is no time"),
        ('[sla.critical]\nfix = "1h"', "sla", "fix cannot be due before the first action"),
        ("[sla]\ndue_soon = 2", "sla", "from 0 to 1"),
        ("[sla.pace]\ntest = 0", "sla", "above 0"),
        ('[sla.pace]\ntest = "slow"', "sla.pace.test", "does not fit"),
    ],
)
def test_what_is_wrong_names_file_and_field(tmp_path: Path, text: str, field: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load_settings(path)
    assert caught.value.file == str(path)
    assert caught.value.field == field
    assert words in str(caught.value)


@given(st.text(max_size=8))
def test_any_text_is_a_time_or_refused(words: str) -> None:
    try:
        assert timedelta(0) < span_of(words) < timedelta(days=1_000_000)
    except ValueError as error:
        assert "write it like" in str(error)


def test_the_settings_table_lists_them() -> None:
    keys = {key for key, *_ in settings_table()}
    assert {"sla.critical", "sla.unrated", "sla.pace", "sla.due_soon", "keys"} <= keys


def test_commands_judge_failures_by_it(demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overdue() -> list[str]:
        found = call("--db", demo_state, "status", "--json").document["attention"]
        return [each["text"] for each in found if "service level" in each["text"]]

    assert overdue(), "the sample fleet has failures that nobody has looked at"
    lenient = "".join(
        f'[sla.{each}]\ndetect = "90w"\nact = "90w"\nfix = "99w"\n'
        for each in ("critical", "important", "moderate", "low", "unrated")
    )
    monkeypatch.setenv("HOTPATCH_CONFIG", str(written(tmp_path, lenient)))
    assert overdue() == []


def test_devices_and_escalations_go_by_it_too(demo_state: Path) -> None:
    from console.service_levels import SlaSettings, SlaTimes

    times = SlaTimes(detect="90w", act="98w", fix="99w")
    targets = SlaSettings(times, times, times, times, times).targets()
    with open_engine(demo_state) as usual, open_engine(demo_state, targets=targets) as lenient:
        cases = usual.reads.failures.cases()
        assert cases
        for case, other in zip(cases, lenient.reads.failures.cases(), strict=True):
            assert other.sla(lenient.now()).missed == ()
            assert other.sla(lenient.now()).due_at > case.sla(usual.now()).due_at
            (mine, *_) = lenient.reads.failures.of_device(case.device_id)
            assert mine.sla(lenient.now()).missed == ()
        assert all(view.sla.overdue == 0 for view in lenient.reads.failures.views())
