"""`leased status`: replicas, schedules, runs and problems on one screen; with `--watch` it is drawn again and again, as
watch(1) does, until q or Ctrl-C.
"""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lease.database.database import Unit
from lease.durations import format_duration
from lease.errors import StoreUnavailable

from ....answers.status import StatusFound, StatusReader
from ....service.settings import read_settings
from ....states import LIVE, ON_REQUEST, UNFINISHED
from ....store.views.causes import paused_text, sentence
from ....store.views.defined import RetiredSchedule
from ....store.views.overview import Overview, RunningRun, ScheduleLine, WaitingRun
from ....store.views.problems import Problem
from ....text import ago, clean, counted, lasted, listed, number, when
from ...ask import ask, ask_again, zone_of
from ...failures import FAILED, Misused
from ...options import RUN_STATES, Application, Database, Json, OnlySchedule, Utc, Wide, before_now, moment, one_of
from ...screen import Sheet, Times, drawable, for_people, how_far, print_sentences, say, screen, state_cell, write_json
from .fleet import generation_table, releases_live, sentences

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


_MOST_APPLICATIONS = 3
_MOST_WAITING = 3
MOST_PROBLEMS = 10
"""How many problems are listed at a terminal without --all."""
MOST = 50
"""How many schedules are listed by themselves."""


def show_status(
    console: "Console",
    found: StatusFound,
    listed: Sequence[ScheduleLine],
    times: Times,
    *,
    wide: bool,
    whole: bool = False,
    narrowed: bool = False,
) -> None:
    """Write the screen: the verdict with the problems (if ``whole``, all), and then the tables, of the schedules that are
    ``listed``; if ``wide``, with tokens, holders and timings.
    """
    overview = found.overview
    _show_verdict(console, found, times, whole=whole)
    _show_replicas(console, overview)
    generation_table(found.generations).print_below(console)
    print_sentences(console, sentences(found.generations))
    if narrowed and not listed:
        say(console, "There are no such schedules.")
    _schedules(overview, listed, times, wide=wide).print_below(console)
    if len(overview.schedules) > MOST:
        last = Counter(line.last_state or "no run yet" for line in overview.schedules)
        states = ", ".join(f"{number(count)} {state}" for state, count in sorted(last.items()))
        counts = f"{number(len(overview.schedules))} schedules in all (last runs: {states})"
        say(console, f"{counts}; --all lists them, --tag and --state some")
    if wide:
        _running(overview.running).print_below(console)
    _show_waiting(console, overview, times)
    notes = [*drains(overview.running), *(one.in_words for one in overview.backfills)]
    if overview.retired:
        notes.append(f"Retired in the last day: {_retired(overview.retired)}")
    print_sentences(console, notes, "none", apart=True)


def _show_verdict(console: "Console", status: StatusFound, times: Times, *, whole: bool) -> None:
    """Write the verdict, and below it each problem with the commands that help."""
    overview, found = status.overview, status.problems
    names = {one.application for one in overview.schedules} | {one.application for one in overview.replicas}
    of = clean(listed(sorted(names), _MOST_APPLICATIONS))
    at = f" at {when(overview.database_time)}" if times.in_full else ""
    fine = "nothing is late, stuck or failing"
    if overview.all_retired:
        fine = f"all schedules of {clean(', '.join(overview.all_retired))} are retired"
    verdict = counted(len(found), "problem") if found else f"OK: {fine}"
    if of:
        console.print(of, style="bold", end="  ", soft_wrap=True)
    console.print(f"{verdict}{at}", style="bold red" if found else "bold green", soft_wrap=True)
    most = len(found) if whole or not for_people() else MOST_PROBLEMS
    mark = drawable("✗")
    for problem in found[:most]:
        text = problem.text if for_people() else f"{problem.kind}: {problem.text}"
        say(console, text, "red", lead=f"  {mark} ")
        if problem.kind == "failing" and (last := status.printed.get(problem.run_id or 0)):
            say(console, last, lead="    | ")
        if problem.next:
            say(console, " / ".join(problem.next), "dim", lead="    ")
    if left := len(found[most:]):
        say(console, f"and {counted(left, 'more problem')}; --all lists them", "red", lead="  ")


