"""The README's moving picture: a bad patch is approved, halts itself, and its devices are led back.

Played in the real program, on the demo's scenario `bad-patch` with its clock standing still but where the story lets
time pass. The frames are the program's own pictures; style sheets show one after the other, so that the file needs no
script and moves wherever an SVG is shown as an image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path

from msgspec import Struct
from textual.widgets._toast import Toast

from engine import Engine, open_engine
from engine.fleet.demo import prepare_demo
from engine.model.intents import Actor
from tests.console.driver import Desk, desk

SIZE = (100, 30)
_PATCH = 5089466
_WHO = Actor("mia.koch", "jump01 console")
_CAPTION_HEIGHT = 56
_STEP, _LONGEST = timedelta(hours=4), timedelta(days=14)


class Frame(Struct, frozen=True):
    """One picture of the program, the words under it, and for how many seconds it stands."""

    svg: str
    caption: str
    seconds: float


async def play(folder: Path) -> list[Frame]:
    """The story, frame by frame; `folder` takes the demo.

    Raises:
        AssertionError: it does not come to what is told.
    """
    path = folder / "bad-patch.db"
    prepare_demo(path, scenario="bad-patch")
    frames: list[Frame] = []
    with open_engine(path, actor=_WHO) as runner:
        assert runner.demo is not None
        runner.demo.pause()
        await runner.run_due()  # from here on it drives, and every frame says so
        async with desk(path, start="releases", size=SIZE, opener=lambda: open_engine(path, actor=_WHO)) as table:

            async def show(caption: str, seconds: float = 3.0) -> None:
                table.app.clear_notifications()  # how long they stand is the machine's time
                await table.until(lambda: not table.screen.query(Toast))
                svg = table.app.export_screenshot(title="hotpatch", simplify=True)
                frames.append(Frame(svg, caption, seconds))

            await show("The morning after Patch Tuesday: a hotpatch waits for approval")
            await table.press("a", "down", "space", "down", "space", "tab")
            await table.type("Tested on the bench")
            await show("a: approve it for the first rings, with a reason")
            await table.press("enter")
            await show("What will happen, and when, before it happens", 4)
            await table.confirm()
            await table.show("rings")
            await table.press("j")
            await _until(runner, table, "Ring First  ◐")
            await show("Ring Test has it, without a restart; ring First waits for its gate")
            await _until(runner, table, "nothing stands out, 14 patched")
            await show("Ring First installs, and patched devices are held against the others")
            await _until(runner, table, "halted by engine")
            await show("They crash: the gate fails, and halts the release by itself", 5)
            await table.press("R", "enter")
            await table.type("crashes since the hotpatch")
            await table.press("enter")
            await show("R: the way back, with its restarts, before anybody confirms", 5)
            await table.confirm()
            await _until(runner, table, "▓▓")
            await show("Uninstall, restart, that month's cumulative update, restart")
            await runner.run_until_idle()
            await table.notice()
            assert table.shows("led back"), table.text()
            await show("Led back, and held off hotpatches; what needs hands is named", 5)
    return frames


async def _until(runner: Engine, table: Desk, words: str) -> None:
    """Let demo time pass until the screen shows these words."""
    ends = runner.now() + _LONGEST
    while not table.shows(words):
        assert runner.now() < ends, f"{words!r} does not come:\n{table.text()}"
        await runner.run_until_idle(until=runner.now() + _STEP)
        await table.notice()


def animated(frames: Sequence[Frame]) -> str:
    """One SVG that shows the frames in turn, for ever; where motion is not wanted, all but one stay hidden."""
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', frames[0].svg)
    assert size is not None
    width, height = float(size[1]), float(size[2])
    total = sum(frame.seconds for frame in frames)
    rules, bodies, begins = [], [], 0.0
    for number, frame in enumerate(frames):
        ends = begins + frame.seconds
        shown = [(0.0, begins == 0), (begins / total, True), (ends / total, False), (1.0, False)]
        steps = " ".join(f"{at:.3%} {{ visibility: {'visible' if on else 'hidden'} }}" for at, on in shown)
        rules.append(f"@keyframes f{number} {{ {steps} }} .f{number} {{ animation-name: f{number} }}")
        words = (
            f'<text class="caption" x="{width / 2:g}" y="{height + _CAPTION_HEIGHT * 0.6:g}">{escape(frame.caption)}'
        )
        bodies.append(f'<g class="frame f{number}">{_bare(frame.svg, width, height)}{words}</text></g>')
        begins = ends
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height + _CAPTION_HEIGHT:g}">',
            "<style>",
            f".frame {{ visibility: hidden; animation: {total:g}s step-end infinite }}",
            ".caption { font: 24px sans-serif; text-anchor: middle; fill: #d0d0d0 }",
            *rules,
            "@media (prefers-reduced-motion: reduce) { .frame { animation: none } .f0 { visibility: visible } }",
            "</style>",
            f'<rect width="{width:g}" height="{height + _CAPTION_HEIGHT:g}" rx="8" fill="#1c1c1c"/>',
            *bodies,
            "</svg>\n",
        )
    )


def _bare(svg: str, width: float, height: float) -> str:
    """A picture to be laid into another: with a size, and without fonts, which an image may not fetch."""
    text = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text)
    text = text.replace("<svg ", f'<svg width="{width:g}" height="{height:g}" ', 1)
    return "\n".join(_lines(text))


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())
