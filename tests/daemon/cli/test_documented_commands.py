"""The shell blocks of the docs: each of their lines is typed in this process, where what it names is there, and succeeds."""

import io
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from daemon.definitions.sources.load import load
from daemon.instants import parse_instant
from daemon.store.tables import schedule
from daemon.telemetry import logs
from tests.daemon.cli.conftest import Answer, Leased
from tests.docs.pages import ROOT, blocks
from tests.support.store import Store

DOCS = ROOT / "docs"
HOW_TO = DOCS / "how-to"
KEPT = Path(__file__).parent / "screens" / "kept"
UNATTENDED = {"run": ["--no-web", "--until-idle"], "backfill": ["--yes"]}
"""What a command is given here, where nobody answers or stops it."""
A_DAY = 86_400.0

Type = Callable[..., list[Answer]]


@pytest.fixture
def typed(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type the lines of a block, with other values in place of some words of the page, and return the answers."""
    monkeypatch.setattr(logs, "_is_set_up", True)  # a replica in this process would take over the log of the tests

    def type_lines(block: str, values: dict[str, str] | None = None) -> list[Answer]:
        for word, value in (values or {}).items():
            assert word in block, "it stands on the page"
            block = block.replace(word, value)
        answers = []
        for line in block.splitlines():
            words = shlex.split(os.path.expandvars(line.rpartition("| ")[2]), comments=True)
            while "=" in words[0]:
                monkeypatch.setenv(*words.pop(0).split("=", maxsplit=1))
            assert words.pop(0) == "leased"
            answers.append(leased(*words, *UNATTENDED.get(words[0], [])))
            assert answers[-1].status == 0, (line, answers[-1])
        return answers

    return type_lines


@pytest.fixture
def url(folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LEASED_DATABASE_URL", database_url)
    return database_url


@pytest.mark.usefixtures("url")
def test_a_run_is_requested_with_parameters_for_later_and_once(folder: Path, leased: Leased, typed: Type) -> None:
    page = HOW_TO / "schedules" / "request-a-run.md"
    (folder / "shop.toml").write_text(blocks(page, "toml")[0])
    assert leased("sync", "shop.toml").status == 0
    with_parameters, later, once = blocks(page, "sh")
    typed(with_parameters)
    typed(later)
    (again,) = {answer.out.split()[1] for answer in typed(once + once)}
    shown = [leased("show", str(number), "--json").document for number in range(1, int(again) + 1)]
    assert len(shown) == 5
    assert [run["params"] for run in shown[:2]] == [{"customer": 7, "mode": "open", "note": False}] * 2
    at_once, *later_ones = (parse_instant(shown[number]["scheduled_for"]) for number in (4, 2, 3))
    assert min(later_ones) > at_once


@pytest.mark.extended
@pytest.mark.usefixtures("url", "processes")
def test_queued_work_is_requested_looked_at_and_cancelled(folder: Path, leased: Leased, typed: Type) -> None:
    page = HOW_TO / "schedules" / "queue-work.md"
    (folder / "pictures.py").write_text(blocks(page, "python")[0])
    start, look = blocks(page, "sh")
    typed(start)
    _, waiting, shown, *_ = typed(look, {"RUN": "1"})
    assert "thumbnail" in waiting.out
    assert "cat.png" in shown.out
    assert leased("show", "1", "--json").document["cancelled_why"] == "the picture is gone"


@pytest.mark.usefixtures("url")
def test_what_troubleshooting_begins_with_answers(folder: Path, leased: Leased, typed: Type) -> None:
    assert leased("sync", "shop.py").status == 0
    assert leased("trigger", "nightly").status == 0
    (begin,) = blocks(HOW_TO / "operate" / "troubleshooting.md", "sh")
    typed(begin, {"RUN": "1"})
    (begin,) = blocks(HOW_TO / "operate" / "something-is-wrong.md", "sh")
    _, schedule, run = typed(begin, {"NAME": "nightly", "RUN": "1"})
    assert schedule.out.startswith("nightly")
    assert run.out.startswith("run 1 of nightly")


@pytest.mark.usefixtures("url")
def test_the_report_of_a_night_answers(typed: Type) -> None:
    (ask,) = blocks(HOW_TO / "operate" / "what-happened-last-night.md", "sh")
    typed(ask)


@pytest.mark.usefixtures("url", "processes")
def test_a_schedule_is_renamed(folder: Path, leased: Leased, typed: Type) -> None:
    """The page's two files, one deployed after the other."""
    page = HOW_TO / "schedules" / "rename-a-schedule.md"
    (before, after), (dry_run,) = blocks(page, "toml"), blocks(page, "sh")

    def said(*words: str) -> str:
        return " ".join(leased(*words).out.split())

    def deploy(text: str) -> None:
        (folder / "shop.toml").write_text(text)
        assert leased("sync", "shop.toml").status == 0

    deploy(before)
    assert leased("trigger", "night").status == leased("pause", "night").status == 0
    (folder / "shop.toml").write_text(re.sub(r"^was.*\n", "", after, flags=re.MULTILINE))
    (tried,) = typed(dry_run)
    for warned in (" ".join(tried.out.split()), said("check", "shop.toml")):
        assert '"nightly-export" looks like "night" renamed' in warned
    (folder / "shop.toml").write_text(after)
    (tried,) = typed(dry_run)
    (printed,) = re.findall("It prints `(.*?)`", page.read_text())
    assert printed in " ".join(tried.out.split())
    deploy(after)
    assert "1 nightly-export" in said("runs", "night")
    assert "paused by" in said("status")
    assert "run/shop/night" in said("locks", "--all")
    deploy(before)
    assert "1 night " in said("runs", "nightly-export")


SCHEDULES = "from daemon import Schedules\n\nschedules = Schedules('shop')\nschedules.add({!r}, every='1h').command('a', 'true')\n"


def active(leased: Leased) -> list[str]:
    return [item["schedule"] for item in leased("status", "--json").document["items"]]


@pytest.mark.usefixtures("url", "processes")
def test_a_release_has_the_number_of_its_build(leased: Leased, typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    (start,) = [block for block in blocks(HOW_TO / "operate" / "deploy.md", "sh") if "BUILD_NUMBER" in block]
    assert leased("init").status == 0
    monkeypatch.setenv("BUILD_NUMBER", "42")
    typed(start)
    assert [one["revision"] for one in leased("generations", "--json").document["items"]] == [42]


@pytest.mark.usefixtures("url")
def test_a_take_over_goes_back_to_the_older_file(folder: Path, leased: Leased, typed: Type) -> None:
    (go_back,) = [block for block in blocks(HOW_TO / "operate" / "deploy.md", "sh") if "--take-over" in block]
    for name in ("older", "newer"):
        (folder / "schedules.py").write_text(SCHEDULES.format(name))
        assert leased("sync", "schedules.py").status == 0
    (folder / "schedules.py").write_text(SCHEDULES.format("older"))
    typed(go_back)
    assert active(leased) == ["older"]


@pytest.mark.usefixtures("url")
def test_a_take_over_ends_a_revision_that_was_a_slip(folder: Path, leased: Leased, typed: Type) -> None:
    (take_over,) = blocks(DOCS / "explanation" / "how-it-works.md", "sh")
    (slip,) = re.findall(r'"(\d+) was a slip"', take_over)
    for name, revision in (("slip", slip), ("right", "44")):
        (folder / "schedules.py").write_text(SCHEDULES.format(name))
        leased("sync", "schedules.py", "--revision", revision)
    typed(take_over)
    assert active(leased) == ["right"]
    assert f"{slip} was a slip" in leased("activity").out


def test_a_backfill_is_tried_run_paused_and_cancelled(folder: Path, url: str, leased: Leased, typed: Type) -> None:
    """Its dates are those of the page, moved to the last month."""
    (folder / "nightly.toml").write_text(
        'application = "shop"\n[schedules.nightly]\ncron = "0 2 * * *"\ncatch_up = "skip"\n'
        'jobs = [{ name = "a", command = "true" }]\n'
    )
    assert leased("sync", "nightly.toml").status == 0
    with Store(url) as store:
        store.shift(schedule, planned_until=-32 * A_DAY, anchor=-32 * A_DAY, next_due=-31.5 * A_DAY)
        store.plan(*load(folder / "nightly.toml").schedules)
        runs = leased("runs", "--json", "--limit", "1000").document["items"]
    first = min(parse_instant(run["scheduled_for"]) for run in runs)
    last = max(parse_instant(run["last_scheduled_for"] or run["scheduled_for"]) for run in runs)
    dates = {"2026-11-01": f"{first:%F}", "2026-11-30": f"{last:%F}"}
    page = HOW_TO / "schedules" / "fill-in-what-did-not-run.md"
    dry, fill, manage = blocks(page, "sh")
    (shown,) = blocks(page, "text")
    (answer,) = typed(dry, dates)
    assert re.fullmatch(r"nightly \(shop\): \d+ scheduled times: \d+ will run; nothing was done\n", answer.out)
    typed(fill, dates)
    typed(manage, {"--backfill 3": "--backfill 1"})
    assert "the wrong month" in leased("activity").out
    words = shown.replace("nightly", "refresh-exchange-rates")
    kept = (KEPT / "backfill-dry-run.txt").read_text()
    assert re.sub(r"\d+", "N", words) in re.sub(r"\d+", "N", kept)
    scheduled, succeeded, will_run = map(int, re.findall(r"\d+", shown))
    assert scheduled == succeeded + will_run


@pytest.mark.extended
@pytest.mark.usefixtures("processes")
def test_the_tables_are_made_as_each_page_says(
    empty_database_url: str, folder: Path, leased: Leased, typed: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("LEASED_DATABASE_URL", empty_database_url)
    embedded = blocks(HOW_TO / "schedules" / "embed.md", "sh")[0].splitlines()[0]
    replaced = blocks(HOW_TO / "migrate" / "from-a-fixed-lock-timeout.md", "sh")[0]
    url, upgrade, run = blocks(DOCS / "tutorials" / "first-schedule.md", "sh")[-1].splitlines()
    typed(embedded)
    typed(replaced)
    (folder / "hello.toml").write_text(blocks(DOCS / "tutorials" / "first-schedule.md", "toml")[0])
    typed(f"{upgrade}\n{run}")
    name, _, value = url.removeprefix("export ").partition("=")
    assert (name, make_url(value).drivername) == ("LEASED_DATABASE_URL", "postgresql")


@pytest.mark.usefixtures("processes")
def test_a_crontab_is_imported(folder: Path, leased: Leased, typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    page = HOW_TO / "migrate" / "move-a-crontab.md"
    (own, _), (lines,) = blocks(page, "crontab"), blocks(page, "sh")
    (folder / "shop").write_text(own.replace("0 3 * * *  ", "0 3 * * *  www-data "))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(own.encode())))
    typed(lines, {"/etc/cron.d/shop": "shop"})
    assert load(folder / "schedules.toml").schedules[0].name == load(folder / "shop.toml").schedules[0].name == "backup"


def test_the_url_of_a_database_that_fails_over_is_the_one_that_the_page_about_production_has() -> None:
    (line,) = blocks(DOCS / "explanation" / "scaling.md", "sh")
    ((name, _, value),) = [word.partition("=") for word in shlex.split(line)]
    tried = make_url(blocks(HOW_TO / "operate" / "postgresql-in-production.md", "text")[1].strip())
    assert name == "LEASED_DATABASE_URL"
    without = [re.sub(r"\.example\.org", "", str(sorted(url.query.items()))) for url in (make_url(value), tried)]
    assert without[0] == without[1]
