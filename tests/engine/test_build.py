from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.build import OsBuild, Platform, kb_text, parse_kb

builds = st.builds(OsBuild, st.integers(1000, 999_999), st.integers(0, 99_999_999))


@given(builds)
def test_a_build_survives_text_and_number(build: OsBuild) -> None:
    assert OsBuild.from_int(build.as_int()) == build
    if build.number >= 1000:
        assert OsBuild.parse(str(build)) == build
        assert OsBuild.parse(f" 10.0.{build} ") == build


@given(builds, builds)
def test_numbers_sort_like_builds(one: OsBuild, other: OsBuild) -> None:
    assert (one < other) == (one.as_int() < other.as_int())


@pytest.mark.parametrize("text", ["", "26100", "8390", "26100.", "26100.8390.1", "11.0.26100.1", "26100.-1", "x.y"])
def test_what_is_no_build_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"26100\.8390"):
        OsBuild.parse(text)


@pytest.mark.parametrize("text", ["KB5089466", "kb5089466", " 5089466 ", "KB 5089466"])
def test_kb_numbers_are_read_as_people_write_them(text: str) -> None:
    assert parse_kb(text) == 5089466
    assert kb_text(parse_kb(text)) == "KB5089466"


@pytest.mark.parametrize("text", ["", "KB", "KB12", "KB50894666666", "KB50x9466", "KB٥٠٨٩٤٦٦"])
def test_what_is_no_kb_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="KB5089466"):
        parse_kb(text)


def test_clients_and_server_2025_share_a_build_number() -> None:
    assert Platform.WIN11_24H2.build_number == Platform.SERVER_2025.build_number
    assert Platform.SERVER_2025.is_server
    assert not Platform.WIN11_25H2.is_server
