"""The targets of messages and pings: where they go, which kinds, and in what form."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import WithJsonSchema

from ...states import DeliveryKind, MessageKind, PingKind
from ...text import suggestion
from .refusal import Refusal, no_choice, read_by, shown
from .strings import is_storable

MessageStyle = Literal["webhook", "slack"]
PingStyle = Literal["healthchecks", "cronitor", "sentry", "snitch", "plain"]
KINDS: tuple[MessageKind, ...] = get_args(MessageKind)
LONGEST = 1_000
"""The characters of a URL or a command: it stands in an index."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOTIFY = ("url", "url_env", "command", "on", "style", "secret_env")
_PING = ("url", "url_env", "style")
_WRITE_NOTIFY = 'write its URL, { url = "https://…" } or { command = "mail -s … ops" }, or a list of them'
_WRITE_PING = 'write its URL, or { url = "https://…", style = "healthchecks" }'
_NO_SECRET = "FILE and the database must not contain secrets"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go, and of what kinds they are."""

    address: str
    """JSON, as the database stores it: all targets with one address are one queue."""
    on: frozenset[DeliveryKind]


def targets_of(notify: Sequence[Mapping[str, Any]], ping: Mapping[str, Any] | None) -> tuple[Target, ...]:
    """Return the targets of a schedule."""
    told = tuple(
        Target(address_of({key: value for key, value in one.items() if key != "on"}), frozenset(one.get("on", KINDS)))
        for one in notify
    )
    return told if ping is None else (*told, Target(address_of({"ping": True, **ping}), frozenset(get_args(PingKind))))


def address_of(target: Mapping[str, Any]) -> str:
    """Return how the database stores where messages go."""
    return json.dumps(target, sort_keys=True, ensure_ascii=False)


def read_notify(value: object) -> tuple[dict[str, Any], ...]:
    """Return the targets of messages; raises `Refusal`."""
    if isinstance(value, list | tuple):
        return tuple(_read_target(one) for one in value)
    return (_read_target(value),)


def read_ping(value: object) -> dict[str, Any]:
    """Return the target of pings; raises `Refusal`."""
    return _read(value, _PING, ("a monitor", "a ping"), get_args(PingStyle), _WRITE_PING)


def _read_target(value: object) -> dict[str, Any]:
    called = "a target of messages"
    read = _read(value, _NOTIFY, (called, called), get_args(MessageStyle), _WRITE_NOTIFY)
    if "command" in read and (extra := {"style", "secret_env"} & read.keys()):
        raise Refusal(f"a command takes no {min(extra)}", "it reads the message as text from its standard input")
    if "secret_env" in read and read.get("style") == "slack":
        remedy = "leave secret_env out, and keep the URL secret with url_env"
        raise Refusal("messages in the style slack are not signed", remedy)
    if "on" in read:
        kinds = read["on"]
        if not isinstance(kinds, list | tuple | set | frozenset) or not kinds:
            how = 'write it like ["run.failed", "schedule.missed"]'
            raise Refusal(f"on = {shown(kinds)} is not a list of kinds", how)
        for kind in kinds:
            if kind not in KINDS:
                raise Refusal(f"on: {shown(kind)} is not a kind of message", suggestion(str(kind), KINDS))
        read["on"] = [kind for kind in KINDS if kind in kinds]
    if isinstance(read.get("command"), list | tuple):
        read["command"] = list(read["command"])
    return read


def _read(
    value: object, known: Sequence[str], called: tuple[str, str], styles: Sequence[str], how: str
) -> dict[str, Any]:
    """Return what is ``known`` of a table or its URL; ``called``: what it should be, and what has no other key."""
    given = {"url": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise Refusal(f"{shown(given)} is not {called[0]}", how)
    for key in given:
        if key in {"secret", "token", "password"}:
            name = "secret_env" if "secret_env" in known else "url_env"
            raise Refusal(_NO_SECRET, f'write {name} = "NAME", the environment variable of the replicas that has it')
        if key not in known:
            raise Refusal(f"{called[1]} has no {shown(key)}", suggestion(str(key), known))
    named = [name for name in ("url", "url_env", "command") if name in given]
    if len(named) != 1:
        raise Refusal(f"it has {' and '.join(named)}" if named else "it does not say where to send it", how)
    if "url" in given:
        check_url(given["url"])
    if "command" in given:
        _check_command(given["command"])
    for name in ("url_env", "secret_env"):
        if name in given and not (isinstance(given[name], str) and _VARIABLE.fullmatch(given[name])):
            problem = f"{name} = {shown(given[name])} does not name an environment variable"
            raise Refusal(problem, 'write it like "OPS_URL"')
    if "style" in given and given["style"] not in styles:
        raise no_choice(given["style"], styles)
    return {key: given[key] for key in known if key in given}


def check_url(url: object) -> str:
    """Return a URL to which messages can be sent; raises `Refusal`, which does not show what may be secret."""
    if not isinstance(url, str) or not re.match(r"https?://[^/?#\s]", url):
        raise Refusal("it is not a URL of http or https", 'write it like "https://ops.example.com/hook"')
    try:
        parts = urlsplit(url)
        wrong = None if parts.hostname and parts.port != 0 else "it has no host, or port 0"
    except ValueError:
        parts, wrong = None, "its host or port is not valid"
    if wrong is None and (not url.isascii() or not url.isprintable() or " " in url):
        wrong = "the URL has a character that must be encoded"
    if wrong is None and len(url) > LONGEST:
        wrong = f"the URL has more than {LONGEST:,} characters"
    if wrong is not None:
        raise Refusal(wrong, "check that you copied all of it")
    if parts is not None and parts.username is not None:
        raise Refusal(f"the URL has a user or a password; {_NO_SECRET}", 'write url_env = "NAME" instead')
    return url


def _check_command(command: object) -> None:
    words = [command] if isinstance(command, str) else command
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) and is_storable(word) for word in words):
        raise Refusal(f"{shown(command)} is not a command", 'write it as a string, or as a list like ["mail", "ops"]')
    if not words or not words[0].strip():
        raise Refusal("the command is empty", 'write it like "mail -s leased ops@example.com"')
    if sum(map(len, words)) > LONGEST:
        raise Refusal(f"the command has more than {LONGEST:,} characters", "write a script, and call that")


def _table(keys: Sequence[str], **schemas: Any) -> WithJsonSchema:
    """Return the JSON Schema of a table with these keys; what has no schema is a string."""
    properties = {key: schemas.get(key, {"type": "string"}) for key in keys}
    return WithJsonSchema({"type": "object", "additionalProperties": False, "properties": properties})


_NOTIFY_TABLE = _table(
    _NOTIFY,
    command={"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    on={"type": "array", "minItems": 1, "items": {"enum": list(KINDS)}},
    style={"enum": list(get_args(MessageStyle))},
)
_PING_TABLE = _table(_PING, style={"enum": list(get_args(PingStyle))})
_Target = str | Annotated[Any, _NOTIFY_TABLE]
Notify = Annotated[
    tuple[dict[str, Any], ...],
    read_by(read_notify, _Target | Sequence[_Target], "a URL, a table, or a list of them"),
]
Ping = Annotated[dict[str, Any], read_by(read_ping, str | Annotated[Any, _PING_TABLE], "a URL or a table")]
