"""The import of a crontab: its lines are told apart as cron does, and each becomes a schedule, sets something for
those below it, is kept as a comment, or is named in a remark and kept as a comment. What comes of it is a TOML file.
"""

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lease.durations import format_duration

from ..errors import InvalidCron
from ..text import clean
from .toml_text import key_text, string_text, value_text
from .triggers.cron import parse
from .triggers.trigger import check_timezone
from .values.refusal import Refusal
from .values.work import read_environment


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """The facts that a crontab leaves to its machine."""

    user: str
    """The user who imports it, and probably runs leased."""
    timezone: str
    home_of: Callable[[str], str | None]
    """The home folder of a user; None if there is no such user."""
    owner: str | None = None
    """Whose crontab it is, if it is another user's."""


@dataclass(frozen=True, slots=True)
class LineRemark:
    """How lines will behave differently than under cron, or why they were left out; no lines: it is about the whole file."""

    lines: tuple[int, ...]
    text: str
    lost: bool = False
    """Nothing of these lines is in the schedules."""


@dataclass(frozen=True, slots=True)
class ImportedSchedule:
    """A line of a crontab as a schedule with one job, which has its name."""

    line: int
    schedule: str
    timing: str
    timezone: str
    command: str | Sequence[str]
    description: str = ""
    comments: tuple[str, ...] = ()
    jitter: int = 0
    """Minutes."""
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


KeptComment = tuple[str, ...]
"""A comment of the crontab that describes no schedule, or a line that became none."""


@dataclass(frozen=True, slots=True)
class ImportedCrontab:
    """The schedules and remarks made from a crontab, in the order of its lines."""

    timezone: str
    """That of the machine."""
    parts: tuple[ImportedSchedule | KeptComment, ...]
    remarks: tuple[LineRemark, ...]

    @property
    def schedules(self) -> list[ImportedSchedule]:
        return [part for part in self.parts if isinstance(part, ImportedSchedule)]

    @property
    def lost(self) -> list[int]:
        """The numbers of the lines that were lost."""
        return sorted({line for remark in self.remarks if remark.lost for line in remark.lines})


# The translation of its lines

_JOB = re.compile(r"(?P<quiet>-?)(?P<timing>@\S+|[\d*~]\S*(?:[ \t]+\S+){4})(?:[ \t]+(?P<rest>.*))?", re.DOTALL)
_FLAGS = re.compile(r"(?:-[nqs]+[ \t]+)+")
_VARIABLE = re.compile(
    r"""(?P<quote>['"]?)(?P<name>(?<=')[^'=]+|(?<=")[^"=]+|(?<!['"])[^\s='"]+)(?P=quote)\s*=\s*(?P<value>.*)""",
    re.DOTALL,
)
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""", re.DOTALL)
_PROSE = re.compile(r"[^=]{1,200}")
"""A comment that describes, if it begins with a capital letter: it is short, and sets no variable."""
_SH = frozenset(["sh", "/bin/sh", "/usr/bin/sh"])
_LONGEST_DELAY = 60 * 24 * 7
"""Minutes."""
_LONGEST_NAME = 40
_NOWHERE = "/nonexistent"
"""Debian's home of users that have none."""


def has_users(text: str, known: Collection[str]) -> bool:
    """Return whether each command stands behind the name of a user that is ``known``."""
    jobs = []
    for line in _split(text):
        with suppress(InvalidCron):
            jobs.append(_read_job(line.strip(" \t"), with_users=False)[2])
    return bool(jobs) and all(len(words := job.split(maxsplit=1)) > 1 and words[0] in known for job in jobs)


def translate(text: str, local: LocalFacts, *, with_users: bool) -> ImportedCrontab:
    """Return what becomes of a crontab; ``with_users``: a user stands before each command."""
    return _Translation(local, with_users).translated(text)


