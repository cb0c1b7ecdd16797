"""Where a device stands: by platform and track, never by comparing builds across tracks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog import Catalog, Levels, load_bundled, make_levels
from engine.model.build import OsBuild, Platform
from engine.model.model import ReleaseKind, Track

P = Platform


@cache
def bundled() -> Catalog:
    return load_bundled()


def levels(platform: Platform, day: str) -> Levels:
    return bundled().levels(platform, datetime.fromisoformat(day).replace(hour=23, tzinfo=UTC))


def b(text: str) -> OsBuild:
    return OsBuild.parse(text)


MAY = "2026-05-13"


@pytest.mark.parametrize(
    ("platform", "day", "build", "track", "is_current"),
    [
        # the morning after: hotpatch and LCU are both current, the baseline is not
        (P.WIN11_24H2, MAY, "26100.8390", Track.HOTPATCH, True),
        (P.WIN11_24H2, MAY, "26100.8457", Track.LCU, True),
        (P.WIN11_24H2, MAY, "26100.8246", Track.HOTPATCH, False),
        (P.WIN11_24H2, MAY, "26100.8117", Track.BEHIND, False),
        (P.WIN11_24H2, MAY, "26100.8420", Track.UNKNOWN, False),
        # newer than all that is known by then: which track it is on is not known, what it closes is
        (P.WIN11_24H2, MAY, "26100.8458", Track.UNKNOWN, True),
        (P.WIN11_24H2, MAY, "26100.8500", Track.UNKNOWN, True),
        (P.SERVER_2025, MAY, "26100.33000", Track.UNKNOWN, True),
        (P.WIN11_25H2, MAY, "26200.8390", Track.HOTPATCH, True),
        (P.WIN11_25H2, MAY, "26100.8390", Track.UNKNOWN, False),
        # build 26100 carries two revision series: a client's revision is far behind on Server 2025
        (P.SERVER_2025, MAY, "26100.32772", Track.HOTPATCH, True),
        (P.SERVER_2025, MAY, "26100.8390", Track.BEHIND, False),
        # the unplanned baseline of June takes everyone back to one level
        (P.WIN11_24H2, "2026-06-10", "26100.8390", Track.BEHIND, False),
        (P.WIN11_24H2, "2026-06-10", "26100.8655", Track.HOTPATCH, True),
        # an out-of-band hotpatch within a hotpatch month is wanted, the LCU of the month stays enough
        (P.WIN11_24H2, "2026-03-11", "26100.7979", Track.HOTPATCH, True),
        (P.WIN11_24H2, "2026-03-14", "26100.7979", Track.HOTPATCH, False),
        (P.WIN11_24H2, "2026-03-14", "26100.7982", Track.HOTPATCH, True),
        (P.WIN11_24H2, "2026-03-25", "26100.8037", Track.LCU, True),
        (P.WIN11_24H2, "2026-03-25", "26100.8039", Track.LCU, True),
        # on top of a baseline: higher than the B release, lower than the out-of-band LCU
        (P.WIN11_25H2, "2026-09-15", "26200.9448", Track.HOTPATCH, True),
        (P.WIN11_25H2, "2026-09-15", "26200.9445", Track.HOTPATCH, True),
        (P.WIN11_25H2, "2026-09-15", "26200.9457", Track.LCU, True),
        (P.WIN11_24H2, "2026-08-12", "26100.8893", Track.HOTPATCH, False),
        (P.WIN11_24H2, "2026-08-12", "26100.8894", Track.LCU, False),
        # the out-of-band LCU of October 2025 shares its build with the companion for hotpatched servers
        (P.SERVER_2025, "2025-10-24", "26100.6905", Track.UNKNOWN, True),
        (P.SERVER_2025, "2025-10-23", "26100.6905", Track.LCU, True),
        # a platform before its first hotpatch
        (P.WIN11_25H2, "2025-10-15", "26200.6899", Track.HOTPATCH, True),
    ],
)
def test_where_a_build_stands(platform: Platform, day: str, build: str, track: Track, is_current: bool) -> None:
    found = levels(platform, day)
    assert found.track_of(b(build)) is track
    assert found.is_current(b(build)) is is_current


def test_a_build_newer_than_everything_known_on_its_own_platform() -> None:
    client, server = levels(P.WIN11_24H2, MAY), levels(P.SERVER_2025, MAY)
    assert [client.is_beyond(b(f"26100.{revision}")) for revision in (8246, 8390, 8420, 8457, 8458)] == [
        *[False] * 4,
        True,
    ]
    # build 26100 carries two revision series: a client's revision says nothing on Server 2025
    assert not server.is_beyond(b("26100.9999"))
    assert [server.is_beyond(b(f"26100.{revision}")) for revision in (32_860, 39_999)] == [False, True]
    assert not client.is_beyond(b("26200.9999")), "another version of Windows"
    assert not client.is_beyond(None)
    fresh = levels(P.WIN11_24H2, "2026-04-15")
    assert [fresh.is_beyond(b(f"26100.{revision}")) for revision in (8246, 8247)] == [False, True]
    assert not make_levels(P.WIN11_25H2, (), datetime(2026, 5, 13, tzinfo=UTC)).is_beyond(b("26200.9999"))


@given(st.sampled_from(list(Platform)), st.integers(0, 730 * 24), st.integers(1, 40_000))
def test_what_no_release_has_is_on_no_track(platform: Platform, hours: int, revision: int) -> None:
    found = bundled().levels(platform, datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
    build = OsBuild(platform.build_number, revision)
    if found.track_of(build) in (Track.HOTPATCH, Track.LCU):
        assert found.release_of(build) is not None
    if found.is_beyond(build):
        assert (found.track_of(build), found.release_of(build)) == (Track.UNKNOWN, None)
        assert found.is_current(build), "a later build has all that the known ones have"


def test_nothing_is_known_of_a_device_without_a_build_or_a_platform_without_a_baseline() -> None:
    found = levels(P.WIN11_24H2, MAY)
    assert (found.track_of(None), found.is_current(None), found.release_of(None)) == (Track.UNKNOWN, False, None)
    nothing = make_levels(P.WIN11_25H2, bundled().releases, datetime(2025, 1, 1, tzinfo=UTC))
    assert nothing.baseline is None
    assert nothing.current_lcu() is None
    assert nothing.track_of(b("26200.6899")) is Track.UNKNOWN
    assert not nothing.is_current(b("26200.6899"))


def test_current_releases_and_the_release_of_a_build() -> None:
    found = levels(P.WIN11_24H2, "2026-03-25")
    names = [found.baseline, found.current_hotpatch(), found.current_lcu()]
    assert [release and release.name for release in names] == ["KB5074109", "KB5084597", "KB5085516"]
    assert [release.name for release in found.hotpatches] == ["KB5077212", "KB5079420", "KB5084597"]
    running = found.release_of(b("26100.7979"))
    assert running is not None
    assert running.name == "KB5079420"
    assert found.release_of(b("26100.1")) is None
    fresh = levels(P.WIN11_24H2, "2026-04-15")
    assert fresh.current_hotpatch() is None
    assert fresh.current_lcu() == fresh.baseline


@pytest.mark.parametrize("platform", list(Platform))
def test_every_published_hotpatch_and_lcu_is_current_on_its_day(platform: Platform) -> None:
    for release in bundled().for_platform(platform):
        if release.build is None or release.kind in (ReleaseKind.OOB_LCU, ReleaseKind.COMPANION):
            continue
        on_the_day = make_levels(platform, bundled().releases, release.released_at)
        assert on_the_day.is_current(release.build), release
        assert on_the_day.track_of(release.build) is (
            Track.LCU if release.kind is ReleaseKind.LCU else Track.HOTPATCH
        ), release


@given(
    st.sampled_from(list(Platform)),
    st.integers(0, 730 * 24),
    st.integers(1, 40_000),
)
def test_what_is_behind_the_baseline_is_never_current(platform: Platform, hours: int, revision: int) -> None:
    found = bundled().levels(platform, datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
    build = OsBuild(platform.build_number, revision)
    if found.track_of(build) is Track.BEHIND:
        assert not found.is_current(build)
    if found.is_current(build):
        assert found.baseline is not None
        assert found.baseline.build is not None
        assert build >= found.baseline.build
