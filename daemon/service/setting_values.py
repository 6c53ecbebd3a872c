"""The values of settings, as the command line and the environment write them."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from ..definitions.values.targets import check_url
from ..text import shortened
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


SHORTEST_TOKEN = 20
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def check_token(token: str) -> None:
    """Raise `ValueError` for a token that can be guessed, or that no header can carry."""
    if len(token) < SHORTEST_TOKEN:
        raise ValueError(
            f"{len(token)} characters can be guessed; use {SHORTEST_TOKEN} or more, as from `openssl rand -hex 32`"
        )
    if not token.isascii() or " " in token or not token.isprintable():
        raise ValueError("it has spaces or characters that are not ASCII; make a token with `openssl rand -hex 32`")


def host_names(value: Any) -> tuple[str, ...]:
    """Return the names of hosts as they are compared; raises `ValueError`."""
    given = value if isinstance(value, list | tuple) else str(value).replace(",", " ").split()
    names = tuple(str(name).lower().removesuffix(".") for name in given)
    for name in names:
        if not _HOST.fullmatch(name):
            raise ValueError(
                f'"{name}" is not the name of a host; write it without scheme and port: leased.example.com'
            )
    return names


def page_url(url: str | None) -> str | None:
    """Return where people reach the pages, without a slash at its end; raises `ValueError`."""
    if url is None:
        return None
    check_url(url)
    if urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError(
            f'"{shortened(url)}" has a query; write only where the pages begin: https://leased.example.com'
        )
    return url.rstrip("/")


_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def path_prefix(value: str) -> str:
    """Return a prefix of paths, without a slash at its end; raises `ValueError`."""
    path = value.strip().rstrip("/")
    if not _PATH.fullmatch(path) or len(path) > 100 or {".", ".."} & set(path.split("/")):
        raise ValueError(f'"{shortened(value)}" is not a path such as /leased; use letters, digits and ._~-')
    return path


def header_name(value: str | None) -> str | None:
    """Return the name of a header in small letters; raises `ValueError`."""
    if value is not None and not re.fullmatch(r"[A-Za-z0-9-]{1,100}", value):
        raise ValueError(f'"{shortened(value)}" is not the name of a header, such as X-Forwarded-User')
    return None if value is None else value.lower()


def networks(value: Any) -> tuple[str, ...]:
    """Return addresses and networks as they are compared; raises `ValueError`."""
    given = value if isinstance(value, list | tuple) else str(value).replace(",", " ").split()
    try:
        return tuple(str(ipaddress.ip_network(str(one), strict=False)) for one in given)
    except ValueError as error:
        raise ValueError(f"{error}; write addresses or networks: 10.0.0.7, 10.1.0.0/16") from None


def ping_url(url: SecretStr | None) -> SecretStr | None:
    """Return the URL of a monitor; raises `ValueError`, which does not show it."""
    if url is not None:
        check_url(url.get_secret_value())
    return url


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
