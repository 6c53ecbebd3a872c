"""The second load of FILE, in a fresh interpreter with another hash seed: does it read the same?

A file that reads differently at each load would be another generation with each replica (rule 22).
"""

import json
import os
import subprocess
import sys
from typing import Any, Self, cast

from ....definitions.application import Application
from ....definitions.sources.load import load
from ....errors import DaemonError, DefinitionError, Place
from ....jobs.templates.loaded import Before, remains

_REMEDY = (
    "a file must define the same each time it is loaded; otherwise each replica that loads it deploys something else"
)


class SecondLoad:
    """A load of ``file`` that goes on beside the first one; it is ended if that one fails."""

    def __init__(self, file: str) -> None:
        self._file = file
        reading, writing = os.pipe()
        try:
            seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
            self._process = subprocess.Popen(  # noqa: S603 - this module, as a program
                [sys.executable, "-P", "-m", __name__, file, str(writing)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
                env={**os.environ, "PYTHONHASHSEED": seed},
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._answer = os.fdopen(reading, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._answer.close()
        self._process.kill()
        self._process.wait()

    def refuse_different(self, application: Application) -> str | None:
        """Raise `DefinitionError` unless the second load gives what the first did; the error names what differs. Return
        what the file leaves behind because of which functions cannot be forked; None: nothing.
        """
        place, text = Place(source=self._file), self._answer.read()
        self._process.wait()
        if not text:
            raise DefinitionError(place, "loading it a second time exited the interpreter", _REMEDY)
        again = json.loads(text)
        if "error" in again:
            raise DefinitionError(place, f"loading it a second time failed ({again['error']})", _REMEDY)
        if (found := difference(whole(application), again["whole"], self._file)) is not None:
            raise found
        return cast("str | None", again["left"])


def main() -> None:
    """Load the file of the first argument, and write what it defines to the descriptor of the second."""
    file, descriptor = sys.argv[1:]
    before = Before()
    try:
        answer: dict[str, Any] = {"whole": whole(load(file)), "left": remains(before)}
    except DaemonError as error:
        answer = {"error": str(error)}
    with os.fdopen(int(descriptor), "w", encoding="utf-8") as to:
        json.dump(answer, to)


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
