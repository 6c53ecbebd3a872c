"""The parts of a crontab besides its five fields, and where each belongs instead."""

import re
from collections.abc import Sequence

from .fields import DAY_OF_WEEK, FIELDS, MONTH

_EVERY = re.compile(r"@every\s+(\S+)", re.IGNORECASE)
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)")
_VARIABLE = re.compile(r"(\w+)\s*=.*", re.DOTALL)
_COMMAND = re.compile(r"[./~$\[({\"'].*|[A-Za-z_]{3}.*", re.DOTALL)


def belongs_elsewhere(expression: str, aliases: Sequence[str]) -> str | None:
    """Return what is wrong, and what to write, if ``expression`` is more, or something else, than the
    times of a crontab.
    """
    text = expression.strip()
    if text.startswith("@"):
        return _alias(text, aliases)
    if zone := _ZONE.match(text):
        rest = text[zone.end() :].strip()
        cron = f"cron = {_quoted(rest)} and " if rest else ""
        return f"the time zone is a setting of its own; write {cron}timezone = {_quoted(zone[1])}"
    if variable := _VARIABLE.fullmatch(text):
        return f"this sets a variable of a crontab; jobs get {variable[1]} with env = {{ {variable[1]} = … }}"
    words = text.split()
    times, command = words[: len(FIELDS)], words[len(FIELDS) :]
    if command and _is_command(command[0]) and not any(map(_is_command, times)):
        return (
            f"after five fields, {_quoted(command[0])} is not part of a time; a command belongs in a job: command = …"
        )
    return None


def _alias(text: str, aliases: Sequence[str]) -> str | None:
    name, *rest = text.split()
    if name.lower() == "@reboot":
        return "it is an event, not a time; to run something at boot, use the service manager"
    if every := _EVERY.fullmatch(text):
        return f"an interval is not cron; write every = {_quoted(every[1])}"
    if name.lower() not in aliases:
        return f"it is unknown; use one of {', '.join(aliases)}"
    if rest:
        return f"after {name}, {_quoted(rest[0])} is not part of a time; a command belongs in a job: command = …"
    return None


def _is_command(word: str) -> bool:
    return _COMMAND.fullmatch(word) is not None and word[:3].lower() not in {*MONTH.names, *DAY_OF_WEEK.names}


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace('"', '\\"'))