def _split(text: str) -> list[str]:
    """Return lines as cron ends them: at a newline, and nowhere else."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


class _Translation:
    """The translation of one crontab: what its variables have set so far, and what its lines became."""

    def __init__(self, local: LocalFacts, with_users: bool) -> None:
        self._local = local
        self._with_users = with_users
        self._timezone: str | None = local.timezone
        """None after a CRON_TZ that names none: when the lines below it are due is not known."""
        self._shell = "/bin/sh"
        self._home: str | None = None
        self._delay = 0
        """How many minutes a job may start later."""
        self._env: dict[str, str] = {}
        self._above: list[str] = []
        """The comments that stand right above the next line."""
        self._parts: list[ImportedSchedule | KeptComment] = []
        self._names: set[str] = set()
        self._remarks: dict[tuple[str, bool], list[int]] = {}

    def translated(self, text: str) -> ImportedCrontab:
        for number, line in enumerate(_split(text), start=1):
            written = line.strip(" \t")
            if written.startswith("#"):
                self._above.append(written.removeprefix("#").strip())
                continue
            try:
                self._take(number, written)
            except (InvalidCron, Refusal) as why:
                self._keep_comments()
                self._say(number, "; ".join(why.args), lost=True)
                self._parts.append((f"line {number} is not converted: {written}",))
        self._keep_comments()
        if text and not text.endswith("\n"):
            without = "the last line has no newline, so Debian's cron rejects this crontab; it was read anyway"
            self._say(text.count("\n") + 1, without)
        if "\r\n" in text:
            self._say(1, "lines end with CR LF, and cron treats the CR as part of each command; it is left out")
        remarks = (LineRemark(tuple(lines), said, lost) for (said, lost), lines in self._remarks.items())
        in_order = sorted(remarks, key=lambda remark: remark.lines[:1])
        return ImportedCrontab(self._local.timezone, tuple(self._parts), tuple(in_order))

    def _take(self, number: int, written: str) -> None:
        """Take a line in; raises `InvalidCron` or `Refusal` if it is lost."""
        variable = _VARIABLE.fullmatch(written)
        if re.match(r"CRON_TZ\b", written if variable is None else variable["name"]):
            self._timezone = None  # unless it can be read
        if variable is not None:
            self._keep_comments()
            self._set(number, variable["name"], _unquoted(variable["value"].strip()))
        elif written:
            self._add(number, written)
        else:
            self._keep_comments()

    def _set(self, number: int, name: str, value: str) -> None:
        match name:
            case "MAILTO" | "MAILFROM" | "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING":
                if value:
                    mail = f"leased sends no mail, so {name} is left out; `leased status --check` reports problems"
                    self._say(number, mail)
            case "LOGNAME":
                self._say(number, f"cron sets {name} itself, whatever the crontab says, so it is left out")
            case "SHELL":
                self._shell = value or "/bin/sh"
            case "CRON_TZ":
                self._timezone = check_timezone(value)
                self._say(number, "cronie uses CRON_TZ, and so do these schedules; Debian's cron ignores it")
            case "RANDOM_DELAY":
                if not (value.isascii() and value.isdigit()) or int(value) > _LONGEST_DELAY:
                    raise Refusal(f'"{value}" is not a number of minutes', "set jitter yourself")
                self._delay = int(value)
            case _:
                read_environment({name: value})
                self._env[name] = value
                if name == "HOME":
                    self._home = value or None
                elif name == "TZ":
                    self._say(number, "TZ changes the time zone that commands see, not when they run, as with cron")
                if "$" in value:
                    self._say(number, f"cron does not expand the $ in {name}, and neither does leased")

    def _add(self, number: int, written: str) -> None:
        timing, user, command, is_quiet = _read_job(written, with_users=self._with_users)
        if self._timezone is None:
            raise InvalidCron("the CRON_TZ above it was not converted, so its time zone is unknown")
        expression, jitter, remarks = read_timing(timing)
        first, _ = split_input(command)
        if not first.strip():
            raise InvalidCron("there is nothing before the %, which ends the command")
        comments, description = tuple(self._above), " ".join(filter(None, self._above))
        self._above.clear()
        if _PROSE.fullmatch(description) and description[0].isupper():
            comments = ()
        else:
            description = ""
        quiet = ["the prefix that keeps it out of cron's log or mail is left out"] if is_quiet else []
        for sentence in (*remarks, *surprises_of(first), *quiet):
            self._say(number, sentence)
        user = user or self._local.owner or self._local.user
        if user != self._local.user:
            comments = (*comments, f"cron ran this as {user}")
            sudo, runuser = f'["sudo", "-n", "-u", "{user}", …]', f'["runuser", "-u", "{user}", "--", …]'
            as_user = runuser if self._local.user == "root" else sudo
            own = f"leased runs jobs as its own user: run leased as {user}, or write command = {as_user}"
            self._say(number, f"cron runs it as {user}, but {own}")
        self._parts.append(
            ImportedSchedule(
                line=number,
                schedule=self._named(first),
                timing=expression,
                timezone=self._timezone,
                command=as_work(command, self._shell),
                description=description,
                comments=comments,
                jitter=jitter + self._delay,
                cwd=self._home or self._home_of(number, user),
                env=dict(self._env),
            )
        )

    def _named(self, command: str) -> str:
        """Return a name that no other schedule has: that of the command, numbered from 2 on."""
        name, number = name_for(command), 1
        while (found := name if number == 1 else f"{name}-{number}") in self._names:
            number += 1
        self._names.add(found)
        return found

    def _home_of(self, number: int, user: str) -> str | None:
        home = self._local.home_of(user)
        if home is None:
            without = "so cwd is left out: cron would run it in that user's home"
            self._say(number, f"there is no user {user} on this machine, {without}")
        return "/" if home == _NOWHERE else home

    def _keep_comments(self) -> None:
        if self._above:
            self._parts.append(tuple(self._above))
            self._above.clear()

    def _say(self, number: int, sentence: str, *, lost: bool = False) -> None:
        self._remarks.setdefault((sentence, lost), []).append(number)


def _unquoted(value: str) -> str:
    if not value.startswith(("'", '"')):
        return value
    if (quoted := _QUOTED.fullmatch(value)) is None:
        raise InvalidCron("its value starts with a quote, but does not end with one")
    return quoted[1] or quoted[2] or ""


def _read_job(written: str, *, with_users: bool) -> tuple[str, str | None, str, bool]:
    """Return the five fields or the name, the user, the command as it is written, and whether something before it keeps
    it out of cron's log or mail: a ``-``, or flags of a BSD.
    """
    if (job := _JOB.fullmatch(written)) is None:
        raise InvalidCron("it is neither five fields and a command nor a variable")
    user, rest = None, (job["rest"] or "").strip()
    if with_users:
        user, rest = [*re.split(r"[ \t]+", rest, maxsplit=1), ""][:2]
    flags = _FLAGS.match(rest)
    command = rest[flags.end() :] if flags else rest
    if not command:
        what = "neither a user nor a command" if with_users and not user else "no command"
        raise InvalidCron(f"there is {what} after the time")
    if command.startswith("*"):
        raise InvalidCron('a "*" follows the five fields, and cron accepts no command that starts with it')
    return job["timing"], user, command, bool(job["quiet"] or flags)


_OTHER_NAMES = {
    "@every_minute": "* * * * *",
    "@minutely": "* * * * *",
    "@quarterly": "0 0 1 1,4,7,10 *",
    "@semi-annually": "0 0 1 1,7 *",
    "@semiannually": "0 0 1 1,7 *",
    "@biannually": "0 0 1 1,7 *",
}
"""Names that some crons have besides those of Debian's, each with what it means."""
_DRAW = re.compile(r"(\d*)~(\d*)", re.ASCII)
"""A range of which cron draws one value; here the first one stands for it, and jitter for the others."""
_DRAWN = ((0, 59, 1, "minute"), (0, 23, 60, "hour"))
"""Of the fields that may be drawn: the first value, the last, how many minutes each is, and the name."""
_STEP_OF_A_NUMBER = re.compile(r"(?:^|,)\w+/\d", re.ASCII)
_OVER_THE_WEEKEND = re.compile(r"(?:mon|tue|wed|thu|fri|sat|[1-6])-(?:sun|0)|7-[0-6]", re.ASCII)
_OURS_ALONE = re.compile(r"(?:^|,)(?:l|lw|\d+w|\w+l)(?:,|$)", re.ASCII)


