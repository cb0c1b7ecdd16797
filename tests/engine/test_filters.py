"""The filter language: what texts mean, what a mistake says, what is suggested, and that text and tree agree."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.build import OsBuild
from engine.model.filters import (
    FIELD_NAMES,
    FIELDS,
    SYNTAX,
    VIEWS,
    Absent,
    Age,
    BareWord,
    BuildNumber,
    Comparison,
    DaysAgo,
    ErrorCode,
    FieldKind,
    Filter,
    FilterError,
    Kb,
    Op,
    Term,
    Value,
    field_named,
    parse,
    suggest,
    view_named,
)
from engine.rules.readiness import RULES, STALE_REASON


def only(text: str) -> Term:
    (term,) = parse(text).terms
    return term


# --- what texts mean --------------------------------------------------------------------------------


def test_the_example_of_the_design() -> None:
    assert parse("ring:broad state:failed build<26100.8390 -ready user:alice").terms == (
        Comparison("ring", Op.IS, ("broad",)),
        Comparison("state", Op.IS, ("failed",)),
        Comparison("build", Op.LESS, (OsBuild(26100, 8390),)),
        Comparison("readiness", Op.IS, ("ready",), negated=True),
        Comparison("user", Op.IS, ("alice",)),
    )


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("alice", BareWord("alice")),
        ("-alice", BareWord("alice", negated=True)),
        ('"alice meyer"', BareWord("alice meyer")),
        ('"say ""hi"""', BareWord('say "hi"')),
        ('"ready"', BareWord("ready")),
        ("READY", Comparison("readiness", Op.IS, ("ready",))),
        ("not-ready", Comparison("readiness", Op.IS, ("not-ready",))),
        ("CONTOSO\\alice", BareWord("CONTOSO\\alice")),
        ("10:30", BareWord("10:30")),
        ("ring!=last", Comparison("ring", Op.IS, ("last",), negated=True)),
        ("-ring!=last", Comparison("ring", Op.IS, ("last",))),
        ("ring=last", Comparison("ring", Op.IS, ("last",))),
        ("RING:test,First", Comparison("ring", Op.IS, ("test", "First"))),
        ("ring:none", Comparison("ring", Op.IS, (Absent("none"),))),
        ('ring:"none"', Comparison("ring", Op.IS, ("none",))),
        ('site:"New York",Berlin', Comparison("site", Op.IS, ("New York", "Berlin"))),
        ('user:""', Comparison("user", Op.IS, ("",))),
        ("serial=PF3K", Comparison("serial", Op.EXACT, ("PF3K",))),
        ("vbs:on", Comparison("vbs", Op.IS, ("running",))),
        ("os:24h2", Comparison("platform", Op.IS, ("win11-24h2",))),
        ("reason:stale", Comparison("reason", Op.IS, (STALE_REASON,))),
        ("reason:vbs?", Comparison("reason", Op.IS, ("vbs?",))),
        ("protected:true", Comparison("protected", Op.IS, ("yes",))),
        ("build:26100", Comparison("build", Op.IS, (BuildNumber(26100),))),
        ("build>=10.0.26100.8390", Comparison("build", Op.AT_LEAST, (OsBuild(26100, 8390),))),
        ("build:unknown", Comparison("build", Op.IS, (Absent("unknown"),))),
        ("seen>7d", Comparison("seen", Op.MORE, (Age(7, "d"),))),
        ("seen:Today", Comparison("seen", Op.IS, (DaysAgo(0),))),
        ("seen:never", Comparison("seen", Op.IS, (Absent("never"),))),
        ("boot<2026-05-01", Comparison("boot", Op.LESS, (date(2026, 5, 1),))),
        ("kb:5089466", Comparison("kb", Op.IS, (Kb(5089466),))),
        ("error:0x800f0922", Comparison("error", Op.IS, (ErrorCode(0x800F0922),))),
    ],
)
def test_a_term_means(text: str, term: Term) -> None:
    assert only(text) == term


def test_without_a_term_every_device_matches() -> None:
    assert parse("  \t ") == Filter()
    assert str(Filter()) == ""


