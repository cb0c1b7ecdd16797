"""From a fresh demo to a hotpatched ring by keys alone at 80x24, and everything as it was at the next start."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.steps import BUILDS, KB, UNDER_WAY, activity, approve, confirm, devices, installs, offered, pace
from tests.e2e.terminal import facts, hotpatch, terminal


def test_approve_apply_uninstall_by_keys_and_find_it_kept(home: Path) -> None:
    state = home / "demo.db"
    with terminal("demo", "--db", state, home=home) as console:
        console.expect("Overview", "500 devices", KB)
        pilots = offered(state, home, "Test")
        assert len(pilots) >= 3
        approve(console, "Test", "pilot ok")

        console.press("2").expect("Devices").filter("ring:test")
        console.until(lambda: all(console.row(name) for name in pilots), "ring Test")
        pace(console, 7_200)
        console.until(lambda: all(console.row(name, ".8390") for name in pilots), "the builds of ring Test")
        console.press("=").expect("stopped")

        approve(console, "First", "Test held")
        console.press("2").expect("Devices").filter("ring:first ready")
        console.until(lambda: console.row("First", ".8246"), "ring First")
        early = console.cursor_row()
        console.press("i").expect("Apply which release?").press("enter").expect(f"Apply {KB}", early)
        confirm(console)
        console.expect_row(early, "queued")
        console.press("=").expect_gone("stopped")
        console.expect_row(early, ".8390")
        console.press("=").expect("stopped")

        console.press("u").expect("Uninstall which hotpatch?", KB).press("enter")
        console.expect("What follows the uninstall?").press("enter")
        console.at_field("Reason").type("printing").press("enter").expect(f"Uninstall {KB}", "1 restart", early)
        confirm(console)
        console.press("=").expect_gone("stopped")
        console.expect_row(early, ".8246")
        console.press("=").expect("stopped")

        console.press("7").expect("Activity", f"Approve {KB}", "pilot ok", "printing", "casey")
        console.press("q")
        assert console.ends() == 0

    before = devices(state, home)
    assert [before[name]["build"] for name in pilots] == [BUILDS[before[name]["platform"]] for name in pilots]
    assert before[early]["build"].endswith(".8246")
    done = installs(state)
    assert done[early] == [("apply", "succeeded", False), ("uninstall", "uninstalled", True)]
    assert [done[name] for name in pilots] == [[("apply", "succeeded", False)]] * len(pilots)
    kept = activity(state, home)
    assert kept["now"] > "2026-05-13T12:00:00Z"
    assert [(each["action"], each["reason"]) for each in kept["audit"] if each["actor"] == "casey"] == [
        ("uninstall", "printing"),
        ("apply", ""),
        ("approve", "Test held"),
        ("approve", "pilot ok"),
    ]
    with terminal("demo", "--db", state, home=home) as console:
        console.expect("Overview", "500 devices", "stopped")
        console.press("7").expect("Activity", f"Approve {KB}", "pilot ok", "printing")
        console.press("2").expect("Devices").filter("ring:test")
        console.until(lambda: all(console.row(name, ".8390") for name in pilots), "the builds of ring Test")
        console.press("q")
        assert console.ends() == 0

    assert devices(state, home) == before
    assert installs(state) == done
    assert activity(state, home) == kept
    assert facts("--db", state, "audit", "verify", home=home)["holds"] is True


def test_apply_before_approval_is_refused_on_the_screen_too(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB).press("2").expect("Devices").filter("ring:test ready")
        console.until(lambda: console.cursor_row() not in ("", "Name"), "a device").press("i")
        console.expect("Apply which release?").press("enter").expect(f"{KB} is not applied", "is not approved for")
        console.press("y", "escape").expect_gone("is not applied")
        console.press("q")
        assert console.ends() == 0
    assert activity(state, home)["active"] == []
    hotpatch("--db", state, "apply", KB, "--ring", "Test", home=home, expect=4)


def test_quit_during_work_and_go_on_with_it_later(home: Path, state: Path) -> None:
    pilots = offered(state, home, "Test")
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB)
        approve(console, "Test", "pilot")
        console.press("2").expect("Devices").filter("ring:test").expect("queued")
        pace(console, 300)
        console.until(lambda: UNDER_WAY.search(console.text()), "an install under way").press("q")
        assert console.ends() == 0

    left = activity(state, home)
    assert left["active"]
    assert facts("--db", state, "status", home=home, expect=None)["driver"] is None
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB).press("2").expect("ring:test", "×300")
        console.press("]").expect("×1800").press("]").expect("×7200")
        console.until(lambda: all(console.row(name, ".8390") for name in pilots), "the builds of ring Test")
        console.press("q")
        assert console.ends() == 0

    later = activity(state, home)
    assert later["now"] > left["now"]
    done = installs(state)
    assert [done[name] for name in pilots] == [[("apply", "succeeded", False)]] * len(pilots)
    assert [each["action"] for each in later["audit"]] == ["ring-opened", "approve"]
