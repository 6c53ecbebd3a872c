"""The look at what a run at work does: asked of its replica through the database, as a cancel is, and answered there.

It is no act: nothing of the run changes, so the record of acts has none of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.values.work import Isolation
from ..errors import CannotAct
from ..jobs.stacks import SeenProcess, Stack
from ..store import statements
from ..store.notices import Notice, notify
from ..version import package_version
from .requester import recordable
from .why import Explanation, read_why_run

_NOBODY_HEARS = {"silent", "stuck"}


@dataclass(frozen=True, slots=True)
class AskedReplica:
    """A question to the replica that holds a run."""

    explained: Explanation
    """How it stood with the run."""
    asked_at: datetime
    token: int
    replica: str
    version: str | None
    """That of the replica's package."""


@dataclass(frozen=True, slots=True)
class StackAnswer:
    """What a run at work does, as its replica saw it."""

    run_id: int
    application: str
    schedule: str
    asked_by: str
    looked_at: datetime
    replica: str
    """The replica that has the run, in a form for people."""
    host: str | None
    pid: int | None
    """The process id of the replica."""
    job: str | None
    """None: it was between two jobs."""
    attempt: int | None
    isolation: Isolation | None
    processes: Sequence[SeenProcess]
    stacks: Sequence[Stack]
    remarks: Sequence[str]
    """What could not be seen, and why."""


def ask(connection: Connection, run_id: int, *, requested_by: str) -> AskedReplica:
    """Ask the replica of a run at work what it does. Raises `NotFound`, `CannotAct` and `NotRecordable`."""
    recordable("requested_by", requested_by)
    explained = read_why_run(connection, run_id)
    row = statements.run.read_look(connection, run_id)
    hears = row is not None and row.state == "running" and explained.state not in _NOBODY_HEARS
    asked_at = statements.run.ask_for_look(connection, run_id, requested_by) if hears else None
    if row is None or asked_at is None:
        raise CannotAct(f"no replica can be asked: {explained.text}")
    notify(connection, explained.application, Notice("cancel", run_id))
    return AskedReplica(explained, asked_at, row.token, _replica(row), row.version)


def read_look(connection: Connection, question: AskedReplica) -> StackAnswer | None:
    """Return the answer, if it is there; raises `CannotAct` if the replica has the run no longer."""
    explained = question.explained
    assert explained.run_id is not None  # noqa: S101 - it is about a run
    row = statements.run.read_look(connection, explained.run_id)
    if row is None or (row.state, row.token) != ("running", question.token):
        name = f"run {explained.run_id} of {explained.schedule}"
        raise CannotAct(
            f"{name} has ended, or is elsewhere than on {question.replica}; `leased show {explained.run_id}` says more"
        )
    if row.looked_at is None or row.looked_at < question.asked_at:
        return None
    seen: dict[str, Any] = json.loads(row.look) or {"seen": {}}
    found = seen["seen"]
    return StackAnswer(
        *(explained.run_id, explained.application, explained.schedule, row.look_asked_by, row.looked_at),
        *(_replica(row), row.host, row.pid),
        *(seen.get("job"), seen.get("attempt"), seen.get("isolation")),
        processes=[SeenProcess(**one) for one in found.get("processes", ())],
        stacks=[Stack(**one) for one in found.get("stacks", ())],
        remarks=found.get("remarks", ()),
    )


def not_answered(question: AskedReplica, within: str) -> CannotAct:
    """Return the error that says what is known all the same."""
    own = package_version()
    why = (
        "it is alive, but busy, or slow to reach the database: ask again"
        if question.version in {None, own}
        else f"it runs leased {question.version}, which may not know `leased stack` of {own}"
    )
    known = [f"{one.what}: {one.text}" for one in question.explained.items if one.what in {"job", "process"}]
    return CannotAct("; ".join([f"{question.replica} has not answered within {within}", why, *known]))


def _replica(row: Row[Any]) -> str:
    return f"{row.host}:{row.pid}" if row.host else str(row.holder)
