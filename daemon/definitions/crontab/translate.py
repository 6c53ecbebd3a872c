"""The way from the lines of a crontab to schedules: when a line is due as our own expression, and what it is called."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import assert_never

from ...errors import InvalidCron
from ..triggers.cron import parse
from ..values.refusal import Refusal
from .document import ImportedCrontab, ImportedSchedule, KeptComment, LineRemark
from .lines import (
    BlankLine,
    CommentLine,
    JobLine,
    UnreadLine,
    VariableLine,
    Variables,
    as_work,
    read_line,
    read_lines,
    split_input,
    surprises_of,
    words_of,
)

_LONGEST = 40
_ENDS = frozenset(["&&", "||", ";", "|", "&", "(", ")", ";;"])
"""What ends a simple command, in a list or a pipe."""
_KEYWORDS = frozenset(["if", "then", "elif", "else", "do", "!", "{", "}", "fi", "done"])
_BESIDES = frozenset(
    [*("test", "[", "[[", "cd", "sleep", "umask", "export", "set", "ulimit", "true", "command", "which", "type", "."),
     *("printf", "echo", "source", ":", "while", "for")]
)  # fmt: skip
"""What only prepares, or asks, or says."""
_BEFORE_THE_WORK = re.compile(
    r"sudo|nice|ionice|env|exec|chronic|nohup|time|timeout|flock|setsid|runuser|su|chpst|systemd-cat|cronic|stdbuf"
    r"|(?:python|pypy|perl|php|ruby|node|lua|tclsh|bash|dash|zsh|ksh|sh|java|run-parts|make)[\d.]*"
    r"|[\d.]+[smhd]?|.*\.lock"
)
"""A program that runs another, and what it is given for that."""
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)
_SCRIPT = re.compile(r"\.(?:sh|py|pl|php|rb|js|jar|bash|cgi)$")


def name_for(command: str) -> str:
    """Return a readable name: of the first script in ``command``, or of the first program that works; ``job`` if there
    is none.
    """
    parts: list[list[str]] = [[]]
    before = ""
    for word in words_of(command):
        if word in _ENDS:
            parts.append([])
        elif not (word in _KEYWORDS or word.startswith("-") or before == "-u" or _ASSIGNMENT.fullmatch(word)):
            parts[-1].append(PurePosixPath(word.partition(" ")[0]).name.lower())
        before = word
    words = [word for part in parts if part and part[0] not in _BESIDES for word in part if word not in _BESIDES]
    scripts = [word for word in words if _SCRIPT.search(word)]
    works = [word for word in words if not _BEFORE_THE_WORK.fullmatch(word)]
    for word in (*scripts, *works, *words, *(word for part in parts for word in part)):
        if name := re.sub(r"[^a-z0-9]+", "-", _SCRIPT.sub("", word)).strip("-")[:_LONGEST].strip("-"):
            return name
    return "job"


def unique(name: str, taken: Collection[str]) -> str:
    """Return ``name``, numbered from 2 on if it is among those ``taken``."""
    number = 1
    while (found := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return found


_OTHER_NAMES = {
    "@every_minute": "* * * * *",
    "@minutely": "* * * * *",
    "@quarterly": "0 0 1 1,4,7,10 *",
    "@semi-annually": "0 0 1 1,7 *",
    "@semiannually": "0 0 1 1,7 *",
    "@biannually": "0 0 1 1,7 *",
}
"""Names that some crons have besides those of Debian's, each with what it means."""
_RANDOM = re.compile(r"(\d*)~(\d*)", re.ASCII)
_STEP_OF_A_NUMBER = re.compile(r"(?:^|,)\w+/\d", re.ASCII)
_OVER_THE_WEEKEND = re.compile(r"(?:mon|tue|wed|thu|fri|sat|[1-6])-(?:sun|0)|7-[0-6]", re.ASCII)
_OURS_ALONE = re.compile(r"(?:^|,)(?:l|lw|\d+w|\w+l)(?:,|$)", re.ASCII)
_DRAWN = ((0, 59, 1, "minute"), (0, 23, 60, "hour"))
"""Of the fields that may be drawn: the first value, the last, how many minutes each is, and the name."""


@dataclass(frozen=True, slots=True)
class CronTiming:
    """An expression, how many minutes later at most a run may start, and what differs from cron."""

    expression: str
    jitter: int = 0
    remarks: tuple[str, ...] = ()


