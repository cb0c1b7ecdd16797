"""Thrift: fewer bytes, the same picture, as a terminal emulator sees it."""

from __future__ import annotations

import errno
import io
import threading

import pyte
from hypothesis import given
from hypothesis import strategies as st
from textual.drivers._writer_thread import WriterThread

from console.wire import Outliving, Thrift

COLOURS = ["38;2;208;208;208", "38;2;135;175;135", "38;5;117", "31", "97", ""]
GROUNDS = ["48;2;28;28;28", "48;2;0;95;135", "48;2;20;23;28", "44", ""]
FLAGS = ["", "1", "3", "4", "7", "9"]


def style(flag: str, fore: str, back: str) -> str:
    codes = ";".join(part for part in (flag, fore, back) if part)
    return f"\x1b[{codes}m" if codes else ""


segments = st.tuples(
    st.sampled_from(FLAGS),
    st.sampled_from(COLOURS),
    st.sampled_from(GROUNDS),
    st.sampled_from(["text", "   ", "a b ", " x", "●"]),
).map(lambda parts: f"{style(*parts[:3])}{parts[3]}\x1b[0m")
moves = st.tuples(st.integers(1, 6), st.integers(1, 20)).map(lambda place: f"\x1b[{place[0]};{place[1]}H")
others = st.sampled_from(
    ["\x1b[?25l", "\x1b[2J", "\x1b[K", "\x1b[3;1H\r\n\x1b[2;1H", "\x1b[38;2;1;2;3m\x1b[K\x1b[0m", "\x1b[22mz\x1b[0m"]
)
streams = st.lists(st.lists(st.one_of(segments, segments, segments, moves, others), max_size=12), max_size=4)


def picture(chunks: list[str]) -> list[list[tuple[object, ...]]]:
    screen = pyte.Screen(24, 6)
    stream = pyte.Stream(screen)
    for chunk in chunks:
        stream.feed(chunk)
    return [[seen(screen.buffer[y][x]) for x in range(24)] for y in range(6)]


def seen(char: pyte.screens.Char) -> tuple[object, ...]:
    """What a person sees of a cell: of a blank neither its colour nor whether it is bold."""
    ground = (char.bg, char.underscore, char.strikethrough, char.reverse)
    if char.data == " " and not (char.underscore or char.strikethrough or char.reverse):
        return (" ", *ground)
    return (char.data, char.fg, char.bold, char.italics, *ground)


@given(streams)
def test_the_picture_is_the_same(stream: list[list[str]]) -> None:
    chunks = ["".join(parts) for parts in stream]
    thrift = Thrift()
    assert picture([thrift.encode(chunk) for chunk in chunks]) == picture(chunks)


def test_a_style_that_is_in_force_is_not_sent_again() -> None:
    thrift = Thrift()
    thrift.encode("\x1b[38;2;1;2;3mone\x1b[0m")
    assert thrift.encode("\x1b[5;1H\x1b[38;2;1;2;3mtwo\x1b[0m") == "\x1b[5;1Htwo"


def test_a_colour_of_the_256_is_sent_as_its_number() -> None:
    assert Thrift().encode("\x1b[38;2;135;175;135mok\x1b[0m") == "\x1b[0;38;5;108mok"
    assert Thrift().encode("\x1b[38;2;28;28;28mgrey\x1b[0m") == "\x1b[0;38;5;234mgrey"
    assert Thrift().encode("\x1b[38;2;0;0;255mx\x1b[0m") == "\x1b[0;38;2;0;0;255mx"


def test_unknown_sequences_pass_untouched() -> None:
    clipboard = "\x1b]52;c;aGVsbG8=\x07"
    assert Thrift().encode(clipboard).endswith(clipboard)


def test_colours_are_told_anew_on_the_other_screen() -> None:
    thrift = Thrift()
    thrift.encode("\x1b[31mred\x1b[0m")
    assert thrift.encode("\x1b[?1049h\x1b[31mred\x1b[0m").endswith("\x1b[0;31mred")


def test_ascii_terminals_get_ascii_alone() -> None:
    sent = Thrift(only_ascii=True).encode("\x1b[31m╭──╮│▲ M\u00fcller … █▁\x1b[0m")
    assert sent == "\x1b[0;31m+--+|^ Muller ~ #_"


class Gone(io.StringIO):
    """A terminal that has hung up."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")

    def flush(self) -> None:
        raise OSError(errno.EIO, "Input/output error")


def test_a_terminal_that_has_gone_away_never_blocks_the_program() -> None:
    """Textual's writer has room for 30 texts; more come when a screen is left."""
    writer = WriterThread(Outliving(Gone()))  # type: ignore[arg-type]
    writer.start()

    def leave() -> None:
        for _ in range(100):
            writer.write("goodbye")
        writer.stop()

    leaving = threading.Thread(target=leave, daemon=True)
    leaving.start()
    leaving.join(timeout=120)
    assert not leaving.is_alive()
