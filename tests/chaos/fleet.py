"""The replicas of a campaign: slots with a `leased run` each, which is restarted when it ends."""

import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from daemon.jobs.processes.identity import ProcessIdentity, identity
from tests.support.marked import kill_marked
from tests.support.postgres import children_of
from tests.support.replicas import ReplicaProcess
from tests.support.starter import Started, Starter
from tests.support.telling import is_alive
from tests.support.waiting import wait_until

from .diary import FOLDER, boottime
from .processes import Spawned
from .releases import LAST, RELEASE

APPLICATION = Path(__file__).with_name("application.py")
OTHER = Path(__file__).with_name("other.py")
LONGEST_START = 240.0
"""Seconds within which a replica is up: each start that finds no database takes some, and faults of that go on meanwhile."""
VALID = "SIGHUP: FILE is valid"
"""What a replica logs once it has read FILE and its settings because of a SIGHUP."""


@dataclass
class Slot:
    """A place for a replica; `with slot.busy` during a fault."""

    name: str
    options: tuple[str, ...]
    environment: Mapping[str, str]
    preload: str | None = None
    """A library to preload: the replica is then started as a new program, a second slower."""
    through: Sequence[str] = ()
    """The program through which its replica is started, such as one that hides the boot's id."""
    url_file: Path | None = None
    """The file with its database's URL, if it is not given as an option."""
    release: int = 1
    """Which release of the application its next replica has."""
    replica: ReplicaProcess | None = None
    down: bool = False
    """Whether it must stay down for now."""
    busy: threading.Lock = field(default_factory=threading.Lock)
    sighup: tuple[ReplicaProcess, int] | None = None
    """The replica that was last sent SIGHUP, and how often it had said before that FILE is valid."""

    @property
    def checks_file(self) -> bool:
        """Whether its replica may still have to read its settings because of a SIGHUP."""
        if self.replica is None or self.sighup is None or self.sighup[0] is not self.replica:
            return False
        return len(self.replica.said(VALID)) <= self.sighup[1]

    @property
    def supervised(self) -> bool:
        return "--replicas=2" in self.options


@dataclass(frozen=True, slots=True)
class End:
    """A replica that ended by itself, without a request."""

    slot: str
    status: int
    at: float
    said: str
    starting: bool
    """Whether it had not claimed anything yet: its database was away."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said at its end."""

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class ToldTwice:
    """What an act said, and what it said the second time."""

    kind: str
    again: tuple[str, ...]
    """The second says one of these."""
    first: Told
    second: Told

    @property
    def problem(self) -> str | None:
        """What was wrong with the second; None also where the database could not be reached."""
        if self.first.status or "cannot be used" in self.second.said:
            return None
        if any(words in self.second.said for words in self.again):
            return None
        return f"{self.kind}: the second time it was told: {self.second.said}"


@dataclass(frozen=True, slots=True)
class ToldAtOnce:
    """What two callers of the same act at the same moment were told, as JSON."""

    kind: str
    callers: tuple[Told, ...]


class Watched:
    """Slots, and a thread that starts again what has ended in them."""

    def __init__(self, slots: Sequence[Slot], folder: Path) -> None:
        self.slots = slots
        self.logs: list[tuple[str, Path]] = []
        self._folder = folder
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def start(self) -> None:
        for slot in self.slots:
            self.launch(slot)
        self._watcher.start()

    def launch(self, slot: Slot) -> None:
        """Start what is in a slot."""
        raise NotImplementedError

    def look(self) -> None:
        """Start what has ended."""
        raise NotImplementedError

    def leave_alone(self) -> None:
        """Start nothing again from now on."""
        self._stopping.set()
        if self._watcher.ident is not None:
            self._watcher.join()

    def close(self) -> None:
        """Kill what is left."""
        self.leave_alone()
        for slot in self.slots:
            if slot.replica is not None:
                slot.replica.send(signal.SIGKILL)

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            self.look()


