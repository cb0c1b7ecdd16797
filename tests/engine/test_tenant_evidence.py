"""What a tenant's pull has told as proof: protection counts, restarts avoided and install records are not claimed."""

from __future__ import annotations

from pathlib import Path

from engine.model.build import OsBuild
from engine.model.intents import Approve
from engine.model.records.reports import Mark, RestartSums
from engine.rules.findings import LevelSource
from tests.engine.scan_exports import Row, nessus
from tests.engine.tenant_desk import BOARD, MAY, desk
from tests.tenant.server import Tenant

CVE = "CVE-2026-35423"
"""Closed by the hotpatch of May."""


async def test_a_hotpatch_that_a_pull_told_of_protects_and_proves_no_restart_avoided(
    tenant: Tenant, tmp_path: Path
) -> None:
    tenant.state.devices.change(0, osVersion="10.0.26100.8246", lastSyncDateTime="2026-05-20T07:00:00Z")
    tenant.state.devices.change_hardware(0, deviceGuardVirtualizationBasedSecurityState="running")
    corp = await desk(tenant, tmp_path)
    try:
        await corp.ask(Approve(kb=MAY, rings=("Corp Test", "Corp First"), reason=BOARD))
        tenant.state.devices.change(0, osVersion="10.0.26100.8390", lastSyncDateTime="2026-05-21T09:00:00Z")
        corp.later(hours=25)
        await corp.pull()
        row = corp.store.connection.execute(
            "SELECT d.name, d.build, i.state, i.restarted FROM install i JOIN device d ON d.id = i.device_id "
            "WHERE d.build = ?",
            (OsBuild.parse("26100.8390").as_int(),),
        ).fetchone()
        assert (row["state"], row["restarted"]) == ("succeeded", 0)
        reads = corp.engine.reads
        cost = reads.evidence.cost_report(None, f"name:{row['name']}")
        (may,) = (each.sums for each in cost.months if each.name == "2026-05")
        assert may == RestartSums(1, 1, 0, 0, 0, 1)
        compliance = reads.evidence.compliance_report(None, f"name:{row['name']}")
        (release,) = (each for each in compliance.releases if each.month == "2026-05")
        assert release.total.mark(Mark.THREE_WEEKS).protected == 1
        scan = tmp_path / "scan.csv"
        scan.write_text(nessus([Row(row["name"], (CVE,))]))
        (found,) = (each.judgement for each in corp.engine.reconcile([scan]))
        assert found.proof is not None
        assert (found.proof.evidence, found.proof.install_id) == (LevelSource.SEEN, None)
    finally:
        corp.engine.close()
