"""From FILE, as the command line takes it, to an application; and from `Schedules` in this process to FILE."""

import importlib.util
import io
import math
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from ...errors import DaemonError, DefinitionError, Place
from ..application import Application
from ..values.work import imported, member, module_name, name_of_file
from .schedule_set import AtOnce, InFile, ScheduleSet, into, modules_of_functions
from .toml_file import read_toml

_FORMS = 'give a .py or .toml file, or "package.module:attribute"'
_loaded: set[str] = set()
"""Names of modules that were made from a file here, and may be replaced by another file of the same name."""


class _AsItIs(SourceFileLoader):
    """Loads a file from its source. A compiled copy is told from an older one by a second and a size alone:
    a file that is edited twice in a second would be loaded as it was.
    """

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - as it is called
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def load(spec: str | Path, *, every_mistake: bool = False) -> Application:
    """Return what FILE defines; raises `DefinitionError`. With ``every_mistake``, a Python file in which a definition
    is wrong is run once more, to find the others.

    FILE is ``schedules.py`` (``schedules.py:name`` where it holds several `Schedules`), ``definitions.toml``, or
    ``package.module:name``, looked for in the working directory or in a folder written before it
    (``/srv/shop/package.module:name``). Each call runs a Python file again.
    """
    text, at_once = str(spec), AtOnce()
    try:
        application = _load(text, at_once)
    except DefinitionError as first:
        if every_mistake and at_once.had_one:
            first.more = tuple(_others(text, first))
        raise
    return replace(application, stamp=stamp_of(application.source))


def _others(text: str, first: DefinitionError) -> Iterator[DaemonError]:
    """Run a Python file, noting what is wrong instead of raising it; yield what is noted besides ``first``."""
    found, nowhere = InFile(text), io.StringIO()
    with found, redirect_stdout(nowhere), redirect_stderr(nowhere):  # it has printed all that before
        try:
            _load(text, found)
        except DefinitionError as failure:
            if (failure.place.line or math.inf) > (first.place.line or 0):
                raise
            # the first time that line did not fail: it does if it is run again, such as one that registers something
    told = {str(first)}
    for error in found.found:
        if str(error) not in told:
            told.add(str(error))
            yield error