# --- what a mistake says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts", "place"),
    [
        ("rign:broad", ["no field 'rign'", "name, user, ring", "Did you mean ring", "quotes"], "rign"),
        ("ok http://x", ["no field 'http'", "quotes"], "http"),
        ("-colour:red", ["no field 'colour'"], "colour"),
        ("state:faild", ["state has no value 'faild'", "failed, restart-pending", "Did you mean failed"], "faild"),
        ("readiness:yes", ["ready, not-ready, unknown"], "yes"),
        ("build<8390", ["8390 is a revision without its build", "build<26100.8390"], "8390"),
        ("build:32772", ["32772 is a revision", "26100.32772"], "32772"),
        ("build<new", ["'new' is not a build", "build<26100.8390"], "new"),
        ("seen>soon", ["neither a day nor an age", "7d"], "soon"),
        ("seen>2026-02-30", ["neither a day nor an age"], "2026-02-30"),
        ("seen>999999w", ["longer ago than any device"], "999999w"),
        ("seen>never", ["neither a day nor an age"], "never"),
        ("kb:12", ["not a KB number", "KB5089466"], "12"),
        ("error:12", ["not an error code", "0x800F0922"], "12"),
        ("ring<broad", ["ring cannot be compared with <", "build, seen and boot"], "ring<broad"),
        ("build<26100.1,26100.2", ["takes one value"], "build<26100.1,26100.2"),
        ("ring:", ["A value is missing", "ring:broad"], ""),
        ("ring:a,", ["A value is missing"], ""),
        ('state:""', ["A value is missing", "failed"], '""'),
        ('name:"lon', ["quote is not closed"], '"lon'),
        ('"a"b', ["right after a closing quote"], "b"),
        ("x -", ["minus needs a word"], "-"),
        ("--ready", ["minus needs a word"], "--"),
        ('""', ["nothing between the quotes"], '""'),
        ("name:a*b*c*d*e*f*g", ["more than 5 stars"], "a*b*c*d*e*f*g"),
    ],
)
def test_a_mistake_says_what_would_be_right(text: str, parts: list[str], place: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    for part in parts:
        assert part in str(caught.value)
    assert text[caught.value.start : caught.value.end] == place
    assert caught.value.instead


def test_a_wrong_field_names_every_field() -> None:
    with pytest.raises(FilterError) as caught:
        parse("nothing:1")
    assert all(name in caught.value.why for name in FIELD_NAMES)


def test_rings_are_checked_where_they_are_known() -> None:
    known = {"ring": ("Test", "First", "Broad")}
    assert parse("ring:BROAD", known).terms == (Comparison("ring", Op.IS, ("BROAD",)),)
    with pytest.raises(FilterError, match=r"no ring 'braod'\. Values: Test, First, Broad, none\. Did you mean"):
        parse("ring:braod", known)


def test_a_text_without_end_is_refused() -> None:
    with pytest.raises(FilterError, match="At most"):
        parse("a " * 3_000)


# --- text and tree ----------------------------------------------------------------------------------

_texts = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: text.count("*") <= 5
)


def _values(name: str) -> st.SearchStrategy[Value]:
    field = field_named(name)
    assert field is not None
    ages = st.builds(Age, st.integers(0, 36_500), st.sampled_from("mhd"))
    days = st.dates(date(1970, 1, 1), date(2999, 12, 31))
    builds = st.builds(OsBuild, st.integers(1000, 999_999), st.integers(0, 99_999_999))
    by_kind: dict[FieldKind, st.SearchStrategy[Value]] = {
        FieldKind.TEXT: st.one_of(st.just(""), _texts),
        FieldKind.NAME: st.one_of(_texts, *([st.just(Absent("none"))] if field.values else [])),
        FieldKind.CHOICE: st.sampled_from([str(value) for value in field.values] or [""]),
        FieldKind.BUILD: st.one_of(
            builds, st.builds(BuildNumber, st.integers(10_000, 29_999)), st.just(Absent("unknown"))
        ),
        FieldKind.MOMENT: st.one_of(ages, days, st.sampled_from([DaysAgo(0), DaysAgo(1), Absent(field.values[:1][0])]))
        if field.values
        else st.nothing(),
        FieldKind.KB: st.builds(Kb, st.integers(100_000, 99_999_999)),
        FieldKind.CODE: st.builds(ErrorCode, st.integers(0, 2**32 - 1)),
    }
    return by_kind[field.kind]


