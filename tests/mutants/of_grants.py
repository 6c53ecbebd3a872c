"""Mutants of granting, renewing and releasing (rules 1, 4, 5 and 6)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_postgres

STORE = "tests/lease/test_store_conformance.py::{}[{{}}]"

GRANTING = "lease/statements/grants.py"
RENEWING = "lease/statements/renewals.py"
ENDING = "lease/statements/endings.py"
DIALECTS = "lease/database/dialects.py"

GRANTS = (
    Mutant(
        "row-deleted-on-release",
        "a release deletes the row, and with it the token that the next one must exceed",
        (
            Edit(ENDING, "cast, select, update\n", "cast, select, update, delete\n"),
            Edit(ENDING, "_RELEASE = Statement(\n    update(lease)\n", "_RELEASE = Statement(\n    delete(lease)\n"),
            Edit(ENDING, "    .values(ENDED)\n    .returning(seconds_of", "    .returning(seconds_of"),
        ),
        on_each(STORE.format("test_the_token_survives_release_and_grows_by_one_with_each_grant")),
    ),
    Mutant(
        "grant-that-a-crash-undoes",
        "a grant leaves synchronous_commit off, so a crash of the server undoes it, and its token is granted again",
        (Edit(DIALECTS, "WHEN 'off' ", "WHEN '' "),),
        on_postgres(
            "tests/lease/database/test_durable_grants.py::test_what_a_holder_relies_on_is_committed_durably[of_client]"
        ),
    ),
    Mutant(
        "renewal-by-name",
        "a renewal extends the names that the client believes it holds, whoever really holds them",
        (
            Edit(
                "lease/database_store.py",
                "self._renewals.write_alone(statements.renewing(holder, ttl, self._lock_wait, besides))",
                "self._renewals.write(\n"
                "                lambda connection: statements.renew_names(connection, [grant.name for grant in expected], ttl)\n"
                "            )",
            ),
            Edit(
                "lease/statements/__init__.py",
                "import renew, renewing, ",
                "import renew, renew_names, renewing, ",
            ),
            Edit(
                RENEWING,
                "def renewing_unlocked(",
                "def renew_names(connection: Any, names: list[str], ttl: float) -> Renewal:\n"
                "    renewing = update(lease).where(lease.c.name.in_(names), lease.c.holder.is_not(None))\n"
                "    renewing = renewing.values(expires_at=later(clock(), ttl), renewed_at=now(), uptime=uptime())\n"
                "    renewed = renewing.returning(lease.c.name, lease.c.token, seconds_of(lease.c.renewed_at))\n"
                "    return _renewed(connection.execute(renewed).all())\n\n\n"
                "def renewing_unlocked(",
            ),
        ),
        on_each(STORE.format("test_a_stolen_lease_is_not_renewed_and_its_thief_is_told")),
    ),
    Mutant(
        "release-without-token",
        "a release matches name and holder only, so a late one ends a later grant of the same holder",
        (Edit(ENDING, '        lease.c.token == bindparam("of_token"),\n', ""),),
        on_each(STORE.format("test_an_earlier_tenure_of_the_same_holder_releases_nothing_of_its_later_one")),
    ),
    Mutant(
        "release-by-name",
        "a release matches the name only, so a zombie ends its successor's grant",
        (
            Edit(
                ENDING,
                '        lease.c.token == bindparam("of_token"),\n        lease.c.holder == bindparam("of_holder"),\n',
                "",
            ),
        ),
        on_each(STORE.format("test_a_zombie_releases_nothing_of_its_successor")),
    ),
    Mutant(
        "clock-of-the-transactions-start",
        "expiry is compared with now(), the start of the transaction",
        (
            Edit(
                DIALECTS,
                'per_dialect(Expiry(), postgresql="clock_timestamp()"',
                'per_dialect(Expiry(), postgresql="now()"',
            ),
        ),
        on_postgres(
            "tests/lease/test_granting_postgres.py::test_the_clock_is_that_of_the_moment_not_of_the_transactions_start",
            "tests/lease/test_granting_postgres.py::test_a_grant_that_goes_stale_during_a_transaction_is_settled_in_it",
        ),
    ),
    Mutant(
        "clock-of-the-replica",
        "expiry is compared with the wall clock of the machine that asks",
        (
            Edit(
                DIALECTS,
                'per_dialect(Expiry(), postgresql="clock_timestamp()"',
                "per_dialect(Expiry(), postgresql=lambda: bindparam("
                "None, callable_=lambda: datetime.now(UTC), type_=TIMESTAMP(timezone=True), unique=True)",
            ),
            Edit(
                DIALECTS,
                "bindparam(None, callable_=boottime)",
                "bindparam(None, callable_=lambda: datetime.now(UTC).timestamp())",
            ),
        ),
        on_each(
            "tests/lease/database/test_whose_clock.py::test_no_statement_takes_the_time_from_this_machines_wall_clock[{}]"
        ),
    ),
    Mutant(
        "claim-by-upsert",
        "granting is INSERT ... ON CONFLICT DO UPDATE ... WHERE, which locks a live row before looking at it",
        (
            Edit(
                GRANTING,
                "    if len(names) == 1 and slot_of is None:\n"
                "        granted = granting(names[0], holder, ttl, label=label)(connection)\n"
                "        return [] if granted is None else [granted]\n"
                "    statement = _GRANT_FREE_SLOT if slot_of is not None else _GRANT_FREE\n"
                "    return list(_grants(statement(connection, _values_of_all(names, holder, ttl, label, slot_of)), holder))\n",
                "    from sqlalchemy.dialects.postgresql import insert\n"
                "    held = {'holder': holder, 'label': label, 'boot': this_boot(), 'expires_at': later(clock(), ttl)}\n"
                "    held |= {'granted_at': now(), 'renewed_at': now()}\n"
                "    granted = []\n"
                "    for name in names:\n"
                "        upsert = insert(lease).values(name=name, token=1, **held)\n"
                "        upsert = upsert.on_conflict_do_update(\n"
                "            index_elements=[lease.c.name], set_={'token': lease.c.token + 1, **held}, where=free_or_stale()\n"
                "        )\n"
                "        rows = connection.execute(upsert.returning(lease.c.name, lease.c.token))\n"
                "        granted += [Grant(name, token, holder) for name, token in rows]\n"
                "    return granted\n",
            ),
        ),
        on_postgres(
            "tests/lease/test_granting_postgres.py"
            "::test_granting_passes_over_a_live_row_that_is_fenced_and_locks_no_live_row"
        ),
    ),
    Mutant(
        "claim-without-a-second-look",
        "a claim is granted each lease that was free when it looked, also one that another has been granted meanwhile",
        (
            Edit(
                GRANTING,
                "_is_free = free_or_stale() & or_(",
                "_is_free = or_(",
            ),
        ),
        {
            "postgres": (
                "tests/daemon/execution/test_claim.py::test_a_lease_that_was_granted_since_the_claim_looked_is_not_granted_again",
            ),
            "sqlite": (
                STORE.format("test_a_live_lease_is_not_granted_and_what_stands_in_the_way_is_told").format("sqlite"),
            ),
        },
    ),
    Mutant(
        "prepared-through-a-pooler",
        "statements are prepared over any connection, also over one that a pooler hands to another client next",
        (Edit("lease/database/wires/of_libpq.py", "return pid == driver.info.backend_pid", "return True"),),
        on_postgres("tests/lease/database/test_pooler.py::test_each_client_is_answered_what_it_asked"),
        needs_pooler=True,
    ),
    Mutant(
        "ended-by-name",
        "settling ends whichever grant a name has, and reports each grant that it was asked to end",
        (
            Edit(
                ENDING,
                "    ended = [grant for grant in wanted if grant in found]\n",
                "    names_ = {grant.name for grant in found}\n    ended = [grant for grant in wanted if grant.name in names_]\n",
            ),
        ),
        on_each(
            "tests/lease/test_statements.py::test_of_several_grants_of_one_name_only_the_one_in_force_is_ended[{}]"
        ),
    ),
)
