"""The loan of a client's wires: who finds none waits in line for it."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import pytest

from lease.background import BackgroundLoop
from lease.calls import steps
from lease.calls.steps import Elsewhere, Steps, WirePool
from lease.database.wires import Wire
from lease.threads import _AT_ONCE, caller
from tests.support.waiting import LIMIT, wait_until

MOST = 2


class FakeWire:
    is_well = True
    was_cut = False
    is_closing = False
    was_closed = False
    error: Exception | None = None

    def __init__(self) -> None:
        self.may_close = threading.Event()
        self.may_close.set()

    def cut(self) -> None:
        self.was_cut = True

    def close(self, seconds: float) -> None:
        self.is_closing = True
        self.may_close.wait(LIMIT)
        self.was_closed = True
        if self.error is not None:
            raise self.error


class Borrower:
    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.was_overdue = 0

    def is_overdue(self) -> None:
        self.was_overdue += 1


class Lender:
    """A loan, and what it made."""

    def __init__(self, loop: BackgroundLoop, timeout: float) -> None:
        self.made: list[FakeWire] = []
        self.asked = 0
        self.fails = False
        self.pool = WirePool(loop, self._connect, timeout, MOST)
        self.loop = loop

    async def _connect(self) -> Wire:
        self.asked += 1
        if self.fails:
            raise OSError("there is no connection left")
        self.made.append(FakeWire())
        return cast("Wire", self.made[-1])

    def begin(self, by: Borrower, *, first: bool = False) -> Callable[[], Wire | None]:
        """Begin to borrow; what is returned waits for the end of that."""
        steps: Steps[Wire | None] = self.pool.borrow(by, first=first)
        try:
            step = steps.send(None)
        except StopIteration as end:
            wire: Wire | None = end.value
            return lambda: wire
        assert isinstance(step, Elsewhere)

        def end_it() -> Wire | None:
            step.future.result(LIMIT)
            with pytest.raises(StopIteration) as end:
                steps.send(None)
            return cast("Wire | None", end.value.value)

        if self.pool._may_come:
            wait_until(lambda: step.future.done() or by.owner in self.waiting, "it waits, or need not")
        return end_it

    def borrow_at_once(self) -> Wire | None:
        """Borrow for one who does not wait, until the library's thread has done what comes of it."""
        with pytest.raises(StopIteration) as end:
            self.pool.borrow(Borrower(1), waits=False).send(None)
        self.do(lambda: None)
        return cast("Wire | None", end.value.value)

    def do(self, step: Callable[[], object]) -> None:
        async def done() -> None:
            step()
            await asyncio.sleep(0)  # what it has begun begins

        self.loop.submit(done).result(LIMIT)

    @property
    def waiting(self) -> dict[Any, Any]:
        return {**self.pool._first, **self.pool._others}

    def borrow(self, owner: object) -> Borrower:
        by = Borrower(owner)
        assert self.begin(by)() is not None
        return by


@pytest.fixture
def timeout() -> float:
    return LIMIT


@pytest.fixture
def lender(timeout: float) -> Iterator[Lender]:
    loop = BackgroundLoop("loan")
    lender = Lender(loop, timeout)
    yield lender
    for wire in lender.made:
        wire.may_close.set()
    for by in [place.by for place in lender.waiting.values()] + list(lender.pool._borrowers.values()):
        loop.submit(partial(lender.pool.take_back, by)).result(LIMIT)
    assert lender.pool._borrowers == {}
    loop.submit(lender.pool.end).result(LIMIT)
    loop.stop()


def test_another_is_made_only_for_one_who_finds_none_free(lender: Lender) -> None:
    lender.pool.give_back(lender.borrow(1))
    first = lender.borrow(2)
    assert len(lender.made) == 1
    second = lender.borrow(3)
    assert len(lender.made) == 2
    assert {lender.pool._slot_of(first), lender.pool._slot_of(second)} == {0, 1}


def test_however_many_ask_together_no_more_are_made_than_there_may_be(lender: Lender) -> None:
    asked = [Borrower(number) for number in range(MOST + 2)]
    lender.do(lambda: [asyncio.ensure_future(lender.pool._wait(by, first=False)) for by in asked])
    wait_until(lambda: len(lender.pool._borrowers) == MOST, "they are lent")
    assert lender.asked == len(lender.made) == MOST


def test_who_finds_none_free_waits_for_the_one_that_there_is_where_no_more_can_be_made(lender: Lender) -> None:
    lent = lender.borrow(1)
    lender.fails = True
    ends = [lender.begin(Borrower(number)) for number in (2, 3)]
    assert lender.borrow_at_once() is None
    assert lender.asked == 2, "nor is it tried again soon"
    lender.pool.give_back(lent)
    assert ends[0]() is not None


