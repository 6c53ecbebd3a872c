"""The statements of the protocol against a model of them, in any order and beside transactions that are open (rules 4 to 7, 11 and 18)."""

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection, text

from lease import Grant, statements
from tests.checker import check
from tests.checker.facts import Fact, GrantBegan, GrantEnded, HighestToken, Written
from tests.model.statement_model import LOCK_WAIT, Answer, Change, Leases, Line, Lines

EXAMPLES = int(os.environ.get("LEASED_MODEL_EXAMPLES", "30"))
"""How many sequences are tried on each database; raise it for a longer search."""
SHRINK = os.environ.get("LEASED_MODEL_SHRINK", "1") != "0"
"""Whether the shortest sequence is looked for that fails, which takes a minute."""
SIZES = settings(
    phases=[Phase.reuse, Phase.generate, *([Phase.shrink] if SHRINK else [])],
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TTL = 600.0
NAMES, HOLDERS = ("a", "b", "c"), ("anna", "ben")
COMMITTED, REPEATABLE = "READ COMMITTED", "REPEATABLE READ"

a_name, a_holder = st.sampled_from(NAMES), st.sampled_from(HOLDERS)
some_names = st.lists(a_name, min_size=1, max_size=3)
where = st.sampled_from([None, None, 0, 1])
"""In a transaction of its own, or in one of two that stay open."""
which = st.integers(0, 1_000)
twist = st.sampled_from(["", "", "", "", "holder", "later", "earlier", "name"])
Predicts = Callable[[Change], Any]
Unit = Callable[[Connection], Any]
_numbers = itertools.count()


PATIENCE = {"postgresql": 6, "sqlite": 2}
"""How many steps a transaction stays open; on SQLite all others stand still meanwhile."""


class Open:
    """A transaction that stays open: it has begun, or has done what it is for."""

    age = 0

    def __init__(self, line: Line, change: Change, level: str) -> None:
        self.line, self.change, self.level = line, change, level
        self.facts: list[Callable[[datetime], Fact]] | None = None
        """What has happened if it commits; None before it has done anything."""


class StatementsMachine(RuleBasedStateMachine):
    lines: Lines

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self.lines = lines
        self.leases = Leases(one_writer=lines.sqlite)
        self.open: dict[int, Open] = {}
        self.begun: list[Open] = []
        self.facts: list[Fact] = []
        self.granted: list[Grant] = []
        self._example = next(_numbers)  # rows are never deleted: each example has names and holders of its own
        self._times = itertools.count()

    # What is done

    @initialize(names=some_names, holder=a_holder)
    def some_are_held(self, names: list[str], holder: str) -> None:
        self.grant(names, holder, None, False)

    @rule(names=some_names, holder=a_holder, where=where, reply_lost=st.booleans())
    def grant(self, names: list[str], holder: str, where: int | None, reply_lost: bool) -> None:
        chosen, own = [self._own(name) for name in names], self._own(holder)

        def unit(connection: Connection) -> list[Grant]:
            return sorted(statements.grant(connection, chosen, own, TTL))

        granted = self._do(where, lambda mine: self.leases.grant(mine, chosen, own), unit, GrantBegan)
        # A holder who never heard of it has it all the same: his renewals tell, and the rows.
        if granted is not None and not reply_lost:
            self.granted += granted

    @rule(holder=a_holder, where=where, unlocked=st.booleans())
    def renew(self, holder: str, where: int | None, unlocked: bool) -> None:
        """All at once; or, as the heartbeat does when that has to wait, without those that are locked."""
        own = self._own(holder)

        def unit(connection: Connection) -> frozenset[tuple[str, int]]:
            if unlocked:
                return statements.renewing_unlocked(own, TTL)(connection).pairs
            return statements.renewing(own, TTL, LOCK_WAIT)(connection).pairs

        self._do(where, lambda mine: self.leases.renew(mine, own, unlocked=unlocked), unit)

    @rule(which=which, twist=twist, where=where)
    def release(self, which: int, twist: str, where: int | None) -> None:
        grant = self._some(which, twist)
        self._do(
            where,
            lambda mine: self.leases.release(mine, grant),
            lambda connection: statements.release(connection, grant, lock_wait=LOCK_WAIT).released,
            lambda _, at: GrantEnded(grant, at),
        )

    @rule(which=st.lists(which, max_size=3, unique=True), twist=twist, where=where, dead=st.booleans())
    def settle_or_end_dead(self, which: list[int], twist: str, where: int | None, dead: bool) -> None:
        grants = list(dict.fromkeys(self._some(one, twist) for one in which))
        end = statements.end_dead if dead else statements.settle
        self._do(
            where,
            lambda mine: self.leases.end_all(mine, grants, stale_only=not dead),
            lambda connection: end(connection, grants),
            GrantEnded,
        )

    @rule(which=which, twist=twist, where=where, level=st.sampled_from([COMMITTED, REPEATABLE]))
    def fence_and_write(self, which: int, twist: str, where: int | None, level: str) -> None:
        """A transaction that stays open writes only when it is committed: between the two the fence alone protects it."""
        grant = self._some(which, twist)
        self._do(
            where,
            lambda mine: self.leases.fence(mine, grant),
            lambda connection: statements.fence(connection, grant),
            lambda _, at: Written(grant, at),
            level=level,
            fence=True,
        )

    @rule(name=a_name)
    def time_passes(self, name: str) -> None:
        if self.leases.may_change(self._own(name)):
            self.lines.lapse(self._own(name))
            self.leases.lapse(self._own(name))

    @rule(name=a_name, holder=a_holder)
    def a_lease_goes_stale_before_the_eyes_of_a_long_transaction(self, name: str, holder: str) -> None:
        """Which sees it: the clock is not that of its beginning (rule 1)."""
        if 0 in self.open:
            self._end(self.open.pop(0), commit=True)
        self.begin(0, COMMITTED)
        self.time_passes(name)
        self.grant([name], holder, 0, False)

    @rule(where=st.integers(0, 1), level=st.sampled_from([COMMITTED, REPEATABLE]))
    def begin(self, where: int, level: str) -> None:
        """A longer transaction: it has begun, and read, before what it is for."""
        if where not in self.open and not (self.lines.sqlite and level == COMMITTED):
            self.open[where] = self._begun(level, fence=True, snapshot=level == REPEATABLE)
            self.open[where].line.look()

    @rule(where=st.integers(0, 1), commit=st.sampled_from([True, True, False]))
    def end(self, where: int, commit: bool) -> None:
        if where in self.open:
            self._end(self.open.pop(where), commit=commit)

    # What must hold

    @invariant()
    def the_rows_are_as_the_model_has_them(self) -> None:
        """Also: none was deleted, each grant counted its token up by one, and nobody changed what is another's."""
        names = [self._own(name) for name in NAMES]
        records = self.lines.read(statements.reading(names))
        found = {name: (record.token, record.holder, record.live) for name, record in records.items()}
        assert found == {
            name: (row.token, row.holder, row.holder is not None and not row.stale)
            for name, row in self.leases.rows.items()
        }

    def teardown(self) -> None:
        for one in list(self.begun):
            self._end(one, commit=False)
        heights = [HighestToken(name, row.token) for name, row in self.leases.rows.items()]
        assert check([*self.facts, *heights]) == []
        sql = text("SELECT count(*) FROM written WHERE name LIKE :mine")
        written = self.lines.read(lambda connection: connection.scalar(sql, {"mine": self._own("%")}))
        assert written == sum(isinstance(fact, Written) for fact in self.facts)

    # How

    def _do(
        self,
        where: int | None,
        predict: Predicts,
        unit: Unit,
        fact: Callable[[Any, datetime], Fact] | None = None,
        *,
        level: str = COMMITTED,
        fence: bool = False,
    ) -> Any:
        """Do it where it belongs, compare what it answers with what the model says, and return that; None when it did nothing."""
        self._end_the_old()
        begun = self._transaction(where, level, fence=fence)
        predicted = predict(begun.change)
        # On SQLite a writer begins by being the writer; a fence is the first write of a transaction that has only begun.
        actual = begun.line.run(unit) if begun.level else Answer.BLOCKED
        assert actual == predicted, f"it answers {actual!r}, the model says {predicted!r}"
        if isinstance(actual, Answer):
            self._end(begun, commit=False)
            self.open = {key: one for key, one in self.open.items() if one is not begun}
            return None
        done = actual if isinstance(actual, list) else [actual] if actual is not False else []
        begun.facts = [] if fact is None else [lambda at, one=one: fact(one, at) for one in done]  # type: ignore[misc]
        if begun not in self.open.values():
            self._end(begun, commit=True)
        return actual

    def _end_the_old(self) -> None:
        patience = PATIENCE["sqlite" if self.lines.sqlite else "postgresql"]
        for key, one in list(self.open.items()):
            one.age += 1
            if one.age > patience:
                self._end(self.open.pop(key), commit=True)

    def _transaction(self, where: int | None, level: str, *, fence: bool) -> Open:
        if where is None:
            return self._begun(level, fence=fence)
        one = self.open.get(where)
        if one is None:
            one = self.open[where] = self._begun(level, fence=fence)
        elif one.facts is not None or (not fence and (one.level == REPEATABLE or self.lines.sqlite)):
            return self._begun(level, fence=fence)  # it is used already, or is none of the library's own
        return one

    def _begun(self, level: str, *, fence: bool, snapshot: bool = False) -> Open:
        line = self.lines.line()
        try:
            begun = line.run(lambda _: line.begin(level, deferred=fence))
        except BaseException:
            line.end(commit=False)
            raise
        refused = begun is not None
        one = Open(
            line, self.leases.begin(snapshot=snapshot, writes=not fence and not refused), "" if refused else level
        )
        self.begun.append(one)
        return one

    def _end(self, one: Open, *, commit: bool) -> None:
        if commit and (grant := one.change.fenced) is not None:
            assert self.leases.rows[grant.name].is_of(grant), (
                f"{grant} has ended while a transaction was fenced with it"
            )
            values = {"name": grant.name, "token": grant.token, "holder": grant.holder}
            sql = text("INSERT INTO written VALUES (:name, :token, :holder)")
            assert not isinstance(one.line.run(lambda connection: connection.execute(sql, values)), Answer)
        self.begun.remove(one)
        one.line.end(commit=commit)
        self.leases.end(one.change, commit=commit)
        if commit:
            at = datetime.fromtimestamp(next(self._times), UTC)
            self.facts += [fact(at) for fact in one.facts or ()]

    def _own(self, name: str) -> str:
        return f"{self._example}-{name}"

    def _some(self, which: int, twist: str) -> Grant:
        """Return a grant: one that is held, one that was held once, or one that never was."""
        held = [Grant(name, row.token, row.holder) for name, row in self.leases.rows.items() if row.holder]
        known = [*held, *held, *self.granted] or [Grant(self._own("a"), 1, self._own("anna"))]
        grant = known[which % len(known)]
        match twist:
            case "holder":
                others = [self._own(holder) for holder in HOLDERS if self._own(holder) != grant.holder]
                return Grant(grant.name, grant.token, others[0])
            case "later":
                return Grant(grant.name, grant.token + 1, grant.holder)
            case "earlier":
                return Grant(grant.name, max(grant.token - 1, 1), grant.holder)
            case "name":
                names = [self._own(name) for name in NAMES if self._own(name) != grant.name]
                return Grant(names[which % len(names)], grant.token, grant.holder)
            case _:
                return grant


@pytest.fixture
def lines(database_url: str) -> Iterator[Lines]:
    lines = Lines(database_url)
    yield lines
    lines.close()


@pytest.mark.timeout(60 + EXAMPLES * 2)
@pytest.mark.usefixtures("passing_seconds")
def test_the_statements_do_what_the_model_says(lines: Lines) -> None:
    run_state_machine_as_test(lambda: StatementsMachine(lines), settings=SIZES)  # type: ignore[arg-type] # it takes any factory
