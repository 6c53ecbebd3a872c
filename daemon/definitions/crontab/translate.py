"""The way from the lines of a crontab to schedules."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from ...errors import InvalidCron
from ..values.refusal import Refusal
from .commands import as_work, split_input, surprises_of
from .expressions import read_timing
from .imported import ImportedCrontab, ImportedSchedule, KeptComment, LineRemark
from .lines import BlankLine, CommentLine, JobLine, UnreadLine, VariableLine, read_line, read_lines
from .schedule_names import name_for, unique
from .variables import Variables

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
