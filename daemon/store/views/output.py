"""The output of a run's jobs: what is kept of it, in order, and how much is missing where."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, func, literal, null, select, union_all

from ...errors import NotFound
from ...states import RunState
from ...text import cut_here, last_line, shortened, suggestion
from ..statements.dialects import among_keys
from ..tables import job_output, job_run, present_name, run
from .names import missing_run


@dataclass(frozen=True, slots=True)
class Fragment:
    """A text without a gap, and how much is missing before it."""

    cut_bytes: int
    cut_lines: int
    text: str


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an output: after so many bytes, and so many ends of lines."""

    size: int = 0
    lines: int = 0


Pieces = Iterable[tuple[int, int, str]]
"""Fragments as they are stored: the bytes and the ends of lines before each, and its text."""


def fragments(pieces: Pieces, position: Position = Position()) -> tuple[list[Fragment], Position]:
    """Return what follows a position, and the position after it. Pieces may overlap, and come in any order."""
    found: list[Fragment] = []
    for start, line, text in sorted(pieces):
        raw = text.encode()
        if (end := start + len(raw)) <= position.size:
            continue
        new = raw[max(0, position.size - start) :].decode(errors="replace")
        if found and start <= position.size:
            found[-1] = Fragment(found[-1].cut_bytes, found[-1].cut_lines, found[-1].text + new)
        else:
            found.append(Fragment(max(0, start - position.size), max(0, line - position.lines), new))
        position = Position(end, line + text.count("\n"))
    return found, position


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line of output."""

    number: int
    """The first is 1; lines that are not kept count."""
    text: str
    saved_at: datetime | None
    """When it was saved, a few seconds after it was printed; only of the last of those that were saved together."""
    cut_lines: int = 0
    """How much is missing before it …"""
    cut_bytes: int = 0
    """… in lines, and in bytes."""


@dataclass(frozen=True, slots=True)
class AttemptOutput:
    """What is kept of an attempt's output."""

    lines: Sequence[OutputLine]
    size: int
    """The bytes that are kept."""


def read_attempt_output(connection: Connection, run_id: int, job: str, attempt: int) -> AttemptOutput:
    """Return what is kept of an attempt's output, in one statement: hardly more than 256 KiB."""
    this = and_(job_run.c.run_id == run_id, job_run.c.job == job, job_run.c.attempt == attempt)
    return lines_of([(start, line, text, at) for _, start, line, text, at in connection.execute(_stored(this))])


def lines_of(pieces: Collection[tuple[int, int, str, datetime | None]]) -> AttemptOutput:
    """Return stored pieces (the bytes and the ends of lines before each, its text, and when it was saved) as lines."""
    saved = {line + text.removesuffix("\n").count("\n"): saved_at for _, line, text, saved_at in pieces}
    found, number, size = [], 0, 0
    for one in fragments((start, line, text) for start, line, text, _ in pieces)[0]:
        number += one.cut_lines
        size += len(one.text.encode())
        for place, text in enumerate(one.text.removesuffix("\n").split("\n")):
            cut = (0, 0) if place else (one.cut_lines, one.cut_bytes)
            found.append(OutputLine(number + place + 1, text, saved.get(number + place), *cut))
        number += one.text.count("\n")
    return AttemptOutput(found, size)


TAIL_BYTES = 8 * 1024
_newest, _first, _of_run = job_output.alias("newest"), job_output.alias("first"), job_run.alias("of_run")
_ATTEMPTS = select(
    *(job_run.c.id, job_run.c.job, job_run.c.attempt, job_run.c.state),
    and_(job_run.c.keeper_pid.is_(None), job_run.c.carried_from.is_(None)).label("is_inside"),
).order_by(job_run.c.id)


@dataclass(frozen=True, slots=True)
class OutputPart:
    """A stretch of what an attempt of a job printed, without a gap in it."""

    job: str
    attempt: int
    cut_bytes: int
    """How much is missing before it."""
    cut_lines: int
    text: str


@dataclass(frozen=True, slots=True)
class OutputOfRun:
    """A run, and what its jobs have printed since the last look."""

    run_id: int
    application: str
    schedule: str
    state: RunState
    parts: tuple[OutputPart, ...]
    is_inside: bool
    """A job runs, or has succeeded, in the replica's own process."""


