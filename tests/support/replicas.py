"""Stories: real replica processes on a real database that a test starts, pauses and kills."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Row, Select, create_engine, func, select
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.dml import Update

from daemon.operations.trigger import trigger
from daemon.store.tables import job_run, run
from daemon.store.tables import replica as replica_table
from daemon.store.tables import schedule as schedule_table
from lease.schema import lease

from .marked import kill_marked, marked_environment
from .sqlite import can_write
from .starter import ROOT, Started, Starter
from .telling import FOLDER, is_alive
from .waiting import LIMIT, wait_until

APPLICATIONS = ROOT / "tests" / "stories" / "applications"
# The pipe closes as in `guardian`: then kill all processes with the folder in their environment.
GUARDIAN = """
read -r done && exit
for file in $(grep -lzxF -- "$1" /proc/[0-9]*/environ); do
  pid=${file#/proc/}; kill -KILL "${pid%/environ}"
done 2>/dev/null
"""

STANDING = r"generation \d+ (is|stands)"

Event = dict[str, Any]


class ReplicaProcess:
    """One `leased run`, in a process group of its own; its output goes to a file."""

    def __init__(self, name: str, process: Started, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it is running."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill this process alone, and wait until it is gone from the process table."""
        self.send(signal.SIGKILL)
        self.wait()

    def pause(self) -> None:
        self.send(signal.SIGSTOP)
        wait_until(lambda: self._state() == "T", f"{self.name} is stopped")

    def go_on(self) -> None:
        self.send(signal.SIGCONT)

    def wait(self) -> int:
        """Wait until it has ended by itself, and return its exit status."""
        wait_until(lambda: self.status is not None, f"{self.name} ends")
        status = self.status
        assert status is not None
        return status

    @property
    def output(self) -> str:
        """The output of it and of its supervisor."""
        return self.log.read_text(errors="replace")

    @property
    def log_lines(self) -> list[Event]:
        """Its log, an object per line."""
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    def said(self, text: str) -> list[Event]:
        """Return the log lines whose message contains this text."""
        return [line for line in self.log_lines if text in line["message"]]

    def wait_for_line(self, text: str) -> Event:
        return self._first(re.escape(text), repr(text))

    def wait_for_standing(self) -> str:
        """Wait until it has brought its definitions, and return how it first said that they stand."""
        return str(self._first(STANDING, "how its definitions stand")["message"])

    def page(self) -> str:
        """Return the address of its first page."""
        return str(self._first(r"^http://\S+/$", "where it answers")["message"])

    def _first(self, pattern: str, what: str) -> Event:
        """Wait for the first line whose message has the pattern."""

        def found() -> list[Event]:
            return [line for line in self.log_lines if re.search(pattern, line["message"])]

        wait_until(lambda: found() or self.status is not None, f"{self.name} says {what}")
        assert found(), f"{self.name} ended with status {self.status} and never said {what}"
        return found()[0]

    def livez(self) -> Event:
        """Return its answer there; `urllib.error.HTTPError` unless it says that it is alive."""
        with urllib.request.urlopen(f"{self.page()}livez", timeout=LIMIT) as answer:  # noqa: S310 - our own server
            return dict(json.load(answer))

    def readyz(self) -> Event:
        """Return its answer there, ready or not."""
        try:
            with urllib.request.urlopen(f"{self.page()}readyz", timeout=LIMIT) as answer:  # noqa: S310 - our own server
                return dict(json.load(answer))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return dict(json.load(refusal))

    def _state(self) -> str:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]


