"""Mutants of the output of jobs (rule 10, and what bounds it)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

OUTPUT = (
    Mutant(
        "output-by-id",
        "what a job prints is saved by the id of its job run, whoever has the run now",
        (
            Edit(
                "daemon/store/statements/job_run.py",
                '.where(job_run.c.id == bindparam("number"), *_in_force(holder))',
                '.where(job_run.c.id == bindparam("number"))',
            ),
        ),
        on_each(
            "tests/daemon/execution/test_saved_output.py::"
            "test_output_under_a_grant_that_has_ended_is_refused_and_holds_up_no_other[{}]"
        ),
    ),
    Mutant(
        "output-sent-once",
        "output whose saving failed is not saved again: an outage of the database loses it without a word",
        (
            Edit(
                "daemon/service/check_in.py", "            if not self._without_output:  #", "            if output:  #"
            ),
        ),
        on_either(
            "tests/daemon/service/test_check_in.py::test_output_that_cannot_be_saved_is_tried_again_and_keeps_no_progress_off"
        ),
    ),
    Mutant(
        "output-without-bounds",
        "all that a job prints is kept in memory until it can be saved, and in the database for good",
        (
            Edit(
                "daemon/jobs/output.py",
                "            if not enough and self.size <= MOST_BYTES:\n",
                "            if enough or self.size:\n",
            ),
        ),
        on_either("tests/daemon/jobs/test_transcript.py::test_a_gigabyte_costs_bounded_memory_and_bounded_space"),
    ),
    Mutant(
        "async-output-beside-the-others",
        "what an async job prints goes to the replica's own output, and leased logs has none of it",
        (Edit("daemon/jobs/runners.py", "printed_to(self._put), self._brief", "self._brief"),),
        on_either(
            "tests/daemon/jobs/test_inside.py::test_what_a_job_prints_is_output_of_its_own_attempt_and_of_no_other[task]"
        ),
    ),
    Mutant(
        "printed-after-the-end",
        "what a job's tasks print after its end goes where nobody takes it any more, and is lost",
        (
            Edit(
                "daemon/jobs/output.py",
                "            if self._closed:\n                return False\n",
                "            if self._closed:\n                return True\n",
            ),
        ),
        on_either(
            "tests/daemon/jobs/test_inside.py::"
            "test_what_is_printed_after_the_end_or_in_a_forked_child_goes_where_the_replica_prints"
        ),
    ),
)
