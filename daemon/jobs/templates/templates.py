"""The templates of a replica: which of them starts a job's child."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ...definitions.application import Application
from ...definitions.job import Job
from .loaded import launch_loaded
from .template import Template

BARE = Path(__file__).with_name("forks.py")


class Templates:
    """Starts the templates that the jobs of an application need; ``Templates()`` are none, so that all starts anew.

    A template that has ended is started again with the next child that needs it, unless it never was ready: FILE can't
    be forked then, or the machine has no pidfd. ``say`` gets a sentence once if it is FILE that can't. ``environment``
    is what children inherit, by default that of this process.
    """

    def __init__(
        self,
        application: Application | None = None,
        say: Callable[[str], None] = lambda _: None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.environment = environment
        self._say: Callable[[str], None] | None = say
        self._file = None if application is None else application.source.name
        schedules = () if application is None else application.schedules
        jobs = [job for schedule in schedules for job in schedule.jobs if job.isolation in {"process", "command"}]
        self._bare = self._loaded = None
        self._surroundings = _most_common_surroundings(jobs)
        if sys.platform == "linux" and jobs:
            self._bare = _Renewed(partial(Template, partial(launch_bare, environment=environment)))
        if sys.platform == "linux" and application is not None and self._surroundings is not None:
            (variables, folder), of = self._surroundings, application
            launch = partial(launch_loaded, of.spec, of.stamp, variables=variables, environment=environment)
            self._loaded = _Renewed(partial(Template, launch, str(of.source.parent / (folder or ""))))

    async def of(self, job: Job) -> Template | None:
        """Return the template that is to start the keeper of a job's child; None where there is none to be had."""
        loaded = None
        if self._loaded is not None and job.function is not None and _surroundings(job) == self._surroundings:
            loaded = await self._loaded.current()
            self._report(self._loaded.unfit)
        return loaded or (None if self._bare is None else await self._bare.current())

    def _report(self, unfit: str | None) -> None:
        if unfit is not None and self._say is not None:
            self._say(
                f"each child process of a function loads {self._file} again, which takes more time and memory: {unfit}"
            )
            self._say = None

    def close(self) -> None:
        for template in (self._bare, self._loaded):
            if template is not None:
                template.close()


def _surroundings(job: Job) -> tuple[dict[str, str], str | None]:
    return dict(job.env), job.cwd


def _most_common_surroundings(jobs: Iterable[Job]) -> tuple[dict[str, str], str | None] | None:
    """Return the `env` and `cwd` that most functions have; None if there are none. FILE and the interpreter may read
    variables, and files of the folder, as they are loaded, so that a function with others starts anew.
    """
    counted = Counter((tuple(sorted(job.env.items())), job.cwd) for job in jobs if job.function is not None)
    return next(((dict(variables), folder) for (variables, folder), _ in counted.most_common(1)), None)


def launch_bare(
    requests: int, parent: int, environment: Mapping[str, str] = os.environ
) -> tuple[Sequence[str | Path], Mapping[str, str]]:
    """Return the command and the environment of a template whose keepers start commands."""
    return [sys.executable, "-I", "-S", BARE, str(requests), str(parent)], environment


class _Renewed:
    """A template, and after its end another one."""

    def __init__(self, make: Callable[[], Template]) -> None:
        self._make = make
        self._template = self._made()

    @property
    def unfit(self) -> str | None:
        """Why the template can't be forked from, as far as it has said so."""
        return None if self._template is None else self._template.unfit

    async def current(self) -> Template | None:
        """Return it once it is ready; None if that takes too long, or can't be."""
        if self._template is not None:
            self._template.hear()
        if self._template is None or (self._template.was_ready and self._template.has_ended):
            self._template = self._made()
        return self._template if self._template is not None and await self._template.is_ready() else None

    def close(self) -> None:
        if self._template is not None:
            self._template.close()

    def _made(self) -> Template | None:
        try:
            return self._make()
        except OSError:  # whoever starts a child anew will find out, and say it
            return None