def read_timing(written: str) -> tuple[str, int, list[str]]:
    """Return as an expression what the five fields, or the name, of a line mean, how many minutes later at most a run
    may start, and what differs from cron; raises `InvalidCron`.
    """
    remarks: list[str] = []
    if written.startswith("@"):
        expression = _OTHER_NAMES.get(written.lower(), written.lower())
        parse(expression)
        return expression, 0, remarks
    fields, jitter = written.split(), 0
    for at, text in enumerate(written.split()):
        if "~" not in text:
            continue
        drawn = _DRAW.fullmatch(text)
        if at >= len(_DRAWN) or drawn is None:
            raise InvalidCron(f'"{written}": cron picks a random value of "{text}"; write a fixed one')
        first, last, minutes, name = _DRAWN[at]
        low, high = int(drawn[1] or first), int(drawn[2] or last)
        if not first <= low <= high <= last:
            where = f"the field {name}, which goes from {first} to {last}"
            raise InvalidCron(f'"{written}": "{text}" is not a range of {where}')
        fields[at] = str(low)
        jitter += (high - low) * minutes
        here = "here each run starts after a random delay (jitter)"
        remarks.append(f'cron picks one {name} of "{text}" when it starts; {here}')
    for at in (2, 4):
        if fields[at] == "?":
            fields[at] = "*"
            remarks.append('a "?" is written as "*" here')
    expression = " ".join(fields)
    parse(expression)
    return expression, jitter, [*remarks, *_differences(fields)]


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


