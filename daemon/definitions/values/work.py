"""A command, where a job runs, and the environment of a child."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo

from .functions import plain
from .refusal import Refusal, no_choice, shown
from .strings import check_text, is_storable, read_table

Isolation = Literal["task", "thread", "process", "command"]
"""Where a job runs. A command always runs in a process of its own, and that is no choice."""


def read_command(work: object) -> str | tuple[str, ...]:
    """Return a command for ``/bin/sh``, or the words of one; raises `Refusal`."""
    if isinstance(work, str) and work.strip():
        return check_text(work)
    words = tuple(work) if isinstance(work, (list, tuple)) else ()
    if words and words[0] and all(isinstance(word, str) for word in words):
        return tuple(map(check_text, words))
    remedy = 'write a string for /bin/sh, or a list like ["python", "sync.py"]'
    raise Refusal("the command is empty" if work in ("", [], ()) else f"{shown(work)} is not a command", remedy)


def default_isolation(job: Mapping[str, Any]) -> Isolation:
    """Return where a job runs unless it says so itself; ``job`` has its function."""
    function = plain(job.get("function"))
    if function is None:
        return "command"
    return "task" if inspect.iscoroutinefunction(function) else "process"


def read_isolation(value: object, job: ValidationInfo) -> Isolation:
    """Return where a job is to run; raises `Refusal` for what its function or command cannot do."""
    default = default_isolation(job.data)
    choices = ("process",) if default == "command" else ("task", "process", "thread")
    if value not in choices:
        raise no_choice(value, choices)
    if value == "process":
        return "command" if default == "command" else "process"
    if value == "thread":
        if default == "task":
            raise Refusal("an async function cannot run in a thread of its own", 'use "task" or "process"')
        return "thread"
    if default != "task":
        raise Refusal("only an async function can be a task", 'make it `async def`, or use "process"')
    return "task"


def read_environment(given: object) -> dict[str, str]:
    """Return variables; raises `Refusal`, which shows no value: it may be secret."""
    variables = read_table(given)
    for name, value in variables.items():
        if not check_text(name) or "=" in name:
            raise Refusal(f"{shown(name)} cannot be the name of a variable", 'use a name without "="')
        if name.startswith(("LEASE_", "LEASED_")):
            raise Refusal(f'"{name}" is set by the daemon itself', "use another name")
        if not isinstance(value, str):
            raise Refusal(f'the value of "{name}" is not a string', "put it in quotes")
        if not is_storable(value):
            raise Refusal(f'the value of "{name}" has a character that cannot be stored', "leave it out")
    return variables


Command = Annotated[
    str | tuple[str, ...],
    BeforeValidator(
        read_command,
        json_schema_input_type=Annotated[str, Field(min_length=1)] | Annotated[Sequence[str], Field(min_length=1)],
    ),
    Field(title="a string for /bin/sh, or a list of words"),
]
ChosenIsolation = Annotated[
    Isolation, BeforeValidator(read_isolation, json_schema_input_type=Literal["task", "process", "thread"])
]
Environment = Annotated[
    dict[str, str],
    BeforeValidator(read_environment, json_schema_input_type=Mapping[str, str]),
    PlainSerializer(sorted),  # of the variables only the names are stored
    Field(title="a table of strings"),
]
