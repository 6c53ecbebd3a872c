"""Names that users give, of applications, schedules, jobs, locks and calendars; revisions (rule 21); strings, lists of
them, and tables whose values JSON can hold; and the parameters of one run, which are such a table.
"""

import json
import unicodedata
from collections.abc import Collection, Container, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from ...text import suggestion
from .refusal import Refusal, read_by, shown

# Names and revisions

Named = Literal["application", "schedule", "job", "lock", "calendar"]

LONGEST: dict[Named, int] = {"application": 200, "schedule": 200, "job": 200, "lock": 255, "calendar": 200}
WITHOUT_SLASH: frozenset[Named] = frozenset(["application", "schedule"])
"""Leases are named with them."""


def check_name(kind: Named, name: object) -> str:
    """Return ``name``; raises `Refusal`."""
    of = f"of {'an' if kind == 'application' else 'a'} {kind}"
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise Refusal(f"{shown(name)} is not the name {of}", "give a string without spaces around it")
    if len(name) > LONGEST[kind]:
        problem = f'the name {of} "{name[:20]}…" has {len(name)} characters'
        raise Refusal(problem, f"at most {LONGEST[kind]} are allowed")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise Refusal(f"the name {of} {shown(name)} has control characters", "leave them out")
    if "/" in name and kind in WITHOUT_SLASH:
        raise Refusal(f'the name {of} "{name}" has a "/"', 'it separates the parts of lease names; use "-" or "."')
    if kind == "lock" and name.startswith("run/"):
        raise Refusal(f'{shown(name)} begins with "run/", which is reserved for the daemon', "choose another name")
    return name


def name_of(kind: Named) -> BeforeValidator:
    """Return the validator of a name."""
    pattern = "^[^/]*$" if kind in WITHOUT_SLASH else None
    written = Annotated[str, Field(min_length=1, max_length=LONGEST[kind], pattern=pattern)]
    return read_by(partial(check_name, kind), written, "a name")


def read_former_names(value: object) -> tuple[str, ...]:
    """Return one former name of a schedule, or several in the order of a list; raises `Refusal`."""
    if not isinstance(value, (str, list, tuple)):
        raise Refusal(f"{shown(value)} is not a former name", 'write it like "nightly", or ["nightly", "night"]')
    names = tuple(check_name("schedule", name) for name in ([value] if isinstance(value, str) else value))
    for name in names:
        if names.count(name) > 1:
            raise Refusal(f'"{name}" is listed twice', "leave one of them out")
    return names


FormerNames = Annotated[tuple[str, ...], read_by(read_former_names, str | Sequence[str], "a name, or a list of names")]


def refuse_like_an_option(kind: Named, name: str, more: str = "") -> None:
    """Raise `Refusal` if a name begins with "-". Only a FILE is asked: the database may have such names."""
    if name.startswith("-"):
        remedy = f"commands would read it as an option: give it another name{more}"
        raise Refusal(f'the name of a {kind} {shown(name)} begins with "-"', remedy)


def refuse_taken(what: str, name: str, taken: Container[str]) -> None:
    """Raise `Refusal` if a name is one of those ``taken``."""
    if name in taken:
        raise Refusal(f'there are two {what}s named "{name}"', "rename one of them")


GREATEST = 2**63 - 1


def check_revision(value: object) -> int:
    """Return ``value`` as a revision; raises `Refusal`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= GREATEST:
        raise Refusal(f"{shown(value)} is not a revision", f"give a whole number from 0 to {GREATEST}")
    return int(value)


def parse_revision(value: object) -> int:
    """Return a revision that may be written as a string, as in the environment; raises `Refusal`."""
    text = value.strip() if isinstance(value, str) else ""
    return check_revision(int(text) if text.isascii() and text.isdigit() and len(text) < 30 else value)


def check_required(value: object) -> bool:
    """Return whether the highest living revision is required; raises `Refusal`."""
    if not isinstance(value, bool):
        raise Refusal(f"{shown(value)} is neither true nor false", "give true or false, without quotes")
    return value


Revision = Annotated[
    int, BeforeValidator(parse_revision, json_schema_input_type=Annotated[int, Field(ge=0, le=GREATEST)])
]
"""A revision as a setting."""


# Strings, lists of them, and tables


def is_storable(text: str) -> bool:
    """Return whether databases and operating systems take this string."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_text(text: str) -> str:
    """Return ``text``; raises `Refusal` if it cannot be stored."""
    if not is_storable(text):
        raise Refusal(f"{shown(text)} has a character that cannot be stored", "leave it out")
    return text


