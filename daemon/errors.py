"""The errors of this package; each message says what is wrong, where, and how to put it right."""

from dataclasses import dataclass, replace


class DaemonError(Exception):
    """The base of every error of this package."""


class NotYet(DaemonError):
    """A setting or a command that is planned but not built yet; refused, never ignored."""


class InvalidCron(DaemonError, ValueError):
    """A cron expression that cannot be parsed, is not supported or never fires."""


class InvalidInstant(DaemonError, ValueError):
    """A value that is not an instant with an offset from UTC."""


class NotFound(DaemonError):
    """There is nothing of this name or number."""


class RevisionTaken(DaemonError):
    """Definitions that come with a revision that stands for others already."""


class RetiresAll(DaemonError):
    """Definitions that would retire all that living replicas run, and don't say that this is meant."""


class NotRecordable(DaemonError, ValueError):
    """A name, a reason or parameters that cannot be recorded as they are."""


class SchemaNotReady(DaemonError):
    """The tables are not those that this version of the package works with."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the definitions: file and line, schedule, job and field."""

    source: str | None = None
    line: int | None = None
    schedule: str | None = None
    job: str | None = None
    field: str | None = None

    def __str__(self) -> str:
        file = self.source and (f"{self.source}, line {self.line}" if self.line else self.source)
        named = [
            f'schedule "{self.schedule}"' if self.schedule else "",
            f'job "{self.job}"' if self.job else "",
            self.field or "",
        ]
        return ": ".join(part for part in (file, ", ".join(name for name in named if name)) if part)


class DefinitionError(DaemonError):
    """An invalid definition; `place` says where it is."""

    def __init__(self, place: Place, problem: str, remedy: str) -> None:
        super().__init__(place, problem, remedy)
        self.place = place
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        where = str(self.place)
        what = f"{self.problem}; {self.remedy}" if self.remedy else self.problem
        return escaped(f"{where}: {what}" if where else what)

    def found_in(self, source: str, line: int | None = None) -> "DefinitionError":
        """Return this error with the file in which it was found, unless it already names one."""
        if self.place.source is not None:
            return self
        return type(self)(replace(self.place, source=source, line=line), self.problem, self.remedy)


class SettingNotYet(DefinitionError, NotYet):
    """A setting of a definition, or one of its values, that is planned but not built yet."""


def escaped(sentence: str) -> str:
    """Return the sentence with the characters spelled out that steer a terminal or cannot be
    seen.
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in sentence)
