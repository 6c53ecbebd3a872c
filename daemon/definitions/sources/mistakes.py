"""The mistakes in a Python file: raised where they are made, or all collected while `load` runs it once more, such
as settings that were given to a schedule and belong elsewhere; and the imports of what users wrote.
"""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

from ...errors import DaemonError, DefinitionError, Mistakes, Place
from ...text import suggestion
from ..schedule import Job
from ..values.refusal import Refusal


class AtOnce(Mistakes):
    """Collects nothing: each mistake is raised where it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.had_one = False

    def note(self, error: DaemonError) -> bool:
        """Return that the error is to be raised."""
        del error
        self.had_one = True
        return False

    @property
    def schedules(self) -> set[str | None]:
        """The schedules that have one."""
        return {error.place.schedule for error in self.found if isinstance(error, DefinitionError)}


class InFile(AtOnce):
    """Collects the mistakes in FILE, each with its line."""

    def __init__(self, spec: str) -> None:
        super().__init__()
        self._spec = spec
        self._file = str(Path(spec if spec.endswith(".py") else spec.rpartition(":")[0]).resolve())

    def note(self, error: DaemonError) -> bool:
        """Keep the error; return that its code goes on."""
        lines = [frame.lineno for frame in traceback.extract_stack() if frame.filename == self._file]
        if isinstance(error, DefinitionError):
            error = error.found_in(self._spec, lines[-1] if lines else None)
        return Mistakes.note(self, error)


into: ContextVar[AtOnce] = ContextVar("into", default=AtOnce())  # noqa: B039 - it collects nothing
"""The collector that takes the mistakes in definitions now."""


WORK = ("call", "command")
JOB_KEYS = ("name", *WORK, *Job.settings())

_OF_A_JOB, _OF_A_LOCK = "this is a setting of a job", "this is a setting of a lock"

IN_PYTHON: Mapping[str, Refusal] = {
    **{key: Refusal(_OF_A_JOB, "give it to .job() or .command() of the schedule") for key in Job.settings()},
    "slots": Refusal(_OF_A_LOCK, 'write lock={"name": "…", "slots": …}'),
}
IN_TOML: Mapping[str, Refusal] = {
    **{key: Refusal(_OF_A_JOB, "write it in jobs = [{ … }]") for key in JOB_KEYS},
    "slots": Refusal(_OF_A_LOCK, 'write lock = { name = "…", slots = … }'),
    "calendars": Refusal("this is not a setting of a schedule", "write [calendars.NAME], and name it in exclude"),
}


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