def read_strings(value: object) -> tuple[str, ...]:
    """Return strings in the order of a list, or those of a set sorted; raises `Refusal`."""
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(item, str) for item in value):
        raise Refusal(f"{shown(value)} is not a list of strings", 'write it like ["a", "b"]')
    return tuple(map(check_text, sorted(value) if isinstance(value, (set, frozenset)) else value))


Text = Annotated[str, Strict(), AfterValidator(check_text)]
Folder = Annotated[Text | None, AfterValidator(lambda path: path or None), Field(title="a folder")]
Strings = Annotated[tuple[str, ...], read_by(read_strings, Sequence[str], "a list of strings")]


DEEPEST_TABLE = 100


def read_table(value: object) -> dict[str, Any]:
    """Return a copy that holds only what JSON can, its keys in their order; raises `Refusal`."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Refusal(f"{shown(value)} is not a table of names and values", "write it like { key = 1 }")
    if _is_deeper(value, DEEPEST_TABLE):
        raise Refusal(f"its lists and tables are nested more than {DEEPEST_TABLE} deep", "make it flatter")
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        raise Refusal("a string in it has a character that cannot be stored", "leave it out") from None
    except (TypeError, ValueError) as error:
        remedy = "only strings, numbers, true and false, lists and tables can be stored; write others as strings"
        raise Refusal(f"a value in it cannot be stored ({error})", remedy) from None
    return dict(json.loads(text))


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, (Mapping, list, tuple)):
        return False
    items = value.values() if isinstance(value, Mapping) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)


Table = Annotated[dict[str, Any], read_by(read_table, Mapping[str, Any], "a table of JSON values")]


# The parameters of one run: those that its schedule declares, with the given ones put over them

MOST_BYTES = 1_000_000
"""Of the parameters of a run, as JSON."""
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a table",
    type(None): "null",
}


def fitting(
    schedule: str, declared: Mapping[str, Any], given: Mapping[str, Any], secrets: Collection[str] = ()
) -> dict[str, Any]:
    """Return the parameters of a run of ``schedule``: ``given`` over those that are ``declared``. No
    sentence shows the values of ``secrets``.

    Raises `Refusal` for one that is not declared, for one of another type than its declared value (a
    whole number goes for a number, and anything for null), and for what is no JSON, or too much.
    """
    params = read_table(given)
    for name, value in params.items():
        default = _declared(schedule, declared, name)
        is_whole_number = isinstance(default, float) and type(value) is int
        if default is not None and type(value) is not type(default) and not is_whole_number:
            raise _of_another_type(name, default, value, secrets)
    whole = {**declared, **params}
    refuse_large(whole)
    return whole


def parsed(
    schedule: str, declared: Mapping[str, Any], words: Mapping[str, str], secrets: Collection[str] = ()
) -> dict[str, Any]:
    """Return parameters that were written as words, each read as what its declared value is: a string
    as it stands, anything else as JSON; where null is declared, JSON if it is that.

    Raises `Refusal`.
    """
    params: dict[str, Any] = dict(words)
    for name, text in words.items():
        default = _declared(schedule, declared, name)
        if isinstance(default, str):
            continue
        try:
            params[name] = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            if default is not None:
                raise _of_another_type(name, default, text, secrets) from None
    return params


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _declared(schedule: str, declared: Mapping[str, Any], name: str) -> Any:
    if name not in declared:
        problem = f'"{schedule}" declares no parameter {shown(name)}'
        near = suggestion(name, declared) if declared else "give it a default in `params` of the schedule"
        raise Refusal(problem, near, field="params")
    return declared[name]


def _of_another_type(name: str, declared: Any, value: Any, secrets: Collection[str]) -> Refusal:
    problem = f'the parameter "{name}" is {_KINDS[type(declared)]}, like its default'
    if name not in secrets:
        problem += f" {shown(declared)}, not {shown(value)}"
    return Refusal(problem, "give one of that type", field="params")


def refuse_large(params: Mapping[str, Any]) -> None:
    """Raise `Refusal` if these parameters of a run are larger than a run may have."""
    size = len(json.dumps(dict(params)))
    if size > MOST_BYTES:
        problem = f"the parameters have {size:,} bytes as JSON, but at most {MOST_BYTES:,} are allowed"
        raise Refusal(problem, "store larger data elsewhere, and pass its address", field="params")
