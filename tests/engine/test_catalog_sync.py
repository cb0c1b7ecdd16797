"""Syncing against a real server on the loopback that shows every fault of the service; and imports from files."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.catalog import Catalog, Changes, import_files, merge, to_json
from engine.catalog.sync import Progress, SyncSettings, sync
from engine.model.errors import BadInput
from tests.engine.cvrf_documents import CLIENT_24H2, HOTPATCH, Row, Vulnerability, cves, document, xml
from tests.engine.msrc_server import Answer, MsrcServer, running

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
LCU = Row(5089549, "10.0.26100.8457", CLIENT_24H2)
HOT = Row(5089466, "10.0.26100.8390", CLIENT_24H2, HOTPATCH)
BASELINE = Row(5083769, "10.0.26100.8246", CLIENT_24H2)
APRIL = xml("2026-Apr", cves("2026-04", 5, [BASELINE]), revised="2026-06-01T00:00:00")
MAY = xml("2026-May", cves("2026-05", 5, [LCU, HOT]), revised="2026-06-10T00:00:00", revision=3)
MAY_DATE = "2026-06-10T00:00:00"
APRIL_DATE = "2026-06-01T00:00:00"


@dataclass
class Desk:
    """One sync after another against the played server."""

    server: MsrcServer
    catalog: Catalog = field(default_factory=Catalog)
    waits: list[float] = field(default_factory=list)
    steps: list[Progress] = field(default_factory=list)

    def sync(self, **settings: object) -> Changes:
        chosen = SyncSettings(base_url=self.server.base_url, **{"since": "2026-04", **settings})  # type: ignore[arg-type]
        self.catalog, changes = sync(self.catalog, NOW, chosen, on_progress=self.steps.append, sleep=self.waits.append)
        return changes

    def faults(self, changes: Changes) -> list[tuple[str, str]]:
        return [(fault.kind, fault.subject) for fault in changes.faults]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with running() as server:
        server.index(("2026-Apr", APRIL_DATE), ("2026-May", MAY_DATE))
        server.document("2026-Apr", APRIL)
        server.document("2026-May", MAY)
        yield Desk(server)


@pytest.fixture
def synced(desk: Desk) -> Desk:
    assert not desk.sync().faults
    desk.server.requests.clear()
    desk.steps.clear()
    return desk


def kept(desk: Desk, before: Catalog) -> None:
    """Nothing known was lost or worsened."""
    assert to_json(desk.catalog) == to_json(before)


# --- the ordinary way ---------------------------------------------------------------------------------


def test_a_first_sync_brings_releases_and_says_what_is_new(desk: Desk) -> None:
    changes = desk.sync()
    assert [release.name for release in changes.new] == ["KB5083769", "KB5089466", "KB5089549"]
    assert changes.new_documents == ("2026-04", "2026-05")
    assert (changes.new_fixes, len(changes.new_cves)) == (5 * 3 * 2, 10)
    assert not changes.faults
    assert desk.waits == []
    assert (desk.steps[0].total, desk.steps[-1].done, desk.steps[-1].total) == (0, 2, 2)
    received = [step.received for step in desk.steps if step.month == "2026-05"]
    assert received[-1] == len(MAY)


def test_a_second_sync_fetches_only_the_index(synced: Desk) -> None:
    before = synced.catalog
    changes = synced.sync()
    assert changes.is_empty
    assert changes.unchanged_documents == ("2026-04", "2026-05")
    assert [request.path for request in synced.server.requests] == ["/cvrf/v3.0/updates"]
    kept(synced, before)


def test_only_what_was_revised_is_fetched_and_conditionally(desk: Desk) -> None:
    desk.server.document("2026-May", Answer(MAY, headers={"ETag": '"v3"'}))
    desk.sync()
    desk.server.requests.clear()
    revised = xml("2026-May", cves("2026-05", 6, [LCU, HOT]), revised="2026-06-20T00:00:00", revision=4)
    desk.server.index(("2026-Apr", APRIL_DATE), ("2026-May", "2026-06-20T00:00:00"))
    desk.server.document("2026-May", revised)
    changes = desk.sync()
    assert changes.revised_documents == ("2026-05",)
    assert len(changes.new_cves) == 1
    (request,) = desk.server.asked("2026-May")
    assert request.headers["If-None-Match"] == '"v3"'
    assert request.headers["If-Modified-Since"] == "Wed, 10 Jun 2026 00:00:00 GMT"
    assert request.headers["Accept"] == "application/xml"
    assert desk.server.asked("2026-Apr") == []


def test_not_modified_is_unchanged(synced: Desk) -> None:
    before = synced.catalog
    synced.server.index(("2026-Apr", APRIL_DATE), ("2026-May", "2026-06-30T00:00:00"))
    synced.server.document("2026-May", Answer(status=304))
    changes = synced.sync()
    assert changes.is_empty
    assert "2026-05" in changes.unchanged_documents
    kept(synced, before)


def test_packed_answers_and_packed_files_are_read(desk: Desk) -> None:
    desk.server.document("2026-Apr", Answer(gzip.compress(APRIL), headers={"Content-Encoding": "gzip"}))
    desk.server.document("2026-May", Answer(gzip.compress(MAY), headers={"Content-Type": "application/gzip"}))
    assert len(desk.sync().new) == 3


def test_a_moved_mirror_is_followed(desk: Desk) -> None:
    desk.server.say("/cvrf/v3.0/cvrf/2026-May", Answer(status=302, headers={"Location": "/moved/2026-May"}))
    desk.server.say("/moved/2026-May", Answer(MAY))
    assert not desk.sync().faults


def test_months_before_the_first_known_one_are_left_alone(desk: Desk) -> None:
    desk.server.index(("2016-Jan", "2026-07-01T00:00:00"), ("2026-Apr", APRIL_DATE), ("2026-May", MAY_DATE))
    assert not desk.sync().faults
    assert desk.server.asked("2016-Jan") == []
    assert not desk.sync(since="").faults
    assert desk.server.asked("2016-Jan") == []


def test_lines_of_the_index_that_are_no_month_are_passed_over(desk: Desk) -> None:
    rows = [{"ID": "2026-May", "CurrentReleaseDate": f"{MAY_DATE}Z"}, {"ID": "Special"}, {"ID": None}, 7, {}]
    desk.server.say("/cvrf/v3.0/updates", Answer(json.dumps({"value": rows}).encode()))
    assert [release.month for release in desk.sync().new] == ["2026-05", "2026-05"]


# --- a busy service -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_service_is_asked_again_with_growing_waits(desk: Desk, status: int) -> None:
    desk.server.document("2026-May", Answer(status=status), Answer(status=status), Answer(MAY))
    assert not desk.sync().faults
    assert desk.waits == [2.0, 4.0]
    assert len(desk.server.asked("2026-May")) == 3


def test_retry_after_is_honoured_as_seconds_and_as_a_date(desk: Desk) -> None:
    moment = (NOW + timedelta(seconds=40)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    desk.server.document(
        "2026-May",
        Answer(status=429, headers={"Retry-After": "17"}),
        Answer(status=503, headers={"Retry-After": moment}),
        Answer(status=503, headers={"Retry-After": "soon"}),
        Answer(MAY),
    )
    assert not desk.sync().faults
    assert desk.waits == [17.0, 40.0, 8.0]


def test_a_service_that_stays_busy_is_reported_and_the_others_go_on(desk: Desk) -> None:
    desk.server.document("2026-Apr", Answer(status=503))
    changes = desk.sync(attempts=3)
    assert desk.faults(changes) == [("unreachable", "2026-04")]
    assert "503" in changes.faults[0].message
    assert [release.month for release in changes.new] == ["2026-05", "2026-05"]
    assert desk.waits == [2.0, 4.0]


def test_a_very_long_retry_after_ends_the_attempts(desk: Desk) -> None:
    desk.server.document("2026-Apr", Answer(status=429, headers={"Retry-After": "3600"}))
    changes = desk.sync()
    assert desk.waits == []
    assert "3600 seconds" in changes.faults[0].message


def test_a_service_that_is_not_there_is_reported(desk: Desk) -> None:
    desk.server.url = "http://127.0.0.1:9"
    changes = desk.sync(attempts=2, connect_timeout=0.5)
    assert desk.faults(changes) == [("unreachable", "index")]
    assert desk.waits == [2.0]


def test_a_service_that_falls_silent_is_given_up(desk: Desk) -> None:
    desk.server.document("2026-Apr", Answer(APRIL, stalls=True))
    changes = desk.sync(attempts=2, read_timeout=1.0)
    assert desk.faults(changes) == [("unreachable", "2026-04")]
    assert desk.waits == [2.0]
    assert [release.month for release in changes.new] == ["2026-05", "2026-05"]


def test_redirects_in_a_circle_are_given_up(desk: Desk) -> None:
    desk.server.document("2026-Apr", Answer(status=302, headers={"Location": "/cvrf/v3.0/cvrf/2026-Apr"}))
    assert desk.faults(desk.sync(attempts=1)) == [("unreachable", "2026-04")]


def test_a_document_that_is_not_there_is_reported_without_asking_again(desk: Desk) -> None:
    del desk.server.answers["/cvrf/v3.0/cvrf/2026-Apr"]
    assert desk.faults(desk.sync()) == [("unreachable", "2026-04")]
    assert len(desk.server.asked("2026-Apr")) == 1


# --- the faults of issue 8 ----------------------------------------------------------------------------

NEWER = "2026-06-25T00:00:00"
HTML = b"<!DOCTYPE html><html><head><title>We will be back</title></head><body></body></html>"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(xml("2026-May", [], revised=NEWER)), "no-vulnerabilities"),
        (Answer(MAY[: len(MAY) // 2]), "cut-off"),
        (Answer(gzip.compress(MAY)[:200]), "cut-off"),
        (Answer(b""), "cut-off"),
        (Answer(HTML, headers={"Content-Type": "text/html"}), "not-cvrf"),
        (Answer(xml("2026-Mar", cves("2026-03", 2, [LCU]))), "not-cvrf"),
        (Answer(b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>' + MAY.split(b"?>", 1)[1]), "unsafe"),
    ],
    ids=["empty", "cut off", "packed and cut off", "nothing", "html", "another month", "entities"],
)
def test_a_faulty_document_is_reported_and_harms_nothing(synced: Desk, answer: Answer, kind: str) -> None:
    before = synced.catalog
    synced.server.index(("2026-Apr", APRIL_DATE), ("2026-May", NEWER))
    synced.server.document("2026-May", answer)
    changes = synced.sync()
    assert synced.faults(changes) == [(kind, "2026-05")]
    assert changes.is_empty
    kept(synced, before)
    synced.server.document("2026-May", xml("2026-May", cves("2026-05", 5, [LCU, HOT]), revised=NEWER))
    assert synced.sync().revised_documents == ("2026-05",)


def test_an_answer_that_breaks_off_is_fetched_again(synced: Desk) -> None:
    synced.server.index(("2026-Apr", APRIL_DATE), ("2026-May", NEWER))
    revised = xml("2026-May", cves("2026-05", 6, [LCU, HOT]), revised=NEWER)
    synced.server.document("2026-May", Answer(revised, sent=900), Answer(revised))
    changes = synced.sync()
    assert not changes.faults
    assert len(changes.new_cves) == 1
    assert synced.waits == [2.0]


def test_an_answer_that_always_breaks_off_is_reported(synced: Desk) -> None:
    before = synced.catalog
    synced.server.index(("2026-Apr", APRIL_DATE), ("2026-May", NEWER))
    synced.server.document("2026-May", Answer(MAY, sent=900))
    assert synced.faults(synced.sync()) == [("cut-off", "2026-05")]
    kept(synced, before)


def test_a_redirect_to_a_page_is_reported(synced: Desk) -> None:
    before = synced.catalog
    synced.server.index(("2026-Apr", APRIL_DATE), ("2026-May", NEWER))
    synced.server.document("2026-May", Answer(status=302, headers={"Location": "/sorry"}))
    synced.server.say("/sorry", Answer(HTML, headers={"Content-Type": "text/html"}))
    assert synced.faults(synced.sync()) == [("not-cvrf", "2026-05")]
    kept(synced, before)


def test_a_month_that_vanishes_from_the_index_is_kept_and_reported(synced: Desk) -> None:
    before = synced.catalog
    synced.server.index(("2026-Apr", APRIL_DATE))
    assert synced.faults(synced.sync()) == [("missing-from-index", "2026-05")]
    kept(synced, before)


def test_a_gap_in_the_index_is_reported(desk: Desk) -> None:
    desk.server.index(("2026-Apr", APRIL_DATE), ("2026-Jun", NEWER))
    desk.server.document("2026-Jun", xml("2026-Jun", cves("2026-06", 3, [Row(5094126, "10.0.26100.8655")])))
    assert desk.faults(desk.sync()) == [("missing-from-index", "2026-05")]


@pytest.mark.parametrize("body", [HTML, b"{}", b'{"value": 3}', b"[" * 100_000, b'{"value": []}', b"\xff\xfe"])
def test_a_faulty_index_is_reported_and_harms_nothing(synced: Desk, body: bytes) -> None:
    before = synced.catalog
    synced.server.say("/cvrf/v3.0/updates", Answer(body))
    changes = synced.sync()
    assert [fault.subject for fault in changes.faults] == ["index"]
    assert [request.path for request in synced.server.requests] == ["/cvrf/v3.0/updates"]
    kept(synced, before)


def test_a_revision_that_drops_a_kb_removes_nothing(synced: Desk) -> None:
    before = synced.catalog
    synced.server.index(("2026-Apr", APRIL_DATE), ("2026-May", NEWER))
    synced.server.document("2026-May", xml("2026-May", cves("2026-05", 5, [LCU]), revised=NEWER))
    changes = synced.sync()
    assert synced.faults(changes) == [("dropped", "2026-05")]
    assert "KB5089466" in changes.faults[0].message
    assert synced.catalog.releases == before.releases
    assert synced.catalog.fixes == before.fixes
    assert synced.catalog.cves == before.cves


def test_a_revision_with_blank_ratings_worsens_nothing(synced: Desk) -> None:
    before = synced.catalog
    blank = [
        Vulnerability(each.cve, each.rows, title="", severity="", cvss="") for each in cves("2026-05", 5, [LCU, HOT])
    ]
    catalog, changes = merge(before, document("2026-May", blank, revised=NEWER))
    assert catalog.cves == before.cves
    assert not changes.revised_cves


def test_an_older_revision_does_not_overwrite_a_newer_rating(synced: Desk) -> None:
    older = [Vulnerability(each.cve, each.rows, severity="Low") for each in cves("2026-05", 5, [LCU, HOT])]
    catalog, _ = merge(synced.catalog, document("2026-May", older, revised="2026-05-12T07:00:00"))
    assert catalog.cves == synced.catalog.cves
    assert catalog.documents == synced.catalog.documents
    newer, changes = merge(synced.catalog, document("2026-May", older, revised=NEWER))
    assert {newer.cves[name].severity for name in changes.revised_cves} == {"Low"}


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["", "api.msrc.microsoft.com", "ftp://x", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="address to sync from"):
        sync(Catalog(), NOW, SyncSettings(base_url=address))


def test_a_first_month_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="is not a month"):
        sync(Catalog(), NOW, SyncSettings(since="May"))


def test_a_proxy_from_the_environment_is_used(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", desk.server.url)
    monkeypatch.setenv("NO_PROXY", "")
    catalog, changes = sync(
        Catalog(),
        NOW,
        SyncSettings(base_url="http://mirror.example.invalid/cvrf/v3.0", attempts=1),
        sleep=lambda _: None,
    )
    assert [fault.subject for fault in changes.faults] == ["index"]  # it answers 404 for the absolute address
    assert desk.server.requests[0].path == "http://mirror.example.invalid/cvrf/v3.0/updates"
    assert catalog == Catalog()


def test_importing_the_module_does_not_load_httpx() -> None:
    code = "import sys, engine.catalog.sync; sys.exit('httpx' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


# --- from files ---------------------------------------------------------------------------------------


def test_files_and_folders_are_imported_and_faults_reported(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(APRIL)
    (tmp_path / "b.xml.gz").write_bytes(gzip.compress(MAY))
    (tmp_path / "c.xml").write_bytes(MAY[:700])
    (tmp_path / "notes.txt").write_text("not looked at")
    catalog, changes = import_files(Catalog(), [tmp_path])
    assert [release.month for release in catalog.releases] == ["2026-04", "2026-05", "2026-05"]
    assert [(fault.kind, fault.subject) for fault in changes.faults] == [("cut-off", "c.xml")]
    again, changes = import_files(catalog, [tmp_path / "a.xml", tmp_path / "b.xml.gz"])
    assert changes.is_empty
    assert changes.unchanged_documents == ("2026-04", "2026-05")
    assert again == catalog


def test_paths_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file"):
        import_files(Catalog(), [tmp_path / "none.xml"])
    with pytest.raises(BadInput, match="no MSRC document"):
        import_files(Catalog(), [tmp_path])
