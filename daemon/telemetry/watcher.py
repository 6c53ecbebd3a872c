"""Facts of a replica at work, told as they happen; who watches formats them."""

from typing import Protocol

from lease.events import Event


class Watcher(Protocol):
    """Told by the service. Each method must be quick and must not raise; `lease_event` may come from another thread."""

    def run_started(self, schedule: str, run_id: int, token: int) -> None:
        """A run was claimed, or taken over, under this token."""

    def job_started(self, schedule: str, job: str, run_id: int, token: int) -> None:
        """An attempt of a job begins."""

    def job_progress(self, schedule: str, job: str, done: float, total: float | None, message: str | None) -> None:
        """A job told how far it has come."""

    def job_output(self, schedule: str, job: str, line: str) -> None:
        """A job printed or logged a line."""

    def job_ended(self, schedule: str, job: str, state: str, seconds: float, error: str | None) -> None:
        """An attempt of a job is over."""

    def run_ended(self, schedule: str, run_id: int, state: str, reason: str | None, token: int) -> None:
        """A run is over for this replica: over for good, or back to pending."""

    def write_refused(self, schedule: str, run_id: int, token: int, who: str) -> None:
        """A write of this replica changed no row: its grant has ended, and ``who`` says who has the run now (rule 10)."""

    def lease_event(self, event: Event) -> None:
        """A fact about a lease."""

    def note(self, text: str) -> None:
        """Anything else that a person wants to know, as one sentence."""


class NoWatcher:
    """Watches nothing; the base of those that watch something."""

    def run_started(self, schedule: str, run_id: int, token: int) -> None: ...

    def job_started(self, schedule: str, job: str, run_id: int, token: int) -> None: ...

    def job_progress(self, schedule: str, job: str, done: float, total: float | None, message: str | None) -> None: ...

    def job_output(self, schedule: str, job: str, line: str) -> None: ...

    def job_ended(self, schedule: str, job: str, state: str, seconds: float, error: str | None) -> None: ...

    def run_ended(self, schedule: str, run_id: int, state: str, reason: str | None, token: int) -> None: ...

    def write_refused(self, schedule: str, run_id: int, token: int, who: str) -> None: ...

    def lease_event(self, event: Event) -> None: ...

    def note(self, text: str) -> None: ...
