"""Imports of what users wrote: anything that goes wrong in it becomes one sentence."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from ...errors import DaemonError, DefinitionError, Place
from ...text import suggestion


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
