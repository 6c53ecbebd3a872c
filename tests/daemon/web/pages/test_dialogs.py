"""The dialogs: what an act comes to is said in numbers, and nothing but their own button does it."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import func, select, update

from daemon.jobs.reports import Outcome
from daemon.store.tables import act, job_run, run, schedule
from daemon.web.door import Door
from daemon.web.pages.dialogs import dialog
from daemon.web.pages.links import schedule_path
from daemon.web.pages.page import Looker
from daemon.web.pages.routes import DIALOGS
from tests.daemon.web.pages.frames import served_pages, with_replica
from tests.support.asgi import Answer, asked
from tests.support.completion import finish_job, finish_run, start_job
from tests.support.store import Store, a_schedule, pending_runs

pytestmark = pytest.mark.anyio

ACTS, READS = "the-token-that-can-act", "the-token-that-only-reads"
GUARDED = Door(token=ACTS, read_token=READS)
FORM = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:8520"}
NIGHTLY, HOURLY = "schedules/shop/nightly", "schedules/shop/hourly"


@dataclass
class Visitor:
    """A browser at the pages."""

    app: Any
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> Answer:
        return await asked(self.app, "GET", f"/{path}", self.headers)

    async def post(self, path: str, **fields: str) -> Answer:
        body = urlencode(fields).encode()
        return await asked(self.app, "POST", f"/{path}", {**self.headers, **FORM}, body)

    async def press(self, path: str, **fields: str) -> Answer:
        """Open a dialog, and press the button that acts."""
        found = re.search(r'name="form_token" value="([0-9a-f]+)">', (await self.get(path)).body.decode())
        assert found is not None, f"the button of {path} cannot be pressed"
        return await self.post(path, form_token=found[1], **fields)


@contextmanager
def visitor(store: Store, door: Door | None = None, token: str = "") -> Iterator[Visitor]:
    with served_pages(store.url, door) as app:
        yield Visitor(app, {"authorization": f"Bearer {token}"} if token else {})


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as opened:
        params = {"shop": 7, "key": "k"}
        opened.sync(
            a_schedule("nightly", timezone="Europe/Berlin", jobs=["fetch", "load"], params=params, secrets=["key"]),
            a_schedule("hourly"),
        )
        yield opened


def text_of(answer: Answer) -> str:
    """Return what a dialog says, as somebody reads it."""
    form = re.search(r"<form class=\"card dlg.*?</form>", answer.body.decode(), re.DOTALL)
    assert form is not None, answer.body
    return " ".join(unescape(re.sub(r"<[^>]+>", "", form[0])).replace("\N{NO-BREAK SPACE}", " ").split())


def value_of(answer: Answer, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.body.decode())
    assert found is not None, name
    return unescape(found[1])


def acts(store: Store) -> list[tuple[str, str, str | None]]:
    return [(one.act, one.acted_by, one.why) for one in store.rows(select(act).order_by(act.c.id))]


def running(store: Store) -> int:
    """Let a run of nightly be at its second job."""
    pending_runs(store, a_schedule("nightly", jobs=["fetch", "load"]), 1)
    (claimed,) = store.claim("nightly")
    job = store.do(start_job, claimed, "fetch", 0, 1)
    assert isinstance(job, int)
    store.do(finish_job, claimed, job, Outcome("succeeded"))
    store.do(start_job, claimed, "load", 1, 1)
    return claimed.run_id


def failed(store: Store) -> int:
    pending_runs(store, a_schedule("nightly", jobs=["fetch", "load"]), 1)
    (claimed,) = store.claim("nightly")
    for name, outcome in (("fetch", Outcome("succeeded")), ("load", Outcome("failed", error="no", status=1))):
        job = store.do(start_job, claimed, name, int(name == "load"), 1)
        assert isinstance(job, int)
        store.do(finish_job, claimed, job, outcome)
    store.do(finish_run, claimed, "failed", "job load failed")
    return claimed.run_id


async def test_run_now_says_what_starts_and_leads_to_the_run(store: Store) -> None:
    due = store.schedules()["nightly"].next_due
    with visitor(store) as browser:
        said = text_of(await browser.get(f"{NIGHTLY}/run"))
        assert "1 run starts once a replica is running; none is now." in said
        with_replica(store, "web-1")
        assert "2 jobs: fetch, load" in said
        assert '"shop": 7, "key": "***"' in said
        assert "The next scheduled time stays" in said
        done = await browser.press(f"{NIGHTLY}/run", params='{"shop": 8}', why="to see")
        made = store.rows(select(run).order_by(run.c.id.desc()))[0]
        assert (done.status, done.headers["location"]) == (303, f"/runs/{made.id}")
        assert '"shop": 8' in made.params
        assert acts(store) == [("trigger", f"page@{socket.gethostname()}", "to see")]
        assert store.schedules()["nightly"].next_due == due
        assert "1 run starts." in text_of(await browser.get(f"{NIGHTLY}/run"))


async def test_a_form_that_is_sent_twice_starts_one_run(store: Store) -> None:
    """By a double click, or again because the first answer was lost on its way."""
    with visitor(store) as browser:
        form = await browser.get(f"{NIGHTLY}/run")
        sent = {name: value_of(form, name) for name in ("form_token", "key")}
        wrong = await browser.post(f"{NIGHTLY}/run", **sent, params="7")
        assert (wrong.status, value_of(wrong, "key")) == (422, sent["key"])
        first, second = [await browser.post(f"{NIGHTLY}/run", **sent, why="x") for _ in range(2)]
        assert (first.status, first.headers["location"]) == (303, second.headers["location"])
        assert len(store.runs()) == 1
        another = await browser.press(f"{NIGHTLY}/run", key=value_of(await browser.get(f"{NIGHTLY}/run"), "key"))
        assert another.headers["location"] != first.headers["location"]


async def test_pause_and_resume_count_the_scheduled_times(store: Store) -> None:
    with visitor(store) as browser:
        assert "No scheduled time runs until you resume it: 24 in the next 24 h." in text_of(
            await browser.get(f"{HOURLY}/pause")
        )
        said = text_of(await browser.get(f"{HOURLY}/pause?until=150m"))
        assert re.search(r"[23] scheduled times will be skipped until", said)
        done = await browser.press(f"{HOURLY}/pause", until="150m", why="a deploy")
        assert (done.status, done.headers["location"]) == (303, f"/{HOURLY}")
        assert "It is paused already" in text_of(await browser.get(f"{HOURLY}/pause"))
        store.shift(schedule, schedule.c.name == "hourly", paused_at=-4 * 3600, paused_until=3600, next_due=-3 * 3600,
                    planned_until=-3 * 3600, anchor=-4 * 3600)  # fmt: skip
        assert "3 scheduled times passed; none will run." in text_of(await browser.get(f"{HOURLY}/resume"))
        assert store.rows(select(func.count()).where(run.c.reason == "paused"))[0][0] == 0, "a look writes nothing"
        done = await browser.press(f"{HOURLY}/resume")
        assert done.headers["location"] == f"/{HOURLY}"
        assert "It is not paused." in text_of(await browser.get(f"{HOURLY}/resume"))
        assert [(name, why) for name, _, why in acts(store)] == [("pause", "a deploy"), ("resume", None)]


async def test_cancel_says_what_work_is_lost_and_who_can_start_then(store: Store) -> None:
    run_id = running(store)
    pending_runs(store, a_schedule("nightly", jobs=["fetch", "load"]), 1, available_at=None)
    with visitor(store) as browser:
        said = text_of(await browser.get(f"runs/{run_id}/cancel"))
        assert re.search(r"[\d.]+ s of work is lost. Job load is stopped", said)
        assert re.search(r"Job fetch \([\d.]+ s\) is kept for a retry", said)
        assert f"Run {run_id + 1} of nightly waits for it, and can start then" in said
        assert "It is not retried automatically. The next scheduled time is" in said
        done = await browser.press(f"runs/{run_id}/cancel", why="stuck")
        assert (done.status, done.headers["location"]) == (303, f"/runs/{run_id}")
        assert store.run(run_id).cancelled_why == "stuck"
        assert "already" in text_of(await browser.get(f"runs/{run_id}/cancel"))
        assert b'value="" disabled' not in (await browser.get(f"runs/{run_id + 1}/cancel")).body
        assert "no work is lost" in text_of(await browser.get(f"runs/{run_id + 1}/cancel"))


async def test_a_run_whose_lease_is_over_can_be_cancelled_and_says_what_it_waits_for(store: Store) -> None:
    pending_runs(store, a_schedule("nightly", jobs=["fetch", "load"]), 1)
    (claimed,) = store.claim("nightly")
    store.do(start_job, claimed, "fetch", 0, 1)
    store.go_stale(claimed.grant)
    run_id = claimed.run_id
    with visitor(store) as browser:
        said = text_of(await browser.get(f"runs/{run_id}/cancel"))
        assert re.search(
            r"of work is lost\. Its lease is not held: the run ends as cancelled when a replica takes it over", said
        )
        page = (await browser.get(f"runs/{run_id}")).body.decode()
        assert f"Run {run_id} is stuck</h1>" in page
        assert "Cancel run …" in page
        await browser.press(f"runs/{run_id}/cancel", why="stuck")
        page = (await browser.get(f"runs/{run_id}")).body.decode()
        assert re.search(
            rf"[Rr]un {run_id} of nightly was cancelled by .*, and ends as soon as its work has, but", page
        )
        assert "<dt>Cancel requested</dt>" in page
        assert "Cancel run …" not in page


async def test_retry_says_which_jobs_run_again_and_leads_to_the_new_run(store: Store) -> None:
    run_id = failed(store)
    with visitor(store) as browser:
        said = text_of(await browser.get(f"runs/{run_id}/retry"))
        assert "1 job will run: load, with the same parameters" in said
        assert "1 job succeeded before and will not run again: fetch" in said
        assert "2 jobs will run: fetch, load" in text_of(await browser.get(f"runs/{run_id}/retry?from_job=fetch"))
        done = await browser.press(f"runs/{run_id}/retry", from_job="fetch")
        made = store.rows(select(run).where(run.c.retry_of == run_id))[0]
        assert done.headers["location"] == f"/runs/{made.id}"
        assert f"Run {made.id} tries it again already." in text_of(await browser.get(f"runs/{run_id}/retry"))
        said = text_of(await browser.get(f"runs/{run_id}/forget"))
        assert f"Run {made.id} was given the same parameters: it is not changed." in said
        assert "It cannot be retried afterwards." not in said


async def test_forget_counts_what_is_deleted_for_good_and_twice_comes_to_once(store: Store) -> None:
    run_id, data = failed(store), '{"customer": 7, "key": "k"}'
    store.do(lambda connection: connection.execute(update(run).values(params=data, requested_why="for Jane Doe")))
    store.do(lambda connection: connection.execute(update(job_run).values(log_tail="Jane Doe")))
    with visitor(store) as browser:
        said = text_of(await browser.get(f"runs/{run_id}/forget"))
        assert "2 parameters, the output of 2 attempts, 1 error and 1 reason are deleted. Nothing can bring" in said
        assert "It cannot be retried afterwards." in said
        assert f'href="/runs/{run_id}/forget"'.encode() in (await browser.get(f"runs/{run_id}")).body
        sent = {"form_token": value_of(await browser.get(f"{HOURLY}/run"), "form_token"), "why": "asked for by law"}
        for _ in range(2):  # by a double click
            done = await browser.post(f"runs/{run_id}/forget", **sent)
            assert (done.status, done.headers["location"]) == (303, f"/runs/{run_id}")
        page = (await browser.get(f"runs/{run_id}")).body
        assert b"Jane Doe" not in page
        assert b"Forget its data" not in page
        assert f"It was forgotten by page@{socket.gethostname()} already." in text_of(
            await browser.get(f"runs/{run_id}/forget")
        )
        at_work = running(store)
        assert "It is running: wait until it ends, or cancel it first." in text_of(
            await browser.get(f"runs/{at_work}/forget")
        )
    assert [(name, why) for name, _, why in acts(store)] == [("forget", "asked for by law")]


async def test_retire_counts_what_ends_and_is_offered_only_for_an_application_without_a_replica(store: Store) -> None:
    store.sync(a_schedule("weekly"), a_schedule("monthly"), application="office/1")
    store.sync(a_schedule("x"), application="alive")
    with_replica(store, "web-1", application="alive")
    with visitor(store) as browser:
        assert b'href="/fleet?application=office%2F1"' in (await browser.get("")).body
        weekly, monthly = (schedule_path("office/1", name) for name in ("weekly", "monthly"))
        for each in (weekly, monthly):
            await browser.press(f"{each}/pause")
        assert b'href="/fleet?application=office%2F1"' not in (await browser.get("")).body, "it is no problem anymore"
        assert b'href="/fleet/office~2F1/retire"' in (await browser.get("fleet?application=office/1")).body
        assert b"/retire" not in (await browser.get("fleet?application=alive")).body
        assert "1 run starts once a replica is running; none is now." in text_of(await browser.get(f"{weekly}/run"))
        await browser.press(f"{weekly}/run")
        store.shift(schedule, schedule.c.name == "monthly", next_due=-3600)
        form = await browser.get("fleet/office~2F1/retire")
        said = text_of(form)
        assert "2 schedules are retired: no scheduled time runs anymore." in said
        assert "1 run that is not over ends as cancelled. What 1 schedule has been due for since" in said
        said = text_of(await browser.get("fleet/alive/retire"))
        assert re.search(r'"alive" is not retired: web-1:7 is running, or was seen .*; stop its replicas first', said)
        sent = {"form_token": value_of(form, "form_token"), "why": "moved"}
        for _ in range(2):  # by a double click
            done = await browser.post("fleet/office~2F1/retire", **sent)
            assert (done.status, done.headers["location"]) == (303, "/fleet?application=office%2F1")
        assert "It is retired already: nothing is left of it." in text_of(await browser.get("fleet/office~2F1/retire"))
        assert (await browser.get("fleet/nobody/retire")).status == 404
    assert [why for name, _, why in acts(store) if name == "retire"] == ["moved"]
    assert [one.reason for one in store.runs()] == ["retired"]


async def test_an_act_that_came_too_late_is_answered_with_one_sentence(store: Store) -> None:
    """The dialog stood open while the run ended."""
    run_id = failed(store)
    before = store.everything()
    with visitor(store) as browser:
        token = value_of(await browser.get(f"{HOURLY}/run"), "form_token")
        late = await browser.post(f"runs/{run_id}/cancel", form_token=token)
    said = re.findall(r'<p class="said" role="alert">([^<]*)', late.body.decode())
    assert (late.status, said) == (409, [f"Run {run_id} has ended: failed."])
    assert store.everything() == before


async def test_backfill_says_how_many_will_run_before_it_writes_anything(store: Store) -> None:
    at = store.schedules()["hourly"].next_due - timedelta(hours=5)
    pending_runs(
        store,
        a_schedule("hourly"),
        1,
        trigger="schedule",
        state="succeeded",
        scheduled_for=at,
        started_at=at,
        finished_at=at,
        available_at=None,
    )
    store.do(lambda connection: connection.execute(update(schedule).values(anchor=at - timedelta(hours=20))))
    store.shift(schedule, planned_until=0.0)
    before = len(store.runs())
    with visitor(store) as browser:
        first = (at - timedelta(minutes=1)).isoformat()
        said = text_of(await browser.get(f"{HOURLY}/backfill?first={quote(first)}"))
        found = re.search(r"(\d+) will run. (\d+) scheduled times, 1 succeeded before.", said)
        assert found is not None, said
        assert int(found[1]) == int(found[2]) - 1 > 0
        assert f"Backfill {found[1]} runs of hourly" in said
        assert len(store.runs()) == before
        page = (await browser.get(f"{HOURLY}/backfill?first={quote(first)}")).body.decode()
        assert re.findall(r'<g class="(\w+)"><title>\D*\d+:\d+: ([a-z ]+)</title><rect ', page)[:2] == [
            ("ok", "succeeded before"),
            ("new", "will run"),
        ]
        span = urlencode({"first": first, "last": (at + timedelta(minutes=150)).isoformat()})
        said = text_of(await browser.get(f"{HOURLY}/backfill?{span}"))
        assert re.search(r"2 had no run, since the schedule was not due then: [^,.]*\d:\d\d, [^,.]*\d:\d\d\.", said)
        done = await browser.press(
            f"{HOURLY}/backfill?first={quote(first)}", first=first, last=(at - timedelta(days=2)).isoformat()
        )
        assert done.status == 422, "what is pressed is what was typed, not what was looked at"
        last = value_of(await browser.get(f"{HOURLY}/backfill"), "last")
        done = await browser.press(f"{HOURLY}/backfill", first=first, last=last, why="an outage")
        assert (done.status, done.headers["location"]) == (303, f"/{HOURLY}")
        assert len(store.runs()) == before + int(found[1])
        assert "No scheduled time in this span is left to run." in text_of(await browser.get(f"{HOURLY}/backfill"))


@pytest.mark.parametrize(
    ("path", "typed", "status", "said"),
    [
        (f"{NIGHTLY}/run", {"params": "{"}, 422, 'params: it is not a JSON object; write it like {"customer": 7}'),
        (f"{NIGHTLY}/run", {"params": '{"shop": "x"}'}, 422, 'the parameter "shop" is a whole number'),
        (f"{NIGHTLY}/pause", {"until": "soon"}, 422, 'until: "soon" is not a time; write it like'),
        (f"{NIGHTLY}/pause", {"until": "2020-01-01"}, 422, "until must be in the future"),
        (f"{NIGHTLY}/backfill", {"first": "1 o'clock", "last": "now"}, 422, "from: \"1 o'clock\" is not a time"),
        (f"{NIGHTLY}/backfill", {"first": "today", "last": "today", "at_most": "many"}, 422, 'at most: "many"'),
        ("runs/RUN/retry", {"from_job": "lode"}, 409, "load"),
    ],
)  # fmt: skip
async def test_what_was_typed_wrongly_is_said_in_the_dialog_which_keeps_it(
    store: Store, path: str, typed: dict[str, str], status: int, said: str
) -> None:
    path = path.replace("RUN", str(failed(store)))
    before = store.everything()
    with visitor(store) as browser:
        token = value_of(await browser.get(f"{NIGHTLY}/run"), "form_token")
        answer = await browser.post(path, form_token=token, why="in a hurry", **typed)
        assert answer.status == status
        assert said in text_of(answer)
        assert value_of(answer, "why") == "in a hurry"
        kept = unescape(answer.body.decode())
        assert all(text in kept for text in typed.values())
    assert store.everything() == before


async def test_a_form_without_the_token_of_its_session_does_nothing_and_loses_nothing(store: Store) -> None:
    run_id = running(store)
    pending_runs(store, a_schedule("hourly"), 1)
    store.do(lambda connection: connection.execute(schedule.update().values(paused_at=None)))
    before = store.everything()
    paths = [one.page.path for one in DIALOGS]
    with visitor(store) as browser, visitor(store, GUARDED, ACTS) as other:
        own = re.search(r'name="form_token" value="([0-9a-f]+)"', (await browser.get(f"{NIGHTLY}/run")).body.decode())
        assert own is not None
        for path in paths:
            where = path[1:].format(application="shop", name="nightly", run_id=run_id)
            for who, fields in ((browser, {}), (browser, {"form_token": "x"}), (other, {"form_token": own[1]})):
                answer = await who.post(where, why="typed with care", **fields)
                assert answer.status == 403, where
                assert "made for another session" in text_of(answer)
                assert value_of(answer, "why") == "typed with care"
        without_origin = {name: value for name, value in FORM.items() if name != "origin"}
        answer = await asked(browser.app, "POST", f"/{NIGHTLY}/run", without_origin, b"form_token=x")
        assert answer.status == 403
    assert store.everything() == before


async def test_who_only_reads_sees_the_same_dialog_and_cannot_press_its_button(store: Store) -> None:
    run_id = running(store)
    before = store.everything()
    with visitor(store, GUARDED, READS) as reader, visitor(store, GUARDED, ACTS) as actor:
        acts_on_run = (f"runs/{run_id}/cancel", f"runs/{run_id}/forget")
        for path in (*acts_on_run, f"{NIGHTLY}/run", f"{NIGHTLY}/pause", f"{NIGHTLY}/backfill", "fleet/shop/retire"):
            answer = await reader.get(path)
            assert re.search(r'name="form_token" value="" disabled', answer.body.decode())
            assert "You can look but not act" in text_of(answer)
            assert (await reader.post(path)).status == 403
        token = re.search(r'name="form_token" value="(\w+)"', (await actor.get(f"{NIGHTLY}/run")).body.decode())
        assert token is not None
        assert (await reader.post(f"{NIGHTLY}/run", form_token=token[1])).status == 403
    assert store.everything() == before


def test_the_author_is_the_name_of_the_proxy_or_this_server() -> None:
    assert dialog._author(Looker(who="ann")) == "ann"
    assert dialog._author(Looker()) == f"page@{socket.gethostname()}"
