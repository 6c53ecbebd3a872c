"""The keeper: the small process around each child that ends its tree when trust ends (rule 20).

It is forked from a template (`templates/forks.py`), or started anew (`keeper_main.py`). It imports only the standard
library, and little of that. The replica sends `go <hex of cwd and argv, NUL between>`, `stop <kill_after>` or `kill`;
the keeper answers with lines of JSON: `refused`, `started`, `ending`, `stuck`, `ended`.

On Linux it is a child subreaper: processes that its descendants orphan become its own children, so "no child is left"
proves that the tree is gone. Elsewhere only the child's process group is ended.
"""

import math
import os
import select
import signal
import struct
import sys
import time

TYPE_CHECKING = False  # typing takes longer to import than all of this
if TYPE_CHECKING or __package__:
    from collections.abc import Callable, Iterator, Mapping

    from .process_tree import MARK, START_TIME, adopt_orphans, contents, descendants, freeze, send, show_title, stat
else:  # an isolated script has put this folder on the path
    from process_tree import MARK, START_TIME, adopt_orphans, contents, descendants, freeze, send, show_title, stat

LINUX = sys.platform == "linux"
TICK = 0.5
"""Seconds between checks of the clock (poll() does not count suspended time) and of our parent."""
LINGER = 0.2
"""Seconds that the rest of a tree has to end by itself once the child's main process has exited."""
STUCK = 2.0
WAKE = 0.25
"""Seconds after which a child that was told to stop, and is still there, is woken once."""
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""The exit codes of a process that was killed, and of a shell whose command was."""
_NAMES = ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "ALRM", "PIPE", "TSTP", "TTIN", "TTOU", "XFSZ")
IGNORED = tuple(getattr(signal, f"SIG{name}") for name in _NAMES)
"""The signals that keepers and templates ignore, so that only their replica ends them: all that would end or stop a
process and can be ignored.
"""
INHERITED = [
    number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT) if signal.getsignal(number) == signal.SIG_IGN
]
RESET = tuple(number for number in IGNORED if number not in INHERITED)
"""Those that have their usual effect in a child: all but what was ignored already when this process started, as `nohup`
or a shell's `&` has it.
"""


def become_keeper() -> None:
    """Show of which attempt this keeper is, from its child's environment; ignore signals, and adopt orphans."""
    if (run := os.environ.get("LEASED_RUN")) is not None:
        schedule, attempt = os.environ.get("LEASED_SCHEDULE"), os.environ.get("LEASED_ATTEMPT")
        show_title(f"leased: keeper of run {run} of {schedule}, attempt {attempt}", f"keeper {run}")
    ignore_signals()
    adopt_orphans(True)


