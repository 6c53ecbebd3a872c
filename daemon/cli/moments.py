"""Moments as options: an instant, a duration, or a date and a time of day in a time zone."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ..errors import InvalidInstant
from ..instants import duration_of
from ..operations.typed_moment import typed_moment
from ..text import when
from .failures import Misused
from .question import tell

_EVER = timedelta(days=36_500)


def local_zone() -> str:
    """Return the time zone of this terminal; that of UTC, if the machine does not name its own."""
    from ..operations.import_crontab import NoLocalZone, local_timezone  # noqa: PLC0415 - all of a crontab

    try:
        return local_timezone()
    except NoLocalZone:
        return "UTC"


def moment(
    option: str, text: str, zone: Callable[[], str] = local_zone, *, past: bool = False, quiet: bool = False
) -> datetime | timedelta:
    """Return an instant, or a duration that counts from now by the database's clock; raises `Misused` for neither."""
    given = duration_of(text)
    return (
        given
        if given is not None
        else instant(option, text, zone, past=past, quiet=quiet, more=', or a duration like "40m"')
    )


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