def _show_replicas(console: "Console", overview: Overview) -> None:
    columns = ("replica", "application", "state", "up", "running", "seen")
    replicas = Sheet(*columns, right=("running",), if_any=("state",), spare=("up",))
    all_run = for_people() and all(one.state == "running" for one in overview.replicas)
    runs = Counter(run.holder for run in overview.running)
    for one in overview.replicas:
        up = lasted((overview.database_time - one.started_at).total_seconds()) if one.state in LIVE else ""
        cells = (state_cell(None if all_run else one.state), up, number(runs[one.holder]), ago(one.seen_ago))
        replicas.add(f"{one.host}:{one.pid}", one.application, *cells)
    replicas.print_below(console)
    print_sentences(console, releases_live(overview.replicas))


def _show_waiting(console: "Console", overview: Overview, times: Times) -> None:
    waiting = Sheet("waiting", "schedule", "application", "why", wraps=("why",), right=("waiting",))
    for run in overview.waiting[:_MOST_WAITING]:
        why = sentence(run.why, times.by_clock) if run.why else None
        waiting.add(run.run_id, run.schedule, run.application, why)
    waiting.print_below(console)
    more = overview.waiting_count - len(waiting.rows)
    if waiting.rows and more > 0:  # of those that are counted, all may have begun since
        say(console, f"and {number(more)} more; `leased runs --state pending` lists them")


def _retired(found: Iterable[RetiredSchedule]) -> str:
    """Return what was retired, by what: ``nightly, hourly (by generation 2 at …)``."""
    together: dict[tuple[str, str], list[str]] = {}
    for one in found:
        together.setdefault((one.application, one.how.removeprefix("retired ")), []).append(one.schedule)
    return "; ".join(f"{listed(names)} ({how})" for (_, how), names in together.items())


def needed(overview: Overview, found: Sequence[Problem]) -> Sequence[ScheduleLine]:
    """Return the schedules to list: all, or if they are many, those with problems, running or paused."""
    if len(overview.schedules) <= MOST:
        return overview.schedules
    concerned = {(problem.application, problem.schedule) for problem in found}
    concerned |= {(run.application, run.schedule) for run in overview.running}
    concerned |= {(line.application, line.schedule) for line in overview.schedules if line.paused_at is not None}
    return [line for line in overview.schedules if (line.application, line.schedule) in concerned][:MOST]


def _schedules(overview: Overview, found: Sequence[ScheduleLine], times: Times, *, wide: bool) -> Sheet:
    shown = Sheet(
        *("schedule", "application", "when", "next", "last", "result", "took", "now", "left out"),
        right=("took",),
        wraps=("now", "left out"),
        spare=() if wide else ("when", "took", "left out", "last"),
        if_any=("now", "left out"),
    )
    running: dict[tuple[str, str], list[RunningRun]] = defaultdict(list)
    for run in overview.running:
        running[run.application, run.schedule].append(run)
    waiting = {(run.application, run.schedule): run for run in reversed(overview.waiting)}  # the first of each
    for line in found:
        key, left_out = (line.application, line.schedule), line.left_out
        missed = f"{number(left_out.missed)} missed in 24h" if left_out.missed else ""
        skipped = f"{left_out.overlapped} of {left_out.latest} skipped" if left_out.overlapped else ""
        is_unfinished = line.last_state in UNFINISHED
        state, run_id = line.last_state, line.last_run_id
        if is_unfinished or state is None:
            state, run_id = line.finished_state, line.finished_run_id
        shown.add(
            *(line.schedule, line.application, line.timing, _next(line, times)),
            times(line.finished_at if is_unfinished else line.last_finished_at),
            state_cell(state, f", run {run_id}"),
            lasted(line.finished_seconds if is_unfinished else line.last_seconds),
            _now(line, running[key], waiting.get(key), times),
            ", ".join(filter(None, (missed, skipped))),
        )
    return shown