def ignore_signals() -> None:
    """Ignore those that are `IGNORED`, and block none."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def spawn(argv: "tuple[bytes, ...]", environment: "Mapping[bytes, bytes]") -> int:
    """Start a command in a process group of its own; return its process id."""
    return os.posix_spawnp(argv[0], argv, environment, setpgroup=0, setsigmask=[], setsigdef=RESET)


def limit_descriptors(limit: int) -> None:
    """Give a child the limit that it would have if the replica had not raised its own; -1: it has not."""
    if limit >= 0:
        import resource  # noqa: PLC0415 - few keepers need it

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Keeper:
    """The keeper of one child, from the order `go` until nothing of its tree is left.

    ``control`` is a socket to the replica, ``report`` the report pipe, ``limit`` how many descriptors the child
    may open or -1 for as many as the keeper. The replica is gone when ``parent`` is not the parent any more, or when
    the pidfd ``replica`` shows it. ``begin`` starts the child.
    """

    def __init__(
        self,
        control: int,
        trust: tuple[int, int, int],
        report: int,
        limit: int,
        *,
        parent: int | None = None,
        replica: int = -1,
        begin: "Callable[[tuple[bytes, ...], Mapping[bytes, bytes]], int]" = spawn,
    ) -> None:
        self.control, self.trust, self.report, self.limit = control, trust, report, limit
        self.parent, self.replica, self.begin = parent, replica, begin
        self.heard = b""
        self.child: int | None = None
        self.status: int | None = None
        self.closed = self.killed = self.empty = False
        self.reason_after_deadline: str | None = None
        self.deadline = self.wakes_at = math.inf
        self.leftovers = 0
        self.memory = 0
        self.kills: KillCount | None = None
        self.wake, self.waker = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(self.waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.waker, warn_on_full_buffer=False)
        self.poll = select.poll()
        for descriptor in (self.wake, control, replica):
            if descriptor >= 0:
                self.poll.register(descriptor, select.POLLIN)

    def keep(self) -> None:
        """Wait for the order to start, watch the child, and end its tree when it is time.

        Where ``begin`` forks, it returns in the child too, at once: ``child`` is 0 there.
        """
        why = None
        try:
            while why is None and not (self.child is not None and self.empty):
                due = min(self.deadline, self.wakes_at, trusted_until(*self.trust))
                self.listen(min(TICK, due - boottime()))
                if self.child == 0:
                    return
                self.reap()
                if boottime() >= self.wakes_at:
                    self.wake_child()
                why = self.reason_to_end()
        finally:
            if self.child != 0:
                why = why or self.reason_after_deadline or "exited"
                self.end(why)
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        status = "null" if code is None or code < 0 else code
        number = "null" if code is None or code >= 0 else -code
        starved = why == "exited" and code in KILLED and self.kills is not None and self.kills.has_grown()
        memory = f'"peak_memory": {self.memory or "null"}, "out_of_memory": {"true" if starved else "false"}'
        ended = f'"status": {status}, "signal": {number}, "why": "{why}", "leftovers": {self.leftovers}, {memory}'
        self.answer(f'{{"ended": {{{ended}}}}}')

    def reason_to_end(self) -> str | None:
        """Return why the tree must end now; None if it may go on."""
        now = boottime()
        # A job that forked may have a copy of the replica's socket: check the parent too.
        if self.closed or self.parent not in {None, os.getppid()}:
            return "pipe"
        if now >= trusted_until(*self.trust):
            return "trust"
        if self.killed:
            return "killed"
        return self.reason_after_deadline if now >= self.deadline else None

    def listen(self, seconds: float) -> None:
        """Wait for an order, the end of a child or the time, whichever comes first."""
        events = dict(self.poll.poll(max(0, math.ceil(seconds * 1000))))
        if self.wake in events:
            os.read(self.wake, 4096)
        if self.replica in events:
            self.closed = True
            self.poll.unregister(self.replica)
        if self.control not in events:
            return
        try:
            data = os.read(self.control, 65536)
        except OSError:
            data = b""
        if not data:
            self.closed = True
            self.poll.unregister(self.control)
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            self.obey(*line.split(b" "))

    def obey(self, word: bytes, what: bytes = b"") -> None:
        if word == b"go" and self.child is None:
            if self.reason_to_end() is None:  # a replica that was paused may send this too late
                self.start(*bytes.fromhex(what.decode()).split(b"\0"))
        elif word == b"kill":
            self.killed = True
        elif word == b"stop" and self.reason_after_deadline != "exited":
            self.reason_after_deadline = "stopped"
            self.deadline = min(self.deadline, boottime() + (float(what) if self.child else 0))
            if self.child:
                group = [-self.child] if self.status is None else []
                others = [pid for pid, of in descendants(os.getpid()).items() if -of not in group]
                send(group + others, signal.SIGTERM)
                send(group + others, signal.SIGCONT)
                self.wakes_at = boottime() + WAKE

    def start(self, cwd: bytes, *argv: bytes) -> None:
        os.set_inheritable(self.trust[0], True)
        os.set_inheritable(self.report, True)
        fields = stat(os.getpid())
        mark = f"{os.getpid()}.{int(fields[START_TIME]) if fields else 0}"
        environment = {**os.environb, MARK.encode(): mark.encode()}
        step = "cwd"
        try:
            os.chdir(cwd)
            step = "command"
            self.kills = KillCount()
            limit_descriptors(self.limit)
            self.child = self.begin(argv, environment)
        except OSError as error:
            self.answer(f'{{"refused": {{"step": "{step}", "errno": {error.errno}}}}}')
            raise SystemExit(1) from None
        if self.child == 0:
            return
        self.empty = False
        os.close(self.report)
        self.answer(f'{{"started": {self.child}}}')

    def wake_child(self) -> None:
        """Interrupt the system call that it is in. Python may have noted SIGTERM in the microseconds before that began,
        and would raise nothing before it returns: beside a load, 3 of some 2,000 functions that were stopped as they began
        slept on. A second SIGTERM would interrupt the clean-up of those that had heard the first;
        by itself SIGWINCH does nothing.
        """
        self.wakes_at = math.inf
        if self.child and self.status is None:
            send([self.child], signal.SIGWINCH)

    def reap(self) -> None:
        """Collect the children that have ended; set `empty` once none is left."""
        try:
            while (ended := os.wait4(-1, os.WNOHANG))[0]:
                self.memory = max(self.memory, ended[2].ru_maxrss * (1024 if LINUX else 1))
                if ended[0] == self.child:
                    self.status = ended[1]
                    if self.reason_after_deadline is None:
                        self.reason_after_deadline, self.deadline = "exited", boottime() + LINGER
        except ChildProcessError:
            self.empty = True

    def end(self, why: str) -> None:
        """End the tree: freeze it, so that no process of it reacts to the end of another, and kill, until none is left."""
        self.answer(f'{{"ending": "{why}"}}')
        began, reported_stuck = boottime(), False
        if not LINUX and self.child:
            send([-self.child], signal.SIGKILL)
        self.reap()
        while not self.empty:
            tree = freeze(os.getpid(), [-self.child] if self.child and self.status is None else [])
            if self.status is not None and not self.leftovers and why == "exited":
                self.leftovers = sum(pid > 0 for pid in tree)
            send(tree, signal.SIGKILL)
            round_ends = boottime() + 0.1
            while not self.empty and (left := round_ends - boottime()) > 0:
                self.listen(left)
                self.reap()
            if not self.empty and not reported_stuck and boottime() > began + STUCK:
                reported_stuck = True
                self.answer(f'{{"stuck": {[pid for pid in tree if pid > 0]}}}')

    def answer(self, line: str) -> None:
        try:
            os.write(self.control, line.encode() + b"\n")
        except OSError:
            self.closed = True

    def let_go(self) -> None:
        """Let go of what is the keeper's own, in a child that was forked."""
        signal.set_wakeup_fd(-1)
        for descriptor in (self.control, self.wake, self.waker, self.replica):
            os.close(descriptor)


