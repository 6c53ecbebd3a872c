"""Defaults: what a file says once, for each of its schedules and jobs that does not say it itself."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, create_model

from ..errors import Place
from .definition import Definition, Mark, read_settings
from .schedule import Job, Schedule
from .triggers.trigger import is_meaningless
from .values.refusal import Refusal
from .values.work import default_isolation

_FIELDS: dict[str, Any] = {
    name: (Annotated[info.annotation, *info.metadata, Field(title=info.title, description=info.description)], None)
    for model in (Schedule, Job)
    for name, info in model.settings(Mark.DEFAULT).items()
}
DefaultSettings: type[Definition] = create_model("DefaultSettings", __base__=Definition, **_FIELDS)
"""The settings that may be given for all: those of schedules and jobs with `Mark.DEFAULT`."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """The settings that were given for all."""

    given: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    """The same, fit for JSON; of `env` the names only, for values may be secret."""

    def of_schedule(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return its own settings, and those that it does not say itself, unless they mean nothing on request."""
        names: Collection[str] = Schedule.settings(Mark.DEFAULT)
        if own.get("on_request") is True:
            names = [name for name in names if not is_meaningless(name, self.given.get(name))]
        return self._with(own, names)

    def of_job(self, own: Mapping[str, Any], function: object = None) -> dict[str, Any]:
        """Return the settings of a job: its own, and what it does not say itself. `env` is merged."""
        isolation = own.get("isolation") or default_isolation({"function": function})
        names = Job.settings(Mark.DEFAULT).keys()
        if isolation in ("task", "thread"):
            return self._with(own, names - {"cwd", "env"})  # only a child has them
        settings = self._with(own, names)
        if isinstance(env := own.get("env"), Mapping) and "env" in self.given:
            settings["env"] = {**self.given["env"], **env}
        return settings

    def _with(self, own: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
        return {**own, **{name: self.given[name] for name in self.given if name in names and own.get(name) is None}}


def read_defaults(
    given: Mapping[str, object], place: Place, *, of_schedule: str, of_job: str, others: tuple[str, ...] = ()
) -> Defaults:
    """Return the defaults that were given; raises `DefinitionError`.

    ``of_schedule`` and ``of_job`` say where a setting stands that can't be one.
    """
    misplaced = {
        name: Refusal("this setting cannot be a default for all schedules", of_schedule) for name in Schedule.settings()
    }
    misplaced |= {name: Refusal("this setting cannot be a default for all jobs", of_job) for name in Job.settings()}
    read = read_settings(DefaultSettings, given, place, others=others, misplaced=misplaced)
    settings = {name: value for name, value in read if value is not None}
    return Defaults(settings, read.model_dump(mode="json", exclude_none=True))
