"""The bundled catalog against the facts, coverage against the worked months, and what a device still lacks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.catalog import Catalog, coverage_of, from_json, load_beyond, load_bundled, merge_all, to_json
from engine.catalog.build import build, main
from engine.catalog.bundled import CATALOG_FILE
from engine.catalog.calendar import patch_tuesday_moment
from engine.catalog.closing import closings_known_at
from engine.catalog.msrc import read_document
from engine.model.build import Architecture, OsBuild, Platform, parse_kb
from engine.model.errors import BadInput
from engine.model.model import Release, ReleaseKind, Severity
from tests.conftest import SHARED

K = ReleaseKind
P = Platform
DEMO = datetime(2026, 5, 13, 9, tzinfo=UTC)
LATER = datetime(2026, 7, 6, tzinfo=UTC)
DATA = Path(__file__).resolve().parents[2] / "data"


@cache
def bundled() -> Catalog:
    return load_bundled()


@cache
def documented() -> Catalog:
    """Only what the importer made of Microsoft's documents."""
    return from_json((DATA / CATALOG_FILE).read_text(encoding="utf-8"))


def release(kb: int, platform: Platform) -> Release:
    return next(found for found in bundled().find(kb) if found.platform is platform)


def ids(items: Any) -> list[str]:
    return sorted(item.cve.id for item in items)


# --- the bundled file ---------------------------------------------------------------------------------


@pytest.mark.shared
def test_the_packaged_catalog_is_what_the_importer_makes_of_the_documents(tmp_path: Path) -> None:
    target = tmp_path / "catalog.json"
    assert main([str(SHARED / "msrc"), str(target)]) == 0
    assert target.read_text(encoding="utf-8") == (DATA / CATALOG_FILE).read_text(encoding="utf-8")


def test_the_file_form_keeps_everything() -> None:
    text = to_json(bundled())
    again = from_json(text)
    assert again == bundled()
    assert to_json(again) == text


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "documents": 3}'])
def test_a_file_that_is_no_catalog_says_so(text: str) -> None:
    with pytest.raises(BadInput, match=r"x\.json: this is not a catalog file"):
        from_json(text, "x.json")


def test_building_from_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no document"):
        build(tmp_path)
    assert main([]) == 2
    assert main([str(tmp_path / "none")]) == 2


FACTS_PLATFORMS = {
    "Windows 11 24H2": P.WIN11_24H2,
    "Windows 11 25H2": P.WIN11_25H2,
    "Windows Server 2025": P.SERVER_2025,
    "Windows Server 2022 Datacenter: Azure Edition": P.SERVER_2022,
}
FACTS_KINDS = {
    ("baseline", None): K.BASELINE,
    ("unplanned-baseline", None): K.UNPLANNED_BASELINE,
    ("hotpatch", None): K.HOTPATCH,
    ("standalone", None): K.COMPANION,
    ("out-of-band", "hotpatch"): K.OOB_HOTPATCH,
    ("out-of-band", "cumulative"): K.OOB_LCU,
    ("out-of-band", "standalone"): K.COMPANION,
}


@pytest.mark.shared
def test_every_release_of_the_fact_list_is_in_the_catalog_with_its_kind_day_and_build() -> None:
    """Rows before 2025 are held out, 26H2 is no platform of ours, and rows without a KB are for the calendar."""
    rows = json.loads((SHARED / "facts" / "releases.json").read_text(encoding="utf-8"))["releases"]
    checked = 0
    for row in rows:
        platform = FACTS_PLATFORMS.get(row["platform"])
        if platform is None or row["kb"] is None or row["release_date"] < "2025":
            continue
        found = release(parse_kb(row["kb"]), platform)
        assert found.kind is FACTS_KINDS[row["kind"], row.get("oob_form")], row
        assert str(found.released_at.date()) == row["release_date"], row
        assert found.restart_required is row["requires_restart"], row
        if row["kind"] == "standalone":  # MSRC prints the 26100 build for 25H2 too
            assert found.build is not None
        elif row["build"] is not None:
            assert str(found.build) == row["build"], row
        if row["arch"] != "any":
            assert row["arch"] in found.architectures, row
        twin = row.get("same_month_cumulative")
        if twin is not None and found.kind.is_hotpatch:
            other = bundled().twin(found)
            assert other is not None
            assert other.name == twin["kb"], row
        checked += 1
    assert checked > 100