@st.composite
def _comparisons(draw: st.DrawFn) -> Comparison:
    name = draw(st.sampled_from(FIELD_NAMES))
    field = field_named(name)
    assert field is not None
    ops = [Op.IS, *([Op.EXACT] if field.kind is FieldKind.TEXT else [])]
    op = draw(st.sampled_from(ops))
    values = tuple(draw(st.lists(_values(name), min_size=1, max_size=3)))
    ordered = [value for value in values if not isinstance(value, Absent)]
    if field.kind in (FieldKind.BUILD, FieldKind.MOMENT) and ordered and draw(st.booleans()):
        op, values = draw(st.sampled_from([Op.LESS, Op.AT_MOST, Op.MORE, Op.AT_LEAST])), (ordered[0],)
    return Comparison(name, op, values, draw(st.booleans()))


_filters = st.builds(
    Filter, st.lists(st.one_of(st.builds(BareWord, _texts, st.booleans()), _comparisons()), max_size=4).map(tuple)
)


@settings(max_examples=300, deadline=None)
@given(_filters)
def test_what_is_written_back_is_read_as_the_same_tree(wanted: Filter) -> None:
    assert parse(str(wanted)) == wanted


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.lists(st.sampled_from([*'-":,<>=! ', "ring", "ready", "seen", "7d"])).map("".join))
def test_any_text_is_a_filter_or_a_mistake_with_a_place(text: str) -> None:
    try:
        tree = parse(text)
    except FilterError as mistake:
        start, end = mistake.start, mistake.end
    else:
        start, end = 0, 0
        assert parse(str(tree)) == tree
    assert 0 <= start <= end <= len(text)


# --- suggestions ------------------------------------------------------------------------------------


def _inserts(text: str, cursor: int | None = None) -> list[str]:
    at = len(text) if cursor is None else cursor
    return [each.insert for each in suggest(text, at, {"ring": ("Test", "First", "New York")})]


def test_fields_are_suggested_at_the_beginning_of_a_term() -> None:
    assert "ring:" in _inserts("")
    assert _inserts("ri") == ["ring:"]
    assert _inserts("ring:test sta") == ["state:"]
    assert _inserts("-sta") == ["state:"]
    assert "state:" in _inserts("x -")
    assert _inserts("read")[:2] == ["ready", "readiness:"]
    assert _inserts("licens") == ["licence:"]


def test_values_are_suggested_after_the_sign() -> None:
    assert _inserts("state:fa") == ["failed"]
    assert _inserts("ring:") == ["Test", "First", '"New York"', "none"]
    assert _inserts("ring:Test,") == ["First", '"New York"', "none"]
    assert _inserts("seen>")[:3] == ["7d", "14d", "30d"]
    assert "never" not in _inserts("seen>")
    assert "never" in _inserts("seen:")


def test_nothing_is_suggested_inside_quotes_or_for_unknown_fields() -> None:
    assert _inserts('site:"New') == []
    assert _inserts("colour:r") == []


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from([*'-":,<>=! abdegin']), max_size=15), st.integers(-2, 17))
def test_suggestions_never_fail_and_stay_inside_the_text(text: str, cursor: int) -> None:
    for each in suggest(text, cursor):
        assert 0 <= each.start <= each.end <= len(text)


def test_a_suggestion_completes_to_a_filter() -> None:
    text = "ring:test state:f"
    (chosen,) = suggest(text, len(text))
    assert parse(text[: chosen.start] + chosen.insert + text[chosen.end :]) == parse("ring:test state:failed")


# --- the table of fields ----------------------------------------------------------------------------


def test_every_field_has_words_and_an_example_that_parses() -> None:
    names = [name for each in FIELDS for name in (each.name, *each.aliases)]
    assert len(names) == len(set(names))
    for each in FIELDS:
        assert each.help
        (term,) = parse(each.example).terms
        assert isinstance(term, Comparison)
        assert term.field == each.name
        assert bool(each.values) or each.kind is not FieldKind.CHOICE
        assert all(value in each.values for value in each.value_aliases.values())


def test_every_reason_of_readiness_can_be_asked_for() -> None:
    for rule in RULES:
        assert len(parse(f"reason:{rule.id} reason:{rule.id}?").terms) == 2


def test_examples_of_the_syntax_and_built_in_views_parse() -> None:
    for example, _ in SYNTAX:
        assert parse(example).terms
    for view in VIEWS:
        assert parse(view.filter).terms
        assert view.title
        assert view_named(view.name.upper()) is view
    assert {view.name for view in VIEWS} >= {"not-ready", "behind-baseline", "failed", "stale", "restart-pending"}
    assert view_named("nothing") is None
