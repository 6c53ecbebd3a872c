"""The lines of a crontab, told apart as cron does."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlankLine:
    """A line without anything."""

    number: int


@dataclass(frozen=True, slots=True)
class CommentLine:
    """A comment, without its ``#``."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class VariableLine:
    """A variable for the lines below it."""

    number: int
    text: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class JobLine:
    """A command and when it is due."""

    number: int
    text: str
    timing: str
    """Five fields or a name such as ``@daily``, as written."""
    user: str | None
    command: str
    """As written: a ``%`` in it still means what it means to cron."""
    quiet: bool = False
    """It began with a ``-``, or had flags of a BSD: no line in the log, or no mail."""


@dataclass(frozen=True, slots=True)
class UnreadLine:
    """A line that cron would not take either, and why."""

    number: int
    text: str
    why: str


CrontabLine = BlankLine | CommentLine | VariableLine | JobLine | UnreadLine

_JOB = re.compile(r"(?P<quiet>-?)(?P<timing>@\S+|[\d*~]\S*(?:[ \t]+\S+){4})(?:[ \t]+(?P<rest>.*))?", re.DOTALL)
_FLAGS = re.compile(r"(?:-[nqs]+[ \t]+)+")
_VARIABLE = re.compile(
    r"""(?P<quote>['"]?)(?P<name>(?<=')[^'=]+|(?<=")[^"=]+|(?<!['"])[^\s='"]+)(?P=quote)\s*=\s*(?P<value>.*)""",
    re.DOTALL,
)
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""", re.DOTALL)


def read_lines(text: str, *, with_users: bool) -> Iterator[CrontabLine]:
    """Yield the lines of a crontab; ``with_users``: a user stands before each command."""
    for number, line in enumerate(_split(text), start=1):
        yield read_line(number, line, with_users=with_users)


def _split(text: str) -> list[str]:
    """Return lines as cron ends them: at a newline, and nowhere else."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def read_line(number: int, line: str, *, with_users: bool) -> CrontabLine:
    """Return what a line is."""
    text = line.strip(" \t")
    if not text:
        return BlankLine(number)
    if text.startswith("#"):
        return CommentLine(number, text.removeprefix("#").strip())
    if (variable := _VARIABLE.fullmatch(text)) is not None:
        return _variable(number, text, variable["name"], variable["value"].strip())
    return _job(number, text, with_users=with_users)


def _variable(number: int, text: str, name: str, value: str) -> CrontabLine:
    if not value.startswith(("'", '"')):
        return VariableLine(number, text, name, value)
    if (quoted := _QUOTED.fullmatch(value)) is None:
        return UnreadLine(number, text, "its value starts with a quote, but does not end with one")
    return VariableLine(number, text, name, quoted[1] or quoted[2] or "")


def _job(number: int, text: str, *, with_users: bool) -> CrontabLine:
    if (job := _JOB.fullmatch(text)) is None:
        return UnreadLine(number, text, "it is neither five fields and a command nor a variable")
    user, rest = None, (job["rest"] or "").strip()
    if with_users:
        user, rest = [*re.split(r"[ \t]+", rest, maxsplit=1), ""][:2]
    flags = _FLAGS.match(rest)
    command = rest[flags.end() :] if flags else rest
    if not command:
        what = "neither a user nor a command" if with_users and not user else "no command"
        return UnreadLine(number, text, f"there is {what} after the time")
    if command.startswith("*"):
        return UnreadLine(
            number, text, 'a "*" follows the five fields, and cron accepts no command that starts with it'
        )
    return JobLine(number, text, job["timing"], user, command, quiet=bool(job["quiet"] or flags))


def has_users(text: str, known: Collection[str]) -> bool:
    """Return whether each command stands behind the name of a user that is ``known``."""
    jobs = [line for line in read_lines(text, with_users=False) if isinstance(line, JobLine)]
    return bool(jobs) and all(len(words := line.command.split(maxsplit=1)) > 1 and words[0] in known for line in jobs)