_SIMPLE = re.compile(r"[^;&|<>(){}#`\n]*")
"""A command of which a pipe feeds the whole."""
_GUARD = re.compile(r"(?:!\s+)?(?:\[\[? |test |command -v |which |type |pgrep )")
_IF = re.compile(r"\bif\b.*\bfi\b", re.DOTALL)
_FLOCK = re.compile(r"(?:^|[;&|(]\s*)(?:/usr/bin/)?flock\s")
_BACKGROUND = re.compile(r"(?<!&)&[\s)]*(?:\Z|;)")
_REDIRECTION = re.compile(r"\d*&?[<>]+&?[ \t]*[^\s;|]+")


def split_input(written: str) -> tuple[str, str | None]:
    r"""Return the command, and what cron writes to its input; ``\%`` is a ``%``, and each other one ends a line."""
    parts = [""]
    escaped = False
    for letter in written:
        if letter == "%" and escaped:
            parts[-1] = parts[-1][:-1] + "%"
        elif letter == "%":
            parts.append("")
        else:
            parts[-1] += letter
        escaped = letter == "\\" and (not escaped or len(parts) > 1)
    command, *lines = parts
    if not any(lines) and len(lines) < 2:
        return command.rstrip(), None
    text = "\n".join(lines)
    return command.rstrip(), text if text.endswith("\n") else f"{text}\n"


def as_work(written: str, shell: str) -> str | list[str]:
    """Return the command of a job: a string for ``/bin/sh``, or the words of another shell's call."""
    command, given = split_input(written)
    if given is None:
        return command if shell in _SH else [shell, "-c", command]
    feed = "printf '%s\\n' " + " ".join(map(shlex.quote, given.removesuffix("\n").split("\n")))
    if shell in _SH and _SIMPLE.fullmatch(command):
        return f"{feed} | {command}"
    return f"{feed} | {shlex.quote(shell)} -c {shlex.quote(command)}"


