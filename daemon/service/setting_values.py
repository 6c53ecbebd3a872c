"""The values of settings, as the command line and the environment write them."""

from typing import Any

from ..web.address import WebAddress


def at_least_one(value: Any) -> int:
    """Return a whole number; raises `ValueError`."""
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f'"{value}" is not a whole number of 1 or more')
    return int(text)


def longer_than_nothing(seconds: float) -> float:
    """Return a duration; raises `ValueError` for none."""
    if seconds <= 0:
        raise ValueError("it must be longer than 0s")
    return seconds


def web_address(value: Any) -> WebAddress | None:
    """Return where to answer over HTTP; None for nowhere. Raises `ValueError`."""
    if value is None or isinstance(value, WebAddress):
        return value
    return None if str(value).strip().lower() == "off" else WebAddress.parse(str(value))


LONGEST_RELEASE = 200


def release_name(text: str | None) -> str | None:
    """Return the name of a release, without spaces around it; raises `ValueError`."""
    name = None if text is None else text.strip()
    if name is None:
        return None
    if not name or len(name) > LONGEST_RELEASE or not name.isprintable():
        raise ValueError(
            f"a release is named by 1 to {LONGEST_RELEASE} printable characters, such as a commit or an image"
        )
    return name