def test_those_who_wait_get_one_in_the_order_in_which_they_came_and_releases_first(lender: Lender) -> None:
    lent = [lender.borrow(1), lender.borrow(2)]
    order = [Borrower(name) for name in "aBc"]
    ends = {by.owner: lender.begin(by, first=str(by.owner).isupper()) for by in order}
    for owner in ("B", "a", "c"):
        lender.begin(Borrower(f"after {owner}"))
        lender.pool.give_back(lent.pop(0))
        assert ends[owner]() is not None
        lent.append(next(by for by in order if by.owner == owner))
        assert f"after {owner}" in lender.waiting, "nobody passes who waits"
    assert len(lender.made) == MOST


@pytest.mark.parametrize("timeout", [0.2])
def test_none_waits_longer_than_an_attempt_takes(lender: Lender) -> None:
    lent = [lender.borrow(1), lender.borrow(2)]
    assert lender.begin(Borrower(3))() is None
    assert lender.waiting == {}
    assert all(by in lender.pool._borrowers.values() for by in lent)


def test_none_waits_where_none_can_be_made(lender: Lender) -> None:
    lender.fails = True
    ends = [lender.begin(Borrower(number)) for number in range(3)]
    assert [end() for end in ends] == [None] * 3
    with pytest.raises(StopIteration):  # the next does not even ask
        lender.pool.borrow(Borrower(3)).send(None)


@pytest.mark.parametrize("first", [True, False])
def test_nobody_passes_those_who_wait_also_in_the_moment_in_which_one_is_given_back(
    lender: Lender, *, first: bool
) -> None:
    lent, goes_on = [lender.borrow(1), lender.borrow(2)], threading.Event()
    waits = lender.begin(Borrower(3), first=first)
    lender.loop.soon(lambda: goes_on.wait(LIMIT))
    lender.pool.give_back(lent.pop())
    steps = lender.pool.borrow(Borrower(4))
    assert isinstance(steps.send(None), Elsewhere)
    goes_on.set()
    assert waits() is not None


@pytest.mark.parametrize("first", [True, False])
def test_a_handler_does_not_wait_for_what_the_thread_has_that_it_interrupts(lender: Lender, *, first: bool) -> None:
    lent = [lender.borrow(1), lender.borrow(2)]
    waits = lender.begin(Borrower(3), first=first)
    assert lender.begin(Borrower(1))() is None, "it has one"
    assert lender.begin(Borrower(3))() is None, "it waits for one"
    lender.pool.give_back(lent.pop())
    assert waits() is not None


def test_one_that_was_cut_short_in_line_is_lent_none(lender: Lender) -> None:
    lent, cut = [lender.borrow(1), lender.borrow(2)], Borrower(3)
    waits = lender.begin(cut)
    lender.loop.submit(lambda: lender.pool.take_back(Borrower(3))).result(LIMIT)
    assert 3 in lender.waiting, "it was another call of the same thread that was cut short"
    lender.loop.submit(lambda: lender.pool.take_back(cut)).result(LIMIT)
    assert waits() is None
    lender.pool.give_back(lent.pop())
    lender.loop.submit(lambda: lender.pool._wait(cut, first=False)).result(LIMIT)  # it was on its way there
    assert cut not in lender.pool._borrowers.values()
    assert lender.waiting == {}


def test_one_whose_task_has_gone_can_be_taken_back(lender: Lender) -> None:
    by = Borrower(caller())

    async def come() -> None:
        by.owner = caller()

    asyncio.run(come())
    gc.collect()
    lender.loop.submit(lambda: lender.pool.take_back(by)).result(LIMIT)


def test_what_was_given_back_without_a_word_is_passed_on_by_whoever_puts_it_right(lender: Lender) -> None:
    """As by one who was cut short in the midst of that."""
    lent = [lender.borrow(1), lender.borrow(2)]
    waits = lender.begin(Borrower(3))
    lender.pool._borrowers.pop(lender.pool._slot_of(lent[0]))
    lender.loop.submit(lambda: lender.pool.take_back(lent[0])).result(LIMIT)
    assert waits() is not None


def test_no_other_is_made_before_one_that_was_taken_back_is_closed(lender: Lender) -> None:
    """What its borrower had sent may be under way, and its server has that connection until it has ended."""
    lent = [lender.borrow(1), lender.borrow(2)]
    waits = [lender.begin(Borrower(3))]
    for wire in lender.made:
        wire.may_close.clear()
    for by in lent:
        lender.loop.begin(partial(lender.pool.take_back, by))
    waits.append(lender.begin(Borrower(4)))
    assert len(lender.made) == MOST
    assert lender.pool._connecting is None
    lender.made[1].may_close.set()
    assert waits[0]() is not None
    assert len(lender.made) == MOST + 1