def surprises_of(command: str) -> Iterator[str]:
    """Yield what a command does here that it did not do under cron."""
    plain = _IF.sub("", command)
    if _GUARD.match(command) and "&&" in plain and "||" not in plain and ";" not in plain:
        yield (
            "if its test is false, it exits with a status other than 0, which counts as a failed run here; write "
            "if …; then …; fi, which exits with 0"
        )
    if _FLOCK.search(command):
        yield (
            "flock is not needed: by default, a run is skipped while the one before it is active; "
            'for several schedules that must not overlap, replace it with lock = "NAME" in each'
        )
    if _BACKGROUND.search(command):
        yield (
            "it leaves a process running in the background: leased kills what a job leaves running when its command "
            "ends; remove the &, or start the process with a service manager"
        )


def name_for(command: str) -> str:
    """Return the name of the first file in ``command``, otherwise of its first word, as a schedule may be called."""
    words = [word for word in _REDIRECTION.sub(" ", command).split() if "=" not in word] or ["job"]
    path = next((word for word in words if "/" in word.rstrip("/") and not word.startswith("/dev/")), words[0])
    stem = re.sub(r"\.(?:sh|py|pl|php|rb|js|jar|bash|cgi)$", "", PurePosixPath(path).name.lower())
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:_LONGEST_NAME].strip("-") or "job"


# The TOML file

_WIDTH = 118


def write_document(imported: ImportedCrontab, application: str, source: str) -> str:
    """Return the file; what all schedules have in common stands in its ``[defaults]``."""
    schedules = imported.schedules
    folders = {one.cwd for one in schedules}
    cwd = folders.pop() if len(folders) == 1 else None
    common = set.intersection(*(set(one.env.items()) for one in schedules)) if schedules else set()
    env = {name: value for one in schedules[:1] for name, value in one.env.items() if (name, value) in common}
    lines = [
        f"# Imported from {clean(source)} by `leased import crontab`.",
        f"application = {string_text(application)}",
        "",
        "[defaults]",
        f"timezone = {string_text(imported.timezone)}",
        "# As with cron, times that are missed while no replica runs are not caught up:",
        'catch_up = "skip"',
        "# Cron starts a run even if one is active; here it is skipped, unless you set:",
        '# overlap = "allow"',
        "# Cron has no time limit: a job that hangs blocks its schedule, unless you set:",
        '# timeout = "1h"',
        *([f"cwd = {string_text(cwd)}"] if cwd else []),
        *([f"env = {value_text(env)}"] if env else []),
    ]
    for part in imported.parts:
        lines.append("")
        if isinstance(part, ImportedSchedule):
            lines += _schedule(part, imported.timezone, cwd, env)
        else:
            lines += _comments(part)
    return "\n".join(lines) + "\n"


def _schedule(one: ImportedSchedule, timezone: str, cwd: str | None, env: Mapping[str, str]) -> Iterator[str]:
    yield from _comments(one.comments)
    yield f"[schedules.{key_text(one.schedule)}]"
    if one.description:
        yield f"description = {string_text(one.description)}"
    yield f"cron = {string_text(one.timing)}"
    if one.timezone != timezone:
        yield f"timezone = {string_text(one.timezone)}"
    if one.jitter:
        yield f"jitter = {string_text(format_duration(one.jitter * 60))}"
    settings = [f"name = {string_text(one.schedule)}", f"command = {value_text(one.command)}"]
    if one.cwd is not None and one.cwd != cwd:
        settings.append(f"cwd = {string_text(one.cwd)}")
    if own := {name: value for name, value in one.env.items() if env.get(name) != value}:
        settings.append(f"env = {value_text(own)}")
    job = f"{{ {', '.join(settings)} }}"
    yield from [f"jobs = [{job}]"] if len(job) < _WIDTH else ["jobs = [", f"  {job},", "]"]


def _comments(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"# {clean(line, lines=True)}".rstrip() for line in lines)
