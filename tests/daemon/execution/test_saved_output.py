"""The output of jobs in the database: saved while they run, under their grant, and read piece by piece."""

from typing import Any

import pytest

from daemon.errors import NotFound
from daemon.execution.claim import ClaimedRun
from daemon.jobs.reports import Outcome, Piece
from daemon.operations.trigger import trigger
from daemon.store.views.history import read_run
from daemon.store.views.output import OutputPart, OutputReader
from tests.support.completion import EndedJob, begun, finish_run, retry_run, save_output
from tests.support.store import Store, a_schedule


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(a_schedule("daily"), a_schedule("hourly"))
    return store


@pytest.fixture
def claimed(store: Store) -> ClaimedRun:
    return a_claim(store, "daily")


def a_claim(store: Store, name: str) -> ClaimedRun:
    store.do(trigger, "shop", name, requested_by="ada")
    (one,) = store.claim(name)
    return one


def texts(store: Store, reader: OutputReader) -> list[str]:
    return [part.text for part in store.do(reader.read).parts]


def test_output_comes_piece_by_piece_and_its_rest_with_the_end(store: Store, claimed: ClaimedRun) -> None:
    """A piece whose answer was lost may be saved again, with what has come since."""
    job, reader = begun(store, claimed, "work"), OutputReader(claimed.run_id)
    assert store.do(save_output, "h1", {}) == frozenset()
    assert store.do(save_output, "h1", {job: Piece(0, 0, "one\nzw")}) == frozenset()
    assert texts(store, reader) == ["one\nzw"]
    assert store.do(save_output, "h1", {job: Piece(0, 0, "one\nzwö")}) == frozenset()
    assert store.do(save_output, "h1", {job: Piece(8, 1, "lf\n")}) == frozenset()
    assert texts(store, reader) == ["ölf\n"]
    assert texts(store, reader) == []
    ended = EndedJob(job, Outcome("succeeded", tail=Piece(8, 1, "lf\nlast")))
    store.do(finish_run, claimed, "succeeded", job=ended)
    assert texts(store, reader) == ["last"]
    assert texts(store, reader) == []
    assert texts(store, OutputReader(claimed.run_id)) == ["one\nzwölf\nlast"]
    assert store.do(read_run, claimed.run_id).jobs[0].log_tail == "one\nzwölf\nlast"


def test_output_under_a_grant_that_has_ended_is_refused_and_holds_up_no_other(store: Store) -> None:
    """Rule 10: another replica may have the run."""
    lost, kept = a_claim(store, "daily"), a_claim(store, "hourly")
    jobs = [begun(store, one, "work") for one in (lost, kept)]
    assert store.do(save_output, "h1", {job: Piece(0, 0, "before\n") for job in jobs}) == frozenset()
    store.steal(lost.grant)
    late = {job: Piece(7, 1, "after\n", keep_from=7) for job in jobs}
    assert store.do(save_output, "h1", late) == {jobs[0]}
    assert texts(store, OutputReader(lost.run_id)) == ["before\n"]
    assert store.do(OutputReader(kept.run_id).read).parts == (OutputPart("work", 1, 7, 1, "after\n"),)
    store.do(finish_run, kept, "succeeded", job=EndedJob(jobs[1], Outcome("succeeded")))
    assert store.do(save_output, "h1", {jobs[1]: Piece(13, 2, "too late")}) == {jobs[1]}


def test_all_that_jobs_print_is_saved_in_two_statements(store: Store) -> None:
    """However many there are."""
    jobs = [begun(store, a_claim(store, name), "work") for name in ("daily", "hourly")]
    with store.sent() as sent:
        store.do(save_output, "h1", {job: Piece(0, 0, "x\n", keep_from=0) for job in jobs})
    verbs = [statement.split()[0] for statement in sent]
    assert [verb for verb in verbs if verb in {"INSERT", "SELECT", "UPDATE", "DELETE"}] == ["INSERT", "DELETE"]


def test_the_tail_of_a_long_output_is_its_last_8_kib_and_cuts_no_character(store: Store, claimed: ClaimedRun) -> None:
    job = begun(store, claimed, "work")
    store.do(save_output, "h1", {job: Piece(0, 0, "ä" * 5000 + "\n")})
    store.do(save_output, "h1", {job: Piece(20_001, 3, "ö" * 500)})
    tail = store.do(read_run, claimed.run_id).jobs[0].log_tail
    assert tail is not None
    assert 8 * 1024 - 1 <= len(tail.encode()) <= 8 * 1024
    assert tail.startswith("ä")
    assert tail.endswith("ä\n… 2 lines, 9.8 KiB cut here\n" + "ö" * 500)


def test_each_attempt_and_each_job_is_read_by_itself(store: Store, claimed: ClaimedRun) -> None:
    failed = EndedJob(begun(store, claimed, "work"), Outcome("failed", "no", Piece(0, 0, "first try\n")))
    store.do(retry_run, claimed, 0.0, job=failed)
    (again,) = store.claim("daily")
    store.do(save_output, "h1", {begun(store, again, "work"): Piece(0, 0, "second try\n")})
    assert texts(store, OutputReader(claimed.run_id)) == ["first try\n", "second try\n"]
    assert texts(store, OutputReader(claimed.run_id, "work")) == ["first try\n", "second try\n"]
    assert texts(store, OutputReader(claimed.run_id, attempt=2)) == ["second try\n"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"job": "wrok"}, 'run 1 has no job "wrok" so far; did you mean "work"?'),
        ({"job": "work", "attempt": 3}, 'run 1 has no attempt 3 of "work" so far; the last one is 1'),
        ({"attempt": 3}, "run 1 has no attempt 3 so far; the last one is 1"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(
    store: Store, claimed: ClaimedRun, asked: dict[str, Any], sentence: str
) -> None:
    begun(store, claimed, "work")
    with pytest.raises(NotFound) as refused:
        store.do(OutputReader(claimed.run_id, **asked).read)
    assert str(refused.value) == sentence
    reader = OutputReader(claimed.run_id, **asked, waits=True)
    assert texts(store, reader) == [], "it may still come"
    store.do(finish_run, claimed, "failed", "no")
    with pytest.raises(NotFound):
        store.do(reader.read)


def test_a_run_that_does_not_exist_is_named_with_the_nearest(store: Store) -> None:
    def refusal(run_id: int) -> str:
        with pytest.raises(NotFound) as refused:
            store.do(OutputReader(run_id).read)
        return str(refused.value)

    assert refusal(7) == "run 7 does not exist; there are no runs yet (`leased trigger SCHEDULE` requests one)"
    for _ in range(2):
        store.do(trigger, "shop", "daily", requested_by="ada")
    assert refusal(7) == "run 7 does not exist; the newest is 2 (`leased runs` lists them)"
