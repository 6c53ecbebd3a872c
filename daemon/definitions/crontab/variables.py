"""The variables of a crontab: what each means to the lines below it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..values.refusal import Refusal
from ..values.times import check_timezone
from ..values.work import read_environment
from .lines import VariableLine

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
