"""Every verb of the console as data: its keys, words, place in the footer, and whether it changes anything.

`keys` makes bindings and tables of it. Nothing is declared twice, and nothing is done here.
"""

from __future__ import annotations

from msgspec import Struct

from engine.model.intents import (
    Apply,
    Approve,
    Assign,
    Escalate,
    Exclude,
    Intent,
    MarkKnownProblem,
    Recover,
    Resume,
    Retry,
    SetRing,
    Stop,
    Uninstall,
    Withdraw,
)

_LABELS = {
    "slash": "/",
    "question_mark": "?",
    "asterisk": "*",
    "colon": ":",
    "space": "space",
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "equals_sign": "=",
    "plus": "+",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


def key_label(key: str) -> str:
    """A key as people write it."""
    return _LABELS.get(key, key)


class Verb(Struct, frozen=True):
    """One thing that a key does."""

    id: str
    keys: tuple[str, ...]
    """Textual's key names; the first is the one that is shown."""
    label: str
    """One or two words for the footer."""
    tooltip: str
    """One sentence for the key page and the palette."""
    group: str
    changes: bool = False
    """Whether it leads to a change of the fleet; refused when the console is open read-only."""
    rank: int = 0
    """Place in the footer, 1 first; 0 is not shown there."""
    demo_only: bool = False
    intents: tuple[type[Intent], ...] = ()
    """The kinds of intent it can lead to; dimmed when the engine's policy permits none of them."""
    action: str = ""
    """Textual's action where it is not ``verb('id')``."""

    @property
    def key_label(self) -> str:
        """The shown key as people write it: ``/``, ``ctrl+p``, ``H``."""
        return key_label(self.keys[0])


GROUPS = ("Do", "Rollout", "List", "Take away", "Screens", "Console", "Demo clock", "Move")

VERBS: tuple[Verb, ...] = (
    # Do
    Verb(
        "approve",
        ("a",),
        "approve",
        "Let a release go to rings; shows what that means first.",
        "Do",
        changes=True,
        rank=20,
        intents=(Approve,),
    ),
    Verb(
        "apply",
        ("i",),
        "apply",
        "Bring a release to the marked devices, or the one under the cursor, ahead of the rollout.",
        "Do",
        changes=True,
        rank=21,
        intents=(Apply,),
    ),
    Verb(
        "uninstall",
        ("u",),
        "uninstall",
        "Remove a hotpatch from the marked devices; each of them restarts.",
        "Do",
        changes=True,
        rank=22,
        intents=(Uninstall,),
    ),
    Verb(
        "retry",
        ("r",),
        "retry",
        "Try failed installs again.",
        "Do",
        changes=True,
        rank=23,
        intents=(Retry,),
    ),
    Verb(
        "exclude",
        ("x",),
        "exclude",
        "Keep a release that failed from the devices, until a day or the next baseline.",
        "Do",
        changes=True,
        rank=24,
        intents=(Exclude,),
    ),
    Verb(
        "escalate",
        ("E",),
        "escalate",
        "Give failures an owner, due by their service level.",
        "Do",
        changes=True,
        rank=25,
        intents=(Escalate,),
    ),
    Verb(
        "known_problem",
        ("K",),
        "known problem",
        "Note what is behind failures; it is shown beside each of them.",
        "Do",
        changes=True,
        rank=36,
        intents=(MarkKnownProblem,),
    ),
    Verb(
        "assign",
        ("m",),
        "move",
        "Put the marked devices into another ring.",
        "Do",
        changes=True,
        rank=28,
        intents=(Assign,),
    ),
    # Rollout
    Verb(
        "pause",
        ("p",),
        "pause",
        "Pause a release or a ring, or resume it: while paused nothing new is offered.",
        "Rollout",
        changes=True,
        rank=24,
        intents=(Stop, Resume),
    ),
    Verb(
        "halt",
        ("H",),
        "halt",
        "Halt a release or a ring: nothing new is offered, and what waits is held back.",
        "Rollout",
        changes=True,
        rank=25,
        intents=(Stop,),
    ),
    Verb(
        "withdraw",
        ("w",),
        "withdraw",
        "Take an approval back; what has not started does not start.",
        "Rollout",
        changes=True,
        rank=26,
        intents=(Withdraw,),
    ),
    Verb(
        "recover",
        ("R",),
        "recover",
        "Halt a bad hotpatch and lead every device back from it; each of them restarts.",
        "Rollout",
        changes=True,
        rank=35,
        intents=(Recover,),
    ),
    Verb(
        "rules",
        ("o",),
        "rules",
        "Change a ring's deferral, deadline, grace and gate.",
        "Rollout",
        changes=True,
        rank=27,
        intents=(SetRing,),
    ),
    # List
    Verb(
        "filter",
        ("slash",),
        "filter",
        "Show only what matches a filter; empty shows everything again.",
        "List",
        rank=10,
    ),
    Verb("views", ("V",), "views", "Choose a filter by its name.", "List"),
    Verb("find", ("f",), "find", "Jump to a name by typing its beginning.", "List", rank=41),
    Verb("open", ("enter",), "open", "Go into what the cursor stands on.", "List", rank=30, action="open"),
    Verb(
        "back",
        ("escape",),
        "back",
        "One step back: close, leave the range, clear marks or the filter.",
        "List",
        rank=44,
    ),
    Verb("pane", ("d",), "details", "Show or hide the details of the row under the cursor.", "List", rank=31),
    Verb("sort", ("s",), "sort", "Order by the next column.", "List", rank=42, action="sort_next"),
    Verb("reverse", ("S",), "reverse", "Turn the order round.", "List", action="sort_reverse"),
    Verb("columns", ("c",), "columns", "Choose which columns are shown.", "List"),
    Verb("mark", ("space",), "mark", "Mark the row, or take its mark away, and go on.", "List", rank=32, action="mark"),
    Verb(
        "mark_all",
        ("asterisk",),
        "mark all",
        "Mark all that the filter matches, now and as it changes.",
        "List",
        rank=33,
    ),
    Verb("next", ("n", "right"), "next release", "Show the next of the releases that are under way.", "List", rank=34),
    Verb("previous", ("N", "left"), "release before", "Show the release before this one.", "List"),
    Verb("range", ("v",), "range", "Mark from here to where the cursor goes; v again ends it.", "List", action="range"),
    # Take away
    Verb("report", ("e",), "report", "Write a report to a file: HTML, Markdown or CSV.", "Take away", rank=43),
    Verb("export", ("e",), "export", "Write what the list shows to a CSV or JSON file.", "Take away", rank=43),
    Verb(
        "copy",
        ("y",),
        "copy",
        "Send the name under the cursor, or the ticket beside details, to the terminal's clipboard.",
        "Take away",
        rank=45,
    ),
    Verb("copy_row", ("Y",), "copy row", "Send the row as JSON to the terminal's clipboard.", "Take away"),
    Verb(
        "reconcile",
        ("C",),
        "reconcile",
        "Sort the findings of a scanner export: which are wrong, with the proof.",
        "Take away",
        action="app.reconcile",
    ),
    # Move
    Verb("down", ("j", "down"), "down", "One row down.", "Move", action="cursor_down"),
    Verb("up", ("k", "up"), "up", "One row up.", "Move", action="cursor_up"),
    Verb("page_down", ("pagedown",), "page down", "One screen down.", "Move", action="page_down"),
    Verb("page_up", ("pageup",), "page up", "One screen up.", "Move", action="page_up"),
    Verb("half_down", ("ctrl+d",), "half down", "Half a screen down.", "Move", action="half_down"),
    Verb("half_up", ("ctrl+u",), "half up", "Half a screen up.", "Move", action="half_up"),
    Verb("top", ("g", "home"), "top", "To the first row.", "Move", action="cursor_top"),
    Verb("end", ("G", "end"), "end", "To the last row.", "Move", action="cursor_end"),
    Verb("next_part", ("tab",), "next part", "To the next part of the screen.", "Move", rank=34),
    Verb("previous_part", ("shift+tab",), "part before", "To the part of the screen before.", "Move"),
    Verb("left", ("left",), "left", "One month to the left.", "Move", action="cursor_left"),
    Verb("right", ("right",), "right", "One month to the right.", "Move", action="cursor_right"),
    Verb("next_platform", ("tab",), "platform", "Show the calendar of the next platform.", "Move", rank=34),
    Verb("previous_platform", ("shift+tab",), "platform before", "Show the calendar of the platform before.", "Move"),
    Verb("next_verdict", ("tab",), "verdict", "Show the findings of the next verdict.", "Move", rank=34),
    Verb("previous_verdict", ("shift+tab",), "verdict before", "Show those of the verdict before.", "Move"),
    Verb("zoom", ("z",), "year/quarter", "Show the whole year, or one quarter in large.", "Move", rank=35),
    Verb("today", ("t",), "today", "To the present month.", "Move", rank=36),
    # Screens
    Verb("screen_1", ("1",), "overview", "The state of the fleet at a glance.", "Screens", action="app.go('overview')"),
    Verb(
        "screen_2",
        ("2",),
        "devices",
        "Every device, its readiness and its history.",
        "Screens",
        action="app.go('devices')",
    ),
    Verb(
        "screen_3",
        ("3",),
        "rings",
        "Rings, their gates, and how far a release has come.",
        "Screens",
        action="app.go('rings')",
    ),
    Verb(
        "screen_4",
        ("4",),
        "calendar",
        "Baselines and hotpatch months, planned and published.",
        "Screens",
        action="app.go('calendar')",
    ),
    Verb("screen_5", ("5",), "failures", "Failed installs, grouped by cause.", "Screens", action="app.go('failures')"),
    Verb(
        "screen_6",
        ("6",),
        "releases",
        "Every release, what it fixes, and its approval.",
        "Screens",
        action="app.go('releases')",
    ),
    Verb(
        "screen_7", ("7",), "activity", "Work under way, and who decided what.", "Screens", action="app.go('activity')"
    ),
    # Console
    Verb("help", ("question_mark",), "help", "Show every key that works here.", "Console", rank=2, action="app.help"),
    Verb(
        "palette",
        ("ctrl+p", "colon"),
        "palette",
        "Find a verb, a screen, a KB or a device by typing.",
        "Console",
        rank=40,
        action="app.palette",
    ),
    Verb(
        "quit",
        ("q",),
        "quit",
        "Leave the console; work under way goes on at the next start.",
        "Console",
        rank=3,
        action="app.leave",
    ),
    Verb("filter_help", ("F",), "filters", "Show how filters are written.", "Console", action="app.filter_help"),
    # Demo clock
    Verb(
        "slower",
        ("left_square_bracket",),
        "slower",
        "Let the demo's clock run slower.",
        "Demo clock",
        demo_only=True,
        action="app.demo('slower')",
    ),
    Verb(
        "faster",
        ("right_square_bracket",),
        "faster",
        "Let the demo's clock run faster.",
        "Demo clock",
        demo_only=True,
        action="app.demo('faster')",
    ),
    Verb(
        "clock",
        ("equals_sign",),
        "clock",
        "Stop the demo's clock, or let it go on.",
        "Demo clock",
        demo_only=True,
        action="app.demo('pause')",
    ),
    Verb(
        "step",
        ("plus",),
        "step",
        "Let an hour of the demo pass at once.",
        "Demo clock",
        demo_only=True,
        action="app.demo('step')",
    ),
)
