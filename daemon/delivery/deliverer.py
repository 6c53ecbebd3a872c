"""The deliverer of a replica: it takes messages from the outbox, and sends them.

Any replica delivers what any of its application has written. If no schedule asks for messages, it looks once, and
again if this replica retires a schedule: that may have asked for messages.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection, Row

from lease.errors import LeaseError, StoreUnavailable

from ..answers.questions import explain_schedule
from ..execution.context import ReplicaContext
from ..operations.why import Explanation, Moments, read_why_run
from ..own_thread import beside
from ..scheduling.telling import Told, write
from ..states import DeliveryOutcome
from ..store import statements
from ..store.statements.delivery import LENT, LatelySent
from ..store.statements.schedule import database_time
from ..store.views.output import tails
from ..telemetry import facts
from ..telemetry.facts import Fact, MessageSent, Note
from ..text import counted, target_text
from .message import Message
from .sending import Reply, Sender

LOOK_EVERY = 10.0
"""Seconds between two looks for what others have written, and were killed before they sent it."""
LAST = 2.0
"""The most seconds for which a replica that ends delivers what is left."""
MOST_AT_ONCE = 30
"""So many are sent at a time, each in a thread of its own."""
_MOST_STARTS = 1_000
MOST_OF_A_KIND = 10
"""So many messages of a kind a target gets within `WITHIN`; what comes beyond is told by one message."""
WITHIN = 60.0
GIVEN_UP_AFTER = 3 * 86_400.0
"""Seconds after which a message that could not be delivered is given up."""
_WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0)
LONGEST_WAIT = 3600.0
_SAID = {
    "run.abandoned": "an attempt of run {run} of {schedule} was abandoned, because its process died; ",
    "run.late": "run {run} of {schedule} has not succeeded by its deadline; ",
    "run.long": "run {run} of {schedule} takes long; ",
    "run.stalled": "a job of run {run} of {schedule} hung and was stopped; ",
    "schedule.missed": "{schedule} missed {times}; ",
    "schedule.retired": "{schedule} was retired; ",
    "schedule.recovered": "{schedule} succeeded again; ",
}


class Deliverer:
    """Delivers the messages of a replica's application; ``pages`` is where they link to."""

    def __init__(
        self, context: ReplicaContext, takeover_after: float, sender: Sender, *, pages: str | None = None
    ) -> None:
        self._database, self._notify, self._application = context.database, context.notify, context.application.name
        self._takeover_after = takeover_after
        self._sender = sender
        self._pages = pages
        targets = {schedule.name: schedule.targets for schedule in context.application.schedules}
        self._targets = {name: found for name, found in targets.items() if found}
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._starts: list[tuple[str, int]] = []
        self._sending: set[asyncio.Task[None]] = set()

    def hear(self, fact: Fact) -> None:
        """Take in a fact of this replica: what it has written is sent at once. For any thread."""
        match fact:
            case facts.SchedulesRetired():
                pass
            case _ if not self._targets:
                return
            case facts.RunStarted(run, waited) if run.schedule in self._targets and waited is not None:
                self._starts = [*self._starts[-_MOST_STARTS:], (run.schedule, run.run_id)]
            case facts.RunEnded() | facts.RunRecovered() | facts.RunLate() | facts.RunLong() | facts.TimesSkipped():
                pass
            case _:
                return
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._woken.set)

    async def deliver_on(self) -> None:
        """Deliver until cancelled; what cannot be written or read now is for the next look."""
        self._warn_of_missing_variables()
        while True:
            self._woken.clear()
            try:
                left = await self.step()
                if left is None and not (self._targets or self._sending):
                    await self._woken.wait()
                    continue
            except StoreUnavailable:
                left = None
            except Exception as error:  # noqa: BLE001 - a message must not end the replica
                self._notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))
                left = None
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY if left is None else max(0.0, min(LOOK_EVERY, left))):
                    await self._woken.wait()

    def _warn_of_missing_variables(self) -> None:
        targets = [json.loads(one.address) for found in self._targets.values() for one in found]
        for name in sorted({one[key] for one in targets for key in ("url_env", "secret_env") if key in one}):
            if refusal := self._sender.lacks(name):
                text = f"{refusal.problem}; this replica cannot send what needs it: {refusal.remedy}"
                self._notify(Note(text, is_warning=True))

    async def finish(self, seconds: float = LAST) -> None:
        """Deliver what can be delivered at once, for so many seconds at most; the rest is for others, or for later."""
        with suppress(TimeoutError, StoreUnavailable):
            async with asyncio.timeout(seconds):
                while (self._targets or self._woken.is_set()) and (
                    (left := await self.step()) is not None or self._sending
                ):
                    if self._sending:
                        await asyncio.wait(self._sending)
                    elif left is None or left > 0:
                        break
        for task in self._sending:
            task.cancel()

    async def step(self) -> float | None:
        """Begin to send what is due; return in how many seconds there may be more, None if nothing waits."""
        starts, self._starts = self._starts, []
        if starts:
            await self._database.write(partial(self._write_starts, starts=starts))
        left = await self._database.read(lambda c: statements.delivery.until_due(c, self._application))
        if left is None or left > 0:
            return left
        if len(self._sending) >= MOST_AT_ONCE:
            return LOOK_EVERY  # the end of one wakes it
        for row, folded in await self._database.write(self._take):
            task = asyncio.create_task(self._deliver(row, folded))
            self._sending.add(task)
            task.add_done_callback(self._sent)
        return await self._database.read(lambda c: statements.delivery.until_due(c, self._application))

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._sending.discard(task)
        self._woken.set()

    def _write_starts(self, connection: Connection, starts: list[tuple[str, int]]) -> None:
        ids = statements.delivery.keys_of(connection, [run_id for _, run_id in starts])
        told = [(Told("ping.start", ids[run], run), self._targets[name]) for name, run in starts if run in ids]
        write(connection, self._application, told)

    def _take(self, connection: Connection) -> list[tuple[Row[Any], int]]:
        """Claim what is due; return the messages to send, each with the number of others that it stands for."""
        name = self._application
        if not (rows := statements.delivery.claim(connection, name, MOST_AT_ONCE - len(self._sending))):
            return []
        lately = statements.delivery.lately_sent(connection, name, WITHIN)
        gone = statements.delivery.gone(connection, name)
        starts = [row.run_id for row in rows if row.kind == "ping.start"]
        at_work = statements.delivery.at_work(connection, starts) if starts else set()
        taken = list[tuple[Row[Any], int]]()
        for row in rows:
            sent, is_over = lately.get((row.target, row.kind)), row.run_id not in at_work
            match before_sending(row.kind, sent, held=bool(row.held), is_over=is_over, gone=row.target in gone):
                case "send":
                    taken.append((row, row.folded))
                case "fold":
                    taken.append((row, statements.delivery.fold(connection, row)))
                case "dropped":
                    statements.delivery.forget(connection, row.id)
                case "gone":
                    statements.delivery.end(connection, row.id, "gone")
                case seconds:
                    statements.delivery.hold(connection, row.id, seconds)
        return taken

    async def _deliver(self, row: Row[Any], folded: int) -> None:
        """Send a message, and record what came back; a claim that is not answered for runs out by itself."""
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(LENT - 1):
                message = await self._database.read(lambda c: self._message(c, row, folded))
                answer = await self._sender.send(json.loads(row.target), message)
                outcome = await self._database.write(lambda c: self._record(c, row, answer))
                if not answer.dropped:
                    error = None if answer.delivered else answer.text
                    of = (row.application, row.called, row.run_id, row.kind, target_text(row.target))
                    self._notify(MessageSent(*of, outcome, error))

    def _message(self, connection: Connection, row: Row[Any], folded: int) -> Message:
        found, output = None, ""
        try:
            found = self._why(connection, row)
            output = "\n".join(tails(connection, row.run_id).values()) if row.kind == "ping.fail" else ""
        except LeaseError:
            raise
        except Exception:  # noqa: BLE001, S110 - it was pruned, say: the message says what it can
            pass
        begins = _SAID.get(row.kind, "{schedule}: " if found is None else "")
        begins = begins.format(run=row.run_id, schedule=row.called, times=counted(row.times, "scheduled time"))
        return Message(
            row.id,
            row.kind,
            row.application,
            row.called,
            row.run_id,
            row.created_at,
            begins + (row.kind if found is None else found.text),
            () if found is None else found.next,
            row.times,
            folded,
            output,
            self._pages,
        )

    def _why(self, connection: Connection, row: Row[Any]) -> Explanation:
        moments = Moments(database_time(connection))
        if row.run_id is not None:
            return read_why_run(connection, row.run_id, moments)
        return explain_schedule(connection, row.called, row.application, self._takeover_after, moments)

    def _record(self, connection: Connection, row: Row[Any], answer: Reply) -> DeliveryOutcome:
        """Record what came back, and return what that means for the message."""
        record, is_ping = statements.delivery, row.kind.startswith("ping.")
        if is_ping and (not answer.delivered or row.attempts > 1):
            record.drop_superseded(connection, row)
        if answer.delivered:
            if is_ping:
                record.forget(connection, row.id)
            else:
                record.end(connection, row.id, "delivered")
            return "delivered"
        if answer.gone:
            record.end(connection, row.id, "gone", answer.text)
            record.end_all(connection, row.application, row.target, "gone")
            return "gone"
        match after_failure(row.kind, row.attempts, row.age, answer.after):
            case "given up":
                record.end(connection, row.id, "given up", answer.text)
                record.end_all(connection, row.application, row.target, "given up", older_than=GIVEN_UP_AFTER)
                return "given up"
            case seconds:
                record.put_back(connection, row, seconds, answer.text)
                return "failed"


