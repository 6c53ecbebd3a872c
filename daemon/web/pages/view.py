"""How somebody wants to see the pages, which their browser keeps: the theme and the time zone."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..api.asked import Parameters, Unfit
from .answering import root_of
from .links import is_below
from .page import Theme

_A_YEAR = 365 * 86_400


def _known(zone: str) -> str:
    if zone in {"schedule", "utc"}:
        return zone
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise ValueError('no such time zone; give "schedule", "utc", or a name such as Europe/Berlin') from None
    return zone


class ViewAsked(Parameters):
    """What is to change, and which page to show next."""

    theme: Theme | None = None
    zone: Annotated[str, Field(max_length=100), AfterValidator(_known)] | None = None
    next: str = ""


def kept(asked: ViewAsked, request: Request) -> Response:
    """Return the answer that lets the browser keep it and sends it back; raises `Unfit` for a page of another site."""
    root = root_of(request)
    following = asked.next or root
    if not is_below(root, following):
        raise Unfit("next: give the path of a page of this site")
    answer = RedirectResponse(following, 303)
    for name, value in (("leased_theme", asked.theme), ("leased_zone", asked.zone)):
        if value is not None:
            answer.set_cookie(name, value, max_age=_A_YEAR, path=root, samesite="lax")
    return answer
