"""Mutants of what an older version may do beside this one, and of what a restore does to tokens."""

from tests.mutants.mutant import Edit, Mutant, on_each

MIGRATION = "daemon/store/migrations/versions/0005_older_beside.py"
RESTORING = "lease/statements/restoring.py"
REFUSED = (
    "tests/daemon/store/test_upgrades.py::"
    "test_an_old_replica_beside_ends_its_work_and_is_refused_what_it_cannot_do_right[0002-{}]"
)
ACTS = "daemon/store/migrations/versions/0009_acts.py"

UPGRADES = (
    Mutant(
        "older-replicas-claim",
        "a replica of an older version, which compares no definitions, goes on claiming runs",
        (Edit(MIGRATION, "OLDER_CLAIM = \"NEW.state = 'running'", "OLDER_CLAIM = \"NEW.state = 'no such'"),),
        on_each(REFUSED),
    ),
    Mutant(
        "older-replicas-sync",
        "a sync of an older version, which knows no generations, retires the schedules of a newer one",
        (Edit(MIGRATION, '"UPDATE OF changed_at"', '"UPDATE OF created_at"'),),
        on_each(REFUSED),
    ),
    Mutant(
        "runs-of-before-passed-over",
        "a run that waited for its predecessor when the tables were brought up to date never starts",
        (Edit(ACTS, '"AND NEW.place_at IS NOT NULL AND OLD', '"AND OLD'),),
        on_each(
            "tests/daemon/store/test_upgrades.py::"
            "test_what_an_old_replica_beside_has_done_and_left_goes_on_with_this_version[0008-{}]"
        ),
    ),
    Mutant(
        "restored-lifts-by-a-step",
        "tokens are lifted by so much, and not to the clock: a backup that is restored twice grants them twice",
        (Edit(RESTORING, "max(highest + by, seconds * MOST_GRANTS)", "highest + max(by, MOST_GRANTS)"),),
        on_each("tests/daemon/recovery/test_restoring.py::test_the_same_backup_may_be_restored_again_and_again[{}]"),
    ),
    Mutant(
        "restored-forgets-new-names",
        "names of leases that came since the backup begin at 1 again",
        (Edit(RESTORING, "    _let_new_names_begin_at(connection, token)\n", ""),),
        on_each(
            "tests/daemon/recovery/test_restoring.py::"
            "test_after_it_a_gate_admits_new_holders_and_zombies_are_fenced_off[{}]"
        ),
    ),
)
