"""A schedule that is due on request only: it has no instants, and what needs them is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon import Schedules
from daemon.definitions.schedule import (
    Schedule,
    UnreadableDefinition,
    due_pieces,
    is_timed_alike,
    preview_schedule,
    read_schedule,
    read_timing,
    write_schedule,
)
from daemon.definitions.triggers.trigger import OnRequest, is_meaningless
from daemon.errors import DefinitionError

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
YEARS = timedelta(days=3_650)
RESIZE = Schedule(name="resize", on_request=True, finish_by=3600.0)


def defined(defaults: dict[str, Any] | None = None, **settings: Any) -> Schedule:
    schedules = Schedules("shop", **(defaults or {}))
    schedules.add("resize", on_request=True, **settings).command("resize", "true")
    return schedules.application().schedule("resize")


def test_it_has_no_instants_however_long_one_looks() -> None:
    assert list(RESIZE.instants(NOON - YEARS, NOON)) == []
    assert RESIZE.older(NOON - YEARS, NOON, 0, NOON) is None
    assert due_pieces(RESIZE, NOON - YEARS, NOON, NOON, newest=0, newest_excluded=0) == []
    assert preview_schedule(RESIZE, NOON, 3) == ()
    assert (RESIZE.trigger, str(RESIZE.trigger)) == (OnRequest(), "on request")


def test_a_decorated_function_may_be_due_on_request() -> None:
    schedules = Schedules("shop")

    @schedules.on_request(params={"picture": ""}, overlap="allow", timeout="1m")
    def resize_picture(run: Any) -> None: ...

    made = schedules.application().schedule("resize-picture")
    assert (made.trigger, made.params, made.jobs[0].timeout) == (OnRequest(), {"picture": ""}, 60.0)


def test_false_is_as_if_it_was_not_given() -> None:
    schedules = Schedules("shop")
    schedules.add("hourly", every="1h", on_request=False, catch_up="all").command("work", "true")
    schedules.add("plain", every="1h", catch_up="all").command("work", "true")
    hourly, plain = schedules.application().schedules
    assert "on_request" not in hourly.stored()
    assert hourly.stored() == plain.stored()
    with pytest.raises(
        DefinitionError, match="it does not say when it is due; set one of cron, every, at and on_request"
    ):
        schedules.add("never", on_request=False)


def test_it_is_stored_and_read_back() -> None:
    stored = write_schedule(RESIZE)
    assert json.loads(stored)["on_request"] is True
    assert read_schedule(stored) == RESIZE
    assert read_timing(stored) == RESIZE.timing()
    assert is_timed_alike(stored, RESIZE)
    assert not is_timed_alike(stored, Schedule(name="resize", every=60.0))


def test_a_release_that_does_not_know_it_cannot_read_it_and_so_plans_and_places_nothing_of_it() -> None:
    older = {name: value for name, value in json.loads(write_schedule(RESIZE)).items() if name != "on_request"}
    with pytest.raises(UnreadableDefinition, match="it does not say when it is due"):
        read_schedule(json.dumps(older))
    assert read_timing(json.dumps(older)) is None


DEFAULTS: dict[str, Any] = {
    "catch_up": "all",
    "start_within": "1h",
    "exclude": ["12-25"],
    "finish_by": "06:00",
    "jitter": "5m",
    "timezone": "Europe/Berlin",
    "overlap": "queue",
}


def test_it_goes_without_the_defaults_that_mean_nothing_to_it() -> None:
    made, without = defined(DEFAULTS), defined(timezone="Europe/Berlin", overlap="queue")
    assert made == without
    assert (made.timezone, made.overlap, made.finish_by) == ("Europe/Berlin", "queue", None)
    assert defined({"finish_by": "4h"}).finish_by == 14_400.0


def test_each_default_that_needs_instants_would_be_refused_as_a_setting_of_its_own() -> None:
    for name, value in DEFAULTS.items():
        if is_meaningless(name, value):
            with pytest.raises(DefinitionError, match=f'"resize", {name}: it runs only on request, so '):
                defined(**{name: value})
        else:
            defined(**{name: value})
    assert [name for name, value in DEFAULTS.items() if not is_meaningless(name, value)] == ["timezone", "overlap"]


def test_the_defaults_of_those_settings_may_be_written_out() -> None:
    assert defined(catch_up="latest", jitter=0, exclude=[], enabled=True, starts=None) == defined()
