"""Mutants of what a caller of the lock library relies on, however many call, and whatever cuts a call short (rule 8)."""

from tests.mutants.mutant import Edit, Mutant, on_either, on_postgres

CALLERS = (
    Mutant(
        "thread-asked-whether-it-lives",
        "a call asks Thread.is_alive, to which a signal makes a living thread say no for ever, up to Python 3.12",
        (
            Edit(
                "lease/background.py",
                "        if self._over:\n            raise LeaseError(CLOSED)",
                "        if not self._thread.is_alive():\n            raise LeaseError(CLOSED)",
            ),
        ),
        on_either("tests/lease/test_background.py::test_it_never_asks_whether_its_thread_lives"),
    ),
    Mutant(
        "who-leaves-looks-at-all-who-wait",
        "a waiter that leaves a client's queue looks through all of it: thousands at once hold up the heartbeat",
        (
            Edit(
                "lease/turns.py",
                "        if queue.pop(turn, None) is not None and not queue:",
                "        if [one for one in queue if one == turn] and queue.pop(turn, None) is not None and not queue:",
            ),
        ),
        on_either(
            "tests/lease/calls/test_turns.py"
            "::test_thousands_that_leave_at_once_from_wherever_they_stand_cost_a_step_each"
        ),
    ),
    Mutant(
        "attempt-as-long-as-the-ttl-allows",
        "an attempt, the wait after it and a kill grow with the ttl: with one of a day they take hours",
        (
            Edit(
                "lease/timing.py",
                "follows = min(default * scale, _MOST.get(name, math.inf))",
                "follows = default * scale",
            ),
        ),
        on_either(
            "tests/lease/test_timing.py"
            "::test_however_long_the_ttl_an_attempt_its_retry_and_a_kill_take_seconds_unless_given[1d]"
        ),
    ),
    Mutant(
        "callers-that-have-gone-are-not-missed",
        "the ledger looks at event loops and at who has left: one that goes before its block begins is never missed",
        (Edit("lease/ledger.py", "reference() is None or entry.is_forsaken", "entry.is_forsaken"),),
        on_either("tests/lease/heartbeat/test_signals.py::test_a_caller_who_goes_before_its_block_begins_is_missed"),
    ),
    Mutant(
        "encoding-of-the-server",
        "a connection speaks the encoding of its database: what that does not have is a raw error",
        (Edit("lease/database/backend.py", ', "client_encoding": "utf8"}', "}"),),
        on_postgres(
            "tests/lease/database/test_encodings.py::test_what_an_encoding_does_not_have_is_refused_with_a_sentence[LATIN1]"
        ),
    ),
    Mutant(
        "what-cannot-be-stored-is-tried-again",
        "a character that the database does not have is taken for a database that is away: who waits tries it for ever",
        (
            Edit(
                "lease/database/driver_errors.py",
                '    if (sqlstate(error) or "").startswith(_DATA_EXCEPTION):\n',
                "    if False:\n",
            ),
        ),
        on_postgres(
            "tests/lease/database/test_encodings.py::test_what_an_encoding_does_not_have_is_refused_with_a_sentence[LATIN1]"
        ),
    ),
)
