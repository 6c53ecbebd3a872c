"""Definitions in Python: what is made of them, however they are written; what is refused is in `test_refusals.py`."""

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

import daemon
from daemon import AsyncRun, Run, Schedules
from daemon.definitions.schedule import Job, Schedule
from daemon.definitions.triggers.trigger import At, Cron, Every
from daemon.definitions.values.work import _MODULE_OF_RUNS, _RUNS
from daemon.errors import DaemonError, DefinitionError, InvalidInstant, Place
from daemon.instants import format_instant, parse_instant

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def job(run: Any) -> None:
    """A job."""


def one(**settings: Any) -> Schedule:
    schedules = Schedules("shop")
    schedules.add("nightly", **({"cron": "0 2 * * *"} | settings)).job(job)
    return schedules.application().schedule("nightly")


def test_a_decorated_function_is_a_schedule_of_one_job_named_after_it() -> None:
    schedules = Schedules("shop")

    @schedules.cron("*/5 * * * *", timezone="Europe/Berlin", timeout="40m", retries=3)
    async def refresh_prices(run: Any) -> None: ...

    @schedules.every("90s", name="tidy")
    def clean(run: Any) -> None: ...

    @schedules.at("2026-07-01T14:00:00+02:00")
    def once(run: Any) -> None: ...

    refresh, tidy, at = schedules.application().schedules
    assert (refresh.name, refresh.trigger, refresh.timezone) == ("refresh-prices", Cron("*/5 * * * *"), "Europe/Berlin")
    [only] = refresh.jobs
    assert (only.name, only.function, only.isolation) == ("refresh-prices", refresh_prices, "task")
    assert (only.timeout, only.retries) == (2400.0, 3)
    assert (tidy.name, tidy.trigger, tidy.jobs[0].isolation) == ("tidy", Every(90.0), "process")
    assert at.trigger == At(NOON)


def test_jobs_of_a_schedule_keep_their_order() -> None:
    schedules = Schedules("shop")
    nightly = schedules.add("daily-full-sync", cron="0 2 * * *", catch_up="latest", overlap="skip")

    @nightly.job(timeout="40m", backoff="1m")
    def customers(run: Any) -> None: ...

    nightly.command("orders", ["python", "sync.py", "orders"], timeout="1h", cwd="/srv", env={"LEVEL": "1"})

    @nightly.job
    def old_carts(run: Any) -> None: ...

    nightly.command("report", "make report | mail")
    jobs = schedules.application().schedule("daily-full-sync").jobs
    assert [(one.name, one.isolation) for one in jobs] == [
        ("customers", "process"),
        ("orders", "command"),
        ("old-carts", "process"),
        ("report", "command"),
    ]
    assert jobs[0].backoff == 60.0
    assert jobs[1].command == ("python", "sync.py", "orders")
    assert (jobs[1].cwd, jobs[1].env) == ("/srv", {"LEVEL": "1"})
    assert jobs[3].command == "make report | mail"


def test_a_lambda_with_a_name_is_a_job() -> None:
    schedules = Schedules("shop")
    schedules.every("1m", name="tick")(lambda run: None)
    assert schedules.application().schedule("tick").jobs[0].function is not None


def test_an_error_names_file_line_schedule_job_and_setting() -> None:
    error = DefinitionError(Place(schedule="nightly", job="sync", field="timeout"), "it is bad", "mend it")
    assert str(error.found_in("s.py", 3)) == 's.py, line 3: schedule "nightly", job "sync", timeout: it is bad; mend it'
    assert error.found_in("s.py").found_in("other.py").place.source == "s.py"
    assert isinstance(error, DaemonError)


def test_starts_and_ends_are_bounds_that_belong_to_it_and_an_interval_counts_from_starts() -> None:
    schedule = one(cron=None, every="40m", starts="2026-07-01T12:00:00Z", ends="2026-07-01T13:20:00Z")
    long_before = NOON - timedelta(days=400)
    assert list(schedule.instants(long_before, NOON + timedelta(seconds=7))) == [
        NOON,
        NOON + timedelta(minutes=40),
        NOON + timedelta(minutes=80),
    ]


def test_an_interval_counts_from_the_whole_second_of_its_anchor() -> None:
    anchor = NOON + timedelta(microseconds=734_221)
    assert next(one(cron=None, every="1m").instants(anchor, anchor)) == NOON + timedelta(minutes=1)


def test_the_digest_changes_with_anything_but_the_stored_form_holds_no_secret() -> None:
    def made(value: str) -> Schedule:
        schedules = Schedules("shop")
        schedules.add("n", every=60, params={"a": [1, 2]}).command("c", "ls", env={"TOKEN": value})
        return schedules.application().schedules[0]

    assert made("s3cret").digest == made("s3cret").digest
    assert made("s3cret").digest != made("other").digest
    assert made("s3cret").canonical() == made("other").canonical()
    assert "s3cret" not in json.dumps(made("s3cret").canonical())
    plain = one()
    assert plain.digest != one(description="x").digest
    assert plain.keyed("night").digest not in {plain.digest, one().digest}
    assert one().canonical()["jobs"][0]["function"] == f"{__name__}:job"


