"""Replicas whose `/metrics` are scraped every minute of a test's clock, and what promtool makes of it."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon import Schedules
from daemon.delivery.deliverer import Deliverer
from daemon.delivery.sending import Sender
from daemon.service.replica import Readiness
from daemon.service.web_service import own_facts
from daemon.telemetry.facts import Fact, Note
from daemon.telemetry.measures import Measures
from daemon.testing import ManualReplica, ManualStore
from daemon.web.metrics import collector, served
from daemon.web.metrics.served import ServedMetrics
from tests.support.manual import ONE_O_CLOCK
from tests.support.promtool import RULES, promtool

_NAMED = set(re.findall(r"leased_\w+", RULES.read_text()))


class ScrapedReplica:
    """A replica that shows life and works, unless it hangs or is told to stop, and its metrics."""

    def __init__(self, name: str, replica: ManualReplica, stack: AsyncExitStack) -> None:
        context = replica.context
        self.name = name
        self.manual = replica
        self.measures = Measures()
        self.runs_long = False
        """Its runs wait for the test, so nothing waits for them."""
        self.hangs = self.is_silent = self.is_unreachable = False
        self._counted = 0
        self._stack = stack
        replica.replica.running = True
        loops = Readiness(replica.replica).loops
        own = own_facts(replica.replica, loops, self.measures)
        self._served = ServedMetrics("", own, lambda said: replica.facts.append(Note(said, is_warning=True)))
        self._deliverer = Deliverer(context, 60.0, Sender({}, Path()))

    async def pass_time(self) -> None:
        if self.manual.store.available and not self.is_silent:
            await self.manual.replica._check_in.touch()
        if not (self.hangs or self.is_silent):
            await (self.manual.tick() if self.runs_long else self.manual.work())

    async def deliver(self) -> None:
        await self._deliverer.finish()

    async def text(self) -> str:
        """Return what `/metrics` says now."""
        facts = self.manual.facts
        for fact in facts[self._counted :]:
            self.count(fact)
        self._counted = len(facts)
        return (await self._served._make(self.manual.store)).decode()  # type: ignore[arg-type]  # it is only read

    def count(self, fact: Fact) -> None:
        self.measures(fact)

    async def stop(self) -> None:
        await self._stack.aclose()


class Scrapes:
    """What Prometheus has got of the metrics that the rules are about, ``every`` so many minutes since a time."""

    def __init__(self, began: float) -> None:
        self.every = 1
        self._began = began
        self._series: dict[str, list[str]] = {}
        self._number = 0
        self._firing: list[dict[str, Any]] = []

    def take(self, texts: Mapping[str, str], times: int = 1) -> None:
        """Take a text of each instance, which is the same ``times`` times."""
        found = {series: value for one, text in texts.items() for series, value in self._samples(one, text)}
        for series in self._series.keys() | found.keys():
            before = self._series.setdefault(series, ["_"] * self._number)
            gone = "stale" if before and before[-1] not in ("_", "stale") else "_"
            before += [found[series]] * times if series in found else [gone, *["_"] * (times - 1)]
        self._number += times

    def _samples(self, instance: str, text: str) -> Iterator[tuple[str, str]]:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in _NAMED:
                    labels = {**sample.labels, "instance": instance}
                    series = (
                        f"{sample.name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"
                    )
                    # Time begins with 0 in promtool.
                    value = (
                        sample.value - self._began
                        if series.partition("{")[0].endswith("_timestamp_seconds")
                        else sample.value
                    )
                    yield series, repr(value)

    def fires(self, *alerts: str) -> None:
        """Say that these alerts fire now, given as ``NAME severity``, and no others but the watchdog."""
        names = [alert.split() for alert in (*alerts, "LeasedWatchdog none")]
        labels = [f'{{alertname="{name}", severity="{severity}"}}' for name, severity in names]
        self._firing.append(
            {
                "expr": 'group by (alertname, severity) (ALERTS{alertstate="firing"})',
                "eval_time": f"{self._number * self.every}m",
                "exp_samples": [{"labels": one, "value": 1} for one in labels],
            }
        )

    def check(self, folder: Path) -> None:
        """Let promtool evaluate the rules on what was scraped; AssertionError unless what was said fires."""
        series = [{"series": name, "values": " ".join(["_", *values])} for name, values in self._series.items()]
        interval = f"{self.every}m"
        tests = [{"interval": interval, "input_series": series, "promql_expr_test": self._firing}]
        file = folder / "tests.json"  # JSON is YAML
        file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": tests}))
        promtool("test", "rules", str(file))


class Scraped:
    """A fleet on one store; `pass_time` moves the clock, and scrapes."""

    def __init__(self, store: ManualStore, stack: AsyncExitStack) -> None:
        self.store = store
        self.ahead = 0.0
        """The seconds by which the clocks of the replicas' machines are ahead of the database's."""
        self.replicas: list[ScrapedReplica] = []
        self.scrapes = Scrapes(self.now())
        self._stack = stack

    def now(self) -> float:
        return self.store.clock.now.timestamp()

    async def start(self, schedules: Schedules, *, replicas: int = 1) -> list[ScrapedReplica]:
        """Start replicas of these definitions."""
        started = []
        for _ in range(replicas):
            stack = AsyncExitStack()
            manual = await stack.enter_async_context(ManualReplica(self.store, schedules))
            name = f"replica-{len(self.replicas) + 1}"
            self._stack.push_async_callback(stack.aclose)
            started.append(ScrapedReplica(name, manual, stack))
            self.replicas += started[-1:]
        return started

    async def stop(self, *stopped: ScrapedReplica) -> None:
        for one in stopped:
            await one.stop()
            self.replicas.remove(one)

    async def pass_time(self, minutes: int, *, times: int = 1) -> None:
        """Let time pass; each text is scraped ``times`` times."""
        step = times * self.scrapes.every
        for _ in range(minutes // step):
            self.store.clock.advance(60.0 * step)
            for one in self.replicas:
                await one.pass_time()
            self.scrapes.take({one.name: await one.text() for one in self.replicas if not one.is_unreachable}, times)


@asynccontextmanager
async def scraped(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scraped]:
    """Open a fleet whose machines go by the clock of its store."""
    async with AsyncExitStack() as stack:
        world = Scraped(await stack.enter_async_context(ManualStore(ONE_O_CLOCK)), stack)

        def machine() -> float:
            return world.now() + world.ahead

        for module in (served, collector):
            monkeypatch.setattr(module, "time", machine)
        for name in ("daemon.web.metrics.served", "daemon.service.waking.idle_wait", "daemon.service.replica"):
            monkeypatch.setattr(f"{name}.monotonic", machine)
        yield world
