"""The lines of a crontab, told apart as cron does; what its variables mean, and what of a line is the command."""

import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ..values.refusal import Refusal
from ..values.times import check_timezone
from ..values.work import read_environment


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


_MAIL = frozenset(["MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"])
_OF_THE_USER = "LOGNAME"
_LONGEST_DELAY = 60 * 24 * 7
"""Minutes."""


@dataclass
class Variables:
    """What the lines read so far have set."""

    timezone: str | None
    """None after a CRON_TZ that names none: when the lines below it are due is not known."""
    shell: str = "/bin/sh"
    home: str | None = None
    delay: int = 0
    """How many minutes a job may start later."""
    env: dict[str, str] = field(default_factory=dict)

    def take(self, line: VariableLine) -> Iterator[str]:
        """Set what a line sets, and yield what is to be said of it; raises `Refusal` if it is lost."""
        name, value = line.name, line.value
        if name in _MAIL:
            if value:
                yield f"leased sends no mail, so {name} is left out; `leased status --check` reports problems"
        elif name == _OF_THE_USER:
            yield f"cron sets {name} itself, whatever the crontab says, so it is left out"
        elif name == "SHELL":
            self.shell = value or "/bin/sh"
        elif name == "CRON_TZ":
            self.timezone = None
            self.timezone = check_timezone(value)
            yield "cronie uses CRON_TZ, and so do these schedules; Debian's cron ignores it"
        elif name == "RANDOM_DELAY":
            self.delay = _minutes(value)
        else:
            yield from self._set(name, value)

    def _set(self, name: str, value: str) -> Iterator[str]:
        read_environment({name: value})
        self.env[name] = value
        if name == "HOME":
            self.home = value or None
        elif name == "TZ":
            yield "TZ changes the time zone that commands see, not when they run, as with cron"
        if "$" in value:
            yield f"cron does not expand the $ in {name}, and neither does leased"


def _minutes(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or int(value) > _LONGEST_DELAY:
        raise Refusal(f'"{value}" is not a number of minutes', "set jitter yourself")
    return int(value)


_SH = frozenset(["sh", "/bin/sh", "/usr/bin/sh"])
_SIMPLE = re.compile(r"[^;&|<>(){}#`\n]*")
"""A command of which a pipe feeds the whole."""
_GUARD = re.compile(r"(?:!\s+)?(?:\[\[? |test |command -v |which |type |pgrep )")
_IF = re.compile(r"\bif\b.*\bfi\b", re.DOTALL)
_FLOCK = re.compile(r"(?:^|[;&|(]\s*)(?:/usr/bin/)?flock\s")
_BACKGROUND = re.compile(r"[()]*&[()]*")
_SLEEP = re.compile(r"sleep\b.*(?:rand|RANDOM|\$\(\()|rand\b.*sleep|RANDOM.*sleep", re.DOTALL)


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


def words_of(command: str) -> list[str]:
    """Return the words of a command, and apart from them what ends or joins its parts, such as ``&&``."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # a quote that is not closed
        return command.split()


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
    words = words_of(command)
    if "wait" not in words and any(_BACKGROUND.fullmatch(word) for word in words):
        yield (
            "it leaves a process running in the background: leased kills what a job leaves running when its command "
            "ends; remove the &, or start the process with a service manager"
        )
    if _SLEEP.search(command):
        yield "it sleeps for a random time first; use jitter instead, which keeps no job waiting"