def test_the_acceptance_release() -> None:
    found = {r.platform: r for r in bundled().find(5089466)}
    assert {p: (r.kind, r.restart_required, str(r.build), r.month) for p, r in found.items()} == {
        P.WIN11_24H2: (K.HOTPATCH, False, "26100.8390", "2026-05"),
        P.WIN11_25H2: (K.HOTPATCH, False, "26200.8390", "2026-05"),
    }
    assert all(r.architectures == (Architecture.X64, Architecture.ARM64) for r in found.values())


def test_a_hotpatch_is_never_on_a_month_in_which_it_did_not_ship() -> None:
    """January 2025 lists a hotpatch of September, June 2026 those of May."""
    assert release(5065474, P.WIN11_24H2).month == "2025-09"
    assert "CVE-2025-21293" in bundled().cve_ids(release(5065474, P.WIN11_24H2))
    assert {r.month for r in bundled().find(5089466)} == {"2026-05"}
    assert "CVE-2026-48566" in bundled().cve_ids(release(5089466, P.WIN11_24H2))


def test_one_release_of_each_month_opens_the_quarter_or_ships_beside_a_hotpatch() -> None:
    for platform in Platform:
        months: dict[str, list[ReleaseKind]] = {}
        for found in documented().for_platform(platform):
            months.setdefault(found.month, []).append(found.kind)
        for month, found_kinds in months.items():
            main_kinds = [kind for kind in found_kinds if kind.is_baseline or kind is K.LCU]
            assert len(main_kinds) == 1, (platform, month)
            assert (K.HOTPATCH in found_kinds) == (main_kinds == [K.LCU]), (platform, month)


def test_second_hand_rows_say_so_and_name_their_source() -> None:
    beyond = load_beyond()
    assert beyond
    assert all(found.provisional and found.source for found in beyond)
    assert not any(found.provisional for found in documented().releases)
    known = {(r.kb, r.platform) for r in documented().releases}
    assert not known & {(r.kb, r.platform) for r in beyond}, "a document confirms these rows: take them out"


# --- what is known when -------------------------------------------------------------------------------


def test_the_demo_does_not_know_june() -> None:
    known = bundled().known_at(DEMO)
    assert max(found.month for found in known.releases) == "2026-05"
    assert "CVE-2026-48566" not in known.cves
    assert "CVE-2026-45585" not in known.cves
    assert all(fix.filed <= "2026-05" for fix in known.fixes)
    assert known.find(5089466)
    assert not known.find(5094126)


def test_a_release_is_known_from_ten_in_the_morning_in_redmond() -> None:
    june = patch_tuesday_moment("2026-06")
    assert june == datetime(2026, 6, 9, 17, tzinfo=UTC)
    assert not bundled().known_at(june - timedelta(seconds=1)).find(5094126)
    assert bundled().known_at(june).find(5094126)
    assert "CVE-2026-48566" in bundled().known_at(june).cve_ids(release(5089466, P.WIN11_24H2))


def test_twins_follow_the_month_or_the_day() -> None:
    def twin(kb: int, platform: Platform) -> str | None:
        found = bundled().twin(release(kb, platform))
        return found.name if found is not None else None

    assert twin(5089466, P.WIN11_25H2) == "KB5089549"
    assert twin(5087424, P.SERVER_2022) == "KB5087545"
    assert twin(5084597, P.WIN11_24H2) == "KB5079473"
    assert twin(5078238, P.SERVER_2022) == "KB5078136"
    assert twin(5121768, P.WIN11_24H2) == "KB5121767"
    assert twin(5089549, P.WIN11_24H2) is None
    assert twin(5083769, P.WIN11_24H2) is None


# --- coverage: the worked months ----------------------------------------------------------------------

ALL = tuple(Platform)
CLIENTS = (P.WIN11_24H2, P.WIN11_25H2)


def residual(platform: Platform, month: str) -> list[str]:
    """What the month's own document leaves open on the hotpatch track, after the month's last hotpatch."""
    catalog = documented()
    last = [r for r in catalog.for_platform(platform) if r.month == month and r.kind.is_hotpatch][-1]
    coverage = coverage_of(catalog, last)
    filed = {fix.cve for fix in catalog.fixes_on(platform) if fix.filed == month}
    return sorted(filed & {gap.cve.id for gap in (*coverage.not_covered, *coverage.still_open)})


def hotpatch_months(platform: Platform) -> list[str]:
    return sorted({r.month for r in documented().for_platform(platform) if r.kind is K.HOTPATCH})


