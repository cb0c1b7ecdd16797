"""What each KB is: kinds, months and days, decided from what documents file. Nothing hangs on certain months."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.catalog import Catalog, merge, merge_all, to_json, with_releases
from engine.catalog.calendar import release_moment
from engine.catalog.msrc import MonthDocument
from engine.model.build import Platform
from engine.model.model import ReleaseKind
from tests.engine.cvrf_documents import (
    CLIENT_24H2,
    CLIENT_25H2,
    HOTPATCH,
    SERVER_2022,
    SERVER_2025,
    Row,
    Vulnerability,
    cves,
    document,
)

K = ReleaseKind


def month(
    name: str, lcu: tuple[int, str], hotpatch: tuple[int, str] | None, *more: Vulnerability, count: int = 30
) -> MonthDocument:
    """A month of Server 2022: its LCU, its hotpatch or none, and further vulnerabilities."""
    rows = [Row(lcu[0], lcu[1], SERVER_2022)]
    if hotpatch is not None:
        rows.append(Row(hotpatch[0], hotpatch[1], SERVER_2022, HOTPATCH))
    number = {"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6}[name[5:]]
    return document(name, [*cves(f"{name[:4]}-{number:02d}", count, rows), *more])


JAN = month("2031-Jan", (6000010, "10.0.20348.9000"), None)
FEB = month("2031-Feb", (6000020, "10.0.20348.9100"), (6000021, "10.0.20348.9060"))
MAR = month("2031-Mar", (6000030, "10.0.20348.9200"), None)
APR = month("2031-Apr", (6000040, "10.0.20348.9300"), None)


def kinds(*documents: MonthDocument) -> dict[int, ReleaseKind]:
    catalog, _ = merge_all(Catalog(), documents)
    return {release.kb: release.kind for release in catalog.releases}


def test_the_quarter_of_a_platform() -> None:
    assert kinds(JAN, FEB, MAR, APR) == {
        6000010: K.BASELINE,
        6000020: K.LCU,
        6000021: K.HOTPATCH,
        6000030: K.UNPLANNED_BASELINE,
        6000040: K.BASELINE,
    }


def test_before_its_first_hotpatch_a_platform_has_no_unplanned_baseline() -> None:
    assert kinds(JAN, MAR)[6000030] is K.LCU
    february = month("2031-Feb", (6000020, "10.0.20348.9100"), None)
    assert kinds(JAN, february, MAR)[6000020] is K.LCU


def test_a_hotpatch_in_a_baseline_month_wins_over_the_pattern() -> None:
    january = month("2031-Jan", (6000010, "10.0.20348.9000"), (6000011, "10.0.20348.8990"))
    assert kinds(january) == {6000010: K.LCU, 6000011: K.HOTPATCH}


def test_an_unplanned_baseline_becomes_an_lcu_when_its_hotpatch_is_filed() -> None:
    catalog, _ = merge_all(Catalog(), [JAN, FEB, MAR])
    with_hotpatch = month("2031-Mar", (6000030, "10.0.20348.9200"), (6000031, "10.0.20348.9160"))
    catalog, changes = merge(catalog, with_hotpatch)
    assert {r.kb: r.kind for r in catalog.releases}[6000030] is K.LCU
    assert [(c.before.kind, c.after.kind) for c in changes.revised] == [(K.UNPLANNED_BASELINE, K.LCU)]
    assert [release.kb for release in changes.new] == [6000031]


def test_restart_comes_from_the_kind_and_never_from_the_feed() -> None:
    rows = [
        Row(6000020, "10.0.20348.9100", SERVER_2022, restart="No"),
        Row(6000021, "10.0.20348.9060", SERVER_2022, HOTPATCH, restart="Yes"),
    ]
    catalog, _ = merge(Catalog(), document("2031-Feb", cves("2031-02", 3, rows)))
    assert {r.kb: r.restart_required for r in catalog.releases} == {6000020: True, 6000021: False}


def test_a_kb_filed_again_later_stays_in_the_month_in_which_it_shipped() -> None:
    late = Vulnerability(
        "CVE-2031-99999",
        [Row(6000020, "10.0.20348.9100", SERVER_2022), Row(6000021, "10.0.20348.9060", SERVER_2022, HOTPATCH)],
    )
    march = month("2031-Mar", (6000030, "10.0.20348.9200"), None, late)
    catalog, _ = merge_all(Catalog(), [JAN, FEB, march])
    releases = {release.kb: release for release in catalog.releases}
    assert (releases[6000021].month, releases[6000021].kind) == ("2031-02", K.HOTPATCH)
    assert releases[6000030].kind is K.UNPLANNED_BASELINE
    assert "CVE-2031-99999" in catalog.cve_ids(releases[6000021])


def test_a_kb_of_a_month_whose_document_is_not_known_waits_for_it() -> None:
    """Its fixes are kept, but it is listed only when its own document tells its month."""
    late = Vulnerability("CVE-2031-99999", [Row(6000021, "10.0.20348.9060", SERVER_2022, HOTPATCH)])
    early = Vulnerability("CVE-2031-88888", [Row(6000040, "10.0.20348.9300", SERVER_2022)])
    march = month("2031-Mar", (6000030, "10.0.20348.9200"), None, late, early)
    catalog, _ = merge(Catalog(), march)
    assert [release.kb for release in catalog.releases] == [6000030]
    assert {(fix.kb, str(fix.build)) for fix in catalog.fixes if fix.kb != 6000030} == {
        (6000021, "20348.9060"),
        (6000040, "20348.9300"),
    }
    catalog, changes = merge_all(catalog, [FEB, APR])
    found = {release.kb: release for release in catalog.releases}
    assert (found[6000021].month, found[6000040].month) == ("2031-02", "2031-04")
    assert {"CVE-2031-99999", *FEB.cves} == catalog.cve_ids(found[6000021])
    assert 6000021 in {release.kb for release in changes.new}
    assert all(fix.build is None for fix in catalog.fixes)


def test_out_of_band_releases_lie_above_the_release_of_their_month() -> None:
    announced = [("2.0", "2031-02-15", "KB6000025 and KB6000026 are out.")]
    oob = Vulnerability(
        "CVE-2031-77777",
        [
            Row(6000025, "10.0.20348.9063", SERVER_2022, HOTPATCH, restart="Yes"),
            Row(6000026, "10.0.20348.9104", SERVER_2022),
        ],
        revisions=announced,
    )
    february = month("2031-Feb", (6000020, "10.0.20348.9100"), (6000021, "10.0.20348.9060"), oob)
    catalog, _ = merge_all(Catalog(), [JAN, february])
    releases = {release.kb: release for release in catalog.releases}
    assert releases[6000025].kind is K.OOB_HOTPATCH
    assert releases[6000026].kind is K.OOB_LCU
    assert releases[6000025].released_at == release_moment(date(2031, 2, 15))
    assert not releases[6000025].restart_required


def test_a_hotpatch_that_closes_few_cves_is_still_the_months_hotpatch() -> None:
    few = Vulnerability("CVE-2031-77777", [Row(6000021, "10.0.20348.9060", SERVER_2022, HOTPATCH)])
    february = month("2031-Feb", (6000020, "10.0.20348.9100"), None, few, count=90)
    assert kinds(JAN, february) == {6000010: K.BASELINE, 6000020: K.LCU, 6000021: K.HOTPATCH}


def test_an_out_of_band_hotpatch_can_sit_on_a_baseline() -> None:
    oob = Vulnerability("CVE-2031-77777", [Row(6000015, "10.0.20348.9007", SERVER_2022, HOTPATCH)])
    january = month("2031-Jan", (6000010, "10.0.20348.9000"), None, oob)
    assert kinds(january, FEB) == {
        6000010: K.BASELINE,
        6000015: K.OOB_HOTPATCH,
        6000020: K.LCU,
        6000021: K.HOTPATCH,
    }


@pytest.mark.parametrize(
    ("build", "subtype"),
    [
        ("10.0.20348.9060", "Security Update"),
        ("10.0.20348.9060", "Security Only"),
        ("10.0.20348.9080", "Security Update"),
        ("10.0.20348.9104", "Standalone Security Update"),
    ],
)
def test_companions_are_told_by_subtype_or_by_a_hotpatch_build(build: str, subtype: str) -> None:
    beside = Vulnerability(
        "CVE-2031-77777",
        [Row(6000029, build, SERVER_2022, subtype), Row(6000020, "10.0.20348.9100", SERVER_2022)],
    )
    february = month("2031-Feb", (6000020, "10.0.20348.9100"), (6000021, "10.0.20348.9060"), beside)
    assert kinds(JAN, february)[6000029] is K.COMPANION


def test_a_row_that_names_the_kb_of_another_platform_means_the_own_one() -> None:
    rows = [Row(6000050, "10.0.26100.8655", CLIENT_24H2), Row(6000051, "10.0.26100.32995", SERVER_2025)]
    slip = Vulnerability("CVE-2031-50507", [Row(6000050, "10.0.26100.8655", SERVER_2025)])
    june = document("2031-Jun", [*cves("2031-06", 20, rows), slip])
    catalog, _ = merge(Catalog(), june)
    server = [release.kb for release in catalog.releases if release.platform is Platform.SERVER_2025]
    assert server == [6000051]
    assert "CVE-2031-50507" in catalog.cve_ids(catalog.find(6000051)[0])
    again, changes = merge(catalog, june)
    assert changes.is_empty
    assert to_json(again) == to_json(catalog)


def test_a_kb_is_one_kind_of_package_whatever_a_single_row_says() -> None:
    slip = Vulnerability("CVE-2031-77777", [Row(6000021, "10.0.20348.9060", SERVER_2022, "Security Update")])
    february = month("2031-Feb", (6000020, "10.0.20348.9100"), (6000021, "10.0.20348.9060"), slip)
    assert kinds(JAN, february)[6000021] is K.HOTPATCH


def test_the_most_common_build_wins_over_a_slip() -> None:
    slip = Vulnerability("CVE-2031-77777", [Row(6000021, "10.0.20348.6090", SERVER_2022, HOTPATCH)])
    february = month("2031-Feb", (6000020, "10.0.20348.9100"), (6000021, "10.0.20348.9060"), slip)
    catalog, _ = merge(Catalog(), february)
    assert str(catalog.find(6000021)[0].build) == "20348.9060"


def test_one_kb_serves_several_platforms_under_their_own_build_numbers() -> None:
    rows = [Row(6000061, f"10.0.{n}.8390", p, HOTPATCH) for n, p in ((26100, CLIENT_24H2), (26200, CLIENT_25H2))]
    catalog, _ = merge(Catalog(), document("2031-May", cves("2031-05", 4, rows)))
    assert {(r.platform, str(r.build)) for r in catalog.find(6000061)} == {
        (Platform.WIN11_24H2, "26100.8390"),
        (Platform.WIN11_25H2, "26200.8390"),
    }


def test_documents_of_2022_with_a_hotpatch_product_of_its_own() -> None:
    products = {
        "11923": "Windows Server 2022",
        "11924": "Windows Server 2022 (Server Core installation)",
        "11931": "Windows Server 2022 Azure Edition Core Hotpatch",
    }
    january = document(
        "2022-Jan",
        cves("2022-01", 9, [Row(5009555, "", ("11923", "11924", "11931"))]),
        products=products,
    )
    february = document(
        "2022-Feb",
        cves("2022-02", 9, [Row(5010354, "", SERVER_2022), Row(5010456, "", ("11931",))]),
        products=products,
    )
    assert kinds(january, february) == {5009555: K.BASELINE, 5010354: K.LCU, 5010456: K.HOTPATCH}


DOCUMENTS = [JAN, FEB, MAR, APR]


@given(st.permutations(DOCUMENTS), st.integers(0, 4))
def test_the_order_of_documents_does_not_matter(order: list[MonthDocument], together: int) -> None:
    catalog, _ = merge_all(Catalog(), order[:together])
    for each in order[together:]:
        catalog, _ = merge(catalog, each)
    assert to_json(catalog) == to_json(merge_all(Catalog(), DOCUMENTS)[0])


def test_a_second_hand_release_is_confirmed_by_a_document() -> None:
    first, _ = merge_all(Catalog(), [JAN, FEB])
    february = first.find(6000021)[0]
    provisional = replace(february, provisional=True, source="a forum", build=None)
    known = with_releases(merge(Catalog(), JAN)[0], (provisional,))
    assert known.find(6000021)[0].provisional
    catalog, changes = merge(known, FEB)
    confirmed = catalog.find(6000021)[0]
    assert (confirmed.provisional, confirmed.source, str(confirmed.build)) == (False, "MSRC CVRF 2031-02", "20348.9060")
    assert [change.before.source for change in changes.revised] == ["a forum"]


def test_a_second_hand_out_of_band_release_keeps_its_kind_and_day() -> None:
    base, _ = merge_all(Catalog(), [JAN, FEB])
    day = release_moment(date(2031, 2, 20))
    oob = replace(
        base.find(6000021)[0],
        kb=6000070,
        kind=K.OOB_HOTPATCH,
        released_at=day,
        build=None,
        provisional=True,
        source="x",
    )
    filed = Vulnerability("CVE-2031-66666", [Row(6000070, "", SERVER_2022, HOTPATCH)])
    catalog, _ = merge(
        with_releases(base, (oob,)),
        document("2031-Mar", [*cves("2031-03", 9, [Row(6000030, "10.0.20348.9200", SERVER_2022)]), filed]),
    )
    found = catalog.find(6000070)[0]
    assert (found.kind, found.released_at, found.month, found.provisional) == (K.OOB_HOTPATCH, day, "2031-02", False)
