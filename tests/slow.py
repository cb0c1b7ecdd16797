"""What `make test` leaves to `make test-slow`, so that it takes at most 4 minutes on two cores; `make check` runs both.

Whole walks of fleets, rollouts from end to end, full pulls, commands of documents, states of 0.1, screens that open
many consoles: they prove broad things slowly. Beside each stays a quick one of its kind.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SLOW: tuple[str, ...] = (
    # What a screen is, in depth; the seven screens of the number keys stay, and every screen is opened by test_app.
    "console/test_failure_verbs.py",
    "console/test_report_browser.py",
    "console/test_report_writing.py",
    "console/test_screen_compliance.py",
    "console/test_screen_reconcile.py",
    "console/test_screen_tenant.py",
    # Commands on a rollout from end to end; test_cli_changes stays.
    "console/test_cli_rollout_depth.py::test_a_bad_patch_halts_by_itself_before_broad",
    "console/test_cli_rollout_depth.py::test_a_demo_of_each_scenario",
    "console/test_cli_rollout_depth.py::test_a_forecast_tells_when_rings_open_and_changes_nothing",
    "console/test_cli_rollout_depth.py::test_recovery_leads_every_device_back",
    "console/test_cli_rollout_depth.py::test_recovery_of_one_ring_that_stays",
    "console/test_cli_rollout_depth.py::test_rings_open_in_order_each_after_its_gate",
    "console/test_cli_rollout_depth.py::test_rings_tell_counts_gate_and_who_is_overdue",
    # Commands against a played tenant; test_cli_tenants stays.
    "console/test_cli_providers.py",
    "console/test_cli_pull.py",
    "console/test_tenant_newcomer.py",
    # Whole processes in pseudo-terminals; test_first_start and test_keys stay.
    "e2e/test_ending.py",
    "e2e/test_hostile_text.py",
    "e2e/test_rollout.py",
    "e2e/test_terminals.py",
    "e2e/test_two_consoles.py",
    # The engine, run for days of its own time; the quicker ones of test_rollout_engine and test_engine_flow stay.
    "engine/test_engine_flow.py::test_kept_totals_equal_a_full_recount_after_everything",
    "engine/test_engine_flow.py::test_killed_between_any_two_turns_nothing_is_lost_or_done_twice",
    "engine/test_engine_flow.py::test_rings_open_in_order_each_after_its_gate",
    "engine/test_exclusion_machine.py",
    "engine/test_forecast.py::test_a_forecast_does_not_know_releases_to_come_and_names_who_misses_the_deadline",
    "engine/test_forecast.py::test_a_large_ring_is_thinned_and_says_so",
    "engine/test_forecast.py::test_forecast_equals_run_to_the_minute",
    "engine/test_forecast.py::test_forecast_equals_run_with_waves_windows_and_restarts",
    "engine/test_recovery.py",
    "engine/test_rollout_engine.py::test_a_safeguard_hold_keeps_a_release_from_devices_until_it_is_lifted",
    "engine/test_rollout_engine.py::test_a_share_in_flight_is_never_exceeded",
    "engine/test_rollout_engine.py::test_after_a_halt_and_resume_the_rollout_goes_on_where_it_stood",
    "engine/test_rollout_engine.py::test_an_out_of_band_release_replaces_the_one_under_way",
    "engine/test_rollout_engine.py::test_overdue_devices_are_named_and_told_once",
    "engine/test_rollout_engine.py::test_restarts_keep_to_the_rings_window_and_hotpatches_need_none",
    "engine/test_rollout_engine.py::test_waves_offer_a_ring_its_shares_one_after_the_other",
    "engine/test_rollout_machine.py",
    # Fleets walked device by device, the same sums by two routes; a random fleet stays.
    "console/test_reports.py::test_a_hundred_thousand_rows_need_no_memory",
    "engine/test_audit_file.py::test_a_flipped_byte_anywhere_on_the_pages_of_the_audit_is_found_or_alters_nothing",
    "engine/test_compliance.py::test_a_large_demo_comes_with_its_closed_months_kept",
    "engine/test_compliance.py::test_histories_by_two_routes",
    "engine/test_compliance.py::test_the_demo_by_two_routes",
    "engine/test_one_answer.py::test_open_cves_are_those_that_reconciliation_calls_true",
    "engine/test_one_answer.py::test_the_sample_fleet_before_anything_is_approved",
    "engine/test_one_answer.py::test_the_sample_fleet_with_releases_open_side_by_side",
    "engine/test_reconciling.py::test_memory_does_not_grow_with_the_file",
    # Full pulls of a played tenant; the others of test_tenant_intake stay.
    "engine/test_tenant_desk.py",
    "engine/test_tenant_intake.py::test_a_few_thousand_devices_with_throttling_on",
    "engine/test_tenant_intake.py::test_killed_after_any_step_it_goes_on_there_and_asks_for_nothing_twice",
    "engine/test_tenant_intake.py::test_killed_within_a_step_nothing_of_it_is_kept",
    "engine/test_tenant_intake_faults.py",
    "engine/test_tenant_intake_reports.py",
    "engine/test_tenant_status.py",
    "engine/test_tenant_upkeep.py",
    # States of 0.1 and what is done with them; the records themselves are looked at in the quick tests beside.
    "kept/test_kept.py::test_every_command_says_what_it_said",
    "kept/test_kept.py::test_work_goes_on_and_writes_what_it_wrote",
    "test_documents.py::test_every_command_of_a_page_runs_in_its_order",
)
"""Files below tests/, and tests of files with all their parameters."""

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, before `-m` chooses."""
    for item in items:
        place = item.path.relative_to(TESTS).as_posix()
        if place in SLOW or f"{place}::{getattr(item, 'originalname', item.name)}" in SLOW:
            item.add_marker(pytest.mark.slow)