class Story:
    """The replicas of a test, their database, and the folder of their events and gates."""

    def __init__(self, folder: Path, url: str, starter: Starter) -> None:
        self.folder = folder
        self.url = url
        self._starter = starter
        self.replicas: list[ReplicaProcess] = []
        self._programs: dict[Path, subprocess.Popen[bytes]] = {}
        options: dict[str, Any] = {"connect_args": {"timeout": LIMIT}} if url.startswith("sqlite") else {}
        self.engine = create_engine(url, poolclass=NullPool, **options)
        self._guardian = subprocess.Popen(
            ["/bin/sh", "-c", GUARDIAN, "guardian", f"{FOLDER}={folder}"],
            stdin=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
        )

    def pause(self, replica: ReplicaProcess) -> None:
        """SIGSTOP a replica; on SQLite between its writes, or it would block all others."""

        def stopped() -> bool:
            replica.pause()
            if self._can_write():
                return True
            replica.go_on()
            return False

        wait_until(stopped, f"{replica.name} is stopped between two writes")

    def _can_write(self) -> bool:
        return not self.url.startswith("sqlite") or can_write(str(self.engine.url.database))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self.replicas:
            replica.send(signal.SIGKILL)
        for replica in self.replicas:
            replica.wait()
        for program in self._programs.values():
            program.kill()
            program.wait()
        wait_until(lambda: not kill_marked(FOLDER, self.folder), "all processes of the story are gone")
        self._guardian.communicate(b"done\n")
        self.engine.dispose()
        self._show()

    # Its replicas

    def start(
        self,
        file: str,
        *options: str,
        ttl: str = "6s",
        environment: Mapping[str, str] | None = None,
        web: bool = False,
        database: str | None = None,
    ) -> ReplicaProcess:
        """Start a replica of one of the applications; it is up once `up` says so. It may reach the database
        by a way of its own.

        A shorter ttl is for stories in which a lease goes stale: a busy machine may then cost one.
        """
        given = [f"--database={database or self.url}", f"--ttl={ttl}", "--poll=0.2s", "--log-format=json"]
        address = "--web=127.0.0.1:0" if web else "--no-web"
        return self._start("run", *given, address, *options, "--", self.file(file), environment=environment)

    def start_bare(self, file: str, *options: str, environment: Mapping[str, str] | None = None) -> ReplicaProcess:
        """Start a replica whose settings are those of FILE."""
        return self._start("run", "--log-format=json", "--no-web", *options, "--", file, environment=environment)

    def spawn(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start another program, with a session of its own; its output goes to the file."""
        with log.open("wb") as output:
            self._programs[log] = subprocess.Popen(
                command,
                cwd=self.folder,
                env=marked_environment(FOLDER, self.folder, environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self._programs[log]

    def up(self, *replicas: ReplicaProcess) -> None:
        """Wait until these replicas have settled and brought their definitions, and are ready to claim."""
        for replica in replicas or self.replicas:
            replica.wait_for_standing()

    def holder_pid(self, run_id: int) -> int:
        """Return the process id of the replica that holds the run now."""
        query = (
            select(replica_table.c.pid)
            .join(run, run.c.holder == replica_table.c.holder)
            .where(run.c.id == run_id, run.c.state == "running")
        )
        ((pid,),) = self.rows(query)
        return int(pid)

    def holder_of(self, run_id: int) -> ReplicaProcess:
        """Return the replica that holds the run now, if the test started it."""
        pid = self.holder_pid(run_id)
        (found,) = (replica for replica in self.replicas if replica.pid == pid)
        return found

    def leased(self, *arguments: str, release: str | None = None) -> ReplicaProcess:
        """Start another command of `leased` on the story's database, for a file perhaps of a ``release``."""
        given = {} if release is None else {"STORY_RELEASE": release}
        return self._start(*arguments, environment={"LEASED_DATABASE_URL": self.url, **given})

    def shown(self, run_id: int) -> Event:
        """Return the output of `leased show RUN --json`."""
        return self.told("show", str(run_id))

    def output(self, *command_line: str, status: int = 0, release: str | None = None) -> str:
        """Return what a command of `leased` says, and see that it ends with this status."""
        command = self.leased(*command_line, release=release)
        assert command.wait() == status, command.output
        return command.output

    def told(self, *command_line: str) -> Event:
        """Return the object that a command of `leased` tells with `--json`."""
        shown: Event = json.loads(self.output(*command_line, "--json"))
        return shown

    def file(self, name: str) -> str:
        """Return the path of one of the applications."""
        return str(APPLICATIONS / name)

    # What their jobs tell

    def events(self, what: str | None = None, **fields: Any) -> list[Event]:
        """Return the facts so far that have these fields."""
        try:
            text = (self.folder / "events").read_text()
        except FileNotFoundError:
            return []
        told = [json.loads(line) for line in text.splitlines()]
        return [
            one
            for one in told
            if what in (None, one["what"]) and all(one.get(name) == value for name, value in fields.items())
        ]

    def event(self, what: str, *, number: int = 1, **fields: Any) -> Event:
        """Wait for the first matching fact (or a later one), and return it."""
        wanted = f"{what} {fields or ''}, number {number}"
        wait_until(lambda: len(self.events(what, **fields)) >= number, wanted)
        return self.events(what, **fields)[number - 1]

    def open(self, gate: str) -> None:
        (self.folder / gate).touch()

    def write_file(self, name: str, text: str) -> str:
        """Write a FILE of the story's own, all of it at once, and return its path."""
        draft = self.folder / f"{name}.draft"
        draft.write_text(text)
        draft.rename(self.folder / name)
        return str(self.folder / name)

    # What the database has

    def rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self.engine.connect() as connection:
            return list(connection.execute(query))

    def write(self, statement: Update) -> int:
        with self.engine.begin() as connection:
            return connection.execute(statement).rowcount

    def trigger(self, schedule: str) -> int:
        """Trigger a run of it, as `leased trigger` does."""
        with self.engine.begin() as connection:
            return trigger(connection, self._application(schedule), schedule, requested_by="a test")

    def living(self) -> list[int]:
        """Return the process ids of the replicas recorded as running."""
        query = select(replica_table.c.pid).where(replica_table.c.state == "running")
        return [pid for (pid,) in self.rows(query) if is_alive(pid)]

    def replica_state(self, replica: ReplicaProcess) -> str:
        ((state,),) = self.rows(select(replica_table.c.state).where(replica_table.c.pid == replica.pid))
        return str(state)

    def runs(self, schedule: str | None = None) -> list[Row[Any]]:
        """Return the runs, by instant."""
        query = select(run).order_by(run.c.scheduled_for, run.c.id)
        return self.rows(query if schedule is None else query.where(run.c.schedule == schedule))

    def unfinished(self, schedule: str | None = None) -> int:
        """Return how many runs are not over."""
        query = select(func.count()).select_from(run).where(run.c.state.in_(["pending", "running"]))
        return int(self.rows(query if schedule is None else query.where(run.c.schedule == schedule))[0][0])

    def at_work(self) -> int:
        """Return how many attempts of jobs are at work."""
        query = select(func.count()).select_from(job_run).where(job_run.c.state == "running")
        return int(self.rows(query)[0][0])

    def job_runs(self, schedule: str | None = None) -> list[Row[Any]]:
        """Return the attempts of jobs, in the order in which they started."""
        query = select(job_run, run.c.schedule).join(run, run.c.id == job_run.c.run_id).order_by(job_run.c.id)
        return self.rows(query if schedule is None else query.where(run.c.schedule == schedule))

    def attempts(self, schedule: str | None = None) -> list[tuple[str, int, str]]:
        """Return each attempt as (job, number, state)."""
        return [(one.job, one.attempt, one.state) for one in self.job_runs(schedule)]

    def over(self, schedule: str, *, number: int = 1) -> Row[Any]:
        """Wait until so many runs of the schedule, not skipped ones, are over; return the last."""

        def found() -> list[Row[Any]]:
            return [one for one in self.runs(schedule) if one.state in ("succeeded", "failed", "cancelled")]

        wait_until(lambda: len(found()) >= number, f"{number} runs of {schedule} are over")
        return found()[number - 1]

    def renewed(self, name: str) -> None:
        """Wait for the next renewal of a lease."""
        query = select(lease.c.renewed_at).where(lease.c.name == name)
        before = self.rows(query)
        wait_until(lambda: self.rows(query) != before, f"{name} is renewed")

    # Its parts

    def _start(self, *arguments: str, environment: Mapping[str, str] | None) -> ReplicaProcess:
        name = f"{arguments[0]}-{len(self.replicas) + 1}"
        log = self.folder / f"{name}.log"
        process = self._starter.start(
            arguments, marked_environment(FOLDER, self.folder, environment or {}), self.folder, log
        )
        replica = ReplicaProcess(name, process, log)
        self.replicas.append(replica)
        return replica

    def _show(self) -> None:
        """Print logs and tables, which pytest shows when the test fails."""
        for replica in self.replicas:
            sys.stderr.write(f"--- {replica.name}\n{replica.output}\n")
        for log in self._programs:
            sys.stderr.write(f"--- {log.name}\n{log.read_text()}\n")
        sys.stderr.writelines(f"{event}\n" for event in self.events()[-100:])

    def _application(self, schedule: str) -> str:
        query = select(schedule_table.c.application).where(schedule_table.c.name == schedule)
        ((application,),) = self.rows(query)
        return str(application)
