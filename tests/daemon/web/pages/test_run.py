"""The page of a run, that of its output, and the list of runs, as a browser gets them."""

import re
from html import unescape
from urllib.parse import parse_qs

import pytest

from daemon.store.views import history
from daemon.store.views.output import lines_of
from tests.daemon.web.pages.frames import Open, leafed, shown
from tests.support.asgi import Answer

pytestmark = pytest.mark.anyio


async def test_a_run_of_each_state_says_how_it_stands(made: dict[str, int], opened: Open) -> None:
    for which, said in {
        "crashed": (
            "is running",
            "Lease",
            "web-1:11 crashed in stock",
            'class="tear"',
            "s without a renewal; its lease lasts",
            "Jobs that were done are not repeated.",
            "Fenced writes under token 912 are rejected",
            "12\u202f840 of 31\u202f200 <bdi>rows</bdi>, 41\xa0%",
            "Cancel run …",
        ),
        "failed": (
            "failed",
            "push failed: TimeoutError",
            "exit status 1 · peak 81 MiB",
            "TimeoutError</span> 2",
            "Retry …",
        ),
        "succeeded": ("succeeded", "4 of 4 done", "Retry from customers …", "last 1 of 1 line<"),
        "skipped": ("did not run", "was active (web-3:88 had it)", "Run now …", '<a href="/runs/1"><bdi>run 1<'),
        "missed": ("did not run", "1\u202f234 scheduled times", "no replica was running from"),
        "cancelled": ("was cancelled", "by <bdi>ci@runner-7", "month end", "<bdi>ann@web-1</bdi>: <bdi>wrong month"),
        "waiting": ("is waiting", "waits for the retry at", "ValueError: no rows", "0 of 2 done"),
        "unstarted": ("is waiting", "Output appears here once a job has started", "0 of 1 done"),
    }.items():
        text = await shown(opened, f"/runs/{made[which]}")
        assert f"Run {made[which]} {said[0]}</h1>" in text
        for part in said[1:]:
            assert part in text, (which, part)
    assert "hunter2" not in await shown(opened, f"/runs/{made['crashed']}")
    before = await shown(opened, f"/runs/{made['crashed']}?job=stock&attempt=1")
    assert "fetching deltas" in before
    assert "crashed; recorded" in before


async def test_the_end_of_the_output_is_shown_and_the_rest_page_by_page(made: dict[str, int], opened: Open) -> None:
    text = await shown(opened, f"/runs/{made['crashed']}")
    assert "1\u202f201 earlier lines" in text
    assert text.count('<span class="l">') == 201
    assert "chunk 1201/1412" not in text
    assert "chunk 1202/1412" in text
    assert '<span class="t-warn">warning</span>: article' in text
    address = f"/runs/{made['crashed']}/output?job=stock&attempt=2"
    earlier = await shown(opened, f"{address}&before=1202")
    assert "chunk 1002/1412" in earlier
    assert "chunk 1202/1412" not in earlier
    first = await shown(opened, f"{address}&before=50")
    assert "earlier line" not in first
    assert "Attempt 2 began" in first


async def test_a_hostile_record_is_text_and_a_line_of_a_megabyte_is_cut(made: dict[str, int], opened: Open) -> None:
    of = f"/runs/{made['hostile']}"
    for path in (of, f"{of}/output"):
        answer = await opened(path)
        body = answer.body.decode()
        assert answer.status == 200
        assert len(body) < 60_000
        assert "<script>alert" not in body
        assert "<img" not in body
        assert "\x1b" not in body.partition("<main")[2].partition('class="log')[2].partition("</div>")[0]
        assert "975 KiB more in this line" in body
    whole = await opened(f"{of}/output?download=1")
    assert b"y" * 1_000_000 in whole.body


