"""How records differ from their JSON: the keys that are named, ordered, left out or worked out otherwise.

`documents` reads it. A record that is not named here becomes JSON as it is, field by field; a field that its entry does
not mention follows under its own name, so that a new field of a record is in the JSON by itself. Scripts rely on every
key. The words of an entry:

- ``ring`` is the field (or property) `ring`, or `ring_at`, under the key ``ring``; ``then=kb`` is `kb` under ``then``;
- ``ring.name`` is the name of its ring, under ``name``; ``valid=is_valid()`` what it answers when told the time;
- ``ring?`` is null where there is nothing to tell ("" or 0); ``share:4`` rounded; ``names:listed`` put through
  `documents.CONVERSIONS`, or made by the shape of that name;
- ``*sums`` are all keys of `sums` in this place; ``-id`` is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

RECORDS: Mapping[str, str] = {
    # devices
    "DeviceRow": "name platform architecture build ring? readiness=verdict reasons state track protected user site "
    "model form last_seen tenant? -id",
    "DeviceFacts": "name platform architecture build edition? user user_name domain site form model serial asset_tag "
    "driver cores licence? management policy policy_name subscription vbs chpe restart_pending booted=boot_at "
    "last_seen provider",
    "DeviceDetail": "facts.name facts.platform facts.architecture facts.build facts.edition? ring? state track "
    "protected readiness=:nothing *facts holds open_cves=:nothing installs -id -restarts_untold -as_of -withheld "
    "-held_off",
    "Readiness": "verdict eligible enrolled reasons checks -reason_ids -stale_at",
    "Check": "check title result found needed fix source observed_at",
    "Install": "id kb action state stage progress attempt requested requested_by started finished next "
    "error=error_code build_before build_after restarted follow_up=follow_up_kb reason "
    "-device_id -device_name -platform",
    "HelpDeskAnswer": "protected headline restart restart_reason restart_why? problem? do_now what_next? "
    "-device -facts -next",
    # what goes on
    "ActiveInstall": "device=device_name ring? -install_id -device_id",
    "Attention": "urgency text screen filter?",
    "StateInfo": "state_file=path now change_number actor role read_only driver? as_of=tenants:ages demo=:demo "
    "-devices -scenario",
    # releases
    "Release": "kb build kind released restart_required -platform -month -architectures -source -provisional",
    "ReleaseRow": "release.kb release.platform release.month released=release.released_at release.kind release.build "
    "release.architectures:ordered release.restart_required cves worst? exploited approved_rings installed active "
    "failed release.provisional release.source",
    "Cve": "cve=id",
    "Gap": "*cve closed_by:kb-names",
    "Coverage": "fixes twin twin_fixes:count baseline chain:kb-names not_covered still_open -release",
    "MonthPlan": "month kind planned published forecast=is_forecast state patch_tuesday kb build restart lcu "
    "out_of_band provisional source -platform",
    "Changes": "new:brief-releases revised:brief-releases new_fixes new_cves revised_cves documents=:documents faults "
    "-new_documents -revised_documents -unchanged_documents",
    # rings and plans
    "RingRow": "ring=ring.name kb=:nothing position=ring.position devices ready protected ring.deferral_days "
    "ring.deadline_days ring.grace_days ring.max_in_flight? ring.max_share_in_flight? ring.waves "
    "ring.wave_soak_hours ring.window:window tenant as_of=:nothing ring.members? gate_rule=ring.gate -failed -active",
    "RingProgress": "kb reachable=devices offered installed failed active not_ready pending approved opens opened "
    "stopped? waits_for? gate:gate -ring -wave -deadline_at -tenant -behind",
    "TenantSide": "provider kind told gone paused pause_expires hotpatch deferral_days deadline_days grace_days "
    "policies also_reaches=also changed? changed_at requested=asked:asked",
    "HealthRow": "at patched not_patched=control anomalies crashed=names -ring -kb",
    "LateDevice": "device=device_name user ring? -device_id",
    "RingConflict": "device=device_name ring? -device_id",
    "Approval": "id kb rings reason approved_by approved not_before expires withdrawn withdrawn_by? needs_second "
    "seconded_by? seconded valid=is_valid()",
    "ApprovalPolicy": "second_person confirmed_only auto_approve keep_history_months=keep_months?",
    "Plan": "title steps devices restarts sample left_out warnings refusal requests command change_number "
    "-intent -device_ids",
    "Request": "provider wish method path=address body why kb rings -version -ring_key -device_id -policy -item_id",
    "Receipt": "id *request state asked_by asked attempts sent answered confirmed next status request_id? said? "
    "-ring_id -created -looks",
    # forecast, recovery, holds
    "Forecast": "kb made until rings compliance=milestones target_reached restarts misses sampled fleet is_sample "
    "notes",
    "RingForecast": "ring opens waits_for? share_installed=installed_at",
    "Milestone": "mark=name at protected devices share:4",
    "MissReason": "why devices sample=names",
    "RecoveryProgress": "id kb then reason begun_by begun ended devices waiting uninstalling restart_pending "
    "getting_lcu=protecting",
    "HandsRow": "device=device_name ring? why error=error_code -device_id",
    "Hold": "id kb filter?",
    # failures
    "FailureGroupView": "group=key group.cause group.code group.symbol? group.meaning group.devices group.sample "
    "filter group.kbs group.attempts group.common group.remedy retry=:group-retry sla escalations known_problems "
    "excluded group.known first_failed=group.first_failed_at last_failed=group.last_failed_at",
    "CommonFactor": "sentence",
    "FailureCase": "kb action code cause attempts first_failed=times.failed_at last_failed=failed_at retry=retry() "
    "sla=sla() excluded=is_excluded -install_id -device_id -device_name -ring -platform -severity -targets",
    "RetryDecision": "now=allowed next=not_before why_not=why? -needs",
    "Escalation": "id group=group_key? owner reason? due overdue=is_overdue() devices open_devices escalated_by "
    "escalated ended ended_by? outcome? -code",
    "KnownProblem": "id title group=group_key? kb filter? note? holds hold_id=:hold-id marked_by marked "
    "-code -safeguard_id",
    # scanners' findings
    "Reconciled": "judgement.verdict judgement.why reason=judgement:reason next_step=judgement:next-step scanner "
    "finding_id? host device? cve? title? severity? scanned_at judgement.device_build judgement.proof "
    "judgement.next_kb judgement.error_code expires=judgement:expires nearest=judgement.names file line "
    "-device_id -number",
    "Proof": "kb build twin_kb twin_build fixed_by:kb baseline_kb installed_at=at evidence install=install_id -route",
    "ScanTally": "total=findings verdicts:every-verdict reasons:commonest-first files bad_lines=bad_count bad",
    "FileTally": "file form scanner scanned_at",
    "UnreadLine": "file line field? reason",
    # what is known and kept
    "DoctorCheck": "check result found fix?",
    "AuditCheck": "holds records after=start.seq start=start.hash last=head.seq hash=head.hash "
    "checked_against=outside:words break=broken",
    "Examined": "schema devices change_number bytes audit:brief-audit",
    "ImportReport": "done form rows added changed changed_facts:mapping gone removed skipped unknown_columns faults "
    "bad_rows=bad_count bad",
    "BadRow": "line field? reason",
    "ProviderFacts": "name kind writes devices added_by? added config trouble? capabilities",
    "Capabilities": "install_now uninstall_device reports_progress reports_health requests:sorted note?",
    # reports
    "ReportOrigin": "made made_by state_file=state change_number demo=is_demo facts=freshness program",
    "Period": "from=first to=last",
    "ComplianceReport": "made period filter? devices records_begin releases worst=offenders "
    "unprotected=offenders_total drift published=figures assumptions",
    "ReleaseCompliance": "month released releases *total platforms:by-platform rings:by-ring sites:by-site curve "
    "followed_until kept first_seen_later",
    "SliceCompliance": "devices devices_now protected_now share_now:6 *marks:by-mark hours_to:by-share median_hours "
    "-name",
    "MarkCount": "protected devices share:6 ends running -mark",
    "PlatformRelease": "platform released kind kb twin=twin_kb provisional",
    "Offender": "device=device_name user? ring? site? platform build? -device_id",
    "DriftRow": "ring? platform baseline=baseline_kb since devices behind not_seen_since=not_seen",
    "PublishedFigure": "who what hours=mark_hours share source doubt?",
    "CostReport": "made period filter? devices records_begin running_month? total months:by-month "
    "platforms:by-platform rings:by-ring",
    "CostRow": "*sums server_avoided_proven server_avoided_not_provable=server_avoided_unproven saved "
    "saved_not_provable=saved_unproven not_priced -name",
    "RestartSums": "device_months hotpatched restarts restarts_inferred avoided_proven "
    "avoided_not_provable=avoided_unproven",
    "SubscriptionMonth": "month servers cores servers_without_cores=unknown_cores enrolled enrolled_cores cost "
    "cost_enrolled rates=prices",
    "BreakEven": "subscription restarts_needed:band restarts_avoided:3 reached",
    "RateUsed": "rate=id what amount unit from=valid_from? to=valid_to? source doubt? own=is_own",
    "Money": "low:2 high:2",
    "ReadinessReport": "made filter? total rings platforms sites other_sites reasons=:reasons next_releases restarts "
    "without_platform restarting:restarting",
    "VerdictCount": "name? devices eligible enrolled ready ready_share:6",
    "ReasonFix": "id reason=words devices only share=:nothing unknown=is_unknown stage? fix? source?",
    "NextRelease": "platform month at kind devices restarts share=restart_share:6",
    "ActivityReport": "made since until filter? records by_people without_reason installed failed opened closed "
    "open_failures by_month over_time=:over-time actors actions decisions=lists:decisions chain -stretches",
    "ChainState": "holds records head hash=head_hash? broken",
}
"""By the name of the record's class."""

VIEWS: Mapping[str, str] = {
    "brief-release": "kb platform month kind",
    "brief-audit": "records last=head.seq hash=head.hash holds",
    "documents": "new=new_documents revised=revised_documents unchanged=unchanged_documents",
    "architecture": "fixes:ids not_covered:cve-ids still_open:cve-ids",
    "group-retry": "worth_it=group.retry after=group.retry_after? now=retry.now waiting=retry.waiting "
    "refused=retry.refused next=retry.next_at needs=retry.needs? why_not=retry.why?",
    "demo-clock": "demo.speed demo.paused scenario",
    "restarting-device": "name user? ring? site? platform build readiness=verdict reasons:listed "
    "last_seen=last_seen_at",
    "decision": "seq at actor action summary reason? kb rings:joined devices origin? hash",
}
"""Other documents of the same records, whole: what a view does not name is not in it."""
