"""The mistakes in a Python file: raised where they are made, or all collected while `load` runs it once more; and settings
that were given to a schedule and belong elsewhere.
"""

import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path

from ...errors import DaemonError, DefinitionError, Mistakes
from ..job import Job
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
