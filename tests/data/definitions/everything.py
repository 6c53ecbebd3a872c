"""Every setting, each with every kind of spelling that only Python has. `golden.json` says what they give."""

import functools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from daemon import AsyncRun, Run, Schedules

schedules = Schedules(
    "everything in Python", calendars={"holidays": {date(2026, 12, 25): "Christmas", "01-01": "New Year"}}
)


class Word(StrEnum):
    QUEUE = "queue"
    TAG = "tag"
    NAME = "of a word"


class Number(IntEnum):
    THREE = 3


# One function, one schedule: named after it, or by name.


@schedules.every(90)
def old_carts__2(run: Run) -> None: ...


@schedules.every(0.5, name="every-part-of-a-second")
async def refresh(run: AsyncRun) -> None: ...


@schedules.every(Number.THREE, name=Word.NAME, timeout=Number.THREE, retries=Number.THREE, overlap=Word.QUEUE)  # type: ignore[arg-type]  # taken all the same
def words(run: Run) -> None: ...


@schedules.every("1m", name=7)  # type: ignore[arg-type]  # taken all the same
def number(run: Run) -> None: ...


@schedules.cron("  30 0   2 * * MON-fri ", timezone="Europe/Berlin", timeout="2h30m", backoff=0, jitter="1.5m")
async def settings_of_both(run: AsyncRun) -> None: ...


@schedules.cron(
    "@Daily",
    name="every-setting",
    timezone="Asia/Kolkata",
    starts="2026-07-01t02:00:00+02:00",
    ends=datetime(2026, 12, 31, 23, 59, 59, 5, tzinfo=UTC),
    catch_up="all",
    start_within=3600,
    overlap="queue",
    lock="one lock",
    on_failure="continue",
    jitter=0.25,
    params={"size": 10},
    enabled=False,
    description="Prüft „alles“",
    tags=("b", "a"),
    timeout=1e3,
    retries=3,
    backoff="1h",
    isolation="process",
    cwd="sub/folder",
    env={"B": "2", "A": "1"},
)
async def every_setting(run: AsyncRun) -> None: ...


@schedules.cron(
    "@daily",
    name="nothing-given",
    lock=None,
    start_within=None,
    at=None,  # type: ignore[call-arg]  # taken all the same
    starts=None,
    timeout=None,
    cwd=None,
)
def nothing_given(run: Run) -> None: ...


schedules.at("2026-07-01 02:00:00.5Z", name="at-text")(refresh)
schedules.at(datetime(2026, 7, 1, 2, tzinfo=UTC), name="at-datetime")(refresh)
schedules.at(datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), name="at-before-the-hour-again")(refresh)
schedules.at(datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), name="at-the-hour-again")(refresh)
schedules.at(datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=5, seconds=1))), name="at-odd-offset")(refresh)
schedules.at(datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC), name="at-first-year")(refresh)

schedules.on_request(name="on-request", params={"picture": ""}, timeout="1m")(refresh)

# What is called.


class Caller:
    def __call__(self, run: Run) -> None: ...

    def method(self, run: Run) -> None: ...

    @classmethod
    async def of_class(cls, run: AsyncRun) -> None: ...

    @staticmethod
    def load_all(run: Run) -> None: ...


class Made:
    def __init__(self, run: Run) -> None: ...


def logged(function: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(function)
    def wrapper(run: Any) -> None:
        function(run)

    return wrapper


def nested() -> Callable[[Any], Any]:
    async def inner(run: AsyncRun) -> None: ...

    return inner


called = schedules.add("called", every="1m")
called.job(words)
called.job(refresh)
called.job(isolation="task", name="task")(refresh)
called.job(isolation="process", name="process")(refresh)
called.job(isolation="process", name="sync", timeout="1m", retries=2, backoff=1.5, cwd="/srv", env={})(words)
called.job(nested())
called.job(Caller().method)
called.job(Caller.of_class)
called.job(Caller.load_all)
called.job(logged(number))
called.job(Made)
called.job(print)
called.job(name="object")(Caller())
called.job(name="partial")(functools.partial(words))
called.job(name="async partial")(functools.partial(refresh))
called.job(name="lambda")(lambda run: None)
called.job(name="jöb/größe 1")(words)

commands = schedules.add("commands", every="1m")
commands.command("text", "python sync.py orders | tail -1")
commands.command("list", ["python", "sync.py", ""])
commands.command("tuple", ("python", "größe 1"))
commands.command(
    "settings", "true", timeout=90, retries=3, backoff="15s", isolation="process", cwd="/srv", env={"Ä": "ü"}
)
commands.command("proxy", "true", env=MappingProxyType({"B": "", "A": "1"}))

# The settings of a schedule.


def bare(name: str, **settings: Any) -> None:
    schedules.add(name, **({"every": 60.0} | settings)).command("only", "true")


bare("defaults")
bare("nothing-at-all", cron=None, at=None, starts=None, ends=None, tags=None, params=None, jitter=None, enabled=None)
bare("on-request-of-several", every=None, on_request=True)
bare("minus-zero", jitter=-0.0, start_within=1)
bare("finish-by", finish_by=timedelta(hours=4))
bare("finish-by-time", finish_by="06:00")
bare("exclude", exclude=["holidays", "2026-07-01"])
bare("exclude-dates", exclude=(date(2026, 7, 2), "2026-07-01"))
bare("tags-set", tags={"b", "ä", "a", "Z"})
bare("tags-frozenset", tags=frozenset({"b", "a"}))
bare("tags-list", tags=["b", "a", "b", Word.TAG])
bare("tags-empty", tags=())
bare("Naive\u0301 日本 🌍", description="Naive\u0301 \u2028\r\n\x1f", lock="größe/1")
bare("x" * 200, lock="y" * 255)
bare("slots", lock={"name": "api", "slots": 3}, overlap="allow", priority="high")
bare("one-slot", lock={"name": "one", "slots": 1}, priority="normal")
bare("params-order", params={"b": {"d": 1, "c": 2}, "a": 0})
bare("params-other-order", params={"a": 0, "b": {"c": 2, "d": 1}})
bare("long", long={"emergency": "1d", "critical": timedelta(hours=2), "warn": 3600})
bare("long-from-one-duration", long="1h30m")
bare("long-never", long=False)
bare("history", keep={"days": 30, "runs": 1_000})
bare("history-by-runs", keep=MappingProxyType({"runs": 1}))
bare("params-proxy", params=MappingProxyType({"one": 1}))
bare(
    "params",
    params={
        "numbers": [0, 1, 1.0, -0.0, 0.1, 1e16, 1e22, 5e-324, 2**70, -1],
        "words": {"none": None, "yes": True, "no": False, "größe": '日本 🌍 "\\/\x00\x7f'},
        "tuple": (1, (2, [3])),
        "keys": {2: "two", 1.5: "part", True: "yes", None: "none"},
        "enums": [Number.THREE, Word.TAG],
        "empty": [[], {}, ""],
    },
)
