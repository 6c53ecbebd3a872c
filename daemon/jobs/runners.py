"""An attempt as those who watch it see it, and the kind in a child process under its keeper."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, assert_never

from ..definitions.schedule import Job
from ..states import JobOutcome
from ..text import signal_name
from .brief import BRIEF_VARIABLE, FUNCTION_CHILD, Brief, hand_over
from .output import Transcript
from .processes.child import Child, ChildEnd
from .processes.identity import ProcessIdentity
from .processes.trust_page import TrustPage
from .reports import Outcome, Progress
from .stacks import SeenWork, seen_of_child
from .templates.templates import Templates


@dataclass(frozen=True, slots=True)
class Listeners:
    """What hears of an attempt: the callbacks, in the replica's event loop, and its transcript."""

    output: Callable[[Sequence[str]], None]
    progress: Callable[[Progress], None]
    transcript: Transcript


class Attempt(ABC):
    """An attempt that is prepared, recorded, started, and then waited for."""

    keeper: ProcessIdentity | None = None
    """The keeper, to be recorded before `go` (rule 18); None inside the replica."""

    @abstractmethod
    async def go(self) -> None:
        """Start the work; raises `ChildNotStarted` if it cannot be started."""

    @abstractmethod
    async def wait(self) -> Outcome:
        """Wait until nothing of it is left, and return how it ended."""

    @abstractmethod
    def stop(self, kill_after: float) -> None:
        """Ask it to end; kill a child's tree after ``kill_after`` seconds. Inside the replica there is nothing to force."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once; cancel a task, which cannot be forced to end."""

    def lost_to_others(self) -> float:
        """Return the seconds that other jobs have cost it, which count against none of its limits (rule 25)."""
        return 0.0

    def blocks(self) -> bool:
        """Return whether it blocks the event loop of async jobs now."""
        return False

    @abstractmethod
    async def seen(self, secrets: Collection[str]) -> SeenWork:
        """Return what it does now, without harm to it; of a command line without ``secrets``."""


class ChildAttempt(Child, Attempt):
    """An attempt in a child process: a command, or a function in a process of its own."""

    job: Job
    keeper: ProcessIdentity

    @classmethod
    async def prepare(
        cls, job: Job, brief: Brief, templates: Templates, *, trust: TrustPage, listeners: Listeners
    ) -> Self:
        """Start the keeper; the child itself waits for `go`. Raises `ChildNotStarted`, `Shortage` or `OSError`."""
        template = await templates.of(job)
        environment = {**templates.environment, **job.env, **brief.environment()}
        params_file = hand_over(brief.params, environment)
        command: tuple[str, ...] = FUNCTION_CHILD
        if job.function is not None:
            environment[BRIEF_VARIABLE] = brief.to_json()
        elif isinstance(job.command, str):
            command = ("/bin/sh", "-c", job.command)
        else:
            command = job.command or ()
        prepared = await cls.spawn(
            command,
            cwd=str(Path(brief.file).parent / (job.cwd or "")),
            env=environment,
            trust=trust,
            report=True,
            remove=params_file,
            template=template,
            on_output=listeners.output,
            on_progress=listeners.progress,
            transcript=listeners.transcript,
        )
        prepared.job = job
        return prepared

    async def wait(self) -> Outcome:
        return child_outcome(await self.ended())

    async def seen(self, secrets: Collection[str]) -> SeenWork:
        secrets, is_function = {*secrets, *self.job.env.values()}, self.job.function is not None
        pipe, lines = self._kept.reported, self._pipes.others
        return await seen_of_child(self.pid, self.keeper.pid, pipe, lines, secrets=secrets, is_function=is_function)


def child_outcome(ended: ChildEnd) -> Outcome:
    """Return the outcome of a child: success if it exited by itself with status 0 and no error."""
    state: JobOutcome = "failed"
    error = ended.error
    match ended.why:
        case "trust":
            state, error = "lost", "killed when its lease could no longer be trusted"
        case "stopped" | "killed" | "pipe":
            state = "stopped"
        case "abandoned":
            error = error or "its keeper died, and the processes left behind were killed"
        case "exited" if ended.file_changed is not None:
            state, error = "not run", ended.file_changed
        case "exited" if ended.status == 0 and error is None:
            state = "succeeded"
        case "exited" | "refused":
            error = error or _how_it_ended(ended)
        case _:
            assert_never(ended.why)
    return Outcome(state, error, status=ended.status, signal=ended.signal, peak_memory=ended.peak_memory)


def _how_it_ended(ended: ChildEnd) -> str:
    """Return how a child ended that failed without saying why."""
    how = f"killed by {signal_name(ended.signal)}" if ended.signal else f"exited with status {ended.status}"
    return f"{how}, probably out of memory" if ended.out_of_memory else how
