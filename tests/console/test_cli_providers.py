"""The commands `provider ...` as a script and as a person would call them; and that no secret shows anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.cli_kit import Called, call, environment, spawn
from tests.console.test_cli_process import HEAVY, on_terminal
from tests.tenant.fixtures import TOKEN
from tests.tenant.login import CLIENT, DEVICE_CODE, PENDING, REFRESH, TENANT, USER_CODE, Login, refusal, running_login
from tests.tenant.server import Tenant


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "fleet.db"


@pytest.fixture
def login() -> Iterator[Login]:
    with running_login() as played:
        yield played


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a person who types a code."""
    monkeypatch.setattr("engine.providers.graph.signin.SignIn._gave_up", lambda *_: False)


def add(db: Path, tenant: Tenant | None = None, *more: str) -> Called:
    address = tenant.base_url if tenant is not None else "http://127.0.0.1:9"
    return call(
        "--db", db, "provider", "add", "graph", "--name", "corp", "--base-url", address, "--token-env", "TOKEN", *more
    )


def add_person(db: Path, login: Login, *more: str) -> Called:
    given = ("--tenant", TENANT, "--client-id", CLIENT, "--authority", login.base_url)
    return call("--db", db, "provider", "add", "graph", "--name", "corp", *given, *more)


# --- add, list, writes, remove ----------------------------------------------------------------------


def test_a_name_an_address_and_a_variable_are_enough(db: Path) -> None:
    called = add(db)

    assert called.code == 0
    assert "Provider corp added" in called.out
    assert "Writing is on" in called.out
    assert "at its next scan, hours to days later" in called.out
    assert "hotpatch provider check corp" in called.err


def test_add_as_json_says_what_can_be_done(db: Path) -> None:
    document = add(db, None, "--json").document

    assert (document["done"], document["name"], document["kind"], document["writes"]) == (True, "corp", "graph", True)
    assert document["capabilities"]["install_now"] is False
    assert "expedite" in document["capabilities"]["requests"]
    assert document["config"]["token_env"] == "TOKEN"


def test_a_dry_run_adds_nothing(db: Path) -> None:
    call("--db", db, "catalog", "import", db.parent)  # no such documents; makes the state file
    dry = add(db, None, "--dry-run")

    assert dry.code == 0
    assert "would be added" in dry.out
    assert call("--db", db, "provider", "list", "--json").document == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--name", "a/b", "--token-env", "T"), "--name cannot be used"),
        (("--name", "x", "--token-env", "T", "--base-url", "http://graph.example"), "--base-url cannot be used"),
        (("--name", "x", "--token-env", "eyJhbGciOi.secret-token"), "--token-env takes the name"),
        (("--name", "x", "--sign-in", "certificate"), "needs --tenant and --client-id and --cert"),
        (("--name", "x"), "needs --tenant and --client-id"),
        (("--name", "x", "--cloud", "moon"), "--cloud"),
    ],
)
def test_wrong_usage_says_what_would_be_right(db: Path, more: tuple[str, ...], says: str) -> None:
    called = call("--db", db, "provider", "add", "graph", *more)

    assert called.code == 2
    assert says in called.err
    assert "secret-token" not in called.err
    assert not db.exists() or call("--db", db, "provider", "list", "--json").document == []


def test_read_only_adds_removes_and_switches_nothing(db: Path) -> None:
    add(db)
    for words in (
        ("add", "graph", "--name", "x", "--token-env", "T"),
        ("remove", "corp"),
        ("writes", "corp", "off"),
    ):
        called = call("--db", db, "--read-only", "provider", *words)
        assert called.code == 4, words
    assert [row["writes"] for row in call("--db", db, "provider", "list", "--json").document] == [True]


def test_writes_are_switched(db: Path, login: Login) -> None:
    add_person(db, login)

    on = call("--db", db, "provider", "writes", "corp", "on")
    again = call("--db", db, "provider", "writes", "corp", "on", "--json")

    assert "Writing to corp is on" in on.out
    assert "provider login corp" in on.err
    assert again.document == {"name": "corp", "writes": True, "changed": False}


