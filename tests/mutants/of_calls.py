"""Mutants of what callers do in their own threads, beside the heartbeat (rules 6 and 8)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

THREADS = "tests/lease/calls/test_in_threads.py"
BESIDE = "tests/lease/heartbeat/test_beside_other_threads.py"
ACQUIRING = "lease/calls/acquiring.py"
RELEASING = "lease/calls/releasing.py"
LOAN = "lease/calls/steps.py"
LENT = "tests/lease/calls/test_wire_pool.py"
HEARTBEAT = "lease/heartbeat/heartbeat.py"

CALLS = (
    Mutant(
        "left-by-a-caller-that-has-gone",
        "nobody looks for callers that have gone: what a closed event loop held is renewed for ever",
        (
            Edit(
                "lease/ledger.py",
                "                self.loop.begin(entry.put_right)\n",
                "                pass\n",
            ),
        ),
        on_each(
            "tests/lease/test_signals.py::test_a_block_whose_event_loop_ends_under_it_is_left[{}-closed, its tasks kept]"
        ),
    ),
    Mutant(
        "left-by-its-frame-alone",
        "a caller counts as gone only once its frame is: whoever keeps the error of an interrupted one keeps its lease",
        (Edit("lease/ledger.py", "        self._entry.is_left = True\n", "        return\n"),),
        on_each(
            "tests/lease/test_interrupted.py::test_who_keeps_the_error_of_an_interrupted_caller_keeps_no_lease[{}]"
        ),
    ),
    Mutant(
        "reentry-refused-in-spite-of-wait",
        "a caller that wants what it holds itself is refused at once, however long it would wait",
        (
            Edit(
                "lease/calls/acquiring.py",
                "if wait is None and self._would_wait_for_itself():",
                "if self._would_wait_for_itself():",
            ),
        ),
        on_each(
            "tests/lease/calls/test_reentry.py"
            "::test_a_pools_thread_that_serves_a_second_request_waits_for_the_first[{}]"
        ),
    ),
    Mutant(
        "acquired-here-without-a-flight",
        "what a caller acquires in its own thread is no flight: a renewal that sees it first takes it for an orphan",
        (Edit(ACQUIRING, "            core.heartbeat.flights.under_way.add(ticket.flight)\n", ""),),
        on_each(f"{THREADS}::test_a_grant_that_its_caller_has_not_heard_of_is_no_orphan[{{}}]"),
    ),
    Mutant(
        "released-here-without-a-mark",
        "a release in a caller's own thread marks nothing: a renewal that no longer finds the grant tells of a loss",
        (Edit(RELEASING, "        state.ending = True\n", ""),),
        on_each(f"{THREADS}::test_a_renewal_beside_a_release_finds_no_loss[{{}}]"),
    ),
    Mutant(
        "held-by-a-heart-at-rest",
        "what a caller acquires in its own thread rouses nobody, where nothing was held before",
        (Edit(ACQUIRING, "if core.heartbeat.rests():", "if False:"),),
        on_each(f"{THREADS}::test_what_is_acquired_so_is_renewed_although_nothing_was_held_before[{{}}]"),
    ),
    Mutant(
        "rests-although-something-is-held",
        "the heartbeat looks whether anything is held, and only then says that it rests",
        (
            Edit(
                HEARTBEAT,
                "            if self.held:  # it was taken before that, by a thread that saw no reason to rouse this\n"
                "                self._wanted.set()\n",
                "",
            ),
        ),
        on_either(f"{BESIDE}::test_what_is_taken_as_the_heartbeat_comes_to_rest_is_renewed"),
    ),
    Mutant(
        "flights-copied-too-late",
        "which acquisitions are under way is asked after what is held: one that ends in between leaves an orphan",
        (
            Edit(
                HEARTBEAT,
                "        under_way = self.flights.under_way.copy()  # before anything is taken for a stranger\n"
                "        self._orphans.begin(self.flights.orphans(strangers(renewal, self._holder, self.held), under_way))\n",
                "        found = strangers(renewal, self._holder, self.held)\n"
                "        self._orphans.begin(self.flights.orphans(found, self.flights.under_way.copy()))\n",
            ),
        ),
        on_either(f"{BESIDE}::test_what_is_held_just_after_it_was_missed_is_no_orphan"),
    ),
    Mutant(
        "wires-for-whoever-comes-first",
        "a caller takes a wire that is given back, although others wait for one: with 200 threads, some wait for seconds",
        (Edit(LOAN, "None if self._first or self._others else self._lend(by)", "self._lend(by)"),),
        on_either(
            f"{LENT}::test_nobody_passes_those_who_wait_also_in_the_moment_in_which_one_is_given_back[False]",
        ),
    ),
    Mutant(
        "wire-kept-for-a-caller-that-has-gone",
        "a caller that was cut short on its way into the line is lent a wire, which nobody gives back",
        (Edit(LOAN, "by in self._gone or self._is_served", "self._is_served"),),
        on_either(f"{LENT}::test_one_that_was_cut_short_in_line_is_lent_none"),
    ),
    Mutant(
        "handler-waits-for-whom-it-interrupts",
        "a signal's handler stands in line for the wire of the very call that it has interrupted",
        (Edit(LOAN, "by in self._gone or self._is_served(by.owner)", "by in self._gone"),),
        on_either(f"{LENT}::test_a_handler_does_not_wait_for_what_the_thread_has_that_it_interrupts[False]"),
    ),
    Mutant(
        "wire-given-back-without-a-word",
        "who puts right what an interrupted caller left does not pass its wire on: those in line wait in vain",
        (
            Edit(
                LOAN,
                "        self._freed()  # it may have been cut short before it let anybody know that it had given it back\n",
                "",
            ),
        ),
        on_either(f"{LENT}::test_what_was_given_back_without_a_word_is_passed_on_by_whoever_puts_it_right"),
    ),
    Mutant(
        "closed-beside-its-callers",
        "a client is closed while a caller acquires in its own thread, who then holds what nobody knows of",
        (Edit("lease/core.py", "not await self._before_closing()", "False"),),
        on_each(f"{THREADS}::test_one_that_is_closed_meanwhile_holds_nothing[{{}}]"),
    ),
    Mutant(
        "waits-for-what-is-answered",
        "who is interrupted as its answer comes waits for ever: what its signal's handler raised was logged instead",
        (Edit("lease/cancellation.py", "        await asyncio.sleep(0)  #", "        await woken  #"),),
        on_either(
            "tests/lease/calls/test_cut_short.py::test_what_is_raised_as_an_answer_comes_lets_nobody_wait_for_ever[an answer-LateError]"
        ),
    ),
    Mutant(
        "here-before-who-waits",
        "who acquires in its own thread takes a turn for which another one of the client waits",
        (
            Edit(
                "lease/turns.py",
                "        if turn.name in self._queues:\n            self.end(turn)\n            return False\n        return True\n",
                "        return True\n",
            ),
        ),
        on_either("tests/lease/calls/test_turns.py::test_who_does_not_wait_passes_nobody_who_does"),
    ),
)
