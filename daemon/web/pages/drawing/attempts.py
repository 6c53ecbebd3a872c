"""The attempts of a run on one axis of time: a lane for each replica and token, and what lay between two lanes. Pure.

Places along the axis are percentages, so that a drawing fits each width; heights are pixels.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from ....states import JobState

MOST_LANES = 12
"""So many lanes are drawn; earlier ones are counted."""
MOST_LENSES = 3
LANE = 48
"""The height of a lane with its gap."""
LENS_SECONDS = 40.0
Ended = Literal["over", "crashed", "lost", "running"]
Written = Callable[[datetime, bool], str]
"""Writes an instant, with its seconds if asked."""
_LOOKS: Mapping[JobState, str] = {
    "succeeded": "ok",
    "failed": "bad",
    "abandoned": "crash",
    "stopped": "idle",
    "running": "run",
    "not started": "idle",
}
_WORDS: Mapping[JobState, str] = {"abandoned": "crashed", "stopped": "handed over"}
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
_MOST_TICKS = 8


@dataclass(frozen=True, slots=True)
class JobSpan:
    """An attempt of a job."""

    job: str
    state: JobState
    replica: str
    token: int
    began: datetime
    ended: datetime | None
    """When it was recorded that it ended; None: it runs."""
    renewed_at: datetime | None = None
    """When its lease was last renewed, if its replica died or lost it."""
    last_sign: datetime | None = None
    """When it last reported progress, or its output was saved."""


@dataclass(frozen=True, slots=True)
class AxisSpan:
    """A stretch of the axis, from ``x``, ``width`` long."""

    x: float
    width: float
    looks: str
    text: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class AttemptLane:
    """What one replica did under one token."""

    replica: str
    token: int
    spans: tuple[AxisSpan, ...]
    ended: Ended
    end: float
    """Where its last attempt ended."""
    begin: float
    last_job: str

    @property
    def has_room(self) -> bool:
        """What happened at its end can be said behind it."""
        return self.end < 66.0


@dataclass(frozen=True, slots=True)
class LensMark:
    """A moment with a name, below a drawing."""

    x: float
    text: str
    looks: str
    anchor: Literal["start", "middle", "end"]
    row: int
    """Below which others it stands, so that none covers another."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A handover, enlarged: what is known of the seconds between one lane and the next."""

    x: float
    """Where it is on the axis, and how wide it is there."""
    width: float
    seconds: float
    silence: AxisSpan
    """From the last renewal, or the last other sign of life, to the next grant."""
    crash: float | None
    """Where it was recorded that the attempt ended."""
    grant: float
    before: str
    after: str
    marks: tuple[LensMark, ...]
    ended: str
    """How it ended …"""
    resumed: str
    """… and how soon another went on, in words …"""
    where: str
    """… and where."""
    lane: int
    """That before it."""

    @property
    def said(self) -> str:
        """All of it in words."""
        return f"{self.ended}; {self.resumed} {self.where}. {self.silence.text}."


@dataclass(frozen=True, slots=True)
class Axis:
    """A drawing of attempts."""

    lanes: tuple[AttemptLane, ...]
    earlier: int
    """Lanes that are not drawn."""
    ticks: tuple[tuple[float, str], ...]
    now: float | None
    rest: AxisSpan | None
    """From now until it usually ends."""
    over: AxisSpan | None
    """The part of the running lane that is beyond what 19 of 20 runs take."""
    lenses: tuple[Lens, ...]
    first: datetime
    last: datetime
    label: str

    @property
    def height(self) -> int:
        """The height of the lanes with the ticks above them."""
        return 24 + LANE * len(self.lanes)

    @property
    def handed(self) -> dict[int, str]:
        """The handovers in words, by the lane before each."""
        return {one.lane: one.said for one in self.lenses}


