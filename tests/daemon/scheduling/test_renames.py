"""A renamed schedule stands in its row still, whose name its lease and its keys go by (rule 17)."""

from typing import Any

import pytest
from sqlalchemy import Row, select

from daemon.definitions.schedule import Schedule
from daemon.operations.cancel import cancel, cancel_many, find_unfinished
from daemon.operations.deadlines import with_deadlines
from daemon.operations.pause import pause
from daemon.operations.retry import retry
from daemon.operations.selection import Selection
from daemon.operations.trigger import trigger
from daemon.scheduling.deploys.sync import SyncReport, sync
from daemon.scheduling.renames import located
from daemon.store.tables import called, schedule
from daemon.store.views.acting import read_activity
from daemon.store.views.history import read_runs
from daemon.store.views.names import applications_with
from daemon.store.views.overview import read_overview
from tests.support.store import Store, a_schedule, an_application, an_at

from .world import STEP, T, World

pytestmark = pytest.mark.anyio

Names = tuple[str, ...]
Files = tuple[dict[str, Names], ...]
"""One file after another: the names of its schedules, each with what it was called before."""

CASES: dict[str, tuple[Files, dict[str, str]]] = {
    "a rename": (({"a": ()}, {"b": ("a",)}), {"a": "b"}),
    "it stays in the file": (({"a": ()}, {"b": ("a",)}, {"b": ("a",)}), {"a": "b"}),
    "it goes from the file": (({"a": ()}, {"b": ("a",)}, {"b": ()}), {"a": "b"}),
    "a rename of a rename": (({"a": ()}, {"b": ("a",)}, {"c": ("b", "a")}), {"a": "c"}),
    "the last name is enough": (({"a": ()}, {"b": ("a",)}, {"c": ("b",)}), {"a": "c"}),
    "one deploy was left out": (({"a": ()}, {"c": ("b", "a")}), {"a": "c"}),
    "a rollback": (({"a": ()}, {"b": ("a",)}, {"a": ()}), {"a": "a"}),
    "a rollback to a name between": (({"a": ()}, {"b": ("a",)}, {"c": ("b",)}, {"b": ()}), {"a": "b"}),
    "a rollback, and again": (({"a": ()}, {"b": ("a",)}, {"a": ()}, {"b": ("a",)}), {"a": "b"}),
    "a retired one": (({"a": (), "x": ()}, {"x": ()}, {"b": ("a",), "x": ()}), {"a": "b", "x": "x"}),
    "renamed back, and said": (({"a": ()}, {"b": ("a",)}, {"a": ("b",)}), {"a": "a"}),
    "the name is given to another": (({"a": ()}, {"b": ("a",)}, {"b": (), "a": ()}), {"a": "b", "a~2": "a"}),
    "both have that name still": (
        ({"a": ()}, {"b": ("a",)}, {"b": (), "a": ()}, {"b": (), "a": ()}),
        {"a": "b", "a~2": "a"},
    ),
    "it was never there": (({"b": ("a",)},), {"b": "b"}),
    "said too late, before it ran": (({"a": ()}, {"b": ()}, {"b": ("a",)}), {"a": "b"}),
}
"""What becomes of the rows: by their names, what their schedules are called."""


def defined(file: dict[str, Names]) -> list[Schedule]:
    return [a_schedule(name, was=list(was)) for name, was in file.items()]


def rows(store: Store) -> dict[str, Row[Any]]:
    return {row.name: row for row in store.rows(select(schedule)) if row.retired_at is None}


def history_of(store: Store, name: str, application: str = "shop") -> int:
    return store.do(trigger, application, name, requested_by="a test")


