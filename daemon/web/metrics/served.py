"""The text of `/metrics`, made on a thread of its own: neither the web server nor the replica waits for it."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from time import monotonic, time

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lease.database.database import OwnDatabase

from ...store.policies import Policies, read_policies
from ...store.tables import ScheduleKey
from ...store.views.fleet import Fleet, ScheduleFacts, Unfinished, read_fleet
from ...store.views.usual import Usual, may_be_long
from ..database_thread import DatabaseThread
from .collector import Metrics
from .reading import Own, ReadFleet
from .schedules import ScheduleValues, values

EVERY = 10.0
"""Seconds for which a text is served again."""
_PATIENCE = 5.0
"""Seconds that the database may take; Prometheus waits for 10."""
_MOST_USUAL = 100
"""So many schedules' usual durations are read at once."""


def text_of(metrics: Metrics) -> bytes:
    """Return the text, one family after the other: to join ten megabytes at once would hold up all other threads."""
    return b"".join(generate_latest(_Alone(metric)) for metric in metrics.collect())


class _Alone(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return [self._metric]


class ServedMetrics:
    """The metrics of a replica as text; ``warn`` is told once that the database does not answer."""

    def __init__(self, url: str, of: Own, warn: Callable[[str], object]) -> None:
        self._thread = DatabaseThread(url, "metrics", timeout=_PATIENCE, connections=1)
        self._of = of
        self._warn = warn
        self._text: bytes | None = None
        self._made_at = 0.0
        self._turn = asyncio.Lock()
        self._is_away = False
        self._fleet: Fleet | None = None
        self._values: list[ScheduleValues] = []
        self._read_at, self._offset = 0.0, 0.0
        self._known: dict[str, Policies] = {}
        self._usual: dict[ScheduleKey, Usual] = {}
        self._usual_of: dict[ScheduleKey, object] = {}
        """The last success of each schedule as its usual duration was read."""

    async def text(self) -> bytes:
        """Return the text, which is made again at most every 10 s. For one loop."""
        async with self._turn:  # scrapes at the same time get the same text
            if self._text is None or monotonic() - self._made_at >= EVERY:
                self._text = await self._thread.do(self._make)
                self._made_at = monotonic()
            return self._text

    def close(self) -> None:
        """Close its connection, and end its thread."""
        self._thread.close()

    # On its thread

    async def _make(self, database: OwnDatabase) -> bytes:
        try:
            await self._read(database)
            self._is_away = False
        except Exception as error:  # noqa: BLE001 - its own facts are served all the same, and the age of the others
            if not self._is_away:
                self._warn(f"the metrics of the fleet cannot be read, and grow old: {error}")
            self._is_away = True
        seen = None
        if self._fleet is not None:
            seen = ReadFleet(self._fleet, self._values, self._offset, monotonic() - self._read_at)
        return text_of(Metrics(self._of, seen))

    async def _read(self, database: OwnDatabase) -> None:
        known, began = self._known.keys(), time()
        fleet = await database.read(lambda connection: read_fleet(connection, usual=self._to_read, known=known))
        self._offset = fleet.database_time.timestamp() - (began + time()) / 2
        self._fleet, self._read_at = fleet, monotonic()
        self._take(fleet)
        self._values = values(fleet, self._known, self._usual)

    def _to_read(
        self, schedules: Collection[ScheduleFacts], unfinished: Mapping[ScheduleKey, Unfinished]
    ) -> list[ScheduleKey]:
        """Return the schedules that have succeeded since their usual durations were read; those come first of which a
        run may be long, then those that have none, or were read longest ago.
        """
        order = {key: place for place, key in enumerate(self._usual_of)}
        changed = [
            key for one in schedules if one.last_success != self._usual_of.get(key := (one.application, one.schedule))
        ]
        long = {key for key, one in unfinished.items() if may_be_long(one.longest, None)}
        return sorted(changed, key=lambda key: (key not in long, order.get(key, -1)))[:_MOST_USUAL]

    def _take(self, fleet: Fleet) -> None:
        """Take in what is known from here on, and drop what is gone."""
        success = {(one.application, one.schedule): one.last_success for one in fleet.schedules}
        for key in self._to_read(fleet.schedules, fleet.unfinished):
            self._usual_of.pop(key, None)
            self._usual_of[key] = success.get(key)
        self._usual |= fleet.usual
        self._usual = {key: usual for key, usual in self._usual.items() if key in success}
        self._usual_of = {key: last for key, last in self._usual_of.items() if key in success}
        digests = {one.digest for one in fleet.schedules}
        self._known |= {digest: read_policies(definition) for digest, definition in fleet.definitions.items()}
        self._known = {digest: known for digest, known in self._known.items() if digest in digests}
