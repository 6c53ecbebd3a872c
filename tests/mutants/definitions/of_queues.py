"""Mutants of locks with slots, and of priorities (rules 4, 14 and 22)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_postgres

SEARCH = "daemon/execution/claim.py"
QUEUES = "tests/daemon/execution/test_queues.py::{}[{{}}]"

IN_QUEUES = (
    Mutant(
        "slots-by-the-name-of-the-lock",
        "all runs of a lock with slots are granted its first lease, as if it had one",
        (Edit(SEARCH, "lease_name=slots[one.lock].pop(), ", "lease_name=one.lock.name, "),),
        on_each(QUEUES.format("test_a_lock_with_slots_has_as_many_runs_at_work_whoever_claims")),
    ),
    Mutant(
        "slot-of-its-own-for-each-run",
        "a run under a lock with slots gets a lease of its own, so that as many are at work as there are places",
        (
            Edit(SEARCH, "self.limit if queue.lock is None else min(self.limit, len(slots[queue.lock]))", "self.limit"),
            Edit(SEARCH, "        elif slots[one.lock]:\n", "        else:\n"),
            Edit(SEARCH, "lease_name=slots[one.lock].pop(), ", 'lease_name=f"{one.lock.name}/{one.candidate.id}", '),
        ),
        on_each(QUEUES.format("test_a_lock_with_slots_has_as_many_runs_at_work_whoever_claims")),
    ),
    Mutant(
        "slot-of-the-last-claim",
        "a run goes on under the slot that it had before, and waits for it while others are free",
        (
            Edit(
                "daemon/store/statements/sets/claims.py",
                '*(() if waiting == "slots" else under_own_lease),',
                '*(() if waiting == "slots" else under_own_lease), ~live,',
            ),
        ),
        on_each(QUEUES.format("test_a_run_that_was_under_one_slot_goes_on_under_another")),
    ),
    Mutant(
        "tokens-of-each-slot-by-itself",
        "the tokens of slots grow apart, so that a run which goes on under another slot may have a lower one",
        (Edit("daemon/execution/claim.py", "label=label, slot_of=lock)", "label=label)"),),
        on_each(QUEUES.format("test_whoever_goes_on_under_another_slot_has_a_higher_token")),
    ),
    Mutant(
        "priority-without-end",
        "a run of high priority goes ahead of all others, however long they have waited",
        (
            Edit(
                "daemon/states.py",
                '{"high": timedelta(hours=1),',
                '{"high": timedelta(hours=1000),',
            ),
        ),
        on_each(QUEUES.format("test_what_has_waited_longest_starts_first_in_any_queue")),
    ),
    Mutant(
        "full-lock-in-front",
        "the runs that wait for a slot stand in the index of all others",
        (
            Edit(
                "daemon/scheduling/lease_names.py",
                "    queue = None if schedule.queue is None else schedule.queue.name\n",
                "    queue = None\n",
            ),
        ),
        on_each(QUEUES.format("test_a_full_lock_holds_up_nobody_else")),
    ),
    Mutant(
        "adopted-beside-one-another",
        "runs that could all start stay so when their schedule is put under slots, where no lease keeps them apart",
        (
            Edit(
                "daemon/scheduling/deploys/adoption.py",
                "    if waits_for_predecessor(schedule.overlap):\n",
                "    if False:\n",
            ),
        ),
        on_each(QUEUES.format("test_adopted_runs_wait_as_their_new_definition_says")),
    ),
    Mutant(
        "broken-slot-at-once",
        "a run whose slot was broken goes on under another one at once, beside its own work",
        (
            Edit(
                "daemon/store/statements/stranded.py",
                "and_(ended, not_(func.coalesce(broken_under(run.c.holder, run.c.token), false())))",
                "ended",
            ),
        ),
        on_each(
            "tests/daemon/execution/test_queues.py::"
            "test_a_run_whose_slot_was_broken_goes_on_when_its_work_has_ended[{}-3]"
        ),
    ),
    Mutant(
        "look-through-the-queue",
        "a look goes through all that may start to find whose lease is live",
        (
            Edit(
                "daemon/store/statements/queues.py",
                "_all_blocked = and_(~_shares, _first_free.is_(None))",
                "_all_blocked = ~_shares",
            ),
        ),
        on_postgres("tests/daemon/execution/test_queues.py::test_a_claim_reads_as_little_however_many_wait[None]"),
    ),
)
