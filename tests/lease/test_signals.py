"""Signals that interrupt a program anywhere, one by one and in pairs, and blocks that nobody leaves: no lease stays
held by a client whose program has nothing, and the client goes on. By public names, SQL and signals alone.

`make proof NAME=signals COUNT=10000` tries it that often, on both databases.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from types import FrameType

import pytest

import lease
import lease.sync
from lease import LeaseTiming
from tests.lease.stores import Tables
from tests.support.waiting import LIMIT, wait_until

pytestmark = [
    pytest.mark.usefixtures("processes", "passing_seconds", "own_heap"),
    # What a signal raises in a finalizer, or in a callback of the garbage collector, cannot arrive.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of event loops that were interrupted as they were closed
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
]
COUNT = int(os.environ.get("LEASED_TEST_SIGNALS", "15"))
SOON = 0.012
"""Seconds within which the first signal comes: an acquisition and a release take less."""
GAPS = (20e-6, 200e-6)
"""Seconds from the first signal of a pair to the second."""
ASYNCIO = str(Path(asyncio.__file__).parent)
PATIENCE = 3.0
"""Seconds for which a program may take to end after the last signal."""
TIMING = LeaseTiming(ttl=30, renew_every=0.5, kill_time=1.2)
OFTEN = LeaseTiming(ttl=20, renew_every=0.05, kill_time=0.2)


@dataclass
class Found:
    """What was found after so many interruptions."""

    left: int = 0
    """After how many something was left at the first look."""
    longest: float = 0.0
    """Seconds until nothing was."""
    hangs: int = 0
    """After how many asyncio.run did not end by itself."""
    wrecks: int = 0
    """After how many asyncio's event loop passed for running for ever."""