@pytest.mark.parametrize("case", CASES)
def test_a_renamed_schedule_keeps_its_row(case: str, store: Store) -> None:
    files, expected = CASES[case]
    for file in files:
        report = store.sync(*defined(file))
        assert not report.apart
        if file is files[0]:
            history_of(store, next(iter(file)))
    found = rows(store)
    assert {key: called(row) for key, row in found.items()} == expected
    digests = {key: a_schedule(key).run_digest() for key in found}
    assert {key: row.run_digest for key, row in found.items()} == digests
    application = an_application(*defined(files[-1]))
    kept = application.keyed(store.do(located, application).keys)
    assert {one.name for one in kept.schedules} == expected.keys()


def test_a_rename_is_no_change_and_takes_the_pause_along(store: Store) -> None:
    store.sync(a_schedule("night"))
    store.do(pause, Selection("shop", "night"), requested_by="ann", why="the warehouse moves")
    (before,) = rows(store).values()
    assert store.sync(a_schedule("nightly", was="night")) == SyncReport(renamed=("nightly (was night)",))
    assert store.sync(a_schedule("nightly", was="night")) == SyncReport(unchanged=("nightly",))
    (after,) = rows(store).values()
    same = ("paused_at", "paused_by", "paused_why", "next_due", "planned_until", "anchor", "digest", "run_digest")
    assert [getattr(after, column) for column in same] == [getattr(before, column) for column in same]


def test_what_is_due_after_a_rename_has_the_lease_that_it_had(store: Store) -> None:
    store.sync(an_at("night", overlap="queue"))
    run_id = history_of(store, "night")
    store.sync(an_at("nightly", was="night", overlap="queue"))
    assert store.planned(an_at("night", overlap="queue")) == {"pending": 1}
    assert {row.lease_name for row in store.runs()} == {"run/shop/night"}
    assert {row.schedule for row in store.runs()} == {"night"}
    claimed = store.claim("night")
    assert [one.run_id for one in claimed] == [run_id]
    assert not store.claim("night", holder="h2")


def test_nothing_is_merged_where_there_is_history_under_both_names(store: Store) -> None:
    store.sync(a_schedule("night"))
    history_of(store, "night")
    store.sync(a_schedule("nightly"))
    history_of(store, "nightly")
    report = store.sync(a_schedule("nightly", was="night"))
    assert report == SyncReport(unchanged=("nightly",), apart=("nightly (was night)",))
    assert "not renamed: both names have history (nightly (was night))" in str(report)
    assert {name: row.retired_at is None for name, row in store.schedules().items()} == {
        "night": False,
        "nightly": True,
    }


def test_a_rename_touches_no_other_application(store: Store) -> None:
    store.sync(a_schedule("night"), application="other")
    store.sync(a_schedule("nightly", was="night"))
    assert {row.application: called(row) for row in store.rows(select(schedule))} == {
        "other": "night",
        "shop": "nightly",
    }


RENAMED_TWICE = (a_schedule("night"), a_schedule("nightly", was="night"), a_schedule("daily", was=["nightly", "night"]))


@pytest.mark.parametrize("name", ["night", "nightly", "daily"])
def test_a_schedule_is_found_by_each_name_that_it_had_and_shown_by_the_last(name: str, store: Store) -> None:
    for one in RENAMED_TWICE:
        store.sync(one)
    run_id = store.do(trigger, "shop", name, requested_by="ann", key="order 7")
    assert store.do(trigger, "shop", "daily", requested_by="ann", key="order 7") == run_id
    assert [row.schedule for row in store.runs()] == ["night"]
    (paused,) = store.do(pause, Selection("shop", name), requested_by="ann")
    assert paused.schedule == "daily"
    with store.begin() as connection:
        assert applications_with(connection, name) == ["shop"]
        overview = read_overview(connection)
        (line,) = read_runs(connection, limit=9, schedule=name)
        acts = read_activity(connection, limit=9, schedule=name)
    assert [one.schedule for one in overview.schedules] == ["daily"]
    assert [one.schedule for one in overview.waiting] == [line.schedule] == ["daily"]
    assert [(one.act, one.schedule) for one in acts] == [("pause", "daily"), ("trigger", "daily")]
    (chosen,) = store.do(find_unfinished, Selection(name=name))
    (cancelled,) = store.do(cancel_many, [chosen], requested_by="ann")
    assert (cancelled.schedule, cancelled.outcome) == ("daily", "ended")
    assert store.do(cancel, run_id, requested_by="ann").schedule == "daily"
    assert store.do(retry, run_id, requested_by="ann").schedule == "daily"


