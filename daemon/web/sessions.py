"""The sessions of browsers and the tokens of their forms, made of the web token alone: each replica takes them."""

import hmac
import secrets
from collections.abc import Iterable

COOKIE = "leased_session"
LASTS = 7 * 86_400
"""Seconds until a browser must sign in again."""
_MOST = 50
"""Cookies of one name that are looked at: others on this host can set some too."""


def new_session(token: str, now: float) -> str:
    """Return the value of a cookie that stands for the token, and does not contain it."""
    said = f"{int(now) + LASTS}.{secrets.token_urlsafe(12)}"
    return f"{said}.{_signed(token, 'session', said)}"


def find_session(cookies: Iterable[str], token: str | None, now: float) -> str | None:
    """Return the first of the cookies that was made of this token and has not expired."""
    if token is None:
        return None
    return next((one for one in list(cookies)[:_MOST] if _is_session(one, token, now)), None)


def end_of(session: str) -> int:
    """Return when a session expires, in seconds since 1970."""
    return int(session.partition(".")[0])


def form_token(key: str, session: str) -> str:
    """Return what each form must carry that was made for this session."""
    return _signed(key, "form", session)


def same(given: str, expected: str | None) -> bool:
    """Compare in a time that does not tell how much of a token is right."""
    return expected is not None and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _is_session(cookie: str, token: str, now: float) -> bool:
    said, _, signature = cookie.rpartition(".")
    return same(signature, _signed(token, "session", said)) and now < end_of(said)


def _signed(token: str, purpose: str, said: str) -> str:
    """Return a signature, of which one purpose's is of no use for another."""
    return hmac.digest(token.encode(), f"leased {purpose}\n{said}".encode(errors="replace"), "sha256").hex()
