"""What a dialog is, and its two answers: the form that says the consequence, and what follows from sending it."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from lease.errors import LeaseError

from ....errors import DaemonError
from ...api.acts import ACTS
from ...api.asked import Parameters, checked
from ...api.endpoints import Endpoint, carry_out, sentence_of, status_of
from ...door import admitted_of
from ..answering import given_by, looker_of, place_of, refused_page
from ..forms import is_own, read_form
from ..making import Maker, reading
from ..page import Looker, Page, PageView, Visit

_NOT_OWN = "This form was made for another session. Look at it again, and press the button again."
ACTS_BY_PATH = {one.path: one for one in ACTS}
"""The acts of the API, which the dialogs do."""
Typed = Annotated[str, Field(max_length=50_000)]
"""A field as it was typed: what is wrong with it is said in the dialog, which keeps it."""


class DialogAsked(Parameters):
    """What every dialog asks for."""

    why: Typed = ""


@dataclass(frozen=True, slots=True)
class Dialog:
    """A form, and the act that follows from it. It is shown as a page whose template says the consequence."""

    page: Page
    act: Endpoint
    given: Callable[[Connection, Any], Mapping[str, Any]]
    """Returns the parameters of the act; raises a `DaemonError` for what was typed."""
    leads_to: Callable[[Any], str]
    """Returns the path of the page that shows the act's answer, below the root."""


def dialog_routes(dialog: Dialog, maker: Maker) -> list[BaseRoute]:
    """Return the routes of a dialog."""
    return [
        Route(dialog.page.path, partial(_shown, dialog, maker), name=dialog.page.name),
        Route(dialog.page.path, partial(_sent, dialog, maker), methods=["POST"]),
    ]


async def _shown(dialog: Dialog, maker: Maker, request: Request) -> Response:
    try:
        return await _form(dialog, maker, request, checked(dialog.page.asks, given_by(request)))
    except (DaemonError, LeaseError) as error:
        return await refused_page(place_of(request), looker_of(request), error)


async def _sent(dialog: Dialog, maker: Maker, request: Request) -> Response:
    place, looker = place_of(request), looker_of(request)
    try:
        fields = await read_form(request)
        own = is_own(request, fields)
        asked = checked(dialog.page.asks, {name: text for name, text in fields.items() if text} | request.path_params)
        if not own:
            return await _form(dialog, maker, request, asked, _NOT_OWN, HTTPStatus.FORBIDDEN)
        try:
            answer = await _done(dialog, maker, asked, looker)
        except (DaemonError, LeaseError) as error:
            return await _form(dialog, maker, request, asked, sentence_of(error), status_of(error))
    except (DaemonError, LeaseError) as error:
        return await refused_page(place, looker, error)
    maker.snapshot.forget()
    return RedirectResponse(place.root + dialog.leads_to(answer), HTTPStatus.SEE_OTHER)


async def _done(dialog: Dialog, maker: Maker, asked: Any, looker: Looker) -> Any:
    """Return the act's answer; it is carried out as the API does."""
    given = await maker.desk.read(partial(_given, dialog, asked))
    author = {"by": _author(looker)} | ({"why": asked.why} if asked.why else {})
    wanted = checked(dialog.act.asks, {**given, **author})
    return await carry_out(maker.desk, dialog.act, wanted, partial(_act, dialog, wanted))


def _given(dialog: Dialog, asked: Any, connection: Connection) -> Mapping[str, Any]:
    return dialog.given(connection, asked)


def _act(dialog: Dialog, wanted: Any, connection: Connection) -> object:
    return dialog.act.does(connection, wanted)


def _author(looker: Looker) -> str:
    """Return who does what this form asks for: the name that a trusted proxy gave, or this server's."""
    return looker.who or f"page@{socket.gethostname()}"


async def _form(  # noqa: PLR0917 - what was sent, and what is to be said of it
    dialog: Dialog, maker: Maker, request: Request, asked: Any, said: str = "", status: int = HTTPStatus.OK
) -> Response:
    view = PageView(dialog.page, asked, looker_of(request), place_of(request))
    visit = Visit(await maker.snapshot.latest(), view.looker, maker.takeover_after)
    found = await maker.desk.read(reading(view, visit))
    context: dict[str, object] = {
        "said": said,
        "is_still": True,
        "impossible": "",
        "typed": asked,
        "action": view.place.here.partition("?")[0],
        "who": _author(view.looker),
        "form_token": admitted_of(request).form_token if view.looker.may_act else "",
        **found,
    }
    if context["impossible"] and status == HTTPStatus.CONFLICT:
        context["said"] = ""  # both say that it has ended, or that somebody was faster
    if found.get("wrong"):
        context |= {"said": said or found["wrong"], "impossible": context["impossible"] or found["wrong"]}
        status = status if said else HTTPStatus.UNPROCESSABLE_ENTITY
    return HTMLResponse((await maker.rendered(view, visit, context)).html, status)