def stamp_of(file: str | Path) -> str:
    """Return what changes whenever ``file`` is written; the same each time where there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116 - of a path or a string
    except OSError:
        return ""
    return f"{found.st_mtime_ns}.{found.st_size}.{found.st_ino}"


def _load(text: str, mistakes: AtOnce) -> Application:
    stem, colon, attribute = text.rpartition(":")
    token = into.set(mistakes)
    try:
        if text.endswith(".toml"):
            path = _existing(text, text)
            _look_in(path.parent)
            return read_toml(path, text)
        if text.endswith(".py"):
            return _from_file(_existing(text, text), text, None)
        if colon and stem.endswith(".py"):
            return _from_file(_existing(stem, text), text, attribute)
        if colon and stem and attribute and not stem.endswith(("/", ".")):
            return _from_module(stem, text, attribute)
    finally:
        into.reset(token)
    raise DefinitionError(Place(source=text), "this does not say what to load", _FORMS)


def _from_file(path: Path, source: str, attribute: str | None) -> Application:
    _look_in(path.parent)
    # Others in its folder import it by this name too: so one file is one module, also for a job's module that imports
    # it back.
    name = name_of_file(path)
    taken = sys.modules.get(name)
    if taken is not None and name not in _loaded and getattr(taken, "__file__", None) != str(path):
        name = f"leased_file_{name}"
    loader = _AsItIs(name, str(path))
    definition = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert definition is not None  # noqa: S101 - there is a loader
    module = importlib.util.module_from_spec(definition)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        with imported(name, Place(source=source), str(path)):
            loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        if before is not None:
            sys.modules[name] = before
        raise
    _loaded.add(name)
    spec = f"{path}:{attribute}" if attribute else str(path)
    return _application(_schedules(module, attribute, source), source, path, spec)


def _from_module(name: str, source: str, attribute: str) -> Application:
    folder, slash, name = name.rpartition("/")
    root = Path(folder or slash).resolve()
    _look_in(root)
    place = Place(source=source)
    with imported(name, place):
        module = import_module(name)
    path = Path(module.__file__).resolve() if module.__file__ else root
    return _application(_schedules(module, attribute, source), source, path, f"{root}/{name}:{attribute}")


def _schedules(module: ModuleType, attribute: str | None, source: str) -> ScheduleSet:
    place = Place(source=source)
    if attribute is not None:
        found = member(module, attribute, place)
        if not isinstance(found, ScheduleSet):
            raise DefinitionError(place, f'"{attribute}" is not a Schedules', 'make one: schedules = Schedules("name")')
        return found
    named = {name: value for name, value in vars(module).items() if isinstance(value, ScheduleSet)}
    different = {id(value) for value in named.values()}
    if not named:
        raise DefinitionError(place, "there is no Schedules in it", 'make one: schedules = Schedules("name")')
    if len(different) > 1:
        problem = f"it contains several Schedules: {', '.join(named)}"
        raise DefinitionError(place, problem, f"name one: {source}:{next(iter(named))}")
    return next(iter(named.values()))


def _application(schedules: ScheduleSet, source: str, path: Path, spec: str) -> Application:
    try:
        return schedules.application(path, spec)
    except DefinitionError as error:
        raise error.found_in(source) from None


def _existing(file: str, source: str) -> Path:
    path = Path(file)
    if not path.exists():
        raise DefinitionError(Place(source=source), "there is no such file", f"check the path; this is {Path.cwd()}")
    if not path.is_file():
        raise DefinitionError(Place(source=source), "this is not a file", _FORMS)
    return path.resolve()


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


# From `Schedules` to FILE, which a child loads again

_WITHOUT_FILE = "definitions"
"""Stands for the file of definitions that none was found of; its folder is where commands run."""


def application_here(schedules: ScheduleSet) -> Application:
    """Return what these `Schedules` define, with the FILE in which a child finds them again.

    Raises `DefinitionError` where no module has a name for them, or none that imports all their functions, and a job
    needs that.
    """
    bare = schedules.application(Path.cwd() / _WITHOUT_FILE)
    order = [*(name for name in list(sys.modules) if name != "__main__"), "__main__"]  # as they were done with
    found = [place for name in order if (place := _place(name, schedules)) is not None]
    place = _preferred(found, modules_of_functions(bare), order)
    if place is None:
        _refuse_functions_in_children(bare, has_name=bool(found))
        place = found[0] if found else None
    if place is None:
        return bare
    return replace(schedules.application(place.path, place.spec), stamp=stamp_of(place.path))


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A module that has the `Schedules` under a name: its own name, its file, and FILE as `load` takes it."""

    module: str
    path: Path
    spec: str


def _place(name: str, schedules: ScheduleSet) -> Whereabouts | None:
    module = sys.modules.get(name)
    if module is None:
        return None
    attribute = next((key for key, value in list(getattr(module, "__dict__", {}).items()) if value is schedules), None)
    file = getattr(module, "__file__", None)
    if attribute is None or not file or not file.endswith(".py"):
        return None
    path = Path(file).resolve()
    if name == "__main__" and module.__spec__ is None:
        return Whereabouts(name, path, f"{path}:{attribute}")
    dotted = module_name(name)
    depth = dotted.count(".") + (path.name == "__init__.py")
    return Whereabouts(name, path, f"{path.parents[depth]}/{dotted}:{attribute}")


def _preferred(found: list[Whereabouts], functions: set[str], order: list[str]) -> Whereabouts | None:
    """Return the smallest that brings all functions when it is loaded: the only module of functions, if that has a name
    for the `Schedules`; otherwise the first that was done with after all modules of functions, for it imports them.
    """
    known = [order.index(name) for name in functions if name in order]
    for place in found:
        if functions == {place.module}:
            return place
    for place in found:
        if place.module not in functions and order.index(place.module) > max(known, default=-1):
            return place
    return next((place for place in found if place.module == "__main__"), None)


def _refuse_functions_in_children(application: Application, *, has_name: bool) -> None:
    problem = "it runs in a child process, which must import these Schedules, and no module "
    lacks = "has a name for them"
    remedy = 'assign them at the top of a module (schedules = Schedules("…")), or make the job an async function'
    if has_name:
        lacks = "that has a name for them imports all their functions"
        remedy = "import them where all modules of their functions are imported"
    for schedule in application.schedules:
        for job in schedule.jobs:
            if job.function is not None and job.isolation == "process":
                raise DefinitionError(Place(schedule=schedule.name, job=job.name), problem + lacks, remedy)
