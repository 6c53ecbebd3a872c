"""Every block of the documentation is run or compared by a test, which is named here.

Who adds a block names its test. A picture has nothing to run.
"""

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.docs.pages import BLOCK, PAGES, ROOT, name_of
from tests.docs.test_docs import definitions
from tools import terminals

TESTS = ROOT / "tests"
FENCE = re.compile(r"^[ >]*(?:```|~~~)", re.MULTILINE)
INDENTED = re.compile(r"\n\n {4,}(?![-*] |\d+\. )(?P<line>.*)")

PICTURE = "a picture"
PLAYED = "docs/test_terminals.py::test_a_terminal_shows_what_comes"
LOADED = "docs/test_docs.py::test_every_definition_that_is_shown_is_a_right_one"
TYPED = "daemon/cli/test_documented_commands.py::test_"
INSTALLED = "docs/test_install_lines.py::test_what_a_page_installs_does_what_it_shows_next"
ALERT = "docs/test_alert_page.py::test_"
FENCED = "docs/test_requests_and_fences.py::test_what_is_fenced_and_has_a_key_happens_once"
REQUESTED = "docs/test_requests_and_fences.py::test_a_row_and_its_run_are_written_together_and_a_key_is_one_run"
FRAMEWORKS = "docs/test_frameworks_page.py::test_"
OWN_TESTS = "docs/test_docs.py::test_the_tests_that_are_shown_pass"
REFERENCE = "docs/test_reference_blocks.py::test_"
TIMEOUT = "docs/test_fixed_timeout_page.py::test_"
ONE_HOST = "docs/test_one_host.py::test_"
POSTGRESQL = "docs/test_postgresql_page.py::test_"
SERVICES = "docs/test_service_files.py::test_"
PROXY = "docs/test_proxy_page.py::test_"
SIGNALS = "docs/test_signals_page.py::test_"
DUMP = "docs/test_backup_page.py::test_a_dump_of_postgresql_is_restored_and_prepared"
BACKUP = "docs/test_backup_page.py::test_a_backup_of_sqlite_is_restored_and_prepared"
RENAMED = "daemon/cli/test_documented_commands.py::test_a_schedule_is_renamed"
SCREENS = "daemon/cli/screens/test_screens.py::test_pages_show_screens_as_they_are_kept"
SAFE = "stories/test_safe_job.py::test_"

