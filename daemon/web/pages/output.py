"""The output of one attempt: a page of its lines, and the whole of it as a download."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection
from starlette.responses import Response

from ...store.views.history import JobRunLine, RunDetail, read_run, zones_of
from ...store.views.output import AttemptOutput, OutputLine, OutputReader, read_attempt_output, require_attempt
from ...text import cut_here, size
from ..api.asked import Parameters, RunId, Text
from .ansi import StyledText, stretches
from .page import Page, Visit

SHOWN = 200
"""Lines that a page shows."""
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


class OutputAsked(Parameters):
    """Which attempt's output, and which lines of it."""

    run_id: RunId
    job: Text | None = None
    attempt: Annotated[int | None, Field(ge=1, le=10**6)] = None
    before: Annotated[int | None, Field(ge=2, le=2**53, description="Only lines before this one.")] = None
    download: Text | None = None


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as it is shown."""

    line: OutputLine
    stretches: Sequence[StyledText]
    cut: str | None
    """How much of its end is left out."""
    missing: str | None
    """How much was not kept before it."""


@dataclass(frozen=True, slots=True)
class ShownOutput:
    """Some lines of an attempt's output."""

    job: JobRunLine
    lines: Sequence[ShownLine]
    total: int
    """The number of its last line."""
    size: str
    earlier: int
    """Lines before the first that is shown, whether they are kept or not."""
    before: int | None
    """The number before which the page before it ends; None: no earlier line is kept."""
    is_end: bool
    """The last line is shown."""
    attempts: Sequence[int]
    """The numbers of all attempts of its job."""


def chosen(detail: RunDetail, job: str | None, attempt: int | None) -> JobRunLine | None:
    """Return the attempt whose output is meant: without more, the one that runs or failed, or else the last one. None:
    there is none yet; raises `NotFound`.
    """
    made = [one for one in detail.jobs if one.state != "not started" and one.carried_from is None]
    require_attempt(detail.run.run_id, {(one.job, one.attempt) for one in made}, job, attempt)
    asked = [one for one in made if job in (None, one.job) and attempt in (None, one.attempt)]
    likely = [one for one in asked if one.state == detail.state] if job is None and attempt is None else []
    found = likely or asked
    return found[-1] if found else None


def read_shown(connection: Connection, detail: RunDetail, job: JobRunLine, before: int | None = None) -> ShownOutput:
    """Return the last lines of an attempt's output, or those before a line."""
    found = read_attempt_output(connection, detail.run.run_id, job.job, job.attempt)
    numbers = [one.attempt for one in detail.jobs if one.job == job.job and one.carried_from is None]
    return shown_output(found, job, numbers, before)


def shown_output(
    found: AttemptOutput, job: JobRunLine, attempts: Sequence[int], before: int | None = None
) -> ShownOutput:
    """Return the last lines of what is kept, or those before a line."""
    wanted = [one for one in found.lines if before is None or one.number < before]
    lines = wanted[-SHOWN:]
    first = lines[0] if lines else None
    return ShownOutput(
        job,
        [_shown(one) for one in lines],
        found.lines[-1].number if found.lines else 0,
        size(found.size),
        0 if first is None else first.number - 1,
        first.number if first is not None and len(wanted) > SHOWN else None,
        bool(lines) and lines[-1] is found.lines[-1],
        attempts,
    )


def download(connection: Connection, asked: OutputAsked) -> tuple[str, bytes]:
    """Return the name and the content of a file with the output of an attempt, or of all; raises `NotFound`."""
    found = OutputReader(asked.run_id, asked.job, asked.attempt).read(connection)
    text, of = [], None
    for part in found.parts:
        if (part.job, part.attempt) != of and asked.attempt is None:
            text.append(f"{'' if of is None else chr(10)}== {part.job}, attempt {part.attempt} ==\n")
        of = part.job, part.attempt
        text.append((cut_here(part.cut_lines, part.cut_bytes) + "\n" if part.cut_bytes else "") + part.text)
    parts = (f"run-{asked.run_id}", *(() if asked.job is None else (_PLAIN.sub("-", asked.job)[:100],)))
    numbered = parts if asked.attempt is None else (*parts, str(asked.attempt))
    return "-".join(numbered) + ".txt", "".join(text).encode()


def downloaded(name: str, content: bytes) -> Response:
    """Return the answer that a browser saves as a file, and takes for nothing but text."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(content, media_type="text/plain; charset=utf-8", headers=headers)


def _shown(line: OutputLine) -> ShownLine:
    parts, cut = stretches(line.text)
    missing = cut_here(line.cut_lines, line.cut_bytes) if line.cut_bytes else None
    return ShownLine(line, parts, size(cut) if cut else None, missing)


def _read(connection: Connection, asked: OutputAsked, _visit: Visit) -> Mapping[str, object]:
    detail = read_run(connection, asked.run_id)
    job = chosen(detail, asked.job, asked.attempt)
    shown = None if job is None else read_shown(connection, detail, job, asked.before)
    zone = zones_of(connection, [asked.run_id]).get((detail.run.application, detail.run.schedule), "UTC")
    return {"detail": detail, "run": detail.run, "output": shown, "zone": zone, "asked": asked}


OUTPUT = Page("/runs/{run_id}/output", "output", OutputAsked, _read, tab="runs")
