"""The configuration: defaults, what is refused and how, roles."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from console.settings import RoleSettings, Settings, config_path, load_settings, role_of, settings_table
from engine.model.errors import BadInput
from engine.model.intents import Role


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.toml") == Settings()


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    settings = load_settings(
        written(
            tmp_path,
            'theme = "light"\nmouse = false\nsigns = "ascii"\nactor = "svc"\n'
            '[roles]\ndefault = "viewer"\n[roles.users]\nalice = "approver"\n[roles.groups]\nhelpdesk = "help-desk"\n'
            '[views]\nlab = "site:Lab -ready"\n',
        )
    )
    assert settings.theme == "light"
    assert not settings.mouse
    assert settings.roles.users["alice"] is Role.APPROVER
    assert settings.views["lab"] == "site:Lab -ready"


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ('them = "light"', "them", "Did you mean theme?"),
        ('theme = "pink"', "theme", "'dark', 'light', 'contrast' or 'ansi'"),
        ("mouse = 3", "mouse", "boolean"),
        ('[roles]\ndefautl = "viewer"', "roles.defautl", "Did you mean default?"),
        ('[roles.users]\nalice = "boss"', "roles.users.alice", "'viewer'"),
        ("xyzzy = 1", "xyzzy", "Known are: db, actor, theme"),
    ],
)
def test_what_is_wrong_names_file_key_and_what_would_be_right(
    tmp_path: Path, text: str, field: str, words: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load_settings(path)
    assert caught.value.file == str(path)
    assert caught.value.field == field
    assert words in str(caught.value)


def test_no_toml_and_no_permission_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not TOML"):
        load_settings(written(tmp_path, "theme = "))
    with pytest.raises(BadInput, match="cannot be read"):
        load_settings(tmp_path)


def test_where_the_file_is(tmp_path: Path) -> None:
    assert config_path({"HOTPATCH_CONFIG": "x.toml"}) == Path("x.toml")
    assert config_path({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "hotpatch" / "config.toml"
    assert config_path({"XDG_CONFIG_HOME": "relative"}).parts[-3:] == (".config", "hotpatch", "config.toml")


def test_a_user_goes_before_groups_and_the_highest_group_counts() -> None:
    roles = RoleSettings(Role.VIEWER, {"alice": Role.OPERATOR}, {"desk": Role.HELP_DESK, "ops": Role.APPROVER})
    settings = Settings(roles=roles)
    assert role_of(settings, "alice", ["ops"]) is Role.OPERATOR
    assert role_of(settings, "bob", ["desk", "ops"]) is Role.APPROVER
    assert role_of(settings, "bob", ["desk"]) is Role.HELP_DESK
    assert role_of(settings, "bob", []) is Role.VIEWER


def test_every_setting_is_documented() -> None:
    for key, _, meaning in settings_table():
        assert meaning, key


def test_own_rates_are_read_with_their_days(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "[[rates.server_restart]]\nlow = 200\nhigh = 250.5\ncurrency = 'eur'\nsince = 2026-01-01\n"
        "source = 'Finance'\n[[rates.client_restart]]\nlow = 20\ncurrency = 'EUR'\n",
        encoding="utf-8",
    )
    server, client = load_settings(path).own_rates
    assert (server.id, server.low, server.high, server.currency) == ("server-restart", 200, 250.5, "EUR")
    assert (server.since, server.until, server.source) == (date(2026, 1, 1), None, "Finance")
    assert (client.id, client.low, client.high, client.is_own) == ("client-restart", 20, 20, True)


@pytest.mark.parametrize(
    ("text", "line", "field", "words"),
    [
        ("[[rates.server_restart]]\nlow = -1\n", 1, "rates.server_restart.0", "Low must be 0 or more."),
        ("[[rates.server_restart]]\nlow = 2\nhigh = 1\n", 1, "rates.server_restart.0", "High must not be below low."),
        ("[[rates.server_restart]]\nlow = inf\n", 1, "rates.server_restart.0", "Low must be 0 or more."),
        (
            "[[rates.server_restart]]\nlow = 1\n[[rates.server_restart]]\nlo = 1\n",
            4,
            "rates.server_restart.1.lo",
            "low",
        ),
        ("[[rates.server_restart]]\nlow = 'much'\n", 2, "rates.server_restart.0.low", "number"),
        ("[[rates.server_restart]]\nlow = 1\ncurrency = 'EURO'\n", 1, "rates.server_restart.0", "three letters"),
        ("[rates.server_restart]\nlow = 1\n", 1, "rates.server_restart", "[[rates.server_restart]]"),
        ("[rates]\nserver_restart = 5\n", 2, "rates.server_restart", "[[rates.server_restart]]"),
        ("[rates]\nserver_restrt = []\n", 2, "rates.server_restrt", "server_restart"),
        (
            "[[rates.server_restart]]\nlow = 1\ncurrency = 'EUR'\n[[rates.client_restart]]\nlow = 1\n",
            None,
            "rates",
            "EUR",
        ),
        ("# look\ntheme = 'pink'\n", 2, "theme", "'dark'"),
        ("[roles.users]\nbob = 'king'\n", 2, "roles.users.bob", "'viewer'"),
    ],
)
def test_what_does_not_fit_is_named_by_file_line_and_field(
    tmp_path: Path, text: str, line: int | None, field: str, words: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_settings(path)
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(path), line, field)
    assert words in str(caught.value)
