"""What a form sends, once it is known to be one of this site's."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from ..api.asked import Unfit
from ..door import admitted_of
from ..sessions import same

TOKEN = "form_token"  # noqa: S105 - the name of a field
_LARGEST = 100_000
_MOST_FIELDS = 50


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form, as they were typed; raises `Unfit`."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise Unfit(f"the form is larger than {_LARGEST:,} bytes; send less")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise Unfit("the form cannot be read; send it from the page") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Unfit("the form has a field twice; send it from the page")
    return fields


def is_own(request: Request, fields: dict[str, str]) -> bool:
    """Return whether a form was made for the caller who sends it, and take its token out of the fields."""
    expected = admitted_of(request).form_token
    return same(fields.pop(TOKEN, ""), expected or None)