def test_one_that_was_taken_back_is_closed_also_if_who_waits_for_that_is_cut_off(lender: Lender) -> None:
    by, go_on = lender.borrow(1), threading.Event()

    def occupy_all_threads() -> None:
        for _ in range(_AT_ONCE):
            asyncio.get_running_loop().run_in_executor(None, go_on.wait, LIMIT)

    lender.do(occupy_all_threads)
    taking = lender.loop.submit(lambda: lender.pool.take_back(by))
    wait_until(lambda: lender.pool._closing, "it is to be closed")
    lender.do(taking.cancel)
    go_on.set()
    wait_until(lambda: lender.made[0].was_closed, "it is closed")


def test_no_error_of_closing_one_is_logged_nor_that_nobody_waited_for_it(
    lender: Lender, caplog: pytest.LogCaptureFixture
) -> None:
    lent = [lender.borrow(1), lender.borrow(2)]
    for wire in lender.made:
        wire.may_close.clear()
        wire.error, wire.is_well = OSError("no thread could be started for it"), False
    taking = lender.loop.submit(lambda: lender.pool.take_back(lent[0]))
    lender.pool.give_back(lent[1])
    wait_until(lambda: all(wire.is_closing for wire in lender.made), "threads are at it")
    lender.do(taking.cancel)
    for wire in lender.made:
        wire.may_close.set()
    wait_until(lambda: all(wire.was_closed for wire in lender.made), "both are closed")
    wait_until(lambda: not lender.pool._closing, "it is known")
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("timeout", [0.02])
def test_one_that_is_had_for_longer_than_an_attempt_is_cut_off_also_after_a_rest(lender: Lender) -> None:
    for _ in range(2):
        by = lender.borrow(1)
        wait_until(lambda: lender.made[0].was_cut, "it is cut off")
        wait_until(lambda: by.was_overdue > 1, "and again, if that does not help")  # noqa: B023
        lender.pool.give_back(by)
        wait_until(lambda: not lender.pool._watched, "nobody has any")
        lender.made[0].was_cut = False


def test_who_has_one_again_and_again_is_not_cut_off(lender: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    now, by = 1000.0, Borrower(1)
    monkeypatch.setattr(steps, "monotonic", lambda: now)
    for _ in range(3):
        assert lender.begin(by)() is not None
        lender.do(lender.pool._look)
        now += LIMIT
        lender.pool.give_back(by)
    assert by.was_overdue == 0
    assert lender.begin(by)() is not None
    lender.do(lender.pool._look)
    now += LIMIT
    lender.do(lender.pool._look)
    lender.do(lender.pool._look)
    assert by.was_overdue == 1, "who is cut off has as long again"


def test_those_who_wait_are_answered_when_the_client_is_closed(lender: Lender) -> None:
    lent = [lender.borrow(1), lender.borrow(2)]
    waits = lender.begin(Borrower(3))
    ending = lender.loop.submit(lender.pool.end)
    assert waits() is None
    for by in lent:
        lender.pool.give_back(by)
    assert ending.result(LIMIT)
    assert all(wire.was_closed for wire in lender.made)
    assert lender.borrow_at_once() is None
    assert lender.asked == MOST, "no other is made"


def test_who_asks_while_its_client_is_being_closed_is_lent_none_and_waited_for_by_nobody(lender: Lender) -> None:
    lent = [lender.borrow(1), lender.borrow(2)]
    lender.pool.give_back(lent.pop())
    ending = lender.loop.submit(lender.pool.end)
    lender.do(lambda: None)
    assert lender.begin(Borrower(3))() is None
    lender.pool.give_back(lent.pop())
    assert ending.result(LIMIT / 4), "nobody was waited for"


def test_a_client_is_closed_only_when_what_was_taken_back_is(lender: Lender) -> None:
    by = lender.borrow(1)
    lender.made[0].may_close.clear()
    lender.loop.begin(partial(lender.pool.take_back, by))
    ending = lender.loop.submit(lender.pool.end)
    lender.do(lambda: None)
    assert not ending.done()
    lender.made[0].may_close.set()
    assert ending.result(LIMIT)


@pytest.mark.parametrize("timeout", [0.02])
def test_one_that_is_given_back_when_its_client_has_been_closed_is_closed(
    lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_AFTER_THE_CUT", 0.02)
    lent = [lender.borrow(1), lender.borrow(2)]
    assert not lender.loop.submit(lender.pool.end).result(LIMIT), "what they have sent may still happen"
    assert all(wire.was_cut for wire in lender.made)
    lender.pool.give_back(lent[0])
    wait_until(lambda: lender.made[0].was_closed, "in the library's thread")
    monkeypatch.setattr(lender.loop, "soon", lambda _: False)  # as when that has ended
    lender.pool.give_back(lent[1])
    assert lender.made[1].was_closed
    monkeypatch.undo()


def test_who_does_not_wait_finds_one_the_next_time(lender: Lender) -> None:
    assert lender.borrow_at_once() is None
    wait_until(lambda: lender.made, "one is made")
    wait_until(lambda: lender.borrow_at_once() is not None, "it is lent")
    assert len(lender.made) == 1