def test_a_dry_run_switches_nothing_and_says_what_it_would_do(db: Path) -> None:
    add(db)
    dry = ("--db", db, "provider", "writes", "corp", "off", "--dry-run")

    told = call(*dry)
    document = call(*dry, "--json").document
    same = call("--db", db, "provider", "writes", "corp", "on", "--dry-run")

    assert told.out.strip() == "● Writing to corp would be switched off."
    assert document == {"done": False, "name": "corp", "writes": False, "changed": True}
    assert same.out.strip() == "● Writing to corp is already on."
    assert [row["writes"] for row in call("--db", db, "provider", "list", "--json").document] == [True]
    assert [row["action"] for row in call("--db", db, "activity", "--json").document["audit"]] == ["provider-add"]


@pytest.mark.parametrize("words", [("provider", "login", "corp"), ("provider", "logout", "corp"), ("run",)])
def test_what_cannot_be_tried_is_refused_with_dry_run(db: Path, login: Login, words: tuple[str, ...]) -> None:
    add_person(db, login)
    called = call("--db", db, *words, "--dry-run")
    assert called.code == 4
    assert "It cannot be tried with --dry-run." in called.err
    assert [row["action"] for row in call("--db", db, "activity", "--json").document["audit"]] == ["provider-add"]


def test_the_list_shows_where_and_how(db: Path) -> None:
    add(db)
    listed = call("--db", db, "provider", "list")
    plain = call("--db", db, "provider", "list", "--plain")

    assert "corp" in listed.out
    assert "token-env" in listed.out
    assert plain.out.splitlines()[1].split("\t")[:3] == ["corp", "graph", "on"]


def test_removing_and_asking_for_what_is_gone(db: Path) -> None:
    add(db)
    removed = call("--db", db, "provider", "remove", "corp", "--json")
    assert "There is no provider" in call("--db", db, "provider", "list").err
    gone = call("--db", db, "provider", "check", "corp")

    assert removed.document["done"] is True
    assert gone.code == 2
    assert "no provider 'corp'" in gone.err


# --- check ------------------------------------------------------------------------------------------


