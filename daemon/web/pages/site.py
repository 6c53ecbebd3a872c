"""The templates, the style and the script of the pages, and how a page is rendered."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .links import schedule_path
from .moments import count, duration, rough, times

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_KINDS = {"style.css": ("style", "text/css"), "script.js": ("script", "text/javascript")}
_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'><rect x='2' y='2' width='20' height='20' rx='4' {}/>"
    "<path d='M5.5 12h3.2l1.7-4.4 2.5 8 1.7-3.6h3.4' fill='none' stroke='{}' stroke-width='2'/></svg>"
)
_ICONS = {
    "good.svg": _ICON.format("fill='#0a7259'", "#fff"),
    "bad.svg": _ICON.format("fill='#bf2a17'", "#fff"),
    "lost.svg": _ICON.format("fill='none' stroke='#7d8795' stroke-width='2'", "#7d8795"),
}
"""The icon of the browser's tab: nothing is wrong, something is, or the page is not live."""
_TICKING = re.compile(r'((?:\sdata-since="[^"]*"|\sclass="(?:\w+ )?rel")[^>]*>)[^<]*')
_FOR_READERS = re.compile(rb"^[ \t]*//[^\n]*\n|^[ \t]+", re.MULTILINE)
_IN_STYLE = re.compile(rb"/\*.*?\*/|\s+(?=[{}])|(?<=[{};:,])\s+|;\s*(?=\})", re.DOTALL)
_HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FOR_A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page as HTML, and those parts of it that change while somebody looks, by their ids."""

    html: str
    parts: Mapping[str, str]
    prints: Mapping[str, int]
    """A fingerprint of each part, without the parts in it, and elapsed times, which the browser counts itself."""
    digest: str
    """A digest of all prints, which the page has too."""


def render(template: str, context: Mapping[str, object]) -> Rendered:
    """Return a page made of a template; what is not in its context is an error."""
    parts: dict[str, str] = {}
    prints: dict[str, int] = {}
    within: list[list[str]] = []
    """The ids of the parts of each part that is being made."""

    def digest() -> str:
        return hashlib.sha256(repr(sorted(prints.items())).encode()).hexdigest()[:16]

    def live(id: str, tag: str = "div", *, caller: Any, **attributes: str) -> Markup:  # noqa: A002 - as HTML calls it
        """Return an element with this id whose content changes while somebody looks."""
        id = str(_harmless(id))  # noqa: A001 - see above
        within.append([])
        inner = str(caller())
        given = "".join(
            f' {name.rstrip("_").replace("_", "-")}="{escape(_harmless(value))}"' for name, value in attributes.items()
        )
        parts[id] = frame = f'<{tag} id="{escape(id)}" data-live{given}>{inner}</{tag}>'
        for part in within.pop():  # what is live within it is compared by itself
            frame = frame.replace(parts[part], f"<{part}>", 1)
        prints[id] = hash(_TICKING.sub(r"\1", frame))
        if within:
            within[-1].append(id)
        return Markup(parts[id])  # noqa: S704 - escaped by its caller

    given = {**context, "live": live, "asset": asset, "digest": digest}
    html = _environment().get_template(f"{template}.html").render(given)
    return Rendered(html, parts, prints, digest())


def asset(name: str) -> str:
    """Return the path of a file of the site, which changes with its content: ``assets/1a2b3c4d/style.css``."""
    return f"assets/{_file(name)[1]}/{name}"


def asset_routes() -> list[BaseRoute]:
    """Return the routes of style and script, which browsers keep for a year."""

    async def serve(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _KINDS:
            return Response(status_code=404)
        content, digest = _file(name)
        # Another release's page, of a replica behind the same balancer, looks better with this style than with none.
        is_it = request.path_params["digest"] == digest
        return Response(content, media_type=_KINDS[name][1], headers=_FOR_A_YEAR if is_it else None)

    async def icon(request: Request) -> Response:
        found = _ICONS.get(request.path_params["name"])
        return Response(status_code=404) if found is None else Response(found, media_type="image/svg+xml")

    return [Route("/assets/{digest}/{name}", serve), Route("/icon/{name}", icon)]


@cache
def _file(name: str) -> tuple[bytes, str]:
    """Return a file of the site and its digest: all files of its folder, in the order of their names, without what only
    its readers need: indentation, comments, and spaces of the style.
    """
    folder, _ = _KINDS[name]
    content = b"".join(path.read_bytes() for path in sorted((_HERE / "static" / folder).iterdir()))
    content = _FOR_READERS.sub(b"", content)
    if name == "style.css":
        content = _IN_STYLE.sub(b"", content)
    return content, hashlib.sha256(content).hexdigest()[:16]


def _harmless(value: object) -> object:
    """Return what is put into a page, without letters that control a terminal or turn those around them."""
    return _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - nobody may ever look

    loader = FileSystemLoader(_HERE / "templates")
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_harmless,
    )
    made.filters.update(duration=duration, rough=rough, count=count, times=times)
    made.globals.update(schedule_path=schedule_path)
    return made