TRIED: dict[str, dict[str, list[str]]] = {
    "README.md": {
        "console": [PLAYED] * 3,
        "sh": [INSTALLED],
        "toml": [PLAYED],
        "python": ["docs/test_readme.py::test_the_program_is_due_as_the_file_and_prints_what_it_reports", PLAYED],
    },
    "CONTRIBUTING.md": {"sh": ["docs/test_lines_for_developers.py::test_the_lines_of_contributing_are_taken"] * 2},
    "docs/tutorials/first-lock.md": {"console": [PLAYED] * 5, "sh": [INSTALLED], "python": [PLAYED] * 3},
    "docs/tutorials/first-schedule.md": {
        "console": [PLAYED] * 9,
        "sh": [
            "docs/test_install_lines.py::test_the_pages_install_in_the_same_way",
            f"{TYPED}the_tables_are_made_as_each_page_says",
        ],
        "toml": [PLAYED],
        "python": [PLAYED, FENCED],
        "sql": ["lease/fences/test_zombies.py::test_a_fenced_write_of_a_zombie_fails_on_postgresql"],
    },
    "docs/explanation/fixed-timeouts.md": {"text": [PICTURE]},
    "docs/explanation/how-it-works.md": {
        "mermaid": [PICTURE],
        "text": [PICTURE],
        "python": [FENCED],
        "sh": [f"{TYPED}a_take_over_ends_a_revision_that_was_a_slip"],
    },
    "docs/explanation/scaling.md": {
        "sh": [f"{TYPED}the_url_of_a_database_that_fails_over_is_the_one_that_the_page_about_production_has"]
    },
    "docs/how-to/locks/choose-timings.md": {
        "python": ["docs/test_timings_page.py::test_the_program_prints_what_the_page_shows"],
        "text": ["docs/test_timings_page.py::test_the_program_prints_what_the_page_shows"],
    },
    "docs/how-to/locks/in-django-fastapi-celery.md": {
        "python": [
            *[f"{FRAMEWORKS}a_view_and_a_command_of_django_work_under_a_lease"] * 3,
            f"{FRAMEWORKS}an_endpoint_of_fastapi_works_under_a_lease",
            f"{FRAMEWORKS}a_task_of_celery_works_under_a_lease_in_a_forked_worker",
        ]
    },
    "docs/how-to/locks/run-a-job-on-one-host.md": {
        "python": [
            f"{ONE_HOST}a_program_runs_or_skips_quietly",
            f"{ONE_HOST}what_was_exported_today_is_not_exported_again",
            f"{ONE_HOST}a_command_of_a_crontab_runs_or_skips_quietly",
            f"{ONE_HOST}the_next_leads_when_the_leader_has_ended",
        ],
        "crontab": [f"{ONE_HOST}a_command_of_a_crontab_runs_or_skips_quietly"],
    },
    "docs/how-to/locks/test-programs-that-hold-leases.md": {"python": [OWN_TESTS]},
    "docs/how-to/migrate/from-a-fixed-lock-timeout.md": {
        "python": [
            *[f"{TIMEOUT}which_program_starts_while_which_is_running"] * 2,
            f"{TIMEOUT}the_last_program_and_the_one_that_holds_both_exclude_each_other",
        ],
        "sh": [f"{TYPED}the_tables_are_made_as_each_page_says"],
        "sql": [
            f"{TIMEOUT}which_program_starts_while_which_is_running",
            f"{TIMEOUT}a_lock_of_an_old_program_that_crashed_is_released_by_hand_at_the_end",
            f"{TIMEOUT}which_program_starts_while_which_is_running",
        ],
        "toml": [LOADED],
    },
    "docs/how-to/migrate/from-apscheduler-celery-beat-kubernetes.md": {
        "python": [
            "docs/test_schedulers_page.py::test_the_program_that_replaces_beat_sends_the_task",
            "docs/test_schedulers_page.py::test_a_function_uses_the_models_of_django",
        ],
        "toml": [LOADED],
    },
    "docs/how-to/migrate/move-a-crontab.md": {
        "sh": [f"{TYPED}a_crontab_is_imported"],
        "crontab": [
            "docs/test_crontab_page.py::test_the_crontab_that_is_shown_becomes_what_is_shown",
            "docs/test_crontab_page.py::test_the_test_of_a_date_that_is_shown_gets_a_remark",
        ],
        "toml": ["docs/test_crontab_page.py::test_the_crontab_that_is_shown_becomes_what_is_shown", LOADED],
    },
    "docs/how-to/operate/security.md": {
        "nginx": [f"{PROXY}pages_sign_in_the_stream_and_acts_work_whichever_replica_answers"]
    },
    "docs/how-to/operate/alert-on-failures.md": {
        "sh": [
            f"{ALERT}the_unit_and_the_crontab_run_the_check_of_the_page",
            f"{SIGNALS}the_probes_of_a_replica_answer",
        ],
        "text": [f"{ALERT}a_failed_run_is_in_both_mails_and_the_plugin"],
        "python": [f"{ALERT}a_failed_run_is_in_both_mails_and_the_plugin"],
        "ini": [f"{SERVICES}systemd_finds_no_mistake_in_any_unit"] * 2,
        "toml": [
            f"{ALERT}a_failed_run_is_in_both_mails_and_the_plugin",
            f"{ALERT}the_start_and_the_end_of_a_run_are_pinged",
        ],
        "yaml": ["docs/test_alert_rules.py::test_prometheus_takes_the_configuration_that_is_shown"],
        "json": [f"{ALERT}a_failure_is_logged_as_the_page_shows"],
    },
    "docs/how-to/operate/back-up-and-restore.md": {"sh": [DUMP, BACKUP, DUMP, BACKUP, DUMP]},
    "docs/how-to/operate/check-an-installation.md": {
        "sh": [
            "daemon/cli/test_doctor_command.py::test_the_worst_comes_first_with_its_remedy_and_a_red_check_is_status_1"
        ],
        "text": ["daemon/service/test_doctor.py::test_the_page_shows_what_is_printed"],
    },
    "docs/how-to/operate/deploy.md": {
        "sh": [
            f"{TYPED}a_release_has_the_number_of_its_build",
            f"{SERVICES}a_new_file_is_put_in_place_before_the_reload",
            f"{TYPED}a_take_over_goes_back_to_the_older_file",
        ],
        "dockerfile": [f"{SERVICES}the_image_with_a_file_is_built_on_the_one_of_this_repository"],
        "yaml": [f"{SERVICES}the_deployment_of_kubernetes_starts_replicas_that_drain_in_time"],
        "ini": [f"{SERVICES}systemd_finds_no_mistake_in_any_unit"],
        "text": [f"{SERVICES}a_platform_starts_one_process_of_a_type"],
    },
    "docs/how-to/operate/ask-with-sql.md": {
        "sql": ["docs/test_sql_page.py::test_each_query_finds_what_status_says"] * 11
    },
    "docs/how-to/operate/postgresql-in-production.md": {
        "sql": [
            *[f"{POSTGRESQL}a_replica_and_a_job_need_no_more_than_these_rights"] * 2,
            *[f"{POSTGRESQL}each_query_answers_the_role_of_the_replicas"] * 4,
        ],
        "sh": [f"{POSTGRESQL}the_commands_of_the_page_are_run_by_its_roles"],
        "text": [
            f"{POSTGRESQL}the_safe_url_refuses_a_server_that_another_authority_vouches_for",
            f"{POSTGRESQL}a_url_with_several_servers_finds_the_one_that_takes_writes",
        ],
    },
    "docs/how-to/operate/something-is-wrong.md": {
        "sh": [f"{TYPED}what_troubleshooting_begins_with_answers"],
        "text": [SCREENS] * 2,
    },
    "docs/how-to/operate/traces.md": {
        "python": [
            "docs/test_traces_page.py::test_a_run_and_its_jobs_are_one_trace_and_the_span_of_a_function_stands_in_that_of_its_job"
        ]
    },
    "docs/how-to/operate/troubleshooting.md": {"sh": [f"{TYPED}what_troubleshooting_begins_with_answers"]},
    "docs/how-to/operate/upgrade.md": {"text": ["docs/test_docs.py::test_what_an_older_replica_logs_is_what_is_shown"]},
    "docs/how-to/operate/what-happened-last-night.md": {
        "sh": [f"{TYPED}the_report_of_a_night_answers"],
        "text": [SCREENS],
    },
    "docs/how-to/schedules/embed.md": {
        "python": ["docs/test_embedding_page.py::test_the_application_that_is_shown_serves_is_ready_and_drains"],
        "sh": ["docs/test_embedding_page.py::test_the_application_that_is_shown_serves_is_ready_and_drains"],
    },
    "docs/how-to/schedules/fill-in-what-did-not-run.md": {
        "sh": [f"{TYPED}a_backfill_is_tried_run_paused_and_cancelled"] * 3,
        "text": [f"{TYPED}a_backfill_is_tried_run_paused_and_cancelled"],
    },
    "docs/how-to/schedules/queue-work.md": {
        "python": [REQUESTED, REQUESTED, FENCED],
        "sh": [f"{TYPED}queued_work_is_requested_looked_at_and_cancelled"] * 2,
    },
    "docs/how-to/schedules/rename-a-schedule.md": {"toml": [RENAMED] * 2, "sh": [RENAMED]},
    "docs/how-to/schedules/request-a-run.md": {
        "toml": [REQUESTED],
        "python": [REQUESTED],
        "sh": [f"{TYPED}a_run_is_requested_with_parameters_for_later_and_once"] * 3,
    },
    "docs/how-to/schedules/test-your-schedules.md": {"python": [OWN_TESTS] * 2},
    "docs/how-to/schedules/write-a-safe-job.md": {
        "python": [f"{SAFE}wherever_it_is_killed_a_job_leaves_the_rows_that_its_page_says"] * 3
    },
    "docs/internals/benchmarks.md": {
        "sh": ["docs/test_lines_for_developers.py::test_the_benchmarks_take_the_lines_of_their_page"]
    },
    "docs/internals/evidence.md": {
        "python": ["docs/test_evidence_page.py::test_it_prints_how_the_worker_looks_for_its_own_row_first"]
    },
    "docs/internals/rules.md": {"text": [PICTURE]},
    "docs/reference/api.md": {"sh": ["docs/test_api_page.py::test_its_examples_are_answered"]},
    "docs/reference/command.md": {
        "text": [SCREENS] * 2,
        "sh": [f"{SERVICES}the_image_of_this_repository_is_built_and_run_as_every_change_tries_it"],
    },
    "docs/reference/messages.md": {
        "toml": [LOADED],
        "json": ["daemon/delivery/test_message.py::test_the_page_shows_a_message_as_it_is"],
    },
    "docs/reference/facts.md": {
        "python": [f"{REFERENCE}the_subscriber_that_is_shown_notes_a_failed_run"],
        "toml": [f"{REFERENCE}the_entry_point_that_is_shown_is_in_the_group_that_is_read"],
    },
    "docs/reference/jobs.md": {
        "python": [
            f"{REFERENCE}a_value_at_the_top_of_file_is_older_than_one_in_a_function",
            f"{REFERENCE}a_fence_is_in_force_for_a_lease_and_for_its_bare_grant",
        ]
    },
    "docs/reference/library.md": {
        "python": [
            f"{REFERENCE}a_client_is_opened_async_and_sync",
            f"{REFERENCE}a_fence_is_in_force_for_a_lease_and_for_its_bare_grant",
            f"{REFERENCE}a_broken_lease_says_by_whom_and_why",
            f"{REFERENCE}the_other_durations_scale_with_the_ttl_as_the_comments_say",
            f"{REFERENCE}the_tables_are_created",
            f"{REFERENCE}the_test_that_is_shown_passes",
        ]
    },
    "docs/reference/policies.md": {"toml": [LOADED] * 2},
    "docs/reference/schedules.md": {"python": [LOADED], "toml": [LOADED] * 2},
    "docs/reference/signals.md": {
        "sh": [f"{SIGNALS}a_script_starts_a_replica_that_reloads_its_file_and_passes_its_end_on"] * 2,
        "ini": [f"{SERVICES}systemd_finds_no_mistake_in_any_unit"],
    },
}
"""By page and language, the test of each block, in the order of the page."""

