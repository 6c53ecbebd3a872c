"""`leased trigger`: a run on request."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from ....answers.acts import TriggerAnswer
from ....operations.named import application_of
from ....operations.trigger import Requested, request, trigger_as
from ....telemetry.spans import given_traceparent
from ....text import when
from ...ask import ask, zone_of
from ...failures import Misused
from ...options import Application, By, Database, Json, ScheduleName, Why, author, moment
from ...screen import say, screen, write_json

_EXAMPLE = "an example of a JSON object: '{\"customer\": 7}'"
_PARAMS_HELP = "Parameters of the run; they override the schedule's. A JSON object, or @FILE to read one from a file."
_PARAM_HELP = "One parameter, converted to the type that the schedule declares; repeatable."
_KEY_HELP = "Idempotency key: repeated requests with the same key return the same run."
_AT_HELP = 'When to start it: "18:00", "tomorrow", "2026-12-01 02:00", or after a duration like "15m".'


def trigger(
    schedule: ScheduleName,
    application: Application = None,
    why: Why = None,
    by: By = None,
    params: Annotated[str | None, typer.Option(metavar="JSON", help=_PARAMS_HELP)] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="K=V", help=_PARAM_HELP)] = None,
    key: Annotated[str | None, typer.Option(metavar="K", help=_KEY_HELP)] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME|DURATION", help=_AT_HELP)] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Request a run, now or later, and record who asked and why; a replica executes it."""
    given, words = _params(params), _words(param or ())
    who = author(by, why)
    start = None if at is None else moment("--at", at, zone_of(database, schedule, application), quiet=as_json)
    when_to = start.total_seconds() if isinstance(start, timedelta) else start
    wanted = request("", schedule, requested_by=who, why=why, params=given, words=words, key=key, at=when_to)

    def transaction(connection: Connection) -> tuple[str, Requested]:
        found = application_of(connection, schedule, application)
        traced = replace(wanted, application=found, traceparent=given_traceparent(os.environ))
        return found, trigger_as(connection, traced)

    found, done = ask(database, transaction, write=True)
    if as_json:
        write_json("trigger", TriggerAnswer(done.run_id, found, schedule, done.already, done.at))
        return
    what = "waits for a replica" if done.at is None else f"starts at {when(done.at)}"
    if done.already:
        what = "was already requested with this key, so no second run is created"
    say(screen(), f"run {done.run_id} of {schedule} ({found}) {what}; see `leased show {done.run_id}`")


def _words(given: Sequence[str]) -> Mapping[str, str]:
    words: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise Misused(f'--param {one} is not a name and a value; write it like "--param customer=7"')
        if name in words:
            raise Misused(f"--param gives {name} twice; give it once")
        words[name] = value
    return words


def _params(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        given = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except OSError as error:
        reason = error.strerror
        raise Misused(f"--params {text} cannot be read: {reason}; write @PATH with the path of a file") from None
    except ValueError as error:
        raise Misused(f"--params is not valid JSON: {error}; {_EXAMPLE}") from None
    if not isinstance(given, dict):
        raise Misused(f"--params is not a JSON object; {_EXAMPLE}")
    return given
