"""The collector of all metrics of a replica: its own facts, and those of the fleet."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import time
from typing import get_args

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from ...states import LONG_LEVELS, SEEN_WITHIN, DeliveryOutcome, MessageKind, PingKind, SkipReason
from ...store.views.fleet import Fleet
from ...telemetry.measures import Histogram
from ...text import shortened
from .families import FAMILIES, Family
from .reading import Own, ReadFleet
from .steps import in_steps

_STATES = ("alive", "draining", "silent")
_ENDS = (*((state, "") for state in ("succeeded", "failed", "cancelled")), *(("skipped", one) for one in get_args(SkipReason)))  # fmt: skip
_LOST = ("ended", "broken", "unreachable", "suspended", "closed")
_SENT = get_args(DeliveryOutcome)
_SCHEDULE = "leased_schedule_"


class Metrics(Collector):
    """All families, of what is the case now. Each lives only while it is written."""

    def __init__(self, of: Own, seen: ReadFleet | None) -> None:
        self._of = of
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        own = self._own()
        of_replicas = [] if self._seen is None else list(_of_replicas(self._seen.fleet))
        for family in FAMILIES:
            name = family.name
            if family.of == "replica":
                yield _metric(family, own[name]())
            elif name.startswith(_SCHEDULE):
                yield _metric(family, self._of_schedules(name))
            else:
                found = [Sample(name, _safe(labels), value) for of, labels, value in of_replicas if of == name]
                yield _metric(family, found)

    def _of_schedules(self, name: str) -> Iterator[Sample]:
        short = name.removeprefix(_SCHEDULE)
        for one in () if self._seen is None else self._seen.schedules:
            if short in one.values:
                labels = {**one.labels, **one.info} if short == "info" else one.labels
                yield Sample(name, _safe(labels), one.values[short])

    def _own(self) -> Mapping[str, Callable[[], Iterable[Sample]]]:
        of, measures, seen = self._of, self._of.measures, self._seen

        def one(name: str, value: float | None, **labels: str) -> Callable[[], list[Sample]]:
            return lambda: [] if value is None else [self._sample(name, value, labels)]

        def each(name: str, label: str, found: Mapping[str, float]) -> Callable[[], list[Sample]]:
            return lambda: [self._sample(name, value, {label: kind}) for kind, value in found.items()]

        def histogram(name: str, of: Histogram) -> Callable[[], list[Sample]]:
            return lambda: self._histogram(name, of)

        generations = [] if seen is None else [one.generation for one in seen.fleet.replicas if one.holder == of.holder]
        build = {"version": of.version, "revision": _text(of.revision), "database": of.database, "python": of.python}
        at = {loop: time() - beat.age for loop, beat in of.loops().items()}
        lost = {cause: float(measures.leases_lost[cause]) for cause in _LOST}
        held = {} if seen is None else seen.fleet.locks
        locks = (
            {} if seen is None else {str(level or "none"): float(held.get(level, 0)) for level in (None, *LONG_LEVELS)}
        )
        pings = {one: float(sum(measures.sent[kind, one] for kind in get_args(PingKind))) for one in _SENT}
        return {
            "leased_build_info": one("leased_build_info", 1, generation=_text(next(iter(generations), None)), **build),
            "leased_runs_total": self._runs,
            "leased_run_lateness_seconds": histogram("leased_run_lateness_seconds", measures.waited),
            "leased_run_duration_seconds": histogram("leased_run_duration_seconds", measures.took),
            "leased_claims_total": each("leased_claims_total", "outcome", dict(measures.claims)),
            "leased_lease_renewals_total": each("leased_lease_renewals_total", "outcome", dict(measures.renewals)),
            "leased_lease_margin_seconds": histogram("leased_lease_margin_seconds", measures.margin),
            "leased_leases_held": one("leased_leases_held", of.held()),
            "leased_leases_lost_total": each("leased_leases_lost_total", "cause", lost),
            "leased_fenced_writes_refused_total": one("leased_fenced_writes_refused_total", measures.writes_refused),
            "leased_schedules_retired_total": one("leased_schedules_retired_total", measures.retired),
            "leased_notifications_total": self._notifications,
            "leased_pings_total": each("leased_pings_total", "outcome", pings),
            "leased_loop_last_tick_timestamp_seconds": each("leased_loop_last_tick_timestamp_seconds", "loop", at),
            "leased_event_loop_stall_seconds": histogram("leased_event_loop_stall_seconds", measures.stalls),
            "leased_database_locks_held": each("leased_database_locks_held", "level", locks),
            "leased_database_oldest_transaction_seconds": one(
                "leased_database_oldest_transaction_seconds", None if seen is None else seen.fleet.oldest_transaction
            ),
            "leased_database_clock_offset_seconds": one(
                "leased_database_clock_offset_seconds", None if seen is None else seen.offset
            ),
            "leased_snapshot_age_seconds": one("leased_snapshot_age_seconds", None if seen is None else seen.age),
        }

    def _runs(self) -> Iterator[Sample]:
        """Yield a sample for each end of each schedule that there is, and of no other."""
        of, ended = self._of, Counter(self._of.measures.ended)
        known = of.schedules
        if self._seen is not None:
            known = [one.schedule for one in self._seen.fleet.schedules if one.application == of.application]
        for schedule in known:
            for state, reason in _ENDS:
                labels = {"schedule": schedule, "state": state, "reason": reason}
                yield self._sample("leased_runs_total", ended[schedule, state, reason], labels)

    def _notifications(self) -> Iterator[Sample]:
        for kind in get_args(MessageKind):
            for outcome in _SENT:
                labels = {"kind": kind, "outcome": outcome}
                yield self._sample("leased_notifications_total", self._of.measures.sent[kind, outcome], labels)

    def _sample(self, name: str, value: float, labels: Mapping[str, str]) -> Sample:
        return Sample(name, _safe({"application": self._of.application, **labels}), value)

    def _histogram(self, name: str, of: Histogram) -> list[Sample]:
        buckets = of.buckets()
        return [
            *(self._sample(f"{name}_bucket", count, {"le": bound}) for bound, count in buckets),
            self._sample(f"{name}_count", buckets[-1][1], {}),
            self._sample(f"{name}_sum", of.sum, {}),
        ]


def _of_replicas(fleet: Fleet) -> Iterator[tuple[str, Mapping[str, str], float]]:
    by_state, releases = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
    live, held_back = defaultdict[str, set[int | None]](set), defaultdict[str, set[int | None]](set)
    for one in fleet.replicas:
        state = "silent" if one.seen_ago > SEEN_WITHIN else "draining" if one.state == "draining" else "alive"
        by_state[one.application, state] += 1
        if state == "silent":
            continue
        releases[one.application, one.release or "", one.version] += 1
        live[one.application].add(one.generation)
        if one.held_back_by is not None:
            held_back[one.application].add(one.generation)
    for application in sorted({of for of, _ in by_state} | {one.application for one in fleet.schedules}):
        of = {"application": application}
        for state in _STATES:
            yield "leased_replicas", {**of, "state": state}, by_state[application, state]
        yield "leased_generations_live", of, len(live[application])
        yield "leased_generations_held_back", of, len(held_back[application])
    for (application, release, version), count in releases.items():
        yield "leased_release_info", {"application": application, "release": release, "version": version}, count


def _metric(family: Family, samples: Iterable[Sample]) -> Metric:
    name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
    metric = Metric(name, family.meaning, family.kind)
    metric.samples = in_steps(samples)  # type: ignore[assignment]  # it is only iterated over, and those of all runs are many
    return metric


def _safe(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels that are printable text of one line, whatever a name holds."""
    return {name: value if value.isprintable() and len(value) < 300 else shortened(value[:1_000], 300) for name, value in labels.items()}  # fmt: skip


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
