"""A newcomer types `hotpatch`, and there is no state file."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.terminal import facts, terminal

STATE, DEMO = Path("state", "hotpatch", "fleet.db"), Path("state", "hotpatch", "demo.db")


def test_trying_it_leads_into_the_demo(home: Path) -> None:
    with terminal(home=home) as console:
        console.expect("Where do you want to begin?", "Try it", "Bring a file", "Connect a tenant")
        assert not (home / STATE).parent.exists(), "nothing is made before it is chosen"
        console.press("enter").expect("Overview", "500 devices").press("q")
        assert console.ends() == 0
    assert (home / DEMO).exists()
    assert not (home / STATE).exists()


def test_a_file_is_brought_in_and_shown(home: Path) -> None:
    (home / "fleet.csv").write_text("name,ring\nLON-LT-9001,Broad\n", encoding="utf-8")
    with terminal(home=home) as console:
        console.expect("Where do you want to begin?").press("j").press("enter").at_field("A list of devices")
        console.type("fleet.csv").press("enter").expect("Overview", "1 device").press("q")
        assert console.ends() == 0
    assert [each["name"] for each in facts("devices", home=home)] == ["LON-LT-9001"]


def test_a_tenant_is_connected_by_a_command_which_is_told(home: Path) -> None:
    with terminal(home=home) as console:
        console.expect("Where do you want to begin?").press("j").press("j").press("enter")
        assert console.ends() == 0
        assert "hotpatch provider add graph" in console.parting()
        assert "--client-id" in console.parting()
    assert not (home / STATE).exists()


def test_reading_only_offers_nothing_that_would_be_refused(home: Path) -> None:
    with terminal("--read-only", home=home) as console:
        assert console.ends() == 1
        assert "There is no state file" in console.output()
