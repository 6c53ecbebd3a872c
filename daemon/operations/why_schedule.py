"""Why a schedule does or does not run, or did not run when it was due last."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..scheduling.generations.standing import held_back
from ..states import ON_REQUEST, UNSEEN_IS_DEAD
from ..store.tables import ScheduleKey
from ..store.views.acting import ActLine, read_activity
from ..store.views.causes import paused_text, sentence
from ..store.views.defined import Living, StoredSchedule, read_defined, read_living, retirement
from ..store.views.generations import Diff, last_diff
from ..store.views.history import RunLine, read_runs
from ..store.views.output import last_lines
from ..store.views.overview import Overview, ScheduleLine, read_overview
from ..store.views.problems import Problem, problems, silence
from ..store.views.replicas import read_last_alive
from ..store.views.usual import Usual, read_usual
from ..text import counted, lasted, listed
from .generations import GenerationStanding, of_generations, setting_text
from .why import Explanation, Facts, Moments, Sentence, at_work_text, joined

_LATEST = 20
"""So many of its latest runs are looked at, and so many acts."""
_MOST = 3
"""How many acts, and how many replicas, are named."""


@dataclass(frozen=True, slots=True)
class SaidOfSchedule:
    """What is read of a schedule."""

    asked: str
    """The name that was asked for."""
    defined: StoredSchedule
    overview: Overview
    """Of this schedule alone."""
    living: Sequence[Living]
    last_seen: datetime | None
    latest: Sequence[RunLine]
    """Its latest runs, the newest first."""
    acts: Sequence[ActLine]
    next_run: datetime | None
    """The next scheduled time that is not excluded."""
    usual: Usual | None
    change: Diff | None
    """What changed it last."""
    of_generations: tuple[Problem, ...] = ()
    last_output: str | None = None
    """The last line that its last run printed, if that failed."""

    @property
    def line(self) -> ScheduleLine | None:
        """Its line in the status; None if it is retired."""
        return next(iter(self.overview.schedules), None)

    @property
    def able(self) -> list[Living]:
        """The replicas that are there and have its definition."""
        digest = self.defined.run_digest
        return [one for one in self.living if one.is_seen and digest in one.run_digests]

    @property
    def last_due(self) -> RunLine | None:
        """The run of its last scheduled time."""
        return next((run for run in self.latest if run.cause == "schedule"), None)


def read_why_schedule(
    connection: Connection,
    asked: str,
    key: ScheduleKey,
    standings: Sequence[GenerationStanding] = (),
    *,
    dead: Collection[str] = (),
    moments: Moments | None = None,
) -> Explanation:
    """Return why the schedule in the row of ``key`` is as it is; ``asked`` is the name by which it was asked for."""
    application = key[0]
    defined = read_defined(connection, key)
    overview = read_overview(connection, application, dead=dead, only={key})
    named = (application, defined.schedule)
    ended = [(line.finished_run_id, line.finished_state) for line in overview.schedules]
    failed = [run_id for run_id, state in ended if state == "failed" and run_id is not None]
    facts = SaidOfSchedule(
        asked,
        defined,
        overview,
        [one for one in read_living(connection, application) if one.holder not in dead],
        read_last_alive(connection, application),
        read_runs(connection, limit=_LATEST, application=application, schedule=defined.schedule),
        read_activity(connection, limit=_LATEST, application=application, schedule=defined.schedule),
        _next_run(defined),
        read_usual(connection, {named}).get(named),
        last_diff(connection, *named, defined.changed_at),
        tuple(of_generations(standings)),
        next(iter(last_lines(connection, failed).values()), None),
    )
    at = moments or Moments(overview.database_time)
    # The first that keeps it from running, otherwise what it does now, and what it did last.
    said = (
        _is_not_to_run(facts, at)
        or _cannot_run(facts, at)
        or _runs(facts, at)
        or _went_wrong(facts, at)
        or _rests(facts, at)
    )
    return said.about(*named, None, _evidence(facts, said, at), at.now)


def why_not_active(name: str, standings: Iterable[GenerationStanding], now: datetime) -> Explanation | None:
    """Return why a schedule is not there that a generation has which is not active; None if there is none such."""
    for one in standings:
        differs = one.differs
        renamed = [said.rpartition(", here ")[2] for said in differs.renamed] if differs else []
        if differs is None or name not in {*differs.added, *renamed}:
            continue
        held = "" if one.held_back_by is None else held_back(one.held_back_by)
        comes = joined([held or f"which is {one.state}", one.next])
        text = f"{name} is defined by generation {one.number} of {one.application} alone, {comes}"
        said = Sentence("not active", text, one.came_at, None, ("leased generations",))
        return said.about(one.application, name, None, (), now)
    return None


def _is_not_to_run(facts: SaidOfSchedule, at: Moments) -> Sentence | None:
    """Return what people decided."""
    name, line = facts.defined.schedule, facts.line
    if facts.defined.retired_at is not None or line is None:
        retired_at = facts.defined.retired_at
        how = "is retired" if retired_at is None else f"was {retirement(retired_at, facts.defined.retired_by, at)}"
        text = (
            f'{name} {how}; to run it, define it again in FILE (if it was renamed, add was = "{name}" to the new one)'
        )
        return Sentence("retired", text, retired_at, None, (f"leased runs {name}", "leased generations"))
    if not line.enabled:
        text = f"{name} is disabled: its definition says enabled = false; set it to true and deploy"
        return Sentence("disabled", text, None, None, (f"leased trigger {name}",))
    if line.paused_at is not None:
        pause = paused_text(line.paused_by, line.paused_at, line.paused_until, line.paused_why, at)
        return Sentence("paused", f"{name} is {pause}", line.paused_at, line.paused_until, (f"leased resume {name}",))
    return None


def _cannot_run(facts: SaidOfSchedule, at: Moments) -> Sentence | None:
    """Return which replica is missing."""
    name, application = facts.defined.schedule, facts.defined.application
    seen = [one for one in facts.living if one.is_seen]
    latest = min(facts.living, key=lambda one: one.seen_ago, default=None)
    if not seen and latest is not None and latest.seen_ago <= UNSEEN_IS_DEAD:
        theirs = [run for run in facts.overview.running if run.holder == latest.holder]
        text = f"{name} cannot run: {silence(latest.name, latest.seen_ago, theirs, alone=True)}"
        return Sentence("silent", text, at.back(latest.seen_ago), None, ("leased replicas",))
    if not seen:
        since = facts.last_seen
        last = "" if since is None else f"; the last one was seen {at(since)}"
        text = f"{name} cannot run: no replica of {application} is running{last}"
        return Sentence("no replica", text, since, None, ("leased run FILE", "leased replicas"))
    if not facts.able:
        names = listed([one.name for one in seen], _MOST)
        text = (
            f"{name} cannot run: no running replica has its definition; {names} "
            f"{'runs' if len(seen) == 1 else 'run'} other definitions"
        )
        return Sentence(
            "no definition", text, facts.defined.changed_at, None, ("leased generations", "leased replicas")
        )
    return None


def _runs(facts: SaidOfSchedule, at: Moments) -> Sentence | None:
    """Return what is wrong with its runs, otherwise which runs or waits."""
    name = facts.defined.schedule
    for problem in problems(facts.overview, at):
        match problem.kind:
            case "stuck" | "late" | "late to finish" as kind if problem.schedule == name:
                more = (f"leased why {problem.run_id}",) if problem.run_id is not None else ("leased replicas",)
                return Sentence(kind, problem.text, None, None, more)
            case _:
                continue
    for run in facts.overview.running:
        state, text = at_work_text(run, facts.living, facts.overview.running, facts.usual)
        return Sentence(state, text, at.back(run.running_for), None, (f"leased why {run.run_id}",))
    for waiting in facts.overview.waiting:
        until = waiting.available_at if (waiting.waiting_for or 0.0) < 0 else None
        words = "" if waiting.why is None else f": {sentence(waiting.why, at)}"
        text = f"run {waiting.run_id} of {name} is pending{words}"
        return Sentence("waiting", text, None, until, (f"leased why {waiting.run_id}",))
    return None


def _went_wrong(facts: SaidOfSchedule, at: Moments) -> Sentence | None:
    """Return how its last run failed, or why it did not run when it was due last."""
    name = facts.defined.schedule
    for problem in problems(facts.overview, at):
        if problem.kind == "failing" and problem.schedule == name:
            line = facts.line
            return Sentence("failing", problem.text, None if line is None else line.finished_at, None, problem.next)
    last = facts.last_due
    if last is not None and last.state == "skipped":
        due = last.last_scheduled_for or last.scheduled_for
        then = None if facts.next_run is None else f"it next runs at {at(facts.next_run)}"
        text = joined([f"{name} did not run at {at(due)}: {last.in_words(at.written)}", then])
        return Sentence("skipped", text, due, facts.next_run, (f"leased runs {name}",))
    return None


def _rests(facts: SaidOfSchedule, at: Moments) -> Sentence:
    """Return when it is due next."""
    name, due = facts.defined.schedule, facts.defined.next_due
    trigger = (f"leased trigger {name}",)
    if due is None and facts.defined.timing == ON_REQUEST:
        return Sentence("on request", f"{name} runs on request only{_last(facts, at)}", None, None, trigger)
    if due is None:
        text = f"{name} has no scheduled time left ({facts.defined.timing}){_last(facts, at)}"
        return Sentence("ended", text, None, None, trigger)
    if facts.next_run != due:
        more = "no later one is near" if facts.next_run is None else f"it next runs at {at(facts.next_run)}"
        text = f"{name} does not run at {at(due)}: its definition excludes that day; {more}"
        return Sentence("excluded", text, None, facts.next_run, trigger)
    return Sentence("due", f"{name} is next due at {at(due)}{_last(facts, at)}", None, due, trigger)


def _last(facts: SaidOfSchedule, at: Moments) -> str:
    """Return how its last run ended, as the end of a sentence."""
    line = facts.line
    if line is None or line.last_run_id is None:
        return "; it has not run yet"
    ended = line.last_finished_at or line.last_started_at
    return f"; its last run, {line.last_run_id}, {line.last_state}" + ("" if ended is None else f" {at.ago(ended)}")


def _evidence(facts: SaidOfSchedule, said: Sentence, at: Moments) -> Facts:
    defined, line = facts.defined, facts.line
    if facts.asked != defined.schedule:
        yield "name", f"{facts.asked} is now called {defined.schedule}"
    zone = json.loads(defined.definition).get("timezone")
    yield "timing", defined.timing + (f", {zone}" if zone else "")
    if defined.changed_at > defined.created_at:
        yield "changed", _changed(facts, at)
    if said.state not in {"due", "excluded"} and facts.next_run is not None:
        yield "next", at(facts.next_run)
    if line is not None and line.finished_run_id is not None and line.finished_at is not None:
        yield "last run", f"{line.finished_run_id}, {line.finished_state} {at(line.finished_at)}"
    if facts.last_output is not None:
        yield "last output", facts.last_output
    for run in facts.overview.waiting[:_MOST]:
        words = "" if run.why is None else f": {sentence(run.why, at)}"
        yield "waiting", f"run {run.run_id}{words}"
    last = facts.last_due
    if last is not None and last.state == "skipped" and said.state != "skipped":
        due = last.last_scheduled_for or last.scheduled_for
        yield "last skipped", f"{at(due)}: {last.in_words(at.written)}"
    if facts.usual is not None:
        usual = facts.usual
        yield "usually", f"{lasted(usual.median)}, p95 {lasted(usual.p95)}, of {counted(usual.runs, 'run')}"
    for problem in problems(facts.overview, at):
        if problem.schedule == defined.schedule and problem.text != said.text:
            yield problem.kind, problem.text
    yield "replicas", _replicas(facts)
    for act in facts.acts[:_MOST]:
        yield act.act, f"by {act.acted_by} {at.ago(act.acted_at)}" + (f": {act.why}" if act.why else "")
    for problem in facts.of_generations:
        yield problem.kind, problem.text


def _changed(facts: SaidOfSchedule, at: Moments) -> str:
    """Return when its definition changed last, by which generation, and what."""
    change = facts.change
    if change is None:
        return f"its definition last changed {at(facts.defined.changed_at)}"
    changes = change.settings[facts.defined.schedule].items()
    settings = listed([f"{key}: {setting_text(key, of)} → {setting_text(key, to)}" for key, (of, to) in changes], _MOST)
    return f"last changed by generation {change.number}, {at(change.ruled_at)}: {settings}"


def _replicas(facts: SaidOfSchedule) -> str | None:
    able = listed([one.name for one in facts.able], _MOST)
    silent = listed([one.name for one in facts.living if not one.is_seen], _MOST)
    return joined([f"{able} with its definition" if able else None, f"{silent} silent" if silent else None]) or None


def _next_run(defined: StoredSchedule) -> datetime | None:
    """Return the next scheduled time that is not excluded."""
    if defined.next_due is None or not json.loads(defined.definition).get("exclude"):
        return defined.next_due
    from .deadlines import next_instant  # noqa: PLC0415 - the definitions, and all that they load

    return next_instant(defined.definition, defined.next_due, defined.anchor)
