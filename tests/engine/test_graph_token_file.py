"""The file that keeps a sign-in: private, whole at any instant, locked between processes, and gone after a sign-out."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.model.errors import SignInNeeded
from engine.providers.graph.config import Cloud, made_from
from engine.providers.graph.token_cache import kept_tokens
from engine.providers.graph.token_file import check_private, forget, lock_of, token_file

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes of files are a matter of POSIX")
CLIENT = "11112222-3333-4444-8555-666677778888"
SECRET = "refresh-token-SECRET-88bb"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hotpatch" / "tokens" / "corp.json"


def keep(path: Path, secret: str = SECRET, account: str = "a") -> None:
    """Keep a refresh token as msal does."""
    kept_tokens(path, "corp").add(
        {
            "client_id": CLIENT,
            "scope": ["s"],
            "token_endpoint": "https://login.example/t/token",
            "response": {
                "access_token": f"at-{account}",
                "refresh_token": secret,
                "expires_in": 3600,
                "token_type": "Bearer",
                "client_info": "eyJ1aWQiOiAiJSJ9" if account == "a" else "eyJ1aWQiOiAiYiIsICJ1dGlkIjogInQifQ",
            },
            "params": {},
            "data": {},
        }
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_file_and_folder_are_the_owners_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        keep(path)
    finally:
        os.umask(before)

    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert SECRET in path.read_text(encoding="utf-8")
    assert [each.name for each in path.parent.iterdir()] == ["corp.json"]


def test_a_folder_that_is_too_open_is_closed(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o777)

    keep(path)

    assert mode(path.parent) == 0o700


@pytest.mark.parametrize("too_open", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_can_reach_is_not_used(path: Path, too_open: int) -> None:
    keep(path)
    path.chmod(too_open)

    with pytest.raises(SignInNeeded, match=f"mode is {too_open:o}") as caught:
        kept_tokens(path, "corp")
    assert f"chmod 600 {path}" in caught.value.instead
    assert SECRET not in str(caught.value)


def test_a_file_opened_up_while_it_is_in_use_is_not_used(path: Path) -> None:
    keep(path)
    cache = kept_tokens(path, "corp")
    path.chmod(0o644)

    with pytest.raises(SignInNeeded, match="mode is 644"):
        list(cache.search(cache.CredentialType.REFRESH_TOKEN))


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True, mode=0o700)
    other = tmp_path / "other.json"
    other.write_text("{}", encoding="utf-8")
    path.symlink_to(other)

    with pytest.raises(SignInNeeded, match="no ordinary file"):
        kept_tokens(path, "corp")
    assert forget(path)
    assert other.exists()


@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_not_used(path: Path) -> None:
    keep(path)
    os.chown(path, 12345, 12345)

    with pytest.raises(SignInNeeded, match="belongs to somebody else"):
        check_private(path, "corp")


@pytest.mark.parametrize("content", ["", "not json", "[]", '{"AccessToken": '])
def test_a_file_that_holds_something_else_is_said(path: Path, content: str) -> None:
    keep(path)
    path.write_text(content, encoding="utf-8")

    with pytest.raises(SignInNeeded, match="holds something else") as caught:
        kept_tokens(path, "corp")
    assert "hotpatch provider logout corp" in caught.value.instead


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(path, "first-SECRET")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keep(path, "second-SECRET")

    assert "first-SECRET" in path.read_text(encoding="utf-8")
    assert [each.name for each in path.parent.iterdir()] == ["corp.json"]


def test_a_lock_that_a_killed_process_left_is_cleared(path: Path) -> None:
    keep(path)
    lock = lock_of(path)
    lock.write_text("4711 hotpatch", encoding="utf-8")
    long_ago = time.time() - 60
    os.utime(lock, (long_ago, long_ago))

    keep(path, "after-SECRET")

    assert "after-SECRET" in path.read_text(encoding="utf-8")
    assert not lock.exists()


def test_two_processes_lose_nothing_of_each_other(path: Path) -> None:
    """Each adds ten sign-ins of its own to the same file, at the same time."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from engine.providers.graph.token_cache import kept_tokens\n"
        "cache = kept_tokens(Path(sys.argv[1]), 'corp')\n"
        "for n in range(10):\n"
        "    key = {'home_account_id': f'{sys.argv[2]}-{n}', 'environment': 'e', 'client_id': 'c', 'target': 's',\n"
        "           'secret': 'x', 'credential_type': 'RefreshToken'}\n"
        "    cache.modify(cache.CredentialType.REFRESH_TOKEN, key, key)\n"
    )
    keep(path)
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=Path(__file__).parents[2])
        for name in ("one", "two")
    ]
    assert [each.wait(60) for each in started] == [0, 0]

    kept = json.loads(path.read_text(encoding="utf-8"))["RefreshToken"]
    assert {f"{who}-{n}" for who in ("one", "two") for n in range(10)} <= {
        row["home_account_id"] for row in kept.values()
    }
    assert mode(path) == 0o600


def test_forgetting_removes_whatever_lies_beside_it(path: Path) -> None:
    keep(path)
    lock_of(path).touch()
    (path.parent / "corp.json.x1.unfinished").write_text("half", encoding="utf-8")

    assert forget(path)
    assert list(path.parent.iterdir()) == []
    assert not forget(path)


def test_each_app_and_tenant_has_a_file_of_its_own(tmp_path: Path) -> None:
    def place(name: str = "corp", tenant: str = "a.example", cloud: Cloud = Cloud.GLOBAL) -> Path:
        return token_file(name, made_from(tenant_id=tenant, client_id=CLIENT, cloud=cloud), tmp_path)

    found = {place(), place("other"), place(tenant="b.example"), place(cloud=Cloud.CHINA)}
    assert len(found) == 4
    assert place("CORP") == place()
    assert all(each.parent == tmp_path for each in found)


def test_it_stands_in_the_state_folder(own_folders: Path) -> None:
    path = token_file("corp", made_from(tenant_id="a.example", client_id=CLIENT))

    assert path.parent == own_folders / "state" / "hotpatch" / "tokens"
