"""The second load of FILE, in a fresh interpreter with another hash seed: does it read the same?

A file that reads differently at each load would be another generation with each replica (rule 22).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from ....definitions.application import Application
from ....definitions.sources.load import load
from ....errors import DaemonError, DefinitionError, Place
from ....jobs.templates.loaded import Before, remains

_REMEDY = (
    "a file must define the same each time it is loaded; otherwise each replica that loads it deploys something else"
)


@contextmanager
def second_load(file: str) -> Iterator[Callable[[Application], str | None]]:
    """Load ``file`` during the block, in which it is loaded for the first time.

    Yield what compares the two: it raises `DefinitionError`, which names what differs, and returns what the file leaves
    behind because of which functions cannot be forked; None: nothing.
    """
    reading, writing = os.pipe()  # not stdout: what an interpreter starts as it begins may keep that open
    with os.fdopen(reading, "rb") as answer:
        try:
            process = subprocess.Popen(  # noqa: S603 - this module, as a program
                [sys.executable, "-P", "-m", __name__, file, str(writing)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
                env={**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"},
            )
        finally:
            os.close(writing)

        def refuse_different(application: Application) -> str | None:
            place, text = Place(source=file), answer.read()
            process.wait()
            try:
                again = json.loads(text.rpartition(b"\n")[2])  # a file that forks has two answers
            except ValueError:
                raise DefinitionError(place, "loading it a second time exited the interpreter", _REMEDY) from None
            if "error" in again:
                raise DefinitionError(place, f"loading it a second time failed ({again['error']})", _REMEDY)
            if (found := difference(whole(application), again["whole"], file)) is not None:
                raise found
            return cast("str | None", again["left"])

        with process:
            try:
                yield refuse_different
            finally:
                process.kill()


def main() -> None:
    """Load the file of the first argument, and write what it defines to the descriptor of the second."""
    file, descriptor = sys.argv[1], int(sys.argv[2])
    os.set_inheritable(descriptor, False)
    before = Before()
    try:
        answer: dict[str, Any] = {"whole": whole(load(file)), "left": remains(before)}
    except DaemonError as error:
        answer = {"error": str(error)}
    with os.fdopen(descriptor, "w") as to:
        to.write(f"\n{json.dumps(answer)}")


Values = list[tuple[str | None, str | None, str, Any]]
"""Of a file, a schedule or a job of one: schedule, job, field, and what that reads."""


def whole(application: Application) -> Values:
    """Return everything that must be the same at each load, as JSON has it."""
    names = {
        "application": application.name,
        "revision": application.revision,
        "require_revision": application.require_revision,
    }
    found: Values = [(None, None, field, value) for field, value in names.items()]
    for name, settings in application.shared.items():
        jobs = settings["jobs"]
        of_schedule = {**settings, "jobs": ", ".join(job["name"] for job in jobs)}
        found += [(name, None, field, value) for field, value in of_schedule.items()]
        found += [(name, job["name"], field, value) for job in jobs for field, value in job.items()]
    again: Values = json.loads(json.dumps(found))
    return again


def difference(first: Values, second: Values, file: str) -> DefinitionError | None:
    """Return the refusal of the first thing that differs, if anything does. Pure."""
    one, two = ({(schedule, job, field): value for schedule, job, field, value in some} for some in (first, second))
    for schedule, job, field in (*one, *two):
        has = [(schedule, None, "jobs") in some for some in (one, two)]
        if schedule is not None and not all(has):
            problem = f"it is only in the {'first' if has[0] else 'second'} of two loads"
            return DefinitionError(Place(file, schedule=schedule), problem, _REMEDY)
        read, again = (some.get((schedule, job, field)) for some in (one, two))
        if read != again:
            problem = f"it reads {_shown(read)} at one load and {_shown(again)} at the next"
            return DefinitionError(Place(file, schedule=schedule, job=job, field=field), problem, _REMEDY)
    return None


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


if __name__ == "__main__":
    main()