# The end of trust, as keepers and children read it from its page (rules 9 and 20)

PAGE = struct.Struct("=Qd")
"""A trust page: the number of the one that stands there now, and its end of trust."""


def boottime() -> float:
    """Return the time on the clock of `lease.clock`, which counts suspended time."""
    return time.clock_gettime(time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC_RAW)


def trusted_until(fd: int, place: int, number: int) -> float:
    """Return the end of trust from a page; 0 if that has been given back.

    It is read twice, since so many bytes may not be written atomically.
    """
    page = os.pread(fd, PAGE.size, place)
    while (again := os.pread(fd, PAGE.size, place)) != page:
        page = again
    found, until = PAGE.unpack(page)
    return float(until) if found == number else 0.0


# What the kernel counts

CGROUPS = "/sys/fs/cgroup"
PROC = "/proc"


class KillCount:
    """How often the kernel has killed a process because memory ran out, in the memory cgroup of this process; without
    one, on the machine.

    The cgroup is that of when this was made. None where the kernel shows none.
    """

    def __init__(self) -> None:
        counts = ((file, count) for file in _files() if (count := _count(file)) is not None)
        self._file: str | None
        self._file, self._before = next(counts, (None, 0))

    def has_grown(self) -> bool:
        now = _count(self._file) if self._file is not None else None
        return now is not None and now > self._before


def _files() -> "Iterator[str]":
    """Yield the files that may have the count, the closest to this process first."""
    for line in _lines(f"{PROC}/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield f"{CGROUPS}/memory{path}/memory.oom_control"
            yield f"{CGROUPS}/memory/memory.oom_control"  # as a container sees its own
        elif not controllers:
            yield f"{CGROUPS}{path}/memory.events"
            yield f"{CGROUPS}/memory.events"
    yield f"{PROC}/vmstat"


def _count(file: str) -> int | None:
    for line in _lines(file):
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return None


def _lines(file: str) -> list[str]:
    return contents(file, 65536).decode(errors="replace").splitlines()