def before_sending(
    kind: str, lately: LatelySent | None, *, held: bool, is_over: bool, gone: bool
) -> Literal["send", "fold", "gone", "dropped"] | float:
    """Return what to do with a message that a claim has taken; seconds: hold it for so long, and then let it tell all of its
    kind. ``lately`` has the messages of this kind that its target got; ``gone`` says that the target is. Pure.
    """
    if gone:
        return "gone"
    if kind == "ping.start" and is_over:
        return "dropped"
    if held:
        return "fold"
    if kind.startswith("ping.") or lately is None or lately.count < MOST_OF_A_KIND:
        return "send"
    return max(1.0, WITHIN - lately.since)


def after_failure(kind: str, attempts: int, age: float, asked: float | None) -> Literal["given up"] | float:
    """Return in how many seconds a message is sent again; ``asked`` is what its target asks for. Pure."""
    if kind == "ping.start" or age > GIVEN_UP_AFTER:  # a start that comes late would be taken for another run's
        return "given up"
    wait = _WAITS[attempts - 1] if attempts <= len(_WAITS) else LONGEST_WAIT
    return min(LONGEST_WAIT, max(wait, asked or 0.0))


@asynccontextmanager
async def delivering(context: ReplicaContext, *, takeover_after: float, pages: str | None) -> AsyncIterator[None]:
    """Deliver in the background during the block, and what is left at its end."""
    sender = Sender(os.environ, context.application.source.parent)
    deliverer = Deliverer(context, takeover_after, sender, pages=pages)
    context.listeners.append(deliverer.hear)
    try:
        async with beside(deliverer.deliver_on()):
            yield
    finally:
        context.listeners.remove(deliverer.hear)
        await deliverer.finish()
