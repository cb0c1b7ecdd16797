"""By which release a CVE is closed at each level: the set that the coverage finds, with the reason; the known traps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from engine.catalog import Catalog, load_bundled
from engine.catalog.closing import Closings, Route, closings_known_at
from engine.catalog.coverage import PlatformFixes, chain_of
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Release, ReleaseKind

A, P, R = Architecture, Platform, Route
POWERSHELL, WSUS = "CVE-2025-54100", "CVE-2025-59287"
"""Both are closed beside the hotpatches by standalone packages alone: KB5074204, KB5074353; KB5070893, KB5070892."""
SERVED = (P.WIN11_24H2, P.SERVER_2025, P.SERVER_2022)


@cache
def bundled() -> Catalog:
    return load_bundled()


@cache
def closings(year: int, month: int, day: int) -> Closings:
    return closings_known_at(bundled(), datetime(year, month, day, 20, tzinfo=UTC))


def levels(known: Closings) -> list[Release]:
    return [r for r in known.catalog.releases if r.build is not None and r.kind is not ReleaseKind.COMPANION]


@pytest.mark.parametrize("now", [(2025, 5, 20), (2025, 12, 20), (2026, 10, 1)])
def test_what_is_closed_is_what_the_coverage_does_not_call_open(now: tuple[int, int, int]) -> None:
    known = closings(*now)
    at = datetime(*now, 20, tzinfo=UTC)
    checked = 0
    for release in levels(known):
        for architecture in release.platform.architectures:
            closed = set(known.at(release.platform, architecture, release.build).closings)
            filed = {f.cve for f in known.catalog.fixes_on(release.platform) if f.architecture is architecture}
            if release.released_at < at - timedelta(days=200):
                continue
            state = PlatformFixes(known.catalog, release.platform, architecture)
            covered = state.closed_on(release, *chain_of(known.catalog, release), frozenset())
            assert closed & filed == covered & filed, release
            still_open = {cve.id for cve in known.open_cves(release.platform, architecture, release.build)}
            assert filed - closed == still_open, release
            checked += 1
    assert checked > 15


@pytest.mark.parametrize(
    ("month", "day", "platform", "residual"),
    [
        ("2025-03", (2025, 3, 20), P.WIN11_24H2, {"CVE-2025-26634"}),
        ("2025-03", (2025, 3, 20), P.SERVER_2025, {"CVE-2025-26634"}),
        ("2025-03", (2025, 3, 20), P.SERVER_2022, {"CVE-2025-26634"}),
        *(("2025-08", (2025, 8, 20), platform, set()) for platform in SERVED),
        ("2025-11", (2025, 11, 25), P.WIN11_24H2, set()),
        ("2025-11", (2025, 11, 25), P.SERVER_2025, {WSUS}),
        ("2025-12", (2025, 12, 20), P.WIN11_24H2, {POWERSHELL}),
        ("2025-12", (2025, 12, 20), P.SERVER_2025, {POWERSHELL, WSUS}),
        ("2025-12", (2025, 12, 20), P.SERVER_2022, {POWERSHELL, WSUS}),
        ("2026-03", (2026, 3, 12), P.WIN11_24H2, {"CVE-2026-25172", "CVE-2026-25173", "CVE-2026-26111"}),
        ("2026-03", (2026, 3, 20), P.WIN11_24H2, set()),
        ("2026-05", (2026, 5, 20), P.WIN11_24H2, set()),
        ("2026-05", (2026, 5, 20), P.SERVER_2022, set()),
    ],
)
def test_the_residual_of_a_month_is_what_its_lcu_closes_and_the_newest_hotpatch_does_not(
    month: str, day: tuple[int, int, int], platform: Platform, residual: set[str]
) -> None:
    known = closings(*day)
    hotpatch = [r for r in known.catalog.for_platform(platform) if r.kind.is_hotpatch and r.month == month][-1]
    twin = known.catalog.twin(hotpatch)
    assert twin is not None
    closed = known.at(platform, A.X64, hotpatch.build).closings
    assert set(known.of(twin, A.X64).closings) - set(closed) == residual


def test_august_2025_minus_the_hotpatch_is_in_the_baseline() -> None:
    """The naive difference is three CVEs on 24H2; July's baseline holds them."""
    known = closings(2025, 8, 20)
    lcu, hotpatch = (known.catalog.find(kb) for kb in (5063878, 5064010))
    naive = known.catalog.cve_ids(lcu[0]) - known.catalog.cve_ids(hotpatch[0])
    platform = lcu[0].platform
    found = {cve: known.at(platform, A.X64, hotpatch[0].build).closings[cve].route for cve in naive}
    assert set(found.values()) <= {R.BASELINE}


