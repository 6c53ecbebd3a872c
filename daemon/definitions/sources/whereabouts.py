"""From `Schedules` in this process to FILE, which a child loads again."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import DefinitionError, Place
from ..application import Application
from ..values.work import module_name
from .load import stamp_of
from .schedule_set import ScheduleSet, modules_of_functions

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
    problem = "no module has a name for them"
    remedy = 'assign them at the top of a module (schedules = Schedules("…")), or make the job an async function'
    if has_name:
        problem = "no module that has a name for them imports all their functions"
        remedy = "import them where all modules of their functions are imported"
    for schedule in application.schedules:
        for job in schedule.jobs:
            if job.function is not None and job.isolation == "process":
                raise DefinitionError(
                    Place(schedule=schedule.name, job=job.name),
                    f"it runs in a child process, which must import these Schedules, and {problem}",
                    remedy,
                )
