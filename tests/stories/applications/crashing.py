"""The jobs of the page "Write a safe job", which crash at a point: its own code, and the same with its key spoiled."""

import os
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from sqlalchemy import event

from daemon import AsyncRun, Run, Schedules
from tests.docs.pages import ROOT, blocks
from tests.support.telling import NEVER, append, opens, tell, wait_for

PAGE = ROOT / "docs" / "how-to" / "schedules" / "write-a-safe-job.md"
KEY = '"key": run.idempotency_key'
INSERT = "INSERT INTO charge (key, account) VALUES (:key, :account) ON CONFLICT DO NOTHING"

Work = Callable[[Run], None]


def program(*changes: tuple[str, str]) -> SimpleNamespace:
    """Return what the page's code defines, with these changes of its text."""
    text = "\n".join(blocks(PAGE, "python"))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    names: dict[str, Any] = {}
    exec(text, names)  # noqa: S102 - the documentation's own
    return SimpleNamespace(**names)


SHOWN = program()
KEYLESS = program((INSERT, "INSERT INTO keyless (key, account) VALUES (:key, :account)"))
CHANGING = program((KEY, '"key": f"{run.idempotency_key}/{run.attempt}"'))

schedules = Schedules("crashing")


def killed_at(point: str, number: int, work: Work, engine: Callable[[], Any]) -> Work:
    """Return a job that is killed in its first attempt: before its insert or commit of that number, or as it returns."""

    def job(run: Run) -> None:
        passed: list[str] = []

        def passes(what: str) -> None:
            passed.append(what)
            if run.attempt == 1 and (what, passed.count(what)) == (point, number):
                os.kill(os.getpid(), signal.SIGKILL)

        @event.listens_for(engine(), "before_cursor_execute")
        def before_statement(
            _connection: Any, _cursor: Any, statement: str, _given: Any, context: Any, _: bool
        ) -> None:
            if "lease" in statement:
                passes("fence")
            if statement.startswith("INSERT"):
                assert passed[-1:] == ["fence"], passed
                passes("insert")
                append("insert", schedule=run.schedule, attempt=run.attempt, given=context.compiled_parameters[0])

        @event.listens_for(engine(), "commit")
        def before_commit(_connection: Any) -> None:
            passes("commit")

        work(run)
        passes("return")

    return job


def killed_with_its_replica(work: Work) -> Work:
    """Return a job that has done its work but is not recorded as done when the test kills its replica."""

    def job(run: Run) -> None:
        work(run)
        tell("worked", run)
        if run.attempt == 1:
            wait_for("never")

    return job


def add(name: str, work: Callable[..., Any]) -> None:
    schedules.add(name, cron=NEVER, params={"account": name}).job(name="job", retries=1, backoff="0.1s")(work)


for variant, of in (("shown", SHOWN), ("keyless", KEYLESS)):
    for point in ("insert", "commit", "return"):
        add(f"{variant}-{point}", killed_at(point, 1, of.charge, of.engine))
    add(f"{variant}-record", killed_with_its_replica(of.charge))
    add(f"{variant}-over", of.charge)
add("changing-return", killed_at("return", 1, CHANGING.charge, CHANGING.engine))
for point, number in (("commit", 3), ("insert", 4)):
    add(f"chunks-{point}", killed_at(point, number, SHOWN.bill, SHOWN.engine))


@schedules.cron(NEVER, name="awaited-record", params={"account": "awaited-record"})
async def awaited(run: AsyncRun) -> None:
    await SHOWN.charge_async(run)
    tell("worked", run)
    if run.attempt == 1:
        await opens("never")