BLOCKS = [
    (name_of(page), found["language"], textwrap.dedent(found["text"]))
    for page in PAGES
    for found in BLOCK.finditer(page.read_text())
]


def shown() -> Iterator[tuple[str, str, str, str]]:
    """Yield each block with the test that is named for it: page, language, text, test."""
    left = {(page, language): [*tests] for page, of in TRIED.items() for language, tests in of.items()}
    for page, language, text in BLOCKS:
        yield page, language, text, left[page, language].pop(0)


def test_each_block_has_its_test() -> None:
    named = Counter({(page, language): len(tests) for page, of in TRIED.items() for language, tests in of.items()})
    there = Counter((page, language) for page, language, _ in BLOCKS)
    assert named == there, "write a test that runs or compares the block, and name it in TRIED"


def test_each_block_has_a_fence_with_its_language() -> None:
    """What is no such block would be seen by no test."""
    for page in PAGES:
        text = page.read_text()
        assert len(FENCE.findall(text)) == 2 * len(BLOCK.findall(text)), f"{name_of(page)}: ```language, then ```"
        assert INDENTED.findall(BLOCK.sub("", text)) == [], f"{name_of(page)}: put it between ```language and ```"


@cache
def functions(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_each_test_is_there_and_opens_the_page() -> None:
    for page, language, text, test in shown():
        if test == PICTURE:
            assert language in {"text", "mermaid"}
            assert not re.search(r"^(\$ |leased )", text, re.MULTILINE), page
            continue
        name, _, function = test.partition("::")
        assert function in functions(TESTS / name), test
        if test == PLAYED:
            assert is_played(ROOT / page, language, text), (page, text)
        elif test == LOADED:
            assert any(text in block for _, block in definitions()), (page, text)
        else:
            assert Path(page).name in (TESTS / name).read_text() or language == "ini", (page, test)


def is_played(page: Path, language: str, text: str) -> bool:
    """Is it a terminal, or a file that a terminal of its page names?"""
    if page not in terminals.PAGES or language == "console":
        return page in terminals.PAGES
    files = [found["name"] for found in terminals.FILE.finditer(page.read_text()) if found["text"] == text]
    return any(name in block for name in files for block in terminals.blocks(page))
