"""The output of one attempt, line by line: each with its number, and when it was saved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, literal, null, select, union_all

from ...tables import job_output, job_run
from .fragments import fragments


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
    this = job_run.c.run_id == run_id, job_run.c.job == job, job_run.c.attempt == attempt
    pieces = select(job_output.c.start, job_output.c.line, job_output.c.text, job_output.c.saved_at)
    start, line = (func.coalesce(one, literal(0)) for one in (job_run.c.tail_start, job_run.c.tail_line))
    query = union_all(
        pieces.join(job_run, job_run.c.id == job_output.c.job_run_id).where(*this),
        select(start, line, job_run.c.log_tail, null()).where(*this, job_run.c.log_tail != ""),
    )
    return lines_of([(row[0], row[1], row[2], row[3]) for row in connection.execute(query)])


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