class Fleet(Watched):
    """All replicas."""

    def __init__(self, slots: Sequence[Slot], folder: Path) -> None:
        super().__init__(slots, folder)
        self.ends: list[End] = []
        self.acts: list[ToldTwice] = []
        """What each cancel of a run said, and the second one of the same run."""
        self.at_once: list[ToldAtOnce] = []
        self.intrusions: list[Told] = []
        """What was said to another file that claims the application's name."""
        self.seen_alive: dict[ProcessIdentity, float] = {}
        """When each replica process was last seen alive, by the clock of the diaries."""
        self._starter = Starter()
        self._starting = threading.Lock()
        self._commands = count(1)

    def start(self) -> None:
        """Start all replicas, and return when they are up."""
        super().start()
        for slot in self.slots:
            self.up(slot)

    def relaunch(self, slot: Slot) -> None:
        """Restart a slot's replica once the previous one is gone, and return when it is up."""
        assert slot.replica is not None
        slot.replica.wait()
        self.launch(slot)
        self.up(slot)

    def launch(self, slot: Slot) -> None:
        """Start a slot's replica if none is running."""
        with self._starting:
            if slot.replica is not None and slot.replica.status is None:
                return
            number = len(self.logs) + 1
            log = self._folder / f"{slot.name}-{number}.log"
            arguments = ["run", *slot.options, "--", str(APPLICATION)]
            environment = {**slot.environment, RELEASE: str(slot.release)}
            if slot.preload is None and not slot.through:
                process: Started | Spawned = self._starter.start(arguments, environment, self._folder, log)
            else:
                loaded = {} if slot.preload is None else {"LD_PRELOAD": slot.preload}
                process = Spawned(arguments, {**environment, **loaded}, self._folder, log, through=slot.through)
            self.logs.append((slot.name, log))
            slot.replica = ReplicaProcess(f"{slot.name}-{number}", process, log)  # type: ignore[arg-type]
            slot.down = False

    def up(self, slot: Slot) -> None:
        """Wait until its replica claims; restart one that ends because the database is away."""

        def is_up() -> bool:
            return slot.replica is not None and bool(slot.replica.said(": generation "))

        wait_until(is_up, f"{slot.name} is up", limit=LONGEST_START)

    def command(self, *arguments: str, release: int = LAST) -> Told:
        """Run a command of `leased`, which may name the application's file, to its end."""
        (told,) = self.commands(arguments, release=release)
        return told

    def commands(self, *commands: Sequence[str], release: int = LAST) -> tuple[Told, ...]:
        """Run commands of `leased` at once, each to its end."""
        environment = {**self.slots[0].environment, RELEASE: str(release)}
        with self._starting:
            logs = [self._folder / f"command-{next(self._commands)}.log" for _ in commands]
            started = [
                self._starter.start(words, environment, self._folder, log)
                for words, log in zip(commands, logs, strict=True)
            ]
        ended = f"leased {commands[0][0]} has ended"
        wait_until(lambda: all(process.poll() is not None for process in started), ended)
        statuses = [process.poll() for process in started]
        return tuple(
            Told(-1 if status is None else status, log.read_text(errors="replace").strip())
            for status, log in zip(statuses, logs, strict=True)
        )

    def deploy(self, release: int) -> None:
        """Restart all replicas with this release, one after another."""
        for slot in self.slots:
            with slot.busy:
                slot.release, slot.down = release, True
                if slot.replica is not None:
                    slot.replica.send(signal.SIGTERM)
                self.relaunch(slot)

    def stop(self) -> dict[str, int]:
        """Drain all replicas, and return their exit statuses."""
        for slot in self.slots:
            self.up(slot)
        self.leave_alone()
        living = {slot.name: slot.replica for slot in self.slots if slot.replica and self.status(slot) is None}
        for replica in living.values():
            replica.send(signal.SIGTERM)
        return {name: replica.wait() for name, replica in living.items()}

    def close(self) -> None:
        """Kill what is left of the replicas and of all that they started."""
        super().close()
        kill_marked(FOLDER, self._folder)
        self._starter.end()

    def status(self, slot: Slot) -> int | None:
        """Return the exit status of a slot's replica; None while it is running."""
        return slot.replica.status if slot.replica is not None else 0

    def replica_pid(self, slot: Slot) -> int | None:
        """Return the process of a slot's replica (the first if supervised); None without one."""
        if slot.replica is None or self.status(slot) is not None:
            return None
        if not slot.supervised:
            return slot.replica.pid
        replicas = children_of(slot.replica.pid)
        return replicas[0] if replicas else None

    def look(self) -> None:
        """See who is alive, and start who has ended."""
        for slot in self.slots:
            if slot.replica is not None:
                for pid in children_of(slot.replica.pid) if slot.supervised else [slot.replica.pid]:
                    if is_alive(pid) and (process := identity(pid)) is not None:
                        self.seen_alive[process] = boottime()
        for slot in self.slots:
            if slot.down or (status := self.status(slot)) is None or self._stopping.is_set():
                continue
            assert slot.replica is not None
            if status != -signal.SIGKILL:  # a fault did that
                starting = not slot.replica.said(": generation ")
                self.ends.append(End(slot.name, status, boottime(), slot.replica.output[-600:], starting))
            self.launch(slot)
