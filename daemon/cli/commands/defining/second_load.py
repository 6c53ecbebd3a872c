"""The second load of FILE, in a fresh interpreter with another hash seed: does it read the same?

A file that reads differently at each load would be another generation with each replica (rule 22).
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from ....definitions.application import Application
from ....definitions.sources.load import load
from ....errors import DaemonError, DefinitionError, Place
from ....jobs.templates.remains import Before, remains

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        found = difference(whole(application), again, place)
        if found is not None:
            raise found
        left: str | None = again["left"]
        return left


def main() -> None:
    """Load the file of the first argument, and write what it defines to the descriptor of the second."""
    file, descriptor = sys.argv[1:]
    before = Before()
    try:
        answer = whole(load(file))
        answer["left"] = remains(before)
    except DaemonError as error:
        answer = {"error": str(error)}
    with os.fdopen(int(descriptor), "w", encoding="utf-8") as to:
        json.dump(answer, to)


def whole(application: Application) -> dict[str, Any]:
    """Return everything that must be the same at each load, ready for JSON."""
    found = {
        "application": application.name,
        "revision": application.revision,
        "require_revision": application.require_revision,
        "schedules": application.shared,
    }
    again: dict[str, Any] = json.loads(json.dumps(found))
    return again


def difference(first: Mapping[str, Any], second: Mapping[str, Any], place: Place) -> DefinitionError | None:
    """Return the refusal of the first thing that differs, if anything does. Pure."""
    for name in ("application", "revision", "require_revision"):
        if first[name] != second[name]:
            return _refusal(Place(place.source, field=name), first[name], second[name])
    schedules = first["schedules"], second["schedules"]
    for name in sorted(schedules[0].keys() | schedules[1].keys()):
        own, other = (some.get(name) for some in schedules)
        where = Place(place.source, schedule=name)
        if own is None or other is None:
            return DefinitionError(
                where, f"it is only in the {'first' if other is None else 'second'} of two loads", _REMEDY
            )
        for setting in sorted((own.keys() | other.keys()) - {"jobs"}):
            if own.get(setting) != other.get(setting):
                return _refusal(Place(place.source, schedule=name, field=setting), own.get(setting), other.get(setting))
        if own["jobs"] != other["jobs"]:
            return _of_jobs(own["jobs"], other["jobs"], where)
    return None


def _of_jobs(own: list[dict[str, Any]], other: list[dict[str, Any]], where: Place) -> DefinitionError:
    names = [[job["name"] for job in jobs] for jobs in (own, other)]
    if names[0] != names[1]:
        return _refusal(
            Place(where.source, schedule=where.schedule, field="jobs"), *(", ".join(some) for some in names)
        )
    one, two = next(pair for pair in zip(own, other, strict=True) if pair[0] != pair[1])
    setting = next(name for name in sorted(one.keys() | two.keys()) if one.get(name) != two.get(name))
    place = Place(where.source, schedule=where.schedule, job=one["name"], field=setting)
    return _refusal(place, one.get(setting), two.get(setting))


def _refusal(place: Place, first: object, second: object) -> DefinitionError:
    return DefinitionError(place, f"it reads {_shown(first)} at one load and {_shown(second)} at the next", _REMEDY)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


if __name__ == "__main__":
    main()
