"""Mutants of waiting: whose turn it is, who is woken, and who is passed over (rule 15)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either, on_postgres

FAIR = "tests/lease/calls/test_fair_waiting.py::{}[{{}}]"
CONFORMANCE = "tests/lease/test_store_conformance.py::{}[{{}}]"
GRANTING = "lease/statements/grants.py"

WOKEN = "tests/lease/calls/test_asked_when_woken.py::{}"
ACQUIRING = "lease/calls/acquiring.py"
CORE = "lease/core.py"
APPENDED = "            results.append(result)\n"

WAITING = (
    Mutant(
        "newcomer-overtakes",
        "a lease that is free is granted to whoever asks, also where others wait for it",
        (
            Edit(
                GRANTING,
                "free_or_stale() & or_(\n",
                "free_or_stale() & or_(\n    lease.c.name.is_not(None),\n",
            ),
        ),
        on_each(FAIR.format("test_who_did_not_wait_does_not_overtake_one_who_does_and_hears_its_name")),
    ),
    Mutant(
        "waiter-overtakes",
        "a waiter takes a lease that is free, also where others came before it",
        (Edit("lease/waiters.py", "return free_for is None or", "return True or"),),
        on_each(CONFORMANCE.format("test_who_is_queued_comes_first_and_one_who_did_not_wait_is_told_so")),
    ),
    Mutant(
        "a-wait-for-a-place-is-an-attempt",
        "the clock of an attempt runs while it waits for one of the client's own connections",
        (
            Edit(
                "lease/database/held/capacity.py",
                "            await place\n",
                "            async with asyncio.timeout(self._silence):\n                await place\n",
            ),
        ),
        on_each(
            "tests/lease/database/test_capacity.py"
            "::test_a_call_may_wait_for_its_connection_for_longer_than_an_attempt_takes[{}]"
        ),
    ),
    Mutant(
        "trusted-from-before-its-place",
        "what is granted counts as asked for when its turn to ask was waited for",
        (
            Edit(
                "lease/calls/acquiring.py",
                "            sent = core.clock()\n            answer = await",
                "            answer = await",
            ),
            Edit(
                "lease/calls/acquiring.py",
                "        async with core.store.admitted():",
                "        sent = core.clock()\n        async with core.store.admitted():",
            ),
        ),
        on_each(
            "tests/lease/database/test_capacity.py"
            "::test_what_was_granted_after_a_long_wait_for_a_connection_is_trusted[{}]"
        ),
    ),
    Mutant(
        "releases-wait-for-acquisitions",
        "a release waits for a connection of its client behind all acquisitions that came before",
        (Edit("lease/calls/releasing.py", "direct.pool.borrow(self, first=True)", "direct.pool.borrow(self)"),),
        on_each("tests/lease/calls/test_bursts.py::test_a_release_does_not_wait_behind_acquisitions[{}]"),
    ),
    Mutant(
        "first-place-kept",
        "a client that has had its turn keeps its place before all others",
        (
            Edit(GRANTING, "_without_first = without_first(lease.c.waiters)", "_without_first = lease.c.waiters"),
            Edit(GRANTING, "behind(found.waiting, holder)", "found.waiting"),
        ),
        on_each(CONFORMANCE.format("test_who_is_queued_comes_first_and_one_who_did_not_wait_is_told_so")),
    ),
    Mutant(
        "dead-waiter-not-passed-over",
        "a free lease is kept for the first waiter for as long as it has a place, dead or alive",
        (
            Edit(
                "lease/waiters.py",
                "return free_for is None or free_for >= _kept_for(ahead)",
                "return ahead == 0 or free_for is None",
            ),
        ),
        on_each(FAIR.format("test_waiters_that_do_not_take_are_passed_over_together")),
    ),
    Mutant(
        "dead-waiters-one-by-one",
        "each waiter that does not take delays the next by two seconds more: its rank costs what the first one does",
        (Edit("lease/waiters.py", "return PATIENCE + ahead * STEP if ahead", "return ahead * PATIENCE if ahead"),),
        on_each(FAIR.format("test_waiters_that_do_not_take_are_passed_over_together")),
    ),
    Mutant(
        "rank-is-ignored",
        "a lease that the first who waits has not taken is anybody's, whatever their rank",
        (Edit("lease/waiters.py", "return PATIENCE + ahead * STEP if ahead", "return PATIENCE if ahead"),),
        on_either(
            "tests/lease/test_waiters.py::test_a_free_lease_is_kept_for_each_waiter_in_turn_for_a_while[10-2.45-False]"
        ),
    ),
    Mutant(
        "release-wakes-nobody",
        "a release tells nobody that it is their turn",
        (
            Edit(
                "lease/database_store.py",
                "return [statements.notifying(name, waiting)] if self._backend.listens else []",
                "return []",
            ),
        ),
        on_postgres(
            "tests/lease/calls/test_waiting.py::test_a_notification_goes_out_only_where_somebody_waits",
        ),
    ),
    Mutant(
        "release-wakes-all",
        "a release wakes all who wait, not only the one whose turn it is",
        (
            Edit(
                "lease/database/listening/releases.py",
                "            subscription.told(turns)\n",
                "            subscription.heard.set()\n",
            ),
        ),
        on_postgres(
            "tests/lease/database/test_listener.py"
            "::test_of_those_who_wait_for_a_name_only_the_one_whose_turn_it_is_is_woken"
        ),
    ),
    Mutant(
        "trust-from-the-answer",
        "what a caller asks for itself is trusted from the answer on",
        (Edit(ACQUIRING, "state_of(grant, sent, ", "state_of(grant, core.clock(), "),),
        on_postgres(WOKEN.format("test_trust_counts_from_before_it_was_asked")),
    ),
    Mutant(
        "cancelled-before-the-answer",
        "a waiter that is cancelled forgets what it has just asked for",
        (
            Edit(ACQUIRING, "    if ticket.is_unanswered:\n", "    if False:\n"),
            Edit(ACQUIRING, "if ticket.is_unanswered and ticket.state is None:", "if False:"),
            Edit(CORE, "sure=not ticket.is_unanswered", "sure=True"),
        ),
        on_postgres(WOKEN.format("test_who_is_cancelled_meanwhile_keeps_nothing[answered]")),
    ),
    Mutant(
        "heard-only-in-line",
        "a waiter listens once it has its place: of what is released before it knows that, it does not hear",
        (
            Edit(
                ACQUIRING,
                "            self._will_hear()\n            queued = yield",
                "            queued = yield",
            ),
            Edit(
                ACQUIRING,
                "            record = queued.record if",
                "            self._will_hear()\n            record = queued.record if",
            ),
        ),
        on_postgres(WOKEN.format("test_a_release_before_its_place_is_known_is_heard")),
    ),
    Mutant(
        "closed-beside-its-waiters",
        "a client is closed while calls of its own wait for their turn, which nobody ends",
        (Edit(CORE, "            await self._end_acquisitions()\n", ""),),
        on_each("tests/lease/test_async_client.py::test_closing_the_client_ends_its_waits_with_a_sentence[{}]"),
    ),
    Mutant(
        "answered-before-the-commit",
        "a statement is answered by its rows, though its commit may yet fail",
        (Edit("lease/database/wires/of_libpq.py", APPENDED, f"{APPENDED}            return\n"),),
        on_postgres(WOKEN.format("test_an_answer_whose_commit_fails_grants_nothing")),
    ),
)