class OutputReader:
    """Reads the output of a run, of one job or one attempt if asked: all there is, then what has come since.

    With ``waits``, a job or an attempt that is not there yet may still come until the run is over.
    """

    def __init__(self, run_id: int, job: str | None = None, attempt: int | None = None, *, waits: bool = False) -> None:
        self._run_id, self._job, self._attempt = run_id, job, attempt
        self._waits = waits
        self._positions: dict[int, Position] = {}
        self._newest: dict[int, int] = {}
        self._over: set[int] = set()

    def read(self, connection: Connection) -> OutputOfRun:
        """Return what has come since the last call; raises `NotFound`."""
        of_run = select(run.c.application, present_name(run), run.c.state).where(run.c.id == self._run_id)
        row = connection.execute(of_run).one_or_none()  # first: what a run that is over printed is all there
        if row is None:
            raise missing_run(connection, self._run_id)
        found = list(connection.execute(_ATTEMPTS.where(job_run.c.run_id == self._run_id)))
        asked = [one for one in found if self._job in (None, one.job) and self._attempt in (None, one.attempt)]
        if not asked and (row.state not in ("pending", "running") or not self._waits):
            require_attempt(self._run_id, {(one.job, one.attempt) for one in found}, self._job, self._attempt)
        attempts = [one for one in asked if one.id not in self._over]
        pieces: Mapping[int, Sequence[tuple[int, int, str]]] = {}
        if ids := [one.id for one in attempts]:
            newest = min(self._newest.get(one, 0) for one in ids)  # it may have grown; earlier pieces are as they were
            pieces = _by_attempt(connection, job_run.c.id.in_(ids), job_output.c.start >= newest)
            self._newest |= {one: max(start for start, _, _ in some) for one, some in pieces.items()}
        parts = []
        for one in attempts:
            new, self._positions[one.id] = fragments(pieces.get(one.id, ()), self._positions.get(one.id, Position()))
            parts += [OutputPart(one.job, one.attempt, each.cut_bytes, each.cut_lines, each.text) for each in new]
            if one.state != "running":
                self._over.add(one.id)
        inside = any(one.is_inside and one.state in ("running", "succeeded") for one in found)
        return OutputOfRun(self._run_id, row.application, row.schedule, row.state, tuple(parts), inside)


def require_attempt(run_id: int, known: Collection[tuple[str, int]], job: str | None, attempt: int | None) -> None:
    """Raise `NotFound` unless a run has this job, and this attempt of it; None is any."""
    of_job = [number for name, number in known if job in (None, name)]
    if job is not None and not of_job:
        jobs = {name for name, _ in known}
        near = suggestion(job, jobs) if jobs else "none of its jobs was started"
        raise NotFound(f'run {run_id} has no job "{job}" so far; {near}')
    if attempt is not None and attempt not in of_job:
        of = f' of "{job}"' if job is not None else ""
        last = max(of_job, default=0)
        raise NotFound(f"run {run_id} has no attempt {attempt}{of} so far; the last one is {last}")


def tails(connection: Connection, run_id: int) -> Mapping[int, str]:
    """Return the last 8 KiB of what each attempt of a run printed, by its id."""
    of_same = _newest.c.job_run_id == job_output.c.job_run_id
    enough = select(func.max(_newest.c.start) - TAIL_BYTES).where(of_same).scalar_subquery()
    reaching = _first.c.job_run_id == job_output.c.job_run_id, _first.c.start <= enough
    begin = select(func.max(_first.c.start)).where(*reaching).correlate(job_output).scalar_subquery()
    found = _by_attempt(connection, job_run.c.run_id == run_id, job_output.c.start >= func.coalesce(begin, 0))
    return {one: _tail(pieces) for one, pieces in found.items()}


def last_lines(connection: Connection, runs: Collection[int]) -> Mapping[int, str]:
    """Return the last line that the last attempt of each of these runs printed, of those that printed any."""
    if not runs:
        return {}
    ids = among_keys(_of_run.c.run_id, runs)
    attempts = select(func.max(_of_run.c.id)).where(ids).group_by(_of_run.c.run_id)
    start = select(func.max(_newest.c.start)).where(_newest.c.job_run_id == job_run.c.id).scalar_subquery()
    stored = select(job_run.c.run_id, job_run.c.log_tail, job_output.c.text)
    at_end = and_(job_output.c.job_run_id == job_run.c.id, job_output.c.start == start)
    query = stored.select_from(job_run.outerjoin(job_output, at_end)).where(job_run.c.id.in_(attempts))
    rows = connection.execute(query)
    found = {run_id: shortened(last_line(f"{piece or ''}{end or ''}")) for run_id, end, piece in rows}
    return {run_id: line for run_id, line in found.items() if line}


def _tail(pieces: Pieces) -> str:
    (text, *_), *rest = ((one.text, one) for one in fragments(pieces)[0])
    for more, after in rest:
        text += ("" if text.endswith("\n") else "\n") + cut_here(after.cut_lines, after.cut_bytes) + f"\n{more}"
    return text.encode()[-TAIL_BYTES:].decode(errors="ignore")


def _stored(attempts: ColumnElement[bool], *pieces: ColumnElement[bool]) -> Any:
    """Return the query for what is stored of attempts: these pieces, and the ends, of which 0.1.0 has no start."""
    of = (job_output.c.job_run_id, job_output.c.start, job_output.c.line, job_output.c.text, job_output.c.saved_at)
    start, line = (func.coalesce(one, literal(0, BigInteger)) for one in (job_run.c.tail_start, job_run.c.tail_line))
    return union_all(
        select(*of).join(job_run, job_run.c.id == job_output.c.job_run_id).where(attempts, *pieces),
        select(job_run.c.id, start, line, job_run.c.log_tail, null()).where(attempts, job_run.c.log_tail != ""),
    )


def _by_attempt(
    connection: Connection, attempts: ColumnElement[bool], *pieces: ColumnElement[bool]
) -> dict[int, list[tuple[int, int, str]]]:
    found: dict[int, list[tuple[int, int, str]]] = {}
    for job_run_id, start, line, text, _ in connection.execute(_stored(attempts, *pieces)):
        found.setdefault(job_run_id, []).append((start, line, text))
    return found