WORKED = {
    "2025-03": {key: ["CVE-2025-26634"] for key in ALL},
    "2025-11": {key: ["CVE-2025-64720", "CVE-2025-65018"] for key in ALL},
    "2025-12": {key: ["CVE-2025-54100"] for key in ALL},
    "2026-05": {key: ["CVE-2026-45585"] for key in (*CLIENTS, P.SERVER_2025)},
}
"""The residual table of the project's facts, section 6; every other month leaves nothing open."""
FILED_FOR_A_LATER_RELEASE = {("2025-08", "CVE-2025-48807"), ("2025-11", "CVE-2025-60710")}
"""Listed in these documents for the next month's packages of both tracks: open that month on either of them."""


@pytest.mark.parametrize("platform", list(Platform))
def test_the_residual_of_every_month(platform: Platform) -> None:
    for month in hotpatch_months(platform):
        found = [cve for cve in residual(platform, month) if (month, cve) not in FILED_FOR_A_LATER_RELEASE]
        assert found == WORKED.get(month, {}).get(platform, []), (platform, month)


def test_march_2026_is_closed_by_the_out_of_band_hotpatch() -> None:
    rras = ["CVE-2026-25172", "CVE-2026-25173", "CVE-2026-26111"]
    first = coverage_of(bundled(), release(5079420, P.WIN11_24H2))
    assert (len(first.fixes), len(first.twin_fixes)) == (38, 41)
    assert ids(first.not_covered) == rras
    assert {r.name for gap in first.not_covered for r in gap.closed_by} == {"KB5079473", "KB5084597"}
    second = coverage_of(bundled(), release(5084597, P.WIN11_24H2))
    assert [r.name for r in second.chain] == ["KB5077212", "KB5079420", "KB5084597"]
    assert ids(second.not_covered) == []


def test_may_2025_is_closed_by_the_out_of_band_hotpatch() -> None:
    assert "CVE-2025-29971" in ids(coverage_of(bundled(), release(5058497, P.WIN11_24H2)).not_covered)
    assert "CVE-2025-29971" not in ids(coverage_of(bundled(), release(5061258, P.WIN11_24H2)).not_covered)


@pytest.mark.parametrize(
    ("platform", "naive"), [(P.WIN11_24H2, 3), (P.SERVER_2025, 5), (P.SERVER_2022, 4)], ids=lambda value: str(value)
)
def test_august_2025_is_in_the_baseline_already(platform: Platform, naive: int) -> None:
    """Counted row by row the hotpatch seems to lack CVEs; all but what September filed later are in July's baseline."""
    catalog = documented()
    mine = [
        fix for fix in catalog.fixes_on(platform) if fix.filed == "2025-08" and fix.architecture is Architecture.X64
    ]
    kinds = {r.kb: r.kind for r in catalog.for_platform(platform)}
    listed = {fix.cve for fix in mine if kinds[fix.kb].is_hotpatch}
    cumulative = {fix.cve for fix in mine if kinds[fix.kb].is_cumulative}
    assert len(cumulative - listed) == naive
    hotpatch = next(r for r in catalog.for_platform(platform) if r.month == "2025-08" and r.kind is K.HOTPATCH)
    assert ids(coverage_of(catalog, hotpatch).not_covered) == []


def test_december_2025_needs_the_companion() -> None:
    for platform, kb in ((P.WIN11_24H2, 5072014), (P.SERVER_2025, 5072014), (P.SERVER_2022, 5071413)):
        gaps = {gap.cve.id: gap for gap in coverage_of(bundled(), release(kb, platform)).not_covered}
        companion = {P.SERVER_2022: "KB5074353"}.get(platform, "KB5074204")
        assert [r.name for r in gaps["CVE-2025-54100"].companions] == [companion]


def test_libpng_stays_open_on_both_tracks_until_april_2026() -> None:
    coverage = coverage_of(bundled(), release(5068966, P.WIN11_24H2))
    assert ids(coverage.not_covered) == []
    gaps = {gap.cve.id: [r.name for r in gap.closed_by] for gap in coverage.still_open}
    assert gaps["CVE-2025-64720"] == gaps["CVE-2025-65018"] == ["KB5083769"]


def test_may_2026_on_server_2022_is_covered_by_an_older_hotpatch() -> None:
    """Two CVEs are filed under March's hotpatch only; April's baseline holds what it fixed."""
    may = coverage_of(bundled(), release(5087424, P.SERVER_2022))
    assert {"CVE-2025-54518", "CVE-2026-42825"} <= {cve.id for cve in may.twin_fixes} - {cve.id for cve in may.fixes}
    assert ids(may.not_covered) == []