def _now(line: ScheduleLine, running: Sequence[RunningRun], waiting: WaitingRun | None, times: Times) -> "Text | str":
    """Return the present state of a schedule: its pause, its running runs, or the run that waits."""
    if line.paused_at is not None:
        return paused_text(line.paused_by, None, line.paused_until, line.paused_why, times.by_clock)
    if running:
        first, *more = running
        others = f" and {number(len(more))} more" if more else ""
        return state_cell("running", f" {lasted(first.running_for)}, run {first.run_id}{_at(first)}{others}")
    return "" if waiting is None else state_cell("pending", f", run {waiting.run_id}")


def _at(run: RunningRun) -> str:
    """Return where a run is: ``, pull (attempt 2, 12 of 32)``."""
    if run.job is None:
        return ""
    notes = [f"attempt {run.job.attempt}"] if run.job.attempt > 1 else []
    notes += [far] if (far := how_far(run.job.done, run.job.total)) else []
    cancelled = f", cancelled by {run.cancelled_by}" if run.cancelled_by else ""
    return f", {run.job.job}" + (f" ({', '.join(notes)})" if notes else "") + cancelled


def _running(found: Sequence[RunningRun]) -> Sheet:
    shown = Sheet(
        *("running", "schedule", "application", "job", "attempt", "progress", "for", "token", "holder"),
        right=("running", "attempt", "for", "token"),
        wraps=("job", "progress"),
    )
    for run in found:
        at: tuple[object, ...] = ("between jobs", None, "")
        if (job := run.job) is not None:
            progress = ", ".join(filter(None, (how_far(job.done, job.total), job.message)))
            at = (job.job, job.attempt, progress)
        cells = (*at, lasted(run.running_for), run.token, _holder(run))
        shown.add(run.run_id, run.schedule, run.application, *cells)
    return shown


def drains(running: Iterable[RunningRun]) -> list[str]:
    """Return a line for each replica that drains: its runs, and when each usually ends."""
    runs: dict[str, list[RunningRun]] = {}
    for run in running:
        if run.draining:
            runs.setdefault(_holder(run), []).append(run)
    return [f"{holder} drains: {', '.join(map(_usual_end, found))}" for holder, found in runs.items()]


def _usual_end(run: RunningRun) -> str:
    named, left = f"run {run.run_id} of {run.schedule}", run.usually_ends_in
    if left is None:
        return named
    return f"{named} ({'usually ends' if left > 0 else 'would usually have ended'} {ago(-left)})"


def _next(line: ScheduleLine, times: Times) -> str:
    if line.paused_at is not None:
        return "paused"
    if not line.enabled:
        return "disabled"
    never = ON_REQUEST if line.timing == ON_REQUEST else "never"
    return never if line.next_due is None else times(line.next_due)


def _holder(run: RunningRun) -> str:
    return f"{run.host}:{run.pid}" if run.host else run.holder


_STATE_HELP = f"Only schedules whose last run is in this state: {', '.join(RUN_STATES)}."
_ALL_HELP = f"List every schedule; by default, if there are more than {MOST}, only those with problems."
_SINCE_HELP = "Also count what failed, was missed or succeeded too late since then, even if a later run succeeded."


