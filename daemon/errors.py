"""The errors of this package; each message says what is wrong, where, and how to put it right."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Self


class DaemonError(Exception):
    """The base of every error of this package."""

    more: "tuple[DaemonError, ...]" = ()
    """The other mistakes, if several were found at once; the message is about the first."""


class Mistakes:
    """Errors that are found one after another, to be raised together. As a context manager it keeps an error, and
    what stands below the block goes on.
    """

    def __init__(self) -> None:
        self.found: list[DaemonError] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        return isinstance(error, DaemonError) and self.note(error)

    def note(self, error: DaemonError) -> bool:
        """Keep an error, and those that were found with it; return whether that is enough, so that none is raised."""
        self.found += (error, *error.more)
        return True

    def refuse(self) -> None:
        """Raise the first with the others, if there are any."""
        if self.found:
            raise together(self.found) from None


def together(errors: Iterable[DaemonError]) -> DaemonError:
    """Return the first of several errors, which has all others as its ``more``."""
    first, *more = errors
    first.more = tuple(more)
    return first


class NotYet(DaemonError):
    """A command that is planned but not built yet."""


class InvalidCron(DaemonError, ValueError):
    """A cron expression that cannot be parsed, is not supported or never fires."""


class InvalidInstant(DaemonError, ValueError):
    """A value that is not a time with an offset from UTC."""


class NotFound(DaemonError):
    """There is nothing of this name or number."""


class CannotAct(DaemonError):
    """An act, or a look at a run, that the present state does not allow, or not so."""


class Ambiguous(DaemonError):
    """A name stands for several things; the message says how to name one of them."""


class RevisionTaken(DaemonError):
    """Definitions that come with a revision that stands for others already."""


class RetiresAll(DaemonError):
    """Definitions that would retire all that living replicas run, and don't say that this is meant."""


class WouldSupersede(DaemonError):
    """Definitions that are started at a terminal, would supersede what living replicas run, and don't take over."""


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
        return self.placed(lambda place: place if place.source else replace(place, source=source, line=line))

    def placed(self, change: Callable[[Place], Place]) -> "DefinitionError":
        """Return this error, and those that were found with it, at other places."""
        moved = type(self)(change(self.place), self.problem, self.remedy)
        moved.more = tuple(one.placed(change) if isinstance(one, DefinitionError) else one for one in self.more)
        return moved


def escaped(sentence: str) -> str:
    """Return the sentence with the characters spelled out that steer a terminal or cannot be seen."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in sentence)
