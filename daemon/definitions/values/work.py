"""The function or the command of a job, where it runs, and the environment of a child; and modules of functions."""

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo

from ...errors import DaemonError, DefinitionError, Place
from ...text import suggestion
from .refusal import Refusal, no_choice, read_by, shown
from .strings import check_text, is_storable, read_table

_OURS = frozenset({"daemon", "lease"})
_RUNS = frozenset(["Run", "AsyncRun"])
_MODULE_OF_RUNS = "daemon.jobs.run"
"""By its name, for that room stands above this one."""


def plain(function: object) -> object:
    """Return the function of a static method; anything else as it is."""
    return function.__func__ if isinstance(function, staticmethod) else function


def read_function(given: object) -> object:
    """Return the function that is called with a run; raises `Refusal` for what can't be, or would do nothing then."""
    function = plain(given)
    if isinstance(function, classmethod):
        raise Refusal("it is a class method", "define it outside of its class, or as a static method")
    if not callable(function):
        raise Refusal(f"{shown(function)} is not a function", "give a function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise Refusal("the function has a `yield`, so calling it would do nothing", "take it out")
    if not inspect.isroutine(function) and inspect.iscoroutinefunction(type(function).__call__):
        raise Refusal("it is an object whose __call__ is async", "give an async function")
    try:
        signature = _signature(function)
    except (TypeError, ValueError):
        return function
    _check_parameters(function, signature)
    return function


def function_name(function: Callable[..., Any]) -> str:
    """Return what is stored of a function: its own module and qualified name."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{module_name(named.__module__)}:{named.__qualname__}"


def module_name(name: str) -> str:
    """Return what a module is called where it is imported, even the one that runs as ``__main__``."""
    main = sys.modules.get(name) if name == "__main__" else None
    if main is None:
        return name
    if main.__spec__ is not None:  # python -m
        return main.__spec__.name
    file = getattr(main, "__file__", None)
    return name_of_file(Path(file)) if file else name


def name_of_file(path: Path) -> str:
    """Return the name of the module that a file is loaded as, unless that is taken."""
    name = path.stem
    if not name.isidentifier() or name in sys.stdlib_module_names or name in _OURS:
        return f"leased_file_{''.join(c if c.isalnum() else '_' for c in name)}"
    return name


def _check_parameters(function: Callable[..., Any], signature: inspect.Signature) -> None:
    first = next(iter(signature.parameters.values()), None)
    if first is not None and first.name in {"self", "cls"} and not inspect.ismethod(function):
        remedy = "define it outside of its class, or as a static method"
        raise Refusal(f"it is a method, which would get the run as its `{first.name}`", remedy)
    try:
        signature.bind(object())
    except TypeError:
        problem = f"the function takes {signature}, but a job is called with its run alone"
        raise Refusal(problem, "give it one parameter: (run)") from None
    if first is None:
        return
    kind, is_async = _kind_of_run(first.annotation, function), inspect.iscoroutinefunction(function)
    if kind == "Run" and is_async:
        raise Refusal("an async function gets an AsyncRun, not a Run", f"write ({first.name}: AsyncRun)")
    if kind == "AsyncRun" and not is_async:
        remedy = f"write ({first.name}: Run), or make it `async def`"
        raise Refusal("a function that is not async gets a Run, not an AsyncRun", remedy)


def _kind_of_run(annotation: object, function: Callable[..., Any]) -> str | None:
    """Return which of our two kinds of a run an annotation names; None if it is something else."""
    text = getattr(annotation, "__forward_arg__", annotation)
    if isinstance(text, str):
        head, *attributes = text.split(".")
        annotation = getattr(function, "__globals__", {}).get(head)
        for attribute in attributes:
            annotation = getattr(annotation, attribute, None)
        if annotation is None:  # imported for type checkers alone
            name = text.rpartition(".")[2]
            return name if name in _RUNS else None
    is_ours = getattr(annotation, "__module__", None) == _MODULE_OF_RUNS
    name = getattr(annotation, "__name__", "")
    return name if is_ours and name in _RUNS else None


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        from annotationlib import Format  # noqa: PLC0415 - not there before

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)


Function = Annotated[
    Callable[..., Any],
    read_by(read_function, Annotated[str, Field(pattern="^[^:]+:[^:]+$")], "package.module:function"),
]


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
    if value == "thread" and default == "task":
        raise Refusal("an async function cannot run in a thread of its own", 'use "task" or "process"')
    if value == "task" and default != "task":
        raise Refusal("only an async function can be a task", 'make it `async def`, or use "process"')
    return default if default == "command" else cast("Isolation", value)


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


_Written = Annotated[str, Field(min_length=1)] | Annotated[Sequence[str], Field(min_length=1)]
Command = Annotated[str | tuple[str, ...], read_by(read_command, _Written, "a string for /bin/sh, or a list of words")]
ChosenIsolation = Annotated[
    Isolation, BeforeValidator(read_isolation, json_schema_input_type=Literal["task", "process", "thread"])
]
Environment = Annotated[
    dict[str, str],
    read_by(read_environment, Mapping[str, str], "a table of strings"),
    PlainSerializer(sorted),  # of the variables only the names are stored
]


# Imports of what users wrote: what goes wrong in it becomes one sentence


@contextmanager
def imported(name: str, place: Place, file: str | None = None) -> Iterator[None]:
    """Turn anything that an import raises into a `DefinitionError`; ``file`` is the file whose lines are named."""
    try:
        yield
    except DefinitionError as error:
        raise error.found_in(place.source or name, _line(error, file)) from None
    except DaemonError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            problem = f'there is no module "{error.name}"'
            raise DefinitionError(place, problem, "check its name, and the folder that it is in") from None
        raise _failed(error, name, place, file) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 (it is the user's code)
        raise _failed(error, name, place, file) from None


def member(module: ModuleType, attribute: str, place: Place) -> object:
    """Return what a module calls ``attribute``, which may be dotted; raises `DefinitionError`."""
    found: object = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = [name for name in dir(found) if not name.startswith("_")]
            raise DefinitionError(place, f'"{module.__name__}" has no "{attribute}"', suggestion(part, names))
        found = getattr(found, part)
    return found


def _failed(error: BaseException, name: str, place: Place, file: str | None) -> DefinitionError:
    if isinstance(error, SyntaxError) and error.filename == file:
        where = Place(source=place.source, line=error.lineno)
        return DefinitionError(where, f"{type(error).__name__}: {error.msg}", "correct that line")
    line = _line(error, file)
    said = " ".join(str(error).split())
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if line is not None and place.source is not None:
        place = Place(source=place.source, line=line)
        return DefinitionError(place, f"importing it failed with {what}", _remedy(error))
    frames = traceback.extract_tb(error.__traceback__)
    last = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return DefinitionError(place, f'importing "{name}" failed with {what}{last}', _remedy(error))


def _line(error: BaseException, file: str | None) -> int | None:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


def _remedy(error: BaseException) -> str:
    if isinstance(error, ImportError) and "relative import" in str(error):
        return 'name a file inside a package as "package.module:attribute"'
    if isinstance(error, ModuleNotFoundError):
        return "install it into the environment of leased, or correct its name"
    if isinstance(error, SystemExit):
        return 'put the code that exits under: if __name__ == "__main__"'
    return "the file must be importable"
