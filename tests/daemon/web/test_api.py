"""The API: each answer in its published schema, on a database that has some of everything, hostile values among them."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import insert, update
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

import lease.schema
import lease.statements
from daemon.answers.questions import Check, DoctorAnswer
from daemon.cli.screen import name_of
from daemon.execution.claim import ClaimedRun
from daemon.jobs.reports import Outcome, Piece
from daemon.store.tables import act
from daemon.web.address import WebAddress
from daemon.web.api.acts import ACTS
from daemon.web.api.desk import Busy, Desk
from daemon.web.api.questions import questions
from daemon.web.api.routes import api_routes
from daemon.web.app import web_app
from daemon.web.door import Door
from lease.errors import StoreUnavailable
from tests.daemon.cli.test_answers import PUBLISHED, is_valid
from tests.support.asgi import Answer, asked
from tests.support.completion import finish_job, finish_run, save_output, start_job
from tests.support.store import Store, a_schedule, pending_runs
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

HOSTILE = "<script>alert(1)</script>\x1b[31m\x1b]0;t\x07\u202egnp.exe\ufffd\x00"[:-1]
LINE = f"{HOSTILE}{'x' * 1_000_000}\n"
WELL = DoctorAnswer(ok=True, items=[Check("database", "green", HOSTILE, None)])
ENDPOINTS = [*questions(60.0, lambda: WELL), *ACTS]
Ask = Callable[..., Coroutine[Any, Any, Answer]]
JSON = {"content-type": "application/json"}


@pytest.fixture
def store(database_url: str) -> Any:
    with Store(database_url) as opened:
        opened.sync(a_schedule("nightly", tags=["t"], params={"note": None}), a_schedule("hourly"))
        yield opened


@pytest.fixture
async def ask(store: Store) -> AsyncIterator[Ask]:
    desk = Desk(store.url)
    app = web_app(Door(WebAddress()), dict, dict, routes=api_routes(desk, 60.0, lambda: WELL))

    async def ask(method: str, path: str, given: Any = None, **headers: str) -> Answer:
        body = b"" if given is None else json.dumps(given).encode()
        return await asked(app, method, path, {**(JSON if method == "POST" else {}), **headers}, body)

    yield ask
    desk.close()


def failed_with(store: Store, text: str) -> ClaimedRun:
    """Let a run of a schedule fail whose job has printed, and failed with, what harms where it is not escaped."""
    pending_runs(store, a_schedule("hourly"), 1)
    (claimed,) = store.claim("hourly")
    job = store.do(start_job, claimed, "work", 0, 1)
    assert isinstance(job, int)
    store.do(save_output, claimed.grant.holder, {job: Piece(0, 0, text)})
    store.do(finish_job, claimed, job, Outcome("failed", error=text[:1000], status=1))
    store.do(finish_run, claimed, "failed", HOSTILE)
    return claimed


def valid(answer: Answer, command: str) -> Any:
    assert answer.status == 200, answer.body
    return is_valid(answer.json(), command)


async def test_every_question_and_act_answers_as_its_command_does(ask: Ask, store: Store) -> None:
    """In the published schema, which allows nothing more; a hostile record is in them, as JSON and nothing else."""
    failed = failed_with(store, LINE).run_id
    seen = set()

    async def answered(method: str, path: str, command: str, given: Any = None) -> Any:
        answer = await ask(method, f"/api/v1{path}", given)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        seen.add((method, command))
        return valid(answer, command)

    who = {"by": "ann@web-1", "why": "to see"}
    done = await answered("POST", "/trigger", "trigger", {"schedule": "nightly", "params": {"note": HOSTILE}, **who})
    run_id = done["run_id"]
    assert (await answered("POST", "/cancel", "cancel", {"run_id": run_id}))["state"] == "cancelled"
    assert (await answered("POST", "/retry", "retry", {"run_id": failed, **who}))["retry_of"] == failed
    other = failed_with(store, HOSTILE).run_id
    (again,) = (await answered("POST", "/retry-many", "retry-many", {"schedule": "hourly", **who}))["items"]
    assert (again["run_id"], again["outcome"]) == (other, "retried")
    (over, _) = (await answered("POST", "/cancel-many", "cancel-many", {"schedule": "hourly", "dry_run": True}))[
        "items"
    ]
    assert over["outcome"] == "ended"
    assert (await answered("POST", "/pause", "pause", {"schedule": "nightly", "until": "1h", **who}))["items"]
    assert len((await answered("POST", "/resume", "resume", {"all": True}))["items"]) == 2
    times = {"first": "2020-01-01T00:00:00Z", "last": "2020-02-01T00:00:00+01:00"}
    assert (await answered("POST", "/backfill", "backfill", {"schedule": "nightly", **times, "dry_run": True}))[
        "dry_run"
    ]
    shown = await answered("GET", f"/runs/{failed}", "show")
    assert shown["reason"] == HOSTILE
    assert shown["items"][0]["error"].startswith(HOSTILE)
    (part,) = (await answered("GET", f"/runs/{failed}/logs", "logs"))["items"]
    assert part["text"] == LINE
    assert (await answered("GET", f"/runs/{run_id}", "show"))["params"]["note"] == HOSTILE
    assert (await answered("GET", f"/why?run_id={failed}", "why"))["state"] == "failed"
    assert (await answered("GET", "/why?schedule=hourly", "why"))["run_id"] is None
    night = await answered("GET", "/report?since=2h&until=1h", "report")
    assert night["database_time"] > night["until"] > night["since"]
    for command in (
        "status",
        "report",
        "doctor",
        "runs",
        "locks?free=true",
        "notify",
        "replicas",
        "generations",
        "activity",
        "backfills",
    ):
        await answered("GET", f"/{command}", command.partition("?")[0])
    assert (await answered("GET", "/status?since=24h&tag=t", "status"))["items"]
    acts = (await answered("GET", "/activity?by=ann", "activity"))["items"]
    assert {(one["act"], one["acted_by"], one["why"]) for one in acts} >= {("trigger", "ann@web-1", "to see")}
    assert (await answered("POST", "/forget", "forget", {"run_id": failed}))["already"] is False
    assert (await answered("POST", "/retire", "retire", {"application": "shop"}))["schedules"]
    assert seen == {(one.method, one.answers[0]) for one in ENDPOINTS}, "ask here for each endpoint"


async def test_pages_follow_one_another_without_gaps_though_more_comes_meanwhile(ask: Ask, store: Store) -> None:
    pending_runs(store, a_schedule("hourly"), 5)
    for name, given in (("runs", {"schedule": "hourly"}), ("activity", {"schedule": "hourly", "key": None})):
        seen, path = [], f"/api/v1/{name}?limit=2"
        while path:
            answer = await ask("GET", path)
            seen += [one.get("run_id") for one in answer.json()["items"]]
            link = answer.headers.get("link", "")
            path = link.partition(">")[0].removeprefix("<")
            assert not link or link.endswith('; rel="next"')
            await ask("POST", "/api/v1/trigger", given)
        assert seen == sorted(set(seen), reverse=True)
        assert min(seen) == (1 if name == "runs" else 6)


async def test_acts_of_one_moment_are_on_pages_that_follow_each_other(ask: Ask, store: Store) -> None:
    for _ in range(3):
        await ask("POST", "/api/v1/trigger", {"schedule": "hourly"})
    store.do(lambda connection: connection.execute(update(act).values(acted_at=datetime(2026, 7, 1, tzinfo=UTC))))
    found = await _pages(ask, "/api/v1/activity?limit=1", lambda: None)
    seen = [one["run_id"] for items in found for one in items]
    assert len(seen) == len(set(seen)) == 3


async def test_the_pages_of_status_and_locks_have_each_of_them_once_by_name(ask: Ask, store: Store) -> None:
    """Though one comes and one goes meanwhile; of a renamed schedule its present name counts."""
    names = ["a b", "b", "c?&=", "ä", "\U0001f4c8"]
    store.sync(*(a_schedule(name) for name in names))
    store.sync(*(a_schedule("z", was=("b",)) if name == "b" else a_schedule(name) for name in names))
    found = await _pages(ask, "/api/v1/status?limit=2", lambda: None)
    assert [[one["schedule"] for one in items] for items in found] == [["a b", "c?&="], ["z", "ä"], ["\U0001f4c8"]]
    found = await _pages(
        ask, "/api/v1/status?limit=2", lambda: store.sync(a_schedule("0"), *map(a_schedule, names[2:]))
    )
    assert [[one["schedule"] for one in items] for items in found] == [["a b", "c?&="], ["ä", "\U0001f4c8"], []]
    numbers = count()
    hold(store, *names)
    found = await _pages(ask, "/api/v1/locks?limit=2&prefix=run/", lambda: hold(store, f"0{next(numbers)}"))
    assert [one["name"] for items in found for one in items] == [f"run/{name}" for name in names]


async def _pages(ask: Ask, path: str, meanwhile: Callable[[], object]) -> list[Any]:
    pages = []
    while path:
        answer = await ask("GET", path)
        pages.append(answer.json()["items"])
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
        meanwhile()
    return pages


def hold(store: Store, *names: str) -> None:
    leases = [f"run/{name}" for name in names]
    with store.begin() as connection:
        connection.execute(
            insert(lease.schema.lease).prefix_with("OR IGNORE", dialect="sqlite"), [{"name": one} for one in leases]
        )
        lease.statements.grant(connection, leases, "h1", 60.0)


@pytest.mark.parametrize(
    "refusal",
    [
        ("GET", "/status?after=nightly", None, 422, "after: it is not APPLICATION/SCHEDULE"),
        ("GET", "/runs?limit=0", None, 422, "limit: input should be greater than or equal to 1"),
        ("GET", "/runs?limit=5&limit=6", None, 422, "limit is given twice"),
        ("GET", "/runs?stat=failed", None, 422, 'there is no parameter "stat"; did you mean "state"?'),
        ("GET", "/runs?state=%3Cscript%3E", None, 422, "state: input should be 'pending'"),
        ("GET", "/runs?before=99999999999999999999", None, 422, "before: input should be less than"),
        ("GET", "/runs/x", None, 422, "run_id: input should be a valid integer"),
        ("GET", "/runs/77", None, 404, "run 77 does not exist"),
        ("GET", "/runs?schedule=nighty", None, 404, 'did you mean "nightly"?'),
        ("GET", "/status?since=yesterday", None, 422, 'since: "yesterday" is not a time'),
        ("GET", "/status?since=2999-01-01T00:00:00Z", None, 422, "is in the future by the database's clock"),
        ("GET", "/status?since=99999999h", None, 422, "since: it is too long ago"),
        ("GET", "/report?until=2999-01-01T00:00:00Z", None, 422, "until: 2999"),
        ("GET", "/report?since=1h&until=2h", None, 422, "is not after since"),
        ("GET", "/why", None, 422, 'give either "schedule"'),
        ("GET", "/why?schedule=nightly&run_id=1", None, 422, 'give either "schedule"'),
        ("GET", "/report?since=20261201", None, 422, 'since: "20261201" is not a time'),
        ("POST", "/trigger", {"schedule": "nightly", "at": 20261201}, 422, "at: 20261201 is not a time"),
        ("POST", "/trigger", {}, 422, "schedule is missing"),
        ("POST", "/trigger", [], 422, "the body is not a JSON object"),
        ("POST", "/trigger", {"schedule": "nighty"}, 404, 'did you mean "nightly"?'),
        ("POST", "/trigger", {"schedule": "nightly", "params": {"nope": 1}}, 422, "nope"),
        ("POST", "/trigger", {"schedule": "nightly", "why": "\x1b[2J"}, 422, "why has line breaks or control char"),
        ("POST", "/trigger?schedule=nightly", {}, 422, "an act takes its parameters in the body"),
        ("POST", "/pause", {"schedule": "nightly", "all": True}, 422, 'give one of "schedule", "tag" and "all"'),
        ("POST", "/retry", {"run_id": 77}, 404, "77"),
        ("POST", "/cancel-many", {}, 422, 'give one of "schedule" and "tag"'),
        ("POST", "/retry-many", {"tag": "none"}, 404, 'no schedule has the tag "none"'),
        ("GET", "/doctor?database=sqlite:///x", None, 422, 'there is no parameter "database"'),
        ("GET", "/nothing", None, 404, "/api/v1/nothing does not exist"),
        ("GET", "/trigger", None, 405, "/api/v1/trigger does not take GET"),
    ],
)
async def test_what_does_not_fit_is_one_sentence_and_does_nothing(
    ask: Ask, store: Store, refusal: tuple[str, str, Any, int, str]
) -> None:
    method, path, given, status, sentence = refusal
    before = store.everything()
    answer = await ask(method, f"/api/v1{path}", given)
    assert (answer.status, list(answer.json())) == (status, ["error"]), answer.body
    assert sentence in answer.json()["error"]
    assert len(answer.body) < 1_000
    assert store.everything() == before


async def test_a_body_that_is_too_large_or_too_deep_is_refused(ask: Ask) -> None:
    assert "larger than" in (await ask("POST", "/api/v1/trigger", {"why": "x" * 2_000_001})).json()["error"]
    deep: Any = "["
    assert (await ask("POST", "/api/v1/trigger", deep * 100_000)).status == 422


async def test_a_client_that_hangs_up_is_no_error_and_a_bug_is_one_sentence(store: Store) -> None:
    """What is raised out of the application is in the log with its traceback."""

    def broken(_: Request) -> Response:
        raise ZeroDivisionError

    desk = Desk(store.url)
    try:
        app = web_app(Door(), dict, dict, routes=[*api_routes(desk, 60.0, lambda: WELL), Route("/broken", broken)])
        await asked(app, "POST", "/api/v1/trigger", JSON, None)
        sent = list[Message]()
        with pytest.raises(ZeroDivisionError):
            await asked(app, "GET", "/broken", sent=sent)
    finally:
        desk.close()
    assert (sent[0]["status"], json.loads(sent[1]["body"])) == (
        500,
        {"error": "an unexpected error; the replica's log has it"},
    )


async def test_acts_on_many_runs_do_as_many_as_one_transaction_and_are_sent_again_for_the_rest(
    ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.web.api.acts.MOST_AT_ONCE", 2)
    failed = [failed_with(store, "no").run_id for _ in range(3)]
    tried = [(await ask("POST", "/api/v1/retry-many", {"since": "1h"})).json()["items"] for _ in range(3)]
    assert [[one["run_id"] for one in items] for items in tried] == [failed[:2], failed[2:], []]
    pending = [one["retried_as"] for items in tried for one in items]
    ended = [(await ask("POST", "/api/v1/cancel-many", {"schedule": "hourly"})).json()["items"] for _ in range(3)]
    assert [len(items) for items in ended] == [2, 1, 0]
    assert {store.run(one).state for one in pending} == {"cancelled"}


async def test_the_openapi_document_is_valid_and_has_the_published_schemas(ask: Ask) -> None:
    document = (await ask("GET", "/api/v1/openapi.json")).json()
    OpenAPIV31SpecValidator(document).validate()
    described = {(path, method.upper()) for path, one in document["paths"].items() for method in one}
    assert described == {(f"/api/v1{one.path}", one.method) for one in ENDPOINTS}
    for one in ENDPOINTS:
        command = one.answers[0]
        assert one.schema == name_of(command)
        published = json.loads((PUBLISHED / f"{command}.json").read_text())
        del published["$schema"]
        moved = json.dumps(published).replace("#/$defs/", f"#/components/schemas/{command}/$defs/")
        assert document["components"]["schemas"][command] == json.loads(moved)


async def test_a_read_that_takes_too_long_is_stopped_by_the_database_and_others_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.web.api.desk.READ_LIMIT", 0.1)
    monkeypatch.setattr("daemon.web.api.desk._MOST_WAITING", 2)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    desk = Desk(store.url)
    try:
        slow = [asyncio.ensure_future(desk.read(lambda c: c.exec_driver_sql(endless).scalar())) for _ in range(3)]
        ends = await asyncio.gather(*slow, return_exceptions=True)
        assert {type(end) for end in ends} == {StoreUnavailable, Busy}
        question, answer = ("SELECT 7", 7) if store.sqlite else ("SHOW jit", "off")
        assert await desk.read(lambda c: c.exec_driver_sql(question).scalar()) == answer
    finally:
        desk.close()


async def test_those_who_ask_the_same_before_it_is_read_share_the_answer_and_no_one_gets_an_older_one(
    store: Store,
) -> None:
    desk, entered, went_on, read = Desk(store.url), threading.Event(), threading.Event(), count()

    def wait(_: object) -> bool:
        entered.set()
        return went_on.wait(LIMIT)  # the thread does nothing else meanwhile

    try:
        first = asyncio.ensure_future(desk.read(wait))
        assert await asyncio.to_thread(entered.wait, LIMIT)
        alike = [asyncio.ensure_future(desk.read(lambda _: next(read), "status")) for _ in range(10)]
        other = asyncio.ensure_future(desk.read(lambda _: "other", "runs"))
        await asyncio.sleep(0)  # they have asked
        alike.pop().cancel()
        went_on.set()
        assert [await one for one in (first, other, *alike)] == [True, "other", *[0] * 9]
        assert await desk.read(lambda _: next(read), "status") == 1
    finally:
        desk.close()


async def test_without_a_thread_it_says_so_and_answers_when_there_is_one(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        answer = await ask("GET", "/api/v1/status")
    assert (answer.status, "so the database cannot be asked for now; see" in answer.json()["error"]) == (503, True)
    assert (await ask("GET", "/api/v1/status")).status == 200


async def test_a_page_that_asks_for_all_at_once_is_told_to_wait(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.web.api.desk._MOST_WAITING", 0)
    answer = await ask("GET", "/api/v1/status")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
