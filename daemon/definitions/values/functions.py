"""The function of a job: what can be called with a run, and what people write who mean something else."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .refusal import Refusal, shown

_OURS = frozenset({"daemon", "lease"})
_RUNS = frozenset(["Run", "AsyncRun"])
_MODULE_OF_RUNS = "daemon.jobs.run"
"""By its name, for that room stands above this one."""


def plain(function: object) -> object:
    """Return the function of a static method; anything else as it is."""
    return function.__func__ if isinstance(function, staticmethod) else function


def read_function(given: object) -> object:
    """Return the function that is called with a run; raises `Refusal` for what cannot be, or would do
    nothing when called.
    """
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
    """Return what a module is called where it is imported: also the one that is run as a program, which calls
    itself ``__main__``.
    """
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
    BeforeValidator(read_function, json_schema_input_type=Annotated[str, Field(pattern="^[^:]+:[^:]+$")]),
    Field(title="package.module:function"),
]
