"""Mutants of what a job may cost others: a shortage of the machine, and secrets (rule 25)."""

from tests.mutants.mutant import Edit, Mutant, on_either

SHORTAGES = (
    Mutant(
        "shortage-fails-the-job",
        "an attempt that the machine has no room for counts as failed",
        (Edit("daemon/execution/attempt.py", 'return Outcome("no room", ', 'return Outcome("failed", '),),
        on_either(
            "tests/daemon/service/test_runs_at_work.py::"
            "test_a_run_that_the_machine_has_no_room_for_waits_uses_up_nothing_and_is_tried_again"
        ),
    ),
    Mutant(
        "trust-of-another-run",
        "a keeper that is stuck goes by the trust of the run that has its page now",
        (
            Edit(
                "daemon/jobs/processes/keeper.py",
                "return float(until) if found == number else 0.0",
                "return float(until)",
            ),
        ),
        on_either(
            "tests/daemon/jobs/test_trust_page.py::"
            "test_who_still_reads_a_page_that_was_given_back_has_no_trust_whoever_has_it_now"
        ),
    ),
    Mutant(
        "secrets-for-jobs",
        "jobs inherit the token of the web server",
        (Edit("daemon/service/parts.py", "    withhold_secrets(environment, Settings.model_fields)\n", ""),),
        on_either(
            "tests/daemon/service/test_service.py::"
            "test_the_environment_that_jobs_inherit_has_no_secret_but_the_url_of_the_database"
        ),
    ),
)