def test_a_name_that_another_schedule_has_now_means_that_one(store: Store) -> None:
    store.sync(a_schedule("night"))
    store.sync(a_schedule("nightly", was="night"))
    store.sync(a_schedule("nightly"), a_schedule("night"))
    for name in ("night", "nightly"):
        history_of(store, name)
    assert [(row.schedule, row.lease_name) for row in store.runs()] == [
        ("night~2", "run/shop/night~2"),
        ("night", "run/shop/night"),
    ]
    with store.begin() as connection:
        assert [line.schedule for line in read_runs(connection, limit=9)] == ["nightly", "night"]
        assert [line.run_id for line in read_runs(connection, limit=9, schedule="night")] == [1]


def test_what_is_retired_says_what_stays_behind_and_what_looks_renamed(store: Store) -> None:
    """Before and after; with `was`, nothing stays behind."""
    before, others = a_schedule("night", overlap="queue"), a_schedule("other", jobs=("else",))
    store.sync(before, others)
    for _ in range(3):
        history_of(store, "night")
    store.claim("night")
    store.do(pause, Selection("shop", "night"), requested_by="ann")
    after = an_application(a_schedule("nightly", overlap="queue"), a_schedule("hourly"), others)
    foreseen = store.do(sync, after, dry_run=True).losses
    assert store.do(sync, an_application(a_schedule("nightly", was="night"), others), dry_run=True).losses == ()
    behind, renamed = foreseen
    assert behind.startswith(
        '"night" is no longer defined; it has 2 runs that wait (cancelled when no replica with its '
    )
    assert "definition is left), 1 run running (these finish) and a pause (ann, " in behind
    assert renamed.startswith('"nightly" looks like "night" renamed, but is a new schedule: ')
    assert renamed.endswith('; add was = "night" to take them over')
    assert store.do(sync, after).losses == foreseen
    assert store.do(sync, after).losses == ()


def test_what_is_read_by_tag_or_deadline_has_the_present_name(store: Store) -> None:
    store.sync(a_schedule("night", tags=["export"], finish_by="1h"))
    store.sync(a_schedule("nightly", was="night", tags=["export"], finish_by="1h"))
    with store.begin() as connection:
        lines = with_deadlines(connection, overview := read_overview(connection), overview.schedules)
    assert [(line.schedule, line.success_by is not None) for line in lines] == [("nightly", True)]
    (paused,) = store.do(pause, Selection(tag="export"), requested_by="ann")
    assert paused.schedule == "nightly"
    assert store.do(find_unfinished, Selection(tag="export")) == []


async def test_the_replica_that_renames_and_the_one_before_take_runs_from_each_other(world: World) -> None:
    """Both find them by the digest and the row that they have always had, and see the rename with their next look."""
    old, new = an_application(a_schedule("night")), an_application(a_schedule("nightly", was="night"))
    first = await world.start(old, "a1")
    run_id = world.trigger("night")
    second = await world.start(new, "b1")
    await world.pass_time(2 * STEP)
    assert (second.rows.run_digest("night"), list(second.rows)) == (old.run_digests["night"], ["night"])
    assert second.rows.name("night") == "nightly"
    assert first.rows.name("night") == "night"
    assert world.claimed_by(second.rows.application) == ["night"]
    world.end(second)
    await world.pass_time(2 * T)
    assert called(world.store.schedules()["night"]) == "night"
    assert world.store.run(run_id).adopted_from is None
