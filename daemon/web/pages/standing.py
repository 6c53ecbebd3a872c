"""How each schedule stands, from what `status` shows: by it the first page filters, counts and sorts. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from ...answers.status import StatusFound
from ...store.tables import ScheduleKey
from ...store.views.overview import ScheduleLine
from ...store.views.problems import Kind
from ..api.asked import Unfit
from .states import BROKEN, WORST_FIRST, Standing, worst

OF_KIND: Mapping[Kind, Standing] = {
    "failing": "failing",
    "late": "late",
    "late to finish": "late",
    "lock held": "late",
    "stuck": "stuck",
    "long": "long",
    "thinned": "skipping",
    "missed": "missed",
    "never ran": "missed",
}
"""How a schedule stands that has such a problem."""
Standings = Mapping[ScheduleKey, frozenset[Standing]]
Rank = tuple[int, str, str]
"""The place of a schedule in the list: how bad its state is, its application, its name."""


def standings(status: StatusFound) -> Standings:
    """Return all that is so of each schedule."""
    overview = status.overview
    found: dict[ScheduleKey, set[Standing]] = {
        (line.application, line.schedule): set(_of_line(line)) for line in overview.schedules
    }
    told: list[tuple[str | None, str | None, Standing]] = [
        (one.application, one.schedule, OF_KIND[one.kind]) for one in status.problems if one.kind in OF_KIND
    ]
    told += [(one.application, one.schedule, "running") for one in overview.running]
    told += [(one.application, one.schedule, "waiting") for one in overview.waiting]
    told += [(one.application, one.schedule, "backfill") for one in overview.backfills if not one.is_over]
    for application, name, standing in told:
        if application is not None and name is not None and (application, name) in found:
            found[application, name].add(standing)
    return {key: frozenset(some or {"ok"}) for key, some in found.items()}


def _of_line(line: ScheduleLine) -> Iterable[Standing]:
    if line.paused_at is not None or not line.enabled:
        yield "paused"
    if line.last_state is None:
        yield "new"
    elif line.last_state in ("running", "pending"):
        yield "running" if line.last_state == "running" else "waiting"


def counts(found: Standings) -> Counter[Standing]:
    """Return how many schedules stand so; one may stand so and otherwise."""
    return Counter(standing for some in found.values() for standing in some)


def rank(line: ScheduleLine, found: Standings) -> Rank:
    """Return where a schedule is in the list: the broken ones first, the worst of them before the others; the rest by
    name, whatever state they are in.
    """
    leading = worst(found[line.application, line.schedule])
    place = WORST_FIRST[leading] if leading in BROKEN else len(WORST_FIRST)
    return place, line.application, line.schedule


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the schedules that a filter leaves."""

    lines: Sequence[ScheduleLine]
    matching: int
    """So many match the filter, on all pages."""
    after: str
    """The key of the next page; empty: this is the last one."""


def listed(lines: Sequence[ScheduleLine], found: Standings, after: Rank | None, limit: int) -> Listed:
    """Return those of ``lines`` that come after a place, up to ``limit``.

    The place has the rank that the last schedule of the page before had there: if that, or another one, gets better or
    worse between the two, only that one may be seen twice or not at all.
    """
    ranked = sorted((rank(line, found), line) for line in lines)
    rest = ranked if after is None else [one for one in ranked if one[0] > after]
    shown = rest[:limit]
    key = _key(shown[-1][0]) if len(rest) > limit else ""
    return Listed([line for _, line in shown], len(lines), key)


def _key(place: Rank) -> str:
    return f"{place[0]}/{quote(place[1], safe='')}/{quote(place[2], safe='')}"


def read_key(key: str) -> Rank:
    """Return the place that a key says; raises `Unfit`."""
    number, _, rest = key.partition("/")
    application, found, name = rest.partition("/")
    if not found or not number.isdecimal() or len(number) > 2:
        raise Unfit("after: this is no key of a page; start at the first one")
    return int(number), unquote(application), unquote(name)
