"""Mutants of deploys: which definitions rule, and by which a run goes (rules 13, 17, 21 and 22)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_sqlite

ADOPTION = "daemon/scheduling/deploys/rollout.py"
MOVES = "daemon/scheduling/generations/order.py"
CLAIM = "daemon/execution/claim.py"
ROLLOUT = "tests/daemon/scheduling/test_rollout.py::{}[{{}}]"
ADOPTION_TEST = "tests/daemon/scheduling/test_adoption.py::{}[{{}}]"

DEPLOYS = (
    Mutant(
        "whoever-starts-rules",
        "a replica that starts makes its file the current one, an older one that restarts too",
        (
            Edit(
                MOVES,
                "    if order.is_newest(own):\n        # Where",
                '    if starting and not own.rules:\n        return "rule"\n    if order.is_newest(own):\n        # Where',
            ),
        ),
        on_each(ROLLOUT.format("test_an_old_replica_that_restarts_in_the_midst_of_a_rollout_changes_nothing")),
    ),
    Mutant(
        "stand-in-retires",
        "definitions that only stand in for newer ones retire the schedules of these",
        (Edit("daemon/scheduling/deploys/bring.py", "retire=not in_lieu)", "retire=True)"),),
        on_each(
            ROLLOUT.format("test_old_ones_stand_in_when_no_new_one_has_been_ready_for_long_and_retire_nothing"),
        ),
    ),
    Mutant(
        "moved-by-a-clock-that-jumped",
        "definitions change hands by a wall clock that has jumped",
        (
            Edit(
                "daemon/scheduling/deploys/rollout.py",
                "    _patience: Patience = field(default_factory=Patience, init=False)\n",
                "    _patience: Patience = field(default_factory=Patience, init=False)\n\n"
                "    def __post_init__(self) -> None:\n        self.trusts = None\n",
            ),
        ),
        on_each(ROLLOUT.format("test_nothing_changes_hands_by_a_clock_that_has_just_jumped")),
    ),
    Mutant(
        "trusted-at-the-begin-only",
        "a transaction that goes by the time is kept although the clock jumped in its midst",
        (
            Edit(
                "daemon/scheduling/trusted_time.py",
                "        done = unit(connection)\n        check(connection)\n        return done\n",
                "        return unit(connection)\n",
            ),
        ),
        on_sqlite(
            "tests/daemon/scheduling/test_planner.py::test_what_was_planned_by_a_clock_that_jumped_in_the_midst_is_undone",
            ROLLOUT.format("test_definitions_do_not_change_hands_by_a_clock_that_jumps_in_the_midst").format("sqlite"),
        ),
    ),
    Mutant(
        "claim-ignores-the-digest",
        "a replica claims runs of its schedules whatever definition they were made from",
        (Edit(CLAIM, "        if known.is_strange(one.digest for one in found):\n", "        if False:\n"),),
        on_each(ADOPTION_TEST.format("test_a_run_waits_for_a_replica_with_the_definition_that_it_was_made_from")),
    ),
    Mutant(
        "adopted-while-others-have-it",
        "a run is adopted although a living replica has its definition",
        (
            Edit(
                ADOPTION,
                "    unknown -= digests_of_others(application.name, holder, SEEN_WITHIN)\n"
                "    unseen = unknown & digests_of_others(application.name, holder, SEEN_WITHIN, or_lost=True)\n",
                "    unseen = set[str | None]()\n",
            ),
        ),
        on_each(ADOPTION_TEST.format("test_a_run_waits_for_a_replica_with_the_definition_that_it_was_made_from")),
    ),
    Mutant(
        "adopted-at-work",
        "a run is adopted while an attempt of it is at work",
        (
            Edit(
                "daemon/store/statements/acting/renames.py",
                "name), pending(), _of_run(strange))",
                "name), _of_run(strange))",
            ),
        ),
        on_each(ADOPTION_TEST.format("test_a_run_at_work_ends_as_it_began")),
    ),
    Mutant(
        "outgoing-not-planned",
        "what was due by a timing that is replaced, or of a schedule that is retired, is not planned first",
        (Edit("daemon/scheduling/deploys/sync.py", "    while outgoing:\n", "    while False:\n"),),
        on_each(
            "tests/daemon/scheduling/test_outgoing.py::test_the_night_before_a_change_is_accounted_for[{}-retired]"
        ),
    ),
)
