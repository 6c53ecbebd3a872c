"""Mutants of looks at jobs at work, of spans, and of the metrics of several replicas."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

CHILD = "tests/daemon/jobs/stacks/test_of_child.py::{}"
LOOK = "tests/daemon/operations/test_look.py::{}[{{}}]"
IN_CHILD = "daemon/jobs/reports.py"
STATEMENTS = "daemon/store/statements/run.py"

LOOKS = (
    Mutant(
        "look-reads-other-threads",
        "one thread writes the stacks of all, which crashes a process whose threads are busy",
        (Edit(IN_CHILD, "all_threads=False", "all_threads=True"),),
        on_either(CHILD.format("test_each_of_its_threads_writes_its_own_stack")),
    ),
    Mutant(
        "look-takes-the-signal-from-file",
        "a job whose FILE handles SIGURG gets it from leased",
        (Edit(IN_CHILD, "        if catches(os.getpid()):\n            return\n", ""),),
        on_either(CHILD.format("test_one_whose_file_handles_the_signal_never_gets_it")),
    ),
    Mutant(
        "look-signals-what-is-stopped",
        "a stopped job gets a signal that comes when nobody asks any more",
        (Edit("daemon/jobs/stacks.py", 'if main.state in {"stopped", "ended"}:', 'if main.state == "ended":'),),
        on_either(CHILD.format("test_one_that_is_stopped_shows_its_processes_and_gets_no_signal")),
    ),
    Mutant(
        "look-shows-secret-params",
        "the value of a secret param shows in the command line of a process",
        (Edit("daemon/jobs/stacks.py", "command = command.replace(secret, MASK)", "pass"),),
        on_either(CHILD.format("test_secrets_do_not_show_in_command_lines")),
    ),
    Mutant(
        "look-answered-by-a-former-holder",
        "a replica that has lost the run answers for the one that has it",
        (
            Edit(
                STATEMENTS,
                "run.c.id == run_id, *has_grant(run, grant), agrees",
                "run.c.id == run_id, agrees",
            ),
        ),
        on_each(LOOK.format("test_a_run_that_ended_meanwhile_or_went_elsewhere_is_not_waited_for")),
    ),
    Mutant(
        "look-asked-for-ever",
        "a question of long ago makes a replica look at a job for nobody",
        (Edit(STATEMENTS, "seconds_between(run.c.look_asked_at, now()) < _KEPT", "run.c.look_asked_at < now()"),),
        on_each(LOOK.format("test_a_question_of_long_ago_is_not_answered_any_more")),
    ),
    Mutant(
        "look-shows-an-old-answer",
        "what a job did at an earlier question is shown as what it does now",
        (
            Edit(
                "daemon/operations/look.py",
                "if row.looked_at is None or row.looked_at < question.asked_at:",
                "if row.looked_at is None:",
            ),
        ),
        on_each(LOOK.format("test_an_earlier_answer_is_not_taken_for_a_new_one_and_two_may_ask_at_a_time")),
    ),
    Mutant(
        "look-is-not-forgotten",
        "what was seen of a run stays when the run is forgotten",
        (Edit("daemon/store/statements/keeping.py", '        "look": None,\n', ""),),
        on_each(LOOK.format("test_what_was_seen_of_a_forgotten_run_is_deleted")),
    ),
    Mutant(
        "run-in-the-span-of-its-replica",
        "all runs of a program with an embedded replica are one trace",
        (
            Edit(
                "daemon/telemetry/spans.py", "context = Context() if parent is None", "context = None if parent is None"
            ),
        ),
        on_either(
            "tests/daemon/telemetry/test_spans.py::test_the_root_has_no_part_in_the_span_of_whoever_runs_the_replica"
        ),
    ),
    Mutant(
        "metrics-with-two-heads",
        "during a deploy, Prometheus refuses the metrics of a supervisor",
        (
            Edit(
                "daemon/service/supervision/gathered_metrics.py",
                "heads.setdefault(name, {}).setdefault(kind, line)",
                "heads.setdefault(name, {}).setdefault(line, line)",
            ),
        ),
        on_either(
            "tests/daemon/service/test_gathered_metrics.py::"
            "test_samples_are_told_apart_and_each_family_stands_together_once"
        ),
    ),
)