async def test_a_download_is_text_that_no_browser_takes_for_anything_else(made: dict[str, int], opened: Open) -> None:
    answer = await opened(f"/runs/{made['crashed']}/output?job=stock&attempt=1&download")
    assert answer.body == b"fetching deltas\n31 200 rows in 78 chunks of 400\nchunk 2/78\nchunk 3/78\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    name = f"run-{made['crashed']}-stock-1.txt"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    hostile = await opened(f"/runs/{made['hostile']}/output?download=1")
    assert hostile.headers["content-disposition"] == f'attachment; filename="run-{made["hostile"]}.txt"'
    whole = (await opened(f"/runs/{made['crashed']}/output?download=1")).body.decode()
    assert whole.startswith("== customers, attempt 1 ==\nall customers\n\n== stock, attempt 1 ==\n")


async def test_what_is_asked_for_wrongly_is_answered_with_a_sentence(made: dict[str, int], opened: Open) -> None:
    of = f"/runs/{made['crashed']}"
    for path, status, sentence in (
        (f"{of}?job=stok", 404, 'has no job "stok" so far; did you mean "stock"?'),
        (f"{of}?job=stock&attempt=9", 404, 'has no attempt 9 of "stock" so far; the last one is 2'),
        (f"{of}?before=3", 422, 'there is no parameter "before"'),
        (f"{of}/output?job=stok&download", 404, 'has no job "stok" so far'),
        ("/runs/999/output?download", 404, "run 999 does not exist"),
    ):
        answer = await opened(path)
        assert (answer.status, sentence in unescape(answer.body.decode())) == (status, True), path


def test_lines_know_their_numbers_and_what_is_missing_between_them() -> None:
    found = lines_of([(100, 10, "a\nb\n", None), (204, 22, "c\nd", None)])
    assert [(one.number, one.text, one.cut_lines, one.cut_bytes) for one in found.lines] == [
        (11, "a", 10, 100),
        (12, "b", 0, 0),
        (23, "c", 10, 100),
        (24, "d", 0, 0),
    ]
    assert found.size == 7


def listed(answer: Answer) -> list[int]:
    """Return the runs that a page lists, from the top."""
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    return [int(part.split('"')[0]) for part in text.split('<tr id="row-')[1:]]


async def test_the_filters_choose_runs_and_pages_follow_each_other(
    made: dict[str, int], opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = listed(await opened("/runs"))
    assert everything == sorted(everything, reverse=True)
    assert set(made.values()) <= set(everything)
    for query, which in {
        "state=failed": ["hostile", "failed"],
        "state=crashed": ["crashed"],
        "state=missed": ["missed"],
        "state=skipped": ["missed", "skipped"],
        "state=pending&q=REPO": ["waiting"],
        "schedule=hourly&state=failed": ["failed"],
        "application=shop&state=cancelled": ["cancelled"],
        "q=%25": [],
    }.items():
        assert listed(await opened(f"/runs?{query}")) == [made[one] for one in which], query
    monkeypatch.setattr("daemon.web.pages.runs.SHOWN", 6)
    pages = [listed(page) async for page in leafed(opened, "/runs")]
    assert [run_id for page in pages for run_id in page] == everything
    assert {len(page) for page in pages[:-1]} == {6}


async def test_another_filter_keeps_the_others_and_begins_with_the_newest(made: dict[str, int], opened: Open) -> None:
    page = (await opened(f"/runs?application=shop&before={max(made.values())}")).body.decode()
    queries = [parse_qs(query) for query in re.findall(r'<a class="chip" href="/runs[?]([^"]*)"', unescape(page))]
    assert {"state": ["failed"], "application": ["shop"]} in queries
    assert [query for query in queries if "before" in query] == []


async def test_a_search_that_no_index_finds_looks_at_so_many_runs_and_goes_on_from_there(
    made: dict[str, int], opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOOKED_AT", 5)
    first = await opened("/runs?state=crashed")
    assert listed(first) == []
    bottom = made["hostile"] - 4
    assert f"/runs?state=crashed&amp;before={bottom}" in first.body.decode()
    assert listed(await opened(f"/runs?state=crashed&before={bottom}")) == [made["crashed"]]