def read_timing(written: str) -> CronTiming:
    """Return what the five fields, or the name, of a line mean; raises `InvalidCron`."""
    if written.startswith("@"):
        expression = _OTHER_NAMES.get(written.lower(), written.lower())
        parse(expression)
        return CronTiming(expression)
    fields = written.split()
    remarks: list[str] = []
    jitter = sum(_without_draw(fields, at, written, remarks) for at in range(len(fields)))
    for at in (2, 4):
        if fields[at] == "?":
            fields[at] = "*"
            remarks.append('a "?" is written as "*" here')
    expression = " ".join(fields)
    parse(expression)
    return CronTiming(expression, jitter, (*remarks, *_differences(fields)))


def _without_draw(fields: list[str], at: int, written: str, remarks: list[str]) -> int:
    """Put the first value of a range of which cron draws one, ``A~B``; return how many minutes more it may be."""
    if "~" not in fields[at]:
        return 0
    drawn = _RANDOM.fullmatch(fields[at])
    if at >= len(_DRAWN) or drawn is None:
        raise InvalidCron(f'"{written}": cron picks a random value of "{fields[at]}"; write a fixed one')
    first, last, minutes, name = _DRAWN[at]
    low, high = int(drawn[1] or first), int(drawn[2] or last)
    if not first <= low <= high <= last:
        raise InvalidCron(
            f'"{written}": "{fields[at]}" is not a range of the field {name}, which goes from {first} to {last}'
        )
    fields[at] = str(low)
    remarks.append(
        f'cron picks one {name} of "{drawn[0]}" when it starts; here each run starts after a random delay (jitter)'
    )
    return (high - low) * minutes


def _differences(fields: list[str]) -> Iterator[str]:
    """Yield where we read an expression otherwise than Debian's cron, or another cron than both."""
    *_, day, _, weekday = (field.lower() for field in fields)
    if "#" in weekday:
        yield f'Debian\'s cron ignores what follows the number in "{weekday}", so it ran every week; here it does not'
    elif _OVER_THE_WEEKEND.search(weekday):
        yield f'Debian\'s cron never runs a range that ends before it starts, such as "{weekday}"; here it runs'
    if any(_STEP_OF_A_NUMBER.search(field) for field in fields):
        yield "Debian's cron refuses a step without a range, such as 5/20; here it continues to the end of the field"
    if _OURS_ALONE.search(day) or _OURS_ALONE.search(weekday):
        yield "Debian's cron does not know L and W; here they mean the last day and the nearest weekday"
    if "*" not in (day, weekday) and (day.startswith("*") or weekday.startswith("*")):
        yield (
            "day of month or day of week starts with *, so both must match, as in Debian's cron and cronie; "
            "other crons accept either"
        )


_LONGEST_DESCRIPTION = 200
_LEGEND = re.compile(r"m(?:in(?:ute)?s?)?\s+h(?:our)?s?\b", re.IGNORECASE)
"""The heading of the five fields, as it often stands in a comment."""
_NOWHERE = "/nonexistent"
"""Debian's home of users that have none."""


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """What a crontab leaves to the machine that it is on."""

    user: str
    """Who imports it, and probably runs leased."""
    timezone: str
    home_of: Callable[[str], str | None]
    """The home folder of a user; None if there is no such user."""
    owner: str | None = None
    """Whose crontab it is, if it is another user's."""


def translate(text: str, local: LocalFacts, *, with_users: bool) -> ImportedCrontab:
    """Return what becomes of a crontab; each line is a schedule, a comment, or named in a remark."""
    return _Translation(local, with_users).translated(text)


