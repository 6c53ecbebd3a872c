"""What `leased check` remarks, and what `leased preview` prints, without a run."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from daemon import Schedules
from daemon.cli.commands.defining.check import Code, file_remarks, remarks_on
from tests.daemon.jobs.family import linux

from .conftest import Leased

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def remarks(folder: Path = Path("/"), defaults: dict[str, Any] | None = None, **settings: Any) -> list[str]:
    schedules = Schedules("shop", **(defaults or {}))
    schedules.add("nightly", **({"cron": "0 2 * * *"} | settings)).command("sync", "true", timeout="1m")
    found = remarks_on(schedules.application().schedule("nightly"), NOW, folder)
    return [remark.in_words for remark in found]


def test_utc_is_named_where_a_cron_schedule_has_no_time_zone() -> None:
    assert remarks() == ["it has no timezone, so it uses UTC"]
    assert remarks(timezone="UTC") == []
    assert remarks(defaults={"timezone": "UTC"}) == []
    assert remarks(cron=None, every="1h") == []


EITHER = "day of month and day of week are both set, so it is due when either matches"


@pytest.mark.parametrize(
    ("cron", "remark"),
    [
        ("0 9 1-7 * mon", EITHER),
        ("0 0 13 * 5", EITHER),
        ("0 0 */2 * 5", None),
        ("0 0 * * mon#1", None),
        ("0 0 31 * *", "months without a day 31 are skipped; for the last day of every month write L"),
        ("0 0 30,31 1,2 *", "months without a day 30 are skipped"),
        ("0 0 29,L * *", None),
        ("0 0 28-31 * *", None),
        ("0 0 31 1,3,12 *", None),
        ("0 0 29 2 *", None),
        ("0 0 31W 2-4 *", None),
    ],
)
def test_days_that_may_mean_something_else_are_remarked_on(leased: Leased, cron: str, remark: str | None) -> None:
    found = remarks(cron=cron, timezone="UTC")
    assert len(found) == (remark is not None)
    assert all(one.startswith(str(remark)) for one in found)
    answer = leased("preview", cron, "--count", "1")
    assert answer.out.splitlines()[2:] == found
    assert json.loads(leased("preview", cron, "--json").out)["remarks"] == found


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()

    def of(cwd: str) -> list[str]:
        return remarks(tmp_path, {"timezone": "UTC", "cwd": cwd})

    assert of("there") == of(str(tmp_path)) == []
    for missing in ("none", "file", "/no/such/folder"):
        assert of(missing) == [f"job sync: its cwd {missing} does not exist on this machine"]


def test_a_schedule_whose_next_instants_are_all_excluded_is_remarked_on() -> None:
    assert remarks(timezone="UTC", exclude=["2026-07-01..2036-06-30"]) == [
        "exclude keeps each of the next 366 scheduled times from running"
    ]
    assert remarks(timezone="UTC", exclude=["2026-07-02..2026-12-31"]) == []
    assert remarks(cron=None, at="2026-12-25T12:00:00Z", exclude=["12-25"]) == [
        "exclude keeps the only scheduled time left from running"
    ]


@pytest.mark.usefixtures("one_load")
def test_check_and_preview_mark_what_is_excluded(leased: Leased, tmp_path: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (tmp_path / "shop.toml").write_text(
        f"""
        application = "shop"
        [calendars.holidays]
        dates = [{tomorrow:%Y-%m-%d}]
        [defaults]
        exclude = "holidays"
        [schedules.nightly]
        cron = "0 12 * * *"
        timezone = "UTC"
        jobs = [{{ name = "a", command = "true", timeout = "1m" }}]
        """
    )
    shown = leased("check", str(tmp_path / "shop.toml"))
    assert shown.out.count("(excluded: holidays)") == 1
    assert "defaults: exclude holidays" in shown.out
    (item,) = json.loads(leased("check", str(tmp_path / "shop.toml"), "--json").out)["items"]
    assert {one["excluded"] for one in item["next"]} == {None, "holidays"}
    asked = ["@daily", "--from", "2026-12-23T12:00:00Z", "--count", "2", "--exclude", "12-25"]
    assert [one["excluded"] for one in json.loads(leased("preview", *asked, "--json").out)["items"]] == [None, "12-25"]
    assert leased("preview", *asked).out.splitlines()[-1].endswith("excluded: 12-25")


@pytest.mark.usefixtures("one_load")
def test_check_shows_the_defaults_of_a_file_and_of_variables_the_names(leased: Leased, folder: Path) -> None:
    defaults = '[defaults]\ntimezone = "Europe/Berlin"\ntimeout = "1h"\nenv = { LEVEL = "1", TOKEN = "s3cret" }\n'
    nightly = '[schedules.nightly]\ncron = "@daily"\njobs = [{ name = "a", command = "true" }]\n'
    (folder / "shop.toml").write_text(f'application = "shop"\n{defaults}{nightly}')
    assert "defaults: timezone Europe/Berlin, timeout 1h, env LEVEL TOKEN\n" in leased("check", "shop.toml").out


@pytest.mark.parametrize(
    ("asked", "columns"), [(["--timezone", "Europe/Berlin"], 2), (["--timezone", "UTC"], 1), ([], 1)]
)
def test_preview_prints_utc_once(leased: Leased, asked: list[str], columns: int) -> None:
    answer = leased("preview", "30 2 1 7 *", "--from", "2026-01-01T00:00:00Z", "--count", "1", *asked)
    assert answer.out.count("2026-07-01") == columns
    assert answer.out.count("UTC") == 1


LEFT = """
import socket, sys
from daemon import Run, Schedules
schedules = Schedules("shop")
nightly = schedules.add("nightly", cron="0 2 * * *", timezone="UTC", keep={"runs": 9})
nightly.command("orders", "true", timeout="1m")
FUNCTION
left = None if "pytest" in sys.modules else socket.socket()
"""
FUNCTION = "@nightly.job(timeout='1m')\ndef customers(run: Run) -> None: ..."


@linux
@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("function", "left"), [(FUNCTION, "socket.socket()"), (FUNCTION, "None"), ("", "socket.socket()")]
)
def test_a_file_is_named_that_leaves_what_keeps_its_functions_from_being_forked(
    leased: Leased, folder: Path, function: str, left: str
) -> None:
    (folder / "s.py").write_text(LEFT.replace("FUNCTION", function).replace("socket.socket()", left))
    said = (
        "s.py leaves an open connection (a socket) behind when it is loaded, so each child process of a function "
        "loads it again, which takes more time and memory; do this in the job that needs it, or clean up at the "
        "end of the file"
    )
    found = json.loads(leased("check", "s.py", "--json").out)["remarks"]
    expected = bool(function) and left != "None"
    assert (len(found), all(remark.startswith(said) for remark in found)) == (expected, True)
    assert (said in " ".join(leased("check", "s.py").out.split())) is expected


FOREVER = """
application = "shop"
[defaults]
timezone = "UTC"
DEFAULTS
[schedules.kept]
every = "1h"
jobs = [{ name = "only", command = "true", timeout = "1m" }]
keep = { days = 30 }
[schedules.other]
every = "1h"
jobs = [{ name = "only", command = "true", timeout = "1m" }]
"""
ONLY_GROWS = "history grows without limit. Add keep = { days = 90, runs = 500 }"


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("DEFAULTS", "", f"no retention set for other; {ONLY_GROWS}"),
        ("DEFAULTS", "keep = { runs = 5, days = 7 }", None),
        ("keep = { days = 30 }", "", f"no retention set; {ONLY_GROWS}"),
    ],
    ids=["of one", "by default", "nowhere"],
)
@pytest.mark.usefixtures("one_load")
def test_one_sentence_recommends_to_bound_the_history_where_nothing_does(
    leased: Leased, folder: Path, was: str, becomes: str, said: str | None
) -> None:
    (folder / "s.toml").write_text(FOREVER.replace(was, becomes).replace("DEFAULTS", ""))
    assert json.loads(leased("check", "s.toml", "--json").out)["remarks"] == ([] if said is None else [said])
    shown = " ".join(leased("check", "s.toml").out.split())
    assert ("grows without limit" in shown) is (said is not None)
    assert ("keep { days = 7, runs = 5 }" in shown) is (said is None)


def test_slots_that_no_second_run_can_use_are_remarked_on() -> None:
    def remarked(*overlaps: str) -> list[str]:
        schedules = Schedules("shop")
        for number, overlap in enumerate(overlaps):
            settings: Any = {"overlap": overlap, "lock": {"name": "api", "slots": 3}, "keep": {"days": 1}}
            schedules.add(f"s{number}", every="1h", **settings).command("sync", "true")
        return [remark.in_words for remark in file_remarks(schedules.application(), None)]

    assert remarked("allow") == remarked("skip", "skip") == []
    assert remarked("skip") == [
        (
            's0 alone has the lock "api" with 3 slots, and with overlap = "skip" one run at a time, '
            'so it needs only one slot; overlap = "allow" would use all of them'
        )
    ]


NIGHT = 'application = "shop"\n[schedules.night]\nevery = "1h"\njobs = [{ name = "j", command = "true" }]\n'


@pytest.mark.usefixtures("one_load")
def test_what_would_stay_behind_in_the_database_is_remarked_on(leased: Leased, tmp_path: Path) -> None:
    """As is what cannot be looked at; where there is no database, nothing is said, and no file is made."""
    file, database = tmp_path / "shop.toml", f"sqlite:///{tmp_path / 'shop.db'}"
    file.write_text(NIGHT)
    before = leased("check", str(file), "--database", database).out
    assert "night" in before
    assert not (tmp_path / "shop.db").exists()
    assert leased("sync", str(file), "--database", database).status == 0
    assert leased("trigger", "night", "--database", database).status == 0
    file.write_text(NIGHT.replace("night", "nightly"))
    found = json.loads(leased("check", str(file), "--database", database, "--json").out)["remarks"][1:]
    assert found[0].startswith('"night" is no longer defined; it has 1 run that waits (')
    assert found[1].startswith('"nightly" looks like "night" renamed')
    file.write_text(NIGHT.replace("[schedules.night]", '[schedules.nightly]\nwas = "night"'))
    found = json.loads(leased("check", str(file), "--database", database, "--json").out)["remarks"][1:]
    assert found == ["nightly (was night): takes over the history, pause, lock and idempotency keys"]
    renamed = file.read_text()
    file.write_text(renamed.replace('was = "night"\n', ""))
    assert leased("sync", str(file), "--database", database).status == 0
    assert leased("trigger", "nightly", "--database", database).status == 0
    file.write_text(renamed)
    found = json.loads(leased("check", str(file), "--database", database, "--json").out)["remarks"][1:]
    assert found[0] == (
        "nightly (was night): both names have history, so nothing is taken over; remove the former name from was"
    )
    away = leased("check", str(file), "--database", "postgresql://nobody@127.0.0.1:1/shop")
    assert (away.status, "the database was not checked: " in away.out) == (0, True)


WARNED = """
application = "shop"
[defaults]
keep = { days = 9 }
timezone = "UTC"
[schedules.hourly]
every = "1h"
jobs = [{ name = "a", command = "true" }, { name = "b", command = "true" }]
[schedules.nightly]
cron = "0 2 13 * fri"
enabled = false
jobs = [{ name = "c", command = "true" }]
"""


@pytest.mark.usefixtures("one_load")
def test_a_warning_has_a_code_and_names_all_that_it_is_about_and_strict_makes_it_fail(
    leased: Leased, folder: Path
) -> None:
    (folder / "s.toml").write_text(WARNED)
    answer, strict = leased("check", "s.toml"), leased("check", "s.toml", "--strict", "--json")
    first, *lines = answer.out.partition("\n\n")[0].splitlines()
    assert (answer.status, first) == (0, "OK: shop, 2 schedules, 2 warnings")
    assert [line.partition("; ")[0] for line in lines] == [
        "warning[no-timeout]: hourly (a, b), nightly (c): no timeout",
        f"warning[cron-days]: nightly: {EITHER}",
        "note[disabled]: nightly: it is disabled, so it is never due",
    ]
    assert strict.status == 1
    assert [(one["code"], one["schedule"]) for one in strict.document["warnings"]] == [
        *(("no-timeout", name) for name in ("hourly", "hourly")),
        ("cron-days", "nightly"),
        ("no-timeout", "nightly"),
    ]
    assert leased("check", "s.toml", "--strict").out.startswith("failed with --strict: shop, 2 schedules, 2 warnings")
    (folder / "s.toml").write_text(WARNED.replace('"true" }', '"true", timeout = "1m" }').replace("13 * fri", "* * *"))
    passed = leased("check", "s.toml", "--strict")
    assert (passed.status, passed.out.splitlines()[:2]) == (0, ["OK: shop, 2 schedules", lines[2]])


def test_the_reference_has_a_row_for_each_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "command.md").read_text()
    table = page.partition("## leased check\n")[2].partition("\n## ")[0]
    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert rows == sorted(get_args(Code))
