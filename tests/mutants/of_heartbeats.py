"""Mutants of the heartbeat and of trust (rules 2, 6, 8, 9 and 20)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

HEARTBEAT = "lease/heartbeat/heartbeat.py"
BACKGROUND = "lease/background.py"
KEEPER = "daemon/jobs/processes/keeper.py"
STOPPED = (
    "tests/daemon/jobs/test_keeper.py::test_the_tree_is_killed_at_the_end_of_trust_while_the_replica_is_stopped[{}]"
)

HEARTBEATS = (
    Mutant(
        "heartbeat-ends-in-silence",
        "a heartbeat that ends unasked tells nobody: its leases run out, and nothing says so",
        (Edit("lease/core.py", "if not self.is_closed:  # nobody has asked it to", "if False:"),),
        on_each(
            "tests/lease/heartbeat/test_callbacks.py"
            "::test_a_heartbeat_that_a_callback_cancels_loses_all_that_it_held_and_says_so[{}]"
        ),
    ),
    Mutant(
        "trust-from-the-reply",
        "trust counts from the reply to a renewal, not from the request",
        (
            Edit(
                HEARTBEAT,
                "state.extend(sent + self._timing.give_up)",
                "state.extend(self._clock() + self._timing.give_up)",
            ),
        ),
        on_either(
            "tests/lease/test_heartbeat.py"
            "::test_a_slow_renewal_that_succeeds_does_not_extend_trust_beyond_what_was_sent"
        ),
    ),
    Mutant(
        "heartbeat-ends-at-an-exception",
        "the first unexpected exception ends the heartbeat",
        (
            Edit(
                HEARTBEAT,
                '                self._notify(events.HeartbeatFailed(f"{type(error).__name__}: {error}"))\n',
                "                raise\n",
            ),
        ),
        on_either("tests/lease/test_heartbeat.py::test_an_exception_in_the_store_does_not_end_the_heartbeat"),
    ),
    Mutant(
        "one-failed-renewal-is-a-loss",
        "a renewal that fails once is a loss, although the lease can still be trusted",
        (
            Edit(
                HEARTBEAT,
                "            self._at_risk(self.held.all(), str(error))\n",
                "            for state in self.held.all():\n"
                "                self._lose(state, Loss(state.grant, LossKind.UNREACHABLE, str(error)))\n",
            ),
        ),
        on_either(
            "tests/lease/test_heartbeat.py::test_one_failed_renewal_loses_nothing_and_the_next_follows_after_retry_wait"
        ),
    ),
    Mutant(
        "orphan-renewed-for-ever",
        "a grant whose reply was lost is renewed with the others, and never released",
        (
            Edit(
                HEARTBEAT,
                "self._orphans.begin(self.flights.orphans(strangers(renewal, self._holder, self.held), under_way))\n",
                "pass\n",
            ),
        ),
        on_each(
            "tests/lease/test_async_client.py"
            "::test_what_was_granted_in_a_transaction_that_failed_afterwards_is_released[{}]"
        ),
    ),
    Mutant(
        "lost-grant-renewed-on",
        "a lost grant that cannot be released is renewed with the others, and never goes stale",
        (Edit(HEARTBEAT, "expected, self._orphans.leaving)", "expected)"),),
        on_either(
            "tests/lease/heartbeat/test_orphans.py::test_a_lost_grant_that_cannot_be_released_is_renewed_no_more"
        ),
    ),
    Mutant(
        "orphan-explained-by-a-later-flight",
        "a grant whose reply was lost counts as being acquired as long as anything is",
        (
            Edit(
                "lease/heartbeat/heartbeat.py",
                "known[stranger] & under_way\n        if stranger in known\n        else frozenset(",
                "frozenset(",
            ),
        ),
        on_either(
            "tests/lease/heartbeat/test_orphans.py"
            "::test_a_grant_whose_reply_was_lost_is_released_though_acquisitions_overlap_without_end"
        ),
    ),
    Mutant(
        "heartbeat-in-the-loop-of-the-jobs",
        "the heartbeat runs in the event loop of the client's user",
        (
            Edit(
                BACKGROUND,
                "LastingLoop() if self._driven is None else self._driven.new_loop()",
                "asyncio.get_running_loop()",
            ),
            Edit(
                BACKGROUND,
                "self._thread = CallbackThread(name, self._run)",
                "self._thread = threading.current_thread()",
            ),
            Edit(
                BACKGROUND,
                "            self._thread.start()\n        except RuntimeError:",
                "            pass\n        except RuntimeError:",
            ),
            Edit(BACKGROUND, "        if self.is_inherited:\n            return\n", "        return\n"),
        ),
        on_each("tests/lease/test_async_client.py::test_a_blocked_event_loop_keeps_its_lease[{}]"),
    ),
    Mutant(
        "closed-while-its-work-goes-on",
        "a client that is closed releases what it holds at once, whatever works under it",
        (
            Edit("lease/core.py", "                await self._quiet.wait()\n", "                pass\n"),
            Edit("lease/core.py", "if state not in self._working and not state.over]", "if not state.over]"),
        ),
        on_each(
            "tests/lease/test_closing.py::test_the_block_of_a_hold_ends_before_another_client_is_granted_the_lease[{}]"
        ),
    ),
    Mutant(
        "keeper-without-a-deadline",
        "a keeper waits for its replica's word instead of watching the end of trust itself",
        (
            Edit(
                KEEPER,
                "due = min(self.deadline, self.wakes_at, trusted_until(*self.trust))",
                "due = min(self.deadline, self.wakes_at)",
            ),
            Edit(KEEPER, '        if now >= trusted_until(*self.trust):\n            return "trust"\n', ""),
        ),
        on_either(STOPPED.format("anew"), STOPPED.format("forked")),
    ),
    Mutant(
        "fixed-lock-timeout",
        "the algorithm that started it all: no renewal, no end of trust, no fence, and a cleanup of locks older than their timeout",
        (
            Edit("lease/functions.sql", "    IF NOT FOUND THEN\n        -- Rows", "    IF false THEN\n        -- Rows"),
            Edit("lease/functions.sql", "    IF locker <> transaction THEN", "    IF false THEN"),
            Edit("tests/chaos/effect.py", "if connection.execute(fence, grant).rowcount != 1:", "if False:"),
            Edit(HEARTBEAT, "            await self._beat(sent)\n", "            pass\n"),
            Edit(
                HEARTBEAT,
                "GrantState(grant, sent + self._timing.give_up, ",
                'GrantState(grant, float("inf"), ',
            ),
        ),
        on_each("tests/lease/test_async_client.py::test_a_blocked_event_loop_keeps_its_lease[{}]"),
    ),
)
