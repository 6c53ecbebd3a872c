"""Signing in and out: a browser gives the token once, and gets a cookie that stands for it."""

from http import HTTPStatus
from time import time
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..api.asked import Unfit
from ..door import SIGN_IN, SIGN_OUT, admitted_of, door_of, refused
from ..sessions import COOKIE, LASTS, new_session
from .answering import root_of
from .forms import is_own, read_form
from .links import is_below
from .site import render

_WRONG = "This is not a token of this server. It is the value of LEASED_WEB_TOKEN, or of LEASED_WEB_READ_TOKEN."


def sign_in_routes() -> list[BaseRoute]:
    """Return the routes of both."""
    return [
        Route(SIGN_IN, _asked, name="sign-in"),
        Route(SIGN_IN, _signed_in, methods=["POST"]),
        Route(SIGN_OUT, _leaving, name="sign-out"),
        Route(SIGN_OUT, _signed_out, methods=["POST"]),
    ]


def _own_path(request: Request, text: str) -> str:
    """Return a path of this site to which a browser may be sent; the first page unless ``text`` is one."""
    root = root_of(request)
    return (
        text
        if is_below(root, text) and not text.startswith((f"{root}{SIGN_IN[1:]}", f"{root}{SIGN_OUT[1:]}"))
        else root
    )


async def _asked(request: Request) -> Response:
    after = _own_path(request, request.query_params.get("next", ""))
    if door_of(request).token is None or admitted_of(request).form_token:
        return RedirectResponse(after, HTTPStatus.SEE_OTHER)
    # The first request from another site carries no cookie that is SameSite=Strict; the next, from here, does.
    is_first = request.headers.get("sec-fetch-site") == "cross-site" and "again" not in request.query_params
    return _form(request, after, again=is_first)


async def _signed_in(request: Request) -> Response:
    door = door_of(request)
    try:
        fields = await read_form(request)
    except Unfit as error:
        return refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    after = _own_path(request, fields.get("next", ""))
    token = door.level_of(fields.get("token", "").strip())
    if token is None:
        return _form(request, after, HTTPStatus.UNAUTHORIZED, _WRONG)
    answer = RedirectResponse(after, HTTPStatus.SEE_OTHER)
    _keep(request, answer, new_session(token, time()), LASTS)
    return answer


async def _leaving(request: Request) -> Response:
    admitted = admitted_of(request)
    if admitted.session_end is None:
        return RedirectResponse(root_of(request), HTTPStatus.SEE_OTHER)
    context = {"root": root_of(request), "form_token": admitted.form_token}
    return HTMLResponse(render("sign_out", context).html)


async def _signed_out(request: Request) -> Response:
    try:
        is_ours = is_own(request, await read_form(request))
    except Unfit:
        is_ours = False
    answer = RedirectResponse(root_of(request), HTTPStatus.SEE_OTHER)
    if is_ours:
        _keep(request, answer, "", 0)
    return answer


def _keep(request: Request, answer: Response, session: str, seconds: int) -> None:
    """Let the browser keep a session. By its Origin a browser says whether it sees https, even behind a proxy."""
    is_https = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
    path = request.scope.get("root_path") or "/"
    answer.set_cookie(COOKIE, session, seconds, path=path, secure=is_https, httponly=True, samesite="strict")


def _form(request: Request, after: str, status: int = 200, sentence: str = "", *, again: bool = False) -> Response:
    root = root_of(request)
    context = {"root": root, "after": after, "sentence": sentence}
    context["again"] = f"{root}{SIGN_IN[1:]}?again=1&next={quote(after, safe='')}" if again else ""
    return HTMLResponse(render("sign_in", context).html, status)
