"""Mutants of locks with slots, and of priorities (rules 4, 14 and 22)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_postgres

SEARCH = "daemon/execution/claim.py"
CLAIMS = "daemon/store/statements/claims.py"
QUEUES = "tests/daemon/execution/test_queues.py::{}[{{}}]"
ORDER = "tests/daemon/execution/test_order_of_slots.py::{}"

IN_QUEUES = (
    Mutant(
        "slots-by-the-name-of-the-lock",
        "all runs of a lock with slots are granted its first lease, as if it had one",
        (Edit(SEARCH, "lease_name=name, slot_of", "lease_name=one.lock.name, slot_of"),),
        on_each(QUEUES.format("test_a_lock_with_slots_has_as_many_runs_at_work_whoever_claims")),
    ),
    Mutant(
        "slot-of-its-own-for-each-run",
        "a run under a lock with slots gets a lease of its own, so that as many are at work as there are places",
        (
            Edit(SEARCH, "min(lock.slots, self.limit + _OF_OTHERS)", "1000"),
            Edit(
                SEARCH,
                "iter([name for name in lock.leases if name not in out])",
                'iter([f"{lock.name}/own/{number}" for number in range(1000)])',
            ),
        ),
        on_each(QUEUES.format("test_a_lock_with_slots_has_as_many_runs_at_work_whoever_claims")),
    ),
    Mutant(
        "slot-of-the-last-claim",
        "a run goes on under the slot that it had before, and waits for it while others are free",
        (
            Edit(
                CLAIMS,
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
                "daemon/scheduling/plan.py",
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
                "daemon/scheduling/deploys/rollout.py",
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
                "ended & ~func.coalesce(broken_under(run.c.holder, run.c.token), false())",
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
                "daemon/store/statements/agenda.py",
                "_all_blocked = and_(~_shares, _first_free.is_(None))",
                "_all_blocked = ~_shares",
            ),
        ),
        on_postgres("tests/daemon/execution/test_queues.py::test_a_claim_reads_as_little_however_many_wait[None]"),
    ),
    Mutant(
        "locked-run-goes-before-nobody",
        "a slot for the run that another replica has just locked goes to a run behind it",
        (Edit(CLAIMS, 'found if waiting == "slots" else found.with_for_update(', "found.with_for_update("),),
        on_postgres(ORDER.format("test_a_free_slot_is_for_the_first_also_while_another_replica_looks[counts0-order0]")),
    ),
    Mutant(
        "slots-before-the-runs",
        "a slot that another replica took between the two looks is counted as free beside the run that it took it for",
        (
            Edit(
                SEARCH,
                "        found = [turn for",
                "        free = self._free_slots({one.lock for one in queues if one.lock is not None})\n"
                "        found = [turn for",
            ),
            Edit(SEARCH, "self._with_slots(found)", "self._with_slots(found, free)"),
            Edit(SEARCH, "found: Iterable[Turn])", "found: Iterable[Turn], free: dict[SharedLock, Iterator[str]])"),
            Edit(SEARCH, "        free = self._free_slots({one.lock for one in found if one.lock is not None})\n", ""),
        ),
        on_postgres(ORDER.format("test_a_slot_that_was_taken_as_the_claim_looked_counts_no_more")),
    ),
    Mutant(
        "all-first-locked",
        "a claim locks as many runs as slots are free, also those for which it has no place",
        (Edit(SEARCH, "first, self.limit) if first", "first, 1000) if first"),),
        on_postgres(ORDER.format("test_two_free_slots_are_for_two_replicas")),
    ),
    Mutant(
        "slot-lost-by-the-first",
        "a run whose slot was taken in between waits on, while those behind it start",
        (Edit(SEARCH, " if lock is None else runs.values()", ""),),
        on_postgres(ORDER.format("test_the_slots_that_are_left_are_for_the_first[2]")),
    ),
    Mutant(
        "one-try-for-a-slot",
        "a run whose slot was taken in between waits on, while another one is free",
        (Edit(SEARCH, "len(found) < places and not missed and not", "len(found) < places and not"),),
        on_postgres(ORDER.format("test_the_slots_that_are_left_are_for_the_first[1]")),
    ),
    Mutant(
        "found-is-still-so",
        "a run is claimed as it was found, though its definition has changed since",
        (Edit(CLAIMS, ", agrees(run.c.digest, _ordered.c.digest), *_startable", ", *_startable"),),
        on_postgres(ORDER.format("test_a_run_that_changed_since_it_was_found_is_asked_again[change0]")),
    ),
)
