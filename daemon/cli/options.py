"""The options that several commands share, such as who acts and why, moments as people type them, and the question
whether to do it.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import typer

from ..errors import DaemonError, InvalidInstant
from ..instants import duration_of
from ..operations.requester import recordable, requester
from ..operations.typed_moment import typed_moment
from ..states import RunState
from ..text import clean, when
from .failures import USAGE, Misused, write_to_stderr

RUN_STATES: tuple[RunState, ...] = get_args(RunState)
MOST = 2**63 - 1
T = TypeVar("T", bound=str)


def group(purpose: str) -> typer.Typer:
    """Return a group of commands; if none of them is named, it writes its help to stderr."""

    def without_a_command(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            sys.stderr.write(context.get_help() + "\n")
            raise typer.Exit(USAGE)

    made = typer.Typer(help=purpose, invoke_without_command=True, add_completion=False, rich_markup_mode=None)
    made.callback()(without_a_command)
    return made


def one_of(known: Sequence[T], what: str, text: str | None) -> T | None:
    """Return the state or kind of this name, None for None; raises `Misused` for what is not ``known``."""
    found = next((one for one in known if one == text), None)
    if found is None and text is not None:
        raise Misused(f'there is no {what} "{text}"; use one of {", ".join(known)}')
    return found


def refuse_beside(given: Mapping[str, object], why: str) -> None:
    """Raise `Misused` for an option that is given although another rules it out, as ``why`` says."""
    for option, value in given.items():
        if value:
            raise Misused(f"{option} {why}")


def number_of(text: str, what: Literal["run", "backfill"] = "run") -> int:
    """Return the number of a run or a backfill; raises `Misused` for what is none."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise Misused(f'"{text}" is not the number of a {what}; `leased {what}s` lists them')
    return int(text)


def number_if_any(text: str, application: str | None) -> int | None:
    """Return the number of a run; None for the name of a schedule, of which alone ``application`` may be given."""
    if not (text.isascii() and text.isdigit()):
        return None
    if application is not None:
        raise Misused("--application goes with the name of a schedule: leave it out, or leave out the number")
    return number_of(text)


Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="postgresql://… or sqlite:///file.db; by default LEASED_DATABASE_URL, otherwise sqlite:///leased.db.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Wide = Annotated[bool, typer.Option("--wide", help="Show tokens, holders and digests too.")]
Utc = Annotated[bool, typer.Option("--utc", help="Show times in full, in UTC.")]
Application = Annotated[str | None, typer.Option(metavar="NAME", help="The application; needed if there are several.")]
RunNumber = Annotated[int, typer.Argument(metavar="RUN", parser=number_of, help="The number of the run.")]
OnlySchedule = Annotated[str | None, typer.Argument(metavar="NAME", help="Only this schedule.")]
ScheduleName = Annotated[str, typer.Argument(metavar="NAME", help="The name of the schedule.")]
RunOrName = Annotated[
    str, typer.Argument(metavar="RUN|NAME", help="The number of a run, or a schedule's name for its latest run.")
]
File = Annotated[str, typer.Argument(metavar="FILE", help="schedules.py, package.module:schedules, or a .toml file.")]
Revision = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Orders definitions: a higher revision supersedes a lower one. By default the revision in FILE.",
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number to list.")]
OfBackfill = Annotated[
    int | None,
    typer.Option(
        "--backfill", metavar="ID", parser=lambda text: number_of(text, "backfill"), help="All runs of this backfill."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show which runs would be affected, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation; required without a terminal.")]
Why = Annotated[str | None, typer.Option(metavar="TEXT", help="Reason; it is recorded.")]
By = Annotated[str | None, typer.Option(metavar="WHO", help="Who is doing this; by default USER@HOST.")]


def author(by: str | None, why: str | None) -> str:
    """Return who acts; raises `NotRecordable` for a name or a reason that cannot be kept."""
    if why is not None:
        recordable("--why", why)
    return recordable("--by", by) if by is not None else requester()


_EVER = timedelta(days=36_500)
_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")


class NoLocalZone(DaemonError):
    """The machine does not say which time zone it is in."""


def local_timezone(environment: Mapping[str, str] = os.environ) -> str:
    """Return the time zone that the clock of this machine shows; raises `NoLocalZone`."""
    from ..definitions.triggers.trigger import check_timezone  # noqa: PLC0415 - as above
    from ..definitions.values.refusal import Refusal  # noqa: PLC0415 - the definitions, and pydantic

    written = _TIMEZONE.read_text(encoding="utf-8", errors="replace") if _TIMEZONE.is_file() else ""
    linked = os.path.realpath(_LOCALTIME).partition("/zoneinfo/")[2]
    for name in (environment.get("TZ", "").removeprefix(":"), linked.removeprefix("posix/"), written.strip()):
        with suppress(Refusal):
            if name:
                return check_timezone(name)
    raise NoLocalZone(f"neither TZ nor {_LOCALTIME} names the time zone of this machine; give it with --timezone")


def local_zone() -> str:
    """Return the time zone of this terminal; that of UTC, if the machine does not name its own."""
    try:
        return local_timezone()
    except NoLocalZone:
        return "UTC"


def moment(
    option: str, text: str, zone: Callable[[], str] = local_zone, *, past: bool = False, quiet: bool = False
) -> datetime | timedelta:
    """Return an instant, or a duration that counts from now by the database's clock; raises `Misused` for neither."""
    if (given := duration_of(text)) is not None:
        return given
    return instant(option, text, zone, past=past, quiet=quiet, more=', or a duration like "40m"')


def before_now(option: str, given: datetime | timedelta, now: datetime) -> datetime:
    """Return the moment that is meant, by the database's clock; raises `Misused` for one to come."""
    found = given if isinstance(given, datetime) else now - min(given, _EVER)
    if found > now:
        raise Misused(f"{option}: {when(found)} is in the future by the database's clock; give a time in the past")
    return found


def instant(
    option: str,
    text: str,
    zone: Callable[[], str] = local_zone,
    *,
    past: bool = False,
    to_end: bool = False,
    quiet: bool = False,
    more: str = "",
) -> datetime:
    """Return an instant in UTC; raises `Misused`.

    What names no time zone is read in ``zone``, and what it means is written to stderr unless ``quiet``. A time of day is
    the next one, or with ``past`` the last one; a date is its beginning, or with ``to_end`` its end.
    """
    try:
        found = typed_moment(text, zone, past=past, to_end=to_end, more=more)
    except InvalidInstant as error:
        raise Misused(f"{option}: {error}") from None
    if found.understood and not quiet:
        tell(f"{option} {text} is {found.understood}")
    return found.instant


# The question, answered with yes or no at a terminal


class NotConfirmed(DaemonError):
    """Something was to be confirmed, and nobody said yes."""


def tell(sentence: str) -> None:
    """Write a sentence to stderr, where questions are asked."""
    write_to_stderr([clean(sentence)])


def can_be_asked() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def says_yes(question: str) -> bool:
    """Ask on stderr, and read a line; end that of the question where Ctrl-C or Ctrl-D leaves it open."""
    answer = ""
    try:
        sys.stderr.write(f"{clean(question)} [y/N] ")
        sys.stderr.flush()
        answer = sys.stdin.readline()
    finally:
        if not answer.endswith("\n"):
            sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless ``yes`` has answered; raises `Misused` if nobody can be asked, and `NotConfirmed` for a no."""
    if yes:
        return
    if not can_be_asked():
        raise Misused(
            f"{question} Not at a terminal, so nothing was done; --yes confirms, --dry-run shows what would be done"
        )
    if not says_yes(question):
        raise NotConfirmed("nothing was done")
