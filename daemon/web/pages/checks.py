"""The page with what `leased doctor` finds from this server. It is shown when the database is away, too."""

import asyncio
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ...answers.questions import DoctorAnswer, Level
from ..api.desk import Desk
from .answering import looker_of, place_of
from .frame import refused_frame
from .site import render
from .states import Shown
from .troubles import with_runs

_SHOWN: Mapping[Level, Shown] = {
    "red": Shown("error", "failed", "fail"),
    "yellow": Shown("warning", "missed", "warn"),
    "green": Shown("fine", "ok", "ok"),
}


async def checks(desk: Desk, doctor: Callable[[], DoctorAnswer], request: Request) -> Response:
    """Check the installation, and return the page with what was found."""
    found = await desk.apart(doctor)
    rows = [(one.check, _SHOWN[one.level], with_runs(one.text), with_runs(one.remedy or "")) for one in found.items]
    context = refused_frame(place_of(request), looker_of(request)) | {"current": "fleet", "rows": rows}
    return HTMLResponse((await asyncio.to_thread(render, "checks", context)).html)