def test_a_function_without_a_name_of_its_own_is_stored_by_its_kind() -> None:
    schedules = Schedules("shop")
    schedules.every(60, name="n")(functools.partial(job))
    assert schedules.application().schedules[0].canonical()["jobs"][0]["function"] == "functools:partial"


def test_a_name_that_is_not_there_is_told_with_the_nearest() -> None:
    schedules = Schedules("shop")
    schedules.every(60, name="sync")(job)
    with pytest.raises(DefinitionError, match='there is no schedule "synk"; did you mean "sync"'):
        schedules.application().schedule("synk")


def test_instants_are_read_with_their_offset_and_written_in_utc() -> None:
    assert parse_instant("2026-07-01t14:00:00.5+02:00") == NOON + timedelta(seconds=0.5)
    assert parse_instant(NOON.astimezone(timezone(timedelta(hours=9)))) == NOON
    assert format_instant(parse_instant("2026-07-01 12:00:00Z")) == "2026-07-01T12:00:00Z"
    for wrong in ("2026-W27-3T12:00:00Z", "20260701T120000Z", "0001-01-01T00:00:00+05:00", 7, None):
        with pytest.raises(InvalidInstant):
            parse_instant(wrong)


def test_definitions_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        one().name = "other"
    assert one().model_copy(update={"name": "other"}).name == "other"


if TYPE_CHECKING:
    from daemon import AsyncRun as OnlyForTypes


class Shop:
    """What a job may be a method of."""

    def bound(self, run: Run) -> None:
        """A job, of an instance."""

    def lone(self) -> None:
        """No job: its only parameter is the instance."""

    @staticmethod
    async def static(run: AsyncRun) -> None:
        """A job."""

    @classmethod
    def of_class(cls, run: Run) -> None:
        """A job."""


async def async_run(run: AsyncRun) -> None: ...
async def either(run: Run | AsyncRun) -> None: ...
async def in_quotes(run: "AsyncRun") -> None: ...
async def dotted(run: "daemon.AsyncRun") -> None: ...
async def only_for_types(run: "OnlyForTypes") -> None: ...
async def unannotated(run) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def plain_run(run: Run) -> None: ...
def anything(run: Any, times: int = 2, *more: Any) -> None: ...


@pytest.mark.parametrize(
    "function", [async_run, either, in_quotes, dotted, only_for_types, unannotated, plain_run, anything, Shop().bound]
)
def test_what_is_right_is_taken(function: Callable[..., Any]) -> None:
    schedules = Schedules("shop")
    assert schedules.every(60)(function) is function
    assert schedules.add("n", every=60).job(function) is function
    assert len(schedules.application().schedules[0].jobs) == 1


@pytest.mark.parametrize(("method", "isolation"), [(Shop.__dict__["static"], "task"), (Shop.of_class, "process")])
def test_a_static_method_is_the_function_that_it_is(method: Any, isolation: str) -> None:
    schedules = Schedules("shop", env={"A": "1"})
    schedules.every(60, name="n")(method)
    assert schedules.application().schedule("n").jobs[0].isolation == isolation


def test_a_method_that_was_taken_from_its_class_is_told() -> None:
    with pytest.raises(DefinitionError, match="it is a method, which would get the run as its `self`"):
        Schedules("shop").every(60)(Shop.lone)


def durations(model: type[Schedule | Job]) -> list[str]:
    return [name for name, info in model.settings().items() if info.annotation in (float, float | None)]


def test_a_timedelta_is_taken_wherever_a_duration_is() -> None:
    schedules = Schedules("shop", timeout=timedelta(hours=1))
    half, minute = timedelta(seconds=30), timedelta(minutes=1)
    settings: dict[str, Any] = {name: half if name == "jitter" else minute for name in durations(Schedule)}
    of_job: dict[str, Any] = dict.fromkeys([name for name in durations(Job) if name != "timeout"], minute)
    schedules.add("nightly", **settings).job(**of_job)(job)
    made = schedules.application().schedule("nightly")
    assert {name: getattr(made, name) for name in settings} == {**dict.fromkeys(settings, 60.0), "jitter": 30.0}
    assert {name: getattr(made.jobs[0], name) for name in of_job} == dict.fromkeys(of_job, 60.0)
    assert made.jobs[0].timeout == 3600.0
    assert {"every", "start_within", "jitter"} <= settings.keys()
    assert {"backoff"} <= of_job.keys()


def test_the_two_kinds_of_a_run_are_those_that_jobs_get() -> None:
    assert {AsyncRun.__module__, Run.__module__} == {_MODULE_OF_RUNS}
    assert {AsyncRun.__name__, Run.__name__} == _RUNS