def draw(
    spans: Sequence[JobSpan],
    now: datetime | None,
    written: Written,
    *,
    usual_end: datetime | None = None,
    long_since: datetime | None = None,
    offset: timedelta = timedelta(),
    ttl: float | None = None,
) -> Axis | None:
    """Return the attempts of a run as they are drawn; None if there are none.

    ``now`` is None of a run that is over. ``usual_end`` is when it would end if it took as long as usual, ``long_since``
    since when it has taken longer than 19 of 20 runs. Ticks are at round times of a zone that is ``offset`` from UTC.
    ``ttl`` is after how many seconds without a renewal a lease expires, if that is known.
    """
    groups = _grouped(spans)
    if not groups:
        return None
    shown = groups[-MOST_LANES:]
    first = min(one.began for group in shown for one in group)
    ends = [one.ended or now or one.began for group in shown for one in group]
    last = max(*ends, now or ends[0], (usual_end if now else None) or ends[0], first + timedelta(seconds=1))
    scale = _Scale(first, last)
    lanes = tuple(_lane(group, scale, now, written) for group in shown)
    rest = None
    if now is not None and usual_end is not None and usual_end > now:
        rest = AxisSpan(
            scale.x(now), scale.x(usual_end) - scale.x(now), "next", f"usually done {written(usual_end, False)}"
        )
    over = None
    if now is not None and long_since is not None and long_since < now:
        begin = max(scale.x(long_since), lanes[-1].begin)
        over = AxisSpan(begin, scale.x(now) - begin, "over")
    pairs = [
        (lane, *pair) for lane, pair in enumerate(pairwise(shown)) if pair[0][-1].state in ("abandoned", "stopped")
    ]
    lenses = tuple(_lens(pair, scale, written, ttl) for pair in pairs[-MOST_LENSES:])
    return Axis(
        lanes,
        len(groups) - len(shown),
        tuple(_ticks(scale, written, offset)),
        None if now is None else scale.x(now),
        rest,
        over,
        lenses,
        first,
        last,
        ". ".join(_said(shown, written)) + ".",
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where instants are between two of them, with a little room at both sides."""

    first: datetime
    last: datetime

    def x(self, at: datetime) -> float:
        whole = (self.last - self.first).total_seconds() or 1.0
        return round(0.5 + 98.0 * min(max((at - self.first).total_seconds() / whole, 0.0), 1.0), 3)


def _grouped(spans: Sequence[JobSpan]) -> list[list[JobSpan]]:
    groups: dict[tuple[str, int], list[JobSpan]] = {}
    for one in sorted(spans, key=lambda one: one.began):
        groups.setdefault((one.replica, one.token), []).append(one)
    return list(groups.values())


def _lane(group: Sequence[JobSpan], scale: _Scale, now: datetime | None, written: Written) -> AttemptLane:
    drawn = []
    for one in group:
        x, end = scale.x(one.began), scale.x(one.ended or now or scale.last)
        until = "now" if one.ended is None else written(one.ended, True)
        title = f"{one.job}: {_WORDS.get(one.state, one.state)}, {written(one.began, True)} to {until}"
        drawn.append(AxisSpan(x, max(round(end - x, 3), 0.15), _LOOKS[one.state], one.job, title))
    last = group[-1]
    ends: dict[JobState, Ended] = {"abandoned": "crashed", "stopped": "lost", "running": "running"}
    end = scale.x(last.ended or now or scale.last)
    return AttemptLane(last.replica, last.token, tuple(drawn), ends.get(last.state, "over"), end, drawn[0].x, last.job)


def _ticks(scale: _Scale, written: Written, offset: timedelta) -> Iterator[tuple[float, str]]:
    whole = (scale.last - scale.first).total_seconds()
    step = next((step for step in _STEPS if whole / step <= _MOST_TICKS), whole / _MOST_TICKS)
    at = (scale.first + offset).timestamp() // step * step - offset.total_seconds()
    while at <= scale.last.timestamp():
        if at >= scale.first.timestamp():
            instant = datetime.fromtimestamp(at, scale.first.tzinfo)
            yield scale.x(instant), written(instant, step < 60)
        at += step


def _lens(
    pair: tuple[int, Sequence[JobSpan], Sequence[JobSpan]], axis: _Scale, written: Written, ttl: float | None
) -> Lens:
    """Return what is on record of the time between two lanes. Single renewals are not, so that none is drawn."""
    lane, (*_, lost), (following, *_) = pair
    ended, grant = lost.ended or following.began, following.began
    known = [
        (lost.renewed_at, "last renewal"),
        (lost.last_sign, "last sign of life"),
        (lost.began, f"{lost.job} began"),
    ]
    alive, what = next((at, what) for at, what in known if at is not None and at <= grant)
    silent = (grant - alive).total_seconds()
    usual = LENS_SECONDS * 0.3 < silent < LENS_SECONDS / 2
    room = (LENS_SECONDS - silent) / 2 if usual else max(silent * 0.8, 0.5)
    lens = _Scale(alive - timedelta(seconds=room), grant + timedelta(seconds=room))
    has_crashed = lost.state == "abandoned"
    what_happened = f"{lost.replica} crashed" if has_crashed else f"{lost.replica} gave it up"
    crash = lens.x(ended) if alive <= ended <= grant else None
    since = (
        "without a renewal" if what == "last renewal" else f"since the {what}" if "sign" in what else f"since {what}"
    )
    lasts = f"; its lease lasts {ttl:g} s" if ttl is not None and what == "last renewal" else ""
    silence = AxisSpan(
        lens.x(alive), round(lens.x(grant) - lens.x(alive), 3), "crash", f"{_quiet(silent)} {since}{lasts}"
    )
    marks = [
        LensMark(lens.x(alive), f"{written(alive, True)} {what}", "dim", "end", 0),
        LensMark(lens.x(grant), f"{written(grant, True)} resumed on {following.replica}", "dim", "start", 0),
    ]
    if crash is not None:
        noticed = "crash recorded" if has_crashed else "end recorded"
        marks.append(LensMark(crash, f"{written(ended, True)} {noticed}", "crash", "middle", 1))
    how = (
        f"{what_happened} in {lost.job} at {written(ended, True)}",
        f"resumed {_quiet((grant - ended).total_seconds())} later",
        f"on {following.replica} under token {following.token}",
    )
    x, end = axis.x(lens.first), axis.x(lens.last)
    named = f"{lost.replica}, token {lost.token}", f"{following.replica}, token {following.token}"
    seconds = (lens.last - lens.first).total_seconds()
    return Lens(x, max(end - x, 0.6), seconds, silence, crash, lens.x(grant), *named, tuple(marks), *how, lane)


def _quiet(seconds: float) -> str:
    return f"{max(seconds, 0):.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _said(groups: Sequence[Sequence[JobSpan]], written: Written) -> Iterator[str]:
    for number, group in enumerate(groups, 1):
        last = group[-1]
        done = [one.job for one in group if one.state == "succeeded"]
        begun = f"{number}: {last.replica} under token {last.token} from {written(group[0].began, True)}"
        finished = f", {', '.join(done)} succeeded" if done else ""
        match last.state:
            case "running":
                how = f"; {last.job} is running"
            case "abandoned":
                how = f"; it crashed in {last.job}, recorded at {written(last.ended or last.began, True)}"
            case "succeeded":
                how = ""
            case _:
                how = f"; {last.job} {last.state} at {written(last.ended or last.began, True)}"
        yield begun + finished + how
