"""`leased logs`: the output of a run, at once, or as it comes until the run is over."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, update

from daemon.cli import ask
from daemon.execution.claim import ClaimedRun
from daemon.jobs.processes.identity import ProcessIdentity
from daemon.jobs.reports import Outcome, Piece
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.store.tables import schedule
from daemon.store.views.output import OutputReader
from lease.errors import StoreUnavailable
from tests.support.completion import EndedJob, finish_run, record_keeper, retry_run, save_output, start_job
from tests.support.store import Store, a_schedule

from .conftest import Leased


class World:
    """A database with a run, and what happens in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.sync(a_schedule("nightly"))
        store.do(trigger, "shop", "nightly", requested_by="ada")
        self.run: ClaimedRun
        self.job = 0

    def start(self, attempt: int = 1) -> None:
        (self.run,) = self.store.claim("nightly")
        job = self.store.do(start_job, self.run, "work", 0, attempt)
        assert isinstance(job, int)
        self.job = job

    def prints(self, start: int, line: int, text: str) -> None:
        assert not self.store.do(save_output, "h1", {self.job: Piece(start, line, text)})

    def retry(self, start: int, line: int, text: str) -> None:
        ended = EndedJob(self.job, Outcome("failed", "no", Piece(start, line, text)))
        self.store.do(retry_run, self.run, 0.0, job=ended)

    def end(self, tail: Piece | None = None) -> None:
        self.store.do(finish_run, self.run, "succeeded", job=EndedJob(self.job, Outcome("succeeded", tail=tail)))


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def test_the_output_of_a_renamed_schedules_run_has_its_present_name(world: World, leased: Leased) -> None:
    world.start()
    world.store.do(lambda connection: connection.execute(update(schedule).values(called="every night")))
    assert leased("logs", "1", "--json").document["schedule"] == "every night"


@pytest.fixture
def happens(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let these things happen, each before the next look; nothing happens before the first."""

    def set_up(*steps: Callable[[], object]) -> None:
        left, read = [lambda: None, *steps], OutputReader.read

        def look(self: OutputReader, connection: Connection) -> Any:
            left.pop(0)()
            return read(self, connection)

        monkeypatch.setattr(ask, "_EVERY", 0.0)
        monkeypatch.setattr(OutputReader, "read", look)

    return set_up


def test_all_that_was_printed_comes_at_once_with_a_mark_where_it_was_cut(leased: Leased, world: World) -> None:
    assert (
        leased("logs", "1").out == "There is no output of run 1 of nightly so far (pending; --follow waits for it).\n"
    )
    world.start()
    world.prints(0, 0, "it begins\n")
    world.prints(60_010, 1_234, "[not markup] goes on\nand")
    assert leased("logs", "1").out == (
        "work, attempt 1:\nit begins\n… 1,233 lines, 59 KiB cut here\n[not markup] goes on\nand\n"
    )
    assert leased("logs", "1", "--job", "work", "--attempt", "1").out.startswith("it begins\n"), "it alone"
    document = leased("logs", "1", "--json").document
    assert document == {
        "schema": "leased/logs/1",
        "run_id": 1,
        "application": "shop",
        "schedule": "nightly",
        "state": "running",
        "items": [
            {"job": "work", "attempt": 1, "cut_bytes": 0, "cut_lines": 0, "text": "it begins\n"},
            {"job": "work", "attempt": 1, "cut_bytes": 60_000, "cut_lines": 1_233, "text": "[not markup] goes on\nand"},
        ],
    }


def test_a_run_is_followed_from_before_its_start_over_retries_to_its_end(
    leased: Leased, world: World, happens: Callable[..., None]
) -> None:
    happens(
        world.start,
        lambda: world.prints(0, 0, "one\n"),
        lambda: None,
        lambda: world.prints(0, 0, "one\ntwo\nthr"),
        lambda: world.retry(8, 2, "three"),
        lambda: world.start(attempt=2),
        lambda: world.end(Piece(0, 0, "again\n")),
    )
    answer = leased("logs", "1", "--follow")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == "work, attempt 1:\none\ntwo\nthree\n\nwork, attempt 2:\nagain\n\nrun 1 of nightly  succeeded\n"


def test_a_run_is_followed_as_one_object_a_line(leased: Leased, world: World, happens: Callable[..., None]) -> None:
    happens(world.start, lambda: world.prints(0, 0, "one\n"), lambda: None, world.end)
    lines = [json.loads(line) for line in leased("logs", "1", "--follow", "--json").out.splitlines()]
    assert {line["schema"] for line in lines} == {"leased/logs/1"}
    assert [(line["state"], [item["text"] for item in line["items"]]) for line in lines] == [
        ("pending", []),
        ("running", []),
        ("running", ["one\n"]),
        ("succeeded", []),
    ]


def test_a_run_that_never_starts_is_followed_to_its_end(
    leased: Leased, world: World, happens: Callable[..., None]
) -> None:
    happens(lambda: world.store.do(cancel, 1, requested_by="bob"))
    answer = leased("logs", "1", "--follow")
    assert (answer.status, answer.out) == (0, "There is no output of run 1 of nightly (cancelled).\n")


def test_where_a_failed_run_has_no_output_it_says_what_shows_the_reason(leased: Leased, world: World) -> None:
    world.start()
    failed = EndedJob(world.job, Outcome("failed", "no"))
    world.store.do(finish_run, world.run, "failed", job=failed, reason="no")
    assert leased("logs", "1").out == "There is no output of run 1 of nightly (failed; `leased show 1` says why).\n"


@pytest.mark.parametrize("is_inside", [True, False])
def test_where_a_job_may_have_printed_elsewhere_it_says_so(is_inside: bool, leased: Leased, world: World) -> None:
    """An embedded replica leaves the streams of its program alone; a child under a keeper prints nowhere else."""
    world.start()
    if not is_inside:
        world.store.do(record_keeper, world.run, world.job, ProcessIdentity(4711, 99))
    world.end()
    first, *more = leased("logs", "1").out.splitlines()
    assert first == "There is no output of run 1 of nightly (succeeded)."
    assert [line.partition(". ")[0] for line in more] == ["Its job ran in the replica's own process"] * is_inside


def test_an_outage_is_waited_for_and_said_once(leased: Leased, world: World, happens: Callable[..., None]) -> None:
    def away() -> None:
        raise StoreUnavailable("no answer")

    world.start()
    happens(away, away, lambda: world.prints(0, 0, "one\n"), away, world.end)
    answer = leased("logs", "1", "--follow")
    assert answer.status == 0
    assert answer.out.startswith("work, attempt 1:\none\n")
    assert answer.err == "leased: no answer; trying again\n" * 2


def test_what_is_not_there_is_an_error_in_one_sentence(leased: Leased, world: World) -> None:
    world.start()
    for asked, sentence in (
        (("7",), "run 7 does not exist; the newest is 1 (`leased runs` lists them)"),
        (("7", "--follow"), "run 7 does not exist; the newest is 1 (`leased runs` lists them)"),
        (("1", "--job", "wrok"), 'run 1 has no job "wrok" so far; did you mean "work"?'),
        (("1", "--attempt", "2"), "run 1 has no attempt 2 so far; the last one is 1"),
    ):
        answer = leased("logs", *asked)
        assert (answer.status, answer.out, answer.err) == (1, "", f"leased: {sentence}\n")