def test_the_chain_names_the_hotpatch_that_lists_it_and_the_baseline_its_own_earliest() -> None:
    known = closings(2026, 3, 20)
    at = known.at(P.WIN11_24H2, A.X64, OsBuild(26100, 7982))
    assert at.running is not None
    assert (at.running.kb, at.baseline and at.baseline.kb) == (5084597, 5074109)
    by_kb = {closing.release.kb for closing in at.closings.values() if closing.route is R.HOTPATCH}
    assert by_kb == {5077212, 5079420, 5084597}
    assert all(c.release.kind.is_cumulative for c in at.closings.values() if c.route is R.BASELINE)


def test_a_companion_closes_what_shares_its_build_does_not() -> None:
    known = closings(2025, 12, 20)
    build = OsBuild(26100, 7392)
    assert "CVE-2025-54100" not in known.at(P.WIN11_24H2, A.X64, build).closings
    beside = known.at(P.WIN11_24H2, A.X64, build, frozenset({5074204})).closings["CVE-2025-54100"]
    assert (beside.route, beside.release.kb) == (R.COMPANION, 5074204)
    assert known.at(P.WIN11_24H2, A.X64, OsBuild(26100, 7462)).closings["CVE-2025-54100"].route is R.CUMULATIVE


def test_a_shared_build_is_the_companions_where_that_was_installed() -> None:
    """October 2025 on Server 2025: the out-of-band LCU and the package beside the hotpatches are both 26100.6905."""
    known = closings(2025, 11, 5)
    build = OsBuild(26100, 6905)
    alone, beside = (known.at(P.SERVER_2025, A.X64, build, kbs) for kbs in (frozenset[int](), frozenset({5070893})))
    assert alone.running is not None
    assert beside.running is not None
    assert (alone.running.kb, beside.running.kb) == (5070881, 5066835)
    assert alone.closings["CVE-2025-59287"].route is R.CUMULATIVE
    assert beside.closings["CVE-2025-59287"].route is R.COMPANION


def test_without_an_architecture_only_what_holds_on_all_counts() -> None:
    known = closings(2026, 6, 20)
    some, every = (known.at(P.WIN11_24H2, each, OsBuild(26100, 8655)).closings for each in (A.X64, None))
    assert "CVE-2026-45585" in some
    assert "CVE-2026-45585" not in every
    assert known.closers(P.WIN11_24H2, A.ARM64, "CVE-2026-45585") is None


def test_a_build_that_nothing_explains_proves_its_baseline_and_no_more() -> None:
    known = closings(2026, 5, 20)
    found = known.at(P.WIN11_24H2, A.X64, OsBuild(26100, 8300))
    assert found.running is not None
    assert (found.running.kb, found.is_exact) == (5083769, False)
    assert set(found.closings) == set(known.at(P.WIN11_24H2, A.X64, OsBuild(26100, 8246)).closings)
    assert not known.at(P.WIN11_24H2, A.X64, None).closings
    assert not known.at(P.WIN11_24H2, A.X64, OsBuild(26100, 1)).closings
