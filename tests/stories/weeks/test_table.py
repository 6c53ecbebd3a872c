"""Which story tells which row of docs/explanation/ordinary-weeks.md."""

import re

from tests.support.starter import ROOT

PAGE = ROOT / "docs" / "explanation" / "ordinary-weeks.md"
STORIES = {
    "A rolling deploy with surge": "test_a_rolling_deploy_with_surge",
    "A straggler": "test_an_old_replica_that_is_killed_and_restarts_leaves_the_new_definitions_alone",
    "A first replica that does not become ready": "test_a_staged_release_whose_first_replica_does_not_get_ready",
    "A rollback": "test_a_rollback_and_the_same_release_again",
    "The same release again": "test_a_rollback_and_the_same_release_again",
    "Blue and green": "test_a_rollback_and_the_same_release_again",
    "A crash loop": "test_a_release_that_crashes_in_a_loop",
    "A canary": "test_a_canary_that_is_cut_off_for_longer_than_t",
    "A partition": "test_a_canary_that_is_cut_off_for_longer_than_t",
    "Two files, one application": "test_two_files_that_claim_one_application",
    "A file that is superseded, until idle": "test_a_superseded_replica_that_would_have_nothing_to_do_says_so_and_ends",
    "A rollout that never comes": "test_a_staged_release_whose_first_replica_does_not_get_ready",
    "All restart at once": "test_all_replicas_restart_at_once",
    "A long outage": "test_a_database_that_is_away_for_much_longer_than_t",
    "A clock that steps": "test_a_clock_of_the_database_that_steps_by_a_minute",
    "A lossy failover": "test_a_failover_that_loses_the_newest_generation",
    "A reverted file": "test_a_file_that_is_reverted_and_that_again_on_a_developer_s_machine",
    "A rename": "test_a_schedule_is_renamed_with_a_run_at_work_and_a_pause",
    "A rename taken back": "test_a_rename_is_rolled_back",
    "A rename without `was`": "test_a_schedule_is_renamed_without_saying_so",
    "A forgotten revision": "test_a_laptop_with_the_database_of_production",
    "Another file under the same name": "test_an_orchestrator_that_restarts_the_refused_pod_and_old_pods_that_continue",
    "Two teams, one name": "test_two_teams_with_one_application_name",
    "A laptop": "test_a_laptop_where_production_gives_no_revision",
    "A laptop, at a terminal": "test_a_laptop_at_a_terminal_with_the_database_of_production",
    "Deploys without a terminal": "test_a_deploy_without_a_terminal_needs_no_take_over",
    "A laptop, and revisions": "test_a_laptop_with_the_database_of_production",
    "A revision too high": "test_a_revision_that_was_too_high_by_mistake",
    "An application that is gone": "test_an_application_that_has_another_name_now",
    "A file that is edited": "test_the_replicas_of_a_supervisor_are_replaced_while_one_is_killed_and_the_file_is_edited",
    "Settings that are edited": "test_a_replica_that_restarts_after_an_edit_runs_with_what_was_checked",
    "Another database": "test_a_replica_that_restarts_after_an_edit_runs_with_what_was_checked",
    "Another application": "test_sighup_to_another_application_says_what_is_left_of_the_former",
    "Other code, equal definitions": "test_a_straggler_that_runs_other_code_is_shown_and_so_is_which_code_ran",
    "A required revision": "test_where_a_revision_is_required_a_straggler_claims_nothing_until_the_higher_ones_are_gone",
    "An older version": "test_an_upgrade_beside_a_replica_of_the_version_before",
    "A file that changes at each load": "test_a_file_that_reads_differently_at_each_load",
    "A file that differs between hosts": "test_a_file_that_reads_differently_on_each_host",
}


def test_each_row_has_its_story() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    assert rows[2:] == list(STORIES)
    told = "".join(file.read_text() for file in (ROOT / "tests" / "stories").rglob("test_*.py"))
    assert [story for story in STORIES.values() if f"\ndef {story}(" not in told] == []
