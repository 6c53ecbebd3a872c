"""The batcher: what runs need to have written at one moment, in one transaction (rule 15)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from lease.database.database import Database
from lease.errors import StoreUnavailable

from ..claim import ClaimedRun
from .transactions import PATIENCE, Answer, EndRun, NothingWritten, PassedOver, RunWrite, write_set

Claim = Callable[[Connection, int], list[ClaimedRun]]
"""Claims up to so many runs in a transaction."""

MOST = 100
"""The writes of one set, and the runs of one claim with it, at most."""
_IN_SETS = 3
"""How often a write whose rows are locked is passed over before it waits by itself."""
_ALONE = 2
"""How many wait by themselves at a time: others need connections too."""


class WriteBatcher:
    """Writes what is asked for set by set: what comes while one is under way goes with the next.

    A write that is refused, or whose row is locked, neither fails nor delays the others. Each method raises
    `StoreUnavailable` if it is not known whether the write took effect; it may be repeated. Use it in one event loop.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next: list[_Waiting] = []
        self._claims: list[_Claiming] = []
        self._writer: asyncio.Task[None] | None = None
        self._alone: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_ALONE)
        self.hear_end: Callable[[], None] = lambda: None
        """Called as soon as the end of a run is to be written: a claim that is asked for now goes with it."""

    @property
    def ending(self) -> bool:
        """The next set has ends of runs."""
        return any(isinstance(waiting.write, EndRun) for waiting in self._next)

    async def write(self, write: RunWrite[Answer]) -> Answer:
        """Write it with the next set; return what became of it."""
        waiting = _Waiting(write)
        self._next.append(waiting)
        if isinstance(write, EndRun):
            self.hear_end()
        self._go()
        answer: Answer = await waiting.answer
        return answer

    async def claim(self, claim: Claim, places: Callable[[int], int]) -> list[ClaimedRun]:
        """Claim runs with the next set; ``places`` says how many there is room for when so many have ended with it."""
        claiming = _Claiming(claim, places)
        self._claims.append(claiming)
        self._go()
        claimed: list[ClaimedRun] = await claiming.answer
        return claimed

    def _go(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_sets())

    async def _write_sets(self) -> None:
        while self._next or self._claims:
            wanted = [waiting for waiting in self._next if not waiting.answer.cancelled()]
            these, self._next = wanted[:MOST], wanted[MOST:]
            claims, self._claims = self._claims, []
            if these or claims:
                await self._write_set(these, claims)
                await asyncio.sleep(0)  # who has been answered goes on first, and its place is free for the next set

    async def _write_set(self, these: "Sequence[_Waiting]", claims: "Sequence[_Claiming]" = ()) -> None:
        all_ = [*these, *claims]
        ending = sum(isinstance(waiting.write, EndRun) for waiting in these)
        places = [claiming.places(ending) for claiming in claims]  # here: a transaction may run in another thread

        def transaction(connection: Connection) -> tuple[list[Any], list[list[ClaimedRun]]]:
            written = write_set(connection, [waiting.write for waiting in these])
            return written, [one.claim(connection, limit) for one, limit in zip(claims, places, strict=True)]

        try:
            answers, claimed = await self._database.write(transaction)
        except StoreUnavailable as error:
            for one in all_:
                one.fail(error)
        except asyncio.CancelledError:  # what is cut off can raise that too, and nobody must wait for ever
            for one in all_:
                one.fail(StoreUnavailable("the transaction was cut off"))
            if (writer := asyncio.current_task()) is not None and writer.cancelling():
                raise
        except Exception as error:  # noqa: BLE001 - one of them is at fault, and the others are not
            if len(all_) == 1:
                all_[0].fail(error)
                return
            for waiting in these:
                await self._write_set([waiting])
            for claiming in claims:
                await self._write_set([], [claiming])
        else:
            for waiting, answer in zip(these, answers, strict=True):
                self._answer(waiting, answer)
            for claiming, runs in zip(claims, claimed, strict=True):
                claiming.give(runs)

    def _answer(self, waiting: "_Waiting", answer: Any) -> None:
        if not isinstance(answer, PassedOver):
            waiting.give(answer)
            return
        waiting.passed_over += 1
        if waiting.passed_over < _IN_SETS:
            self._next.append(waiting)
            return
        task = asyncio.create_task(self._write_alone(waiting))
        self._alone.add(task)
        task.add_done_callback(self._alone.discard)

    async def _write_alone(self, waiting: "_Waiting") -> None:
        async with self._places:
            try:
                answers = await self._database.write(lambda c: write_set(c, [waiting.write], patience=PATIENCE))
            except Exception as error:  # noqa: BLE001 - for who asked
                waiting.fail(error)
            else:
                self._answer(waiting, *answers)


@dataclass(slots=True, kw_only=True)
class _Asked:
    """Who waits for an answer."""

    answer: "asyncio.Future[Any]" = field(default_factory=asyncio.Future)

    def give(self, answer: Any) -> None:
        if isinstance(answer, NothingWritten):
            self.fail(answer)
        elif not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(slots=True)
class _Waiting(_Asked):
    write: RunWrite[Any]
    passed_over: int = 0


@dataclass(slots=True)
class _Claiming(_Asked):
    claim: Claim
    places: Callable[[int], int]