class Interruption:
    """Signals that come after ``delay``, ``gap`` apart if there are two; each does what Ctrl-C does."""

    def __init__(self, delay: float, gap: float | None) -> None:
        self.left = 1 if gap is None else 2
        self.hangs = 0
        self._last = 0.0
        self._delay = delay
        self._gap = gap or 0.05  # again, where the first one is lost in a finalizer

    def begin(self) -> None:
        signal.signal(signal.SIGALRM, self._handle)
        signal.setitimer(signal.ITIMER_REAL, self._delay, self._gap)

    def _handle(self, _number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.left == 0:  # the timer of the last may have come again before it was set
            if now < self._last + PATIENCE:
                return
            # A second Ctrl-C can make asyncio.run itself forget the step of a task: whoever sits there presses again.
            self.hangs += 1
            self._last = now
            raise KeyboardInterrupt
        self.left -= 1
        self._last = now
        if self.left == 0:
            signal.setitimer(signal.ITIMER_REAL, PATIENCE + 0.01, PATIENCE)
        handler = signal.getsignal(signal.SIGINT)  # asyncio's own, while `asyncio.run` has set it
        assert callable(handler)
        handler(signal.SIGINT, frame)

    def again(self) -> None:
        """Let what was lost come once more."""
        if self.left == 0:
            self.left = 1
            self.begin()


def interrupted(work: Callable[[], object], interruption: Interruption) -> None:
    """Repeat ``work`` until all signals have arrived in it."""
    try:
        interruption.begin()
        while True:
            interruption.again()
            work()
    except (KeyboardInterrupt, asyncio.CancelledError):  # `asyncio.run` raises this before it counts its interruptions
        while interruption.left:
            pass


def interrupted_anywhere(work: Callable[[], object], interruption: Interruption) -> None:
    """The same, also where one arrives outside of the work; any other error than `KeyboardInterrupt` is raised."""
    try:
        try:
            interrupted(work, interruption)
        except KeyboardInterrupt:  # the second
            return
    except KeyboardInterrupt:  # or the second, as the first came just there
        return
    except RuntimeError as error:
        # asyncio's own, where a second Ctrl-C comes while `asyncio.run` ends
        if not traceback.extract_tb(error.__traceback__)[-1].filename.startswith(ASYNCIO):
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def apart(step: Callable[[], object]) -> Iterator[None]:
    """Do it in a generator: a signal at the end of an `except` can leave its exception as the current one, with all
    frames, and that goes with the generator.
    """
    step()
    yield


def interrupt_often(
    work: Callable[[], object],
    tables: Tables,
    is_usable: Callable[[], object],
    *,
    in_pairs: bool,
    seed: int,
    is_wrecked: Callable[[], bool] = lambda: False,
    begin_again: Callable[[], object] = lambda: None,
) -> Found:
    """Interrupt ``work`` anywhere; nothing stays held, and the client stays usable.

    Two signals can wreck `asyncio.run` itself: its loop then passes for running for ever, with all that is in it. Such
    a program can only end, and close its client: it is made to ``begin_again``.
    """
    chance, found = Random(seed), Found()
    for _ in range(COUNT):
        interruption = Interruption(chance.uniform(0.0001, SOON), chance.uniform(*GAPS) if in_pairs else None)
        list(apart(partial(interrupted_anywhere, work, interruption)))
        begun = time.monotonic()
        found.hangs += interruption.hangs
        end_asyncio()
        limit = TIMING.ttl / 2  # what is released does not wait for its ttl
        if is_wrecked():
            found.wrecks += 1
            begin_again()
            limit += TIMING.ttl  # a client that is closed while its work may go on leaves its lease to its ttl
        if not is_free(tables):
            found.left += 1
            wait_until(lambda: is_free_once_collected(tables), "nothing is held, nobody waits", limit=limit)
        is_usable()
        found.longest = max(found.longest, time.monotonic() - begun)
    sys.stdout.write(f"{COUNT} {'pairs' if in_pairs else 'single ones'}: {found}\n")
    return found


def end_asyncio() -> None:
    """Do what `asyncio.run` does at its end, unless it is interrupted in that."""
    asyncio._set_running_loop(None)
    asyncio.set_event_loop(None)
    sys.set_asyncgen_hooks(None, None)


def is_free(tables: Tables) -> bool:
    record = tables.read("a")
    return record is None or not (record.live or record.waiting)


def is_free_once_collected(tables: Tables) -> bool:
    """Look after the collector has run, as it does in a program that goes on: of an event loop that was interrupted as
    it was closed, nothing else ends what ran in it.
    """
    collect()
    return is_free(tables)


def collect() -> None:
    """Collect garbage, and then give the client's own thread as long to run: it cannot while the collector does."""
    began = time.monotonic()
    gc.collect()
    time.sleep(time.monotonic() - began)


@pytest.fixture
def seed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # pytest's keeps each exception, and so the frames
    before = signal.getsignal(signal.SIGALRM)
    # A run that inherited SIGINT as ignored (nohup, a script's `&`) has a handler that does nothing.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield int(os.environ.get("LEASED_TEST_SEED") or 24)
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("in_pairs", [False, True], ids=["one", "two"])
def test_a_thread_that_is_interrupted_anywhere_leaves_nothing(
    database_url: str, tables: Tables, in_pairs: bool, seed: int
) -> None:
    with lease.sync.LeaseClient(database_url, timing=TIMING) as client:

        def hold() -> None:
            with client.hold("a", wait=LIMIT):
                pass

        found = interrupt_often(hold, tables, hold, in_pairs=in_pairs, seed=seed)
    assert found.hangs == 0


@pytest.mark.parametrize("in_pairs", [False, pytest.param(True, marks=pytest.mark.extended)], ids=["one", "two"])
def test_an_event_loop_that_is_interrupted_anywhere_leaves_nothing(
    database_url: str, tables: Tables, in_pairs: bool, seed: int
) -> None:
    async def hold(wait: float) -> None:
        async with client.hold("a", wait=wait):
            pass

    async def hold_again_and_again() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        while True:
            await hold(LIMIT)

    def is_wrecked() -> bool:
        return any((loop := found()) is not None and loop.is_running() for found in loops)

    def hold_once() -> None:
        if in_pairs:  # an acquisition may have been left that is granted only now
            wait_until(is_usable_once_collected, "the client acquires it again", limit=TIMING.ttl)
        else:
            asyncio.run(hold(LIMIT))

    def is_usable_once_collected() -> bool:
        collect()
        try:
            asyncio.run(hold(0.1))
        except lease.LeaseNotAcquired:
            return False
        return True

    def begin() -> lease.LeaseClient:
        client = lease.LeaseClient(database_url, timing=TIMING)
        asyncio.run(_enter(client))
        return client

    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    client = begin()

    def begin_again() -> None:
        nonlocal client
        loops.clear()
        asyncio.run(client.__aexit__())
        client = begin()

    try:
        interrupt_often(
            lambda: asyncio.run(hold_again_and_again()),
            tables,
            hold_once,
            in_pairs=in_pairs,
            seed=seed,
            is_wrecked=is_wrecked,
            begin_again=begin_again,
        )
    finally:
        asyncio.run(client.__aexit__())


async def _enter(client: lease.LeaseClient) -> None:
    await client.__aenter__()


class Cycle:
    """What only the garbage collector ends."""

    def __init__(self, generator: object) -> None:
        self.generator = generator
        self.itself = self


def test_a_block_that_the_collector_ends_in_the_heartbeats_thread_is_left(database_url: str, tables: Tables) -> None:
    """The collector runs in whichever thread allocates, and there no client can be waited for."""
    collected = threading.Event()
    with lease.sync.LeaseClient(database_url, timing=OFTEN) as client:
        gc.disable()
        try:
            block = Cycle(client.hold("a"))
            block.generator.__enter__()  # type: ignore[attr-defined]
            del block
            assert tables.record("a").holder == client.holder
            client.acquire("b").watch(lambda _: _collect(collected))
            assert collected.wait(LIMIT)
        finally:
            gc.enable()
        wait_until(lambda: is_free(tables), "it is released", limit=OFTEN.ttl)


def _collect(collected: threading.Event) -> None:
    if threading.current_thread() is not threading.main_thread() and not collected.is_set():
        gc.collect()
        collected.set()


@pytest.mark.parametrize("end", ["closed", "closed, its tasks kept", "forgotten"])
def test_a_block_whose_event_loop_ends_under_it_is_left(database_url: str, tables: Tables, end: str) -> None:
    loops, tasks = [asyncio.new_event_loop()], list[object]()

    async def hold_for_ever(client: lease.LeaseClient, inside: asyncio.Event) -> None:
        async with client.hold("a"):
            inside.set()
            await asyncio.sleep(10 * LIMIT)

    async def begin(client: lease.LeaseClient) -> None:
        inside = asyncio.Event()
        await client.__aenter__()
        tasks.append(asyncio.create_task(hold_for_ever(client, inside)))
        await inside.wait()

    client = lease.LeaseClient(database_url, timing=OFTEN)
    loops[0].run_until_complete(begin(client))
    assert tables.record("a").holder == client.holder
    try:
        if end != "forgotten":
            loops[0].close()
        loops.clear()
        if end != "closed, its tasks kept":
            tasks.clear()
        wait_until(lambda: is_free_once_collected(tables), "it is released", limit=OFTEN.ttl)
        asyncio.run(_hold(client))
    finally:
        tasks.clear()
        gc.collect()  # here, where what it cannot raise is expected
        asyncio.run(client.__aexit__())


async def _hold(client: lease.LeaseClient) -> None:
    async with client.hold("a", wait=LIMIT):
        pass