def test_check_says_step_by_step_what_works(db: Path, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    tenant.state.denied.append(("GET", "/subscribedSkus"))
    add(db, tenant)

    called = call("--db", db, "provider", "check", "corp", "--json")

    steps = {step["id"]: step for step in called.document["steps"]}
    assert called.code == 3
    assert called.document["ok"] is False
    assert steps["devices"]["state"] == "ok"
    assert steps["licences"]["state"] == "denied"
    assert steps["licences"]["missing"] == ["LicenseAssignment.Read.All"]
    assert "Administrator" in steps["licences"]["fix"]
    assert not tenant.writes


def test_check_reads_the_same_in_words(db: Path, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    add(db, tenant)
    piped = call("--db", db, "provider", "check", "corp", "--plain")
    rows = {line.split("\t")[0]: line.split("\t") for line in piped.out.splitlines()}

    assert rows["managed devices"][1] == "ok"
    assert rows["installing"][1] == "note"


# --- login and logout -------------------------------------------------------------------------------


def test_a_person_signs_in_and_out(db: Path, login: Login, own_folders: Path) -> None:
    login.answers = [PENDING]
    add_person(db, login)

    done = call("--db", db, "provider", "login", "corp")
    assert done.code == 0, done.err
    assert USER_CODE in done.err
    assert "https://microsoft.com/devicelogin" in done.err
    assert "Signed in to corp as mia@contoso.example, to read." in done.out
    kept = list((own_folders / "state" / "hotpatch" / "tokens").glob("corp-*.json"))
    assert len(kept) == 1

    out = call("--db", db, "provider", "logout", "corp", "--json")
    assert out.document == {"name": "corp", "was_signed_in": True}
    assert not kept[0].exists()
    assert call("--db", db, "provider", "logout", "corp", "--json").document["was_signed_in"] is False


def test_writing_asks_for_more_at_the_next_sign_in(db: Path, login: Login) -> None:
    add_person(db, login)
    read = call("--db", db, "provider", "login", "corp", "--json").document
    call("--db", db, "provider", "writes", "corp", "on")
    wrote = call("--db", db, "provider", "login", "corp", "--json").document

    assert (read["for_writing"], wrote["for_writing"]) == (False, True)


def test_a_refusal_of_conditional_access_is_explained(db: Path, login: Login) -> None:
    login.answers = [refusal("invalid_grant", 53003, "Access has been blocked by Conditional Access policies.")]
    add_person(db, login)

    called = call("--db", db, "provider", "login", "corp")

    assert called.code == 1
    assert called.out == ""
    assert "Conditional Access policy" in called.err
    assert "certificate" in called.err
    assert len(called.err.splitlines()) <= 7


def test_removing_signs_out_too(db: Path, login: Login, own_folders: Path) -> None:
    add_person(db, login)
    call("--db", db, "provider", "login", "corp")
    removed = call("--db", db, "provider", "remove", "corp", "--json")

    assert removed.document["was_signed_in"] is True
    assert list((own_folders / "state" / "hotpatch" / "tokens").iterdir()) == []


# --- secrets and start-up ---------------------------------------------------------------------------


def test_no_secret_shows_anywhere(
    db: Path, login: Login, tenant: Tenant, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command, well and ill, with --debug; then everything that was written or said is searched."""
    app_secret = "application-secret-HIDDEN-11"
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.setenv("APP_SECRET", app_secret)
    said: list[Called] = []

    def go(*words: str) -> None:
        said.append(call("--db", db, "--debug", *words))

    said.append(add(db, tenant))
    go("provider", "check", "corp")
    go("import", "--from", "corp")
    tenant.state.write_tokens.clear()
    echo = f"Bearer {TOKEN} was refused"
    tenant.faults.status(401, "/v1.0/organization", times=5, body={"error": {"code": "x", "message": echo}})
    go("provider", "check", "corp", "--json")
    go("provider", "remove", "corp")
    said.append(add_person(db, login, "--base-url", tenant.base_url))
    login.answers = [PENDING]
    go("provider", "login", "corp")
    tenant.state.write_tokens.update(login.given)
    go("provider", "check", "corp", "--json")
    login.answers = [{"error": "invalid_grant", "error_description": f"no {DEVICE_CODE}", "error_codes": [1]}]
    go("provider", "login", "corp")
    login.expires_in = 10
    go("provider", "login", "corp")
    login.answers = [{"error": "invalid_grant", "error_description": f"no {REFRESH}", "error_codes": [1]}]
    go("provider", "check", "corp")
    assert [form["grant_type"] for form in login.forms][-1] == "refresh_token"
    (kept,) = (own_folders / "state" / "hotpatch" / "tokens").glob("corp-*.json")
    assert REFRESH in kept.read_text(encoding="utf-8")
    go("provider", "logout", "corp")
    go("provider", "remove", "corp")
    said.append(
        call("--db", db, "provider", "add", "graph", "--name", "app", "--secret-env", "APP_SECRET", "--tenant", TENANT,
             "--client-id", CLIENT, "--authority", login.base_url, "--base-url", tenant.base_url)
    )  # fmt: skip
    go("provider", "login", "app")
    login.answers = [refusal("invalid_client", 7000215, f"Invalid client secret provided: {app_secret}")]
    go("provider", "check", "app")
    go("provider", "list", "--json")
    go("activity", "--json")

    assert len(login.given) >= 2
    secrets = [TOKEN, REFRESH, DEVICE_CODE, app_secret, *login.given]
    shown = "".join(each.out + each.err for each in said)
    files = {
        each: each.read_bytes() for folder in (db.parent, own_folders) for each in folder.rglob("*") if each.is_file()
    }
    assert db in files
    for secret in secrets:
        assert secret not in shown
        assert [each for each, content in files.items() if secret.encode() in content] == []
    assert "Traceback" not in shown


def test_a_provider_does_not_slow_the_facts_down(db: Path) -> None:
    add(db)
    code = (
        "import sys\nfrom console.cli import run\n"
        f"assert run(['--db', {str(db)!r}, *sys.argv[1:]]) in (0, 3)\n"
        f"print(*[name for name in {(*HEAVY, 'msal')!r} if name in sys.modules], file=sys.stderr)"
    )
    for words in (["status", "--json"], ["devices", "--json"], ["rings", "--json"], ["run", "--until-idle", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True,
            text=True,
            env=environment(),
            check=True,
            timeout=120,
        )
        assert done.stderr.split() == [], words


def test_it_works_as_a_process_of_its_own(db: Path, tenant: Tenant) -> None:
    add(db, tenant)
    checked = spawn("--db", db, "provider", "check", "corp", "--json", more={"TOKEN": TOKEN})

    assert json.loads(checked.out)["provider"] == "corp"
    assert checked.err == ""


def test_a_terminal_is_told_line_by_line(db: Path, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    tenant.state.denied.append(("GET", "/groups"))
    add(db, tenant)
    shown = on_terminal(db, "provider", "check", "corp", "--no-color")

    assert "● managed devices: readable" in shown
    assert "✗ groups:" in shown
    assert "To do: Have GroupMember.Read.All granted" in shown