def status(
    schedule: OnlySchedule = None,
    database: Database = None,
    application: Application = None,
    state: Annotated[str | None, typer.Option(metavar="STATE", help=_STATE_HELP)] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only schedules with this tag.")] = None,
    whole: Annotated[bool, typer.Option("--all", help=_ALL_HELP)] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with status 1 if there is a problem.")] = False,
    since: Annotated[str | None, typer.Option(metavar="DURATION|TIME", help=_SINCE_HELP)] = None,
    wide: Wide = False,
    utc: Utc = False,
    watched: Annotated[bool, typer.Option("--watch", help="Show it again every 2 seconds, until q or Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show replicas, schedules, active runs, and what is late, stuck or failing."""
    takeover_after = read_settings({"database_url": database}).takeover_after
    zone = zone_of(database, schedule, application)
    given = None if since is None else moment("--since", since, zone, past=True, quiet=as_json)
    start = None if given is None else partial(before_now, "--since", given)
    narrowed = bool(tag or state or schedule)

    def show(console: "Console", found: StatusFound) -> None:
        listed = found.listed if whole or narrowed else needed(found.overview, found.problems)
        times = Times.of(found.overview.database_time, utc=utc)
        show_status(console, found, listed, times, wide=wide or not for_people(), whole=whole, narrowed=narrowed)

    asked = StatusReader(
        *(application, schedule, one_of(RUN_STATES, "state", state), tag, start, takeover_after, as_json),
        written=lambda now, at: Times.of(now, utc=as_json or utc).by_clock(at),
    )
    if watched:
        for option in ["--json"] * as_json + ["--check"] * check:
            raise Misused(f"--watch and {option} are both given; leave one of them out")
        watch(database, asked.read, show)
        return
    found = ask(database, asked.read)
    if as_json:
        write_json("status", found.answer)
    else:
        show(screen(), found)
    if check and found.problems:
        raise typer.Exit(FAILED)


_EVERY = 2.0
_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""Another screen, without a cursor, on which long lines are cut."""
_END = "\x1b[?7h\x1b[?25h\x1b[?1049l"


def watch(database: str | None, unit: Unit[StatusFound], show: "Callable[[Console, StatusFound], None]") -> None:
    """Show what ``unit`` reads until somebody presses q or Ctrl-C; raises `Misused` without a terminal."""
    if not sys.stdout.isatty():
        raise Misused("--watch needs a terminal, and standard output is not one; leave it out")
    drawn = _WatchedScreen(show)
    try:
        with suppress(_WatchLeft, KeyboardInterrupt):
            ask_again(database, unit, drawn.draw, rest=drawn.rest, away=drawn.away)
    finally:
        drawn.end()


class _WatchLeft(Exception):
    """Somebody has pressed q."""


class _WatchedScreen:
    """The screen, and the keys that are pressed there."""

    def __init__(self, show: "Callable[[Console, StatusFound], None]") -> None:
        self._show = show
        self._found: StatusFound | None = None
        self._before: list[Any] | None = None
        self._begun = self._left = False
        self._wake = asyncio.Event()

    def draw(self, found: StatusFound) -> bool:
        """Draw what was found; return that there may be more."""
        if not self._begun:
            self._begin()
        self._found = found
        self._draw(found, f"every {format_duration(_EVERY)}; q ends it")
        return True

    def away(self, error: StoreUnavailable) -> None:
        """Say below what was found last that the database is away."""
        assert self._found is not None  # noqa: S101 - an error of the first question ends the command
        self._draw(self._found, f"{error}; trying again")

    async def rest(self) -> None:
        """Wait until it is time to look again, or somebody presses a key, or resizes the terminal."""
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _EVERY)
        if self._left:
            raise _WatchLeft

    def end(self) -> None:
        """Give the terminal back as it was."""
        if self._begun:
            sys.stdout.write(_END)
            sys.stdout.flush()
        if self._before is not None:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        # By default it would leave the terminal like this.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:  # the shell has job control
            loop.add_signal_handler(signal.SIGTSTP, self._stop)
        loop.add_signal_handler(signal.SIGWINCH, self._wake.set)
        if sys.stdin.isatty():
            loop.add_reader(sys.stdin.fileno(), self._pressed)
        self._take()

    def _take(self) -> None:
        """Take the terminal; a process in the background stops here until it is in the foreground."""
        if sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin.fileno())
            tty.setcbreak(sys.stdin.fileno())
        self._begun = True
        sys.stdout.write(_BEGIN)

    def _stop(self) -> None:
        """Stop as Ctrl-Z asks, with the terminal given back, until somebody continues this process."""
        self.end()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, self._stop)
        self._take()
        self._wake.set()

    def _pressed(self) -> None:
        keys = os.read(sys.stdin.fileno(), 100)
        self._left = self._left or not keys or b"q" in keys.lower()
        self._wake.set()

    def _draw(self, found: StatusFound, below: str) -> None:
        console = screen()
        with console.capture() as captured:
            self._show(console, found)
        lines = captured.get().splitlines()
        most = max(1, console.height - 1)
        if hidden := len(lines[most:]):
            below = f"{counted(hidden, 'more line')}; {below}"
        # It erases before it writes: below a line that fills the terminal, the cursor is still on the last character.
        shown = "".join(f"\x1b[K{line}\n" for line in lines[:most])
        sys.stdout.write(f"\x1b[H{shown}\x1b[J{below}")
        sys.stdout.flush()
