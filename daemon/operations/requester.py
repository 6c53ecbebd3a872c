"""The requester of an act, and the reason, as they are recorded."""

import getpass
import socket

from ..errors import NotRecordable

LONGEST = 500
"""Characters of a name or a reason."""


def requester() -> str:
    """Return the user and the host: ``ann@web-1``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in a container
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def recordable(what: str, text: object, longest: int = LONGEST) -> str:
    """Return the text; raise `NotRecordable`, about ``what``, unless it is one line of 1 to ``longest`` characters."""
    if not isinstance(text, str):
        raise NotRecordable(f"{what} is {text!r}, which is not a string; write it as one")
    if not text.strip():
        raise NotRecordable(f"{what} is empty; leave it out, or give one")
    if len(text) > longest:
        raise NotRecordable(f"{what} has {len(text):,} characters; at most {longest} are allowed")
    if not text.isprintable():
        raise NotRecordable(f"{what} has line breaks or control characters; write it in one line")
    return text


def refuse_unrecordable(requested_by: str, why: str | None) -> None:
    """Raise NotRecordable for a requester, or a reason if there is one, that cannot be recorded."""
    recordable("requested_by", requested_by)
    if why is not None:
        recordable("why", why)