@dataclass
class _Translation:
    _local: LocalFacts
    _with_users: bool
    _parts: list[ImportedSchedule | KeptComment] = field(default_factory=list)
    _above: list[CommentLine] = field(default_factory=list)
    """The comments that stand right above the next line."""
    _names: set[str] = field(default_factory=set)
    _remarks: dict[tuple[str, bool], list[int]] = field(default_factory=dict)

    def translated(self, text: str) -> ImportedCrontab:
        variables = Variables(self._local.timezone)
        for line in read_lines(text, with_users=self._with_users):
            match line:
                case BlankLine():
                    self._keep_comments()
                case CommentLine():
                    self._above.append(line)
                case VariableLine():
                    self._keep_comments()
                    self._take(variables, line)
                case JobLine():
                    self._add(variables, line)
                case UnreadLine():
                    if line.text.lstrip().startswith("CRON_TZ"):
                        variables.timezone = None
                    self._lose(line, line.why)
                case _:
                    assert_never(line)
        self._keep_comments()
        self._say_of_ends(text)
        remarks = (LineRemark(tuple(lines), said, lost) for (said, lost), lines in self._remarks.items())
        in_order = sorted(remarks, key=lambda remark: remark.lines[:1])
        return ImportedCrontab(self._local.timezone, tuple(self._parts), tuple(in_order))

    def _take(self, variables: Variables, line: VariableLine) -> None:
        try:
            for sentence in variables.take(line):
                self._say(line.number, sentence)
        except Refusal as refusal:
            self._lose(line, f"{refusal.problem}; {refusal.remedy}")

    def _add(self, variables: Variables, line: JobLine) -> None:
        if variables.timezone is None:
            self._lose(line, "the CRON_TZ above it was not converted, so its time zone is unknown")
            return
        try:
            timing = read_timing(line.timing)
        except InvalidCron as error:
            self._lose(line, str(error))
            return
        command, _ = split_input(line.command)
        if not command.strip():
            self._lose(line, "there is nothing before the %, which ends the command")
            return
        description, comments = self._described()
        for sentence in (*timing.remarks, *surprises_of(command), *_of_quiet(line)):
            self._say(line.number, sentence)
        user = line.user or self._local.owner or self._local.user
        if user != self._local.user:
            comments = (*comments, f"cron ran this as {user}")
            self._say(line.number, _of_another_user(user, self._local.user))
        self._parts.append(
            ImportedSchedule(
                line=line.number,
                schedule=self._named(command),
                timing=timing.expression,
                timezone=variables.timezone,
                command=as_work(line.command, variables.shell),
                description=description,
                comments=comments,
                jitter=timing.jitter + variables.delay,
                cwd=variables.home or self._home(line.number, user),
                env=dict(variables.env),
            )
        )

    def _named(self, command: str) -> str:
        name = unique(name_for(command), self._names)
        self._names.add(name)
        return name

    def _home(self, number: int, user: str) -> str | None:
        home = self._local.home_of(user)
        if home is None:
            self._say(
                number,
                f"there is no user {user} on this machine, so cwd is left out: cron would run it in that user's home",
            )
        return "/" if home == _NOWHERE else home

    def _described(self) -> tuple[str, tuple[str, ...]]:
        """Return what the comments right above say, as a description if they read like one, or as comments."""
        texts = tuple(comment.text for comment in self._above)
        self._above.clear()
        joined = " ".join(text for text in texts if text)
        if joined and len(joined) <= _LONGEST_DESCRIPTION and all(map(_reads_like_prose, texts)):
            return joined, ()
        return "", texts

    def _keep_comments(self) -> None:
        if self._above:
            self._parts.append(KeptComment(tuple(comment.text for comment in self._above)))
            self._above.clear()

    def _lose(self, line: JobLine | UnreadLine | VariableLine, why: str) -> None:
        self._keep_comments()
        self._say(line.number, why, lost=True)
        self._parts.append(KeptComment((f"line {line.number} is not converted: {line.text}",)))

    def _say(self, number: int, sentence: str, *, lost: bool = False) -> None:
        self._remarks.setdefault((sentence, lost), []).append(number)

    def _say_of_ends(self, text: str) -> None:
        if text and not text.endswith("\n"):
            number = text.count("\n") + 1
            self._say(
                number,
                "the last line has no newline, so Debian's cron rejects this crontab; it was read anyway",
            )
        if "\r\n" in text:
            self._say(1, "lines end with CR LF, and cron treats the CR as part of each command; it is left out")


def _reads_like_prose(text: str) -> bool:
    """Return whether a comment is neither a line switched off, nor a heading or a frame."""
    if not re.search(r"\w", text):
        return not text
    if _LEGEND.match(text):
        return False
    line = read_line(0, text, with_users=False)
    if not isinstance(line, JobLine):
        return not isinstance(line, VariableLine)
    try:
        read_timing(line.timing)
    except InvalidCron:
        return not text.startswith(("*", "@", "|", "."))
    return False


def _of_quiet(line: JobLine) -> tuple[str, ...]:
    return ("the prefix that keeps it out of cron's log or mail is left out",) if line.quiet else ()


def _of_another_user(user: str, own: str) -> str:
    wrapped = f'["runuser", "-u", "{user}", "--", …]' if own == "root" else f'["sudo", "-n", "-u", "{user}", …]'
    return f"cron runs it as {user}, but leased runs jobs as its own user: run leased as {user}, or write command = {wrapped}"
