"""An imported crontab: the schedules it became, the comments kept, what is to be said of its lines, and its TOML file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lease.durations import format_duration

from ...text import clean
from ..toml_text import key_text, string_text, value_text


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
