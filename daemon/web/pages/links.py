"""The addresses of schedules, whose names may have any characters; the queries of lists; and where a form may lead."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote, urlencode

from pydantic import BeforeValidator, Field

from ..api.asked import Parameters

_ESCAPES = {"~": "~7E", "/": "~2F", "\\": "~5C", ".": "~2E"}
_MEANT = {escape: character for character, escape in _ESCAPES.items()}
_SEPARATING = re.compile(r"[~/\\]|^\.(?=\.?$)")
_ESCAPED = re.compile("|".join(_MEANT))
_PATH = re.compile(r"/(?!/)[!-\[\]-~]{0,2000}")
"""A path of this site: no other host, no backslash (browsers take it for a slash), no control character."""
_UPWARDS = re.compile(r"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)
"""What a browser takes out of a path, together with the part before it."""


def is_below(root: str, text: str) -> bool:
    """Return whether a browser that is sent to ``text`` stays on this site."""
    return (
        _PATH.fullmatch(text) is not None and text.startswith(root) and not _UPWARDS.search(re.split("[?#]", text)[0])
    )


def query_with(given: Mapping[str, object], changed: Mapping[str, object]) -> str:
    """Return the query of a list with other parameters, from its first page; None leaves one out."""
    query = {**given, "before": None, "after": None, **changed}
    text = urlencode({name: one for name, one in query.items() if one})
    return f"?{text}" if text else ""


def schedule_path(application: str, name: str) -> str:
    """Return where the page of a schedule is, below the root: ``schedules/shop/nightly``.

    Names are percent-encoded. Proxies and browsers take some characters for parts of the path even so; those are
    written like ``~2F``.
    """
    return f"schedules/{_segment(application)}/{_segment(name)}"


def retire_path(application: str) -> str:
    """Return where the dialog is that retires an application, below the root."""
    return f"fleet/{_segment(application)}/retire"


def _segment(name: str) -> str:
    return quote(_SEPARATING.sub(lambda found: _ESCAPES[found[0]], name))


def _name(segment: object) -> object:
    return _ESCAPED.sub(lambda found: _MEANT[found[0]], segment) if isinstance(segment, str) else segment


NameInPath = Annotated[str, BeforeValidator(_name), Field(min_length=1, max_length=500)]


class ScheduleAsked(Parameters):
    """The schedule that an address names."""

    application: NameInPath
    name: NameInPath
