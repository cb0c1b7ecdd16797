"""Pictures of every screen, made by the program itself: ``python -m tests.screenshots [FOLDER]``.

The same driver as the tests', on the sample fleet six days into a rollout, with the demo's clock standing still.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from console.files import write_whole
from console.reports.making import ReportRequest, lines, make
from engine import Engine, open_engine
from engine.fleet.demo import prepare_demo
from engine.model.intents import Actor, After, Approve, Target, Uninstall
from engine.model.records.fleet import DeviceQuery
from tests.console import chromium
from tests.console.driver import desk
from tests.moving_picture import animated, play

ROOT = Path(__file__).resolve().parents[1]
SIZE = (132, 38)
NARROW = (80, 24)
REPORT_SIZE = (1080, 1440)
CLIENT_HOTPATCH = 5089466
SERVER_HOTPATCHES = (5087423, 5087424)


async def _roll_out(path: Path) -> None:
    """Approve, let most of a week pass, take one patch off again: what an operator's screen looks like in mid-month."""
    with open_engine(path, actor=Actor("mia.koch", "jump01 console")) as engine:
        assert engine.demo is not None
        engine.demo.pause()
        _carry_out(engine, Approve(CLIENT_HOTPATCH, (), "Bench and printers tested"))
        _carry_out(engine, Approve(SERVER_HOTPATCHES[0], ("Test", "First", "Fast"), "Pilot servers agreed"))
        await engine.run_until_idle(until=engine.now() + timedelta(days=4, hours=9))
        done = next(engine.reads.devices.each(DeviceQuery("ring:first protected:yes platform:win11-24h2")))
        _carry_out(engine, Uninstall(CLIENT_HOTPATCH, Target(ids=(done.id,)), "Label printer stopped", After.LCU))
        await engine.run_until_idle(until=engine.now() + timedelta(minutes=40))
        engine.demo.step(timedelta(minutes=12))
        await engine.run_due()
        engine.give_back_lease()


def _carry_out(engine: Engine, intent: Approve | Uninstall) -> None:
    engine.carry_out(engine.plan(intent))


async def _take(path: Path, folder: Path) -> None:
    for name in ("overview", "devices", "rings", "calendar", "failures", "releases", "activity"):
        for size, suffix in ((SIZE, ""), (NARROW, "-80x24")):
            async with desk(path, start=name, size=size) as table:
                picture = table.app.export_screenshot(title=f"hotpatch: {name}", simplify=True)
                (folder / f"{name}{suffix}.svg").write_text(picture, encoding="utf-8")
                print(f"{name}{suffix}.svg")  # noqa: T201 - it is a command
    for size, suffix in ((SIZE, ""), (NARROW, "-80x24")):
        async with desk(path, start="overview", size=size) as table:
            table.app.show_compliance()
            await table.idle()
            await table.press("j", "enter")
            picture = table.app.export_screenshot(title="hotpatch: compliance", simplify=True)
            (folder / f"compliance{suffix}.svg").write_text(picture, encoding="utf-8")
            print(f"compliance{suffix}.svg")  # noqa: T201


def _picture_report(path: Path, folder: Path) -> None:
    """The beginning of the compliance report as a browser shows it."""
    if not chromium.is_there():
        print(f"report.png left away: {chromium.ABSENT}")  # noqa: T201 - it is a command
        return
    page = path.with_name("report.html")
    with open_engine(path, actor=Actor("mia.koch", "jump01 console"), read_only=True) as engine:
        write_whole(
            page, lines(make(engine, ReportRequest("compliance")).report, "html"), state=Path(engine.info().path)
        )
    chromium.picture(page, folder / "report.png", *REPORT_SIZE)
    print("report.png")  # noqa: T201


def _tell_story(place: Path, folder: Path) -> None:
    """The moving picture of the README."""
    (folder / "bad-patch.svg").write_text(animated(asyncio.run(play(place))), encoding="utf-8")
    print("bad-patch.svg")  # noqa: T201


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("NO_COLOR", "SSH_TTY", "SSH_CONNECTION", "HOTPATCH_DB"):
        os.environ.pop(name, None)
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC"}
    with tempfile.TemporaryDirectory() as place:
        os.environ |= {f"XDG_{kind}_HOME": place for kind in ("STATE", "CONFIG", "CACHE", "DATA")}
        path = Path(place) / "demo.db"
        prepare_demo(path)
        asyncio.run(_roll_out(path))
        asyncio.run(_take(path, folder))
        _picture_report(path, folder)
        _tell_story(Path(place), folder)


if __name__ == "__main__":
    main()
