"""From settings as they were given to a job."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import DefinitionError, Place
from .fields import Fields
from .model import DEFAULT_BACKOFF, Isolation, Job
from .names import check_name, shown

JOB_SETTINGS = ("timeout", "retries", "backoff", "isolation", "cwd", "env")
_LATER_ISOLATION = {"thread": 'leave it out, or use "process", which can be killed'}


def make_job(
    name: object, work: Callable[..., Any] | str | Iterable[str], given: Mapping[str, object], place: Place
) -> Job:
    """Return a job that calls a function or runs a command; raises `DefinitionError`."""
    place = replace(place, job=check_name("a job", name, place))
    fields = Fields(given, place)
    fields.refuse_unknown(JOB_SETTINGS, {})
    function = work if callable(work) else None
    command = None if callable(work) else _command(work, fields)
    isolation = _isolation(function, fields)
    env = {key: _variable(fields, key, value) for key, value in fields.table("env").items()}
    cwd = fields.text("cwd") or None
    if isolation == "task" and (env or cwd):
        problem = "a task runs inside the replica and has no folder or environment of its own"
        raise fields.refuse("env" if env else "cwd", problem, 'set isolation = "process", or leave this out')
    backoff = fields.duration("backoff")
    return Job(
        name=str(name),
        isolation=isolation,
        function=function,
        command=command,
        timeout=fields.duration("timeout", least=0.001),
        retries=fields.count("retries"),
        backoff=DEFAULT_BACKOFF if backoff is None else backoff,
        cwd=cwd,
        env=env,
    )


def check_function(function: Callable[..., Any], place: Place) -> None:
    """Refuse what cannot be called with a run, or would do nothing when called."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(place, "the function has a `yield`, so calling it would do nothing", "take it out")
    if not inspect.isroutine(function) and inspect.iscoroutinefunction(type(function).__call__):
        raise DefinitionError(place, "it is an object that is called like an async function", "give an async function")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(object())
    except TypeError:
        raise DefinitionError(
            place, f"the function takes {signature}, but a job is called with its run alone", "let it take one: (run)"
        ) from None


def _isolation(function: Callable[..., Any] | None, fields: Fields) -> Isolation:
    if function is None:
        fields.choice("isolation", ("process",), "process", _LATER_ISOLATION)
        return "command"
    check_function(function, fields.place)
    chosen: Isolation = fields.choice(
        "isolation",
        ("task", "process"),
        "task" if inspect.iscoroutinefunction(function) else "process",
        _LATER_ISOLATION,
    )
    if chosen == "task" and not inspect.iscoroutinefunction(function):
        raise fields.refuse(
            "isolation", "only an async function can be a task", 'make it `async def`, or use "process"'
        )
    return chosen


def _command(work: object, fields: Fields) -> str | tuple[str, ...]:
    if isinstance(work, str) and work.strip() and "\0" not in work:
        return work
    words = tuple(work) if isinstance(work, (list, tuple)) else ()
    if words and words[0] and all(isinstance(word, str) and "\0" not in word for word in words):
        return words
    problem = f"{shown(work)} is not a command"
    raise fields.refuse("command", problem, 'write a text for /bin/sh, or a list like ["python", "sync.py"]')


def _variable(fields: Fields, key: str, value: object) -> str:
    if not key or "=" in key or "\0" in key:
        raise fields.refuse("env", f"{shown(key)} cannot name a variable", 'use a name without "="')
    if key.startswith(("LEASE_", "LEASED_")):
        raise fields.refuse("env", f'"{key}" is set by the daemon itself', "use another name")
    if not isinstance(value, str) or "\0" in value:
        raise fields.refuse("env", f'the value of "{key}" is not a text', "put it in quotes")
    return value
