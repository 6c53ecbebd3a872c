"""A campaign's facts as tables would show them, for what `leased audit` checks too."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from daemon.audit import Violation
from daemon.audit.promises import miscounted, of_kind

from .facts import Due, GrantEnded, LeaseDeleted, Recorded
from .tenures import Tenures


def as_recorded(history: Iterable[object], tenures: Tenures) -> Iterator[object]:
    """Yield the facts, each grant with one end, which is when it ended or went stale; and of the instants that need not
    have been due those for which there are runs.
    """
    facts = list(history)
    yield from (fact for fact in facts if not isinstance(fact, GrantEnded | LeaseDeleted | Due))
    for tenure in tenures:
        known = [tenure.ended.at if tenure.ended else None, tenure.until]
        if (free := min((at for at in known if at is not None), default=None)) is not None:
            yield GrantEnded(tenure.grant, free)
    for schedule, instants in due_by_schedule(facts).items():
        yield from (Due(schedule, at) for at in instants)


def due_by_schedule(history: Iterable[object]) -> Mapping[str, Sequence[datetime]]:
    """Return the instants that were due for certain, and as many of the others as the runs there stand for."""
    facts = list(history)
    certain: dict[str, set[datetime]] = defaultdict(set)
    perhaps: dict[str, set[datetime]] = defaultdict(set)
    for fact in of_kind(Due, facts):
        (certain if fact.certain else perhaps)[fact.schedule].add(fact.at)
    sure = {schedule: sorted(instants) for schedule, instants in certain.items()}
    others = {schedule: sorted(instants - certain[schedule]) for schedule, instants in perhaps.items()}
    for run in of_kind(Recorded, facts):
        if not run.manual and run.schedule in others:
            missing = max(0, run.count - len(_within(run, sure.get(run.schedule, ()))))
            certain[run.schedule].update(_within(run, others[run.schedule])[:missing])
    return {schedule: sorted(instants) for schedule, instants in certain.items()}


def due_at_all(history: Iterable[object]) -> Iterator[Violation]:
    """Yield runs of instants at which their schedule was not due, or that began before it was (rule 13): only a
    complete history has all instants. A backfill also runs those at which it was not due by the timing of then.
    """
    facts = list(history)
    due = due_by_schedule(facts)
    for run in of_kind(Recorded, facts):
        instants = due.get(run.schedule, ())
        span = _within(run, instants)
        is_whole = bool(instants) and instants[0] <= run.first and run.last <= instants[-1]
        is_compared = (span or run.count > 1) and is_whole  # in the tables too
        if not (run.manual or run.backfill is not None or is_compared) and run.count != len(span):
            yield miscounted(run, len(span))


def _within(run: Recorded, instants: Sequence[datetime]) -> Sequence[datetime]:
    return instants[bisect_left(instants, run.first) : bisect_right(instants, run.last)]
