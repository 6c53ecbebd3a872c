"""Values as people read them on a terminal."""

from datetime import UTC, datetime

from lease.durations import format_duration


def clean(text: str, *, lines: bool = False) -> str:
    """Return ``text`` without characters that steer a terminal; with ``lines``, newlines and tabs stay."""
    kept = "\n\t" if lines else ""
    return "".join(letter if letter.isprintable() or letter in kept else " " for letter in text)


def number(value: float) -> str:
    """Return a count as a person writes it: ``12,345``, and decimals only where there are some."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def when(instant: datetime | None) -> str:
    """Return an instant in UTC, to the second."""
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def ago(seconds: float | None) -> str:
    """Return how long ago something was, or how soon it will be."""
    if seconds is None:
        return ""
    whole = round(abs(seconds))
    if whole == 0:
        return "now"
    return f"{format_duration(whole)} ago" if seconds > 0 else f"in {format_duration(whole)}"


def lasted(seconds: float | None) -> str:
    """Return how long something took."""
    return "" if seconds is None else format_duration(seconds if seconds < 10 else round(seconds, 1))


def last_line(text: str | None) -> str:
    """Return the last line of an error, which in a traceback says most; empty when there is none."""
    lines = (text or "").strip().splitlines()
    return lines[-1].strip() if lines else ""
