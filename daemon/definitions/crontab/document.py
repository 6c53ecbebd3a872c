"""The TOML file that an imported crontab becomes."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from lease.durations import format_duration

from .imported import ImportedCrontab, ImportedSchedule, KeptComment

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ON_A_LINE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f']*")
"""What may stand between single quotes."""
_WIDTH = 118


def write_document(imported: ImportedCrontab, application: str, source: str) -> str:
    """Return the file; what all schedules have in common stands in its ``[defaults]``."""
    timezone, cwd, env = _shared(imported)
    lines = [
        f"# Imported from {_on_a_line(source)} by `leased import crontab`.",
        f"application = {_string(application)}",
        "",
        "[defaults]",
        f"timezone = {_string(timezone)}",
        "# As with cron, times that are missed while no replica runs are not caught up:",
        'catch_up = "skip"',
        "# Cron starts a run even if one is active; here it is skipped, unless you set:",
        '# overlap = "allow"',
        "# Cron has no time limit: a job that hangs blocks its schedule, unless you set:",
        '# timeout = "1h"',
        *([f"cwd = {_string(cwd)}"] if cwd else []),
        *([f"env = {_table(env)}"] if env else []),
    ]
    for part in imported.parts:
        lines.append("")
        if isinstance(part, KeptComment):
            lines += _comments(part.lines)
        else:
            lines += _schedule(part, timezone, cwd, env)
    return "\n".join(lines) + "\n"


def _shared(imported: ImportedCrontab) -> tuple[str, str | None, Mapping[str, str]]:
    """Return the time zone and the folder that most schedules have, and the variables that all have."""
    schedules = imported.schedules
    zones, folders = Counter(one.timezone for one in schedules), Counter(one.cwd for one in schedules)
    env = dict(schedules[0].env) if schedules else {}
    for one in schedules:
        env = {name: value for name, value in env.items() if one.env.get(name) == value}
    zone = max(zones, key=zones.__getitem__, default=imported.timezone)
    return zone, None if None in folders else max(folders, key=folders.__getitem__, default=None), env


def _schedule(one: ImportedSchedule, timezone: str, cwd: str | None, env: Mapping[str, str]) -> Iterator[str]:
    yield from _comments(one.comments)
    yield f"[schedules.{_key(one.schedule)}]"
    if one.description:
        yield f"description = {_string(one.description)}"
    yield f"cron = {_string(one.timing)}"
    if one.timezone != timezone:
        yield f"timezone = {_string(one.timezone)}"
    if one.jitter:
        yield f"jitter = {_string(format_duration(one.jitter * 60))}"
    settings = [f"name = {_string(one.schedule)}", f"command = {_command(one.command)}"]
    if one.cwd is not None and one.cwd != cwd:
        settings.append(f"cwd = {_string(one.cwd)}")
    if own := {name: value for name, value in one.env.items() if env.get(name) != value}:
        settings.append(f"env = {_table(own)}")
    job = f"{{ {', '.join(settings)} }}"
    yield from [f"jobs = [{job}]"] if len(job) < _WIDTH else ["jobs = [", f"  {job},", "]"]


def _comments(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"# {_on_a_line(line)}".rstrip() for line in lines)


def _on_a_line(text: str) -> str:
    """Return text without what TOML allows in no comment."""
    return "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in text)


def _command(command: str | Sequence[str]) -> str:
    return _string(command) if isinstance(command, str) else f"[{', '.join(map(_string, command))}]"


def _table(values: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{_key(name)} = {_string(value)}' for name, value in values.items())} }}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    r"""Return a string of TOML: as JSON writes it, or between single quotes where that spares backslashes."""
    if ('"' in text or "\\" in text) and _ON_A_LINE.fullmatch(text):
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