def test_bitlocker_of_may_2026_is_closed_by_the_june_baseline() -> None:
    coverage = coverage_of(bundled(), release(5089466, P.WIN11_24H2), Architecture.X64)
    assert {gap.cve.id: [r.name for r in gap.closed_by] for gap in coverage.still_open} == {
        "CVE-2026-45585": ["KB5094126"]
    }
    assert ids(coverage_of(bundled(), release(5089466, P.WIN11_24H2), Architecture.ARM64).still_open) == []


def test_coverage_tells_how_bad_a_gap_is() -> None:
    gap = coverage_of(bundled(), release(5053636, P.WIN11_24H2)).not_covered[0]
    assert (gap.cve.id, gap.cve.severity) == ("CVE-2025-26634", Severity.IMPORTANT)
    assert gap.cve.cvss == 7.5
    assert not gap.cve.exploited


def test_a_cumulative_update_has_no_twin_and_no_gap() -> None:
    coverage = coverage_of(bundled(), release(5089549, P.WIN11_24H2))
    assert (coverage.twin, coverage.twin_fixes, coverage.not_covered, coverage.chain) == (None, (), (), ())
    assert len(coverage.fixes) == 61


def test_what_is_exploited_comes_first() -> None:
    found = coverage_of(bundled(), release(5062553, P.WIN11_24H2)).fixes
    flags = [cve.exploited for cve in found]
    assert flags == sorted(flags, reverse=True)


# --- a device -----------------------------------------------------------------------------------------


def still_open(build: str | None, now: datetime, platform: Platform = P.WIN11_24H2, *companions: int) -> set[str]:
    parsed = OsBuild.parse(build) if build is not None else None
    found = closings_known_at(bundled(), now).open_cves(platform, Architecture.X64, parsed, frozenset(companions))
    return {cve.id for cve in found}


def test_hotpatch_and_lcu_close_the_same_on_the_morning_after() -> None:
    assert still_open("26100.8390", DEMO) == still_open("26100.8457", DEMO) == set()


def test_a_device_on_the_baseline_lacks_the_hotpatch() -> None:
    lacking = still_open("26100.8246", DEMO)
    assert lacking == {cve.id for cve in coverage_of(bundled().known_at(DEMO), release(5089466, P.WIN11_24H2)).fixes}
    assert len(lacking) == 60  # the sixty-first was filed in June


def test_a_device_behind_the_baseline_lacks_the_baseline_too() -> None:
    assert still_open("26100.7982", DEMO) > still_open("26100.8246", DEMO)


def test_the_same_hotpatch_leaves_more_open_when_june_is_known() -> None:
    june = datetime(2026, 6, 10, tzinfo=UTC)
    lacking = still_open("26100.8390", june)
    assert "CVE-2026-45585" in lacking
    assert "CVE-2026-48566" not in lacking
    assert still_open("26100.8655", june) == set()


def test_only_the_installed_companion_closes_december() -> None:
    december = datetime(2025, 12, 10, tzinfo=UTC)
    assert still_open("26100.7392", december) == {"CVE-2025-54100"}
    assert still_open("26100.7392", december, P.WIN11_24H2, 5074204) == set()
    assert still_open("26100.7462", december) == set()


def test_the_wsus_hole_is_closed_by_companion_or_by_leaving_the_track() -> None:
    november = datetime(2025, 11, 12, tzinfo=UTC)
    assert still_open("26100.7092", november, P.SERVER_2025) == {"CVE-2025-59287"}
    assert still_open("26100.7092", november, P.SERVER_2025, 5070893) == set()
    assert still_open("26100.7171", november, P.SERVER_2025) == set()
    assert still_open("26100.7092", november) == set()


def test_a_build_between_two_releases_proves_only_its_baseline() -> None:
    assert still_open("26100.8300", DEMO) == still_open("26100.8246", DEMO)
    assert still_open(None, DEMO) > still_open("26100.7623", DEMO)


# --- adding documents ---------------------------------------------------------------------------------


@pytest.mark.shared
def test_importing_the_same_documents_again_changes_nothing() -> None:
    documents = [read_document(file) for file in sorted((SHARED / "msrc").glob("*.xml.gz"))]
    catalog, changes = merge_all(bundled(), documents)
    assert changes.is_empty
    assert not changes.faults
    assert len(changes.unchanged_documents) == 18
    assert catalog == bundled()
